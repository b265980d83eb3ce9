"""The header structure of an .rpm: an index of tags and a store of their data (RPM File Format, "Header structure").

A header is a mapping from tag number to value here: text, bytes, a tuple of texts or a tuple of numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple

from packaging_tool.errors import InputError
from packaging_tool.formats import _rpm_tags as t

Value = str | bytes | tuple[str, ...] | tuple[int, ...]

MAGIC = b"\x8e\xad\xe8\x01" + bytes(4)
PREAMBLE = len(MAGIC) + 8
INDEX = struct.Struct(">IIiI")
NUMBERS = {1: "B", 2: "B", t.INT16: "H", t.INT32: "I", t.INT64: "Q"}
SIZES = {t.INT16: 2, t.INT32: 4, t.INT64: 8}
# rpm's own limits (header.c: HEADER_TAGS_MAX, HEADER_DATA_MAX).
MOST_TAGS = 0xFFFF
MOST_DATA = 0x0FFFFFFF
# Items of one tag, as many as files of a .deb, and bytes of its texts: no package comes near.
MOST_ITEMS = 1_000_000
LONGEST_TEXTS = 64 << 20


def encode(region: int, tags: Mapping[int, Value], types: Mapping[int, int]) -> bytes:
    """A whole header with its magic. region: HEADERIMMUTABLE or HEADERSIGNATURES; empty arrays are left out."""
    index: list[int] = []
    store: list[bytes] = []
    offset = 0
    for tag in sorted(tags):
        value = tags[tag]
        kind = types.get(tag, t.INT32)
        if isinstance(value, str):
            data, count = value.encode() + b"\0", 1
        elif isinstance(value, bytes):
            data, count = value, len(value)
        elif not value:
            continue
        elif kind in NUMBERS:
            data, count = struct.pack(f">{len(value)}{NUMBERS[kind]}", *value), len(value)
            if padding := -offset % SIZES[kind]:
                store.append(bytes(padding))
                offset += padding
        else:
            data, count = "\0".join(value).encode() + b"\0", len(value)  # type: ignore[arg-type] # texts by its kind
        index += (tag, kind, offset, count)
        store.append(data)
        offset += len(data)
    # The region's entry comes first; its data, at the end of the store, says how long the index is.
    first = INDEX.pack(region, t.BIN, offset, INDEX.size)
    entries = len(index) // 4 + 1
    store.append(INDEX.pack(region, t.BIN, -INDEX.size * entries, INDEX.size))
    head = MAGIC + struct.pack(">II", entries, offset + INDEX.size)
    return b"".join((head, first, struct.pack(f">{len(index)}i", *index), *store))


def read(file: BinaryIO, limit: int) -> tuple[Header, bytes]:
    """The header at the file's position and its bytes. limit: how many bytes the file still has.

    Raises InputError for what is no header or says of itself what cannot be.
    """
    head = file.read(PREAMBLE)
    if len(head) < PREAMBLE or not head.startswith(MAGIC[:4]):
        raise InputError("a header is missing")
    count, size = struct.unpack(">II", head[8:])
    length = count * INDEX.size + size
    if not 0 < count <= MOST_TAGS or size > MOST_DATA or PREAMBLE + length > limit:
        raise InputError("a header says that it is longer than it can be")
    data = file.read(length)
    if len(data) != length:
        raise InputError("it is cut off")
    return Header(_Stored(data, count)), head + data


class _Entry(NamedTuple):
    """Where the data of a tag lie: type, first byte in the header, how many items."""

    kind: int
    start: int
    number: int


class _Stored(Mapping[int, Value]):
    """The tags of a header that was read; what a tag says is decoded when somebody asks, each time anew.

    Decoded, numbers and short texts take up to forty times their size, and a package may have 256 MB of them in tags
    that nobody reads. Raises InputError at once for entries that lie outside of the header, and when a tag is asked for
    that cannot be decoded or is larger than that of any package.
    """

    def __init__(self, data: bytes, count: int) -> None:
        self._data = data
        self._entries: dict[int, _Entry] = {}
        begin = count * INDEX.size
        size = len(data) - begin
        # Entries have data of their own: without this limit, all of 65,535 tags could name the same 256 MB.
        left = size
        for tag, kind, offset, number in INDEX.iter_unpack(memoryview(data)[:begin]):
            width = SIZES.get(kind, 1)
            if not 0 <= offset <= size or not number or number > size:
                raise InputError(f"tag {tag} of a header lies outside of it")
            if (kind in NUMBERS or kind == t.BIN) and offset + number * width > size:
                raise InputError(f"tag {tag} of a header lies outside of it")
            if kind not in NUMBERS and kind not in (t.BIN, t.STRING, t.STRING_ARRAY, t.I18NSTRING):
                raise InputError(f"tag {tag} of a header has the unknown type {kind}")
            # Numbers and texts have a byte each at least.
            left -= number * width
            if left < 0:
                raise InputError(f"tag {tag} of a header shares data with others")
            self._entries[tag] = _Entry(kind, begin + offset, number)

    def __getitem__(self, tag: int) -> Value:
        kind, start, number = self._entries[tag]
        if kind == t.BIN:
            return self._data[start : start + number]
        if kind == t.STRING:
            return _texts(self._data, start, 1, tag)[0]
        if number > MOST_ITEMS:
            raise InputError(f"tag {tag} of a header has {number} items, more than any package")
        if kind in NUMBERS:
            found: tuple[int, ...] = struct.unpack_from(f">{number}{NUMBERS[kind]}", self._data, start)
            return found
        return _texts(self._data, start, number, tag)

    def __contains__(self, tag: object) -> bool:
        return tag in self._entries

    def __iter__(self) -> Iterator[int]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _texts(data: bytes, position: int, number: int, tag: int) -> tuple[str, ...]:
    made = []
    left = LONGEST_TEXTS
    for _ in range(number):
        end = data.find(b"\0", position)
        if end < 0:
            raise InputError(f"tag {tag} of a header does not end")
        left -= end - position
        if left < 0:
            raise InputError(f"tag {tag} of a header is longer than that of any package")
        made.append(data[position:end].decode("utf-8", "backslashreplace"))
        position = end + 1
    return tuple(made)


class Header:
    """Typed access to a header; a tag that is not there, or of another type, is as good as empty."""

    __slots__ = ("tags",)

    def __init__(self, tags: Mapping[int, Value]) -> None:
        self.tags = tags

    def __contains__(self, tag: int) -> bool:
        return tag in self.tags

    def text(self, tag: int) -> str:
        """A text; the first of several (translations begin with the one of the C locale)."""
        value = self.tags.get(tag, "")
        return value if isinstance(value, str) else "".join(self.texts(tag)[:1])

    def texts(self, tag: int) -> tuple[str, ...]:
        """All texts of a tag."""
        value = self.tags.get(tag)
        if isinstance(value, str):
            return (value,)
        # All items of a tag are of one type.
        if isinstance(value, tuple) and value and isinstance(value[0], str):
            return value
        return ()

    def numbers(self, tag: int) -> tuple[int, ...]:
        """All numbers of a tag."""
        value = self.tags.get(tag)
        if isinstance(value, tuple) and value and isinstance(value[0], int):
            return value
        return ()

    def number(self, *tags: int) -> int:
        """The first number of the first of these tags that has one, else 0."""
        for tag in tags:
            if numbers := self.numbers(tag):
                return numbers[0]
        return 0
