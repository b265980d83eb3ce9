"""Compressed data that waits until what stands before it in a package is known."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from packaging_tool import atomic
from packaging_tool.atomic import Bytes

# So many bytes lie in memory on all shelves together; what comes above goes into files.
MOST = 96 << 20
PIECE = 1 << 20
# Up to this size, one piece costs less to make than several cost wherever they pass.
JOINED = 256 << 10


class Digest(Protocol):
    """What hashlib makes."""

    def update(self, data: Bytes, /) -> object:
        """Take data."""
        ...


_lock = threading.Lock()
_in_memory = 0


def _take(size: int) -> bool:
    """Whether there is room in memory, which is taken then."""
    global _in_memory
    with _lock:
        fits = _in_memory + size <= MOST
        _in_memory += size if fits else 0
        return fits


def _give_back(size: int) -> None:
    global _in_memory
    with _lock:
        _in_memory -= size


class Shelf:
    """Data of one package. What finds no room in memory lies in one file without a name: not even a kill leaves it.

    Room and file are given back with the last piece of data that lies here. Only one thread at a time may put something
    here; any may read.
    """

    def __init__(self, directory: Path) -> None:
        """directory: where the file would be."""
        self._directory = directory
        self._descriptor = -1
        self._end = 0
        self._room = 0

    def put(self, pieces: Iterable[Bytes]) -> Packed:
        """Keep data, which nobody changes any more. Raises OSError."""
        held: list[Bytes] = []
        size, start = 0, self._end
        for piece in pieces:
            size += len(piece)
            if self._end == start and _take(len(piece)):
                self._room += len(piece)
                held.append(piece)
                continue
            for each in (*held, piece):
                self._append(each)
            held = []
        if len(held) > 1 and size <= JOINED:
            held = [b"".join(held)]
        return Packed(self, size, held, start)

    def read(self, start: int, size: int) -> bytes:
        """Part of the file. Raises OSError."""
        return os.pread(self._descriptor, size, start)

    def _append(self, data: Bytes) -> None:
        if self._descriptor < 0:
            import tempfile  # few packages need a file

            with tempfile.TemporaryFile(dir=self._directory) as file:
                self._descriptor = os.dup(file.fileno())
        atomic.append(self._descriptor, data)
        self._end += len(data)

    def __del__(self) -> None:
        _give_back(self._room)
        if self._descriptor >= 0:
            os.close(self._descriptor)


class Packed(NamedTuple):
    """What was put on a shelf: held, or in its file from start on. size: bytes."""

    shelf: Shelf
    size: int
    held: Sequence[Bytes]
    start: int

    def pieces(self) -> Iterator[Bytes]:
        """The data. Raises OSError."""
        if self.held or not self.size:
            yield from self.held
            return
        end = self.start + self.size
        for start in range(self.start, end, PIECE):
            yield self.shelf.read(start, min(PIECE, end - start))


def hashed(digest: Digest, *parts: Iterable[Bytes]) -> Iterator[Bytes]:
    """The pieces of all parts, in this order, each of which the digest takes on the way."""
    for part in parts:
        for piece in part:
            digest.update(piece)
            yield piece
