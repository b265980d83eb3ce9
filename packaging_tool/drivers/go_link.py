"""Driver `go-link`: plugins are Go packages that are linked into the program on the target, without Go and network.

The core is a plain static program. The kit has its compiled packages and Go's compile and link; a plugin has the
packages that the core lacks. What the target links is byte for byte what `go build` makes of the same main, and every
build shows that. The ABI is defined in `packaging_tool.golang.abi`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging_tool.drivers import _layout
from packaging_tool.drivers.base import NO_ABI, Failure, Foreseen, Lock, Outcome, Payload, Said, Source, Target
from packaging_tool.errors import BuildError, Problem
from packaging_tool.golang import author, hostmain, lockfile, published, resolve, settings
from packaging_tool.golang import build as building
from packaging_tool.golang.archive import file_name
from packaging_tool.golang.lockfile import GoLock
from packaging_tool.golang.payload import PluginCode
from packaging_tool.golang.toolchain import Toolchain
from packaging_tool.listener import Listener, Silent
from packaging_tool.package.content import Content
from packaging_tool.package.model import Entry
from packaging_tool.package.templates import render
from packaging_tool.project.model import Project

# Both drivers of Go read `[core.go]` and `[plugin.X.go]`.
SHARED = "go"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreOptions:
    """Settings of `[core.go-link]`.

    module: Go module of the server: `path` (at `v` and the core's version), `path@version`, or `./folder`.
    main: import path of its main package, one Go file; default the module itself.
    go: version of Go, e.g. `"1.26.8"`; default the one that is installed.
    tags: build tags.
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
    """Settings of `[plugin.NAME.go-link]`.

    module: Go module of the plugin: `path` (at `v` and its version), `path@version`, or `./folder`; default the core's.
    packages: import paths that are linked in; default the module itself.
    lines: Go statements that are put at the line `//mkpkgs:register` of main, `{package}` stands for the first package.
    """

    module: str = ""
    packages: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


class Driver:
    """Links plugins into the program on the target."""

    name = "go-link"
    loads = True

    def check(self, project: Project) -> list[Problem]:
        """Problems of modules, import paths and settings."""
        return settings.check(project, self.name)

    def sources(self, project: Project) -> Iterator[Source]:
        """Folders of local modules."""
        found = settings.sources(project, self.name)
        return (Source(key, place, said=said and Said(*said)) for key, place, said in found)

    def lock(self, project: Project, previous: Lock | None, workdir: Path, listener: Listener) -> Lock:
        """Resolve one build list over core and plugins."""
        toolchain = Toolchain.find(project.core_options.go, workdir)
        request = settings.request(project, toolchain)
        known = previous.text if previous is not None else None
        return Lock(resolve.locked(request, known, self.name, toolchain, workdir, listener))

    def fingerprint(self, project: Project, plugin: str | None) -> str:
        """Hash of the settings and of local sources."""
        return settings.fingerprint(project, plugin)

    def outline(self, project: Project, lock: Lock, architecture: str, workdir: Path) -> Outcome:
        """The payloads to come; the ABI is NO_ABI where nothing was built yet."""
        toolchain = Toolchain.find(project.core_options.go, workdir)
        request = settings.request(project, toolchain)
        known, script = lockfile.read(lock.text), _assemble(project)
        job = settings.job(project, request, toolchain, known, architecture, workdir, Silent(), assemble=script)
        describe = settings.Describer(project, request.modules, Silent())
        job, packages, failed = building.begin(job, compiled=False)
        core_paths, codes = building.parts_of(job, packages)
        built = known.built.get(architecture)
        base = f"/usr/lib/{project.core.name}"
        modules = building.modules_of(job, packages, core_paths)
        roots = [item.path for item in hostmain.parse(job.lock.main.text()).imports]
        own = settings.paths(request.modules)
        kit = _outline_names(core_paths, {*roots, "runtime"}) + _KIT_FILES
        plugins = {
            name: Payload(
                _outline_entries(f"{project.plugins_directory}/{name}", _outline_plugin(code)),
                describe(building.modules_of(job, packages, code.packages)),
                own=own.get(name, ""),
            )
            for name, code in codes.items()
        }
        program = _layout.program(project, None)
        described = describe(modules)
        return Outcome(
            built.abi if built else NO_ABI,
            Payload((program,), described, own=request.modules[0].path),
            Payload(_outline_entries(f"{base}/kit", kit), described),
            plugins,
            _failures(failed),
            authors=published.planned([wanted.local for wanted in request.modules if wanted.local is not None]),
        )

    def unresolved(self, project: Project, lock: Lock, architecture: str, workdir: Path) -> tuple[Failure, ...]:
        """Plugins whose modules or packages are not found, or do not go together with the core's."""
        return self.outline(project, lock, architecture, workdir).failures

    def build(
        self, project: Project, lock: Lock, architecture: str, workdir: Path, listener: Listener
    ) -> tuple[Outcome, Lock]:
        """Compile core and plugins, and link them as the target does."""
        known = lockfile.read(lock.text)
        toolchain = Toolchain.find(project.core_options.go, workdir)
        request = settings.request(project, toolchain)
        if toolchain.version != known.go:
            raise BuildError(
                f"the lock is for {known.go}, but Go is {toolchain.version}",
                hint=f'write go = "{known.go.removeprefix("go")}" in [core.go-link], or lock anew',
            )
        script = _assemble(project)
        job = settings.job(project, request, toolchain, known, architecture, workdir, listener, assemble=script)
        result = building.build(job)
        describe = settings.Describer(project, request.modules, listener)
        _compare(known, architecture, result.built, listener)
        base = f"/usr/lib/{project.core.name}"
        modules, own = describe(result.modules["core"]), settings.paths(request.modules)
        program = _layout.program(project, Content(result.core))
        plugins = {
            name: Payload(
                _entries(f"{project.plugins_directory}/{name}", folder),
                describe(result.modules[f"plugin {name}"]),
                own=own.get(name, ""),
            )
            for name, folder in result.plugins.items()
        }
        locked = known.with_built(architecture, result.built)
        local = [wanted.local for wanted in request.modules if wanted.local is not None]
        authors = published.publish(
            locked, self.name, architecture, job.plugins, result.brought, local, workdir / "proxy"
        )
        outcome = Outcome(
            result.built.abi,
            Payload((program,), modules, own=request.modules[0].path),
            Payload(_entries(f"{base}/kit", result.kit), modules),
            plugins,
            _failures(result.failed),
            authors=authors,
        )
        return outcome, lock if known.built.get(architecture) == result.built else Lock(lockfile.render(locked))

    def against(self, project: Project, core: Path, architecture: str, workdir: Path, listener: Listener) -> Outcome:
        """Find a place for the plugins in the core's build list, compile them, and link them as the target does."""
        job, misfits, modules = author.begin(project, self.name, core, architecture, workdir, listener)
        failures = tuple(Failure(name, *found) for name, found in sorted(misfits.items()))
        nothing = Payload(())
        outcome = Outcome(job.lock.built[architecture].abi, nothing, nothing, {}, failures)
        if not job.plugins:
            return outcome
        result = building.build(replace(job, assemble=_assemble(project)))
        author.verify(job, result.built)
        describe, own = settings.Describer(project, modules, listener), settings.paths(modules)
        plugins = {
            plugin.name: Payload(
                _entries(f"{project.plugins_directory}/{plugin.name}", result.plugins[plugin.name]),
                describe(result.modules[f"plugin {plugin.name}"]),
                own=own.get(plugin.name, ""),
            )
            for plugin in project.plugins
            if plugin.name in result.plugins
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
        """The script that links the program; it needs coreutils, awk and sed, which every system has."""
        return Target(assemble=_assemble(project))


_KIT_FILES = (
    "compile",
    "compile.cfg",
    "compile.flags",
    "env",
    "info.head",
    "info.tail",
    "link",
    "link.cfg",
    "link.flags",
    "main.head",
    "main.mid",
    "main.tail",
    "modules",
)


def _assemble(project: Project) -> str:
    return render("go-link/assemble.sh.j2", core=project.core.name, plugins=project.plugins_directory)


def _compare(lock: GoLock, architecture: str, built: lockfile.Built, listener: Listener) -> None:
    """Say so if the same inputs came to other bytes than last time: someone else's build would not match either."""
    before = lock.built.get(architecture)
    if before is None or before.abi == built.abi:
        return
    changed = [path for path, sha256 in built.archives.items() if before.archives.get(path) != sha256]
    changed += [tool for tool, sha256 in built.tools.items() if before.tools.get(tool) != sha256]
    listener.warn(f"{architecture}: not the bytes of the lock, the ABI changes: {', '.join(changed[:5]) or 'settings'}")


def _entries(root: str, folder: Path) -> tuple[Entry, ...]:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return tuple(Entry(path=f"{root}/{name}", mode=_mode(name), content=Content(folder / name)) for name in names)


def _mode(name: str) -> int:
    return 0o755 if name in ("compile", "link") else 0o644


def _outline_names(packages: Iterable[str], exported: set[str]) -> tuple[str, ...]:
    return tuple(
        name
        for path in packages
        for name in (
            f"object/{file_name(path)}.object",
            *([f"export/{file_name(path)}.export"] if path in exported else []),
        )
    )


def _outline_plugin(code: PluginCode) -> tuple[str, ...]:
    texts = ("compile.cfg", "imports", "link.cfg", "modules", *(["lines"] if code.lines else []))
    return _outline_names(code.packages, set(code.imports)) + texts


def _outline_entries(root: str, names: Iterable[str]) -> tuple[Entry, ...]:
    return tuple(Entry(path=f"{root}/{name}", mode=_mode(name)) for name in sorted(names))


def _failures(failed: Mapping[str, tuple[str, str]]) -> tuple[Failure, ...]:
    return tuple(Failure(name, package, message) for name, (package, message) in sorted(failed.items()))
