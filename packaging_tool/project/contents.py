"""File entries: globs of the project file become entries; doubles are refused; private directories get an owner."""

from __future__ import annotations

import glob
import os
import posixpath
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from packaging_tool.errors import PackageError
from packaging_tool.package.content import Content
from packaging_tool.package.model import Entry
from packaging_tool.project import paths, unread
from packaging_tool.project.model import FileSpec

GLOB = frozenset("*?[")
# Folders in folders; Python's own walks and removals end at some thousand.
DEEPEST = 100
# Of what is no source.
HINT = "copy it to another place in the project"


def expand(root: Path, specs: Sequence[FileSpec]) -> tuple[Entry, ...]:
    """The entries of `files` in the project file. root: sources are relative to it.

    Raises PackageError for a source that is missing or leads out of root.
    """
    return tuple(entry for spec in specs for entry in _expand_one(root, spec))


def _expand_one(root: Path, spec: FileSpec) -> Iterable[Entry]:
    mode = int(spec.mode, 8) if spec.mode else None
    path = posixpath.normpath(spec.path)
    if spec.type == "symlink":
        yield Entry(path=path, type="symlink", mode=0o777, target=spec.target)
        return
    if spec.type in ("directory", "ghost"):
        default = 0o755 if spec.type == "directory" else 0o644
        yield Entry(path=path, type=spec.type, mode=mode or default, owner=spec.owner, group=spec.group)
        return
    for source in sources(root, spec.source):
        name = path if not spec.path.endswith("/") else f"{path}/{source.name}"
        # In /etc too: run-parts(8) passes over what is not.
        executable = source.stat().st_mode & 0o100
        yield Entry(
            path=name,
            type=spec.type,
            mode=mode if mode is not None else 0o755 if executable else 0o644,
            owner=spec.owner,
            group=spec.group,
            content=Content(source),
        )


def sources(root: Path, pattern: str) -> list[Path]:
    """The files that a source names, sorted. Raises PackageError if there are none or one lies outside of root."""
    try:
        found = sorted(root.glob(pattern)) if GLOB & set(pattern) else [root / pattern]
        files = [path for path in found if path.is_file()]
    except (OSError, ValueError, NotImplementedError) as failed:
        # A name that is too long for the file system, `**` as part of a name, a pattern that is not relative.
        raise PackageError(f"{pattern}: {getattr(failed, 'strerror', None) or failed}") from None
    if files and (own := unread.what(root, pattern)):
        raise PackageError(f"{pattern} is {own}", hint=HINT)
    files = [path for path in files if path == root / pattern or not unread.what(root, str(path.relative_to(root)))]
    if not found and (what := literal(root, pattern)):
        kind = "folder" if holds(Path.is_dir, root / pattern) else "file"
        said = f"{pattern!r} is read as a pattern, which finds nothing; a {kind} has just this name"
        raise PackageError(said, hint=what)
    folders = [path for path in found if holds(Path.is_dir, path)] if not files else []
    if folders and GLOB & set(pattern):
        first = glob.escape(folders[0].relative_to(root).as_posix())
        raise PackageError(f"{pattern!r} finds folders alone", hint=_within(first))
    if folders:
        raise PackageError(f"{pattern!r} is a folder", hint=_within(pattern.rstrip("/") or "."))
    if not files:
        raise PackageError(f"{pattern}: no such file below {root}")
    for path in files:
        # A link out of the tree would put a file of the building machine into a package.
        if not path.resolve().is_relative_to(root.resolve()):
            raise PackageError(f"{path} leads out of {root}", hint="copy the file into the project")
    return files


def literal(root: Path, pattern: str) -> str:
    """What to write for a file or a folder of which a pattern is the name; "" if there is none."""
    if not GLOB & set(pattern) or not holds(Path.exists, root / pattern):
        return ""
    written = glob.escape(pattern.rstrip("/"))
    return _within(written) if holds(Path.is_dir, root / pattern) else f'write "{written}"'


def _within(folder: str) -> str:
    return f'write "{folder}/*" for the files in it'


def holds(question: Callable[[Path], bool], path: Path) -> bool:
    """The answer of Path.is_file and its like; no for a name that no file can have, and where we may not look."""
    try:
        return question(path)
    except (OSError, ValueError):
        return False


def is_bare(folder: Path) -> bool:
    """Whether it is a directory with nothing in it but directories."""
    try:
        return holds(Path.is_dir, folder) and next(iter(walk(folder)), None) is None
    except PackageError:
        return False


def folders_of(source: Path, *, follows: bool = False) -> Iterator[tuple[str, list[str], list[str]]]:
    """As os.walk, from the top. follows: links to folders, too. Raises PackageError for folders that lie too deep."""
    for found in os.walk(source, followlinks=follows):
        if found[0].count("/") - str(source).count("/") >= DEEPEST:
            raise PackageError(f"{source} has folders that lie {DEEPEST} deep", hint="take them out")
        yield found


def empty_folders(source: Path, ignored: Collection[str] = ()) -> list[str]:
    """Names below source of folders with nothing in them, which no manifest can have and no target would get."""
    found = []
    for place, folders, names in folders_of(source):
        folder = Path(place)
        if folder != source and not folders and not names:
            found.append(folder.relative_to(source).as_posix())
        folders[:] = sorted(name for name in folders if name not in ignored and not unread.is_unread(folder, name))
    return found


def leads_out(root: Path, text: str) -> bool:
    """Whether a source, or a link on the way to it, leads out of the project. root: its directory.

    A source that is not there leads nowhere.
    """
    try:
        return not (root / text).resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError):
        # A circle of links, a name that is too long or has a zero byte.
        return False


def strays_from(root: Path, path: Path) -> bool:
    """Whether a path that `walk` gave is a link that leads out of the directory root."""
    return path.is_symlink() and leads_out(root, str(path))


def walk(source: Path, ignored: Collection[str] = (), within: Path | None = None) -> Iterator[tuple[str, Path]]:
    """Names below source and paths of all that is no folder, or of the one file that source is; links are followed.

    What is no source (`unread`) is passed over. ignored: names of more folders to pass over. within: a link to a folder
    that leads out of it is not followed but given, so that nothing else but a link can lead out. Raises PackageError
    for links that lead in a circle, and for folders that lie too deep.
    """
    if not source.is_dir():
        yield source.name, source
        return
    real: dict[Path, Path] = {}
    for place, folders, names in folders_of(source, follows=True):
        folder = Path(place)
        real[folder] = folder.resolve()
        if any(real.get(above) == real[folder] for above in folder.parents):
            raise PackageError(f"{folder} leads in a circle", hint="take the link out of the folder")
        out = [name for name in folders if within is not None and strays_from(within, folder / name)]
        own = {name for name in (*folders, *names) if unread.is_unread(real[folder], name)}
        folders[:] = sorted({*folders} - {*ignored, *out} - own)
        for name in sorted({*names, *({*out} - {*ignored})} - own):
            yield (folder / name).relative_to(source).as_posix(), folder / name


def strays(root: Path, text: str, ignored: Collection[str] = ()) -> Iterator[str]:
    """Links in a folder that lead out of the project, as the project would name them. root: its directory."""
    try:
        found = [name for name, path in walk(root / text, ignored, root) if strays_from(root, path)]
    except (OSError, RuntimeError, ValueError, PackageError):
        # What cannot be read is told when it is to be packaged.
        return
    yield from (f"{text.rstrip('/')}/{name}" for name in found if holds(Path.exists, root / text / name))


def merge(package: str, *parts: Iterable[Entry]) -> tuple[Entry, ...]:
    """All entries in the order of their paths.

    A directory may be named twice, the last one wins: so a project can set the mode of a directory that we make.
    Raises PackageError for any other double.
    """
    merged: dict[str, Entry] = {}
    for entry in (entry for part in parts for entry in part):
        known = merged.get(entry.path)
        if known is not None and not (known.type == entry.type == "directory"):
            raise PackageError(f"{package}: two files at {entry.path}")
        merged[entry.path] = entry
    return tuple(merged[path] for path in sorted(merged))


def owned_directories(entries: Iterable[Entry], roots: Sequence[str]) -> tuple[Entry, ...]:
    """Directory entries for the roots that have entries, and for all directories below them down to the entries.

    rpm removes only directories that a package lists.
    """
    found: set[str] = set()
    for entry in entries:
        for root in roots:
            parent = entry.path if entry.type == "directory" else posixpath.dirname(entry.path)
            while parent == root or parent.startswith(f"{root}/"):
                found.add(parent)
                parent = posixpath.dirname(parent)
    return tuple(Entry(path=path, type="directory", mode=0o755) for path in sorted(found))


def named_directories(entries: Iterable[Entry], name: str, home: str, said: Mapping[str, Entry]) -> tuple[Entry, ...]:
    """Directory entries for what is a project's own above entries: it is said, below that, or has a name in its path.

    Of what has no such name, nobody knows whether it is the system's, maybe in another mode. name: of the core. home:
    which systemd makes, with all above it. said: directories by path as the project has them in any package, since rpm
    installs no two packages that see one differently, and dpkg lets a directory be as the first package brings it.
    """
    # Above a ghost, who makes it makes that too.
    above = {posixpath.dirname(entry.path) for entry in entries if entry.type != "ghost"}
    found: dict[str, Entry] = {}
    for place in above:
        parents = [place]
        while (parent := posixpath.dirname(parents[-1])) != "/":
            parents.append(parent)
        own = False
        for parent in reversed(parents):
            own = own or parent in said or paths.is_named(parent, name)
            if parent in said:
                found[parent] = said[parent]
            elif own and not f"{home}/".startswith(f"{parent}/"):
                found[parent] = Entry(path=parent, type="directory", mode=0o755)
    return tuple(found[path] for path in sorted(found))
