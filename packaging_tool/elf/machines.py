"""Architectures in Debian's words, and how compilers and ELF files name them."""

from __future__ import annotations

import platform
from collections.abc import Mapping

# GNU triplets, as Debian's cross compilers are named.
TRIPLETS: Mapping[str, str] = {
    "amd64": "x86_64-linux-gnu",
    "arm64": "aarch64-linux-gnu",
    "armhf": "arm-linux-gnueabihf",
    "i386": "i686-linux-gnu",
    "ppc64el": "powerpc64le-linux-gnu",
    "riscv64": "riscv64-linux-gnu",
    "s390x": "s390x-linux-gnu",
}
# gABI's e_machine, bits and byte order by architecture.
OF_ELF: Mapping[tuple[str, int, bool], str] = {
    ("EM_X86_64", 64, True): "amd64",
    ("EM_AARCH64", 64, True): "arm64",
    ("EM_ARM", 32, True): "armhf",
    ("EM_386", 32, True): "i386",
    ("EM_PPC64", 64, True): "ppc64el",
    ("EM_RISCV", 64, True): "riscv64",
    ("EM_S390", 64, False): "s390x",
}
# uname's machine.
_OWN = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "armhf",
    "i686": "i386",
    "ppc64le": "ppc64el",
    "riscv64": "riscv64",
    "s390x": "s390x",
}


def own() -> str:
    """The architecture of this machine, "" if it has no Debian name here."""
    return _OWN.get(platform.machine(), "")


def processor(architecture: str) -> str:
    """What uname -m says on a machine of this architecture."""
    return next(name for name, known in _OWN.items() if known == architecture)


def tool(name: str, architecture: str) -> str:
    """A program of the toolchain, `gcc` or `objcopy`: the cross one where the architecture is not this machine's."""
    return name if architecture == own() else f"{TRIPLETS[architecture]}-{name}"
