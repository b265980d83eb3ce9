"""Tries an author's plugins beside the core's own packages in clean roots of its targets, as an administrator would."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from packaging_tool import plan, registry, targets
from packaging_tool.authors import core as described
from packaging_tool.authors import places, room
from packaging_tool.authors.apt import Apt
from packaging_tool.authors.core import Core
from packaging_tool.authors.dnf import Dnf
from packaging_tool.authors.room import INBOX, Family, Room, UnfitError
from packaging_tool.drivers.base import Driver, Failure, Outcome
from packaging_tool.elf import machines
from packaging_tool.errors import BuildError, MkpkgsError
from packaging_tool.formats.base import Format
from packaging_tool.listener import Listener
from packaging_tool.plan import Trust
from packaging_tool.project.model import PluginSpec, Project
from packaging_tool.signing import signify
from packaging_tool.target import runtime

# By the format of packages.
FAMILIES: Mapping[str, Family] = {"deb": Apt(), "rpm": Dnf()}
KEY = "mkpkgs-check.pub"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of it. targets: those in whose roots all of it was tried. untried: reasons for what was not."""

    targets: tuple[str, ...]
    failures: tuple[Failure, ...]
    untried: tuple[str, ...]


def runs_here(core: Core) -> bool:
    """Whether programs of the core run on this machine."""
    return core.architecture in ("all", machines.own())


def load(
    project: Project, core: Core, outcome: Outcome, driver: Driver, cache: Path, listener: Listener, *, key: str
) -> Loaded:
    """Install the core's published packages and each plugin that was built, and let the core's own tool judge.

    project: as it is for that core. cache: a folder for packages. key: of the maintainer, as in the lock. No key of the
    author is needed: the manifests are signed by one that is made for this and trusted in the roots alone. Raises
    InputError, SigningError.
    """
    if not runs_here(core):
        return Loaded((), (), (f"{core} is for another machine",))
    done: list[str] = []
    failures: dict[str, Failure] = {}
    untried: list[str] = []
    trials: dict[str, _Trial] = {}
    for target in project.core.targets:
        form = targets.TARGETS[target].format
        try:
            room.require(target, FAMILIES[form])
            if form not in trials:
                trials[form] = _Trial.prepare(project, core, outcome, driver, form, cache / form, key)
            listener.step(f"try {core} with the plugins in a clean {target}")
            with room.clean(target, FAMILIES[form], listener) as place:
                found = trials[form].run(place, target)
            done.append(target)
            failures |= {failure.plugin: failure for failure in found if failure.plugin not in failures}
        except (BuildError, OSError) as failed:
            untried.append(f"in a clean {target}: {_told(failed)}")
    return Loaded(tuple(done), tuple(failures.values()), tuple(untried))


def _told(failed: Exception) -> str:
    if isinstance(failed, MkpkgsError):
        return f"{failed.message}; {failed.hint}" if failed.hint else failed.message
    return str(failed)


@dataclass(frozen=True, slots=True)
class _Trial:
    """Packages to try. own: of the author, by plugin. published: of the maintainer, by name. key: the public one."""

    project: Project
    core: Core
    family: Family
    own: dict[str, Path]
    published: dict[str, Path]
    key: Path

    @classmethod
    def prepare(
        cls, project: Project, core: Core, outcome: Outcome, driver: Driver, form: str, cache: Path, maintainer: str
    ) -> _Trial:
        """Fetch the maintainer's packages and write the author's. Raises BuildError, InputError, SigningError."""
        name, spec = core.spec.name, described.author(project)
        folder = cache / "own"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        plugins = [plugin for plugin in project.plugins if plugin.name in outcome.plugins]
        wanted = {name, f"{name}-plugin-kit"} | {f"{name}-plugin-{need}" for need in _needs(core, plugins)}
        offer = places.look(spec, project.root, maintainer)
        listed = places.packages(offer, core, wanted, form, cache / "published")
        found = {places.package_of(path.name): path for path in listed}
        if name not in found:
            hint = "name the repository of its maintainer by `at` or --against"
            raise BuildError(f"{offer.place} lists no packages of {core}", hint=hint)
        secret = signify.generate(targets.key_kinds(project.core.targets)[1])
        key = folder / KEY
        key.write_bytes(secret.public.render("made by mkpkgs check"))
        trust = Trust({}, lambda manifest: secret.sign(manifest, f"verify with {KEY}"))
        # What is left out of the server works too, and the reason would be lost.
        whole = replace(project, plugins=tuple(replace(plugin, optional=False) for plugin in project.plugins))
        made = plan.packages(whole, outcome, core.architecture, driver.target(project), trust, int(time.time()))
        writer = cast(Format, registry.load("formats", form).Format())
        own = {
            package.name.removeprefix(f"{name}-plugin-"): writer.write(package, folder, None).path
            for package in made
            if package.kind == "plugin"
        }
        return cls(project, core, FAMILIES[form], own, found, key)

    def run(self, place: Room, target: str) -> list[Failure]:
        """Each plugin alone, then all that can be together. Raises BuildError if the core itself does not work."""
        place.put([*self.own.values(), *self.published.values(), self.key])
        name = self.core.spec.name
        # What runs code has no network, so all comes before.
        self.family.fetch(place, self._groups())
        try:
            self.family.install(place, [self.published[name]])
            keys = f"{runtime.lifecycle(self.project).config_directory}/keys.d"
            place.run("sh", "-ec", 'mkdir -p "$1"; cp "$2" "$1"', "sh", keys, f"{INBOX}/{KEY}").demand()
            self._judge(place, ())
        except UnfitError as bad:
            raise BuildError(f"the core itself does not work there: {str(bad).splitlines()[0]}") from None
        failures = []
        good: list[PluginSpec] = []
        for plugin in self._plugins():
            if found := self._try(place, [plugin], target):
                failures.append(found)
            elif not _clash(plugin, good):
                good.append(plugin)
        if len(good) > 1 and (found := self._try(place, good, target)):
            failures += [replace(found, plugin=plugin.name) for plugin in good]
        return failures

    def _plugins(self) -> Iterator[PluginSpec]:
        return (one for one in self.project.plugins if one.name in self.own)

    def _groups(self) -> list[list[Path]]:
        """Packages that will be in the root at the same time: the core, with each plugin, with all."""
        core = self.published[self.core.spec.name]
        alone: list[list[PluginSpec]] = [[plugin] for plugin in self._plugins()]
        together: list[PluginSpec] = []
        for plugin in self._plugins():
            if not _clash(plugin, together):
                together.append(plugin)
        sets = [*alone, together] if len(together) > 1 else alone
        return [[core], *([core, *self._files(plugins)] for plugins in sets)]

    def _files(self, plugins: Sequence[PluginSpec]) -> list[Path]:
        """Packages of plugins, and of what they need of the author and the maintainer."""
        whole = self._with_own_needs(plugins)
        name = self.core.spec.name
        wanted = {f"{name}-plugin-{need}" for need in _needs(self.core, whole)}
        if self.core.kit:
            wanted.add(f"{name}-plugin-kit")
        published = (path for package, path in self.published.items() if package in wanted)
        return [*(self.own[one.name] for one in whole), *published]

    def _try(self, place: Room, plugins: Sequence[PluginSpec], target: str) -> Failure | None:
        """Install plugins, and remove them again."""
        name = self.core.spec.name
        files = self._files(plugins)
        try:
            self.family.install(place, files)
            self._judge(place, [one.name for one in self._with_own_needs(plugins)])
        except UnfitError as bad:
            together = " with the other plugins" if len(plugins) > 1 else ""
            message = f"in a clean {target}{together}: {bad}"
            return Failure(plugins[0].name, "", message)
        finally:
            # What stays would be tried with the next one; the kit is large, and part of nothing.
            names = [places.package_of(path.name) for path in files]
            self.family.remove(place, [package for package in names if package != f"{name}-plugin-kit"])
        return None

    def _with_own_needs(self, plugins: Sequence[PluginSpec]) -> list[PluginSpec]:
        known = {one.name: one for one in self.project.plugins if one.name in self.own}
        found: dict[str, PluginSpec] = {}
        waiting = list(plugins)
        while waiting:
            plugin = waiting.pop()
            if plugin.name not in found:
                found[plugin.name] = plugin
                waiting += [known[need] for need in plugin.needs if need in known]
        return list(found.values())

    def _judge(self, place: Room, names: Iterable[str]) -> None:
        """Ask the core's tool. Raises UnfitError."""
        name = self.core.spec.name
        tool = f"{name}-plugins"
        for question in ("verify", "apply", "status"):
            place.run(tool, question).demand(tool=tool)
        serving = place.run("cat", f"/usr/lib/{name}/bin/working-set").text
        for plugin in names:
            if not re.search(rf"(?m)^plugin {re.escape(plugin)} ", serving):
                raise UnfitError(f"{name} serves without {plugin}: {place.run(tool, 'why', plugin).first}")


def _clash(plugin: PluginSpec, others: Iterable[PluginSpec]) -> bool:
    return any(plugin.name in one.clashes or one.name in plugin.clashes for one in others)


def _needs(core: Core, plugins: Iterable[PluginSpec]) -> Iterator[str]:
    """The maintainer's plugins that come along."""
    seen: set[str] = set()
    waiting = [need for plugin in plugins for need in plugin.needs]
    while waiting:
        name = waiting.pop()
        if name in core.plugins and name not in seen:
            seen.add(name)
            waiting += core.plugins[name].needs
            yield name
