"""How Go spells what its modules are called (Go Modules Reference, "Module paths" and "Versions")."""

from __future__ import annotations

import re

IMPORT_PATH = re.compile(r"[A-Za-z0-9_.~+-]+(/[A-Za-z0-9_.~+-]+)*")
# Of a module that can be fetched: the standard library's have no slash.
MODULE_PATH = re.compile(r"[A-Za-z0-9_.~+-]+(/[A-Za-z0-9_.~+-]+)+")
# To the letter, no query such as `latest` or `v2`.
VERSION = re.compile(r"v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+incompatible)?")
