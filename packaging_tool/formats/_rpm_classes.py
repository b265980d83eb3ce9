"""What kind of thing a file is, in the words of file(1), and its colour: rpm keeps both in the header."""

from __future__ import annotations

import re
import struct
from functools import lru_cache

from packaging_tool.package.model import Entry

HEAD = 4096
MACHINES = {3: "Intel 80386", 62: "x86-64", 183: "ARM aarch64", 243: "UCB RISC-V"}
ELF_TYPES = {1: "relocatable", 2: "executable", 3: "shared object"}
PT_DYNAMIC, PT_INTERP = 2, 3
INTERPRETER = re.compile(rb"#! *(\S+)")
SHELL = re.compile(r"/(ba|da|k)?sh$")
BINARY = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")


def classify(entry: Entry) -> tuple[str, int]:
    """Class and colour: 1 and 2 for programs and libraries of 32 and 64 bits, 0 for all else (rpm's rpmfc.c)."""
    if entry.type == "directory":
        return "directory", 0
    if entry.content is None:
        return "", 0
    head = entry.content.head(HEAD)
    if head.startswith(b"\x7fELF") and len(head) >= 64:
        return _elf(head), head[4] if head[4] in (1, 2) else 0
    return _text(head), 0


@lru_cache(maxsize=256)
def _text(head: bytes) -> str:
    if not head:
        return "empty"
    if head.startswith(b"!<arch>\n"):
        return "current ar archive"
    if head.startswith(b"\x1f\x8b"):
        return "gzip compressed data"
    if BINARY.search(head):
        return "data"
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if error.start < HEAD - 4:
            return "data"
    kind = "ASCII text" if head.isascii() else "Unicode text, UTF-8 text"
    if found := INTERPRETER.match(head):
        program = found[1].decode("utf-8", "backslashreplace")
        if not program.isprintable():
            return "data"
        return f"{'POSIX shell' if SHELL.search(program) else f'a {program}'} script, {kind} executable"
    return kind


def _elf(head: bytes) -> str:
    """The first words of file(1) on an ELF file (System V ABI, chapters 4 and 5)."""
    little = head[5] == 1
    order = "<" if little else ">"
    wide = head[4] == 2
    kind, machine = struct.unpack_from(f"{order}HH", head, 16)
    if wide:
        table, entry_size, count = struct.unpack_from(f"{order}Q14xHH", head, 32)
    else:
        table, entry_size, count = struct.unpack_from(f"{order}I10xHH", head, 28)
    places = range(table, min(table + entry_size * count, len(head) - 4), entry_size) if entry_size else ()
    headers = {struct.unpack_from(f"{order}I", head, place)[0] for place in places}
    what = "pie executable" if kind == 3 and PT_INTERP in headers else ELF_TYPES.get(kind, "file")
    words = [
        f"ELF {64 if wide else 32}-bit {'LSB' if little else 'MSB'} {what}",
        MACHINES.get(machine, f"machine {machine}"),
        "version 1 (SYSV)",
    ]
    if kind in (2, 3):
        words.append("dynamically linked" if headers & {PT_DYNAMIC, PT_INTERP} else "statically linked")
    return ", ".join(words)
