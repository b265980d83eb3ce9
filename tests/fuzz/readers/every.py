"""All targets, by name."""

from __future__ import annotations

from tests.fuzz.readers import authors, files, golang, keys, packages, repositories, starts, words

MODULES = (packages, keys, files, golang, repositories, authors, starts, words)
TARGETS = {target.name: target for module in MODULES for target in module.TARGETS}
