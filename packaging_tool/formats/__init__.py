"""Package formats: one module each. A format turns a neutral `Package` into a file."""
