"""What the project file says to the drivers of Go: modules, settings, and what they come to.

Their tables `[core.DRIVER]` and `[plugin.X.DRIVER]` have the fields of `drivers/go_link.py`, of which a driver may lack
some: `lines`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from packaging_tool.errors import BuildError, Problem
from packaging_tool.golang import gomod, licenses, localmodule, lockfile
from packaging_tool.golang.build import Job, PluginJob
from packaging_tool.golang.lockfile import GoLock
from packaging_tool.golang.resolve import Request, Wanted, serve_local
from packaging_tool.golang.spelling import (
    GO,
    IMPORT_PATH,
    SETTINGS,
    TAG,
    VERSION,
    is_setting,
    is_variable,
)
from packaging_tool.golang.toolchain import GOARCH, GoModule, Toolchain
from packaging_tool.listener import Listener
from packaging_tool.package.model import Module
from packaging_tool.project.model import Project


def check(project: Project, driver: str) -> list[Problem]:
    """Problems of modules, import paths and settings. driver: name of the tables."""
    options = project.core_options
    problems = Problems(project)
    if project.plugin_of is not None:
        problems.plugins(driver)
        return problems.found
    for architecture in project.core.architectures:
        if architecture not in GOARCH:
            problems.add("core.architectures", f"Go does not know {architecture}", f"use {', '.join(GOARCH)}")
    problems.module(f"core.{driver}.module", options.module, f"v{project.core.version}")
    for text in options.require:
        problems.module(f"core.{driver}.require", text, "")
    problems.replaced()
    problems.twice(driver)
    problems.paths(f"core.{driver}.main", (options.main,) if options.main else ())
    problems.paths(f"core.{driver}.without", options.without)
    problems.flags(driver)
    problems.plugins(driver)
    return problems.found


def sources(project: Project, driver: str) -> Iterator[tuple[str, str, tuple[str, int, str] | None]]:
    """Folders of local modules, by the keys that name them, or file, line and words of the go.mod that does; links in
    them are no part of a module."""
    named = [(f"plugin.{name}.{driver}.module", own.module) for name, own in sorted(project.plugin_options.items())]
    if project.plugin_of is None:
        core = project.core_options
        own = [(f"core.{driver}.module", core.module), *((f"core.{driver}.require", text) for text in core.require)]
        named = [*own, *named]
    yield from ((key, module, None) for key, module in named if _is_local(module))
    for one, folder in _replaced_by_folders(project) if project.plugin_of is None else ():
        yield f"core.{driver}.module", folder, (str(_go_mod_folder(project) / "go.mod"), one.line, one.by)


def fingerprint(project: Project, plugin: str | None) -> str:
    """Hash of the settings and of local sources of the core (None) or a plugin."""
    if project.plugin_of is not None:
        # What is published of the core stands in the lock.
        return _hash([asdict(project.plugin_options[plugin]), str(author_module(project, plugin))] if plugin else [])
    wanted = core_modules(project) if plugin is None else (plugin_module(project, plugin),)
    options = project.core_options if plugin is None else project.plugin_options[plugin]
    return _hash([asdict(options), *map(str, wanted)])


class Problems:
    """Collects problems of settings."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.found: list[Problem] = []

    def add(self, key: str, what: str, instead: str = "") -> None:
        """Add one."""
        self.found.append(Problem(str(self.project.file), 0, key, what, instead))

    def module(self, key: str, text: str, version: str) -> None:
        """Look at the name of a module. version: that it has if the text names none."""
        if _is_local(text):
            try:
                localmodule.module_path(self.project.root / text)
            except BuildError as error:
                self.add(key, error.message, error.hint)
            return
        path, _, given = text.partition("@")
        if not IMPORT_PATH.fullmatch(path):
            self.add(key, f"{path!r} is no module path", "write path@version or ./folder")
        elif not VERSION.fullmatch(given or version):
            self.add(key, f"{given or version or text!r} is no version of a Go module", f"write {path}@v1.2.3")

    def replaced(self) -> None:
        """Look at what only go.mod of the core's own folder says."""
        replaces, others = _of_go_mod(self.project)
        wrong = dict(_faults_of_go_mod(self.project))
        for line, words in wrong.items():
            self._in_go_mod(line, f"{words!r} is no line of a go.mod", "see `go help go.mod`")
        for one in replaces:
            if one.line in wrong:
                continue
            what = f"replaces {' '.join(filter(None, (one.path, one.version)))} by {' '.join((one.by, one.to)).strip()}"
            if one.version:
                instead = "write it without the version, which the build list chooses anyway"
                self._in_go_mod(one.line, f"{what}, one version alone", instead)
            elif one.is_folder:
                try:
                    found = localmodule.module_path(_go_mod_folder(self.project) / one.by)
                except BuildError as error:
                    self._in_go_mod(one.line, f"{what}: {error.message}", error.hint)
                    continue
                if found != one.path:
                    self._in_go_mod(one.line, f"{what}, whose go.mod is of {found}", f"write module {one.path} there")
            elif one.by != one.path:
                what = f"{what}: what authors of plugins elsewhere build must be the same module"
                instead = f"fetch {one.by} into a folder of the project and write {one.path} => that folder"
                self._in_go_mod(one.line, what, instead)
        for other in others:
            if other.verb == "godebug":
                what = f"godebug {' '.join(other.words)} has no effect in a dependency, which the core is"
                self._in_go_mod(other.line, what, f"write //go:debug {' '.join(other.words)} above package main")

    def twice(self, driver: str) -> None:
        """Look for modules that two lines speak of: only one of these would count, as if the other were not there."""
        # What each module comes to, and where that is said.
        known: dict[str, tuple[str, str]] = {}
        for one in _of_go_mod(self.project)[0]:
            place = f"{_go_mod_folder(self.project) / 'go.mod'}:{one.line}"
            by = self._comes_to(_go_mod_folder(self.project), f"{one.by}@{one.to}" if one.to else one.by)
            path = f"{one.path}@{one.version}" if one.version else one.path
            other, where = known.setdefault(path, (by, place))
            if other != by:
                # In the words of go: "conflicting replacements".
                self._in_go_mod(one.line, f"replaces {path}, and {where} does so otherwise", "leave one of them out")
        for index, text in enumerate(self.project.core_options.require):
            path, by = self._path(text), self._comes_to(self.project.root, text)
            key = f"core.{driver}.require[{index}]"
            other, where = known.setdefault(path, (by, key))
            if path and other != by:
                verb = "requires it otherwise" if where.startswith("core.") else "replaces it by something else"
                self.add(key, f"{text!r} is {path}, and {where} {verb}", "leave one of them out")
            if path and path == self._path(self.project.core_options.module):
                self.add(key, f"{text!r} is {path}, the server itself", "write it as `module`")

    def _path(self, text: str) -> str:
        """The path of a module that the project file names; "" if it has none, which is told elsewhere."""
        try:
            return localmodule.module_path(self.project.root / text) if _is_local(text) else text.partition("@")[0]
        except BuildError:
            return ""

    @staticmethod
    def _comes_to(root: Path, text: str) -> str:
        """The same for two spellings of one folder or version."""
        return os.path.normpath(root / text) if text.startswith(("./", "../", "/")) or text in (".", "..") else text

    def _in_go_mod(self, line: int, what: str, instead: str) -> None:
        self.found.append(Problem(str(_go_mod_folder(self.project) / "go.mod"), line, "", what, instead))

    def flags(self, driver: str) -> None:
        """Look at what the go command gets as variables and options."""
        options, key = self.project.core_options, f"core.{driver}"
        if options.go and not GO.fullmatch(options.go):
            self.add(f"{key}.go", f"{options.go!r} is no version of Go", 'write for example "1.26.8"')
        for tag in options.tags:
            if not TAG.fullmatch(tag):
                self.add(f"{key}.tags", f"{tag!r} is no build tag", "letters, digits, `_` and `.`, please")
        for name, value in sorted(options.settings.items()):
            if not is_setting(name, value):
                what = "is no setting that changes what is compiled"
                self.add(f"{key}.settings.{name}", what, f"use {', '.join(SETTINGS)}")
        for name, value in sorted(options.variables.items()):
            if not is_variable(name, value):
                what = "cannot be passed to the linker"
                self.add(f"{key}.variables.{name}", what, "no quotes and no line ends, please")

    def plugins(self, driver: str) -> None:
        """Look at the settings of all plugins."""
        for name, plugin in sorted(self.project.plugin_options.items()):
            key = f"plugin.{name}.{driver}"
            if plugin.module:
                self.module(f"{key}.module", plugin.module, f"v{self.project.plugin(name).version}")
            elif not plugin.packages:
                self.add(key, "names neither module nor packages", 'write packages = ["import/path"]')
            self.paths(f"{key}.packages", plugin.packages)

    def paths(self, key: str, paths: Iterable[str]) -> None:
        """Look at import paths."""
        for path in paths:
            if not IMPORT_PATH.fullmatch(path):
                self.add(key, f"{path!r} is no import path")


def _is_local(module: str) -> bool:
    return module in (".", "..") or module.startswith(("./", "../"))


def _wanted(project: Project, owner: str, module: str, version: str) -> Wanted:
    if _is_local(module):
        local = localmodule.scan((project.root / module).resolve(), version)
        return Wanted(owner, local.path, local.version, local)
    path, _, given = module.partition("@")
    return Wanted(owner, path, given or f"v{version}")


def core_module(project: Project) -> Wanted:
    """The module of the server."""
    return _wanted(project, "core", project.core_options.module, project.core.version)


def core_modules(project: Project) -> tuple[Wanted, ...]:
    """The module of the server, and others that the core is to be made with: those in whose place its go.mod puts
    folders or versions, and those that the project file requires."""
    replaces, _ = _of_go_mod(project)
    said = f"{project.core_options.module.removeprefix('./')}/go.mod:"
    exact = (Wanted("core", one.path, one.to, said=f"{said}{one.line}") for one in replaces if one.to)
    above = localmodule.ABOVE_ALL
    folders = (_wanted(project, "core", folder, above) for _, folder in _replaced_by_folders(project))
    least = (_wanted(project, "core", text, above) for text in project.core_options.require)
    required = (one if one.local is not None else replace(one, least=True) for one in least)
    return (core_module(project), *exact, *folders, *required)


def excluded(project: Project) -> tuple[tuple[str, str, str], ...]:
    """Path and version of modules that go.mod of the core excludes, and where it says so."""
    _, others = _of_go_mod(project)
    said = f"{project.core_options.module.removeprefix('./')}/go.mod:"
    return tuple(
        (*other.words, f"{said}{other.line}") for other in others if other.verb == "exclude" and len(other.words) == 2
    )


def _of_go_mod(project: Project) -> tuple[tuple[gomod.Replace, ...], tuple[gomod.Directive, ...]]:
    if not _is_local(project.core_options.module):
        return (), ()
    try:
        return gomod.read(_go_mod_folder(project))
    except OSError:
        # Told by what wants its module line.
        return (), ()


def _faults_of_go_mod(project: Project) -> list[tuple[int, str]]:
    if not _is_local(project.core_options.module):
        return []
    try:
        return gomod.faults(_go_mod_folder(project))
    except OSError:
        return []


def _go_mod_folder(project: Project) -> Path:
    return Path(project.root, project.core_options.module)


def _replaced_by_folders(project: Project) -> Iterator[tuple[gomod.Replace, str]]:
    """Each with its folder, relative to the project."""
    for one in _of_go_mod(project)[0]:
        if one.is_folder and not one.version:
            folder = os.path.relpath(_go_mod_folder(project) / one.by, project.root)
            yield one, folder if folder.startswith("..") else f"./{folder}"


def plugin_module(project: Project, name: str) -> Wanted:
    """The module of a plugin."""
    options = project.plugin_options[name]
    if not options.module:
        return replace(core_module(project), owner=f"plugin {name}")
    return _wanted(project, f"plugin {name}", options.module, project.plugin(name).version)


def author_module(project: Project, name: str) -> Wanted | None:
    """The module of a plugin for somebody else's core; None if its packages are of a module that the core has."""
    options = project.plugin_options[name]
    if not options.module:
        return None
    return _wanted(project, f"plugin {name}", options.module, project.plugin(name).version)


def paths(modules: Iterable[Wanted]) -> dict[str, str]:
    """The modules that plugins are, by the names of the plugins."""
    return {wanted.owner.removeprefix("plugin "): wanted.path for wanted in modules if wanted.owner != "core"}


def request(project: Project, toolchain: Toolchain, *, cgo: bool = False) -> Request:
    """What is to be resolved. cgo: compile with it, for a program that loads shared objects."""
    options = project.core_options
    names = sorted(plugin.name for plugin in project.plugins)
    of_core = core_modules(project)
    of_plugins = {name: plugin_module(project, name) for name in names}
    # A folder that stands for a module in the core is that module for plugins, too.
    folders = {one.path: one for one in of_core[1:] if one.local is not None}
    of_plugins = {name: replace(folders.get(one.path, one), owner=one.owner) for name, one in of_plugins.items()}
    modules = (*of_core, *of_plugins.values())
    request = Request(
        name=project.core.name,
        main=options.main or modules[0].path,
        modules=modules,
        plugins={name: project.plugin_options[name].packages or (of_plugins[name].path,) for name in names},
        lined=tuple(name for name in names if project.plugin_options[name].lines),
        without=options.without,
        architectures=tuple(sorted(project.core.architectures)),
        inputs="",
        settings={**SETTINGS, **options.settings, **({"CGO_ENABLED": "1"} if cgo else {})},
        tags=options.tags,
        link_flags=tuple(f"-X={name}={value}" for name, value in sorted(options.variables.items())),
        excluded=excluded(project),
    )
    # Release names of modules, not their folders, so that the lock is the same in every checkout.
    said = [lockfile.FORMAT, toolchain.version, [str(m) for m in modules], request.name, request.main]
    said += [request.plugins, request.without, request.architectures, request.settings, request.tags]
    said += [request.link_flags, request.lined]
    return replace(request, inputs=_hash(said))


def job(
    project: Project,
    request: Request,
    toolchain: Toolchain,
    lock: GoLock,
    architecture: str,
    workdir: Path,
    listener: Listener,
    *,
    assemble: str = "",
) -> Job:
    """The build that the project asks for. assemble: as in Job."""
    ordered = sorted(project.plugins, key=lambda plugin: (plugin.order, plugin.name))
    return Job(
        core=project.core.name,
        architecture=architecture,
        lock=lock,
        tags=request.tags,
        plugins=tuple(
            PluginJob(
                name=plugin.name,
                imports=request.plugins[plugin.name],
                lines=project.plugin_options[plugin.name].lines,
                needs=plugin.needs,
            )
            for plugin in ordered
        ),
        assemble=assemble,
        check=tuple(shlex.split(project.core.trial)),
        toolchain=serve_local(toolchain, request.modules, workdir / "proxy"),
        workdir=workdir,
        listener=listener,
        local={wanted.local.cached: wanted.local.folder for wanted in request.modules if wanted.local is not None},
    )


class Describer:
    """Modules with their licenses. A local module without a license file has the license of what it belongs to."""

    def __init__(self, project: Project, modules: Iterable[Wanted], listener: Listener) -> None:
        self.listener = listener
        self.known: dict[str, Module] = {}
        self.local: dict[str, tuple[str, str]] = {}
        for wanted in modules:
            if wanted.local is not None and wanted.path not in self.local:
                name = wanted.owner.removeprefix("plugin ")
                spec = project.core if wanted.owner == "core" else project.plugin(name)
                self.local[wanted.path] = (
                    spec.license or project.core.license,
                    spec.copyright or project.core.copyright,
                )

    def __call__(self, modules: Iterable[GoModule]) -> tuple[Module, ...]:
        return tuple(self._describe(module) for module in modules)

    def _describe(self, module: GoModule) -> Module:
        # What is copied beside one package may not be beside another: the same module, other folders, other licenses.
        key = f"{module.path} {module.folders}"
        if key not in self.known:
            found = licenses.License("", (), "")
            if module.dir is not None:
                found = licenses.of_module(module.dir, module.folders)
            license_, holder = self.local.get(module.path, ("", ""))
            license_, holders = found.id or license_, found.copyright or ((holder,) if holder else ())
            if not license_:
                self.listener.warn(f"{module.path} {module.version}: its license is not one that mkpkgs knows")
            self.known[key] = Module(module.path, module.version, license_, holders, found.text, module.sum)
        return self.known[key]


def _hash(said: object) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
