"""What a run does differently for an author of plugins: its lock, its builds, and what cannot live together."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from packaging_tool import plan, targets, toml
from packaging_tool.authors import core as described
from packaging_tool.authors import neighbours, places
from packaging_tool.authors.core import Core, Listed
from packaging_tool.authors.neighbours import Neighbour
from packaging_tool.drivers.base import Authoring, Driver, Failure, Foreseeing, Foreseen, Lock, Outcome, Payload
from packaging_tool.errors import InputError, Problem, ProjectError
from packaging_tool.listener import Listener
from packaging_tool.package.model import Package
from packaging_tool.project import check, contents, loader
from packaging_tool.project.faults import Faults
from packaging_tool.project.model import Pins, PluginOfSpec, PluginSpec, Project
from packaging_tool.repos.base import Published


@dataclass(frozen=True, slots=True)
class Locked:
    """The part of mkpkgs.lock: key of the maintainer, the cores to build for, `Foreseen.sums`, and by core the `pins`.

    Cores go by the names of their folders. A pin has its hashes in sums; one without is none.
    """

    key: str
    listed: Mapping[str, Listed]
    sums: Mapping[str, str] = field(default_factory=dict)
    pins: Mapping[str, Mapping[str, Pins]] = field(default_factory=dict)

    def render(self) -> Lock:
        """As TOML."""
        rows = {
            folder: {"sha256": row.sha256, "architecture": row.architecture, "version": row.version}
            for folder, row in sorted(self.listed.items())
        }
        tables: dict[str, Any] = {"sums": dict(sorted(self.sums.items()))} if self.sums else {}
        pins = {
            folder: {name: {"inputs": one.inputs, "files": sorted(one.files)} for name, one in sorted(plugins.items())}
            for folder, plugins in sorted(self.pins.items())
            if plugins
        }
        tables |= {"pins": pins} if pins else {}
        return Lock(toml.dumps({"plugin-of": {"key": self.key, "abi": rows, **tables}}))

    @classmethod
    def parse(cls, lock: Lock | None) -> Locked:
        """What a lock says; nothing if there is none, or of another driver. Raises InputError for a damaged one.

        Without it the key would be forgotten that the maintainer is trusted by, and folders are paths.
        """
        try:
            raw = toml.loads(lock.text).get("plugin-of", {}) if lock is not None else {}
            listed = {folder: Listed(**row) for folder, row in raw.get("abi", {}).items()}
            sums = {name: str(found) for name, found in raw.get("sums", {}).items()}
            pins = {folder: dict(_pins(plugins, sums)) for folder, plugins in raw.get("pins", {}).items()}
            found = cls(str(raw.get("key", "")), listed, sums, pins)
            if wrong := next(found._wrong(), ""):
                raise ValueError(repr(wrong[:80]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = f"mkpkgs.lock is damaged: [plugin-of]: {type(error).__name__} {error}"
            raise InputError(what, hint="take it back from version control, or delete it to lock anew") from None
        return found

    def _wrong(self) -> Iterator[str]:
        """What is not of its form."""
        if self.key and not described.is_key(self.key):
            yield self.key
        yield from (folder for folder in (*self.listed, *self.pins) if not described.is_folder(folder))
        yield from (text for name in self.sums for text in (name, self.sums[name]) if not text.isprintable())
        for row in self.listed.values():
            if not described.is_sha256(row.sha256) or not (row.architecture + row.version).isprintable():
                yield row.sha256

    def pinned(self, core: Core) -> Mapping[str, Pins]:
        """What was chosen for a core, or for the newest other one: what is known to work there should do."""
        from packaging_tool.package import versions

        others = sorted(self.pins, key=lambda folder: (folder in self.listed, versions.key(self._version(folder))))
        return next((self.pins[folder] for folder in (core.folder, *reversed(others)) if self.pins.get(folder)), {})

    def _version(self, folder: str) -> str:
        return self.listed[folder].version if folder in self.listed else "0"


def _pins(plugins: Mapping[str, Any], sums: Mapping[str, str]) -> Iterator[tuple[str, Pins]]:
    for name, row in plugins.items():
        if all(file in sums for file in row["files"]):
            yield name, Pins(str(row["inputs"]), {file: sums[file] for file in row["files"]})


def lock(project: Project, previous: Lock | None, listener: Listener, *, look: bool) -> Lock:
    """Which published cores there are to build for.

    look: for new ones; else previous is given back as long as it fits the project. Raises InputError,
    SigningError, BuildError.
    """
    spec = described.author(project)
    known = Locked.parse(previous)
    if known.listed and not look and known.listed == _chosen(spec, known.listed) and not _missing(spec, known.listed):
        return cast(Lock, previous)
    listener.step(f"look for published versions of {spec.core}")
    offer = places.look(spec, project.root, known.key)
    if offer.key and not spec.key and not known.key:
        listener.warn(f'{spec.core} is trusted as it is now; to insist on it, write key = "{offer.key}" in [plugin-of]')
    listed = _chosen(spec, offer.listed)
    if missing := _missing(spec, listed):
        there = sorted({f"{row.version} ({row.architecture})" for row in offer.listed.values()})
        raise InputError(
            f"{offer.place} has nothing for {', '.join(missing)}",
            hint=f"it has {', '.join(there) or 'nothing at all'}: see `versions` and `architectures` in [plugin-of]",
        )
    return Locked(offer.key, listed, known.sums, known.pins).render()


def _fits(version: str, wanted: str) -> bool:
    bare = version.rpartition(":")[2] if ":" not in wanted else version
    return bare == wanted or bare.rpartition("-")[0] == wanted


def _chosen(spec: PluginOfSpec, listed: Mapping[str, Listed]) -> dict[str, Listed]:
    return {
        folder: row
        for folder, row in listed.items()
        if (not spec.architectures or row.architecture in spec.architectures)
        and (not spec.versions or any(_fits(row.version, wanted) for wanted in spec.versions))
    }


def _missing(spec: PluginOfSpec, listed: Mapping[str, Listed]) -> list[str]:
    """What the project wants and is not there."""
    rows = listed.values()
    found = [wanted for wanted in spec.versions if not any(_fits(row.version, wanted) for row in rows)]
    found += [wanted for wanted in spec.architectures if all(row.architecture != wanted for row in rows)]
    return found if listed else found or [spec.core]


def cores(project: Project, lock: Lock, cache: Path) -> tuple[Core, ...]:
    """The published cores of a lock, their files in cache, oldest first. Raises InputError, BuildError."""
    locked, spec = Locked.parse(lock), described.author(project)
    # Whatever was signed then is known by its hash.
    offer = places.Offer(spec.core, places.find(spec, project.root), locked.key, dict(locked.listed))
    found = [places.fetch(offer, folder, cache) for folder in locked.listed]
    for core in found:
        if core.spec.driver != spec.driver:
            raise InputError(
                f"plugins of {core} are built with the driver {core.spec.driver}, not with {spec.driver}",
                hint=f'write driver = "{core.spec.driver}" in [plugin-of], and its settings in the plugins',
            )
    from packaging_tool.package import versions

    return tuple(sorted(found, key=lambda core: (versions.key(core.version), core.architecture)))


def foresee(
    project: Project,
    cores: Sequence[Core],
    lock: Lock,
    driver: Driver,
    workdir: Path,
    cache: Path,
    listener: Listener,
    *,
    anew: bool = False,
) -> tuple[Lock, Mapping[str, Foreseen]]:
    """What shows before anything is compiled, by core, and the lock with sums and choices of what comes from elsewhere.

    anew: choose again what the lock has chosen.
    Raises BuildError, InputError for a sum that is not the lock's.
    """
    found = {}
    locked = Locked.parse(lock)
    for core in cores if hasattr(driver, "foresee") else ():
        made, folder = described.settled(project, core), _folder(workdir, core)
        made = replace(made, pins={} if anew else locked.pinned(core))
        place = cache / core.folder / "files"
        seen = cast(Foreseeing, driver).foresee(made, place, core.architecture, folder, listener)
        for name, now in seen.sums.items():
            if now != locked.sums.get(name, now):
                raise InputError(
                    f"{name} has the sum {now} now, and {locked.sums[name]} in mkpkgs.lock",
                    hint="what was published under that version was changed: ask its author; if it is right as it is"
                    " now, delete its line in mkpkgs.lock",
                )
        locked = replace(locked, sums={**locked.sums, **seen.sums}, pins={**locked.pins, core.folder: seen.pins})
        found[core.folder] = seen
    locked = replace(locked, pins={folder: pins for folder, pins in locked.pins.items() if folder in locked.listed})
    return locked.render() if found else lock, found


def _folder(workdir: Path, core: Core) -> Path:
    """Each core has a folder of its own; what they share is in the caches of the driver's tools."""
    folder = workdir / described.folder(core.abi[:16], core.architecture)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def against(
    project: Project,
    core: Core,
    others: Sequence[Neighbour],
    foreseen: Mapping[str, Foreseen],
    driver: Driver,
    workdir: Path,
    cache: Path,
    listener: Listener,
) -> tuple[Project, Outcome]:
    """Build the plugins for one core: the project as it is for that core, and what came of it. Raises BuildError."""
    made = described.settled(project, core)
    outcome = build(made, core, others, foreseen, driver, workdir, cache, listener)
    failures = tuple(replace(failure, message=f"for {core}: {failure.message}") for failure in outcome.failures)
    for name, rows in outcome.unchecked.items():
        for row in rows:
            listener.note(f"plugin {name} for {core}: {row}")
    return made, replace(outcome, failures=failures)


def build(
    project: Project,
    core: Core,
    others: Sequence[Neighbour],
    foreseen: Mapping[str, Foreseen],
    driver: Driver,
    workdir: Path,
    cache: Path,
    listener: Listener,
) -> Outcome:
    """The same for a project that is settled. foreseen: by core. Raises BuildError."""
    seen = foreseen.get(core.folder, Foreseen())
    failures = neighbours.apart(project, core, others, seen.modules)
    failures += tuple(_dependents(project, {failure.plugin for failure in failures}))
    wrong = {failure.plugin for failure in failures}
    plugins = tuple(plugin for plugin in project.plugins if plugin.name not in wrong)
    left = replace(project, plugins=plugins, pins=seen.pins)
    outcome = Outcome(core.abi, Payload(()), None, {})
    if left.plugins:
        builder, place = cast(Authoring, driver), cache / core.folder / "files"
        outcome = builder.against(left, place, core.architecture, _folder(workdir, core), listener)
    outcome = neighbours.sift(outcome, left, core, others)
    return replace(outcome, failures=(*failures, *outcome.failures))


def _dependents(project: Project, wrong: Collection[str]) -> Iterator[Failure]:
    """Those that need a plugin that is left out."""
    lost = set(wrong)
    waiting = [plugin for plugin in project.plugins if plugin.name not in lost]
    while found := next((plugin for plugin in waiting if lost.intersection(plugin.needs)), None):
        waiting.remove(found)
        lost.add(found.name)
        needed = next(name for name in found.needs if name in lost)
        yield Failure(found.name, "", f"it needs plugin {needed}, which cannot be built")


def conflicts(project: Project, core: Core, others: Sequence[Neighbour]) -> None:
    """Refuse plugins that can never live beside the core, the maintainer's and others'. Raises ProjectError."""
    faults = Faults()
    problems = [*check.check(project, faults), *_conflicts(project, core)]
    problems += neighbours.conflicts(project, core, others)
    if faults.found or problems:
        found = loader.located(project.file, faults, problems, project.core.driver)
        raise ProjectError([replace(one, what=f"{one.what} (for {core})") for one in found])


def _conflicts(project: Project, core: Core) -> Iterator[Problem]:
    file = str(project.file)
    owner = dict.fromkeys(core.paths, f"{core.spec.name} itself")
    for name, own in core.plugins.items():
        owner |= dict.fromkeys(own.paths, f"{core.spec.name}-plugin-{name}")
    for plugin in project.plugins:
        key = f"plugin.{plugin.name}"
        if plugin.name in core.plugins:
            what = f"the maintainer of {core.spec.name} has a plugin {plugin.name}, and both would be the same package"
            yield Problem(file, 0, key, what, "choose another name")
        for entry in contents.expand(project.root, plugin.files):
            if entry.type != "directory" and entry.path in owner:
                what = f"{entry.path} is a file of {owner[entry.path]}"
                yield Problem(file, 0, f"{key}.files", what, "choose another place")
        whole = _closure(core, plugin.needs)
        for one in sorted(whole):
            for other in (*core.plugins[one].clashes, *plugin.clashes):
                if other in whole:
                    what = f"can never be met: {plugin.name} comes with {one} and {other}, which clash"
                    yield Problem(file, 0, f"{key}.needs", what, "change needs")


def _closure(core: Core, needs: Sequence[str]) -> set[str]:
    """The maintainer's plugins that come along."""
    found: set[str] = set()
    waiting = [name for name in needs if name in core.plugins]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [other for other in core.plugins[name].needs if other in core.plugins]
    return found


def doubles(packages: Sequence[Package]) -> None:
    """Refuse packages of the same name and version for two cores. Raises InputError."""
    known: dict[tuple[str, ...], Package] = {}
    for package in packages:
        # The plugin of another ABI has another relation on it.
        family = next(iter(package.relations))
        one = known.setdefault((package.name, str(package.version), package.architecture), package)
        if one.relations[family].depends[0] != package.relations[family].depends[0]:
            raise InputError(
                f"{package.name} {package.version} ({package.architecture}) would be built for two ABIs",
                hint="leave `release` of the plugin out, so that it follows the core's; or choose `versions`",
            )


@dataclass(frozen=True, slots=True)
class Settled:
    """What there is to build for: the project as it is for the newest core, all cores, and other authors' plugins."""

    project: Project
    cores: tuple[Core, ...]
    others: tuple[Neighbour, ...]


def whole(project: Project, known: Mapping[str, Settled]) -> Project:
    """A project that may stand for several cores, with what is known of each, by its `abi`."""
    every = [replace(known[each.abi].project if each.abi in known else each, each=()) for each in project.cores]
    first = next(each for each in every if each.abi in known)
    return replace(first, each=tuple(every) if len(every) > 1 else ())


def settle(project: Project, lock: Lock, cache: Path, listener: Listener) -> Settled:
    """What there is to build for. Raises ProjectError for what cannot go together."""
    found, others = cores(project, lock, cache), neighbours.read(project, listener)
    asked = replace(project, strangers=tuple(other.name for other in others))
    for core in found:
        conflicts(described.settled(asked, core), core, others)
    return Settled(settled(asked, found), found, others)


def settled(project: Project, cores: Sequence[Core]) -> Project:
    """The project as it is for the newest core, for all architectures that there are."""
    made = described.settled(project, described.newest(cores))
    architectures = tuple(sorted({core.architecture for core in cores}))
    return replace(made, core=replace(made.core, architectures=architectures))


def mark(project: Project) -> str:
    """What stands in the lock for the version: the times in packages are renewed with it, not with each core."""
    said = [f"{plugin.name} {plugin.version} {plugin.release}" for plugin in project.plugins]
    return hashlib.sha256("\n".join(sorted(said)).encode()).hexdigest()[:16]


def due(project: Project, cores: Sequence[Core], published: Sequence[Published]) -> tuple[Core, ...]:
    """The cores for which a plugin has no package, or only one that needs another version of the maintainer's plugins.

    published: what the author's repositories list. Raises InputError if a new package would have an old one's version.
    """
    found = []
    for core in cores:
        made = described.settled(project, core)
        formats = set(targets.formats(made.core.targets))
        if any(not formats <= _built(made, plugin, core, published) for plugin in made.plugins):
            found.append(core)
    return tuple(found)


def _built(made: Project, plugin: PluginSpec, core: Core, published: Sequence[Published]) -> set[str]:
    """The formats in which a plugin has a package that fits a core and what else it needs."""
    name = f"{made.core.name}-plugin-{plugin.name}"
    version = str(plan.plugin_version(made.core, plugin.version, plugin.release))
    wanted = {
        (f"{made.core.name}-plugin-{need}", made.published[need]) for need in plugin.needs if need in core.plugins
    }
    # Whatever core of the same ABI it was built for.
    own = f"{plugin.version}+" if plugin.version else ""
    formats = set()
    for item in published:
        takes = any(abi in depend for abi in (core.abi, *core.accepts) for depend in item.depends)
        if item.name != name or item.architecture != core.architecture or not takes:
            continue
        if wanted <= set(item.pins) and item.version.startswith(own):
            formats.add(item.file.rpartition(".")[2])
        elif item.version == version:
            needed = ", ".join(f"{other} {newer}" for other, newer in sorted(wanted - set(item.pins)))
            raise InputError(
                f"{name} {version} is published already, and now needs {needed}",
                hint=f'write release = "{_next(plugin.release or made.core.release)}" in [plugin.{plugin.name}]',
            )
    return formats


def _next(release: str) -> str:
    return str(int(release) + 1) if release.isdigit() else f"{release}.1"
