"""Files of core and plugins as drivers lay them out on the target."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from packaging_tool.errors import BuildError, PackageError
from packaging_tool.package.content import Content
from packaging_tool.package.model import Entry
from packaging_tool.project import contents, unread
from packaging_tool.project.model import Project


def program(project: Project, content: Content | None) -> Entry:
    """The core's own program. content: None while it is only planned."""
    name = project.core.name
    return Entry(path=f"/usr/lib/{name}/bin/{name}-core", mode=0o755, content=content)


def files(made: Path, ignored: Collection[str] = ()) -> Iterator[tuple[str, Path]]:
    """Names below what a command left and paths of all files, or of the one file that it is.

    ignored: names of folders to pass over. Raises BuildError for what is neither file nor folder, links too, and
    for folders that lie too deep.
    """
    if not made.is_dir():
        yield _regular(made.name, made)
        return
    try:
        for folder, folders, names in contents.folders_of(made):
            links = [name for name in folders if (Path(folder) / name).is_symlink()]
            folders[:] = sorted(name for name in folders if name not in ignored)
            for name in sorted([*names, *links]):
                path = Path(folder) / name
                yield _regular(path.relative_to(made).as_posix(), path)
    except PackageError as deep:
        raise BuildError(deep.message, hint=deep.hint) from None


def sources(project: Project, source: Path, ignored: Collection[str] = ()) -> Iterator[tuple[str, Path]]:
    """The same of a source of the project, with the files that links lead to.

    Raises BuildError also for what is no source (`unread`), and for a link that leads out of the project where that has
    no `outside = true`: what was told when the project file was read may have changed since.
    """
    within = None if project.outside else project.root
    try:
        if within is not None and contents.leads_out(within, str(source)):
            raise BuildError(f"{source} leads out of the project", hint="copy it there instead")
        if own := unread.what(project.root, os.path.relpath(source, project.root)):
            raise BuildError(f"{source} is {own}", hint=contents.HINT)
        for name, path in contents.walk(source, ignored, within):
            if within is not None and contents.strays_from(within, path):
                raise BuildError(f"{path} leads out of the project", hint="copy the file there instead")
            if not path.is_file():
                raise _irregular(path)
            yield name, path
    except PackageError as circle:
        raise BuildError(circle.message, hint=circle.hint) from None


def _regular(name: str, path: Path) -> tuple[str, Path]:
    # A link could point to anything on the machine that builds, whose bytes must not end in a package unseen; a pipe
    # would be read for ever.
    if not stat.S_ISREG(path.lstat().st_mode):
        raise _irregular(path)
    return name, path


def _irregular(path: Path) -> BuildError:
    return BuildError(f"{path} is not a regular file", hint="copy the file there instead")


def plugin(project: Project, name: str, found: Iterable[tuple[str, Path]]) -> tuple[Entry, ...]:
    """Files in the folder of a plugin, programs as such. found: names below it and paths."""
    root = f"{project.plugins_directory}/{name}"
    return tuple(
        Entry(
            path=f"{root}/{below}", mode=0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644, content=Content(path)
        )
        for below, path in sorted(found)
    )
