"""How Go spells what its modules are called (Go Modules Reference, "Module paths" and "Versions")."""

from __future__ import annotations

import re

# None begins as an option of the go command does.
IMPORT_PATH = re.compile(r"(?!-)[A-Za-z0-9_.~+-]+(/[A-Za-z0-9_.~+-]+)*")
# Of a module that can be fetched: the standard library's have no slash.
MODULE_PATH = re.compile(r"(?!-)[A-Za-z0-9_.~+-]+(/[A-Za-z0-9_.~+-]+)+")
# To the letter, no query such as `latest` or `v2`.
VERSION = re.compile(r"v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+incompatible)?")
# Of a local module, named by its content: localmodule.py.
CONTENT_VERSION = re.compile(r"v\d+\.\d+\.\d+-0\.h[0-9a-f]{16}")
# As the go command can fetch it, and as `go env GOVERSION` says it, which distributions add to.
GO = re.compile(r"1\.\d{1,3}(\.\d{1,3}|(rc|beta)\d{1,3})?")
GOVERSION = re.compile(rf"go{GO.pattern}([ -][A-Za-z0-9 ().,:+_-]{{1,60}})?")
TAG = re.compile(r"[A-Za-z0-9_.]+")
# Variables of the go command that change what is compiled, and their values where the project file is silent. Others
# of its variables name programs, servers and options.
SETTINGS = {"GO386": "sse2", "GOAMD64": "v1", "GOARM": "7", "GOARM64": "v8.0", "GOEXPERIMENT": "", "GOFIPS140": "off"}
SETTING = re.compile(r"[A-Za-z0-9.,_-]*")


def is_setting(name: str, value: str) -> bool:
    """Whether a variable and its value are one of those."""
    return name in SETTINGS and SETTING.fullmatch(value) is not None


def is_variable(name: str, value: str) -> bool:
    """Whether the linker's -X can set this; in other places of `-ldflags` quotes and white space begin other flags."""
    return IMPORT_PATH.fullmatch(name) is not None and value.isprintable() and not set(value) & set("\"'")
