TEXT = b"late 1.0\n"
