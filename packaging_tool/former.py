"""What published versions have in another kind: a directory that is a link now, a configuration file that is gone.

Package managers carry only some of that over to machines that have the older version. Where a package can help them, it
is told what to help with (`Package.former`); all else is refused before anything is written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from packaging_tool import atomic, state
from packaging_tool.errors import InputError
from packaging_tool.package import versions
from packaging_tool.package.model import Alternatives, Former, Kinds, Package, Relation
from packaging_tool.repos.base import Published

# Directories in which services and people keep files of their own, which no package may move away.
KEPT = ("/etc", "/var", "/srv", "/opt")
Read = Callable[[Published], Kinds]


def carried(
    packages: Sequence[Package], published: Mapping[str, Sequence[Published]], read: Mapping[str, Read]
) -> list[Package]:
    """The packages, each told what it has to carry over. published: what is listed now, by format. read: by format.

    Raises InputError with all paths that cannot be carried over, or if a published package cannot be read.
    """
    told: dict[_Key, dict[str, tuple[Former, ...]]] = {}
    took: dict[_Key, tuple[Alternatives, ...]] = {}
    problems: list[str] = []
    for family, listed in published.items():
        made = [package for package in packages if family in package.relations]
        comparison = _Comparison(family, made, listed, read[family])
        for package in made:
            found = comparison.of(package)
            problems += found.problems
            if found.former:
                told.setdefault(_key(package), {})[family] = found.former
        if family == "deb":
            took = {key: relations for package in made if (relations := comparison.took(key := _key(package)))}
    if problems:
        raise InputError(
            "\n".join(["nothing was published: machines cannot upgrade to this:", *dict.fromkeys(problems)]),
            hint="give the new one another path, or leave the old one as it was",
        )
    return [_helped(each, told.get(_key(each), {}), took.get(_key(each), ())) for each in packages]


def _helped(package: Package, former: Mapping[str, tuple[Former, ...]], took: tuple[Alternatives, ...]) -> Package:
    if not took:
        return replace(package, former=former)
    before = package.relations["deb"]
    more = before._replace(replaces=tuple(dict.fromkeys((*before.replaces, *took))))
    return replace(package, former=former, relations={**package.relations, "deb": more})


class Memory:
    """What kinds of paths published packages have, so that each is read once. Losing the file costs time alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before: dict[str, Any] = {}
        self._now: dict[str, Any] = {}
        try:
            raw = json.loads(path.read_bytes())
            self._before = raw["packages"] if raw["program"] == state.own_fingerprint() else {}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass

    def reading(self, output: Path, read: Callable[[Path], Kinds]) -> Read:
        """A function for packages below output that remembers what read says of their files."""

        def remembered(item: Published) -> Kinds:
            known: Any = self._before.get(item.file)
            try:
                sha256, directories, links, configs, files = known
                if sha256 == item.sha256:
                    found = Kinds(frozenset(directories), dict(links), frozenset(configs), frozenset(files))
                    self._now[item.file] = known
                    return found
            except (TypeError, ValueError):
                pass
            found = read(output / item.file)
            lists = (found.directories, found.configs, found.files)
            directories, configs, files = map(sorted, lists)
            self._now[item.file] = [item.sha256, directories, dict(found.links), configs, files]
            return found

        return remembered

    def save(self) -> None:
        """Keep what was read, of packages that are still there."""
        if self._now != self._before:
            text = json.dumps({"program": state.own_fingerprint(), "packages": self._now}, sort_keys=True)
            atomic.write(self._path, text.encode())


_Key = tuple[str, str, str]


def _key(package: Package) -> _Key:
    return package.name, package.architecture, str(package.version)


@dataclass(frozen=True, slots=True)
class _Found:
    former: tuple[Former, ...]
    problems: tuple[str, ...]


class _Comparison:
    """All packages of one format with those that are published."""

    def __init__(self, family: str, made: Sequence[Package], listed: Sequence[Published], read: Read) -> None:
        self._made = {_key(package): _kinds(package, family) for package in made}
        self._listed: dict[str, list[Published]] = {package.name: [] for package in made}
        for item in listed:
            if item.name in self._listed and (item.name, item.architecture, item.version) not in self._made:
                self._listed[item.name].append(item)
        self._read = read
        self._known: dict[str, Kinds] = {}

    def of(self, package: Package) -> _Found:
        """What one package carries over, and lines about what it cannot."""
        found: dict[Former, set[str]] = {}
        problems = []
        now, version = self._made[_key(package)], versions.key(str(package.version))
        for item in self._listed[package.name]:
            fits = item.architecture == "all" or package.architecture in (item.architecture, "all")
            if not fits or versions.key(item.version) >= version:
                continue
            was = self._kinds(item)
            for path, change in _changes(was, now):
                if why := self._why_not(package.name, path, change, was):
                    said = f"{change.was} in {item.version}, {_spelled(change)} in {package.version}"
                    problems.append(f"  {package.name}: {path} is a {said}: {why}")
                elif change.now != "gone" or not self._has_moved(package.name, path):
                    found.setdefault(change._replace(inside=()), set()).update(change.inside)
        former = [
            change._replace(inside=tuple(sorted(inside, reverse=True))) for change, inside in sorted(found.items())
        ]
        return _Found(tuple(former), tuple(problems))

    def _kinds(self, item: Published) -> Kinds:
        if item.file not in self._known:
            self._known[item.file] = self._read(item)
        return self._known[item.file]

    def _why_not(self, package: str, path: str, change: Former, was: Kinds) -> str:
        if change.was == "config" and change.now != "gone":
            return "what people wrote into it would be lost"
        if change.was != "directory":
            return ""
        if path.startswith(tuple(f"{place}/" for place in KEPT)):
            return "others have files in it"
        if any(_below(path, config) for config in was.configs):
            return "it has configuration files"
        for name, kinds in self._others(package):
            if path in kinds.directories:
                return f"{name} has files in it"
        return ""

    def took(self, key: _Key) -> tuple[Alternatives, ...]:
        """The packages of which this one has files now, in the versions that still have them.

        dpkg lets no package write over another one's file that does not say so (Policy 7.6.1); rpm looks whether the
        other one goes away in the same transaction.
        """
        found: dict[str, str] = {}
        mine = self._made[key]
        for path in (*mine.files, *mine.links, *mine.configs):
            for name in self._owners.get(path, ()):
                now = {version: kinds for (other, _, version), kinds in self._made.items() if other == name}
                if name != key[0] and not any(path in _all(kinds) for kinds in now.values()):
                    found[name] = max(now, key=versions.key)
        return tuple((Relation(name, "<", version),) for name, version in sorted(found.items()))

    @cached_property
    def _owners(self) -> Mapping[str, set[str]]:
        """Names of the published packages that have a file, by its path."""
        found: dict[str, set[str]] = {}
        for name, items in self._listed.items():
            for path in (path for item in items for path in _all(self._kinds(item))):
                found.setdefault(path, set()).add(name)
        return found

    def _has_moved(self, package: str, path: str) -> bool:
        """Whether another package has the configuration file now, which must not take it away then."""
        return any(path in kinds.configs | kinds.files for (name, *_), kinds in self._made.items() if name != package)

    def _others(self, package: str) -> Iterator[tuple[str, Kinds]]:
        """The other packages that may be on a machine then, in the new version and in all before."""
        yield from ((name, kinds) for (name, *_), kinds in self._made.items() if name != package)
        for name, items in self._listed.items():
            if name != package:
                yield from ((f"{name} {item.version}", self._kinds(item)) for item in items)


def _kinds(package: Package, family: str) -> Kinds:
    return Kinds.of((entry.path, entry.type, entry.target) for entry in package.entries_of(family))


def _all(kinds: Kinds) -> set[str]:
    """Paths of what is no directory."""
    return {*kinds.files, *kinds.links, *kinds.configs}


def _changes(was: Kinds, now: Kinds) -> Iterator[tuple[str, Former]]:
    """What is of another kind, by path; a configuration file is one that has to stay one, or go."""
    for path in sorted(was.directories):
        if path in now.links:
            yield path, Former(path, "directory", "symlink", now.links[path], _inside(path, was))
        elif path in now.files or path in now.configs:
            yield path, Former(path, "directory", "file", "", _inside(path, was))
    for path, target in sorted(was.links.items()):
        if path in now.directories:
            yield path, Former(path, "symlink", "directory", target)
    for path in sorted(was.configs):
        kinds: tuple[tuple[Literal["directory", "symlink"], Iterable[str]], ...]
        kinds = ("directory", now.directories), ("symlink", now.links)
        becomes = next((kind for kind, paths in kinds if path in paths), None)
        if becomes is not None:
            yield path, Former(path, "config", becomes)
        elif path not in now.configs and path not in now.files:
            yield path, Former(path, "config", "gone")


def _below(directory: str, path: str) -> bool:
    return path.startswith(f"{directory}/")


def _inside(directory: str, was: Kinds) -> tuple[str, ...]:
    files = (path for paths in (was.files, was.links) for path in paths if _below(directory, path))
    folders = (f"{path}/" for path in was.directories if _below(directory, path))
    return tuple(path.removeprefix(f"{directory}/") for path in (*files, *folders))


def _spelled(change: Former) -> str:
    return {"symlink": "link", "gone": "not there"}.get(change.now, change.now)
