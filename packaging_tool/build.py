"""One whole run, for the command line and anybody else: lock, build, package, publish.

All work goes into a copy of the output directory beside it (hard links, so it costs nothing). Only when all of it is
there does the copy take the place of the directory, in one exchange. Whatever goes wrong before, even a kill, leaves
the output as it was; the next run sweeps the leftovers.
"""

from __future__ import annotations

import fcntl
import glob
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import cast

from packaging_tool import atomic, registry, state, targets, writing
from packaging_tool import lock as locking
from packaging_tool import plan as planning
from packaging_tool import publish as publishing
from packaging_tool.authors import site as authors
from packaging_tool.authors import verdict, work
from packaging_tool.authors.core import Core
from packaging_tool.authors.neighbours import Neighbour
from packaging_tool.drivers.base import Driver, Failure, Outcome
from packaging_tool.errors import BuildError, InputError, MkpkgsError, PublishError, SigningError
from packaging_tool.formats.base import Built, Format
from packaging_tool.listener import Listener
from packaging_tool.package.model import Package
from packaging_tool.project import contents
from packaging_tool.project.model import Project
from packaging_tool.repos.base import Repository
from packaging_tool.signing import keys

CACHE = ".mkpkgs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to run.

    output: directory for the repositories. architectures: a choice of the project's, empty for all. jobs: threads, 0
    for one per processor. plugins: a choice of plugins to package, empty for all. keys: directory of the keys, None for
    the usual place. due: where the core is somebody else's, look what is published of it, and build only for those
    cores for which something is missing in output.
    """

    output: Path
    architectures: tuple[str, ...] = ()
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
        locked = run.locked()
        made: list[Package] = []
        for architecture in run.architectures:
            outline = run.driver.outline(project, locked.part, architecture, run.workdir)
            trust = planning.Trust(keys=run.public_keys(locked), sign=None)
            made += planning.packages(
                project, outline, architecture, run.driver.target(project), trust, run.epoch(locked)
            )
        return tuple(made)


def lock(project: Project, settings: Settings, listener: Listener) -> bool:
    """Resolve the inputs of the build anew and write `mkpkgs.lock`; says whether it changed."""
    run = _Run(project, settings, listener)
    with run.exclusive():
        before = locking.path_of(project.file).read_bytes() if locking.path_of(project.file).exists() else b""
        run.locked(fresh=True)
        return before != locking.path_of(project.file).read_bytes()


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
) -> tuple[verdict.Verdict, ...]:
    """Whether the plugins of an author fit each published core; see `authors/verdict.py`."""
    run = _Run(project, settings, listener)
    with run.exclusive():
        known = locking.read(locking.path_of(project.file))
        previous = known.part if known is not None else None
        cores = run.cache / "cores"
        return verdict.check(project, previous, run.driver, run.workdir, cores, listener, against=against, load=load)


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
    # Where the core is somebody else's: the published ones to build for.
    cores: tuple[Core, ...] = ()
    others: tuple[Neighbour, ...] = ()

    @cached_property
    def architectures(self) -> tuple[str, ...]:
        known = self.project.core.architectures
        for name in self.settings.architectures:
            if name not in known:
                raise InputError(f"architecture {name!r} is not one of the project's: {', '.join(known)}")
        return self.settings.architectures or known

    @cached_property
    def driver(self) -> Driver:
        return cast(Driver, registry.load("drivers", self.project.core.driver).Driver())

    @cached_property
    def formats(self) -> dict[str, Format]:
        names = targets.formats(self.project.core.targets)
        return {name: cast(Format, registry.load("formats", name).Format()) for name in names}

    @cached_property
    def repositories(self) -> dict[str, Repository]:
        """Repository kinds of the project's formats, by format."""
        found = (cast(Repository, registry.load("repos", name).Repository()) for name in registry.names("repos"))
        return {kind.format: kind for kind in found if kind.format in self.formats}

    @cached_property
    def cache(self) -> Path:
        path = self.project.root / CACHE
        path.mkdir(mode=0o700, exist_ok=True)
        # So that nobody commits it by accident, whatever the version control's settings.
        if not (path / ".gitignore").exists():
            atomic.write(path / ".gitignore", b"*\n")
        return path

    @cached_property
    def workdir(self) -> Path:
        path = self.cache / self.project.core.driver
        path.mkdir(exist_ok=True)
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

    def locked(self, *, fresh: bool = False) -> locking.LockFile:
        """The lock, resolved anew where the project no longer fits it, and written."""
        path = locking.path_of(self.project.file)
        core = self.project.core
        known = locking.read(path)
        previous = known.part if known is not None and known.driver == core.driver else None
        if self.project.plugin_of is not None:
            version = work.mark(self.project)
            part = work.lock(self.project, previous, self.listener, fresh=fresh)
        else:
            version = f"{core.version}-{core.release}"
            part = self.driver.lock(self.project, None if fresh else previous, self.workdir, self.listener)
        moment = known.time if known is not None and known.version == version else int(time.time())
        found = locking.LockFile(version, moment, core.driver, part)
        if locking.write(path, found):
            self.listener.note(f"wrote {path.name}")
        return found

    def epoch(self, locked: locking.LockFile) -> int:
        """SOURCE_DATE_EPOCH: the variable, else the newest changelog entry, else the time of the first lock."""
        said = os.environ.get("SOURCE_DATE_EPOCH", "")
        if said:
            if not said.isascii() or not said.isdigit() or int(said) >= locking.END_OF_TIME:
                raise InputError(f"SOURCE_DATE_EPOCH={said!r} is not a number of seconds from 1970 to 2106")
            return int(said)
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

    def go(self, *, packages: bool, repositories: bool) -> Report:
        """Run, and put the result into place at the end."""
        began = time.monotonic()
        with ExitStack() as stack:
            stack.enter_context(self._interruptible())
            stack.enter_context(self.exclusive())
            if not self._settle():
                return Report(seconds=time.monotonic() - began)
            # Before anything reads them: what somebody changes from here on is the next run's work.
            sources = self._sources()
            locked = self.locked()
            # A distribution's build machine has no keys, and needs none as long as it makes no repository.
            spared = self.project.core.trust == "distribution" and not repositories
            name = self.project.name
            ring = stack.enter_context(keys.load(name, self.epoch(locked), self.settings.keys, spared=spared))
            before = state.load(self.cache / "state.json")
            inputs = self._inputs(sources, ring, locked)
            if packages and repositories and not self.settings.due and self._is_current(before, inputs):
                return Report(unchanged=len(before.packages), seconds=time.monotonic() - began)
            ring.unlock()
            self._fitting(ring)
            staging = stack.enter_context(self._staging())
            after = state.State(packages=dict(before.packages), files=before.files)
            if packages:
                self._packages(staging, locked, ring, after)
            if repositories:
                self._publish(staging, ring, locked)
            self._open_new_directories(staging)
            atomic.exchange(staging, self.settings.output.resolve())
            self.exchanged = True
            after.files = state.stamps(self.settings.output)
            after.packages = {name: kept for name, kept in after.packages.items() if name in after.files}
            # With a failure or a choice of plugins, the next run has work left.
            chosen = self.settings.plugins or self.settings.due
            whole = packages and repositories and not self.failures and not chosen
            locked = locking.read(locking.path_of(self.project.file)) or locked
            after.inputs = self._inputs(sources, ring, locked) if whole else ""
            state.save(self.cache / "state.json", after)
        return Report(
            written=tuple(sorted(self.written)),
            unchanged=self.unchanged,
            failures=tuple(self.failures),
            changed=True,
            seconds=time.monotonic() - began,
        )

    def _settle(self) -> bool:
        """Where the core is somebody else's, fetch what is published of it; from here on, core is the newest one.

        False if nothing is due.
        """
        if self.project.plugin_of is None:
            return True
        locked = self.locked(fresh=self.settings.due)
        cache = self.cache / "cores"
        self.project, self.cores, self.others = work.settle(self.project, locked.part, cache, self.listener)
        if not self.settings.due:
            return True
        listed = [item for kind in self.repositories.values() for item in kind.published(self.settings.output)]
        self.cores = work.due(self.project, self.cores, listed)
        return bool(self.cores)

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
        chosen = self.project.core.targets
        if unfit := targets.unfit_keys(chosen, *ring.kinds):
            raise SigningError(
                f"the keys in {ring.directory} do not fit the targets: {'; '.join(unfit)}",
                hint="make others in a new directory (mkpkgs key new --keys DIR), or leave the target out",
            )

    def _is_current(self, before: state.State, inputs: str) -> bool:
        return before.inputs == inputs and before.files == state.stamps(self.settings.output)

    def _sources(self) -> str:
        """Hash over what the maintainer wrote."""
        project = self.project
        specs = [*project.core.files, *(spec for plugin in project.plugins for spec in plugin.files)]
        files = [entry for entry in contents.expand(project.root, specs) if entry.content is not None]
        return state.digest(
            [
                project.file.read_text(encoding="utf-8"),
                self.driver.fingerprint(project, None),
                *(self.driver.fingerprint(project, plugin.name) for plugin in project.plugins),
                *(f"{entry.path} {entry.mode} {entry.content.sha256}" for entry in files if entry.content),
            ]
        )

    def _inputs(self, sources: str, ring: keys.Ring, locked: locking.LockFile) -> str:
        """Hash over everything that shapes the output; see State.inputs."""
        return state.digest(
            [
                state.own_fingerprint(),
                registry.origin("drivers", self.project.core.driver),
                sources,
                locked.render(),
                str(self.epoch(locked)),
                *self.architectures,
                str(self.settings.output.absolute()),
                ring.fingerprint,
            ]
        )

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        """A copy of the output directory beside it, removed at the end: by then it is the old output, or a failure."""
        output = self.settings.output.resolve()
        output.parent.mkdir(parents=True, exist_ok=True)
        with self._turn(output.parent):
            prefix = f".{output.name}."
            for left in output.parent.glob(f"{glob.escape(prefix)}*.staging"):
                shutil.rmtree(left, ignore_errors=True)
            try:
                staging = Path(tempfile.mkdtemp(prefix=prefix, suffix=".staging", dir=output.parent))
            except OSError as failed:
                raise BuildError(
                    f"cannot write beside {self.settings.output}: {failed.strerror}",
                    hint="the output directory is made beside and exchanged as a whole; -o names another place",
                ) from None
            staging.chmod(0o755)
            try:
                if output.exists():
                    shutil.copytree(output, staging, dirs_exist_ok=True, copy_function=os.link)
                yield staging
            except MkpkgsError as error:
                # The staging directory is gone when the message is read.
                error.message = error.message.replace(str(staging), str(self.settings.output))
                raise
            except OSError as error:
                if error.filename:
                    error.filename = str(error.filename).replace(str(staging), str(self.settings.output))
                raise
            finally:
                shutil.rmtree(staging, ignore_errors=True)

    @contextmanager
    def _turn(self, place: Path) -> Iterator[None]:
        """Wait until no other project writes an output directory in place: it may be the same one.

        Of two runs at once, the second exchange would put back what was there before the first.
        """
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # NFS locks only what is open for writing, which no directory can be.
            with suppress(OSError):
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    self.listener.step(f"wait for another mkpkgs that writes in {place}")
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _open_new_directories(self, staging: Path) -> None:
        """Whatever the umask, a web server has to read what is new; what was there keeps the mode that it has."""
        for name, _, _ in os.walk(staging):
            if not (self.settings.output / os.path.relpath(name, staging)).is_dir():
                Path(name).chmod(0o755)

    def _packages(self, staging: Path, locked: locking.LockFile, ring: keys.Ring, after: state.State) -> None:
        made: list[Package] = []
        for project, architecture, outcome in self._outcomes(locked):
            self.failures += [f for f in outcome.failures if f not in self.failures]
            made += self._plan(project, outcome, architecture, ring, locked)
        if self.cores:
            work.doubles(made)
        self._write(staging, made, ring, after)
        try:
            authors.lay_out(self.project, made, staging)
        except OSError as failed:
            raise BuildError(f"cannot write the files for authors of plugins: {failed.strerror}") from failed

    def _outcomes(self, locked: locking.LockFile) -> Iterator[tuple[Project, str, Outcome]]:
        """Build for each architecture, or for each published core of somebody else."""
        core = self.project.core
        for architecture in self.architectures if not self.cores else ():
            self.listener.step(f"build {core.name} {core.version} for {architecture}")
            outcome, part = self.driver.build(self.project, locked.part, architecture, self.workdir, self.listener)
            locked = replace(locked, part=part)
            yield self.project, architecture, outcome
        tools = (self.driver, self.workdir, self.cache / "cores", self.listener)
        cores = [one for one in self.cores if one.architecture in self.architectures]
        part, foreseen = work.foresee(self.project, cores, locked.part, *tools)
        locking.write(locking.path_of(self.project.file), replace(locked, part=part))
        for found in cores:
            self.listener.step(f"build for {found}")
            made, outcome = work.against(self.project, found, self.others, foreseen, *tools)
            yield made, found.architecture, outcome

    def _plan(
        self, project: Project, outcome: Outcome, architecture: str, ring: keys.Ring, locked: locking.LockFile
    ) -> Iterable[Package]:
        trust = planning.Trust(keys=ring.trusted(project.core.revoked_keys), sign=ring.sign_manifest)
        target = self.driver.target(project)
        found = planning.packages(project, outcome, architecture, target, trust, self.epoch(locked))
        chosen = self.settings.plugins
        if not chosen:
            return found
        for name in chosen:
            if name not in {plugin.name for plugin in self.project.plugins}:
                raise InputError(f"the project has no plugin {name!r}")
        wanted = {f"{self.project.core.name}-plugin-{name}" for name in chosen}
        return [package for package in found if package.name in wanted]

    def _write(self, staging: Path, packages: Sequence[Package], ring: keys.Ring, after: state.State) -> None:
        """Write every package in every format it is for; those that are still right are taken as they are."""
        pools = {}
        for family in self.formats:
            folder = self.repositories[family].pool(staging, self.project.name)
            folder.mkdir(parents=True, exist_ok=True)
            pools[family] = writing.Pool(folder, os.path.relpath(folder, staging))
        total = sum(len(package.relations) for package in packages)
        done = itertools.count(1)
        new: list[Path] = []

        def record(made: writing.Made) -> None:
            path = staging / made.built.path
            self.built.setdefault(made.family, []).append(replace(made.built, path=path))
            if made.new:
                new.append(path)
                self.written.append(self.settings.output / made.built.path)
                after.packages[made.relative] = (made.mark, made.built)
            self.listener.progress("write packages", next(done), total)

        jobs = self.settings.jobs or len(os.sched_getaffinity(0))
        writing.Writer(self.formats, pools, self.settings.output, ring, after, record).write(packages, jobs)
        self.unchanged = total - len(self.written)
        try:
            atomic.sync_files(new)
        except OSError as failed:
            raise BuildError(f"cannot write the packages: {failed.strerror}") from failed

    def _publish(self, staging: Path, ring: keys.Ring, locked: locking.LockFile) -> None:
        for family, kind in self.repositories.items():
            self.listener.step(f"write the {kind.name} repository")
            kind.write(
                staging,
                self.built.get(family, ()),
                self.project.repository,
                self.project.name,
                self.epoch(locked),
                ring.signer,
            )
        kinds = tuple(self.repositories.values())
        try:
            told = publishing.check(self.project, self.settings.output, staging, kinds)
        except PublishError as refused:
            # Most often a plugin is missing because it does not build.
            raise refused from (BuildError("\n".join(map(str, self.failures))) if self.failures else None)
        for line in told:
            self.listener.warn(line)
        listed = [item for kind in kinds for item in kind.published(staging)]
        authors.write_index(self.project.core.name, staging, listed, ring.sign_manifest)
        key = ring.manifest_public_keys.get("manifest.pub", b"")
        for name, data in publishing.site(self.project, staging, kinds, ring.signer, key).items():
            atomic.write(staging / name, data)
