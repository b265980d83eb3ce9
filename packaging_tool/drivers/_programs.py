"""What a program must be for a target to start it, and what it needs there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from packaging_tool.errors import BuildError
from packaging_tool.package.model import Alternatives


def fault(path: Path, architecture: str) -> str:
    """Why machines of an architecture cannot start a program, "" if they can; execve(2) says what they start."""
    with path.open("rb") as file:
        head = file.read(2)
        line = file.readline(4096) if head == b"#!" else b""
    if not head:
        return "it is empty"
    if head == b"#!":
        return "its first line ends with a carriage return, which counts as part of a name" if b"\r" in line else ""
    # A driver for scripts and data starts without what reads machine code.
    from packaging_tool.elf import facts

    if not facts.is_elf(path):
        return "it is neither an ELF program nor a script with #!"
    try:
        has = facts.read(path).architecture
    except BuildError:
        return "it is an ELF program that cannot be read"
    return "" if has == architecture else f"it is a program for {has}, not for {architecture}"


def hint(architecture: str) -> str:
    """What to do about a fault of the core's program."""
    if architecture == "all":
        return "name a script, or write the program's own architecture in core.architectures"
    return f"name a program that machines with {architecture} start, or change core.architectures"


def needs(
    targets: Iterable[str], architecture: str, what: str, programs: Iterable[Path]
) -> dict[str, tuple[Alternatives, ...]]:
    """Relations of programs, by format. what: whose they are, in words.

    Raises BuildError for what does not run on the targets.
    """
    found: dict[str, tuple[Alternatives, ...]] = {}
    for path in programs:
        if wrong := fault(path, architecture):
            raise BuildError(f"{what}: {path.name}: {wrong}")
        with path.open("rb") as file:
            if file.read(2) == b"#!":
                continue
        from packaging_tool.elf import libraries

        for family, relations in libraries.c_library([*targets], f"{what}: {path.name}", path).items():
            found[family] = tuple(dict.fromkeys((*found.get(family, ()), *relations)))
    return found
