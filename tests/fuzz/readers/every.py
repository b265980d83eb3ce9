"""All targets, by name."""

from __future__ import annotations

from tests.fuzz.readers import files, golang, keys, packages, repositories

TARGETS = {target.name: target for module in (packages, keys, files, golang, repositories) for target in module.TARGETS}
