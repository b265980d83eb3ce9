"""What lies in a project and is no source of it: what runs of mkpkgs keep and make there, and version control's own.

The word in `.mkpkgs/id` tells our caches from those of others (`cache`), so it must get into no package; and what a
run makes must not be the source of the next one, which would have other bytes each time. Whoever walks a folder passes
over it; where a project names it as a source, that is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath

from packaging_tool import cache

VERSION_CONTROL = (".git", ".hg", ".svn", ".bzr")
# Wherever they lie, as directories or as files: a submodule's `.git` is one.
NAMES = frozenset({cache.NAME, *VERSION_CONTROL})

# What the present run makes, as it is called without links: output directories, and files.
_outputs: list[Path] = []
_written: list[Path] = []


@contextmanager
def guarding(root: Path, output: Path, written: Iterable[Path]) -> Iterator[None]:
    """Keep what a run makes apart from its sources meanwhile, for all threads.

    root: of the project. output: the directory of the run, unless the project lies in it. written: files that it
    writes into the project, which may be named as sources though no walk finds them.
    """
    before = [*_outputs], [*_written]
    real = output.resolve()
    if not root.resolve().is_relative_to(real):
        _outputs.append(real)
    _written.extend(path.resolve() for path in written)
    try:
        yield
    finally:
        _outputs[:], _written[:] = before


def is_unread(folder: Path, name: str, *, follows: bool = True) -> bool:
    """Whether a walk passes over a name. folder: without links. follows: whether a link is what it leads to."""
    path = folder / name
    if name in NAMES or path in _written or any(_is_of(output, path) for output in _outputs):
        return True
    return follows and path.is_symlink() and bool(what(folder, name))


def ignored(place: str, names: Sequence[str], *, follows: bool) -> set[str]:
    """Those of the names in a folder that `shutil.copytree` is to leave out. follows: as of is_unread."""
    folder = Path(place).resolve()
    return {name for name in names if is_unread(folder, name, follows=follows)}


def what(root: Path, text: str) -> str:
    """What a source, or what a link on the way to it leads to, is if it is none; else "". root: where text begins.

    A source that is not there is none of them.
    """
    parts = {*PurePath(text).parts}
    try:
        real, top = (root / text).resolve(), root.resolve()
        # Where the project itself lies does not matter.
        parts.update(real.relative_to(os.path.commonpath((real, top))).parts)
    except (OSError, RuntimeError, ValueError):
        # A circle of links, a name that is too long or has a zero byte.
        return ""
    if cache.NAME in parts:
        return f"in {cache.NAME}, where mkpkgs keeps what nobody else may know"
    if found := sorted(parts.intersection(VERSION_CONTROL)):
        return f"in {found[0]}, which is version control's own"
    if any(_is_of(output, place) for output in _outputs for place in (real, *real.parents)):
        return "in the output directory, which each run makes anew"
    return ""


def _is_of(output: Path, path: Path) -> bool:
    """Whether a path is an output directory, or a copy of it that a run makes beside (`staging`, `atomic`)."""
    if path.parent != output.parent:
        return False
    name = path.name
    return name == output.name or (name.startswith(f".{output.name}.") and name.endswith((".staging", ".new")))
