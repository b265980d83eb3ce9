untrusted comment: test key, known to all the world
RUNYeVWTesJMnjBEAiADsWP3DDVUY6HnvvvjzOi/xJ1LjkXaIJUV6+MARyxZ+QIgRhWtSI+n8iJtzMmrtUenp/TsdMy7BD7qrI5h9nIv4kE=
