"""The archive in an .rpm: cpio in its "new ASCII" format, as rpm writes and reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from packaging_tool.package.content import Content

# Small files travel with their headers in pieces of about this size, which saves calls of the compressor.
PIECE = 1 << 18
# Sizes have eight hexadecimal digits. With a larger file, rpm's own headers stand in the archive: they hold only the
# number of the file, and its size is known from the package's header (rpmlib(LargeFiles)).
LARGE = 1 << 32
HEADER = 110
STRIPPED = 16
PAD = (b"", b"\0\0\0", b"\0\0", b"\0")
TRAILER = b"TRAILER!!!"


class Member(NamedTuple):
    """One member. place: of the file in the package's header. name: with `./` in front. mode: type bits, too.

    data: what a link points to; content: of a file; size: of either.
    """

    place: int
    name: bytes
    mode: int
    size: int = 0
    content: Content | None = None
    data: bytes = b""


def length(members: Sequence[Member], large: bool) -> int:
    """Bytes of the whole archive."""
    total = _aligned(HEADER + len(TRAILER) + 1)
    for member in members:
        total += STRIPPED if large else _aligned(HEADER + len(member.name) + 1)
        total += _aligned(member.size)
    return total


def stream(members: Sequence[Member], mtime: int, large: bool, lowest: int = 0) -> Iterator[bytes | Content]:
    """The archive as stretches and bodies (see `bodies`). Raises PackageError if a file changed.

    lowest: size from which files are bodies, or 0.
    """
    waiting: list[bytes] = []
    size = 0
    for member in members:
        waiting.append(b"07070X%08x\0\0" % member.place if large else _header(member, mtime))
        size += len(waiting[-1])
        content = member.content
        if content is None:
            waiting.append(member.data)
        elif member.size >= (lowest or PIECE):
            yield b"".join(waiting)
            yield content
            waiting, size = [], 0
        else:
            waiting += map(bytes, content.verified())
            size += member.size
        waiting.append(PAD[member.size % 4])
        if size > PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    waiting.append(_header(Member(-1, TRAILER, 0), 0))
    yield b"".join(waiting)


def _header(member: Member, mtime: int) -> bytes:
    """Each file has an inode of its own and one link, so that no two of them become one on the target."""
    name = member.name
    head = b"070701%08x%08x%08x%08x00000001%08x%08x%08x%08x%08x%08x%08x%08x%s\0" % (
        *(member.place + 1, member.mode, 0, 0, mtime, member.size, 0, 0, 0, 0, len(name) + 1, 0),
        name,
    )
    return head + PAD[len(head) % 4]


def _aligned(size: int) -> int:
    return (size + 3) & ~3
