"""The header structure of an .rpm: an index of tags and a store of their data (RPM File Format, "Header structure").

A header is a mapping from tag number to value here: text, bytes, a tuple of texts or a tuple of numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import BinaryIO

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
    return Header(_decode(data, count)), head + data


def _decode(data: bytes, count: int) -> dict[int, Value]:
    start = count * INDEX.size
    size = len(data) - start
    # Entries have data of their own: without this limit, all of 65,535 tags could name the same 256 MB.
    left = size
    found: dict[int, Value] = {}
    for tag, kind, offset, number in INDEX.iter_unpack(data[:start]):
        if not 0 <= offset <= size or number > size or not number:
            raise InputError(f"tag {tag} of a header lies outside of it")
        # Numbers and texts have a byte each at least.
        left -= number * SIZES.get(kind, 1)
        if left < 0:
            raise InputError(f"tag {tag} of a header shares data with others")
        if kind in NUMBERS:
            layout = f">{number}{NUMBERS[kind]}"
            if offset + struct.calcsize(layout) > size:
                raise InputError(f"tag {tag} of a header lies outside of it")
            numbers: tuple[int, ...] = struct.unpack_from(layout, data, start + offset)
            found[tag] = numbers
        elif kind == t.BIN:
            if offset + number > size:
                raise InputError(f"tag {tag} of a header lies outside of it")
            found[tag] = data[start + offset : start + offset + number]
        elif kind in (t.STRING, t.STRING_ARRAY, t.I18NSTRING):
            texts = _texts(data, start + offset, 1 if kind == t.STRING else number, tag)
            # UTF-8 has at most four bytes for a character, and what is none becomes four characters.
            left -= sum(map(len, texts)) // 4
            if left < 0:
                raise InputError(f"tag {tag} of a header shares data with others")
            found[tag] = texts if kind != t.STRING else texts[0]
        else:
            raise InputError(f"tag {tag} of a header has the unknown type {kind}")
    return found


def _texts(data: bytes, position: int, number: int, tag: int) -> tuple[str, ...]:
    made = []
    for _ in range(number):
        end = data.find(b"\0", position)
        if end < 0:
            raise InputError(f"tag {tag} of a header does not end")
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
