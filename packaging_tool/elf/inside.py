"""Paths that `[core.elf.abi]` and `authors` name: they stay in the core's built tree, or in the project.

What they lead to is counted in the lock and published, so that a path must not bring in what lies elsewhere on the
machine that builds. Headers and programs of the system are named by their absolute paths, where that is offered.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path

from packaging_tool import confine
from packaging_tool.project import contents, unread
from packaging_tool.project.model import Project

# Where distributions and those who build for a whole machine put what all may read.
_SYSTEM = ("/usr", "/opt", "/nix")

PROGRAM = "program"


def findings(project: Project) -> Iterator[tuple[str, str, str]]:
    """Keys, what is wrong and what to write instead; what leads out of the project is in `sources`."""
    options, built = project.core_options, bool(project.core_options.source)
    abi, tree = options.abi, "the built tree" if built else "the project"
    instead = f"write it relative to {tree}"
    for key, pattern in (
        *(("core.elf.abi.files", text) for text in abi.files),
        *(("core.elf.authors.files", text) for text in options.authors.files),
    ):
        if not pattern or pattern.startswith("/") or (key.endswith("authors.files") and _climbs(pattern)):
            yield key, f"{pattern!r} leads elsewhere", instead
        elif not _is_pattern(pattern):
            yield key, f"{pattern!r} is no pattern of paths", 'write for example "src/**/*.h"'
        elif built and _climbs(pattern):
            yield key, f"{pattern!r} leads out of {tree}", f"{instead}, without `..`"
    for name in abi.exports:
        if not name:
            yield "core.elf.abi.exports", "'' is no path", f'{instead}, or write "{PROGRAM}"'
        elif built and _leaves(name):
            yield "core.elf.abi.exports", f"{name!r} leads out of {tree}", f"{instead}, without `..`"
        elif not built and name != PROGRAM and not contents.holds(Path.is_file, project.root / name):
            yield "core.elf.abi.exports", f"there is no file {name}", "build it first, or name another one"
    for key, names in (("headers", abi.headers), ("include", abi.include)):
        for name in names:
            if built and (_climbs(name) or (key == "headers" and name.startswith("/"))):
                yield f"core.elf.abi.{key}", f"{name!r} leads out of {tree}", f"{instead}, without `..`"
    # Built or not, these are the machine's own.
    for key, names in (("abi.include", abi.include), ("authors.symbols", options.authors.symbols)):
        for name in names:
            if not project.outside and name.startswith("/") and not _is_systems(name):
                what = f"{name!r} is neither in the project nor of the system"
                instead = f"name a place below {', '.join(_SYSTEM)}, or write outside = true in [core]"
                yield f"core.elf.{key}", what, instead
            elif key == "authors.symbols" and built and _climbs(name):
                yield f"core.elf.{key}", f"{name!r} leads out of {tree}", "write it without `..`"


def sources(project: Project) -> Iterator[tuple[str, str]]:
    """Keys and paths in the project, if nothing is built; what globs find there is named where a link is in it."""
    options = project.core_options
    if options.source:
        return
    abi = options.abi
    yield from (("core.elf.abi.exports", name) for name in abi.exports if name != PROGRAM)
    yield from (("core.elf.abi.headers", name) for name in abi.headers)
    yield from (("core.elf.abi.include", name) for name in abi.include if not name.startswith("/"))
    yield from (("core.elf.authors.symbols", name) for name in options.authors.symbols if not name.startswith("/"))
    for pattern in abi.files:
        if _climbs(pattern) or not (contents.GLOB & set(pattern) or pattern.startswith("/")):
            yield "core.elf.abi.files", pattern
        elif _is_pattern(pattern):
            yield from (("core.elf.abi.files", name) for name in sorted(_links(project.root, pattern)))


def files(root: Path, pattern: str) -> list[Path]:
    """What a pattern finds below root, sorted: files and directories, but nothing that is no source."""
    return sorted(
        path for path in root.glob(pattern) if not unread.what(root, path.relative_to(root).as_posix() or ".")
    )


def _climbs(text: str) -> bool:
    """Whether it leads out of where it begins, whatever links there are."""
    return not text.startswith("/") and posixpath.normpath(text).split("/")[0] == ".."


def _leaves(text: str) -> bool:
    return text.startswith("/") or _climbs(text)


def _is_pattern(pattern: str) -> bool:
    try:
        # Where nothing is, it is only parsed.
        next(Path("/nonexistent").glob(pattern), None)
    except (OSError, ValueError, NotImplementedError, IndexError):
        return False
    return "\0" not in pattern


def _links(root: Path, pattern: str) -> set[str]:
    """Paths to links that lead out of root, on the way to what a pattern finds."""
    found: set[str] = set()
    for path in files(root, pattern):
        parts = path.relative_to(root).parts
        ways = ("/".join(parts[: count + 1]) for count in range(len(parts)))
        found.update(way for way in ways if (root / way).is_symlink() and contents.leads_out(root, way))
    return found


def _is_systems(name: str) -> bool:
    try:
        real = Path(name).resolve()
    except (OSError, RuntimeError, ValueError):
        return False
    return any(real.is_relative_to(place) for place in (*map(Path, _SYSTEM), *confine.said()))
