"""The manifest: what a plugin package may bring to the server. Its exact bytes are signed.

A line format, because Python, sh and C programs must read it alike. Lines in this order, each ended by a newline:

    mkpkgs-manifest 1
    core NAME
    abi HEX                      64 lower-case digits
    plugin NAME                  none is called kit; or the one word `kit`
    package NAME VERSION         [epoch:]upstream-release
    order NUMBER                 not in a kit's
    optional                     only if the server may start without it
    needs NAME                   0 or more, sorted
    file SHA256  PATH            0 or more, sorted by path in C order

`sed -n 's/^file //p' MANIFEST | sha256sum -c --strict --quiet` checks the files. Whatever is not exactly so is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging_tool.errors import InputError

HEADER = "mkpkgs-manifest 1"
NAME = r"[a-z0-9][a-z0-9+.-]*"
# No `-` in the upstream part: rpm has none there, and one text serves both formats.
VERSION = r"(?:(?:0|[1-9][0-9]*):)?[A-Za-z0-9][A-Za-z0-9.+~]*-[A-Za-z0-9][A-Za-z0-9.+~]*"
# Nine digits fit into every integer that a shell's `[ -lt ]` can take.
ORDER = r"0|[1-9][0-9]{0,8}"
PATH = r"[A-Za-z0-9._+/-]+"
NAMES = "A-Z a-z 0-9 . _ + - in names of files and folders, and no - at the beginning"
# Bytes that a target reads of one.
LARGEST = 16 << 20


@dataclass(frozen=True, slots=True)
class File:
    """A file of the payload. sha256: lower-case hex. path: relative to the payload's directory."""

    sha256: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a package brings.

    core: name of the core. abi: that it was built for, 64 hex digits. plugin: its name, None for the kit. package,
    version: of the package. order: lower comes first in the server. optional: the server may start without it. needs:
    names of other plugins, sorted. files: sorted by path.
    """

    core: str
    abi: str
    plugin: str | None
    package: str
    version: str
    order: int = 50
    optional: bool = False
    needs: tuple[str, ...] = ()
    files: tuple[File, ...] = ()

    def render(self) -> bytes:
        """The bytes to sign and ship. Raises InputError for a value that `parse` would refuse."""
        data = "".join(f"{line}\n" for line in self._lines()).encode()
        parse(data, f"manifest of {self.package}")
        return data

    def _lines(self) -> Iterator[str]:
        yield HEADER
        yield f"core {self.core}"
        yield f"abi {self.abi}"
        yield "kit" if self.plugin is None else f"plugin {self.plugin}"
        yield f"package {self.package} {self.version}"
        if self.plugin is not None:
            yield f"order {self.order}"
            if self.optional:
                yield "optional"
            yield from (f"needs {name}" for name in self.needs)
        yield from (f"file {file.sha256}  {file.path}" for file in self.files)


def is_path(text: str) -> bool:
    """Whether a file of the payload may have this name below the payload's directory; NAMES says it to people."""
    # `-` at the start would be an option, or standard input, for the program that checks the files.
    if re.fullmatch(PATH, text) is None or text.startswith("-"):
        return False
    return not any(part in ("", ".", "..") for part in text.split("/"))


def parse(data: bytes, name: str = "manifest") -> Manifest:
    """Read a manifest. name: of the file, for messages. Raises InputError with line and reason."""
    return _Reader(data, name).manifest()


class _Reader:
    """Goes through the lines once; every line must match the pattern that is due."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        self.at = 0
        if len(data) > LARGEST:
            raise InputError(f"{name}: is larger than {LARGEST >> 20} MB")
        if not data.isascii():
            self.at = data[: next(i for i, byte in enumerate(data) if byte > 127)].count(b"\n")
            raise self.refusal("a byte that is not ASCII")
        text = data.decode("ascii")
        self.lines = text.split("\n")
        if self.lines.pop() != "":
            self.at = len(self.lines)
            raise self.refusal("no newline at the end")

    def refusal(self, reason: str) -> InputError:
        return InputError(f"{self.name}:{self.at + 1}: {reason}")

    def accept(self, pattern: str) -> re.Match[str] | None:
        """The match of the line that is due, if it matches as a whole; then the next line is due."""
        found = re.fullmatch(pattern, self.lines[self.at]) if self.at < len(self.lines) else None
        if found is not None:
            self.at += 1
        return found

    def expect(self, pattern: str, wanted: str) -> re.Match[str]:
        found = self.accept(pattern)
        if found is None:
            raise self.refusal(f"expected {wanted}, found {self.here()}")
        return found

    def here(self) -> str:
        return repr(self.lines[self.at]) if self.at < len(self.lines) else "the end"

    def manifest(self) -> Manifest:
        self.expect(re.escape(HEADER), f"`{HEADER}`")
        core = self.expect(rf"core ({NAME})", "`core NAME`")[1]
        abi = self.expect(r"abi ([0-9a-f]{64})", "`abi` and 64 lower-case hex digits")[1]
        plugin = None
        if self.accept("kit") is None:
            # The kit's manifest lies where that of a plugin of this name would lie.
            plugin = self.expect(rf"plugin (?!kit$)({NAME})", "`plugin NAME` or `kit`")[1]
        package = self.expect(rf"package ({NAME}) ({VERSION})", "`package NAME [epoch:]version-release`")
        order, optional = 50, False
        needs: tuple[str, ...] = ()
        if plugin is not None:
            order = int(self.expect(rf"order ({ORDER})", "`order NUMBER`")[1])
            optional = self.accept("optional") is not None
            needs = tuple(self.needs())
        files = tuple(self.files())
        if self.at < len(self.lines):
            raise self.refusal(f"expected `file SHA256  PATH` or the end, found {self.here()}")
        return Manifest(
            core=core,
            abi=abi,
            plugin=plugin,
            package=package[1],
            version=package[2],
            order=order,
            optional=optional,
            needs=needs,
            files=files,
        )

    def needs(self) -> Iterator[str]:
        before = ""
        while found := self.accept(rf"needs ({NAME})"):
            self.ascending(before, found[1])
            yield (before := found[1])

    def files(self) -> Iterator[File]:
        before = ""
        while found := self.accept(rf"file ([0-9a-f]{{64}})  ({PATH})"):
            path = found[2]
            self.ascending(before, path)
            if not is_path(path):
                self.at -= 1
                raise self.refusal(f"a path that leaves its directory or has two names: {path!r}")
            yield File(found[1], before := path)

    def ascending(self, before: str, now: str) -> None:
        if now <= before:
            self.at -= 1
            raise self.refusal(f"{now!r} is " + ("there twice" if now == before else f"out of order after {before!r}"))
