"""The cores that a run is about: which the settings choose, their locks, and what the driver makes of them.

Most often there is one, the project's own. There may be several (`core.abis`), or somebody else's, as published.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from packaging_tool import cache, clock, confine, logins, registry, state, targets
from packaging_tool import lock as locking
from packaging_tool.errors import BuildError, InputError, ProjectError
from packaging_tool.listener import Listener
from packaging_tool.project import check, contents, dates, loader, placeholders, unread
from packaging_tool.project.model import Project
from packaging_tool.signing import secrets

if TYPE_CHECKING:
    from packaging_tool.authors import work
    from packaging_tool.drivers.base import Driver, Foreseen, Outcome
    from packaging_tool.formats.base import Format
    from packaging_tool.repos.base import Repository
else:
    # Most runs have no core of somebody else.
    work = registry.later("authors.work")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to run.

    output: directory for the repositories. architectures: a choice of the project's, empty for all. abis: a choice of
    its cores, where it has several. jobs: packages at a time, 0 for one per processor. plugins: a choice of plugins to
    package, empty for all. keys: directory of the keys, None for the usual place. due: where the core is somebody
    else's, look what is published of it, and build only for those cores for which something is missing in output.
    adopt: publish all that lies in output, whoever put it there.
    """

    output: Path
    architectures: tuple[str, ...] = ()
    abis: tuple[str, ...] = ()
    jobs: int = 0
    plugins: tuple[str, ...] = ()
    keys: Path | None = None
    due: bool = False
    adopt: bool = False


@dataclass
class Cores:
    """The chosen cores of a project, and what is used to build them. Nothing of it outlives a run but files."""

    project: Project
    settings: Settings
    listener: Listener
    # Where the cores are somebody else's: what there is to build for, by `abi` of the project.
    against: dict[str, work.Settled] = field(default_factory=dict)

    @property
    def chosen(self) -> tuple[Project, ...]:
        """The projects of the cores that the settings choose."""
        known = [each.abi for each in self.project.cores if each.abi]
        for name in self.settings.abis:
            if name not in known:
                hint = f"write one of {', '.join(known)}" if known else "the project has none; leave out --abi"
                raise InputError(f"{name!r} is not one of `abis`", hint=hint)
        names = {plugin.name for each in self.project.cores for plugin in each.plugins}
        for name in self.settings.plugins:
            if name not in names:
                raise InputError(f"the project has no plugin {name!r}", hint=f"it has {', '.join(sorted(names))}")
        return tuple(each for each in self.project.cores if not self.settings.abis or each.abi in self.settings.abis)

    @cached_property
    def architectures(self) -> tuple[str, ...]:
        known = tuple(dict.fromkeys(name for each in self.chosen for name in each.core.architectures))
        for name in self.settings.architectures:
            if name not in known:
                raise InputError(f"architecture {name!r} is not one of the project's: {', '.join(known)}")
        return self.settings.architectures or known

    @cached_property
    def driver(self) -> Driver:
        return cast("Driver", registry.load("drivers", self.project.core.driver).Driver())

    @property
    def targets(self) -> tuple[str, ...]:
        """All targets: other people's cores may have each its own."""
        return tuple(dict.fromkeys(name for each in self.chosen for name in each.core.targets))

    @cached_property
    def formats(self) -> dict[str, Format]:
        names = targets.formats(self.targets)
        return {name: cast("Format", registry.load("formats", name).Format()) for name in names}

    @cached_property
    def repositories(self) -> dict[str, Repository]:
        """Repository kinds of the project's formats, by format."""
        return {kind.format: kind for kind in self.known_repositories if kind.format in self.formats}

    @cached_property
    def known_repositories(self) -> tuple[Repository, ...]:
        """All kinds: what lies in an output directory may be of one that the project does not make."""
        return tuple(cast("Repository", registry.load("repos", name).Repository()) for name in registry.names("repos"))

    @cached_property
    def cache(self) -> Path:
        try:
            return cache.directory(self.project.root, self.listener)
        except OSError as failed:
            raise _unwritable(self.project.root / cache.NAME, failed) from None

    def workdir(self, project: Project) -> Path:
        """Where the driver keeps what it builds for a core."""
        path = self.cache / self.project.core.driver / project.abi
        path.mkdir(parents=True, exist_ok=True)
        return path

    def tools(self, project: Project) -> tuple[Driver, Path, Path, Listener]:
        """What a step of an author's build needs."""
        return self.driver, self.workdir(project), self.cache / "cores", self.listener

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """One run at a time in a project: two would build into the same folders."""
        busy = self.cache / "busy"
        try:
            file = busy.open("a")
        except OSError as failed:
            raise _unwritable(self.cache, failed) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BuildError(f"another mkpkgs is at work in {self.project.root}", hint="wait for it") from None
            hidden = (secrets.directory_of(self.project.core.name, self.settings.keys), self.cache / cache.ID)
            locks = [*map(locking.path_of, self.project.cores)]
            fixed = (self.settings.output, self.project.file, *locks)
            folders = [self.project.root, *(each.root / place for each in self.chosen for place in check.named(each))]
            instead = logins.cleaned(folders, self.cache / "git")
            with (
                unread.guarding(self.project.root, self.settings.output, locks),
                confine.guarding(hidden, fixed, (self.project.root,), instead, self.listener.warn),
            ):
                self._apart()
                yield

    def _apart(self) -> None:
        """Refuse sources that this run makes, and what nobody filled in. Raises ProjectError."""
        for each in self.chosen:
            faults, problems = check.made(each)
            for found in placeholders.left(each).found:
                faults.add(*found)
            if faults.found or problems:
                raise ProjectError(loader.located(each.file, faults, problems, each.core.driver))

    def locks(self, *, fresh: bool = False) -> dict[str, locking.LockFile]:
        """The locks of the chosen cores by their `abi`."""
        return {each.abi: self._locked(each, fresh=fresh) for each in self.chosen}

    def lock(self) -> bool:
        """Resolve everything anew; says whether a lock file changed."""
        paths = [locking.path_of(each) for each in self.chosen]
        before = [path.read_bytes() if path.exists() else b"" for path in paths]
        locks = self.locks(fresh=True)
        self.settle()
        for one in self.against.values():
            self._foresee(one, locks[one.project.abi], anew=True)
        return before != [path.read_bytes() for path in paths]

    def newest(self, locks: Mapping[str, locking.LockFile]) -> locking.LockFile:
        """The lock whose time counts for what all cores share."""
        return max(locks.values(), key=lambda locked: locked.time)

    def _locked(self, project: Project, *, fresh: bool = False, look: bool = False) -> locking.LockFile:
        """The lock of a core, resolved anew where the project no longer fits it, and written.

        look: only for new versions, where the core is somebody else's.
        """
        path = locking.path_of(project)
        core = project.core
        # Of an author's lock, the key and the sums stay.
        known = locking.read(path, anew=fresh and project.plugin_of is None)
        previous = known.part if known is not None and known.driver == core.driver else None
        if self.project.plugin_of is not None:
            version = work.mark(project)
            part = work.lock(project, previous, self.listener, look=fresh or look)
        else:
            version = f"{core.version}-{core.release}"
            part = self.driver.lock(project, None if fresh else previous, self.workdir(project), self.listener)
        moment = clock.real()
        if known is not None and known.version == version and not self._needs_time(known.time, moment):
            # Only a wrong clock, or a hand, dates a lock ahead.
            moment = moment if fresh and known.time > moment + clock.SKEW else known.time
        found = locking.LockFile(version, moment, core.driver, part)
        if locking.write(path, found):
            self.listener.note(f"wrote {path.name}")
        return found

    def epoch(self, locked: locking.LockFile) -> int:
        """SOURCE_DATE_EPOCH: the variable, else the newest changelog entry, else the time of the first lock.

        An entry's day may have begun where it was written and not yet in UTC, when its midnight is still to come: then
        the time of the lock counts, which the next build finds there. Raises InputError for a lock out of the future.
        """
        said = clock.said_epoch()
        if said is not None:
            return said
        newest = self._newest_entry()
        if newest and not dates.began_elsewhere(newest, locked.time):
            return dates.seconds(newest)
        now = clock.now()
        if locked.time > now + clock.SKEW:
            raise InputError(
                f"the lock says that it is from {clock.spelled(locked.time)}, and here it is {clock.spelled(now)}",
                hint="set the clock if it is wrong; else run `mkpkgs lock`, which dates it anew",
            )
        return locked.time

    def _needs_time(self, locked: int, now: int) -> bool:
        """Whether the lock's time must stand in for a changelog's day that is still to come here, and is too old."""
        newest = self._newest_entry()
        return bool(newest) and dates.began_elsewhere(newest, now) and not dates.began_elsewhere(newest, locked)

    def _newest_entry(self) -> str:
        """The date of the newest changelog entry, "" if there is none."""
        return self.project.core.changelog[0].date if self.project.core.changelog else ""

    def sources(self) -> str:
        """Hash over what the maintainer wrote."""
        said = [self.project.file.read_text(encoding="utf-8")]
        for project in self.chosen:
            specs = [*project.core.files, *(spec for plugin in project.plugins for spec in plugin.files)]
            files = [entry for entry in contents.expand(project.root, specs) if entry.content is not None]
            said.append(self.driver.fingerprint(project, None))
            said += [self.driver.fingerprint(project, plugin.name) for plugin in project.plugins]
            said += [f"{entry.path} {entry.mode} {entry.content.sha256}" for entry in files if entry.content]
        return state.digest(said)

    def settle(self) -> bool:
        """Where the cores are somebody else's, fetch what is published of them; from here on, those are known.

        False if nothing is due.
        """
        if self.project.plugin_of is None:
            return True
        due = self.settings.due
        for each in self.chosen:
            locked = self._locked(each, look=due)
            self.against[each.abi] = work.settle(each, locked.part, self.cache / "cores", self.listener)
        self.project = work.whole(self.project, self.against)
        if not due:
            return True
        listed = [item for kind in self.repositories.values() for item in kind.published(self.settings.output)]
        for abi, one in self.against.items():
            self.against[abi] = replace(one, cores=work.due(one.project, one.cores, listed))
        return any(one.cores for one in self.against.values())

    def outcomes(self, locks: Mapping[str, locking.LockFile]) -> Iterator[tuple[Project, str, Outcome]]:
        """Build each core for each architecture, or for each published core of somebody else."""
        for project in self.chosen if not self.against else ():
            core, locked, place = project.core, locks[project.abi], self.workdir(project)
            for architecture in self.architectures:
                self.listener.step(f"build {core.name} {core.version} for {architecture}")
                outcome, part = self.driver.build(project, locked.part, architecture, place, self.listener)
                locked = replace(locked, part=part)
                yield project, architecture, outcome
            locking.write(locking.path_of(project), locked)
        for abi, one in self.against.items():
            one = replace(one, cores=tuple(core for core in one.cores if core.architecture in self.architectures))
            foreseen = self._foresee(one, locks[abi])
            for found in one.cores:
                self.listener.step(f"build for {found}")
                made, outcome = work.against(one.project, found, one.others, foreseen, *self.tools(one.project))
                yield made, found.architecture, outcome

    def _foresee(self, one: work.Settled, locked: locking.LockFile, *, anew: bool = False) -> Mapping[str, Foreseen]:
        """What shows of an author's plugins before anything is compiled, by ABI; what of it is to stay is locked."""
        tools = self.tools(one.project)
        part, foreseen = work.foresee(one.project, one.cores, locked.part, *tools, anew=anew)
        locking.write(locking.path_of(one.project), replace(locked, part=part))
        return foreseen


def _unwritable(cache: Path, failed: OSError) -> BuildError:
    return BuildError(
        f"{cache} cannot be written: {failed.strerror}",
        hint="mkpkgs keeps what it builds there: build in a copy of the project that can be written",
    )
