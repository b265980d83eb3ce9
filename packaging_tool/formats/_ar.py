"""The common `ar` archive that a .deb is (deb(5), ar(5)): members with a 60-byte header, padded to even length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from packaging_tool.errors import InputError, PackageError

MAGIC = b"!<arch>\n"
HEADER = 60
# The size field has ten decimal digits.
MAX_SIZE = 9_999_999_999


class Member(NamedTuple):
    """A member of an archive. start: offset of its data in the file. size: bytes."""

    name: str
    start: int
    size: int


def header(name: str, size: int, mtime: int) -> bytes:
    """The header of a regular file of root, mode 0644. Raises PackageError for a member of 10 GB or more."""
    if size > MAX_SIZE:
        raise PackageError(f"{name} has {size} bytes; a member of a .deb can have {MAX_SIZE}")
    return b"%-16b%-12d%-6d%-6d%-8b%-10d`\n" % (name.encode(), mtime, 0, 0, b"100644", size)


def member(name: str, data: bytes, mtime: int) -> bytes:
    """A whole member. Raises PackageError."""
    return header(name, len(data), mtime) + data + padding(len(data))


def padding(size: int) -> bytes:
    """What stands behind data of this size."""
    return b"\n" * (size % 2)


def members(file: BinaryIO, limit: int = 64) -> Iterator[Member]:
    """The members of an archive; file is read from its start.

    limit: most members that an archive may have. Raises InputError if the file is no archive or is cut off.
    """
    file.seek(0, 2)
    end = file.tell()
    file.seek(0)
    if file.read(len(MAGIC)) != MAGIC:
        raise InputError("it does not begin like an ar archive")
    start = len(MAGIC)
    while start < end:
        if not limit:
            raise InputError("it has too many members")
        limit -= 1
        file.seek(start)
        head = file.read(HEADER)
        digits = head[48:58].rstrip(b" ")
        if len(head) < HEADER or head[58:] != b"`\n" or not digits.isdigit():
            raise InputError(f"the member at byte {start} has no valid header")
        member = Member(head[:16].rstrip(b" ").rstrip(b"/").decode("ascii", "replace"), start + HEADER, int(digits))
        if member.start + member.size > end:
            raise InputError(f"member {member.name} is cut off")
        yield member
        start = member.start + member.size + member.size % 2
