untrusted comment: test key, known to all the world
RUNYeVWTesJMnjBFAiEAiTcyeoOrQCuXTlnpsusGC0Cu7kdkyvT/pztw8+VzP+YCIElvjikDIBIy87rRGF3isfc40VY5ODPwgt/U6xkX2keIAA==
