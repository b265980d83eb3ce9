"""The build information in a Go program (what `go version -m` prints), byte for byte as the linker got it."""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from pathlib import Path

from packaging_tool.errors import BuildError

# cmd/go/internal/modload/build.go: the information stands between these.
START = bytes.fromhex("3077af0c9274080241e1c107e6d618e6")
END = bytes.fromhex("f932433186182072008242104116d8f2")


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """head: the lines `path` and `mod`. modules: by path, the record of each module, with its replacement if it has
    one. tail: the lines `build`."""

    head: str
    modules: dict[str, str]
    tail: str

    def default_godebug(self) -> str:
        """What go build gives to the linker as runtime.godebugDefault, or ""."""
        found = re.search(r"^build\tDefaultGODEBUG=(.*)$", self.tail, re.MULTILINE)
        return found[1] if found else ""


def read(program: Path) -> BuildInfo:
    """Read it from a program. Raises BuildError if it has none, OSError."""
    if program.stat().st_size == 0:
        raise BuildError(f"{program}: is empty")
    with program.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(START)
        # Programs with modload's own code would have the marks as constants; the information begins with `path`.
        while start >= 0 and data[start + len(START) : start + len(START) + 5] != b"path\t":
            start = data.find(START, start + 1)
        end = data.find(END, start)
        if start < 0 or end < 0:
            raise BuildError(f"{program}: has no build information")
        try:
            text = data[start + len(START) : end].decode()
        except UnicodeDecodeError:
            raise BuildError(f"{program}: its build information is not UTF-8 text") from None
    first = re.search(r"^(dep|build)\t", text, re.MULTILINE)
    last = re.search(r"^build\t", text, re.MULTILINE)
    head = first.start() if first else len(text)
    tail = last.start() if last else len(text)
    records = re.split(r"^(?=dep\t)", text[head:tail], flags=re.MULTILINE)
    return BuildInfo(text[:head], {record.split("\t")[1]: record for record in records if record}, text[tail:])


def record_line(record: str) -> str:
    """A module's record as one line for `sort -u`: line ends inside it as `\\n`."""
    return record.removesuffix("\n").replace("\n", "\\n") + "\n"


def quoted(info: BuildInfo) -> tuple[str, str]:
    """What stands before and after the modules in the `modinfo` line of the linker's importcfg."""
    return f'modinfo "{_hex(START)}{_quote(info.head)}', f'{_quote(info.tail)}{_hex(END)}"\n'


def _hex(data: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in data)


def _quote(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("\n", "\\n")
