"""What a driver must give. To add one: a module here with a class `Driver` that fulfils this protocol, and two
dataclasses `CoreOptions` and `PluginOptions` for its tables `[core.NAME]` and `[plugin.X.NAME]` in the project file
(`_` in field names for `-` in keys; a docstring line `key: text` documents a key). Drivers that take the same settings
may have one `SHARED`, the name of a table `[core.SHARED]` and `[plugin.X.SHARED]` that all of them read: then a project
changes from one to another by its key `driver`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from packaging_tool.errors import Problem
from packaging_tool.listener import Listener
from packaging_tool.package.content import Content
from packaging_tool.package.model import Alternatives, Entry, Module
from packaging_tool.project.model import Pins, Project


@dataclass(frozen=True, slots=True)
class Payload:
    """What a driver puts into one package: its files, the modules compiled into them, and what they need to run.

    depends: by format name, relations that the files came to, such as the C library's version. abi: that a plugin asks
    the core for, "" for the core's own; else one that the core accepts. debug: debug information of the files, for a
    package of its own beside this one. own: path of the one among modules that the core or the plugin is itself: it
    says license and copyright where the project file does not.
    """

    entries: tuple[Entry, ...]
    modules: tuple[Module, ...] = ()
    depends: Mapping[str, tuple[Alternatives, ...]] = field(default_factory=dict)
    abi: str = ""
    debug: tuple[Entry, ...] = ()
    own: str = ""

    @property
    def itself(self) -> Module:
        """What the core or the plugin is itself, a nameless one if that is not known."""
        return next((module for module in self.modules if module.path == self.own), Module("", ""))


@dataclass(frozen=True, slots=True)
class Failure:
    """A plugin that does not build.

    plugin: its name. package: the source package that failed, e.g. a Go import path. message: the compiler's own lines,
    or what the core has and the plugin would need. repair: the smallest change that helps, or "".
    """

    plugin: str
    package: str
    message: str
    repair: str = ""

    def __str__(self) -> str:
        package = f" in {self.package}" if self.package else ""
        lines = "".join(f"\n  {line}" for line in self.message.rstrip().splitlines())
        repair = f"\n  repair: {self.repair}" if self.repair else ""
        return f"plugin {self.plugin} does not build{package}:{lines}{repair}"


# The ABI of an outline where only the build can tell it.
NO_ABI = "0" * 64


@dataclass(frozen=True, slots=True)
class Unchecked:
    """What of an author's plugin could not be compared. targets: for which it could not; empty for all alike."""

    what: str
    targets: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"not checked{' for ' if self.targets else ''}{', '.join(self.targets)}: {self.what}"


@dataclass(frozen=True, slots=True)
class Lock:
    """A driver's part of `mkpkgs.lock`: every input of the build that the project file does not say.

    text: TOML. It is written to the lock file as it stands and given back to the driver at the next run.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one build for one architecture.

    abi: lower-case hex. core, kit: payloads (kit None if the driver has none). plugins: by name, without the failed.
    accepts: further ABIs, alike, whose plugins the core still takes because a rule says so: older versions of a
    protocol, of a stable C API. The core package provides them all, a plugin asks for one.
    authors: files that somebody else needs to build plugins for this core, by relative path, None while they are only
    planned; see `Authoring`. unchecked: of an author's plugins, by name.
    """

    abi: str
    core: Payload
    kit: Payload | None
    plugins: Mapping[str, Payload]
    failures: tuple[Failure, ...] = ()
    authors: Mapping[str, Content | None] = field(default_factory=dict)
    accepts: tuple[str, ...] = ()
    unchecked: Mapping[str, tuple[Unchecked, ...]] = field(default_factory=dict)

    @property
    def abis(self) -> tuple[str, ...]:
        """All ABIs that the core takes, its own first."""
        return tuple(dict.fromkeys((self.abi, *self.accepts)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the driver needs on the installed machine.

    assemble: text of a POSIX sh script that makes the working program, or "" if the core's own program is it; its
    contract stands in docs/architecture.md. tree: true if the server opens files of plugins by itself: it must read
    them below /usr/lib/CORE/bin/serving/plugins/NAME, where only verified copies lie. arrange: with tree, text of a
    POSIX sh script that writes what the server needs beside these copies, such as a list of them, or ""; its contract
    stands there too. depends: more relations of the core, in neutral words. reload: true if the server takes a change
    of plugins by a reload. restarts: false if a change of plugins waits for the next start that somebody else asks for.
    """

    assemble: str = ""
    tree: bool = False
    arrange: str = ""
    depends: tuple[str, ...] = ()
    reload: bool = False
    restarts: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What shows of an author's plugins before they are compiled.

    modules: versions by path of what is compiled into each plugin that fits, by plugin. sums: a hash by name and
    version of all that comes from elsewhere, in the words of the driver's own tool; the same name always has the same.
    pins: of plugins that fit, what was chosen among several versions: names of sums. It comes back as `Project.pins`,
    to `against` at once and to the next `foresee` by the lock.
    """

    modules: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    sums: Mapping[str, str] = field(default_factory=dict)
    pins: Mapping[str, Pins] = field(default_factory=dict)


class Driver(Protocol):
    """A kind of plugin.

    workdir is a private folder of the driver's below the project's cache that lasts from run to run.
    """

    name: str

    def check(self, project: Project) -> list[Problem]:
        """Problems of the driver's own settings that need no build: line 0, key from the top of the file."""
        ...

    def lock(self, project: Project, previous: Lock | None, workdir: Path, listener: Listener) -> Lock:
        """Resolve every input of the build. Gives previous back unchanged if it still fits the project.

        Raises BuildError.
        """
        ...

    def fingerprint(self, project: Project, plugin: str | None) -> str:
        """Hash of the sources that the driver reads for the core (None) or a plugin; cheap, for up-to-date checks."""
        ...

    def outline(self, project: Project, lock: Lock, architecture: str, workdir: Path) -> Outcome:
        """The payloads to come, without building them: entries whose content is None where it is not known yet."""
        ...

    def build(
        self, project: Project, lock: Lock, architecture: str, workdir: Path, listener: Listener
    ) -> tuple[Outcome, Lock]:
        """Build core, kit and plugins. The lock that comes back also has the ABI of this architecture.

        A plugin that fails is in `failures`; the others are built. Raises BuildError if the core fails.
        """
        ...

    def target(self, project: Project) -> Target:
        """What goes with the core onto the installed machine."""
        ...


class Said(NamedTuple):
    """Where a file of the project other than the project file names a source: that file, the line, and its words."""

    file: str
    line: int
    words: str


class Source(NamedTuple):
    """A file or folder that a project file names, or a file that this names.

    key: from the top of the file. place: relative to the project file. follows: whether links in the folder are taken
    for what they lead to. ignored: names of folders in it that are not read. said: where it is named, if elsewhere.
    """

    key: str
    place: str
    follows: bool = False
    ignored: tuple[str, ...] = ()
    said: Said | None = None

    @property
    def words(self) -> str:
        """It, as it is named."""
        return self.said.words if self.said else self.place


class Sourcing(Protocol):
    """What a driver also has that packages files of the project, or builds what is there."""

    def sources(self, project: Project) -> Iterable[Source]:
        """All of them. What leads out of the project is refused, unless it has `outside = true`."""
        ...


class Authoring(Protocol):
    """What a driver has more if others than the core's maintainer can build plugins with it.

    Projects with `[plugin-of]` then use it; `check` and `fingerprint` get such projects too, `check` first without
    core_options, before anything of the core is known. loads: whether `against` starts the core's program with the
    plugins where the core has a check.
    """

    loads: bool

    def against(self, project: Project, core: Path, architecture: str, workdir: Path, listener: Listener) -> Outcome:
        """Build the plugins of the project for a core that was published elsewhere, and nothing else.

        project: core and core_options are those of the published core, plugins the author's. core: a directory with
        what the maintainer's build gave as `Outcome.authors`. What does not fit the core is a failure with a repair.
        core of the outcome is empty, kit not None if plugins need one. Raises BuildError if nothing can be built here
        for this core.
        """
        ...

    def changes(self, before: str, after: str, architecture: str) -> tuple[str, ...]:
        """What makes the ABIs of two cores differ, a line each, the gravest first; none if they are the same.

        before, after: the driver's part of their locks, as in the file `lock.toml` of `Outcome.authors`. architecture:
        Debian's name, "" for any that both have.
        """
        ...


class Resolving(Protocol):
    """A driver that knows before the build which plugins cannot be built."""

    def unresolved(self, project: Project, lock: Lock, architecture: str, workdir: Path) -> tuple[Failure, ...]:
        """Why not, of each. Raises BuildError if that cannot be known here."""
        ...


class Foreseeing(Protocol):
    """What a driver with `Authoring` has more if plugins are compiled together with what others publish."""

    def foresee(self, project: Project, core: Path, architecture: str, workdir: Path, listener: Listener) -> Foreseen:
        """Resolve what the plugins are made of, without compiling and without running any of it.

        Arguments as of `against`. Raises BuildError.
        """
        ...


class Noting(Protocol):
    """What a driver has more if a core can change for its plugins though the ABI stays the same."""

    def notes(self, before: str, after: str, architecture: str) -> tuple[str, ...]:
        """What so changed, a line each; none if the ABIs differ. The arguments are those of `Authoring.changes`."""
        ...
