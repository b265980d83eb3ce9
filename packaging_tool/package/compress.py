"""Streaming compressors that every format uses: the same bytes from the same data, however many threads there are."""

from __future__ import annotations

import os
import struct
import threading
import zlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Protocol

from packaging_tool import targets
from packaging_tool.errors import PackageError
from packaging_tool.package import libdeflate

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_of_thread = threading.local()

Bytes = bytes | bytearray | memoryview

# File name suffix of a method, as in `data.tar.gz`.
SUFFIXES = {"gzip": ".gz", "xz": ".xz", "zstd": ".zst", "none": ""}

# Data is cut here whatever the caller's pieces are, so that the result depends on the data alone. 1 MiB keeps two
# cores busy from 2 MiB on and costs less than a thousandth in size.
BLOCK = 1 << 20
# Up to this size no stream is needed: data of one gzip member, and what takes less time than to set up a stream.
WHOLE = {"gzip": BLOCK, "zstd": 128 << 10}
# Archives of one format end alike in many packages, with so many bytes at most, which are compressed once.
END = 2 << 10
# Dictionary of each level of xz(1); a block of three times that is what `xz -T` takes too.
XZ_DICTIONARIES = tuple(size << 10 for size in (256, 1024, 2048, 4096, 4096, 8192, 8192, 16384, 32768, 65536))
# zstd makes other bytes with worker threads than without, so level and length of the data choose, never the machine.
# Up to level 9 threads are not worth it: 460 MB took 28 MB of memory with one and 197 MB with two, and came out larger.
ZSTD_THREADS_FROM = 16 << 20
ZSTD_THREADS_FROM_LEVEL = 10
# Data that a sample calls noise (images, compressed files) is stored: deflate takes as long for it as for text. With
# smaller parts, looking for noise takes longer than it saves.
PART = 1 << 14
SAMPLE = 1 << 8
# So many of the 256 bytes at least are in a sample of noise; 162 are what to expect, and in machine code 96 are many.
DIVERSE = 136


class Compressor(Protocol):
    """A stream: what `update` and `finish` give back, joined, is the compressed data."""

    def update(self, data: Bytes) -> bytes:
        """Take more data, which may be reused after the call; give the compressed bytes that are ready, maybe none."""
        ...

    def finish(self) -> bytes:
        """The rest. Nothing may be called after it."""
        ...


@cache
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

    size: length of the data in bytes where it is known; xz and zstd then need less memory for little data, and zstd
    fails if the data has another length. Raises PackageError.
    """
    method, level = parse(spec)
    if method == "gzip":
        return _Gzip(level)
    if method == "xz":
        return _Xz(level, size)
    if method == "zstd":
        return _zstd(level, size)
    return _Stored()


def whole(spec: str, data: bytes) -> Bytes:
    """Data of at most the size in WHOLE, compressed at once. Raises PackageError."""
    method, level = parse(spec)
    return _gzip(data, level) if method == "gzip" else zstd(level, data)


def zstd(level: int, data: Bytes) -> bytes:
    """One whole frame of little data, for which it takes longer to set up a stream than to compress."""
    return _zstd_end(level, bytes(data)) if len(data) <= END else _zstd_whole(level, data)


def _zstd_whole(level: int, data: Bytes) -> bytes:
    import zstandard

    known: dict[int, zstandard.ZstdCompressor] | None = getattr(_of_thread, "zstd", None)
    if known is None:
        known = _of_thread.zstd = {}
    if level not in known:
        known[level] = zstandard.ZstdCompressor(level=level)
    return known[level].compress(data)


_zstd_end = lru_cache(maxsize=64)(_zstd_whole)


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


class _Zstd:
    """Only renames: `zstandard` calls the end `flush`."""

    def __init__(self, update: Callable[[Bytes], bytes], finish: Callable[[], bytes]) -> None:
        self.update = update
        self.finish = finish


def _zstd(level: int, size: int | None) -> Compressor:
    import zstandard  # 22 ms that a run without zstd need not pay

    many = size is not None and size >= ZSTD_THREADS_FROM and level >= ZSTD_THREADS_FROM_LEVEL
    threads = _cores() if many else 0
    packer = zstandard.ZstdCompressor(level=level, threads=threads)
    stream = packer.compressobj() if size is None else packer.compressobj(size=size)
    return _Zstd(stream.compress, stream.flush)


class _Blocks(ABC):
    """Cuts the data into blocks of one size and packs them side by side; the parts come out in order."""

    def __init__(self, size: int, waiting: int) -> None:
        self._block = size
        # So many blocks may wait, so that memory stays small when the data comes faster than it is packed.
        self._waiting = waiting
        self._pending = bytearray()
        self._jobs: deque[Future[Bytes]] = deque()

    def update(self, data: Bytes) -> bytes:
        self._pending += data
        ready = []
        # The last block is held back: only the end of the stream tells that it is the last.
        while len(self._pending) > self._block:
            with memoryview(self._pending) as view:
                block = bytes(view[: self._block])
            del self._pending[: self._block]
            self._jobs.append(self._submit(block))
            if len(self._jobs) > self._waiting:
                ready.append(self._part(self._jobs.popleft().result()))
        while self._jobs and self._jobs[0].done():
            ready.append(self._part(self._jobs.popleft().result()))
        return b"".join(ready)

    def finish(self) -> bytes:
        parts = [self._part(job.result()) for job in self._jobs]
        return b"".join((*parts, self._end(bytes(self._pending))))

    @abstractmethod
    def _submit(self, block: bytes) -> Future[Bytes]:
        """Begin to pack a block that is not the last."""

    @abstractmethod
    def _part(self, packed: Bytes) -> Bytes:
        """What goes into the stream for a packed block."""

    @abstractmethod
    def _end(self, block: bytes) -> Bytes:
        """What goes into the stream for the last block, packed or not, and for its end."""


class _Gzip(_Blocks):
    """Gzip members (RFC 1952, 2.2: a file is a series of members), made side by side."""

    def __init__(self, level: int) -> None:
        super().__init__(BLOCK, 2 * _cores())
        self._level = level
        self._empty = True

    def _submit(self, block: bytes) -> Future[Bytes]:
        return _pool().submit(_gzip, block, self._level)

    def _part(self, packed: Bytes) -> Bytes:
        self._empty = False
        return packed

    def _end(self, block: bytes) -> Bytes:
        if not block and not self._empty:
            return b""
        return _gzip_end(block, self._level) if len(block) <= END else _gzip(block, self._level)


class _Xz(_Blocks):
    """One xz stream of several blocks, as `xz -T` makes it, since dpkg and rpm unpack only the first of many streams.

    liblzma packs each block as a stream of its own, whose header, index and footer are then replaced by common ones
    (The .xz File Format 1.2.1, sections 2 to 4).
    """

    def __init__(self, level: int, size: int | None) -> None:
        import lzma

        dictionary = XZ_DICTIONARIES[level]
        super().__init__(3 * dictionary, _cores())
        if size is not None:
            # A dictionary longer than the data only costs memory and the time to clear it.
            dictionary = min(dictionary, max(1 << 16, 1 << size.bit_length()))
        self._filters = [{"id": lzma.FILTER_LZMA2, "preset": level, "dict_size": dictionary}]
        self._head = b""
        self._records: list[bytes] = []

    def _submit(self, block: bytes) -> Future[Bytes]:
        return _pool().submit(_xz, block, self._filters)

    def _part(self, packed: Bytes) -> bytes:
        packed = bytes(packed)
        head = b"" if self._head else packed[:12]
        self._head = packed[:12]
        # Backward Size in the footer: length of the index, in units of four bytes, less one.
        start = len(packed) - 12 - 4 * (int.from_bytes(packed[-8:-4], "little") + 1)
        # Indicator and number of records are one byte each; padding and a check sum of four bytes follow the record.
        if packed[start + 1] == 1:
            self._records.append(_numbers(packed[start + 2 : -16], 2))
        return head + packed[12:start]

    def _end(self, block: bytes) -> bytes:
        part = self._part(_xz(block, self._filters)) if block or not self._head else b""
        index = b"\0" + _number(len(self._records)) + b"".join(self._records)
        index += bytes(-len(index) % 4)
        index += struct.pack("<I", zlib.crc32(index))
        footer = struct.pack("<I", len(index) // 4 - 1) + self._head[6:8]
        return part + index + struct.pack("<I", zlib.crc32(footer)) + footer + b"YZ"


def _xz(block: bytes, filters: list[dict[str, int]]) -> bytes:
    import lzma

    return lzma.compress(block, filters=filters)


def _number(value: int) -> bytes:
    """A multibyte integer of the xz format (section 1.2): seven bits a byte, lowest first."""
    made = bytearray()
    while value >= 0x80:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*made, value))


def _numbers(data: bytes, count: int) -> bytes:
    """The first multibyte integers in data, as they stand there."""
    end = 0
    for _ in range(count):
        while data[end] & 0x80:
            end += 1
        end += 1
    return data[:end]


def _gzip(block: bytes, level: int) -> Bytes:
    """Gzip members for a block. Stretches of noise are stored."""
    kinds = [_is_noise(block, start) for start in range(0, len(block), PART)] if len(block) > PART else []
    if not any(kinds):
        return libdeflate.member(block, level)
    made, start = [], 0
    with memoryview(block) as view:
        for noise, parts in groupby(kinds):
            end = min(start + PART * len(list(parts)), len(block))
            made.append(libdeflate.member(view[start:end], 0 if noise else level))
            start = end
    return b"".join(made)


_gzip_end = lru_cache(maxsize=64)(_gzip)


def _is_noise(block: bytes, start: int) -> bool:
    """Whether a part of a block looks as if it cannot be compressed: nearly all bytes occur, and a sample stays."""
    sample = block[start : start + SAMPLE]
    if len(sample) < SAMPLE or len(set(sample)) < DIVERSE:
        return False
    middle = block[start + PART // 2 : start + PART // 2 + PART // 8]
    return len(middle) == PART // 8 and len(libdeflate.member(middle, 1)) >= len(middle)


@cache
def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    """Threads for the blocks of large files, also where only one package is left to write."""
    from concurrent.futures import ThreadPoolExecutor  # 4 ms that zstd need not pay

    return ThreadPoolExecutor(_cores(), thread_name_prefix="deflate")


# A forked process has none of the threads.
os.register_at_fork(after_in_child=_pool.cache_clear)
