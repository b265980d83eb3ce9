"""What a core and its plugins hide from the dynamic loader: their functions.

Go's linker exports all that is in a program or plugin, but binds each use of a function to the module's own copy
(`local.NAME`, in its symtab.go); nobody asks the loader for one. Names of types, data and C's functions stay, since
the loader makes one of each out of those that core and plugins have. Without 60,000 long names the files of a large
server are a tenth smaller, and the loader finds the rest sooner.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from packaging_tool.errors import BuildError

# gABI, "Symbol Table": name, info, other, section, value, size; and in 32 bits with another order.
_SYMBOL = {64: "IBBHQQ", 32: "IIIBBH"}
_INFO = {64: 1, 32: 3}
_SECTION = {64: 3, 32: 5}
_FUNCTION = 2


def script(core: Path) -> bytes:
    """A version script (ld, "VERSION Command") that makes the core's functions local. Raises BuildError."""
    names = sorted(name for name in _functions(core) if b"." in name and not set(name) & set(b'"\\\n'))
    if not names:
        raise BuildError(f"{core} exports no functions of Go")
    return b"{ local:\n" + b"".join(b'"%s";\n' % name for name in names) + b"};\n"


def _functions(path: Path) -> set[bytes]:
    """Names of the functions that a program defines and exports."""
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as file:
        elf: Any = ELFFile(file)
        symbols, names = (elf.get_section_by_name(name).data() for name in (".dynsym", ".dynstr"))
    layout = ("<" if elf.little_endian else ">") + _SYMBOL[elf.elfclass]
    info, section = _INFO[elf.elfclass], _SECTION[elf.elfclass]
    return {
        names[entry[0] : names.index(b"\0", entry[0])]
        for entry in struct.iter_unpack(layout, symbols)
        if entry[info] & 15 == _FUNCTION and entry[section] != 0
    }
