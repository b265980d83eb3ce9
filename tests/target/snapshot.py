"""The state of an installed machine's files, to bring it back after each of thousands of changes."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file as it was. data: its bytes, or where a link leads."""

    mode: int
    uid: int
    gid: int
    data: bytes = b""
    links: int = 1
    attributes: tuple[str, ...] = ()


class Snapshot:
    """What lies below trees, and the rights of the directories alone. Paths are relative to root.

    Times do not count: two changes can come in one tick of the file system's clock.
    """

    def __init__(self, root: Path, trees: Sequence[str], alone: Sequence[str]) -> None:
        self.root, self._trees, self._alone = root, trees, alone
        self._known = {path: self._read(path) for path in (*alone, *self._walk())}

    def restore(self) -> None:
        """Make everything as it was."""
        for path in sorted(set(self._walk()) - set(self._known), reverse=True):
            self._remove(path)
        for path, entry in self._known.items():
            with suppress(FileNotFoundError, NotADirectoryError):
                if self._read(path, len(entry.data)) == entry:
                    continue
            self._make(path, entry)

    def _walk(self) -> Iterator[str]:
        """Every directory before what lies in it."""
        for top in self._trees:
            for directory, folders, files in os.walk(self.root / top):
                place = os.path.relpath(directory, self.root)
                yield place
                # os.walk lists links to directories as folders and does not enter them.
                links = [name for name in folders if (self.root / place / name).is_symlink()]
                yield from (f"{place}/{name}" for name in (*files, *links))

    def _read(self, path: str, size: int | None = None) -> _Entry:
        """size: how long it should be; a file of another size is not read."""
        place = self.root / path
        found = place.lstat()
        data = b""
        if stat.S_ISREG(found.st_mode):
            data = place.read_bytes() if size in (None, found.st_size) else b"of another size"
        elif stat.S_ISLNK(found.st_mode):
            data = os.fsencode(place.readlink())
        links = found.st_nlink if stat.S_ISREG(found.st_mode) else 1
        attributes = tuple(os.listxattr(place, follow_symlinks=False))
        return _Entry(found.st_mode, found.st_uid, found.st_gid, data, links, attributes)

    def _make(self, path: str, entry: _Entry) -> None:
        place = self.root / path
        if stat.S_ISDIR(entry.mode):
            if place.is_symlink() or not place.is_dir():
                self._remove(path)
                place.mkdir()
            for name in os.listxattr(place):
                os.removexattr(place, name)
        else:
            self._remove(path)
            if stat.S_ISLNK(entry.mode):
                place.symlink_to(os.fsdecode(entry.data))
                return
            place.write_bytes(entry.data)
        os.chown(place, entry.uid, entry.gid)
        place.chmod(stat.S_IMODE(entry.mode))

    def _remove(self, path: str) -> None:
        place = self.root / path
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        elif os.path.lexists(place):
            place.unlink()
