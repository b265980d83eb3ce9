"""Finds the members of a folder (formats, drivers, repos) and imports one only when it is used."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from packaging_tool.errors import InputError


def names(folder: str) -> list[str]:
    """List the members of `packaging_tool.<folder>` by the names that users type, sorted.

    A module `go_link` is the member `go-link`; `base` and names that begin with `_` are no members.
    """
    package = importlib.import_module(f"packaging_tool.{folder}")
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return sorted(name.replace("_", "-") for name in found if name != "base" and not name.startswith("_"))


def load(folder: str, name: str) -> ModuleType:
    """Import one member. Raises InputError if the folder has no such member."""
    known = names(folder)
    if name not in known:
        raise InputError(f"{name!r} is not one of the {folder}: {', '.join(known)}")
    return importlib.import_module(f"packaging_tool.{folder}.{name.replace('-', '_')}")
