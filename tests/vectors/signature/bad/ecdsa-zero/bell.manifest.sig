untrusted comment: test key, known to all the world
RUNYeVWTesJMnjAGAgEAAgEA
