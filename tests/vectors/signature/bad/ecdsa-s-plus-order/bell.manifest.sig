untrusted comment: test key, known to all the world
RUNYeVWTesJMnjBGAiEAiTcyeoOrQCuXTlnpsusGC0Cu7kdkyvT/pztw8+VzP+YCIQFJb44oAyASM/O60Rhd4rH29bhQ5t9LjwfTjrXcFD1s2Q==
