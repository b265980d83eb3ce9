"""Drivers: one module each. A driver knows how a kind of plugin is built, its ABI, and how it gets into the server."""
