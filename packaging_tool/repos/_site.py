"""What all repository kinds share: files that come and go in an index, and the key file for administrators."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from packaging_tool import atomic, clock
from packaging_tool.errors import InputError
from packaging_tool.formats.base import Built

# What an index may say of a package. Formats allow less; more would lead out of the folder, or could not be compared.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*")
VERSION = re.compile(r"[A-Za-z0-9.+~^_-]{1,200}|[0-9]{1,9}:[A-Za-z0-9.+~^_:-]{1,200}")
PLACE = re.compile(r"(?!/)(?!.*(?:^|/)\.\.?(?:/|$))[^\s\x00-\x1f\x7f]{1,1000}")
SHA256 = re.compile(r"[0-9a-f]{64}")
SIZE = re.compile(r"[0-9]{1,15}")
# Unpacked, an index of 100,000 packages is half as long.
LONGEST = 1 << 30

Reader = Callable[[Path], Built]


def files(directory: Path, suffix: str) -> Iterator[Path]:
    """All files below a directory whose names end so; none if there is no such directory."""
    if not directory.is_dir():
        return
    with os.scandir(directory) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                yield from files(Path(entry.path), suffix)
            elif entry.name.endswith(suffix) and entry.is_file():
                yield Path(entry.path)


def dated(time: int, before: int) -> int:
    """The date of a new index: never older than the one before, since clients would go on with that and say nothing.

    Nor ahead of the clock, when apt refuses it; one that was published so is put right. All in seconds since 1970.
    """
    return min(max(time, before), clock.real())


def content(path: Path) -> bytes:
    """The bytes of a file, none if it is not there."""
    return path.read_bytes() if path.is_file() else b""


def below(root: Path, path: Path) -> str:
    """The path of a file relative to a directory above it; a tenth of the time that `Path.relative_to` takes."""
    name = str(path)
    start = f"{root}/"
    if not name.startswith(start):
        raise ValueError(f"{path} is not below {root}")
    return name[len(start) :]


def text(path: Path) -> str:
    """A file of an index, "" if there is none. Raises InputError if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8") if path.is_file() else ""
    except UnicodeDecodeError:
        raise damaged(path, "it is not UTF-8 text") from None


def checked(index: Path, fields: Mapping[str, tuple[re.Pattern[str], str]]) -> None:
    """Raise InputError if a field of an index, given as pattern and value, is not what it must be."""
    for name, (pattern, value) in fields.items():
        if not pattern.fullmatch(value):
            raise damaged(index, f"{value[:80]!r} is no {name}" if value else f"a package has no {name}")


def damaged(path: Path, what: str) -> InputError:
    """An index that we cannot have written."""
    return InputError(f"{path} is damaged: {what}", hint="remove it, and the packages that lie there are listed anew")


def gather(pool: Iterable[Path], built: Sequence[Built], known: Mapping[Path, Built], read: Reader) -> list[Built]:
    """All packages of a pool, sorted by path: from the builder, from the old index, or read from the file.

    pool: the files that are there. known: packages of the old index, by file; only those that are still so.
    """
    fresh = {item.path: item for item in built}
    return [fresh.get(path) or known.get(path) or read(path) for path in sorted(pool)]


def is_as_indexed(path: Path, size: int, indexed: float) -> bool:
    """Whether a file is still what an index from the time indexed (seconds) says: same size, and not touched since."""
    found = path.stat()
    return found.st_size == size and found.st_mtime <= indexed


def replace_files(directory: Path, files: Mapping[str, bytes], keep: Collection[str]) -> None:
    """Make directory hold these files and of its old ones only those in keep: the last generation of an index.

    Clients that read the old index a moment ago still find what it names.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for path in sorted(directory.iterdir()):
        if path.name not in files and path.name not in keep and path.is_file():
            path.unlink()
    write_changed(directory, files)


def write_changed(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write files of a directory, but leave what is the same already: its time stamp tells that nothing changed."""
    changed = [directory / name for name, data in sorted(files.items()) if _write_changed(directory / name, data)]
    atomic.sync_files(changed)
    if changed:
        atomic.sync_directory(directory)


def _write_changed(path: Path, data: bytes) -> bool:
    """Write one file if it changed, and say whether it did.

    A file that changes twice within a second gets a stamp of the next one, since apt asks a server for what is newer
    than its own copy, to the second.
    """
    before = path.lstat() if path.is_file() else None
    if before is not None and not path.is_symlink() and before.st_size == len(data) and path.read_bytes() == data:
        return False
    atomic.place(path, (data,))
    if before is not None and int(path.stat().st_mtime) <= int(before.st_mtime):
        later = int(before.st_mtime) + 1
        os.utime(path, (later, later))
    return True


def client_name(name: str) -> str:
    """Of what clients read: apt skips a file with a `+` in its name (sources.list(5)), and dnf such a repository."""
    return name.replace("+", "_")


def key_file(core: str) -> str:
    """Name of the public key for administrators, below `dist/`."""
    return f"{core}.asc"
