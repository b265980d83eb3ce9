"""Whether the plugins of an author fit what is published of a core, without making packages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging_tool.authors import core as described
from packaging_tool.authors import load as loading
from packaging_tool.authors import neighbours, work
from packaging_tool.authors.core import Core
from packaging_tool.authors.load import Loaded
from packaging_tool.authors.neighbours import Neighbour
from packaging_tool.drivers.base import Driver, Failure, Lock, Outcome, Payload, Unchecked
from packaging_tool.errors import BuildError
from packaging_tool.listener import Listener
from packaging_tool.project.model import Project


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of the plugins of a project for one core.

    fitting: names of those that fit. loaded: where the core ran with those, as `in a clean debian12`, "" if nowhere.
    untried: what was to be tried and was not, with the reason and what helps. unchecked: by plugin, as in `Outcome`.
    """

    core: Core
    fitting: tuple[str, ...]
    failures: tuple[Failure, ...]
    loaded: str = ""
    untried: tuple[str, ...] = ()
    unchecked: Mapping[str, tuple[Unchecked, ...]] = field(default_factory=dict)


def check(
    project: Project,
    previous: Lock | None,
    driver: Driver,
    workdir: Path,
    cache: Path,
    listener: Listener,
    *,
    against: str,
    load: bool,
) -> tuple[Verdict, ...]:
    """Compile the plugins for each published core, and try them in clean roots, if load: that runs their code.

    Where there is no root, a driver that `loads` starts the core's program in a private directory instead.

    against: one of the published versions, or another place than the project's. Raises ProjectError for what can never
    go together, InputError, SigningError.
    """
    spec = described.author(project)
    before = work.Locked.parse(previous)
    known = before.key
    if re.fullmatch(r"[0-9][A-Za-z0-9.+~:-]*", against) and not (project.root / against).exists():
        spec = replace(spec, versions=(against,))
    elif against:
        spec, known = replace(spec, at=against, versions=()), ""
    asked = replace(project, plugin_of=spec)
    lock = work.lock(asked, work.Locked(known, {}, before.sums, before.pins).render(), listener, look=True)
    key = work.Locked.parse(lock).key
    others = neighbours.read(asked, listener)
    asked = replace(asked, strangers=tuple(other.name for other in others))
    found = []
    tools = (driver, workdir, cache, listener)
    for core in work.cores(asked, lock, cache):
        made = described.settled(asked, core)
        work.conflicts(made, core, others)
        # What starts a plugin runs its code.
        quiet = replace(made, core=replace(made.core, check=""))
        outcome = _built(quiet, core, others, lock, *tools)
        verdict = _verdict(core, outcome)
        if load and outcome.plugins:
            packages = cache / core.folder / "packages"
            verdict = tried(verdict, loading.load(made, core, outcome, driver, packages, listener, key=key))
            if not verdict.loaded and _starts(made, core, driver):
                outcome = _built(made, core, others, lock, *tools)
                verdict = replace(_verdict(core, outcome), loaded="in a private directory", untried=verdict.untried)
        found.append(verdict)
    return tuple(found)


def _verdict(core: Core, outcome: Outcome) -> Verdict:
    return Verdict(core, tuple(sorted(outcome.plugins)), outcome.failures, unchecked=outcome.unchecked)


def tried(verdict: Verdict, loaded: Loaded) -> Verdict:
    """A verdict with what came of the plugins in clean roots."""
    wrong = {failure.plugin for failure in loaded.failures}
    return replace(
        verdict,
        fitting=tuple(name for name in verdict.fitting if name not in wrong),
        failures=(*verdict.failures, *loaded.failures),
        loaded=f"in a clean {' and '.join(loaded.targets)}" if loaded.targets else "",
        untried=loaded.untried,
        unchecked={name: tuple(_without(rows, loaded.targets)) for name, rows in verdict.unchecked.items()},
    )


def _without(rows: Sequence[Unchecked], tried: Sequence[str]) -> Iterator[Unchecked]:
    """What is left open where plugins were installed in these targets."""
    for one in rows:
        left = tuple(name for name in one.targets if name not in tried)
        if left or not one.targets:
            yield replace(one, targets=left)


def _starts(project: Project, core: Core, driver: Driver) -> bool:
    """Whether the driver can start this core here without an installation."""
    return bool(getattr(driver, "loads", False) and project.core.trial) and loading.runs_here(core)


def _built(
    made: Project,
    core: Core,
    others: Sequence[Neighbour],
    lock: Lock,
    driver: Driver,
    workdir: Path,
    cache: Path,
    listener: Listener,
) -> Outcome:
    try:
        _, foreseen = work.foresee(made, [core], lock, driver, workdir, cache, listener)
        return work.build(made, core, others, foreseen, driver, workdir, cache, listener)
    except BuildError as error:
        failures = tuple(Failure(plugin.name, "", error.message, error.hint) for plugin in made.plugins)
        return Outcome(core.abi, Payload(()), None, {}, failures)
