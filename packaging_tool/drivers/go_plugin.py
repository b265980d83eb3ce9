"""Driver `go-plugin`: plugins are shared objects that the server itself opens at its start, by Go's `plugin`.

The core is upstream's program with a generated file that opens what manifests vouch for and then lets main begin; a
plugin is one shared object. Nothing is linked on the target, but core and plugins need the C library of the machine
that built them or a newer one, and every plugin has its own copy of all that it imports. The ABI is defined in
`packaging_tool.golang.plugin`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging_tool.drivers import _layout
from packaging_tool.drivers.base import NO_ABI, Failure, Foreseen, Lock, Outcome, Payload, Said, Source, Target
from packaging_tool.elf import libraries, machines
from packaging_tool.errors import BuildError, Problem
from packaging_tool.golang import author, lockfile, pieces, plugin, published, resolve, settings
from packaging_tool.golang import build as building
from packaging_tool.golang.plugin import Place
from packaging_tool.golang.toolchain import GOARCH, Toolchain
from packaging_tool.listener import Listener, Silent
from packaging_tool.package.content import Content
from packaging_tool.package.model import Entry
from packaging_tool.project.model import Project

# Both drivers of Go read `[core.go]` and `[plugin.X.go]`.
SHARED = "go"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreOptions:
    """Settings of `[core.go-plugin]`.

    module: Go module of the server: `path` (at `v` and the core's version), `path@version`, or `./folder`.
    main: import path of its main package, one Go file; default the module itself.
    go: version of Go, e.g. `"1.26.8"`; default the one that is installed.
    tags: build tags; `purego` where assembler of a library does not fit into plugins.
    variables: string variables that the linker sets, e.g. `{ "main.version" = "1.2" }`.
    settings: of the go command: GOAMD64, GOARM64, GOEXPERIMENT and the like.
    without: packages that the core leaves out though no plugin brings them.
    require: other modules that the core is made with: `path@version` for that version or a newer one, as for a security
        update of a library, or `./folder` in the place of the published one.
    """

    module: str
    main: str = ""
    go: str = ""
    tags: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    require: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginOptions:
    """Settings of `[plugin.NAME.go-plugin]`.

    module: Go module of the plugin: `path` (at `v` and its version), `path@version`, or `./folder`; default the core's.
    packages: import paths that the shared object has; default the module itself.
    lines: refused: main is compiled before there are plugins. The driver `go-link` has them.
    """

    module: str = ""
    packages: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


class Driver:
    """Builds shared objects that the server opens."""

    name = "go-plugin"
    loads = True

    def check(self, project: Project) -> list[Problem]:
        """Problems of modules, import paths and settings."""
        found = settings.check(project, self.name)
        for name, options in sorted(project.plugin_options.items()):
            if options.lines:
                what = "cannot be used: main is compiled before there are plugins"
                instead = 'register in an init function of the package, or use driver = "go-link"'
                found.append(Problem(str(project.file), 0, f"plugin.{name}.go-plugin.lines", what, instead))
        return found

    def sources(self, project: Project) -> Iterator[Source]:
        """Folders of local modules."""
        found = settings.sources(project, self.name)
        return (Source(key, place, said=said and Said(*said)) for key, place, said in found)

    def lock(self, project: Project, previous: Lock | None, workdir: Path, listener: Listener) -> Lock:
        """Resolve one build list over core and plugins."""
        toolchain = Toolchain.find(project.core_options.go, workdir)
        request = settings.request(project, toolchain, cgo=True)
        known = previous.text if previous is not None else None
        return Lock(resolve.locked(request, known, self.name, toolchain, workdir, listener))

    def fingerprint(self, project: Project, plugin: str | None) -> str:
        """Hash of the settings and of local sources."""
        return settings.fingerprint(project, plugin)

    def outline(self, project: Project, lock: Lock, architecture: str, workdir: Path) -> Outcome:
        """The payloads to come; the ABI is NO_ABI where nothing was built yet."""
        toolchain = Toolchain.find(project.core_options.go, workdir)
        request = settings.request(project, toolchain, cgo=True)
        compilers, known = _compilers(toolchain, architecture), lockfile.read(lock.text, self.name)
        job = settings.job(project, request, compilers, known, architecture, workdir, Silent())
        plugin.prepare(job, _place(project))
        describe = settings.Describer(project, request.modules, Silent())
        job, packages, failed = building.begin(job, compiled=False)
        core_paths = plugin.paths_of_core(job, packages)
        _, codes = building.parts_of(job, packages)
        built, own = job.lock.built.get(architecture), settings.paths(request.modules)
        modules = describe(building.modules_of(job, packages, core_paths))
        return Outcome(
            built.abi if built else NO_ABI,
            Payload((_layout.program(project, None),), modules, own=request.modules[0].path),
            None,
            {
                name: Payload(
                    _objects(project, name, None),
                    describe(building.modules_of(job, packages, code.packages)),
                    own=own.get(name, ""),
                )
                for name, code in codes.items()
            },
            _failures(failed),
            authors=published.planned([wanted.local for wanted in request.modules if wanted.local is not None]),
        )

    def unresolved(self, project: Project, lock: Lock, architecture: str, workdir: Path) -> tuple[Failure, ...]:
        """Plugins whose modules or packages are not found, or do not go together with the core's."""
        return self.outline(project, lock, architecture, workdir).failures

    def build(
        self, project: Project, lock: Lock, architecture: str, workdir: Path, listener: Listener
    ) -> tuple[Outcome, Lock]:
        """Compile core and plugins, and let the core open them."""
        known = lockfile.read(lock.text, self.name)
        toolchain = Toolchain.find(project.core_options.go, workdir)
        request = settings.request(project, toolchain, cgo=True)
        if toolchain.version != known.go:
            raise BuildError(
                f"the lock is for {known.go}, but Go is {toolchain.version}",
                hint=f'write go = "{known.go.removeprefix("go")}" in [core.go-plugin], or lock anew',
            )
        compilers = _compilers(toolchain, architecture)
        job = settings.job(project, request, compilers, known, architecture, workdir, listener)
        result = plugin.build(job, _place(project))
        before = known.built.get(architecture)
        if before is not None and before.abi != result.built.abi:
            listener.warn(f"{architecture}: not the bytes of the lock, the ABI changes")
        describe, own = settings.Describer(project, request.modules, listener), settings.paths(request.modules)
        plugins = {
            name: Payload(
                _objects(project, name, path),
                describe(result.modules[f"plugin {name}"]),
                libraries.c_library(project.core.targets, f"plugin {name}", path),
                own=own.get(name, ""),
            )
            for name, path in result.plugins.items()
        }
        core = Payload(
            (_layout.program(project, Content(result.core)),),
            describe(result.modules["core"]),
            libraries.c_library(project.core.targets, project.core.name, result.core),
            own=request.modules[0].path,
        )
        locked = known.with_built(architecture, result.built)
        local = [wanted.local for wanted in request.modules if wanted.local is not None]
        authors = published.publish(
            locked, self.name, architecture, job.plugins, result.brought, local, workdir / "proxy"
        )
        failures = _failures(result.failed)
        outcome = Outcome(result.built.abi, core, None, plugins, failures, authors=authors)
        return outcome, lock if before == result.built else Lock(lockfile.render(locked, self.name))

    def against(self, project: Project, core: Path, architecture: str, workdir: Path, listener: Listener) -> Outcome:
        """Find a place for the plugins in the core's build list, and let a core of that list open them."""
        job, misfits, modules = author.begin(project, self.name, core, architecture, workdir, listener)
        failures = tuple(Failure(name, *found) for name, found in sorted(misfits.items()))
        outcome = Outcome(job.lock.built[architecture].abi, Payload(()), None, {}, failures)
        if not job.plugins:
            return outcome
        job = replace(job, toolchain=_compilers(job.toolchain, architecture))
        result = plugin.build(job, _place(project))
        author.verify(job, result.built)
        describe, own = settings.Describer(project, modules, listener), settings.paths(modules)
        plugins = {
            spec.name: Payload(
                _objects(project, spec.name, result.plugins[spec.name]),
                describe(result.modules[f"plugin {spec.name}"]),
                libraries.c_library(project.core.targets, f"plugin {spec.name}", result.plugins[spec.name]),
                own=own.get(spec.name, ""),
            )
            for spec in project.plugins
            if spec.name in result.plugins
        }
        return replace(outcome, plugins=plugins, failures=failures + _failures(result.failed))

    def foresee(self, project: Project, core: Path, architecture: str, workdir: Path, listener: Listener) -> Foreseen:
        """Find the place in the core's build list without compiling."""
        modules, sums = author.foresee(project, self.name, core, architecture, workdir, listener)
        return Foreseen(modules=modules, sums=sums)

    def changes(self, before: str, after: str, architecture: str) -> tuple[str, ...]:
        """What differs between the locks of two cores."""
        return author.changes(lockfile.read(before, self.name), lockfile.read(after, self.name), architecture)

    def target(self, project: Project) -> Target:
        """Nothing is assembled: the core opens the verified copies."""
        return Target(tree=True)


def _place(project: Project) -> Place:
    core = project.core
    return Place(
        plugins=f"/usr/lib/{core.name}/bin/serving/plugins",
        share=f"/usr/share/{core.name}",
        config=core.config_directory or f"/etc/{core.name}",
        variable=f"{re.sub('[^A-Z0-9]', '_', core.name.upper())}_PLUGINSDIR",
    )


def _compilers(toolchain: Toolchain, architecture: str) -> Toolchain:
    """The toolchain with the C compilers for another architecture than this machine's."""
    if toolchain.tools.name == f"linux_{GOARCH[architecture]}":
        return toolchain
    compilers = {"CC": f"{machines.TRIPLETS[architecture]}-gcc", "CXX": f"{machines.TRIPLETS[architecture]}-g++"}
    return replace(toolchain, env={**toolchain.env, **compilers})


def _objects(project: Project, name: str, path: Path | None) -> tuple[Entry, ...]:
    """The shared object, and the hashes of its pieces."""
    place = Path(project.plugins_directory, name, f"{name}.so")
    return (
        Entry(path=str(place), mode=0o644, content=Content(path) if path else None),
        Entry(path=str(pieces.beside(place)), mode=0o644, content=Content(pieces.beside(path)) if path else None),
    )


def _failures(failed: Mapping[str, tuple[str, str]]) -> tuple[Failure, ...]:
    return tuple(Failure(name, package, message) for name, (package, message) in sorted(failed.items()))
