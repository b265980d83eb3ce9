"""Whether the plugins of an author fit what is published of a core, without making packages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging_tool.authors import core as described
from packaging_tool.authors import neighbours, work
from packaging_tool.authors.core import Core
from packaging_tool.authors.neighbours import Neighbour
from packaging_tool.drivers.base import Driver, Failure, Lock
from packaging_tool.elf import machines
from packaging_tool.errors import BuildError, InputError
from packaging_tool.listener import Listener
from packaging_tool.project.model import Project


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of the plugins of a project for one core. fitting: names of those that fit. started: whether this
    machine can start the core's program, and did so with those."""

    core: Core
    fitting: tuple[str, ...]
    failures: tuple[Failure, ...]
    started: bool = False


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
    """Compile the plugins for each published core, and start its program with them, if load.

    against: one of the published versions, or another place than the project's. Raises ProjectError for what can never
    go together, InputError, SigningError.
    """
    spec = described.author(project)
    known = work.Locked.parse(previous).key
    if load and not getattr(driver, "loads", False):
        raise InputError(
            f"the driver {driver.name} cannot try plugins without an installed core",
            hint="install the package there",
        )
    if re.fullmatch(r"[0-9][A-Za-z0-9.+~:-]*", against) and not (project.root / against).exists():
        spec = replace(spec, versions=(against,))
    elif against:
        spec, known = replace(spec, at=against, versions=()), ""
    asked = replace(project, plugin_of=spec)
    lock = work.lock(asked, work.Locked(known, {}).render(), listener, fresh=True)
    others = neighbours.read(asked, listener)
    asked = replace(asked, strangers=tuple(other.name for other in others))
    found = []
    for core in work.cores(asked, lock, cache):
        made = described.settled(asked, core)
        work.conflicts(made, core, others)
        if not load:
            # What starts a plugin runs its code.
            made = replace(made, core=replace(made.core, service=None))
        one = _one(made, core, others, driver, workdir, cache, listener)
        found.append(replace(one, started=load and core.architecture == machines.own()))
    return tuple(found)


def _one(
    made: Project,
    core: Core,
    others: Sequence[Neighbour],
    driver: Driver,
    workdir: Path,
    cache: Path,
    listener: Listener,
) -> Verdict:
    try:
        outcome = work.build(made, core, driver, workdir, cache, listener)
    except BuildError as error:
        failures = tuple(Failure(plugin.name, "", error.message, error.hint) for plugin in made.plugins)
        return Verdict(core, (), failures)
    outcome = neighbours.sift(outcome, made, core, others)
    return Verdict(core, tuple(sorted(outcome.plugins)), outcome.failures)
