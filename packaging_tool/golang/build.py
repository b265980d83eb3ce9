"""Builds core, kit and plugins for one architecture, and proves that they link to what `go build` makes.

The compiler's work is in Go's build cache; what is here costs little when nothing changed: a listing, and hard links.
"""

from __future__ import annotations

import filecmp
import hashlib
import re
import shutil
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging_tool import confine
from packaging_tool.errors import BuildError, CommandError
from packaging_tool.golang import abi, buildinfo, licenses, payload
from packaging_tool.golang.archive import Split, Store
from packaging_tool.golang.closure import chain, closure, divide
from packaging_tool.golang.hostmain import parse
from packaging_tool.golang.lockfile import Built, GoLock
from packaging_tool.golang.payload import PluginCode
from packaging_tool.golang.resolve import module_name
from packaging_tool.golang.toolchain import GOARCH, GoModule, GoPackage, Toolchain
from packaging_tool.listener import Listener

# How every package is compiled: no path of this machine, no version control, no profile, no debug data. PGO would make
# other archives of a package with main than without.
FLAGS = ("-trimpath", "-buildvcs=false", "-pgo=off", "-gcflags=all=-dwarf=false", "-mod=readonly")
# Seconds that a new program gets to show that it starts.
START_LIMIT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginJob:
    """A plugin to build. All is as in the project file; plugins come in the server's order."""

    name: str
    imports: tuple[str, ...]
    lines: tuple[str, ...]
    needs: tuple[str, ...]
    clashes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One build.

    core: its name. assemble: text of the assemble step. check: arguments with which the program must end well, empty
    if it is not to be started. workdir: lasts from run to run. local: folders of local modules, by `path@version` as
    the module cache spells it. store: of split archives, on the file system of workdir; None for one in workdir.
    """

    core: str
    architecture: str
    lock: GoLock
    tags: tuple[str, ...]
    plugins: tuple[PluginJob, ...]
    assemble: str
    check: tuple[str, ...]
    toolchain: Toolchain
    workdir: Path
    listener: Listener
    local: Mapping[str, Path] = field(default_factory=dict)
    store: Path | None = None

    @property
    def folder(self) -> Path:
        """What belongs to this architecture only."""
        return self.workdir / self.architecture

    def go(self, arguments: Sequence[str], cwd: Path) -> None:
        """Run the go command for this architecture. Raises CommandError."""
        self.toolchain.run(arguments, cwd=cwd, architecture=self.architecture, settings=self.lock.settings)

    def flags(self) -> list[str]:
        """Flags of go build and go list."""
        return [*FLAGS, *([f"-tags={','.join(self.tags)}"] if self.tags else [])]

    def with_needed(self, name: str) -> tuple[PluginJob, ...]:
        """A plugin with all that it needs, in the server's order."""
        wanted = {name}
        while more := {n for plugin in self.plugins if plugin.name in wanted for n in plugin.needs} - wanted:
            wanted |= more
        return tuple(plugin for plugin in self.plugins if plugin.name in wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """core: the program. kit, plugins: folders with payloads. modules: that give packages, by `core` and plugin name
    (under `plugin NAME`). failed: plugin name to (package, message). brought: the packages of each plugin by import
    path, with the SHA-256 of their archives."""

    core: Path
    kit: Path
    plugins: Mapping[str, Path]
    modules: Mapping[str, tuple[GoModule, ...]]
    failed: Mapping[str, tuple[str, str]]
    built: Built
    brought: Mapping[str, Mapping[str, str]]


def begin(job: Job, *, compiled: bool) -> tuple[Job, dict[str, GoPackage], dict[str, tuple[str, str]]]:
    """List all packages and set aside the plugins that cannot be built.

    compiled: compile them too. Gives the job without those plugins, the packages, and plugin name to (package,
    message). Raises BuildError if a package of the core fails.
    """
    unresolved = {
        p.name: (p.imports[0], job.lock.unresolved[p.name]) for p in job.plugins if p.name in job.lock.unresolved
    }
    failed = with_dependents(job, unresolved)
    job = without(job, failed)
    packages = _listing(job, compiled=compiled)
    failed |= _failures(job, packages)
    return without(job, failed), packages, failed


def _listing(job: Job, *, compiled: bool) -> dict[str, GoPackage]:
    host = _host(job, "host", ())
    roots = sorted({path for plugin in job.plugins for path in plugin.imports})
    packages = job.toolchain.list(
        [*(["-export"] if compiled else []), *job.flags(), ".", *roots],
        cwd=host,
        architecture=job.architecture,
        settings=job.lock.settings,
    )
    for package in closure(packages, [module_name(job.core), "runtime"]).values():
        if package.error:
            raise BuildError(f"the core does not build: package {package.path}: {_message(job, package)}")
    return packages


def _failures(job: Job, packages: Mapping[str, GoPackage]) -> dict[str, tuple[str, str]]:
    failed: dict[str, tuple[str, str]] = {}
    for plugin in job.plugins:
        broken = [p for p in closure(packages, plugin.imports).values() if p.error]
        broken += [_absent(path) for path in plugin.imports if path not in packages]
        if broken:
            # The deepest one is the cause: it has no other broken package among its imports.
            names = {p.path for p in broken}
            cause = min(broken, key=lambda p: (len(names & closure(packages, p.imports).keys()), p.path))
            failed[plugin.name] = (cause.path, _message(job, cause))
    return with_dependents(job, failed)


def parts_of(job: Job, packages: Mapping[str, GoPackage]) -> tuple[tuple[str, ...], dict[str, PluginCode]]:
    """The core's packages, and what each plugin brings."""
    roots = [item.path for item in parse(job.lock.main.text()).imports]
    parts = divide(packages, roots, {p.name: p.imports for p in job.plugins}, {p.name: p.needs for p in job.plugins})
    codes = {}
    for plugin in job.plugins:
        brought = parts.plugins[plugin.name]
        for path in plugin.imports:
            if path not in brought:
                why = " imports ".join(chain(packages, module_name(job.core), path, set(parts.core)))
                raise BuildError(f"plugin {plugin.name}: {path} is in the core anyway: {why}")
        modules = {m.path for path in brought if (m := packages[path].module) is not None}
        codes[plugin.name] = PluginCode(plugin.name, plugin.imports, plugin.lines, brought, tuple(sorted(modules)))
    return parts.core, codes


def modules_of(job: Job, packages: Mapping[str, GoPackage], paths: Iterable[str]) -> tuple[GoModule, ...]:
    """The modules that give these packages, sorted by path; Go's own library is the module `std`."""
    standard = GoModule("std", job.toolchain.version.removeprefix("go"), "", licenses.of_go(job.toolchain.root))
    found: dict[str, tuple[GoModule, list[Path]]] = {}
    for path in paths:
        package = packages[path]
        module = standard if package.standard else package.module
        if module is not None:
            found.setdefault(module.path, (module, []))[1].append(package.dir)
    if "std" in found:
        # Its own folders have a license of an object file that is only linked with GOEXPERIMENT=boringcrypto.
        found["std"] = (standard, [])
    return tuple(replace(module, folders=tuple(sorted(folders))) for _, (module, folders) in sorted(found.items()))


def build(job: Job) -> Result:
    """Build everything. Raises BuildError if the core fails, CommandError, OSError."""
    job.listener.step(f"compile {job.core} and its plugins for {job.architecture}")
    job, packages, failed = begin(job, compiled=True)
    _warn_of_plugin_opening(job, packages)
    store = Store(job.store or job.workdir / "store")
    tools = _build_tools(job)
    core_paths, codes = parts_of(job, packages)
    splits = {path: _split(store, packages[path]) for path in core_paths}
    hashes = {tool: hashlib.sha256((tools / tool).read_bytes()).hexdigest() for tool in ("compile", "link")}
    key = f"{_key(job, packages, splits, codes)} {hashes}"
    stamp = job.folder / "stamp"
    places = [job.folder / "core", job.folder / "kit", *(job.folder / "plugins" / name for name in codes)]
    if not stamp.exists() or stamp.read_text() != f"{key} {_mark(places)}":
        stamp.unlink(missing_ok=True)
        if unproved := with_dependents(job, _prove_programs(job)):
            failed |= unproved
            job = without(job, failed)
            core_paths, codes = parts_of(job, packages)
        _lay_out(job, store, packages, splits, codes, tools)
        _self_test(job)
        if not unproved:
            stamp.write_text(f"{key} {_mark(places)}")
    info = buildinfo.read(job.folder / "core")
    archives = {path: split.sha256 for path, split in splits.items()}
    flags = (job.folder / "kit/link.flags").read_text()
    identity = abi.identity(abi.text(job.core, job.architecture, job.lock, hashes, archives, flags, info))
    modules = {"core": modules_of(job, packages, core_paths)}
    modules |= {f"plugin {name}": modules_of(job, packages, code.packages) for name, code in codes.items()}
    brought = {
        name: {path: _split(store, packages[path]).sha256 for path in code.packages} for name, code in codes.items()
    }
    store.prune()
    return Result(
        core=job.folder / "core",
        kit=job.folder / "kit",
        plugins={name: job.folder / "plugins" / name for name in codes},
        modules=modules,
        failed=failed,
        built=Built(identity, hashes, archives),
        brought=brought,
    )


def _warn_of_plugin_opening(job: Job, packages: Mapping[str, GoPackage]) -> None:
    for package in packages.values():
        if "plugin" in package.imports and not package.standard:
            job.listener.warn(f"{package.path} imports plugin: a static program cannot open Go plugins at run time")


def _key(
    job: Job, packages: Mapping[str, GoPackage], core: Mapping[str, Split], codes: Mapping[str, PluginCode]
) -> str:
    """Hash of all that payloads and self-tests are made from."""
    said = [replace(job.lock, built={}), job.tags, job.plugins, job.assemble, job.check, codes, sorted(core.items())]
    said += [[str(packages[path].export) for path in code.packages] for code in codes.values()]
    return hashlib.sha256(repr(said).encode()).hexdigest()


def _mark(places: Iterable[Path]) -> str:
    """Hash over names, sizes and times of all files in places: so a payload that was cut short is made anew."""
    files = sorted(file for place in places for file in (place, *place.rglob("*")) if file.is_file())
    said = [(str(file), found.st_size, found.st_mtime_ns) for file in files if (found := file.stat())]
    return hashlib.sha256(repr(said).encode()).hexdigest()


def _host(job: Job, name: str, plugins: Sequence[PluginJob]) -> Path:
    """A module with the host main, with the imports of these plugins."""
    folder = job.folder / name
    folder.mkdir(parents=True, exist_ok=True)
    codes = [PluginCode(p.name, p.imports, p.lines, (), ()) for p in plugins]
    text = job.lock.main.text((c.import_text() for c in codes), (c.line_text() for c in codes))
    for file, content in (("go.mod", job.lock.go_mod), ("go.sum", job.lock.go_sum), ("main.go", text)):
        (folder / file).write_text(content)
    return folder


def _build_program(job: Job, name: str, plugins: Sequence[PluginJob]) -> Path:
    """What `go build` makes of the host main: the judge of everything that is linked here."""
    host = _host(job, f"host-{name}", plugins)
    quoted = [f'"{flag}"' if " " in flag else flag for flag in job.lock.link_flags if flag != "-buildmode=exe"]
    program = job.folder / name
    job.go(["build", *job.flags(), f"-ldflags={' '.join(quoted)}", "-o", str(program), "."], host)
    return program


def _build_tools(job: Job) -> Path:
    """Go's compile and link, for the target's architecture. The go command leaves them alone if they are up to date."""
    folder = job.folder / "tools"
    folder.mkdir(parents=True, exist_ok=True)
    flags = ["-trimpath", "-buildvcs=false", "-pgo=off", "-ldflags=-s -w"]
    # Without the settings of the server: a compile that is itself built with GOEXPERIMENT has another version.
    job.toolchain.run(
        ["build", *flags, "-o", f"{folder}/", "cmd/compile", "cmd/link"],
        cwd=_host(job, "host", ()),
        architecture=job.architecture,
        settings={},
    )
    return folder


def _prove_programs(job: Job) -> dict[str, tuple[str, str]]:
    """Build the program without and with all plugins; if the latter fails, find the plugins that are to blame."""
    if problem := _problem(job, "core", ()):
        raise BuildError(f"the core does not work: {problem}")
    if not _problem(job, "all", job.plugins):
        return {}
    failed = {}
    for plugin in job.plugins:
        if problem := _problem(job, "one", job.with_needed(plugin.name)):
            failed[plugin.name] = (plugin.imports[0], problem)
    left = without(job, with_dependents(job, failed))
    if problem := _problem(left, "all", left.plugins):
        raise BuildError(f"the plugins work one by one but not together: {problem}")
    return failed


def _problem(job: Job, name: str, plugins: Sequence[PluginJob]) -> str:
    """Why a program with these plugins cannot be built or does not start, or ""."""
    try:
        program = _build_program(job, name, plugins)
    except CommandError as error:
        return error.message
    if not job.check or not _runs_here(job):
        return ""
    home = job.folder / "home"
    home.mkdir(exist_ok=True)
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(home)}
    # It is the code of plugins, and most often of many people.
    done = confine.run_confined(
        ["timeout", str(START_LIMIT), program, *job.check],
        cwd=home,
        env=env,
        writable=[home],
        readable=[program.parent],
        check=False,
    )
    if done.returncode == 0:
        return ""
    output = (done.stderr or done.stdout).decode(errors="replace").strip()
    return f"`{' '.join(job.check)}` ends with status {done.returncode}: {output[:2000]}"


def _runs_here(job: Job) -> bool:
    return job.toolchain.tools.name == f"linux_{GOARCH[job.architecture]}"


def _split(store: Store, package: GoPackage) -> Split:
    if package.export is None:
        raise BuildError(f"{package.path}: go list gave no archive")
    return store.split(package.export)


def _lay_out(
    job: Job,
    store: Store,
    packages: Mapping[str, GoPackage],
    core: Mapping[str, Split],
    codes: Mapping[str, PluginCode],
    tools: Path,
) -> None:
    """Write the payloads anew: they are hard links, so this costs milliseconds."""
    kit, plugins = job.folder / "kit", job.folder / "plugins"
    for folder in (kit, plugins):
        shutil.rmtree(folder, ignore_errors=True)
    plugins.mkdir()
    imports = [item.path for item in parse(job.lock.main.text()).imports]
    payload.write_kit(kit, job.lock, job.architecture, buildinfo.read(job.folder / "core"), core, imports, tools)
    info = buildinfo.read(job.folder / "all")
    for name, code in codes.items():
        splits = {path: _split(store, packages[path]) for path in code.packages}
        payload.write_plugin(plugins / name, code, info, splits)


def _self_test(job: Job) -> None:
    """Link as the target does, with no plugin and with all: the bytes must be those of go build."""
    job.listener.step(f"link {job.core} as on the target, for {job.architecture}")
    for name, plugins in (("core", ()), ("all", job.plugins)):
        linked = relink(job, [plugin.name for plugin in plugins], job.folder / f"{name}.relinked")
        if not filecmp.cmp(linked, job.folder / name, shallow=False):
            raise BuildError(
                f"{linked} is not the program that go build made: {job.folder / name}",
                hint="this is a mistake of mkpkgs, please report it",
            )
        linked.unlink()


def relink(job: Job, names: Sequence[str], output: Path) -> Path:
    """Run the assemble step with these plugins, by the kit's tools or, for another architecture, this machine's."""
    script = job.folder / "assemble"
    script.write_text(job.assemble)
    linking = job.folder / "linking"
    shutil.rmtree(linking, ignore_errors=True)
    (scratch := linking / "scratch").mkdir(parents=True)
    env = {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C",
        "KIT": str(job.folder / "kit"),
        "PLUGINS": str(job.folder / "plugins"),
        "TMPDIR": str(scratch),
        "TOOLS": str(job.folder / "kit" if _runs_here(job) else job.toolchain.tools),
    }
    tools = [job.workdir, job.toolchain.root]
    made = linking / output.name
    # The tools are what somebody published, where the core is somebody else's.
    confine.run_confined(["sh", script, made, *names], cwd=linking, env=env, writable=[linking], readable=tools)
    if not stat.S_ISREG(made.lstat().st_mode):
        raise BuildError(f"{made} is not a regular file")
    made.replace(output)
    shutil.rmtree(linking, ignore_errors=True)
    return output


def _message(job: Job, package: GoPackage) -> str:
    lines = [line for line in package.error.splitlines() if line != f"# {package.path}"]
    if "build constraints exclude all Go files" in package.error:
        _, output, _ = job.toolchain.run(
            ["list", "-e", "-mod=readonly", "-f", "{{.CgoFiles}}", package.path],
            cwd=job.folder / "host",
            architecture=job.architecture,
            settings={**job.lock.settings, "CGO_ENABLED": "1"},
            check=False,
        )
        if output.strip("[]\n "):
            lines = [f"needs cgo (files {output.strip()}), but programs linked on the target are static and pure Go"]
    text = "\n".join(lines).strip()
    # What is compiled is the copy in the module cache; what is to be mended is the original.
    for cached, folder in job.local.items():
        original = str(folder).replace("\\", "\\\\")
        text = re.sub(rf"\S*{re.escape(cached)}(?=[/\s]|$)", original, text)
    return text


def _absent(path: str) -> GoPackage:
    return GoPackage(path, "", Path(), (), False, (), False, None, None, "no module of the build list has this package")


def without(job: Job, failed: Mapping[str, tuple[str, str]]) -> Job:
    return replace(job, plugins=tuple(plugin for plugin in job.plugins if plugin.name not in failed))


def with_dependents(job: Job, failed: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Add the plugins that need a failed one."""
    whole = dict(failed)
    for plugin in job.plugins:
        missing = [p.name for p in job.with_needed(plugin.name) if p.name in failed and p.name != plugin.name]
        if missing and plugin.name not in whole:
            package, _ = failed[missing[0]]
            whole[plugin.name] = (package, f"it needs plugin {missing[0]}, which does not build")
    return whole
