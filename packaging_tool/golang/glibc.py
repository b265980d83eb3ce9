"""Which version of the C library an ELF file asks for, out of its version needs (gABI, `SHT_GNU_verneed`)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging_tool import targets
from packaging_tool.errors import BuildError
from packaging_tool.package.model import Alternatives, Relation

_DYNSYM, _VERNEED, _VERSYM = 11, 0x6FFFFFFE, 0x6FFFFFFF
_VERSION = re.compile(r"GLIBC_(\d+(?:\.\d+)+)")


def needed(path: Path) -> str:
    """The newest `GLIBC_…` version that a file needs, without that prefix; "" if it needs none. Raises BuildError."""
    try:
        found = [match[1] for _, text in _Elf.read(path).versions() if (match := _VERSION.fullmatch(text))]
    except (struct.error, IndexError, ValueError):
        raise BuildError(f"{path} is no ELF file that can be read") from None
    return max(found, key=number, default="")


def relations(chosen: Sequence[str], what: str, path: Path) -> dict[str, tuple[Alternatives, ...]]:
    """Relations on the C library, by format. Raises BuildError if a target has an older one.

    what: the file, in words.
    """
    version = needed(path)
    if not version:
        return {}
    for name in chosen:
        has = targets.TARGETS[name].glibc
        if number(has) < number(version):
            raise BuildError(
                f"{what} needs GLIBC_{version} ({symbol(path, version)}), but {name} has glibc {has}",
                hint=f"build on {name} or an older system, or take {name} out of core.targets",
            )
    mark = "(64bit)" if is_64bit(path) else ""
    return {
        "deb": ((Relation("libc6", ">=", version),),),
        "rpm": ((Relation(f"libc.so.6(GLIBC_{version}){mark}"),),),
    }


def number(version: str) -> tuple[int, ...]:
    """For comparisons: 2.9 is before 2.34."""
    return tuple(map(int, version.split(".")))


def symbol(path: Path, version: str) -> str:
    """A symbol of this version that the file needs, as `name@GLIBC_…`."""
    elf = _Elf.read(path)
    numbers = {index for index, text in elf.versions() if text == f"GLIBC_{version}"}
    return next(f"{name}@GLIBC_{version}" for name, index in elf.symbols() if index in numbers)


def is_64bit(path: Path) -> bool:
    """Whether it is an ELF file of 64 bits: rpm marks such requirements."""
    with path.open("rb") as file:
        return file.read(5)[4:] == b"\2"


@dataclass(frozen=True, slots=True)
class _Elf:
    """The section headers of a file: name, type, flags, addr, offset, size, link."""

    data: bytes
    wide: bool
    order: str
    sections: tuple[tuple[int, ...], ...]

    @classmethod
    def read(cls, path: Path) -> _Elf:
        data = path.read_bytes()
        if data[:4] != b"\x7fELF":
            raise ValueError
        wide = data[4] == 2
        order = "<" if data[5] == 1 else ">"
        # ELF header: e_shoff, and e_shentsize, e_shnum.
        offset = struct.unpack_from(order + ("Q" if wide else "I"), data, 40 if wide else 32)[0]
        size, count = struct.unpack_from(f"{order}HH", data, 58 if wide else 46)
        layout = f"{order}IIQQQQI" if wide else f"{order}IIIIIII"
        return cls(data, wide, order, tuple(struct.unpack_from(layout, data, offset + i * size) for i in range(count)))

    def of_type(self, kind: int) -> Iterator[tuple[int, ...]]:
        return (section for section in self.sections if section[1] == kind)

    def text(self, at: int) -> str:
        return self.data[at : self.data.index(b"\0", at)].decode("ascii", "replace")

    def versions(self) -> Iterator[tuple[int, str]]:
        """Number and name of each version. A file (vn_version, vn_cnt, vn_file, vn_aux, vn_next) has a chain."""
        for section in self.of_type(_VERNEED):
            at, names = section[4], self.sections[section[6]][4]
            while True:
                _, count, _, first, following = struct.unpack_from(f"{self.order}HHIII", self.data, at)
                entry = at + first
                for _ in range(count):
                    _, _, index, name, step = struct.unpack_from(f"{self.order}IHHII", self.data, entry)
                    yield index, self.text(names + name)
                    entry += step
                if not following:
                    break
                at += following

    def symbols(self) -> Iterator[tuple[str, int]]:
        """Name and version number of each dynamic symbol."""
        tables = zip(self.of_type(_DYNSYM), self.of_type(_VERSYM), strict=False)
        size = 24 if self.wide else 16
        for table, numbers in tables:
            names = self.sections[table[6]][4]
            for i in range(table[5] // size):
                name = struct.unpack_from(f"{self.order}I", self.data, table[4] + i * size)[0]
                number = struct.unpack_from(f"{self.order}H", self.data, numbers[4] + 2 * i)[0]
                yield self.text(names + name), number & 0x7FFF
