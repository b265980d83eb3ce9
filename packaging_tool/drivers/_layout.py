"""Files of core and plugins as drivers lay them out on the target."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from packaging_tool.errors import BuildError
from packaging_tool.package.content import Content
from packaging_tool.package.model import Entry
from packaging_tool.project.model import Project


def program(project: Project, content: Content | None) -> Entry:
    """The core's own program. content: None while it is only planned."""
    name = project.core.name
    return Entry(path=f"/usr/lib/{name}/bin/{name}-core", mode=0o755, content=content)


def files(source: Path, ignored: Collection[str] = ()) -> Iterator[tuple[str, Path]]:
    """Names below source and paths of all files, or of the one file that source is.

    ignored: names of folders to pass over. Raises BuildError for what is neither file nor folder.
    """
    if not source.is_dir():
        yield _regular(source.name, source)
        return
    for folder, folders, names in os.walk(source):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        folders[:] = sorted(name for name in folders if name not in ignored)
        for name in sorted([*names, *links]):
            path = Path(folder) / name
            yield _regular(path.relative_to(source).as_posix(), path)


def _regular(name: str, path: Path) -> tuple[str, Path]:
    # A link could point to anything on the machine that builds, whose bytes must not end in a package unseen; a pipe
    # would be read for ever.
    if not stat.S_ISREG(path.lstat().st_mode):
        raise BuildError(f"{path} is not a regular file", hint="copy the file there instead")
    return name, path


def plugin(project: Project, name: str, found: Iterable[tuple[str, Path]]) -> tuple[Entry, ...]:
    """Files in the folder of a plugin, programs as such. found: names below it and paths."""
    root = f"{project.plugins_directory}/{name}"
    return tuple(
        Entry(
            path=f"{root}/{below}", mode=0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644, content=Content(path)
        )
        for below, path in sorted(found)
    )
