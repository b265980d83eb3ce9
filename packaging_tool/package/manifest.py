"""The manifest: what a plugin package may bring to the server. Its exact bytes are signed.

A line format, because Python, sh and C programs must read it alike. Lines in this order, each ended by a newline:

    mkpkgs-manifest FORMAT       1, or 2 if a path has more than the characters of format 1
    core NAME
    abi HEX                      64 lower-case digits
    plugin NAME                  none is called kit; or the one word `kit`
    package NAME VERSION         [epoch:]upstream-release
    order NUMBER                 not in a kit's
    optional                     only if the server may start without it
    needs NAME                   0 or more, sorted
    file SHA256  PATH            0 or more, sorted by path in C order

A PATH has no empty part, `.` or `..` between its slashes. In format 1 it is made of A-Z a-z 0-9 . _ + - / and does not
begin with `-`; in format 2 it is UTF-8 without control characters (U+0000 to U+001F, U+007F to U+009F), and at least
one is none of format 1: so each manifest has one spelling, and older targets read all that needs no format 2.

Whatever is not exactly so is refused. To check the files:
`sed -n 's|^file \\(.\\{66\\}\\)|\\1./|p' MANIFEST | sha256sum -c --strict --quiet`
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging_tool.errors import InputError

HEADER = "mkpkgs-manifest"
# The newest format, which this mkpkgs and the targets of its cores read.
FORMAT = 2
NAME = r"[a-z0-9][a-z0-9+.-]*"
# No `-` in the upstream part: rpm has none there, and one text serves both formats.
VERSION = r"(?:(?:0|[1-9][0-9]*):)?[A-Za-z0-9][A-Za-z0-9.+~]*-[A-Za-z0-9][A-Za-z0-9.+~]*"
# Nine digits fit into every integer that a shell's `[ -lt ]` can take.
ORDER = r"0|[1-9][0-9]{0,8}"
# In format 1. At the beginning, `-` would be an option for some programs.
PLAIN = re.compile(r"(?!-)[A-Za-z0-9._+/-]+")
# Surrogates stand for bytes that are no UTF-8.
NEVER = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
NAMES = "UTF-8 without control characters"
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
        data = "".join(f"{line}\n" for line in self._lines()).encode(errors="surrogateescape")
        parse(data, f"manifest of {self.package}")
        return data

    @property
    def format(self) -> int:
        """The oldest that can say it."""
        return 1 if all(PLAIN.fullmatch(file.path) for file in self.files) else 2

    def _lines(self) -> Iterator[str]:
        yield f"{HEADER} {self.format}"
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
    return NEVER.search(text) is None and not any(part in ("", ".", "..") for part in text.split("/"))


def parse(data: bytes, name: str = "manifest") -> Manifest:
    """Read a manifest. name: of the file, for messages. Raises InputError with line and reason."""
    return _Reader(data, name).manifest()


class _Reader:
    """Goes through the lines once; every line must match the pattern that is due."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        self.at = 0
        if len(data) > LARGEST:
            raise InputError(f"{name}: is larger than {LARGEST >> 20} MB, which is what targets read")
        self.format = 2 if data.startswith(f"{HEADER} 2\n".encode()) else 1
        try:
            text = data.decode("ascii" if self.format == 1 else "utf-8")
        except UnicodeDecodeError as wrong:
            self.at = data[: wrong.start].count(b"\n")
            raise self.refusal(f"a byte that is not {'ASCII' if self.format == 1 else 'UTF-8'}") from None
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
        self.expect(f"{HEADER} [12]", f"`{HEADER} 1` or `{HEADER} 2`")
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
        made = Manifest(
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
        if made.format != self.format:
            self.at = 0
            raise self.refusal(f"{HEADER} 2, though {HEADER} 1 can say it")
        return made

    def needs(self) -> Iterator[str]:
        before = ""
        while found := self.accept(rf"needs ({NAME})"):
            self.ascending(before, found[1])
            yield (before := found[1])

    def files(self) -> Iterator[File]:
        before = ""
        path = PLAIN.pattern if self.format == 1 else ".+"
        while found := self.accept(rf"file ([0-9a-f]{{64}})  ({path})"):
            self.ascending(before, found[2])
            if not is_path(found[2]):
                self.at -= 1
                raise self.refusal(
                    f"a path that leaves its directory, has two names or control characters: {found[2]!r}"
                )
            yield File(found[1], before := found[2])

    def ascending(self, before: str, now: str) -> None:
        if now <= before:
            self.at -= 1
            raise self.refusal(f"{now!r} is " + ("there twice" if now == before else f"out of order after {before!r}"))
