"""Tar archives as dpkg reads them (deb(5)): GNU format, since dpkg refuses PAX headers.

Long names take a member of type L or K before the file, sizes of 8 GiB and more stand in base 256.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import BinaryIO, NamedTuple

from packaging_tool.errors import InputError
from packaging_tool.package.content import Content

BLOCK = 512
NAME = 100
OCTAL_SIZE = 8 << 30
END = bytes(2 * BLOCK)
# Small files travel with their headers in pieces of about this size, which saves calls of the compressor.
PIECE = 1 << 18
# The most that a foreign archive may say in one long name.
LONGEST = 1 << 16

DIRECTORY, FILE, SYMLINK = b"5", b"0", b"2"
KINDS = {b"\0": "-", b"0": "-", b"1": "h", b"2": "l", b"3": "c", b"4": "b", b"5": "d", b"6": "p", b"7": "-"}


class Member(NamedTuple):
    """One member to write. name: with `./` in front, a directory with `/` behind. size: of content, else 0."""

    name: bytes
    kind: bytes
    mode: int
    owner: str = "root"
    group: str = "root"
    size: int = 0
    content: Content | None = None
    target: bytes = b""


class Found(NamedTuple):
    """One member that was read. kind: as the first letter of `ls -l`; h is a hard link."""

    name: str
    kind: str
    mode: int
    owner: str
    group: str
    size: int
    mtime: int
    target: str


def length(members: Sequence[Member]) -> int:
    """Bytes of the whole archive."""
    total = len(END)
    for member in members:
        total += BLOCK + -(-member.size // BLOCK) * BLOCK
        for text in (member.name, member.target):
            if len(text) > NAME:
                total += BLOCK + -(-(len(text) + 1) // BLOCK) * BLOCK
    return total


def stream(members: Sequence[Member], mtime: int, lowest: int = 0) -> Iterator[bytes | Content]:
    """The archive as stretches and bodies (see `bodies`).

    lowest: size from which files are bodies, or 0. Raises PackageError for a file that is not any more what it was
    when its digest was taken.
    """
    waiting: list[bytes] = []
    size = 0
    for member in members:
        # Packages of one project have most directories in common.
        head = _directory(member, mtime) if member.kind == DIRECTORY else header(member, mtime)
        waiting.append(head)
        size += len(head)
        if member.content is not None:
            if member.size >= (lowest or PIECE):
                yield b"".join(waiting)
                yield member.content
                waiting, size = [], 0
            else:
                waiting += (bytes(piece) for piece in member.content.verified())
                size += member.size
            waiting.append(bytes(-member.size % BLOCK))
        if size > PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    waiting.append(END)
    yield b"".join(waiting)


def header(member: Member, mtime: int) -> bytes:
    """The header block of a member, with those of a long name or link target before it."""
    name, target = member.name, member.target
    long = b""
    if len(target) > NAME:
        long += _long(b"K", target)
        target = target[:NAME]
    if len(name) > NAME:
        long += _long(b"L", name)
        name = name[:NAME]
    return long + _block(name, member.kind, member.mode, member.size, mtime, target, member.owner, member.group)


_directory = lru_cache(maxsize=1024)(header)


def _long(kind: bytes, text: bytes) -> bytes:
    data = text + b"\0"
    block = _block(b"././@LongLink", kind, 0o644, len(data), 0, b"", "root", "root")
    return block + data + bytes(-len(data) % BLOCK)


def _block(name: bytes, kind: bytes, mode: int, size: int, mtime: int, target: bytes, owner: str, group: str) -> bytes:
    number = b"%011o\0" % size if size < OCTAL_SIZE else b"\x80" + size.to_bytes(11, "big")
    before, after, tail, known = _constant(kind, mode, mtime, owner, group)
    total = known + sum(name) + sum(number) + sum(target)
    return b"".join(
        (
            name.ljust(NAME, b"\0"),
            before,
            number,
            after,
            b"%06o\0 " % total,
            kind,
            target.ljust(NAME, b"\0"),
            tail,
        )
    )


@lru_cache(maxsize=1024)
def _constant(kind: bytes, mode: int, mtime: int, owner: str, group: str) -> tuple[bytes, bytes, bytes, int]:
    """The fields that many members share, and the sum of their bytes: what keeps a header at a microsecond.

    The numeric ids are root's: dpkg looks the names up and takes the numbers where the system does not know them.
    """
    before = b"%07o\0" % mode + b"0000000\0" * 2
    after = b"%011o\0" % mtime
    names = owner.encode().ljust(32, b"\0") + group.encode().ljust(32, b"\0")
    tail = b"ustar  \0" + names + bytes(BLOCK - 329)
    # The field of the sum itself counts as eight spaces.
    return before, after, tail, sum(before) + sum(after) + sum(kind) + sum(tail) + 8 * 32


def members(file: BinaryIO, limit: int = 1_000_000) -> Iterator[tuple[Found, Reader]]:
    """The members of any tar archive, read once from front to end, and the reader at each one's data.

    The caller may take up to `size` bytes of the data before it goes on. Raises InputError for what is no tar archive
    and for names that are longer than any system takes.
    """
    counted = Reader(file)
    names: dict[bytes, str] = {}
    empty = 0
    while empty < 2:
        block = counted.take(BLOCK)
        if not block:
            return
        if not any(block):
            empty += 1
            continue
        empty = 0
        limit -= 1
        if not limit:
            raise InputError("it has too many files")
        size = _number(block[124:136])
        if sum(block) - sum(block[148:156]) + 8 * 32 != _number(block[148:156]):
            raise InputError("a tar header has a wrong check sum")
        kind = block[156:157]
        end = counted.position + -(-size // BLOCK) * BLOCK
        if kind in b"LKxg":
            if size > LONGEST:
                raise InputError("a file name is too long")
            data = counted.take(size)
            names.update(_pax(data) if kind in b"xg" else {kind: _text(data)})
        else:
            yield _found(block, kind, size if kind in b"\x000" else 0, names), counted
            names = {}
        counted.skip_to(end)


def _found(block: bytes, kind: bytes, size: int, names: dict[bytes, str]) -> Found:
    name = _text(block[:100])
    if block[257:263] == b"ustar\0" and block[345]:
        name = f"{_text(block[345:500])}/{name}"
    return Found(
        name=names.get(b"L", name),
        kind=KINDS.get(kind, "?"),
        mode=_number(block[100:108]) & 0o7777,
        owner=_text(block[265:297]) or str(_number(block[108:116])),
        group=_text(block[297:329]) or str(_number(block[116:124])),
        size=size,
        mtime=_number(block[136:148]),
        target=names.get(b"K", _text(block[157:257])),
    )


def _pax(data: bytes) -> dict[bytes, str]:
    """Names of an extended header (POSIX.1-2017, pax): records `LENGTH KEY=VALUE`, each ended by a newline."""
    found = {}
    for key, kind in ((b"path", b"L"), (b"linkpath", b"K")):
        for record in data.split(b"\n"):
            _, _, pair = record.partition(b" ")
            if pair.startswith(key + b"="):
                found[kind] = _text(pair[len(key) + 1 :])
    return found


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        return int.from_bytes(bytes((field[0] & 0x7F,)) + field[1:], "big")
    digits = field.strip(b" \0") or b"0"
    if not all(0x30 <= digit < 0x38 for digit in digits):
        raise InputError("a tar header has a field that is no number")
    return int(digits, 8)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


class Reader:
    """A stream that knows its position and refuses to end early."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.position = 0

    def take(self, size: int) -> bytes:
        """The next size bytes, or none at the end. Raises InputError if there are some, but fewer."""
        data = self._file.read(size)
        while 0 < len(data) < size:
            more = self._file.read(size - len(data))
            if not more:
                raise InputError("the archive is cut off")
            data += more
        self.position += len(data)
        return data

    def skip_to(self, position: int) -> None:
        """Read on to this position. Raises InputError if the stream ends before it."""
        while self.position < position:
            if not self.take(min(PIECE, position - self.position)):
                raise InputError("the archive is cut off")
