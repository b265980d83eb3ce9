"""The neutral package: what a format is given to write. No format's own words appear here.

Everything is already decided: files are expanded, sorted and checked, relations are parsed, the version is whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from packaging_tool.package import guarded
from packaging_tool.package.content import Content

EntryType = Literal["file", "config", "doc", "directory", "symlink", "ghost"]
Operator = Literal["", "<", "<=", "=", ">=", ">"]
Kind = Literal["core", "kit", "plugin", "retired", "debug", "authors"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file, directory or link of a package.

    path: absolute, normalised, without a final `/`. mode: permission bits, e.g. 0o644. content: of
    file, config and doc. target: of a symlink, as written into the link. A ghost belongs to the package but is not
    shipped (rpm `%ghost`; a .deb leaves it out). only: the format that has the entry, "" for all.
    """

    path: str
    type: EntryType = "file"
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    content: Content | None = None
    target: str = ""
    only: str = ""


class Version(NamedTuple):
    """A package version; the same text `[epoch:]upstream-release` in Debian (deb-version(7)) and rpm (EVR)."""

    upstream: str
    release: str
    epoch: int = 0

    def __str__(self) -> str:
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{epoch}{self.upstream}-{self.release}"


class Capability(NamedTuple):
    """A virtual name with a value: `caddy-abi-HASH` in a .deb, `caddy-abi(HASH)` in an .rpm."""

    name: str
    value: str


class Relation(NamedTuple):
    """A package name with an optional version condition. version is "" where operator is ""."""

    name: str
    operator: Operator = ""
    version: str = ""


# One line of a relation field: alternatives, of which the first is preferred.
Alternatives = tuple["Relation | Capability", ...]


class Relations(NamedTuple):
    """All relations of a package: tuples of alternatives; in provides, conflicts and replaces each has one item."""

    depends: tuple[Alternatives, ...] = ()
    recommends: tuple[Alternatives, ...] = ()
    suggests: tuple[Alternatives, ...] = ()
    conflicts: tuple[Alternatives, ...] = ()
    replaces: tuple[Alternatives, ...] = ()
    provides: tuple[Alternatives, ...] = ()


class Change(NamedTuple):
    """One changelog entry. version: whole text; time: seconds since 1970 UTC; author: `Name <address>`."""

    version: str
    time: int
    author: str
    changes: tuple[str, ...]


class Module(NamedTuple):
    """A library that is brought along: path `golang.org/x/net`, version `v0.50.0`.

    license: an SPDX id, "" if it is not known. copyright: lines of the license file. license_text: all of that. sum:
    `h1:…` or "". ecosystem: type of its purl.
    """

    path: str
    version: str
    license: str = ""
    copyright: tuple[str, ...] = ()
    license_text: str = ""
    sum: str = ""
    ecosystem: Literal["golang", "pypi"] = "golang"


class Former(NamedTuple):
    """A path that an earlier version has in another kind, or had as a configuration file that is gone.

    No package manager carries that over by itself. target: of the link that it was, or that it becomes. inside: what
    was in the directory, relative to it, each directory behind what is in it.
    """

    path: str
    was: Literal["directory", "symlink", "config"]
    now: Literal["directory", "symlink", "file", "gone"]
    target: str = ""
    inside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kinds:
    """What kinds of paths a package has.

    directories: also those that it only has files in. links: with their targets.
    """

    directories: frozenset[str]
    links: Mapping[str, str]
    configs: frozenset[str]
    files: frozenset[str]

    @classmethod
    def of(cls, paths: Iterable[tuple[str, str, str]]) -> Kinds:
        """Out of path, type of the entry and target of a link; a ghost is on no disk."""
        found: dict[str, dict[str, str]] = {"directory": {}, "symlink": {}, "config": {}, "file": {}, "ghost": {}}
        for path, kind, target in paths:
            found["file" if kind == "doc" else kind][path] = target
            parent = path.rpartition("/")[0]
            while parent and parent not in found["directory"]:
                found["directory"][parent] = ""
                parent = parent.rpartition("/")[0]
        directories, links, configs, files, _ = found.values()
        return cls(frozenset(directories), links, frozenset(configs), frozenset(files))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """What the core package does on the target when it comes, when plugins come or go, and when it leaves.

    Formats turn this into maintainer scripts, scriptlets and triggers; it holds facts, no script text.
    core: the core's name. unit: systemd unit, e.g. `caddy.service`, or "" without service. user, group, home: of the
    service. try_user: makes and tries sets. watched: the directory whose changes call apply. tool: absolute path of the
    target tool. program: the working program. made: files that apply made, which leave with the package.
    config_directory: purge removes it. for_all: whether everybody may read the plugins, not the group alone. steps: the
    last parts of the names of units in which apply runs something.
    """

    core: str
    unit: str
    user: str
    group: str
    home: str
    try_user: str
    watched: str
    tool: str
    program: str
    made: tuple[str, ...] = ()
    config_directory: str = ""
    for_all: bool = False
    steps: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """What names of units begin with that apply is run by."""
        return guarded.stem(self.core)

    @property
    def watched_mode(self) -> int:
        """Of the directory whose changes call apply."""
        return 0o755 if self.for_all else 0o750


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One package of either kind, for one architecture.

    name: of the package. source: name of the source package that all of a release share. architecture: Debian's name,
    `all` if independent. summary: without final stop. description: paragraphs parted by blank lines. license: SPDX
    expression of what is inside. section, priority: Debian's; group: rpm's. entries: sorted by path, no doubles.
    modules: compiled in. lifecycle: only for the core. compression: per format name, `method` or `method:level`.
    time: SOURCE_DATE_EPOCH, seconds; every time stamp in the package. watched: directory of all plugins, whose owner
    the core's package sees to on the target; "" for none. former: by format, what of published versions is another
    kind of file now.
    """

    kind: Kind
    name: str
    source: str
    version: Version
    architecture: str
    summary: str
    description: str
    license: str
    copyright: str
    homepage: str
    maintainer: str
    vendor: str
    section: str
    group: str
    priority: str
    entries: tuple[Entry, ...]
    time: int
    relations: dict[str, Relations]
    changelog: tuple[Change, ...]
    compression: dict[str, str]
    modules: tuple[Module, ...] = ()
    lifecycle: Lifecycle | None = None
    watched: str = ""
    former: Mapping[str, tuple[Former, ...]] = field(default_factory=dict)

    def entries_of(self, family: str) -> tuple[Entry, ...]:
        """The entries that the package has in this format."""
        return tuple(entry for entry in self.entries if entry.only in ("", family))
