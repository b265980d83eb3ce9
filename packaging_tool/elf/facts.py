"""Reads ELF files (gABI; symbol versions: LSB core, chapter 10.7)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from packaging_tool.elf import machines
from packaging_tool.errors import BuildError

MAGIC = b"\x7fELF"
# What the C runtime brings into each program.
RUNTIME = frozenset({"", "_IO_stdin_used", "__data_start", "_fini", "_init", "_start", "data_start", "main"})
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file says of itself.

    architecture: Debian's name, or gABI's where there is none. bits: 32 or 64. soname: "" without one. needed: sonames
    of the libraries it asks for. versions: of their symbols, as (soname, version). build_id: hex, or "". debug: whether
    it has debug information.
    """

    architecture: str
    bits: int
    soname: str
    needed: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    build_id: str
    debug: bool


@dataclass(frozen=True, slots=True, order=True)
class Want:
    """A symbol that a file needs. version, library: soname that it must come from; "" if any file will do."""

    name: str
    version: str = ""
    library: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.version}" if self.version else self.name


def is_elf(path: Path) -> bool:
    """Whether it begins like an ELF file."""
    with path.open("rb") as file:
        return file.read(4) == MAGIC


def read(path: Path) -> Facts:
    """The facts of a file. Raises BuildError if it cannot be read as ELF."""
    return _guarded(path, _facts)


def exports(path: Path) -> tuple[str, ...]:
    """What others can link with, sorted: `NAME[@VERSION] KIND`, and the size of data, since programs copy it.

    Raises BuildError if it is no ELF file.
    """
    return _guarded(path, _exports)


def offers(path: Path) -> frozenset[str]:
    """All that another file could find in this one when both run, as `NAME` or `NAME@VERSION`; also copies of data."""
    return _guarded(path, lambda elf: frozenset(_offers(elf)))


def wants(path: Path) -> tuple[Want, ...]:
    """Symbols that others must bring, or the file cannot be opened, sorted."""
    return _guarded(path, lambda elf: tuple(sorted(set(_wants(elf)))))


def symbol(path: Path, version: str) -> str:
    """A symbol of this version that the file needs, as `name@VERSION`, or the version alone."""
    return _guarded(path, lambda elf: _symbol(elf, version))


def _guarded(path: Path, question: Callable[[Any], Answer]) -> Answer:
    from elftools.common.exceptions import DWARFError, ELFError
    from elftools.construct import ConstructError
    from elftools.elf.elffile import ELFFile

    damage = (ELFError, DWARFError, ConstructError, struct.error, ValueError, LookupError, AttributeError, TypeError)
    with path.open("rb") as file:
        try:
            return question(ELFFile(file))
        except (*damage, AssertionError, OverflowError):
            # The library trusts what it reads, so that damage shows in many ways.
            raise BuildError(f"{path} is no ELF file that can be read") from None


def _facts(elf: Any) -> Facts:
    machine = elf["e_machine"]
    soname, needed = "", []
    if (dynamic := elf.get_section_by_name(".dynamic")) is not None:
        for tag in dynamic.iter_tags():
            if tag.entry.d_tag == "DT_NEEDED":
                needed.append(tag.needed)
            elif tag.entry.d_tag == "DT_SONAME":
                soname = tag.soname
    return Facts(
        architecture=machines.OF_ELF.get((machine, elf.elfclass, elf.little_endian), str(machine)),
        bits=elf.elfclass,
        soname=soname,
        needed=tuple(dict.fromkeys(needed)),
        versions=tuple(sorted((library.name, version.name) for library, version in _needs(elf))),
        build_id=_build_id(elf),
        debug=elf.get_section_by_name(".debug_info") is not None,
    )


def _needs(elf: Any) -> Iterator[tuple[Any, Any]]:
    section = elf.get_section_by_name(".gnu.version_r")
    for library, versions in section.iter_versions() if section is not None else ():
        for version in versions:
            yield library, version


def _build_id(elf: Any) -> str:
    section = elf.get_section_by_name(".note.gnu.build-id")
    for note in section.iter_notes() if section is not None else ():
        if note["n_type"] == "NT_GNU_BUILD_ID":
            return str(note["n_desc"])
    return ""


def _exports(elf: Any) -> tuple[str, ...]:
    symbols = elf.get_section_by_name(".dynsym")
    if symbols is None:
        return ()
    numbers, names = elf.get_section_by_name(".gnu.version"), _versions(elf)
    found = set()
    for index, entry in enumerate(symbols.iter_symbols()):
        kind = entry["st_info"]["type"].removeprefix("STT_")
        # Marks of the linker (`_end`) have no type; they are where the file ends.
        if not _is_linkable(entry) or kind == "NOTYPE" or entry.name in RUNTIME:
            continue
        number = numbers.get_symbol(index)["ndx"] if numbers is not None else "VER_NDX_GLOBAL"
        if isinstance(number, int) and number & 0x7FFF not in names:
            # A copy of a library's data, which the linker makes in programs.
            continue
        mark = f"@{names[number & 0x7FFF]}" if isinstance(number, int) else ""
        size = f" {entry['st_size']}" if kind == "OBJECT" else ""
        found.add(f"{entry.name}{mark} {kind}{size}")
    return tuple(sorted(found))


def _versions(elf: Any) -> dict[int, str]:
    """Names of the versions that a file defines, by number."""
    defined = elf.get_section_by_name(".gnu.version_d")
    # The first one names the version itself, the others what it comes after.
    return {
        version["vd_ndx"]: next(auxiliaries).name
        for version, auxiliaries in (defined.iter_versions() if defined is not None else ())
    }


def _is_linkable(entry: Any) -> bool:
    visible = entry["st_other"]["visibility"] in ("STV_DEFAULT", "STV_PROTECTED")
    return visible and entry["st_info"]["bind"] != "STB_LOCAL" and entry["st_shndx"] != "SHN_UNDEF"


def _offers(elf: Any) -> Iterator[str]:
    symbols, numbers = elf.get_section_by_name(".dynsym"), elf.get_section_by_name(".gnu.version")
    names = _versions(elf)
    for index, entry in enumerate(symbols.iter_symbols() if symbols is not None else ()):
        if _is_linkable(entry) and entry.name:
            yield entry.name
            number = numbers.get_symbol(index)["ndx"] if numbers is not None else "VER_NDX_GLOBAL"
            if isinstance(number, int) and number & 0x7FFF in names:
                yield f"{entry.name}@{names[number & 0x7FFF]}"


def _wants(elf: Any) -> Iterator[Want]:
    symbols, numbers = elf.get_section_by_name(".dynsym"), elf.get_section_by_name(".gnu.version")
    needs = {version["vna_other"]: (version.name, library.name) for library, version in _needs(elf)}
    for index, entry in enumerate(symbols.iter_symbols() if symbols is not None else ()):
        # Without a weak one, the file is opened all the same.
        if entry["st_shndx"] != "SHN_UNDEF" or entry["st_info"]["bind"] != "STB_GLOBAL" or not entry.name:
            continue
        number = numbers.get_symbol(index)["ndx"] if numbers is not None else ""
        version, library = needs.get(number & 0x7FFF, ("", "")) if isinstance(number, int) else ("", "")
        yield Want(entry.name, version, library)


def _symbol(elf: Any, wanted: str) -> str:
    numbers = {version["vna_other"] for _, version in _needs(elf) if version.name == wanted}
    marks, symbols = elf.get_section_by_name(".gnu.version"), elf.get_section_by_name(".dynsym")
    if marks is not None and symbols is not None:
        for index, entry in enumerate(symbols.iter_symbols()):
            number = marks.get_symbol(index)["ndx"]
            if isinstance(number, int) and number & 0x7FFF in numbers:
                return f"{entry.name}@{wanted}"
    return wanted
