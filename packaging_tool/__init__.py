"""mkpkgs: one core package and one drop-in package per plugin, .deb and .rpm, and their signed repositories."""

__version__ = "0.1.0"
