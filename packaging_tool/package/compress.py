"""Streaming compressors that every format uses: the same bytes from the same data, however many threads there are."""

from __future__ import annotations

import lzma
import os
import struct
import zlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Protocol

from packaging_tool import targets
from packaging_tool.errors import PackageError

Bytes = bytes | bytearray | memoryview

# File name suffix of a method, as in `data.tar.gz`.
SUFFIXES = {"gzip": ".gz", "xz": ".xz", "zstd": ".zst", "none": ""}

# Data is cut here whatever the caller's pieces are, so that the result depends on the data alone. 1 MiB keeps two
# cores busy from 2 MiB on and costs less than a thousandth in size.
BLOCK = 1 << 20
# Deflate looks back this far: what a block needs of the one before it (RFC 1951, 3.2).
WINDOW = 1 << 15
# zstd makes other bytes with worker threads than without, so the length of the data chooses, never the machine.
ZSTD_THREADS_FROM = 16 << 20


class Compressor(Protocol):
    """A stream: what `update` and `finish` give back, joined, is the compressed data."""

    def update(self, data: Bytes) -> bytes:
        """Take more data, which may be reused after the call; give the compressed bytes that are ready, maybe none."""
        ...

    def finish(self) -> bytes:
        """The rest. Nothing may be called after it."""
        ...


def parse(spec: str) -> tuple[str, int]:
    """Method and level of `method` or `method:level`. Raises PackageError if there is no such method or level."""
    method, colon, text = spec.partition(":")
    if method not in SUFFIXES:
        raise PackageError(f"no compression method {method!r}", hint=f"there are {', '.join(SUFFIXES)}")
    low, high = targets.LIMITS[method]
    level = int(text) if text.isdecimal() and text.isascii() else targets.LEVELS[method]
    if (colon and text != str(level)) or not low <= level <= high:
        raise PackageError(f"no level {text!r} of compression {method}", hint=f"levels go from {low} to {high}")
    return method, level


def compressor(spec: str, size: int | None = None) -> Compressor:
    """A new stream for `method` or `method:level`.

    size: length of the data in bytes where it is known; zstd then needs less memory for little data, and fails if the
    data has another length. Raises PackageError.
    """
    method, level = parse(spec)
    if method == "gzip":
        return _Gzip(level)
    if method == "xz":
        return _Xz(level)
    if method == "zstd":
        return _zstd(level, size)
    return _Stored()


def gzip(data: bytes) -> bytes:
    """Data as `gzip -9n` writes it: no name, no time stamp (Debian Policy 12.3, reproducible builds)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31, 9)
    packed = packer.compress(data) + packer.flush()
    return packed[:9] + b"\x03" + packed[10:]


class _Stored:
    def update(self, data: Bytes) -> bytes:
        return bytes(data)

    def finish(self) -> bytes:
        return b""


class _Xz:
    def __init__(self, level: int) -> None:
        self._packer = lzma.LZMACompressor(preset=level)

    def update(self, data: Bytes) -> bytes:
        return self._packer.compress(data)

    def finish(self) -> bytes:
        return self._packer.flush()


class _Zstd:
    """Only renames: `zstandard` calls the end `flush`."""

    def __init__(self, update: Callable[[Bytes], bytes], finish: Callable[[], bytes]) -> None:
        self.update = update
        self.finish = finish


def _zstd(level: int, size: int | None) -> Compressor:
    import zstandard  # 22 ms that a run without zstd need not pay

    threads = 0 if size is None or size < ZSTD_THREADS_FROM else _cores()
    packer = zstandard.ZstdCompressor(level=level, threads=threads)
    stream = packer.compressobj() if size is None else packer.compressobj(size=size)
    return _Zstd(stream.compress, stream.flush)


class _Gzip:
    """One gzip member (RFC 1952) made of blocks that are deflated side by side, as pigz does it.

    Each block but the last ends with a sync flush on a byte boundary and starts with the data before it as
    dictionary, so that the blocks joined are one deflate stream.
    """

    def __init__(self, level: int) -> None:
        self._level = level
        self._crc = 0
        self._size = 0
        self._pending = bytearray()
        self._window = b""
        self._jobs: deque[Future[bytes]] = deque()
        extra = {1: b"\x04", 9: b"\x02"}.get(level, b"\x00")
        self._head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00" + extra + b"\x03"

    def update(self, data: Bytes) -> bytes:
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        self._pending += data
        ready = []
        # The last block is held back: only the end of the stream tells that it is the last.
        while len(self._pending) > BLOCK:
            block = bytes(memoryview(self._pending)[:BLOCK])
            del self._pending[:BLOCK]
            self._jobs.append(_pool().submit(_deflate, block, self._window, self._level, False))
            self._window = block[-WINDOW:]
            # Memory stays small when the data comes faster than it is compressed.
            if len(self._jobs) > 2 * _cores():
                ready.append(self._jobs.popleft().result())
        while self._jobs and self._jobs[0].done():
            ready.append(self._jobs.popleft().result())
        return self._with_head(b"".join(ready))

    def finish(self) -> bytes:
        last = _deflate(bytes(self._pending), self._window, self._level, True)
        parts = [job.result() for job in self._jobs]
        trailer = struct.pack("<II", self._crc, self._size & 0xFFFFFFFF)
        return self._with_head(b"".join((*parts, last, trailer)))

    def _with_head(self, data: bytes) -> bytes:
        if data and self._head:
            data, self._head = self._head + data, b""
        return data


def _deflate(block: bytes, window: bytes, level: int, last: bool) -> bytes:
    arguments = (level, zlib.DEFLATED, -15, 8, zlib.Z_DEFAULT_STRATEGY)
    packer = zlib.compressobj(*arguments, window) if window else zlib.compressobj(*arguments)
    return packer.compress(block) + packer.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)


@cache
def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    """Threads of their own: those of a pool that writes packages wait for these, and would block each other."""
    return ThreadPoolExecutor(_cores(), thread_name_prefix="deflate")
