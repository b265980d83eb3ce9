"""The host main: upstream's own main.go, cut where the imports of plugins go.

Packages that are nothing but blank imports (Caddy's `modules/standard`) are replaced by what they import, less what
plugins bring; so the server needs no change upstream, and the program without plugins lacks exactly those packages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging_tool.errors import BuildError
from packaging_tool.golang.closure import chain, closure
from packaging_tool.golang.toolchain import GoPackage

MARKER = "//mkpkgs:register"
# Tokens of Go (spec, "Lexical elements") as far as they occur before the first declaration that is no import.
_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)|(?P<word>[^\W\d]\w*)|(?P<string>`[^`]*`|"(?:\\[^\n]|[^"\\\n])*")"""
    r"""|(?P<open>/\*|[`"])|(?P<mark>.)""",
    re.DOTALL,
)
# Spec, "Import declarations": what a compiler may refuse is refused, since the path is written anew.
_PATH = re.compile(r"[^\s!\"#$%&'()*,:;<=>?\[\\\]^`{|}\x00-\x1f\x7f\ufffd]+")


@dataclass(frozen=True, slots=True)
class Import:
    """One import: name is `_`, `.`, an identifier, or "" for the package's own name."""

    name: str
    path: str

    def __str__(self) -> str:
        return f'\t{self.name} "{self.path}"\n' if self.name else f'\t"{self.path}"\n'


@dataclass(frozen=True, slots=True)
class Source:
    """A Go file: start and end of the import declarations in text, and what they import. bare: it has nothing else."""

    text: str
    start: int
    end: int
    imports: tuple[Import, ...]
    bare: bool


@dataclass(frozen=True, slots=True)
class HostMain:
    """The host main in three pieces: head, [imports of plugins], mid, [lines of plugins], tail.

    tail is "" if upstream's main has no line `//mkpkgs:register`; plugins with lines of their own need one.
    """

    head: str
    mid: str
    tail: str

    def text(self, imports: Iterable[str] = (), lines: Iterable[str] = ()) -> str:
        """The whole of main.go."""
        return "".join((self.head, *imports, self.mid, *lines, self.tail))


class _Tokens:
    """The tokens of a Go file but for comments, one looked ahead: what stands behind the imports is never read.

    start, end: of the token that was taken last.
    """

    def __init__(self, text: str) -> None:
        self._rest = (found for found in _TOKEN.finditer(text) if found.lastgroup != "space")
        self._next = next(self._rest, None)
        self.start = self.end = 0

    @property
    def text(self) -> str:
        """The token that comes next, "" at the end."""
        return self._next[0] if self._next else ""

    @property
    def kind(self) -> str:
        """Its kind by the name in the pattern."""
        return (self._next and self._next.lastgroup) or ""

    def take(self, wanted: str, fits: bool) -> str:
        """The next token, if it is what is wanted."""
        if self._next is None or not fits:
            raise ValueError(f"{wanted} expected, not {self.text or 'the end'}")
        found, self.start, self.end = self._next[0], *self._next.span()
        self._next = next(self._rest, None)
        return found


def parse(text: str) -> Source:
    """Find the imports of a Go file. Raises ValueError if it is not one."""
    tokens = _Tokens(text)
    tokens.take("package", tokens.text == "package")
    tokens.take("a name", tokens.kind == "word")
    imports: list[Import] = []
    start = end = tokens.end
    while tokens.text in ("import", ";"):
        if tokens.take("import", True) == ";":
            continue
        if not imports:
            start = tokens.start
        if tokens.text == "(":
            tokens.take("(", True)
            while tokens.text != ")":
                if tokens.text == ";":
                    tokens.take(";", True)
                else:
                    imports.append(_import(tokens))
            tokens.take(")", True)
        else:
            imports.append(_import(tokens))
        end = tokens.end
    return Source(text, start, end, tuple(imports), not tokens.text)


def _import(tokens: _Tokens) -> Import:
    named = tokens.kind == "word" or tokens.text == "."
    name = tokens.take("a name", True) if named else ""
    path = tokens.take("an import path", tokens.kind == "string")[1:-1]
    if not _PATH.fullmatch(path):
        raise ValueError(f"{path!r} is no import path")
    return Import(name, path)


def split(main: str, packages: Mapping[str, GoPackage], plugins: Mapping[str, str], origin: str) -> HostMain:
    """Make the host main.

    main: import path of upstream's main package. packages: as `go list -deps` tells them, over main and all plugins.
    plugins: import paths that the core must not have, each with who wants that (`plugin git`). origin: what the text
    was made from, for its first line. Raises BuildError if upstream's main cannot be split.
    """
    package = packages.get(main)
    if package is None:
        raise BuildError(
            f"{main}: the go command does not list it", hint="see whether this Go is too old for the server"
        )
    if package.error:
        raise BuildError(f"{main}: {package.error}")
    if package.name != "main":
        raise BuildError(f"{main} is package {package.name}, not a main package")
    if len(package.files) != 1 or package.embeds:
        raise BuildError(
            f"{main} has {len(package.files)} Go files{' and embedded files' if package.embeds else ''}, but a main"
            " that plugins are linked with is one Go file",
            hint="write a main package of one file that calls it, and name that as `main`",
        )
    source = _read(package)[0]
    wanted = [item for item in _flatten(source.imports, packages, plugins) if item.path not in plugins]
    core = closure(packages, [item.path for item in wanted])
    for path, owner in plugins.items():
        if path in core:
            first = next(item.path for item in wanted if path in closure(packages, [item.path]))
            why = " imports ".join((main, *chain(packages, first, path)))
            raise BuildError(
                f"{owner}: {path} is in the core anyway: {why}",
                hint="move what imports it into the plugin too, or leave it in the core",
            )
    block = "".join(sorted({str(item) for item in wanted}, key=lambda line: line.split('"')[1]))
    head = f"// Code generated by mkpkgs from {origin}; DO NOT EDIT.\n\n{source.text[: source.start]}import (\n{block}"
    mid, marker, tail = source.text[source.end :].partition(MARKER + "\n")
    # The marker ends its line, so what follows it stands in the next one.
    return HostMain(head, f"){mid}{MARKER}\n", tail) if marker else HostMain(head, f"){mid}", "")


def _read(package: GoPackage) -> list[Source]:
    sources = []
    for name in package.files:
        file = Path(package.dir, name)
        try:
            # Not read as text: for Go, a carriage return by itself ends no line and so no comment.
            sources.append(parse(file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")))
        except (ValueError, OSError) as error:
            raise BuildError(f"{file}: its imports cannot be read: {error}") from None
    return sources


def _flatten(
    imports: Iterable[Import], packages: Mapping[str, GoPackage], plugins: Mapping[str, str]
) -> Iterator[Import]:
    """Replace packages of nothing but blank imports by what they import, where they import what is to be left out."""
    for item in imports:
        package = packages.get(item.path)
        if package is None or item.name != "_" or plugins.keys().isdisjoint(closure(packages, [item.path])):
            yield item
            continue
        sources = _read(package)
        inner = [one for source in sources for one in source.imports]
        if (
            item.path in plugins
            or package.embeds
            or not all(s.bare for s in sources)
            or any(i.name != "_" for i in inner)
        ):
            yield item
        else:
            yield from _flatten(inner, packages, plugins)
