"""One whole run, for the command line and anybody else: lock, build, package, publish.

All work goes into a copy of the output directory beside it (hard links, so it costs nothing). Only when all of it is
there does the copy take the place of the directory, in one exchange. Whatever goes wrong before, even a kill, leaves
the output as it was; the next run sweeps the leftovers.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging_tool import atomic, clock, confine, registry, state, targets
from packaging_tool import lock as locking
from packaging_tool.cores import Cores, Settings
from packaging_tool.errors import BuildError, InputError, PublishError, SigningError
from packaging_tool.listener import Listener
from packaging_tool.package.content import Content
from packaging_tool.project.model import Project
from packaging_tool.staging import beside, exchange, recover, tidy, undisturbed

if TYPE_CHECKING:
    from packaging_tool import covered, writing
    from packaging_tool import former as carrying
    from packaging_tool import plan as planning
    from packaging_tool import publish as publishing
    from packaging_tool.authors import site as authors
    from packaging_tool.authors import work
    from packaging_tool.authors.verdict import Verdict
    from packaging_tool.drivers.base import Failure, Outcome
    from packaging_tool.formats.base import Built
    from packaging_tool.package import clashes
    from packaging_tool.package.model import Package
    from packaging_tool.signing import keys
else:
    # Many runs have nothing to do, and most have no core of somebody else.
    covered, planning, publishing, writing = map(registry.later, ("covered", "plan", "publish", "writing"))
    carrying, clashes = registry.later("former"), registry.later("package.clashes")
    authors, work, keys = map(registry.later, ("authors.site", "authors.work", "signing.keys"))


# So many seconds before its end, a key is told of: people who maintain servers read mail once a month.
SOON = 60 * 86400


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


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to come. failures: plugins that are seen to fail already."""

    packages: tuple[Package, ...]
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class Relocked:
    """What locking did. changed: whether a lock file changed. failures: plugins that are seen to fail already."""

    changed: bool
    failures: tuple[Failure, ...]


def plan(project: Project, settings: Settings, listener: Listener) -> Planned:
    """The packages to come, without building them: contents that are not known yet are None."""
    run = _Run(project, settings, listener)
    with run.cores.exclusive():
        if project.plugin_of is not None:
            raise InputError("what comes out for somebody else's core shows when it is built", hint="run: mkpkgs check")
        locks = run.cores.locks()
        packages = run.carried(run.outlined(locks, run.public_keys(run.cores.newest(locks))))
        return Planned(tuple(packages), tuple(run.failures))


def lock(project: Project, settings: Settings, listener: Listener) -> Relocked:
    """Resolve the inputs of the build anew and write `mkpkgs.lock`."""
    run = _Run(project, settings, listener)
    with run.cores.exclusive():
        changed = run.cores.lock()
        if not run.cores.against:
            run.foretell()
        return Relocked(changed, tuple(run.failures))


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

    cores = Cores(project, settings, listener)
    with cores.exclusive():
        found: list[Verdict] = []
        for each in cores.chosen:
            known = locking.read(locking.path_of(each))
            previous = known.part if known is not None else None
            found += verdict.check(each, previous, *cores.tools(each), against=against, load=load)
        return tuple(found)


class _Run:
    """The state of one run; nothing of it outlives the run but files."""

    def __init__(self, project: Project, settings: Settings, listener: Listener) -> None:
        self.settings = settings
        self.listener = listener
        self.cores = Cores(project, settings, listener)
        self.written: list[Path] = []
        self.built: dict[str, list[Built]] = {}
        self.failures: list[Failure] = []
        self.laid: dict[str, str] = {}
        self.unchanged = 0
        self.exchanged = False

    def public_keys(self, locked: locking.LockFile) -> Mapping[str, bytes]:
        """Public keys of manifests by file name; without keys, the name that there will be."""
        try:
            with keys.load(self.cores.project.name, self.cores.epoch(locked), self.settings.keys, needs=()) as ring:
                return ring.trusted(self.cores.project.core.revoked_keys)
        except SigningError:
            return {"manifest.pub": b""}

    def outlined(self, locks: Mapping[str, locking.LockFile], public: Mapping[str, bytes]) -> tuple[Package, ...]:
        """The packages to come, as far as they are known before the build. public: keys of manifests by file name."""
        trust = planning.Trust(keys=public, sign=None)
        made: list[Package] = []
        for each, architecture in itertools.product(self.cores.chosen, self.cores.architectures):
            locked, target = locks[each.abi], self.cores.driver.target(each)
            outline = self.cores.driver.outline(each, locked.part, architecture, self.cores.workdir(each))
            self._failed(each, outline.failures)
            made += planning.packages(each, outline, architecture, target, trust, self.cores.epoch(locked))
        clashes.apart(made)
        return tuple(made)

    def foretell(self) -> None:
        """Note plugins of which the driver knows already that they cannot be built."""
        driver = self.cores.driver
        if not hasattr(driver, "unresolved"):
            return
        for each, architecture in itertools.product(self.cores.chosen, self.cores.architectures):
            locked, place = locking.read(locking.path_of(each)), self.cores.workdir(each)
            if locked is None:
                continue
            try:
                self._failed(each, driver.unresolved(each, locked.part, architecture, place))
            except BuildError as failed:
                self.listener.warn(f"for {architecture} nobody looked whether plugins can be built: {failed.message}")

    def _failed(self, project: Project, found: Sequence[Failure]) -> None:
        """Note plugins that fail; once, where they do for several architectures."""
        if project.abi and not self.cores.against:
            found = [replace(f, message=f"for {project.core.name}: {f.message}") for f in found]
        self.failures += [f for f in found if f not in self.failures]

    def go(self, *, packages: bool, repositories: bool) -> Report:
        """Run, and put the result into place at the end."""
        began = time.monotonic()
        with ExitStack() as stack:
            stack.enter_context(self._interruptible())
            stack.enter_context(self.cores.exclusive())
            recover(self.settings.output, self.listener)
            if not self.cores.settle():
                return Report(seconds=time.monotonic() - began)
            # Before anything reads them: what somebody changes from here on is the next run's work.
            sources = self.cores.sources()
            locks = self.cores.locks()
            time_of_all = self.cores.epoch(self.cores.newest(locks))
            ring = stack.enter_context(self._ring(time_of_all, packages=packages, repositories=repositories))
            before = state.load(self.cores.cache / "state.json")
            inputs = self._inputs(sources, ring, locks)
            if packages and repositories and not self.settings.due and self._is_current(before, inputs):
                return Report(unchanged=len(before.packages), seconds=time.monotonic() - began)
            # A wrong passphrase shows now. The keys are locked again while commands of the project run.
            ring.unlock()
            confine.before(ring.lock)
            self._fitting(ring)
            staging = stack.enter_context(beside(self.settings.output, self.listener))
            confine.hide(staging)
            after = state.State(packages=dict(before.packages), files=before.files)
            after.descriptions.update(before.descriptions)
            if packages:
                self._packages(staging, locks, ring, after)
            if repositories:
                if not self.settings.adopt:
                    self._cover(staging, ring, before)
                    publishing.same_key(
                        self.cores.project, self.settings.output, ring.signer, lambda: ring.fingerprints
                    )
                self._publish(staging, ring, time_of_all)
                after.published = True
            tidy(staging, self.settings.output)
            with undisturbed():
                exchange(staging, self.settings.output)
                self.exchanged = True
            after.files = state.stamps(self.settings.output)
            after.packages = {name: kept for name, kept in after.packages.items() if name in after.files}
            # With a failure or a choice of plugins, the next run has work left.
            chosen = self.settings.plugins or self.settings.due or self.settings.abis
            whole = packages and repositories and not self.failures and not chosen
            now = {each.abi: locking.read(locking.path_of(each)) or locks[each.abi] for each in self.cores.chosen}
            after.inputs = self._inputs(sources, ring, now) if whole else ""
            state.save(self.cores.cache / "state.json", after)
        return Report(
            written=tuple(sorted(self.written)),
            unchanged=self.unchanged,
            failures=tuple(self.failures),
            changed=True,
            seconds=time.monotonic() - began,
        )

    def _ring(self, time_of_all: int, *, packages: bool, repositories: bool) -> AbstractContextManager[keys.Ring]:
        """The keys, of which the secret ones that this run uses for sure must be there."""
        used = {
            keys.REPOSITORY: repositories or any(kind.signs for kind in self.cores.formats.values()),
            keys.MANIFEST: packages,
        }
        return keys.load(
            self.cores.project.name,
            # apt 3 takes no signature from the future.
            min(time_of_all, clock.real()),
            self.settings.keys,
            # A distribution's build machine has no keys, and needs none as long as it makes no repository.
            spared=self.cores.project.core.trust == "distribution" and not repositories,
            needs=[name for name, wanted in used.items() if wanted],
            published=keys.signed(self.settings.output),
        )

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
        if unfit := targets.unfit_keys(self.cores.targets, *ring.kinds):
            raise SigningError(
                f"the keys in {ring.directory} do not fit the targets: {'; '.join(unfit)}",
                hint="make others in a new directory (mkpkgs key new --keys DIR), or leave the target out",
            )
        if 0 < ring.ends <= clock.real() + SOON:
            self.listener.warn(
                f"the repository key expires on {clock.spelled(ring.ends)}: from then on every apt and dnf refuses the "
                "repository; give it more time, or make people trust its successor before"
            )

    def _is_current(self, before: state.State, inputs: str) -> bool:
        return before.inputs == inputs and before.files == state.stamps(self.settings.output)

    def _inputs(self, sources: str, ring: keys.Ring, locks: Mapping[str, locking.LockFile]) -> str:
        """Hash over everything that shapes the output; see State.inputs."""
        return state.digest(
            [
                state.own_fingerprint(),
                registry.origin("drivers", self.cores.project.core.driver),
                sources,
                *(text for locked in locks.values() for text in (locked.render(), str(self.cores.epoch(locked)))),
                *self.cores.architectures,
                *self.settings.abis,
                str(self.settings.output.absolute()),
                ring.fingerprint,
            ]
        )

    def _packages(
        self, staging: Path, locks: Mapping[str, locking.LockFile], ring: keys.Ring, after: state.State
    ) -> None:
        if len(self.cores.chosen) > 1 and not self.cores.against:
            # So that nobody waits for a build to hear that two cores have one file.
            self.outlined(locks, ring.trusted(self.cores.project.core.revoked_keys))
            self.failures.clear()
        by_core: dict[str, list[Package]] = {each.abi: [] for each in self.cores.chosen}
        # All commands have ended before the first signature.
        for project, architecture, outcome in [*self.cores.outcomes(locks)]:
            self._failed(project, outcome.failures)
            by_core[project.abi] += self._plan(project, outcome, architecture, ring, locks[project.abi])
        made = [package for packages in by_core.values() for package in packages]
        if self.cores.against:
            work.doubles(made)
        clashes.apart(made)
        self._write(staging, self.carried(made), ring, after)
        try:
            for each in self.cores.chosen:
                for name in authors.lay_out(each, by_core[each.abi], staging):
                    self.laid[name] = after.descriptions[name] = Content(staging / name).sha256
        except OSError as failed:
            raise BuildError(f"cannot write the files for authors of plugins: {failed.strerror}") from failed

    def _plan(
        self, project: Project, outcome: Outcome, architecture: str, ring: keys.Ring, locked: locking.LockFile
    ) -> Iterable[Package]:
        trust = planning.Trust(keys=ring.trusted(project.core.revoked_keys), sign=ring.sign_manifest)
        target = self.cores.driver.target(project)
        found = planning.packages(project, outcome, architecture, target, trust, self.cores.epoch(locked))
        chosen = self.settings.plugins
        if not chosen:
            return found
        wanted = {f"{project.core.name}-plugin-{name}" for name in chosen}
        return [package for package in found if package.name in wanted]

    def carried(self, packages: Sequence[Package]) -> Sequence[Package]:
        """The packages with what they have to carry over from those that are published."""
        listed = {family: kind.published(self.settings.output) for family, kind in self.cores.repositories.items()}
        if not any(listed.values()):
            return packages
        memory = carrying.Memory(self.cores.cache / "kinds.json")
        read = {family: memory.reading(self.settings.output, kind.kinds) for family, kind in self.cores.formats.items()}
        found = carrying.carried(packages, listed, read)
        memory.save()
        return found

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

        places = writing.places(self.cores.formats, self.cores.repositories, staging, self.cores.project.name)
        jobs = self.settings.jobs or len(os.sched_getaffinity(0))
        writing.Writer(places, self.settings.output, ring, after, record).write(packages, jobs)
        self.unchanged = total - len(self.written)

    def _cover(self, staging: Path, ring: keys.Ring, before: state.State) -> None:
        """Refuse what somebody put into the output directory, before it is signed."""
        made = {os.path.relpath(item.path, staging) for items in self.built.values() for item in items} | {*self.laid}
        found = covered.Covered(staging, self.settings.output, before, made)
        found.check(self.cores.known_repositories, ring)

    def _warn_of_dates(self, time_of_all: int) -> None:
        """Tell what is dated ahead of the clock: apt refuses that, so what is published is dated now instead."""
        now = clock.real()
        if time_of_all > now + clock.SKEW:
            self.listener.warn(
                f"SOURCE_DATE_EPOCH is ahead of this machine's clock: {clock.spelled(time_of_all)}, "
                "so the repositories are dated now, and the next run makes other bytes"
            )
        for kind in self.cores.repositories.values():
            if (found := kind.dated(self.settings.output)) > now + clock.SKEW:
                self.listener.warn(
                    f"the published {kind.name} repository is from {clock.spelled(found)}, ahead of this machine's "
                    f"clock: it is dated {clock.spelled(now)} now; set the clock if it is wrong"
                )

    def _publish(self, staging: Path, ring: keys.Ring, time_of_all: int) -> None:
        self._warn_of_dates(time_of_all)
        for family, kind in self.cores.repositories.items():
            self.listener.step(f"write the {kind.name} repository")
            kind.write(
                staging,
                self.built.get(family, ()),
                self.cores.project.repository,
                self.cores.project.name,
                time_of_all,
                ring.signer,
            )
        kinds = tuple(self.cores.repositories.values())
        before, listed = (publishing.listed(kinds, directory) for directory in (self.settings.output, staging))
        try:
            told = [publishing.check(each, before, listed) for each in self.cores.chosen]
        except PublishError as refused:
            # Most often a plugin is missing because it does not build.
            raise refused from (BuildError("\n".join(map(str, self.failures))) if self.failures else None)
        for line in dict.fromkeys(line for lines in told for line in lines):
            self.listener.warn(line)
        everything = [item for items in listed.values() for item in items]
        for each in self.cores.chosen:
            authors.write_index(each.core.name, staging, everything, ring.sign_anew)
        key = ring.manifest_public_keys.get("manifest.pub", b"")
        for name, data in publishing.site(self.cores.project, listed, kinds, ring.signer, key).items():
            atomic.write(staging / name, data)
