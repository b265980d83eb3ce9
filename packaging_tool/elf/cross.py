"""What build systems must be told to build for another machine: arguments that a project names as `{meson}`, `{cmake}`.

They stand for nothing where the machine is this one. The same as debhelper and debcrossgen (devscripts) say.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from packaging_tool.elf import machines

# Lists of arguments that every command can name.
NAMES = frozenset({"meson", "cmake"})
# As meson calls them (its reference tables): family, and whether the highest byte comes first.
_FAMILIES = {
    "amd64": ("x86_64", False),
    "arm64": ("aarch64", False),
    "armhf": ("arm", False),
    "i386": ("x86", False),
    "ppc64el": ("ppc64", False),
    "riscv64": ("riscv64", False),
    "s390x": ("s390x", True),
}
# Of cmake's variables for a language.
_COMPILERS = {"C": "gcc", "CXX": "g++"}
_TOOLS = {"c": "gcc", "cpp": "g++", "ar": "ar", "strip": "strip", "objcopy": "objcopy", "pkgconfig": "pkg-config"}


def arguments(architecture: str, folder: Path) -> Mapping[str, tuple[str, ...]]:
    """The lists by name. folder: where a file for meson is written."""
    if architecture == machines.own():
        return dict.fromkeys(NAMES, ())
    processor = machines.processor(architecture)
    compilers = [f"-DCMAKE_{name}_COMPILER={machines.tool(tool, architecture)}" for name, tool in _COMPILERS.items()]
    file = folder / "meson.ini"
    file.write_text(_meson(architecture, processor))
    return {
        "meson": (f"--cross-file={file}",),
        "cmake": ("-DCMAKE_SYSTEM_NAME=Linux", f"-DCMAKE_SYSTEM_PROCESSOR={processor}", *compilers),
    }


def _meson(architecture: str, processor: str) -> str:
    tools = {name: machines.tool(tool, architecture) for name, tool in _TOOLS.items()}
    # That a compiler is missing is told by meson. Without a pkg-config of the machine, no library of this one is found.
    found = [f"{name} = '{tool}'" for name, tool in tools.items() if name in ("c", "cpp") or shutil.which(tool)]
    family, big = _FAMILIES[architecture]
    machine = [f"cpu_family = '{family}'", f"cpu = '{processor}'", f"endian = '{'big' if big else 'little'}'"]
    return "\n".join(["[binaries]", *found, "", "[host_machine]", "system = 'linux'", *machine, ""])
