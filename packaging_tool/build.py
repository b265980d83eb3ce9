"""One whole run, for the command line and anybody else: lock, build, package, publish.

All work goes into a copy of the output directory beside it (hard links, so it costs nothing). Only when all of it is
there does the copy take the place of the directory, in one exchange. Whatever goes wrong before, even a kill, leaves
the output as it was; the next run sweeps the leftovers.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from packaging_tool import atomic, registry, state, targets
from packaging_tool import lock as locking
from packaging_tool.errors import BuildError, InputError, PublishError, SigningError
from packaging_tool.listener import Listener
from packaging_tool.project import contents
from packaging_tool.project.model import Project
from packaging_tool.staging import beside, open_new_directories

if TYPE_CHECKING:
    from packaging_tool import plan as planning
    from packaging_tool import publish as publishing
    from packaging_tool import writing
    from packaging_tool.authors import site as authors
    from packaging_tool.authors import work
    from packaging_tool.authors.verdict import Verdict
    from packaging_tool.drivers.base import Driver, Failure, Foreseen, Outcome
    from packaging_tool.formats.base import Built, Format
    from packaging_tool.package.model import Package
    from packaging_tool.repos.base import Repository
    from packaging_tool.signing import keys
else:
    # Many runs have nothing to do, and most have no core of somebody else.
    planning, publishing, writing = map(registry.later, ("plan", "publish", "writing"))
    authors, work, keys = map(registry.later, ("authors.site", "authors.work", "signing.keys"))

CACHE = ".mkpkgs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to run.

    output: directory for the repositories. architectures: a choice of the project's, empty for all. abis: a choice of
    its cores, where it has several. jobs: packages at a time, 0 for one per processor. plugins: a choice of plugins to
    package, empty for all. keys: directory of the keys, None for the usual place. due: where the core is somebody
    else's, look what is published of it, and build only for those cores for which something is missing in output.
    """

    output: Path
    architectures: tuple[str, ...] = ()
    abis: tuple[str, ...] = ()
    jobs: int = 0
    plugins: tuple[str, ...] = ()
    keys: Path | None = None
    due: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run did.

    written: package files that are new, below output. unchanged: how many were still right. failures: plugins that do
    not build. changed: whether output was touched at all. seconds: how long it took.
    """

    written: tuple[Path, ...] = ()
    unchanged: int = 0
    failures: tuple[Failure, ...] = ()
    changed: bool = False
    seconds: float = 0.0


def plan(project: Project, settings: Settings, listener: Listener) -> tuple[Package, ...]:
    """The packages to come, without building them: contents that are not known yet are None."""
    run = _Run(project, settings, listener)
    with run.exclusive():
        if project.plugin_of is not None:
            raise InputError("what comes out for somebody else's core shows when it is built", hint="run: mkpkgs check")
        locks = run.locks()
        return run.outlined(locks, run.public_keys(run.newest(locks)))


def lock(project: Project, settings: Settings, listener: Listener) -> bool:
    """Resolve the inputs of the build anew and write `mkpkgs.lock`; says whether it changed."""
    run = _Run(project, settings, listener)
    with run.exclusive():
        paths = [locking.path_of(each) for each in run.chosen]
        before = [path.read_bytes() if path.exists() else b"" for path in paths]
        locks = run.locks(fresh=True)
        run.settle()
        for one in run.against.values():
            run.foresee(one, locks[one.project.abi], anew=True)
        return before != [path.read_bytes() for path in paths]


def build(project: Project, settings: Settings, listener: Listener) -> Report:
    """Build packages into the pools of the repositories, without touching the indexes."""
    return _Run(project, settings, listener).go(packages=True, repositories=False)


def publish(project: Project, settings: Settings, listener: Listener) -> Report:
    """Write the repositories from the packages that lie in the pools."""
    return _Run(project, settings, listener).go(packages=False, repositories=True)


def everything(project: Project, settings: Settings, listener: Listener) -> Report:
    """Do all that the project file describes. Where nothing changed since the last run, do nothing."""
    return _Run(project, settings, listener).go(packages=True, repositories=True)


def check(
    project: Project, settings: Settings, listener: Listener, *, against: str = "", load: bool = False
) -> tuple[Verdict, ...]:
    """Whether the plugins of an author fit each published core; see `authors/verdict.py`."""
    from packaging_tool.authors import verdict  # no other run needs it, or the roots that it tries plugins in

    run = _Run(project, settings, listener)
    with run.exclusive():
        found: list[Verdict] = []
        for each in run.chosen:
            known = locking.read(locking.path_of(each))
            previous = known.part if known is not None else None
            found += verdict.check(each, previous, *run.tools(each), against=against, load=load)
        return tuple(found)


@dataclass
class _Run:
    """The state of one run; nothing of it outlives the run but files."""

    project: Project
    settings: Settings
    listener: Listener
    written: list[Path] = field(default_factory=list)
    built: dict[str, list[Built]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    unchanged: int = 0
    exchanged: bool = False
    # Where the cores are somebody else's: what there is to build for, by `abi` of the project.
    against: dict[str, work.Settled] = field(default_factory=dict)

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
        found = (cast("Repository", registry.load("repos", name).Repository()) for name in registry.names("repos"))
        return {kind.format: kind for kind in found if kind.format in self.formats}

    @cached_property
    def cache(self) -> Path:
        path = self.project.root / CACHE
        path.mkdir(mode=0o700, exist_ok=True)
        # So that nobody commits it by accident, whatever the version control's settings.
        if not (path / ".gitignore").exists():
            atomic.write(path / ".gitignore", b"*\n")
        return path

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

    def workdir(self, project: Project) -> Path:
        """Where the driver keeps what it builds for a core."""
        path = self.cache / self.project.core.driver / project.abi
        path.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """One run at a time in a project: two would build into the same folders."""
        with (self.cache / "busy").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BuildError(f"another mkpkgs is at work in {self.project.root}", hint="wait for it") from None
            yield

    def locks(self, *, fresh: bool = False) -> dict[str, locking.LockFile]:
        """The locks of the chosen cores by their `abi`."""
        return {each.abi: self.locked(each, fresh=fresh) for each in self.chosen}

    def newest(self, locks: Mapping[str, locking.LockFile]) -> locking.LockFile:
        """The lock whose time counts for what all cores share."""
        return max(locks.values(), key=lambda locked: locked.time)

    def locked(self, project: Project, *, fresh: bool = False, look: bool = False) -> locking.LockFile:
        """The lock of a core, resolved anew where the project no longer fits it, and written.

        look: only for new versions, where the core is somebody else's.
        """
        path = locking.path_of(project)
        core = project.core
        known = locking.read(path)
        previous = known.part if known is not None and known.driver == core.driver else None
        if self.project.plugin_of is not None:
            version = work.mark(project)
            part = work.lock(project, previous, self.listener, look=fresh or look)
        else:
            version = f"{core.version}-{core.release}"
            part = self.driver.lock(project, None if fresh else previous, self.workdir(project), self.listener)
        moment = known.time if known is not None and known.version == version else int(time.time())
        found = locking.LockFile(version, moment, core.driver, part)
        if locking.write(path, found):
            self.listener.note(f"wrote {path.name}")
        return found

    def epoch(self, locked: locking.LockFile) -> int:
        """SOURCE_DATE_EPOCH: the variable, else the newest changelog entry, else the time of the first lock."""
        said = locking.said_epoch()
        if said is not None:
            return said
        if self.project.core.changelog:
            return planning.seconds(self.project.core.changelog[0].date)
        return locked.time

    def public_keys(self, locked: locking.LockFile) -> Mapping[str, bytes]:
        """Public keys of manifests by file name; without keys, the name that there will be."""
        try:
            with keys.load(self.project.name, self.epoch(locked), self.settings.keys) as ring:
                return ring.trusted(self.project.core.revoked_keys)
        except SigningError:
            return {"manifest.pub": b""}

    def outlined(self, locks: Mapping[str, locking.LockFile], public: Mapping[str, bytes]) -> tuple[Package, ...]:
        """The packages to come, as far as they are known before the build. public: keys of manifests by file name."""
        trust = planning.Trust(keys=public, sign=None)
        made: list[Package] = []
        for each, architecture in itertools.product(self.chosen, self.architectures):
            locked, target = locks[each.abi], self.driver.target(each)
            outline = self.driver.outline(each, locked.part, architecture, self.workdir(each))
            made += planning.packages(each, outline, architecture, target, trust, self.epoch(locked))
        planning.apart(made)
        return tuple(made)

    def go(self, *, packages: bool, repositories: bool) -> Report:
        """Run, and put the result into place at the end."""
        began = time.monotonic()
        with ExitStack() as stack:
            stack.enter_context(self._interruptible())
            stack.enter_context(self.exclusive())
            if not self.settle():
                return Report(seconds=time.monotonic() - began)
            # Before anything reads them: what somebody changes from here on is the next run's work.
            sources = self._sources()
            locks = self.locks()
            time_of_all = self.epoch(self.newest(locks))
            # A distribution's build machine has no keys, and needs none as long as it makes no repository.
            spared = self.project.core.trust == "distribution" and not repositories
            name = self.project.name
            ring = stack.enter_context(keys.load(name, time_of_all, self.settings.keys, spared=spared))
            before = state.load(self.cache / "state.json")
            inputs = self._inputs(sources, ring, locks)
            if packages and repositories and not self.settings.due and self._is_current(before, inputs):
                return Report(unchanged=len(before.packages), seconds=time.monotonic() - began)
            ring.unlock()
            self._fitting(ring)
            staging = stack.enter_context(beside(self.settings.output, self.listener))
            after = state.State(packages=dict(before.packages), files=before.files)
            if packages:
                self._packages(staging, locks, ring, after)
            if repositories:
                self._publish(staging, ring, time_of_all)
            open_new_directories(staging, self.settings.output)
            atomic.exchange(staging, self.settings.output.resolve())
            self.exchanged = True
            after.files = state.stamps(self.settings.output)
            after.packages = {name: kept for name, kept in after.packages.items() if name in after.files}
            # With a failure or a choice of plugins, the next run has work left.
            chosen = self.settings.plugins or self.settings.due or self.settings.abis
            whole = packages and repositories and not self.failures and not chosen
            now = {each.abi: locking.read(locking.path_of(each)) or locks[each.abi] for each in self.chosen}
            after.inputs = self._inputs(sources, ring, now) if whole else ""
            state.save(self.cache / "state.json", after)
        return Report(
            written=tuple(sorted(self.written)),
            unchanged=self.unchanged,
            failures=tuple(self.failures),
            changed=True,
            seconds=time.monotonic() - began,
        )

    def settle(self) -> bool:
        """Where the cores are somebody else's, fetch what is published of them; from here on, those are known.

        False if nothing is due.
        """
        if self.project.plugin_of is None:
            return True
        due = self.settings.due
        for each in self.chosen:
            locked = self.locked(each, look=due)
            self.against[each.abi] = work.settle(each, locked.part, self.cache / "cores", self.listener)
        self.project = work.whole(self.project, self.against)
        if not due:
            return True
        listed = [item for kind in self.repositories.values() for item in kind.published(self.settings.output)]
        for abi, one in self.against.items():
            self.against[abi] = replace(one, cores=work.due(one.project, one.cores, listed))
        return any(one.cores for one in self.against.values())

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Say with an interruption whether it came too late."""
        try:
            yield
        except KeyboardInterrupt as stopped:
            if self.exchanged:
                stopped.add_note("the output directory was already replaced by the new one")
            raise

    def _fitting(self, ring: keys.Ring) -> None:
        """Refuse keys that some target cannot check: there, every plugin or the whole repository would be refused."""
        if unfit := targets.unfit_keys(self.targets, *ring.kinds):
            raise SigningError(
                f"the keys in {ring.directory} do not fit the targets: {'; '.join(unfit)}",
                hint="make others in a new directory (mkpkgs key new --keys DIR), or leave the target out",
            )

    def _is_current(self, before: state.State, inputs: str) -> bool:
        return before.inputs == inputs and before.files == state.stamps(self.settings.output)

    def _sources(self) -> str:
        """Hash over what the maintainer wrote."""
        said = [self.project.file.read_text(encoding="utf-8")]
        for project in self.chosen:
            specs = [*project.core.files, *(spec for plugin in project.plugins for spec in plugin.files)]
            files = [entry for entry in contents.expand(project.root, specs) if entry.content is not None]
            said.append(self.driver.fingerprint(project, None))
            said += [self.driver.fingerprint(project, plugin.name) for plugin in project.plugins]
            said += [f"{entry.path} {entry.mode} {entry.content.sha256}" for entry in files if entry.content]
        return state.digest(said)

    def _inputs(self, sources: str, ring: keys.Ring, locks: Mapping[str, locking.LockFile]) -> str:
        """Hash over everything that shapes the output; see State.inputs."""
        return state.digest(
            [
                state.own_fingerprint(),
                registry.origin("drivers", self.project.core.driver),
                sources,
                *(text for locked in locks.values() for text in (locked.render(), str(self.epoch(locked)))),
                *self.architectures,
                *self.settings.abis,
                str(self.settings.output.absolute()),
                ring.fingerprint,
            ]
        )

    def _packages(
        self, staging: Path, locks: Mapping[str, locking.LockFile], ring: keys.Ring, after: state.State
    ) -> None:
        if len(self.chosen) > 1 and not self.against:
            # So that nobody waits for a build to hear that two cores have one file.
            self.outlined(locks, ring.trusted(self.project.core.revoked_keys))
        by_core: dict[str, list[Package]] = {each.abi: [] for each in self.chosen}
        for project, architecture, outcome in self._outcomes(locks):
            failed = outcome.failures
            if project.abi and not self.against:
                failed = tuple(replace(f, message=f"for {project.core.name}: {f.message}") for f in failed)
            self.failures += [f for f in failed if f not in self.failures]
            by_core[project.abi] += self._plan(project, outcome, architecture, ring, locks[project.abi])
        made = [package for packages in by_core.values() for package in packages]
        if self.against:
            work.doubles(made)
        planning.apart(made)
        self._write(staging, made, ring, after)
        try:
            for each in self.chosen:
                authors.lay_out(each, by_core[each.abi], staging)
        except OSError as failed:
            raise BuildError(f"cannot write the files for authors of plugins: {failed.strerror}") from failed

    def _outcomes(self, locks: Mapping[str, locking.LockFile]) -> Iterator[tuple[Project, str, Outcome]]:
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
            foreseen = self.foresee(one, locks[abi])
            for found in one.cores:
                self.listener.step(f"build for {found}")
                made, outcome = work.against(one.project, found, one.others, foreseen, *self.tools(one.project))
                yield made, found.architecture, outcome

    def foresee(self, one: work.Settled, locked: locking.LockFile, *, anew: bool = False) -> Mapping[str, Foreseen]:
        """What shows of an author's plugins before anything is compiled, by ABI; what of it is to stay is locked."""
        tools = self.tools(one.project)
        part, foreseen = work.foresee(one.project, one.cores, locked.part, *tools, anew=anew)
        locking.write(locking.path_of(one.project), replace(locked, part=part))
        return foreseen

    def tools(self, project: Project) -> tuple[Driver, Path, Path, Listener]:
        return self.driver, self.workdir(project), self.cache / "cores", self.listener

    def _plan(
        self, project: Project, outcome: Outcome, architecture: str, ring: keys.Ring, locked: locking.LockFile
    ) -> Iterable[Package]:
        trust = planning.Trust(keys=ring.trusted(project.core.revoked_keys), sign=ring.sign_manifest)
        target = self.driver.target(project)
        found = planning.packages(project, outcome, architecture, target, trust, self.epoch(locked))
        chosen = self.settings.plugins
        if not chosen:
            return found
        wanted = {f"{project.core.name}-plugin-{name}" for name in chosen}
        return [package for package in found if package.name in wanted]

    def _write(self, staging: Path, packages: Sequence[Package], ring: keys.Ring, after: state.State) -> None:
        """Write every package in every format it is for; those that are still right are taken as they are."""
        total = sum(len(package.relations) for package in packages)
        done = itertools.count(1)

        def record(made: writing.Made) -> None:
            self.built.setdefault(made.family, []).append(made.built)
            if made.new:
                self.written.append(self.settings.output / made.relative)
                after.packages[made.relative] = (made.mark, made.built)
            self.listener.progress("write packages", next(done), total)

        places = writing.places(self.formats, self.repositories, staging, self.project.name)
        jobs = self.settings.jobs or len(os.sched_getaffinity(0))
        writing.Writer(places, self.settings.output, ring, after, record).write(packages, jobs)
        self.unchanged = total - len(self.written)

    def _publish(self, staging: Path, ring: keys.Ring, time_of_all: int) -> None:
        for family, kind in self.repositories.items():
            self.listener.step(f"write the {kind.name} repository")
            kind.write(
                staging,
                self.built.get(family, ()),
                self.project.repository,
                self.project.name,
                time_of_all,
                ring.signer,
            )
        kinds = tuple(self.repositories.values())
        before, listed = (publishing.listed(kinds, directory) for directory in (self.settings.output, staging))
        try:
            told = [publishing.check(each, before, listed) for each in self.chosen]
        except PublishError as refused:
            # Most often a plugin is missing because it does not build.
            raise refused from (BuildError("\n".join(map(str, self.failures))) if self.failures else None)
        for line in dict.fromkeys(line for lines in told for line in lines):
            self.listener.warn(line)
        everything = [item for items in listed.values() for item in items]
        for each in self.chosen:
            authors.write_index(each.core.name, staging, everything, ring.sign_manifest)
        key = ring.manifest_public_keys.get("manifest.pub", b"")
        for name, data in publishing.site(self.project, listed, kinds, ring.signer, key).items():
            atomic.write(staging / name, data)
