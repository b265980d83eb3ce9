"""Finds the members of a folder (formats, drivers, repos) and imports one only when it is used.

Drivers may also come from other distributions, by entry points of the group `mkpkgs.drivers`: each names a module that
has what `packaging_tool.drivers.base` asks for. Who wants a new driver for one project need not change mkpkgs.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from packaging_tool.errors import InputError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

# The folders that others may add to, and what each of their modules must have.
METHODS = ("name", "check", "lock", "fingerprint", "outline", "build", "target")
OPEN = {"drivers": ("CoreOptions", "PluginOptions", "Driver", *(f"Driver.{name}" for name in METHODS))}
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@cache
def own(folder: str) -> tuple[str, ...]:
    """The members of `packaging_tool.<folder>` by the names that users type, sorted.

    A module `go_link` is the member `go-link`; `base` and names that begin with `_` are no members.
    """
    package = importlib.import_module(f"packaging_tool.{folder}")
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(sorted(name.replace("_", "-") for name in found if name != "base" and not name.startswith("_")))


def names(folder: str) -> list[str]:
    """All members, also those that other distributions bring, sorted."""
    return sorted({*own(folder), *_foreign(folder)})


def has(folder: str, name: str) -> bool:
    """Whether there is such a member. Other distributions are looked through only for a name that is none of ours."""
    return name in own(folder) or name in _foreign(folder)


def load(folder: str, name: str) -> ModuleType:
    """Import one member. Raises InputError if the folder has no such member, or one that cannot be used."""
    if name in own(folder):
        return importlib.import_module(f"packaging_tool.{folder}.{name.replace('-', '_')}")
    found = _foreign(folder).get(name)
    if found is None:
        raise InputError(f"{name!r} is not one of the {folder}: {', '.join(names(folder))}")
    return _load_foreign(folder, name, found)


class _Later:
    """Stands for a module of ours that is imported when something of it is used for the first time."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        """What the module has."""
        return getattr(importlib.import_module(self._name), name)


def later(name: str) -> Any:
    """A module below packaging_tool, e.g. `authors.work`."""
    return _Later(f"packaging_tool.{name}")


def origin(folder: str, name: str) -> str:
    """What tells one state of a foreign member from another: version of its distribution, files; "" for our own."""
    found = None if name in own(folder) else _foreign(folder).get(name)
    if found is None:
        return ""
    place = load(folder, name).__file__ or ""
    parent = Path(place).parent
    files = sorted(parent.rglob("*.*")) if Path(place).name == "__init__.py" else [Path(place)]
    stamps = (f"{file} {file.stat().st_mtime_ns}" for file in files if file.is_file() and file.suffix != ".pyc")
    return "\n".join([_distribution(found), *stamps])


@cache
def _foreign(folder: str) -> dict[str, EntryPoint]:
    """Members of other distributions by name. A name of our own stays ours, so nobody changes a project by surprise."""
    if folder not in OPEN:
        return {}
    # Slow to import, and most runs need no other driver than ours.
    from importlib.metadata import entry_points

    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"mkpkgs.{folder}"):
        known = found.get(point.name)
        if known is not None and known.value != point.value:
            both = " and ".join(sorted({_distribution(known), _distribution(point)}))
            raise InputError(f"{point.name!r} of the {folder} is in {both}", hint="uninstall one of them")
        if point.name not in own(folder) and NAME.fullmatch(point.name):
            found[point.name] = point
    return found


def _load_foreign(folder: str, name: str, point: EntryPoint) -> ModuleType:
    who = f"{name!r} of the {folder}, from {_distribution(point)},"
    try:
        module = point.load()
    except Exception as error:
        # Whatever its code does at import is not our mistake.
        raise InputError(f"{who} cannot be imported: {type(error).__name__}: {error}") from None
    if not isinstance(module, ModuleType):
        raise InputError(f"{who} is not a module: {point.value}", hint="write the module alone, without `:` and a name")
    missing = [word for word in OPEN[folder] if not _has(module, word)]
    if missing:
        raise InputError(f"{who} has no {', '.join(missing)}", hint="docs/drivers.md says what a driver is")
    return module


def _has(module: object, word: str) -> bool:
    for name in word.split("."):
        if not hasattr(module, name):
            return False
        module = getattr(module, name)
    return True


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.value
