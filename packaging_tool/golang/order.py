"""Puts what the dynamic loader reads into the order in which it looks: a program or plugin that is linked already.

Each place that refers to a name makes the loader look it up in the tables of the core. Both have their symbols in the
order of hash buckets, but GNU ld lets relocations stand in the order of their places, and names in the order in which
it met them. So of a large server's 50,000 look-ups nearly each waits for memory, several times. In the order of the
symbols, the loader goes through all tables once, from start to end, and takes less than half of the time.

The relocations stay the same, and so do the symbols; only the places of names within their table are others.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

# gABI, "Relocation": place, info, addend; in `.rel.dyn` without the addend. The symbol is in the upper bits of info.
_RELOCATION = {(64, "SHT_RELA"): "QQq", (64, "SHT_REL"): "QQ", (32, "SHT_RELA"): "IIi", (32, "SHT_REL"): "II"}
_SYMBOL_OF = {64: 32, 32: 8}
# gABI, "Symbol Table": bytes of an entry, and where in it its type is. The name stands first, also in 32 bits.
_SYMBOL_SIZE = {64: 24, 32: 16}
_TYPE_AT = {64: 4, 32: 12}
# STT_GNU_IFUNC: the loader asks the code of the file itself where the function is.
_ASKED = 10
# gABI, "Dynamic Section": tag, value.
_DYNAMIC = {64: "QQ", 32: "II"}
# DT_NEEDED, DT_SONAME, DT_RPATH, DT_RUNPATH, and DT_CONFIG to DT_FILTER of the GNU linker: their values are names.
_NAMES = {1, 14, 15, 29, 0x6FFFFEFA, 0x6FFFFEFB, 0x6FFFFEFC, 0x7FFFFFFD, 0x7FFFFFFF}
# LSB, "Symbol Versioning": version, number of entries, file name, offset of the entries, offset of the next.
_NEED = "HHIII"
# Hash, flags, index, name, offset of the next.
_VERSION = "IHHII"


def arrange(path: Path) -> None:
    """Change a file in place. A file with other tables of names than GNU ld makes keeps the order of its names."""
    from elftools.elf.elffile import ELFFile

    with path.open("r+b") as file:
        elf: Any = ELFFile(file)
        order = "<" if elf.little_endian else ">"
        changed = [_relocations(elf, order), *_names(elf, order)]
        for offset, data in changed:
            file.seek(offset)
            file.write(data)


def _relocations(elf: Any, order: str) -> tuple[int, bytes]:
    """Relocations by symbol. Relative ones stay at the start, where the dynamic section counts them, and those that
    call code of the file at the end, since that needs all others."""
    section = elf.get_section_by_name(".rela.dyn") or elf.get_section_by_name(".rel.dyn")
    types = elf.get_section_by_name(".dynsym").data()[_TYPE_AT[elf.elfclass] :: _SYMBOL_SIZE[elf.elfclass]]
    layout = order + _RELOCATION[elf.elfclass, section["sh_type"]]
    shift = _SYMBOL_OF[elf.elfclass]
    entries = list(struct.iter_unpack(layout, section.data()))
    first = next((number for number, entry in enumerate(entries) if entry[1] >> shift), len(entries))

    def key(entry: tuple[int, ...]) -> tuple[int, int]:
        symbol = entry[1] >> shift
        # Sorting is stable: these keep their order.
        return (symbol, entry[0]) if symbol and types[symbol] & 15 != _ASKED else (len(types), 0)

    data = b"".join(struct.pack(layout, *entry) for entry in (*entries[:first], *sorted(entries[first:], key=key)))
    return section["sh_offset"], data


def _names(elf: Any, order: str) -> list[tuple[int, bytes]]:
    """The table of names in the order of the symbols, and what refers to it."""
    table, symbols, dynamic, needs = (
        elf.get_section_by_name(name) for name in (".dynstr", ".dynsym", ".dynamic", ".gnu.version_r")
    )
    readers = {section.name for section in elf.iter_sections() if elf.get_section(section["sh_link"]) == table}
    if readers - {".dynsym", ".dynamic", ".gnu.version_r"}:
        return []
    names = _Names(table.data())
    changed = []
    data = bytearray(symbols.data())
    for at in range(0, len(data), _SYMBOL_SIZE[elf.elfclass]):
        (name,) = struct.unpack_from(f"{order}I", data, at)
        struct.pack_into(f"{order}I", data, at, names.place(name))
    changed.append((symbols["sh_offset"], bytes(data)))
    layout = order + _DYNAMIC[elf.elfclass]
    entries = struct.iter_unpack(layout, dynamic.data())
    data = bytearray()
    for tag, value in entries:
        data += struct.pack(layout, tag, names.place(value) if tag in _NAMES else value)
    changed.append((dynamic["sh_offset"], bytes(data)))
    if needs is not None:
        changed.append((needs["sh_offset"], _needs(bytearray(needs.data()), order, names)))
    return [*changed, (table["sh_offset"], names.table())]


def _needs(data: bytearray, order: str, names: _Names) -> bytes:
    """Versions that are asked of libraries, with the places of names as they are now."""
    at, step = 0, 1
    while step:
        version, count, file, entry, step = struct.unpack_from(order + _NEED, data, at)
        struct.pack_into(order + _NEED, data, at, version, count, names.place(file), entry, step)
        entry += at
        for _ in range(count):
            *head, name, following = struct.unpack_from(order + _VERSION, data, entry)
            struct.pack_into(order + _VERSION, data, entry, *head, names.place(name), following)
            entry += following
        at += step
    return bytes(data)


class _Names:
    """A table of names, each ended by a zero byte, that is written anew in the order in which they are asked for."""

    def __init__(self, old: bytes) -> None:
        self._old = old
        self._new = bytearray(b"\0")
        self._places = {0: 0}

    def place(self, old: int) -> int:
        """Where the name now is that was at a place. One may be the end of another: they stay together."""
        start = self._old.rfind(b"\0", 0, old) + 1 if old else 0
        if start not in self._places:
            self._places[start] = len(self._new)
            self._new += self._old[start : self._old.index(b"\0", start) + 1]
        return self._places[start] + old - start

    def table(self) -> bytes:
        """The new table, as long as the old one: what nobody asked for is left out."""
        return bytes(self._new.ljust(len(self._old), b"\0"))
