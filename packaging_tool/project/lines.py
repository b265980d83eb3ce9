"""Where the keys of a TOML file stand. tomllib keeps no lines, so this runs over the text once something is wrong."""

from __future__ import annotations

import re
import tomllib
from contextlib import suppress

Path = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^\s,\]}#]+([ ][0-9:.+Z-]+)?")
_STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


def scan(text: str) -> dict[Path, int]:
    """The line (from 1) of every key and every item of an array, by path: `("core", "files", 0, "path")`.

    text: TOML that tomllib accepted, or the part of a file before its first error. Never raises: what it cannot read
    ends the scan.
    """
    scanner = _Scanner(text)
    with suppress(_UnreadableError, IndexError, RecursionError):
        scanner.document()
    return scanner.found


def at_line(text: str, line: int) -> list[Path]:
    """The paths that one line of the text defines, the longest last."""
    scanner = _Scanner(text)
    with suppress(_UnreadableError, IndexError, RecursionError):
        scanner.document()
    return [path for path, place in scanner.seen if place == line]


def line_of(found: dict[Path, int], path: Path) -> int:
    """The line of a path, or of the nearest table around it; 0 if there is none."""
    while path:
        if path in found:
            return found[path]
        path = path[:-1]
    return 0


class _UnreadableError(Exception):
    """The text is not TOML from here on."""


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.counted = 0
        self.found: dict[Path, int] = {}
        self.seen: list[tuple[Path, int]] = []
        self.counts: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        while self._blank():
            if self._take("[["):
                table = self._resolve(self._key())
                index = self.counts.get(table, 0)
                self.counts[table] = index + 1
                self._note(table)
                table = (*table, index)
                self._note(table)
                self._expect("]]")
            elif self._take("["):
                table = self._resolve(self._key())
                self._note(table)
                self._expect("]")
            else:
                self._pair(table)

    def _resolve(self, key: Path) -> Path:
        """A header's path, with the index of the last item where it goes through an array of tables."""
        path: Path = ()
        for part in key[:-1]:
            path = (*path, part)
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
        return (*path, key[-1])

    def _pair(self, table: Path) -> None:
        start = self._line()
        path = table
        for part in self._key():
            path = (*path, part)
            self._note(path, start)
        self._expect("=")
        self._value(path)

    def _key(self) -> Path:
        parts: list[str] = []
        while True:
            self._space()
            if self.text[self.at] in "\"'":
                literal = self._string()
                try:
                    parts.append(tomllib.loads(f"k = {literal}")["k"])
                except tomllib.TOMLDecodeError:
                    raise _UnreadableError from None
            else:
                match = _BARE.match(self.text, self.at)
                if match is None:
                    raise _UnreadableError
                parts.append(match[0])
                self.at = match.end()
            self._space()
            if not self._take("."):
                return tuple(parts)

    def _value(self, path: Path) -> None:
        self._space()
        if self._take("["):
            self._array(path)
        elif self._take("{"):
            self._inline(path)
        elif self.text[self.at] in "\"'":
            self._string()
        else:
            match = _SCALAR.match(self.text, self.at)
            if match is None:
                raise _UnreadableError
            self.at = match.end()

    def _array(self, path: Path) -> None:
        index = 0
        while self._blank() and not self._take("]"):
            item = (*path, index)
            self._note(item)
            self._value(item)
            index += 1
            self._blank()
            self._take(",")

    def _inline(self, path: Path) -> None:
        while self._blank() and not self._take("}"):
            self._pair(path)
            self._blank()
            self._take(",")

    def _string(self) -> str:
        for pattern in _STRINGS:
            match = pattern.match(self.text, self.at)
            # `""` also begins `"""`, so the long forms come first.
            if match is not None:
                self.at = match.end()
                return match[0]
        raise _UnreadableError

    def _blank(self) -> bool:
        """Skip white space, line ends and comments; False at the end of the text."""
        while self.at < len(self.text):
            if self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif self.text[self.at].isspace():
                self.at += 1
            else:
                return True
        return False

    def _space(self) -> None:
        while self.text[self.at] in " \t":
            self.at += 1

    def _take(self, token: str) -> bool:
        if self.text.startswith(token, self.at):
            self.at += len(token)
            return True
        return False

    def _expect(self, token: str) -> None:
        self._space()
        if not self._take(token):
            raise _UnreadableError

    def _note(self, path: Path, line: int = 0) -> None:
        place = line or self._line()
        self.found.setdefault(path, place)
        self.seen.append((path, place))

    def _line(self) -> int:
        """The line where the scanner stands; counted on from the last answer, so that long files stay cheap."""
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.line
