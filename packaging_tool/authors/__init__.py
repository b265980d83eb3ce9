"""Plugins for somebody else's core: what its maintainer publishes, and what an author makes with it."""
