"""Folders of the project that are required at a newer version than they have here.

The module that `go build` builds stands for every version of itself, whatever others require. Here it is a dependency
of the host main, so these versions are excluded there: go then overlooks the requirement (golang.org/ref/mod, "exclude
directive").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging_tool.golang import gomod
from packaging_tool.golang.localmodule import LocalModule
from packaging_tool.listener import Listener

_NUMBERS = re.compile(r"v(\d{1,18})\.(\d{1,18})\.(\d{1,18})(?:[-+][0-9A-Za-z.+-]*)?")
_MAJOR = re.compile(r"[/.]v(\d{1,18})$")


@dataclass(frozen=True, slots=True)
class Newer:
    """A requirement. place: `file:line`. here: the folder that stands for the module."""

    place: str
    path: str
    version: str
    here: Path


def requirements(modules: Mapping[str, LocalModule]) -> Iterator[Newer]:
    """What the modules require of each other at a version above theirs. modules: by path."""
    for module in modules.values():
        for one in gomod.requirements(module.folder):
            path, version = (*one.words, "", "")[:2]
            known = modules.get(path)
            if known is not None and _fits(path, version) and _numbers(version) >= _numbers(known.version):
                yield Newer(f"{module.folder / 'go.mod'}:{one.line}", path, version, known.folder)


def tell(modules: Mapping[str, LocalModule], listener: Listener) -> None:
    """Say so: what is new in such a version may lack."""
    for one in requirements(modules):
        listener.warn(
            f"{one.place}: {one.path} {one.version} is required, and {one.here} stands for it, whatever its version"
        )


def _fits(path: str, version: str) -> bool:
    """Whether a go.mod may name the version for the path (golang.org/ref/mod, "Major version suffixes")."""
    major, found = _MAJOR.search(path), _numbers(version)
    return bool(found) and (found[0] == int(major[1]) if major else found[0] < 2)


def _numbers(version: str) -> tuple[int, ...]:
    """The three numbers; what follows them makes no difference, since a local module has its `-0.h…` behind them."""
    found = _NUMBERS.fullmatch(version)
    return tuple(map(int, found.groups())) if found else ()
