"""Project files with hostile words: where words go, which of them mkpkgs takes, and files with many of those at once.

What reads the packages of accepted words takes longer than mkpkgs does; so a round has one word for each key.
"""

from __future__ import annotations

import copy
import dataclasses
import shutil
import tomllib
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from packaging_tool import toml
from packaging_tool.cli.text import printable
from packaging_tool.errors import MkpkgsError, ProjectError
from packaging_tool.project import schema
from packaging_tool.project.loader import load
from packaging_tool.project.model import Project
from tests.hostile import control
from tests.hostile.words import words

Path_ = tuple[str | int, ...]
Maker = Callable[[str], Any]
# A name that a table of texts takes, by the key of the table.
NAMES = {
    "variables": "main.word",
    "settings": "GOAMD64",
    "compression": "deb",
    "libraries": "libword.so.1",
    "arguments": "flags",
}


@dataclass(frozen=True)
class Key:
    """A place for a word: its path in the file, and what makes a value of a word."""

    path: Path_
    make: Maker

    def put(self, raw: dict[str, Any], word: str) -> dict[str, Any]:
        """A copy of a file with the word in this place."""
        made: dict[str, Any] = copy.deepcopy(raw)
        place: Any = made
        for part in self.path[:-1]:
            place = place[part] if isinstance(part, int) else place.setdefault(part, {})
        value, last = self.make(word), self.path[-1]
        merged = isinstance(value, dict) and isinstance(place, dict) and isinstance(place.get(last), dict)
        place[last] = {**place[last], **value} if merged else value
        return made

    def __str__(self) -> str:
        return ".".join(map(str, self.path))


@dataclass(frozen=True)
class Taken:
    """A word that mkpkgs takes for a key."""

    key: Key
    name: str
    word: str

    def __str__(self) -> str:
        return f"{self.key} = {self.name}"


def keys(cls: type, path: Path_, without: Sequence[str] = ()) -> Iterator[Key]:
    """Each key of a class that takes texts, wherever in lists and tables they are. without: names of keys."""
    for key in schema.keys(cls).values():
        if key.name not in without:
            yield from _keys(schema.optional(key.hint), (*path, key.name))


def _keys(hint: Any, path: Path_) -> Iterator[Key]:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        yield from keys(hint, path)
    else:
        yield from (Key(path, make) for make in _makers(hint, str(path[-1])))


def _makers(hint: Any, name: str) -> Iterator[Maker]:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is str or origin is typing.Literal:
        yield lambda word: word
    elif origin is tuple and not dataclasses.is_dataclass(inner[0]):
        yield from (partial(_listed, make) for make in _makers(inner[0], name))
    elif origin not in (None, tuple):
        for make in _makers(inner[1], name):
            yield partial(_named, NAMES.get(name, "LimitNOFILE"), make)
            yield partial(_naming, make)


def _listed(make: Maker, word: str) -> Any:
    return [make(word)]


def _named(name: str, make: Maker, word: str) -> Any:
    return {name: make(word)}


def _naming(make: Maker, word: str) -> Any:
    return {word: make("1")}


class Bench:
    """A copy of a sample whose project file is written anew for each try."""

    def __init__(self, sample: Path, directory: Path, **tables: Any) -> None:
        """tables: of the project file, beside those of the sample; of the core, more keys."""
        self.root = directory / "project"
        shutil.copytree(sample, self.root, ignore=shutil.ignore_patterns(".mkpkgs", "dist"))
        self.file = self.root / "mkpkgs.toml"
        self.mark = directory / "mark"
        self.raw = tomllib.loads(self.file.read_text())
        for name, table in tables.items():
            self.raw[name] = {**self.raw.get(name, {}), **table}

    def copy(self) -> dict[str, Any]:
        """What the file says, to be changed."""
        return copy.deepcopy(self.raw)

    def load(self, raw: Mapping[str, Any]) -> Project:
        """Write the file and read it. Raises ProjectError."""
        self.file.write_text(toml.dumps(raw))
        return load(self.file)

    def tried(self, places: Sequence[Key]) -> Iterator[tuple[Taken, Project | None]]:
        """Each word in each place, with the project if it is taken; what is told else is looked at here."""
        for key in places:
            for name, word in words(self.mark):
                taken = Taken(key, name, word)
                try:
                    yield taken, self.load(key.put(self.raw, word))
                except MkpkgsError as error:
                    look(error, str(taken))
                    yield taken, None

    def rounds(self, taken: Sequence[Taken]) -> Iterator[tuple[Project, dict[str, Any], list[Taken]]]:
        """Projects that have all of these words between them, each with one for as many keys as go together."""
        waiting = list(taken)
        while waiting:
            first = {str(one.key): one for one in reversed(waiting)}
            raw, inside = self._together(self.raw, list(first.values()))
            yield self.load(raw), raw, inside
            waiting = [one for one in waiting if one not in inside]

    def _together(self, raw: dict[str, Any], wanted: list[Taken]) -> tuple[dict[str, Any], list[Taken]]:
        """A file with those of the words that go together, and them."""
        made = raw
        for one in wanted:
            made = one.key.put(made, one.word)
        try:
            self.load(made)
        except ProjectError:
            if len(wanted) == 1:
                return raw, []
            raw, first = self._together(raw, wanted[: len(wanted) // 2])
            raw, second = self._together(raw, wanted[len(wanted) // 2 :])
            return raw, first + second
        return made, wanted


def look(error: MkpkgsError, who: str) -> None:
    """A refusal tells a user what to change, in words that a terminal takes for words."""
    assert error.exit_code == 2, (who, error)
    assert isinstance(error, ProjectError), (who, error)
    for problem in error.problems:
        assert problem.line or problem.key, (who, problem)
        assert len(problem.what) <= 700, who
        # As the command line prints it.
        assert not control(printable(str(problem)).replace("\n", "")), (who, problem.what[:200])
