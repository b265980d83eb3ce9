untrusted comment: test key, known to all the world
RUNYeVWTesJMnjBEAiD//////////////////////////////////////////wIgf39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f38=
