"""The bytes of a file on their way into packages: read once, hashed once, shared by all formats."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TypeVar, cast

from packaging_tool.errors import PackageError

Made = TypeVar("Made")
CHUNK = 1 << 20
# A file of this size is in memory between the first and the last format of a package.
KEPT = 128 << 10
# Here and below, os.stat and open: the methods of paths take longer than the system.
# Device, inode, size, times of the last write and change of a file.
Stamp = tuple[int, int, int, int, int]
# A file that was changed so shortly before may be changed again without another time in its stamp (ns).
FRESH = 1_000_000_000

# SHA-256 of large files that had not changed for a while, by name and stamp: a driver, the plan and the packages each
# have a Content of the same file.
_hashed: dict[tuple[bytes | Path, Stamp], str] = {}


class Content:
    """Bytes in memory or in a file, with their digests.

    A file is never in memory as a whole. The digests are lower-case hex and computed once: on the way, if the file is
    packaged before anybody asks, and MD5 nearly always so. Raises OSError.
    """

    def __init__(self, source: bytes | Path) -> None:
        self.source = source
        self._lock = threading.Lock()
        self._sha256: str | None = None
        self._md5: str | None = None
        self._stamp: Stamp | None = None
        # Not the lock of the digests, since what is made needs them, and one thing may need another.
        self._making = threading.RLock()
        self._made: dict[str, object] = {}

    @cached_property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.source) if isinstance(self.source, bytes) else os.stat(self.source).st_size  # noqa: PTH116 - half of a path's time

    def chunks(self) -> Iterator[bytes | memoryview]:
        """The bytes, in pieces of at most 1 MiB. A piece is valid until the next one is asked for."""
        if isinstance(self.source, bytes):
            if self.source:
                yield self.source
            return
        with open(self.source, "rb", buffering=0) as file:  # noqa: PTH123 - half of a path's time
            if self.size <= CHUNK:
                if data := file.read():
                    yield data
                return
            # Read, not mapped: the pages of a map count as ours, and a file cut off meanwhile would kill the process.
            with memoryview(bytearray(CHUNK)) as buffer:
                while count := file.readinto(buffer):
                    yield buffer[:count]

    def verified(self) -> Iterator[bytes | memoryview]:
        """As chunks, but raises PackageError at the end if a file no longer has the size and SHA-256 it had before.

        Where manifests and package headers already say what the bytes are, a file must not change meanwhile. It is
        hashed again only if it was touched since, or written just before the digest was taken. A small one is read once
        for all formats.
        """
        if isinstance(self.source, bytes):
            yield from self.chunks()
        elif self.size > KEPT:
            yield from self._verified(self.source)
        elif data := self._whole(self.source):
            yield data

    def head(self, size: int) -> bytes:
        """The first bytes."""
        if isinstance(self.source, bytes):
            return self.source[:size]
        if self.size <= KEPT:
            return self._whole(self.source)[:size]
        with open(self.source, "rb", buffering=0) as file:  # noqa: PTH123 - half of a path's time
            return file.read(size)

    def _whole(self, source: Path) -> bytes:
        return self.once("", lambda: b"".join(self._verified(source)))

    def _verified(self, source: Path) -> Iterator[bytes | memoryview]:
        began, before, expected = time.time_ns(), self._stamped(), self._sha256
        known = expected is not None and self._stamp == before
        sha256 = None if known else hashlib.sha256()
        md5 = hashlib.md5(usedforsecurity=False) if self._md5 is None else None
        seen = 0
        for piece in self.chunks():
            seen += len(piece)
            if seen > self.size:
                break
            if sha256 is not None:
                sha256.update(piece)
            if md5 is not None:
                md5.update(piece)
            yield piece
        found = sha256.hexdigest() if sha256 is not None else expected
        same = self._stamped() == before if known else expected in (None, found)
        if seen != self.size or not same:
            raise PackageError(f"{source} changed while it was packaged", hint="run again")
        if md5 is not None:
            self._md5 = md5.hexdigest()
        if expected is None and found is not None:
            self._remember(found, before, began)

    def read(self) -> bytes:
        """All bytes at once; for small files."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()

    def once(self, key: str, make: Callable[[], Made]) -> Made:
        """What make gives; it is called once for a key, by the first thread that asks, until `forget`."""
        with self._making:
            if key not in self._made:
                self._made[key] = make()
            return cast(Made, self._made[key])

    def forget(self) -> None:
        """Let go of what `once` keeps."""
        with self._making:
            self._made.clear()

    @property
    def md5(self) -> str:
        """MD5, as `md5sums` of a .deb wants it (deb-md5sums(5))."""
        if self._md5 is None:
            if isinstance(self.source, bytes):
                self._md5 = hashlib.md5(self.source, usedforsecurity=False).hexdigest()
            else:
                deque(self._verified(self.source), maxlen=0)
        return cast(str, self._md5)

    @property
    def sha256(self) -> str:
        """SHA-256, as manifests and rpm's FILEDIGESTS want it."""
        if self._sha256 is None:
            with self._lock:
                if self._sha256 is None:
                    self._hash()
        return cast(str, self._sha256)

    def _hash(self) -> None:
        began, before = time.time_ns(), self._stamped()
        found = _hashed.get((self.source, before)) if before is not None else None
        if found is None:
            sha256 = hashlib.sha256()
            for piece in self.chunks():
                sha256.update(piece)
            found = sha256.hexdigest()
        self._remember(found, before, began)

    def _remember(self, sha256: str, before: Stamp | None, began: int) -> None:
        """Keep the SHA-256 of a file that had this stamp when it began to be read, at this time (ns)."""
        if before is not None and before == self._stamped() and max(before[3:]) < began - FRESH:
            self._stamp = before
            if self.size > KEPT:
                _hashed[self.source, before] = sha256
        self._sha256 = sha256

    def _stamped(self) -> Stamp | None:
        if isinstance(self.source, bytes):
            return None
        found = os.stat(self.source)  # noqa: PTH116 - half of a path's time
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
