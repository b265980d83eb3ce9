"""Large files compressed once for all formats of a package that use the same method.

Such a file (a body) is compressed without regard to what stands before it in an archive, so that its data fits into
any. Between bodies an archive has stretches: headers, padding, small files. Whether bodies are shared depends on the
package alone, so a package has the same bytes whoever asks for it and in which order.

gzip, and zstd of several frames (rpm): stretches and bodies are members or frames of their own.

zstd, one frame (dpkg reads no further than the first): blocks of the bodies' frames are put into one frame. What a
block takes from the ones before it are tables, which the first block of a body never does, and the last three match
offsets, which it supposes to be those of a fresh frame (RFC 8878, 3.1.1.5). RESET is a block that sets them so; it
stands for the nine zero bytes that every tar header ends with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Protocol, TypeVar

from packaging_tool.package import compress
from packaging_tool.package.content import Content
from packaging_tool.package.model import Package
from packaging_tool.package.shelf import Packed, Shelf

# Below this, headers and a start without history cost more than they are worth, except for a file that is most of its
# package; and no file is worth it below the other one.
BODY = 128 << 10
SMALLEST = 16 << 10
PIECE = 1 << 20
METHODS = ("gzip", "zstd")

# Compressed block: no literals, three sequences of length 3 with the offsets 8, 4, 1 (RFC 8878, 3.1.1.3).
RESET = bytes.fromhex("4400000003440000b8dd4a")
ZEROS = bytes(9)
MAGIC = bytes.fromhex("28b52ffd")
RLE = 1
LARGEST_BLOCK = 128 << 10


class Member(Protocol):
    """What the members of all kinds of archives have."""

    @property
    def size(self) -> int:
        """Length of the content."""
        ...

    @property
    def content(self) -> Content | None:
        """The content, if it is a file."""
        ...


Item = TypeVar("Item", bound=Member)


def floor(package: Package) -> int:
    """The size from which files of the package are bodies, 0 if its formats share none.

    In a small package, a file that is a quarter of it is one.
    """
    specs = {package.compression.get(family, "gzip") for family in package.relations}
    if len(package.relations) < 2 or len(specs) > 1 or compress.parse(*specs)[0] not in METHODS:
        return 0
    sizes = [entry.content.size for entry in package.entries if entry.content is not None]
    lowest = max(SMALLEST, min(BODY, sum(sizes) // 4))
    return lowest if sizes and max(sizes) >= lowest else 0


def forget(package: Package) -> None:
    """Let go of the compressed bodies, once all formats are written."""
    for entry in package.entries:
        if entry.content is not None:
            entry.content.forget()


def last(members: Iterable[Item], lowest: int) -> Sequence[Item]:
    """Members of an archive in an order that suits: where bodies are shared, they come after all else.

    lowest: what `floor` said.
    """
    if not lowest:
        return tuple(members)
    return sorted(members, key=lambda member: member.size >= lowest)


def pack(
    pieces: Iterable[compress.Bytes | Content],
    package: Package,
    family: str,
    directory: Path,
    size: int,
    *,
    shared: bool,
    one_frame: bool,
) -> Iterator[compress.Bytes]:
    """Compress an archive that comes as stretches and bodies; where bodies are shared, all after the small files.

    What it gives may be kept. family: format. directory: for files without a name, where data is large.
    size: bytes of the whole archive.
    shared: whether `floor` said so. one_frame: whether the format's package manager reads no further than the first
    zstd frame.
    """
    spec = package.compression.get(family, "gzip")
    if not shared:
        return _pack(pieces, _Plain(compress.compressor(spec, size)))
    return _pack(pieces, _archive(spec, Shelf(directory), one_frame=one_frame))


def plain(pieces: Iterable[compress.Bytes | Content], spec: str) -> Iterator[compress.Bytes]:
    """Compress an archive that shares nothing."""
    return _pack(pieces, _Plain(compress.compressor(spec)))


def _pack(pieces: Iterable[compress.Bytes | Content], into: _Archive) -> Iterator[compress.Bytes]:
    for piece in pieces:
        yield from into.body(piece) if isinstance(piece, Content) else into.update(piece)
    yield from into.finish()


def _archive(spec: str, shelf: Shelf, *, one_frame: bool) -> _Archive:
    method, level = compress.parse(spec)
    return _Frame(spec, level, shelf) if method == "zstd" and one_frame else _Frames(spec, shelf)


def _packed(content: Content, spec: str, shelf: Shelf) -> Packed:
    """The compressed body, made by the first format that asks."""
    return content.once(spec, lambda: shelf.put(_compressed(content, spec)))


def _compressed(content: Content, spec: str) -> Iterator[compress.Bytes]:
    if content.size <= compress.WHOLE[compress.parse(spec)[0]]:
        yield compress.whole(spec, b"".join(content.verified()))
        return
    stream = compress.compressor(spec, content.size)
    for piece in content.verified():
        yield stream.update(piece)
    yield stream.finish()


class _Archive(Protocol):
    """An archive on its way through compression. What the methods give, joined, is the compressed archive."""

    def update(self, data: compress.Bytes) -> Iterable[compress.Bytes]:
        """Take more of a stretch."""
        ...

    def body(self, content: Content) -> Iterable[compress.Bytes]:
        """Take a body."""
        ...

    def finish(self) -> Iterable[compress.Bytes]:
        """The rest."""
        ...


class _Plain:
    """Bodies are compressed with all else."""

    def __init__(self, stream: compress.Compressor) -> None:
        self._stream = stream

    def update(self, data: compress.Bytes) -> Iterable[compress.Bytes]:
        yield self._stream.update(data)

    def body(self, content: Content) -> Iterable[compress.Bytes]:
        for piece in content.verified():
            yield self._stream.update(piece)

    def finish(self) -> Iterable[compress.Bytes]:
        yield self._stream.finish()


class _Frames:
    """Frames or members of their own for each stretch and each body."""

    def __init__(self, spec: str, shelf: Shelf) -> None:
        self._spec, self._shelf = spec, shelf
        self._stretch: compress.Compressor | None = None

    def update(self, data: compress.Bytes) -> Iterable[compress.Bytes]:
        if self._stretch is None:
            method, level = compress.parse(self._spec)
            self._stretch = _Stretch(level) if method == "zstd" else compress.compressor(self._spec)
        yield self._stretch.update(data)

    def body(self, content: Content) -> Iterable[compress.Bytes]:
        yield from self.finish()
        yield from _packed(content, self._spec, self._shelf).pieces()

    def finish(self) -> Iterable[compress.Bytes]:
        if self._stretch is not None:
            yield self._stretch.finish()
        self._stretch = None


class _Frame:
    """One zstd frame for all. The first stretch is compressed; the others are short and stay as they are."""

    def __init__(self, spec: str, level: int, shelf: Shelf) -> None:
        # No content size, check sum or dictionary (RFC 8878, 3.1.1.1).
        self._head = MAGIC + bytes((0, _window(level) - 10 << 3))
        self._spec, self._shelf = spec, shelf
        self._stretch: compress.Compressor | None = _Stretch(level)
        self._blocks = _Blocks()
        # Not given yet, since RESET may have to stand for it.
        self._held = b""

    def update(self, data: compress.Bytes) -> Iterable[compress.Bytes]:
        ready = self._held + data
        ready, self._held = ready[: -len(ZEROS)], ready[-len(ZEROS) :]
        yield self._head
        self._head = b""
        if self._stretch:
            yield from self._blocks.split(self._stretch.update(ready))
        else:
            yield _raw(ready)

    def body(self, content: Content) -> Iterable[compress.Bytes]:
        if self._held != ZEROS:
            raise ValueError("the stretch before a body does not end in zeros")
        yield from self._end_of_stretch()
        yield RESET
        self._held = b""
        blocks = _Blocks()
        for piece in _packed(content, self._spec, self._shelf).pieces():
            yield from blocks.split(piece)

    def finish(self) -> Iterable[compress.Bytes]:
        yield from self._end_of_stretch()
        yield _raw_block(self._held, last=True)

    def _end_of_stretch(self) -> Iterator[compress.Bytes]:
        stretch, self._stretch = self._stretch, None
        if stretch:
            yield from self._blocks.split(stretch.finish())


@cache
def _window(level: int) -> int:
    """Logarithm of a window as large as that of any body."""
    import zstandard  # 22 ms that a run without zstd need not pay

    return zstandard.ZstdCompressionParameters.from_level(level).window_log


class _Stretch:
    """A zstd frame that nearly always is short."""

    def __init__(self, level: int) -> None:
        self._level = level
        self._held = bytearray()
        self._stream: compress.Compressor | None = None

    def update(self, data: compress.Bytes) -> bytes:
        if self._stream is not None:
            return self._stream.update(data)
        self._held += data
        if len(self._held) <= PIECE:
            return b""
        self._stream = compress.compressor(f"zstd:{self._level}")
        return self._stream.update(self._held)

    def finish(self) -> bytes:
        return self._stream.finish() if self._stream is not None else compress.zstd(self._level, self._held)


class _Blocks:
    """Takes a zstd frame apart into its blocks, none of which says any more that it is the last (RFC 8878, 3.1.1)."""

    def __init__(self) -> None:
        self._in_header = True
        # A header that is cut off at the end of the piece before, and what of a block that began there is to come.
        self._rest = b""
        self._missing = 0

    def split(self, data: compress.Bytes) -> Iterator[compress.Bytes]:
        """Parts of blocks that come with this piece of the frame, most often one: the piece itself."""
        view = memoryview(self._rest + data if self._rest else data)
        self._rest = b""
        start = 0
        if self._in_header:
            if len(view) <= len(MAGIC) or len(view) < (start := _header(view[len(MAGIC)])):
                self._rest = bytes(view)
                return
            self._in_header = False
        at = start + self._missing
        while at + 3 <= len(view):
            head = int.from_bytes(view[at : at + 3], "little")
            if head & 1:
                yield view[start:at]
                yield (head & ~1).to_bytes(3, "little")
                start = at + 3
            at += 3 + (1 if head >> 1 & 3 == RLE else head >> 3)
        self._missing = max(0, at - len(view))
        self._rest = bytes(view[at:])
        yield view[start:at]


def _header(descriptor: int) -> int:
    """Length of the header of a frame without a dictionary, with its magic number (RFC 8878, 3.1.1.1)."""
    single = descriptor >> 5 & 1
    return len(MAGIC) + 2 - single + (single, 2, 4, 8)[descriptor >> 6]


def _raw(data: bytes) -> bytes:
    parts = (data[start : start + LARGEST_BLOCK] for start in range(0, len(data), LARGEST_BLOCK))
    return b"".join(_raw_block(part, last=False) for part in parts)


def _raw_block(data: bytes, *, last: bool) -> bytes:
    return (len(data) << 3 | last).to_bytes(3, "little") + data
