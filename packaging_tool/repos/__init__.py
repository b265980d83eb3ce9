"""Repository kinds: one module each."""
