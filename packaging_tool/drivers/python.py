"""Driver `python`: the server and its plugins are wheels, found by entry points; nothing of the system's Python is used
but its interpreter and its own library.

The core has the server's wheels in a site directory of its own, a plugin those that the core lacks. All are resolved
together, and `mkpkgs.lock` names each with its hash. Apply compiles them. The ABI is the SHA-256 of the text
`mkpkgs abi 1\\ndriver python\\ncore NAME\\npython TAG\\napi VERSION\\n`, TAG as wheels have it: `cp311`, or `py3`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging_tool import targets, toml
from packaging_tool.drivers import _layout
from packaging_tool.drivers.base import Failure, Foreseen, Lock, Outcome, Payload, Source, Target
from packaging_tool.errors import BuildError, CommandError, Problem, ProjectError
from packaging_tool.listener import Listener
from packaging_tool.package.content import Content
from packaging_tool.package.model import Entry, Module
from packaging_tool.package.templates import render
from packaging_tool.project import loader
from packaging_tool.project.faults import Faults
from packaging_tool.project.model import Pins, PluginSpec, Project
from packaging_tool.wheels import (
    asked,
    caller,
    closure,
    fit,
    interpreter,
    locked,
    owners,
    pip,
    problems,
    published,
    sources,
)
from packaging_tool.wheels.licenses import describe
from packaging_tool.wheels.pip import Pin, Platform
from packaging_tool.wheels.wheel import Wheel, normal


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreOptions:
    """Settings of `[core.python]`.

    requires: what the server is: requirements such as `"datasette==0.65.5"`, folders of projects, e.g. `"./server"`, or
        files of wheels.
    main: what starts the server, as its entry point says it, e.g. `"datasette.cli:cli"`.
    python: version of Python on the targets, e.g. `"3.11"`; with a `+` that or a newer one, for wheels without compiled
        code.
    api: version of what the server lets plugins use; raise it when plugins of before no longer work; default the
        core's version, so each core has its own plugins.
    accepts: other versions of it whose plugins still work.
    without: distributions that are required but left out, e.g. `"pip"`.
    isolated: whether folders of projects are built with backends that pip fetches; else with those that are installed.
    """

    requires: tuple[str, ...]
    main: str
    python: str
    api: str = ""
    accepts: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    isolated: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginOptions:
    """Settings of `[plugin.NAME.python]`.

    requires: what the plugin is: requirements, folders of projects, or wheels, e.g. `"./who-1.0-py3-none-any.whl"`.
    api: version of the server's interface that it uses; default the core's newest.
    without: distributions that are required but left out of this plugin, beside those that the core leaves out.
    """

    requires: tuple[str, ...]
    api: str = ""
    without: tuple[str, ...] = ()


class Driver:
    """Packages wheels."""

    name = "python"
    loads = False

    def check(self, project: Project) -> list[Problem]:
        """Problems of requirements, versions and targets."""
        return [Problem(str(project.file), 0, key, what, instead) for key, what, instead in problems.find(project)]

    def sources(self, project: Project) -> Iterator[Source]:
        """Folders of projects and files of wheels, by their keys."""
        for table, said in sources.tables(project).items():
            local = (text for text in said.requires if text.startswith("./"))
            yield from (Source(f"{table}.python.requires", text, True) for text in local)

    def lock(self, project: Project, previous: Lock | None, workdir: Path, listener: Listener) -> Lock:
        """The wheels of all requirements together, for each architecture."""
        caller.need()
        inputs = _inputs(project)
        if previous is not None and toml.table(previous.text, "python").get("inputs") == inputs:
            return previous
        listener.step("resolve the wheels of core and plugins")
        left_out = {normal(name) for name in project.core_options.without}
        api, wheels = problems.api(project), list[tuple[str, Pin]]()
        for architecture in project.core.architectures:
            chosen = owners.resolve(project, workdir, _platform(project, architecture))
            wheels += [(architecture, pin) for pin in chosen if pin.name not in left_out]
        head = {"inputs": inputs, "abi": _abi(project, api), "python": project.core_options.python, "api": api}
        return Lock(locked.render(head, wheels))

    def fingerprint(self, project: Project, plugin: str | None) -> str:
        """Hash of what is required, and of the folders among it."""
        if plugin is None and project.plugin_of is not None:
            return ""
        options = project.core_options if plugin is None else project.plugin_options[plugin]
        said = [*sources.described(project, options.requires), *sorted(options.without)]
        return hashlib.sha256("\n".join(said).encode()).hexdigest()

    def outline(self, project: Project, lock: Lock, architecture: str, workdir: Path) -> Outcome:
        """The same as build: wheels are not built here."""
        caller.need()
        return _Site.of(project, lock, architecture, workdir).outcome(lock)

    def build(
        self, project: Project, lock: Lock, architecture: str, workdir: Path, listener: Listener
    ) -> tuple[Outcome, Lock]:
        """Fetch and unpack the wheels."""
        return self.outline(project, lock, architecture, workdir), lock

    def against(self, project: Project, core: Path, architecture: str, workdir: Path, listener: Listener) -> Outcome:
        """Choose wheels for an author's plugins beside those of the core, and see that all fit."""
        caller.need()
        site, plugins, failures = published.read(core), {}, []
        brought: dict[str, tuple[Module, ...]] = {}
        known = (problems.api(project), *project.core_options.accepts)
        for plugin in project.plugins:
            listener.step(f"collect plugin {plugin.name}")
            one = _Author(project, plugin, _platform(project, architecture), site, workdir)
            try:
                said = project.plugin_options[plugin.name].api
                if said and said not in known:
                    what = f"it uses the interface {said}, and the core has {', '.join(known)}"
                    misfits = [fit.Misfit(what, f"use {known[0]}, or leave this core out by `versions` in [plugin-of]")]
                else:
                    misfits, payload = one.made(_abi(project, said or known[0]))
                if not misfits:
                    misfits = list(fit.siblings(plugin, payload.modules, brought))
                failures += [Failure(plugin.name, "", *misfit) for misfit in misfits]
                if not misfits:
                    plugins[plugin.name], brought[plugin.name] = payload, payload.modules
            except BuildError as failed:
                failures.append(Failure(plugin.name, "", failed.message, failed.hint))
        accepts = tuple(_abi(project, version) for version in project.core_options.accepts)
        return Outcome(
            _abi(project, problems.api(project)), Payload(()), None, plugins, tuple(failures), accepts=accepts
        )

    def foresee(self, project: Project, core: Path, architecture: str, workdir: Path, listener: Listener) -> Foreseen:
        """Choose the wheels of an author's plugins, without unpacking them."""
        caller.need()
        site, pins = published.read(core), dict[str, Pins]()
        for plugin in project.plugins:
            listener.step(f"choose wheels for plugin {plugin.name}")
            # The plugins are to be in one server, so what one of them brings is the first choice of the next.
            known = replace(project, pins={**project.pins, **pins})
            # What does not go together is told by `against`.
            with suppress(BuildError):
                pins[plugin.name] = _Author(known, plugin, _platform(project, architecture), site, workdir).pins()
        sums = {name: sha256 for one in pins.values() for name, sha256 in one.files.items()}
        return Foreseen(sums=sums, pins=pins)

    def changes(self, before: str, after: str, architecture: str) -> tuple[str, ...]:
        """The version of Python and of the interface, and distributions that changed with them."""
        old, new = (published.part(text) for text in (before, after))
        if old.get("abi") == new.get("abi"):
            return ()
        found = [
            f"{key}: {old.get(key, '?')} became {new.get(key, '?')}"
            for key in ("python", "api")
            if old.get(key) != new.get(key)
        ]
        return (*found, *published.changes(old, new, architecture))

    def notes(self, before: str, after: str, architecture: str) -> tuple[str, ...]:
        """Distributions that changed though the ABI is the same."""
        old, new = (published.part(text) for text in (before, after))
        return tuple(published.changes(old, new, architecture)) if old.get("abi") == new.get("abi") else ()

    def target(self, project: Project) -> Target:
        """The core's own program is the working one: it reads which path entries the set has."""
        program = interpreter.path(project.core_options.python)
        return Target(tree=True, arrange=render("python/arrange.sh.j2", core=project.core.name, interpreter=program))


@dataclass(frozen=True, slots=True)
class _Site:
    """The wheels of one architecture, unpacked."""

    project: Project
    platform: Platform
    wheels: dict[str, Wheel]
    place: Path
    unpacked: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, project: Project, lock: Lock, architecture: str, workdir: Path) -> _Site:
        platform = _platform(project, architecture)
        pins = locked.read(lock.text, architecture)
        files = pip.fetch(pins, platform, workdir / "wheels")
        local = [item for item in sources.all_of(project, workdir) if isinstance(item, Path)]
        wheels = [Wheel(path) for path in (*files, *local)]
        return cls(project, platform, {wheel.name: wheel for wheel in wheels}, workdir / "site" / architecture)

    def outcome(self, lock: Lock) -> Outcome:
        options, spec = self.project.core_options, self.project.core
        core = self.closure(options.requires, "core")
        if unknown := [*self.unknown(core)]:
            raise ProjectError(loader.located(self.project.file, Faults(), unknown, Driver.name))
        root = f"/usr/lib/{spec.name}/bin/site"
        entries = self.entries(core, root)
        program = _layout.program(self.project, self.launcher(entries))
        plugins, brought, failures = {}, {}, []
        for plugin in self.project.plugins:
            own = self.project.plugin_options[plugin.name]
            needed = self.closure(own.requires, f"plugin.{plugin.name}", own.without)
            names = [name for name in needed if name not in core]
            if not names:
                failures.append(Failure(plugin.name, "", f"{spec.name} has all of it already", fit.NOTHING))
                continue
            brought[plugin.name] = published.Plugin(dists=tuple(names), needs=plugin.needs)
            found = self.entries(names, f"{self.project.plugins_directory}/{plugin.name}")
            abi = _abi(self.project, own.api or problems.api(self.project))
            itself = self.itself(own.requires, f"plugin.{plugin.name}")
            plugins[plugin.name] = Payload(found, self.modules(names, plugin), abi=abi, own=itself)
        itself = self.itself(options.requires, "core")
        payload = Payload(
            (program, *entries), self.modules(core), depends=interpreter.depends(self.platform), own=itself
        )
        accepts = tuple(_abi(self.project, version) for version in options.accepts)
        dists = {name: published.dist(self.wheels[name], self.files(name)) for name in core}
        for one in brought.values():
            dists |= {name: published.dist(self.wheels[name], self.files(name)) for name in one.dists}
        authors = published.publish(lock.text, published.Site(core=tuple(core), dists=dists, plugins=brought))
        abi = _abi(self.project, problems.api(self.project))
        return Outcome(abi, payload, None, plugins, tuple(failures), authors=authors, accepts=accepts)

    def closure(self, requires: Sequence[str], table: str, without: Sequence[str] = ()) -> list[str]:
        """Names of the wheels that these requirements come to, sorted. table: where they stand. Raises BuildError."""
        return closure.find(
            self.named(requires, table), self.wheels, self.platform, (*self.project.core_options.without, *without)
        )

    def unknown(self, core: Sequence[str]) -> Iterator[Problem]:
        """Names that the project says of wheels, and that they have not. core: names of the server's wheels."""
        options, there = self.project.core_options, set(core)
        itself = self.itself(options.requires, "core")
        server = [self.wheels[name] for name in sorted(core, key=lambda name: name != itself)]
        found = [*asked.main(options.main, server, {name: self.files(name) for name in core}, self.folder)]
        found += asked.extras("core.python.requires", self.named(options.requires, "core"), self.wheels)
        for name, own in sorted(self.project.plugin_options.items()):
            found += self.unknown_of(name, core)
            there |= {*self.closure(own.requires, f"plugin.{name}", own.without)}
        wheels = [self.wheels[name] for name in there]
        found += asked.without("core.python.without", options.without, wheels, sources.every(self.project), "here")
        yield from (Problem(str(self.project.file), 0, *one) for one in found)

    def unknown_of(self, plugin: str, core: Collection[str]) -> Iterator[asked.Finding]:
        """The same of a plugin's settings."""
        own, table = self.project.plugin_options[plugin], f"plugin.{plugin}"
        requires = self.named(own.requires, table)
        there = [self.wheels[name] for name in self.closure(own.requires, table, own.without)]
        yield from asked.extras(f"{table}.python.requires", requires, self.wheels)
        yield from asked.without(
            f"{table}.python.without", own.without, there, [*requires, *core], "that the plugin has"
        )

    def named(self, requires: Sequence[str], table: str) -> list[str]:
        """Requirements, with names of wheels in place of folders and files. table: where they stand."""
        return [self.local(text, table) if text.startswith("./") else text for text in requires]

    def local(self, text: str, table: str) -> str:
        """Name of the wheel of a folder or file of the project."""
        for wheel in self.wheels.values():
            if _is_built_from(wheel, self.project, text):
                return wheel.name
        raise BuildError(
            f"{table}.python.requires: {text!r} changed while it was built, or has the name of another requirement",
            hint="run mkpkgs again; if that is no help, let nothing write into the folder, and rename one of the two",
        )

    def entries(self, names: Sequence[str], root: str) -> tuple[Entry, ...]:
        """Files of wheels below root. Where two have a file, the first by name wins, as pip does not say either."""
        found: dict[str, Path] = {}
        for name in names:
            for file in self.files(name):
                found.setdefault(file, self.folder(name) / file)
        return tuple(Entry(path=f"{root}/{name}", content=Content(path)) for name, path in sorted(found.items()))

    def files(self, name: str) -> list[str]:
        """Names of a wheel's files, which lie in its folder then."""
        if name not in self.unpacked:
            self.unpacked[name] = self.wheels[name].unpack(self.folder(name))
        return self.unpacked[name]

    def folder(self, name: str) -> Path:
        path = self.wheels[name].path
        return self.place / path.parent.name / path.stem

    def launcher(self, entries: Sequence[Entry]) -> Content:
        """The core's program. It names the wheels by a hash, so that a set with other wheels is another set."""
        digest = hashlib.sha256()
        for entry in entries:
            assert entry.content is not None  # noqa: S101 # a file of a wheel
            digest.update(f"{entry.path} {entry.content.sha256}\n".encode())
        module, _, function = self.project.core_options.main.partition(":")
        text = render(
            "python/launcher.py.j2",
            core=self.project.core.name,
            interpreter=interpreter.path(self.project.core_options.python),
            module=module,
            function=function,
            digest=digest.hexdigest(),
        )
        return Content(text.encode())

    def modules(self, names: Sequence[str], plugin: PluginSpec | None = None) -> tuple[Module, ...]:
        """What the wheels are. plugin: that they are of, None for the core."""
        spec, core = plugin or self.project.core, self.project.core
        said = (spec.license or core.license, spec.copyright or core.copyright)
        # A folder of the project; a wheel of the index is somebody else's.
        local = {name: self.wheels[name].path.parent.parent.name == sources.LOCAL for name in names}
        return tuple(describe(self.wheels[name], *(said if local[name] else ("", ""))) for name in names)

    def itself(self, requires: Sequence[str], table: str) -> str:
        """Name of the wheel that comes first: it is the server or the plugin, and others are beside it."""
        text = requires[0]
        return self.local(text, table) if text.startswith("./") else normal(re.split(r"[^A-Za-z0-9._-]", text)[0])


@dataclass(frozen=True, slots=True)
class _Author:
    """A plugin for a core elsewhere. site: what is published of that. workdir: of this core; wheels lie above it,
    for all cores."""

    project: Project
    plugin: PluginSpec
    platform: Platform
    site: published.Site
    workdir: Path

    def made(self, abi: str) -> tuple[list[fit.Misfit], Payload]:
        """The plugin, and what does not fit; one of the two is empty. Raises BuildError."""
        nothing, base, sources = Payload(()), self.base, self.sources
        stubs = published.stubs(base, self.stubs)
        local = {wheel.name: wheel for wheel in (Wheel(item) for item in sources if isinstance(item, Path))}
        for wheel in local.values():
            if misfits := list(fit.wheel(wheel, self.platform, _pythons(self.project))):
                return misfits, nothing
        if self.plugin.name not in self.project.pins and (misfits := list(self._clashes(sources, local, base))):
            return misfits, nothing
        pins = self.pins()
        chosen = [Pin.of(name, sha256) for name, sha256 in pins.files.items()]
        files = pip.fetch(chosen, self.platform, self.workdir.parent / "wheels")
        found = {wheel.name: wheel for wheel in map(Wheel, files)}
        place = self.workdir / "site" / self.platform.architecture
        site = _Site(self.project, self.platform, {**found, **local, **stubs}, place)
        own = [
            name
            for name in site.closure(self.options.requires, f"plugin.{self.plugin.name}", self.options.without)
            if name not in base
        ]
        dists = {name: published.dist(site.wheels[name], site.files(name)) for name in own}
        misfits = [
            *(fit.Misfit(f"{key}: {what}", instead) for key, what, instead in site.unknown_of(self.plugin.name, base)),
            *fit.others(dists, self.site, base, self.plugin.clashes),
            *fit.modules(dists, self.site, base, self.plugin.clashes),
            *fit.entry_points((site.wheels[name] for name in own), (*dists.values(), *base.values())),
        ]
        if not own:
            what = f"{self.project.core.name} has all of it already"
            misfits.append(fit.Misfit(what, fit.NOTHING))
        entries = site.entries(own, f"{self.project.plugins_directory}/{self.plugin.name}")
        itself = site.itself(self.options.requires, f"plugin.{self.plugin.name}")
        modules = site.modules(own, self.plugin)
        return misfits, nothing if misfits else Payload(entries, modules, abi=abi, own=itself)

    @property
    def base(self) -> dict[str, published.Dist]:
        """What is there already."""
        return self.site.base(self.plugin.needs)

    @property
    def stubs(self) -> Path:
        """A folder for wheels that stand for these."""
        return self.workdir / "stubs" / self.plugin.name

    @property
    def sources(self) -> list[str | Path]:
        """What the plugin requires; wheels in place of folders."""
        return sources.of(self.project, self.options.requires, self.workdir.parent)

    @property
    def options(self) -> PluginOptions:
        found: PluginOptions = self.project.plugin_options[self.plugin.name]
        return found

    def pins(self) -> Pins:
        """The wheels of the index that the plugin needs: those of the lock as long as it fits. Raises BuildError."""
        known, inputs, base = self.project.pins.get(self.plugin.name), self.inputs(), self.base
        if known is not None and known.inputs == inputs:
            return known
        published.stubs(base, self.stubs)
        own = locked.versions([known] if known is not None else [])
        pins = self.resolved([{**locked.versions(self.project.pins.values()), **own}, own, {}])
        left_out = {normal(name) for name in (*self.project.core_options.without, *self.options.without)}
        return Pins(inputs, {pin.file: pin.sha256 for pin in pins if pin.name not in left_out})

    def resolved(self, choices: list[dict[str, str]]) -> list[Pin]:
        """The wheels that the plugin needs, by the first of these versions that goes with what it requires."""
        pinned = {name: one.version for name, one in self.base.items()}
        wanted = [str(item) for item in self.sources]
        while True:
            chosen = choices.pop(0)
            try:
                return pip.resolve(wanted, self.platform, self.stubs, pinned, chosen)
            except CommandError:
                choices = [other for other in choices if other != chosen]
                if not choices:
                    raise

    def inputs(self) -> str:
        """Hash of all that the choice of wheels depends on."""
        options = self.project.core_options
        there = sorted(f"{one} {' '.join(one.extras)} {' '.join(one.requires)}" for one in self.base.values())
        without = sorted({*options.without, *self.options.without})
        parts = [str(self.platform), str(options.isolated), *without, *there]
        described = sources.described(self.project, self.options.requires)
        return hashlib.sha256("\n".join((*parts, *described)).encode()).hexdigest()

    def _clashes(
        self, sources: Sequence[str | Path], local: dict[str, Wheel], base: dict[str, published.Dist]
    ) -> Iterator[fit.Misfit]:
        """Requirements that the core does not meet, as pip would choose if the core could change. For a plugin of which
        nothing could be chosen."""
        found: dict[str, tuple[str, Sequence[str]]] = {}
        # If that cannot be, what the author's own wheels say must do.
        with suppress(BuildError):
            found |= pip.explore([str(item) for item in sources], self.platform, self.stubs)
        found |= {name: (wheel.version, wheel.requires) for name, wheel in local.items()}
        # What is local is wanted as it is.
        texts = [Wheel(item).name if isinstance(item, Path) else item for item in sources]
        yield from fit.versions(self.plugin.name, texts, found, base, self.platform)


def _pythons(project: Project) -> list[str]:
    """Versions of Python that the server runs on."""
    python = project.core_options.python
    if not python.endswith("+"):
        return [python]
    known = {targets.PYTHONS[name][0] for name in project.core.targets if name in targets.PYTHONS}
    return sorted(known, key=lambda text: [int(part) for part in text.split(".")]) or [python.rstrip("+")]


def _is_built_from(wheel: Wheel, project: Project, folder: str) -> bool:
    if folder.endswith(".whl"):
        return wheel.path == project.root / folder
    return wheel.path.parent.name == pip.tree_digest(project.root / folder, sources.within(project))


def _abi(project: Project, api: str) -> str:
    tag = _platform(project, "all").tag
    text = f"mkpkgs abi 1\ndriver python\ncore {project.core.name}\npython {tag}\napi {api}\n"
    return hashlib.sha256(text.encode()).hexdigest()


def _platform(project: Project, architecture: str) -> Platform:
    glibc = min(
        (targets.TARGETS[name].glibc for name in project.core.targets),
        key=lambda text: [int(part) for part in text.split(".")],
    )
    return Platform(project.core_options.python, architecture, glibc)


def _inputs(project: Project) -> str:
    """Hash of all that the choice of wheels depends on."""
    options = project.core_options
    platforms = [str(_platform(project, architecture)) for architecture in project.core.architectures]
    settings = [str(options.isolated), *sorted(options.without), _abi(project, problems.api(project))]
    parts = [*platforms, *settings, *sources.described(project, sources.every(project))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
