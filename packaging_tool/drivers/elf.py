"""Driver `elf`: plugins are shared objects of C, C++, Rust and the like, built by any command or prebuilt.

The core's program is built, or prebuilt (`core.program`). Builds run in private copies of the sources, as
`packaging_tool.elf.tree` describes. The ABI is a text of what the project names, which stands in the lock and is
defined in `packaging_tool.elf.abi`. How the server is told what to load: `packaging_tool.elf.loader`.

Authors elsewhere get what `packaging_tool.elf.published` lists, and `packaging_tool.elf.fit` says why a plugin does
not fit.

The lock is described in `packaging_tool.elf.lockfile`.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from packaging_tool import targets
from packaging_tool.drivers import _layout
from packaging_tool.drivers.base import NO_ABI, Failure, Lock, Outcome, Payload, Source, Target, Unchecked
from packaging_tool.elf import abi as interface
from packaging_tool.elf import compiled, debug, fit, libraries, loader, lockfile, machines, problems, published, tree
from packaging_tool.elf.abi import Abi
from packaging_tool.elf.agreement import Agreement
from packaging_tool.elf.libraries import Object
from packaging_tool.elf.loader import Loader
from packaging_tool.elf.published import Authors
from packaging_tool.errors import BuildError, CommandError, Problem
from packaging_tool.listener import Listener
from packaging_tool.package.content import Content
from packaging_tool.package.model import Alternatives, Entry
from packaging_tool.project import patterns
from packaging_tool.project.model import FileSpec, Project


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreOptions:
    """Settings of `[core.elf]`.

    source: directory or tarball, of which a private copy is built; none for a prebuilt program (`core.program`).
    build: commands, each a list of arguments, e.g. `[["./configure"], ["make", "-j{jobs}"]]`. Within arguments,
        `{source}` and `{destdir}` are the copy and the directory DESTDIR, `{core}` the built core for plugins,
        `{architecture}` and `{triplet}` Debian's and GNU's names, `{version}` the core's, `{jobs}` the processors.
        `{meson}` and `{cmake}`, each an argument of its own, are what these need to build for another machine.
    arguments: lists of arguments by name; `{name}` as an argument stands for all of them.
    environment: variables for the commands, which see only PATH of ours; HOME is a directory of their own.
    network: whether the commands of core and plugins may use the network.
    program: path of the server's program in the built copy.
    files: more files that the build gives, for the core's package; sources are paths in the copy.
    abi: what core and plugins must agree on.
    loader: how the server is told what to load.
    libraries: Debian's packages by soname, e.g. `{ "libgd.so.3" = "libgd3 >= 2.3" }`, where dpkg-shlibdeps cannot tell.
    debug: whether debug information goes into packages of its own.
    authors: what authors elsewhere build their plugins against.
    """

    abi: Abi
    source: str = ""
    build: tuple[tuple[str, ...], ...] = ()
    arguments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    network: bool = False
    program: str = ""
    files: tuple[FileSpec, ...] = ()
    loader: Loader | None = None
    libraries: Mapping[str, str] = field(default_factory=dict)
    debug: bool = True
    authors: Authors = field(default_factory=Authors)


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginOptions:
    """Settings of `[plugin.NAME.elf]`.

    objects: what the server loads or the objects need: paths in the built copy; below `{core}/` in that of the core; in
        the project for a plugin without source. They come into one directory; `{architecture}` is Debian's name.
    source: directory or tarball, of which a private copy is built.
    build: commands, as of the core. Those that name `{core}` get a built copy of the core of their own.
    environment: variables for the commands, beside the core's.
    network: whether the commands may use the network; default the core's.
    files: more files that the build gives, for other places than the plugins directory.
    load: names of objects that the loader configuration names, in order; default all.
    libraries: Debian's packages by soname, beside the core's.
    """

    objects: tuple[str, ...]
    source: str = ""
    build: tuple[tuple[str, ...], ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    network: bool = False
    files: tuple[FileSpec, ...] = ()
    load: tuple[str, ...] | None = None
    libraries: Mapping[str, str] = field(default_factory=dict)


class Driver:
    """Builds shared objects, or takes them as they are."""

    name = "elf"
    loads = False

    def check(self, project: Project) -> list[Problem]:
        """Problems of sources, commands and of what nobody would find."""
        return list(problems.problems(project))

    def sources(self, project: Project) -> Iterator[Source]:
        """What is built, and objects that are prebuilt, by their keys."""
        return (Source(*named) for named in problems.sources(project))

    def lock(self, project: Project, previous: Lock | None, workdir: Path, listener: Listener) -> Lock:
        """The compiler and the tarballs as they are now, and what earlier builds found for them."""
        known = lockfile.read(previous.text) if previous is not None else {}
        builds = _builds(project)
        now = {
            "epoch": known.get("epoch", int(time.time())),
            "compiler": tree.compiler(machines.own() or "amd64") if builds else "",
            "sources": {name: tree.digest(path) for name, path in sorted(builds.items()) if not path.is_dir()},
        }
        if known and known.get("compiler") != now["compiler"]:
            listener.warn(f"the compiler is {now['compiler'] or 'missing'}, not {known.get('compiler')} as in the lock")
        for name, sha256 in now["sources"].items():
            if known and known.get("sources", {}).get(name, sha256) != sha256:
                listener.warn(f"the source of {name} is not the file of the lock")
        return Lock(lockfile.render({**now, "built": known.get("built", {})}))

    def fingerprint(self, project: Project, plugin: str | None) -> str:
        """Hash of the settings and sources, of prebuilt files their bytes."""
        if plugin is None and project.plugin_of is not None:
            return ""
        options = project.core_options if plugin is None else project.plugin_options[plugin]
        said = [json.dumps(asdict(options), sort_keys=True)]
        name = plugin or ""
        if options.source:
            said.append(tree.digest(project.root / options.source))
        else:
            said += [tree.digest(path) for path in _prebuilt(project, name)]
        return hashlib.sha256("\n".join(said).encode()).hexdigest()

    def outline(self, project: Project, lock: Lock, architecture: str, workdir: Path) -> Outcome:
        """The payloads to come; the ABI is NO_ABI where nothing was built yet."""
        built = lockfile.read(lock.text).get("built", {}).get(architecture, {})
        core = Payload((_layout.program(project, None), *map(_planned, project.core_options.files)))
        plugins = {
            name: Payload(
                (
                    *_objects(project, name, architecture, [None] * len(options.objects)),
                    *_list(project, name, architecture),
                    *map(_planned, options.files),
                )
            )
            for name, options in project.plugin_options.items()
        }
        authors = dict.fromkeys((published.LOCK, *([published.TREE] if project.core_options.authors.files else [])))
        return Outcome(built.get("abi", NO_ABI), core, None, plugins, authors=authors)

    def build(
        self, project: Project, lock: Lock, architecture: str, workdir: Path, listener: Listener
    ) -> tuple[Outcome, Lock]:
        """Build the core, find the ABI, build the plugins."""
        known = lockfile.read(lock.text)
        work = _Work(project, architecture, workdir, tree.epoch(project, known["epoch"]), listener)
        core, lines = work.core(), work.lines()
        abi = interface.value(lines)
        before = known["built"].get(architecture, {}).get("abi", abi)
        if before != abi:
            listener.warn(f"{architecture}: the ABI is not the one of the lock, so that all plugins change with it")
        plugins, failures = {}, []
        for plugin in project.plugins:
            try:
                plugins[plugin.name] = work.plugin(plugin.name)
            except BuildError as failed:
                failures.append(_failure(plugin.name, failed))
        known["built"][architecture] = {"abi": abi, "lines": list(lines)}
        authors = work.authors(
            lockfile.render({**known, "built": {architecture: known["built"][architecture]}}), core, plugins
        )
        return Outcome(abi, core, None, plugins, tuple(failures), authors), Lock(lockfile.render(known))

    def against(self, project: Project, core: Path, architecture: str, workdir: Path, listener: Listener) -> Outcome:
        """Build an author's plugins beside what is published of the core, and see that they fit."""
        known = lockfile.published(core / published.LOCK, architecture)
        built, offered = known["built"][architecture], published.parse(known)
        epoch = tree.epoch(project, known["epoch"])
        work = _Work(project, architecture, workdir, epoch, listener, private=frozenset(offered.offers))
        work.publish(core / published.TREE)
        said = project.core_options.loader
        flat = said is not None and loader.whole(said).place == "flat"
        judge = fit.Judge(project.core.name, architecture, project.core.targets, offered, flat)
        plugins, failures, unchecked = {}, [], {}
        for plugin in project.plugins:
            listener.step(f"build plugin {plugin.name}")
            try:
                made = work.objects(plugin.name)
                misfits = [*judge.misfits(made)]
                agreed = work.agreement(plugin.name, built["lines"])
                misfits += agreed.misfits()
                if not misfits:
                    plugins[plugin.name] = work.plugin(plugin.name)
                    rows = [*((what, ()) for what in agreed.unchecked()), *judge.unknown(made)]
                    unchecked[plugin.name] = tuple(Unchecked(*row) for row in rows)
            except BuildError as failed:
                failures.append(_failure(plugin.name, failed))
                # Often the reason: headers that are not there, or are another version's.
                misfits = list(work.agreement(plugin.name, built["lines"]).misfits())
            failures += [Failure(plugin.name, "", *misfit) for misfit in misfits]
        return Outcome(built["abi"], Payload(()), None, plugins, tuple(failures), unchecked=unchecked)

    def changes(self, before: str, after: str, architecture: str) -> tuple[str, ...]:
        """The lines of the ABI that differ, and symbols of the core that went away."""
        found = []
        for old, new in lockfile.both(before, after, architecture):
            if old["abi"] != new["abi"]:
                found += [*interface.changes(old["lines"], new["lines"]), *lockfile.gone(before, after)]
        return tuple(dict.fromkeys(found))

    def notes(self, before: str, after: str, architecture: str) -> tuple[str, ...]:
        """Symbols that went away though the ABI does not say so."""
        same = all(old["abi"] == new["abi"] for old, new in lockfile.both(before, after, architecture))
        return tuple(lockfile.gone(before, after)) if same else ()

    def target(self, project: Project) -> Target:
        """The core's own program is the working one; it opens verified copies, which the loader configuration names."""
        said = project.core_options.loader
        if said is None:
            return Target(tree=True)
        made = loader.whole(said)
        return Target(
            tree=True,
            arrange=loader.arrange(project.core.name, made),
            reload=made.then == "reload",
            restarts=made.then != "nothing",
        )


def _failure(plugin: str, failed: BuildError) -> Failure:
    if isinstance(failed, CommandError):
        return Failure(plugin, "", f"{failed.message}\n{failed.output}")
    return Failure(plugin, "", failed.message, failed.hint)


def _builds(project: Project) -> dict[str, Path]:
    """Sources that are built, by `core` or the plugin's name."""
    found = {name: options.source for name, options in project.plugin_options.items() if options.source}
    if project.core_options.source:
        found["core"] = project.core_options.source
    return {name: project.root / text for name, text in found.items()}


def _prebuilt(project: Project, plugin: str) -> Iterable[Path]:
    """Files that lie in the project for the core ("") or a plugin."""
    for architecture in project.core.architectures:
        texts = project.plugin_options[plugin].objects if plugin else (project.core.program,)
        for text in texts:
            if text and "{core}" not in text:
                yield project.root / text.replace("{architecture}", architecture)


def _planned(spec: FileSpec) -> Entry:
    """A file of a build to come; a glob has no names yet."""
    name = posixpath.basename(spec.source) if spec.path.endswith("/") else ""
    return Entry(path=posixpath.normpath(spec.path + name), type=spec.type, target=spec.target)


def _names(project: Project, plugin: str, architecture: str) -> tuple[str, ...]:
    """Names of a plugin's objects in its directory."""
    texts = project.plugin_options[plugin].objects
    return tuple(posixpath.basename(text).replace("{architecture}", architecture) for text in texts)


def _objects(project: Project, plugin: str, architecture: str, paths: Iterable[Path | None]) -> tuple[Entry, ...]:
    names = _names(project, plugin, architecture)
    return tuple(
        Entry(path=f"{project.plugins_directory}/{plugin}/{name}", content=Content(path) if path else None)
        for name, path in zip(names, paths, strict=True)
    )


def _list(project: Project, plugin: str, architecture: str) -> tuple[Entry, ...]:
    """The file that names a plugin's objects for the loader."""
    said = project.plugin_options[plugin].load
    names = said if said is not None else _names(project, plugin, architecture)
    if project.core_options.loader is None or not names:
        return ()
    text = "".join(f"{name}\n" for name in names)
    return (Entry(path=f"{project.plugins_directory}/{plugin}/{loader.LIST}", content=Content(text.encode())),)


def _elves(payload: Payload) -> Iterable[tuple[str, Object]]:
    """The ELF files of a payload, with their names."""
    for entry in payload.entries:
        source = entry.content.source if entry.content is not None else None
        for found in libraries.objects([source]) if isinstance(source, Path) else ():
            yield posixpath.basename(entry.path), found


@dataclass(frozen=True, slots=True)
class _Work:
    """One architecture's build. trees: what is built already, by plugin, the core's at "". private: sonames that come
    with a core elsewhere."""

    project: Project
    architecture: str
    workdir: Path
    epoch: int
    listener: Listener
    trees: dict[str, tree.Tree | None] = field(default_factory=dict)
    private: frozenset[str] = frozenset()

    def built(self, plugin: str = "") -> tree.Tree | None:
        """The built copy of the core's or a plugin's source; None if there is none. Raises BuildError."""
        if plugin not in self.trees:
            self.trees[plugin] = self._build(plugin)
        return self.trees[plugin]

    def _build(self, plugin: str) -> tree.Tree | None:
        core = self.project.core_options
        options = self.project.plugin_options[plugin] if plugin else core
        if not options.source:
            return None
        name = self.project.core.name
        what = f"plugin-{plugin}" if plugin else "core"
        base = self.built() if plugin and problems.names(options.build, "core") else None
        recipe = self._recipe(
            f"{name}-{what}" if plugin else name,
            self.project.root / options.source,
            options.build,
            {**core.environment, **(options.environment if plugin else {})},
        )
        # An author says it, or the maintainer of the core: whose project it is.
        if options.network or (self.project.plugin_of is None and core.network):
            recipe = replace(recipe, network=True)
        if base:
            recipe = replace(recipe, base=(name, base.source))
        return tree.build(recipe, self.workdir / self.architecture / what, base.mark if base else "")

    def _recipe(
        self, name: str, source: Path, commands: tuple[tuple[str, ...], ...], environment: Mapping[str, str]
    ) -> tree.Recipe:
        return tree.Recipe(
            name=name,
            source=source,
            commands=commands,
            architecture=self.architecture,
            words=self._words(),
            lists=self.project.core_options.arguments,
            environment=environment,
            epoch=self.epoch,
            record=self.project.plugin_of is not None,
        )

    def publish(self, archive: Path) -> None:
        """Take what is published of a core elsewhere for its built copy."""
        recipe = self._recipe(self.project.core.name, archive, (), {})
        place = self.workdir / self.architecture / "core"
        self.trees[""] = tree.build(recipe, place) if archive.is_file() else None

    def authors(self, lock: str, core: Payload, plugins: Mapping[str, Payload]) -> dict[str, Content | None]:
        """The files for authors elsewhere. lock: the driver's part, of this architecture."""
        said = self.project.core_options.authors
        named = [
            (text, libraries.objects([self._found("", text, anywhere=text.startswith("/"))])) for text in said.symbols
        ]
        offered = [*_elves(core), *((posixpath.basename(text), one) for text, found in named for one in found)]
        needs = {plugin.name: plugin.needs for plugin in self.project.plugins}
        brought = {name: published.brings([*_elves(payload)], needs[name]) for name, payload in plugins.items()}
        files_of = [one for payload in (core, *plugins.values()) for _, one in _elves(payload)]
        names, there = published.needed(files_of), self.project.core.targets
        told = published.render(published.Interface(published.offers(offered), brought, there, names))
        files: dict[str, Content | None] = {published.LOCK: Content((lock + told).encode())}
        if said.files:
            place = self.workdir / self.architecture / published.TREE
            files[published.TREE] = published.pack(said.files, self.root(), self.epoch, place)
        return files

    def objects(self, name: str) -> fit.Plugin:
        """A plugin as its commands left it. Raises BuildError."""
        options = self.project.plugin_options[name]
        found = libraries.objects(self._found(name, text) for text in options.objects)
        named = {*options.libraries, *self.project.core_options.libraries}
        spec, names = self.project.plugin(name), _names(self.project, name, self.architecture)
        return fit.Plugin(objects=found, names=names, needs=spec.needs, clashes=spec.clashes, libraries=named)

    def agreement(self, name: str, lines: Sequence[str]) -> Agreement:
        """The ABI in what a plugin was compiled with, as its commands left it. lines: of the published core."""
        core, options = self.project.core_options, self.project.plugin_options[name]
        folder, said = self.workdir / self.architecture / f"plugin-{name}", {**core.environment, **options.environment}
        built = self.built()
        given = folder / "core" if (folder / "core").is_dir() else built.source if built else None
        root = given or self.project.root
        of, seen = self.project.core.name, (folder, given.parent if given else folder)
        place = interface.Place(of, self.architecture, root, root, self._words(), environment=said, readable=seen)
        units = compiled.units(folder / "compiled", said) if options.build else None
        return Agreement(core.abi, lines, core.authors, place, given, folder / "source", units)

    def _words(self) -> Mapping[str, str]:
        return {
            "architecture": self.architecture,
            "triplet": machines.TRIPLETS[self.architecture],
            "version": self.project.core.version,
            "jobs": str(len(os.sched_getaffinity(0))),
        }

    def root(self, plugin: str = "") -> Path:
        """Where relative paths of the core or a plugin lead."""
        built = self.built(plugin)
        return built.source if built else self.project.root

    def core(self) -> Payload:
        program = self._program()
        files = patterns.built(self.root(), self.project.core_options.files, "core.elf.files")
        entries = (_layout.program(self.project, Content(program)), *files)
        return self._payload(self.project.core.name, self.project.core_options.libraries, entries)

    def lines(self) -> tuple[str, ...]:
        """What the ABI is the hash of."""
        name, root, words, program = self.project.core.name, self.root(), self._words(), self._program()
        anywhere = self.project.outside and root == self.project.root
        # Around a project lies what is none of its business.
        seen = (root.parent,) if anywhere or root != self.project.root else ()
        place = interface.Place(name, self.architecture, root, program, words, readable=seen, anywhere=anywhere)
        return interface.lines(self.project.core_options.abi, place)

    def plugin(self, name: str) -> Payload:
        options = self.project.plugin_options[name]
        return self._payload(
            f"plugin {name}",
            {**self.project.core_options.libraries, **options.libraries},
            (
                *_objects(self.project, name, self.architecture, (self._found(name, text) for text in options.objects)),
                *_list(self.project, name, self.architecture),
                *patterns.built(self.root(name), options.files, f"plugin.{name}.elf.files"),
            ),
        )

    def _program(self) -> Path:
        return self._found("", self.project.core_options.program or self.project.core.program)

    def _found(self, plugin: str, text: str, *, anywhere: bool = False) -> Path:
        """A file of a build or of the project, or of the system. Raises BuildError if it is not there."""
        path = text.replace("{architecture}", self.architecture)
        root = self.root(plugin)
        if path.startswith("{core}/"):
            built = self.built(plugin)
            root = built.core if built and built.core else self.root()
        found = root / path.removeprefix("{core}/")
        anywhere = anywhere or (self.project.outside and root == self.project.root)
        if not found.is_file() or not (anywhere or found.resolve().is_relative_to(root.resolve())):
            # A plugin's failure has its name already.
            what = f"{'' if plugin else 'core: '}there is no file {text} in {root}"
            raise BuildError(what, hint="write it as the commands of `build` name what they make")
        return found

    def _payload(self, what: str, named: Mapping[str, str], entries: Sequence[Entry]) -> Payload:
        """Files as they come, and what follows from those that are ELF: relations, debug information apart."""
        made: list[Entry] = []
        apart: dict[str, Entry] = {}
        objects: list[Object] = []
        for entry in entries:
            source = entry.content.source if entry.content is not None else None
            found = libraries.objects([source]) if isinstance(source, Path) else ()
            objects += found
            made += [self._split(what, entry, one, apart) for one in found] or [entry]
        libraries.check_targets(what, objects, self.project.core.targets)
        return Payload(tuple(made), depends=self._relations(what, named, objects), debug=tuple(apart.values()))

    def _split(self, what: str, entry: Entry, found: Object, apart: dict[str, Entry]) -> Entry:
        if found.facts.architecture != self.architecture:
            raise BuildError(
                f"{what}: {found.path.name} is for {found.facts.architecture}, not {self.architecture}",
                hint="name the cross compiler with {triplet} in the commands, or leave the architecture out",
            )
        if not self.project.core_options.debug:
            return entry
        library = not entry.path.endswith("-core")
        parts = debug.split(found.path, found.facts, self.workdir / "split", self.listener, library=library)
        if parts.debug is not None:
            place = debug.place(found.facts.build_id)
            apart[place] = Entry(path=place, content=Content(parts.debug))
        return entry if parts.file == found.path else replace(entry, content=Content(parts.file))

    def _relations(
        self, what: str, named: Mapping[str, str], objects: Sequence[Object]
    ) -> Mapping[str, tuple[Alternatives, ...]]:
        options = self.project.plugin_options.values()
        own = {posixpath.basename(text) for option in options for text in option.objects}
        own |= {found.facts.soname for found in objects if found.facts.soname} | self.private
        families = targets.formats(self.project.core.targets)
        made = {}
        if "deb" in families:
            made["deb"] = libraries.deb(what, objects, named, own)
        if "rpm" in families:
            made["rpm"] = libraries.rpm(objects, own)
        return made
