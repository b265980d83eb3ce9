"""Builds a core that opens Go plugins at its start, and the plugins, for one architecture.

A Go plugin fits a program if all packages that both have were compiled from the same text, by the same toolchain, with
the same flags. So both are built from one build list, in one module: the host main with a file that opens plugins, and
a stub per plugin that imports its packages.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from packaging_tool import confine
from packaging_tool.errors import BuildError, CommandError
from packaging_tool.golang import build as building
from packaging_tool.golang import hidden, order, pieces
from packaging_tool.golang.build import Job, PluginJob
from packaging_tool.golang.closure import closure
from packaging_tool.golang.lockfile import Built
from packaging_tool.golang.resolve import module_name
from packaging_tool.golang.toolchain import GOARCH, GoModule, GoPackage
from packaging_tool.package.manifest import File, Manifest
from packaging_tool.package.templates import render
from packaging_tool.run import run
from packaging_tool.signing import signify

# Plugins that are linked at the same time: each takes about as much memory as it is large.
PARALLEL = 2
# What is hidden from the dynamic loader, below the job's folder.
HIDDEN = "hidden.map"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the program looks on the machine that it runs on. variable: of the environment, names another directory."""

    plugins: str
    share: str
    config: str
    variable: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """core: the program. plugins: shared objects by name, each with the hashes of its pieces beside it.

    modules, failed, brought: as in `golang.build.Result`.
    """

    core: Path
    plugins: Mapping[str, Path]
    modules: Mapping[str, tuple[GoModule, ...]]
    failed: Mapping[str, tuple[str, str]]
    built: Built
    brought: Mapping[str, Mapping[str, str]]


def prepare(job: Job, place: Place, abi: str = "", folder: str = "host") -> Path:
    """Write the sources of the core and of the stubs; the folder of their module."""
    host = job.folder / folder
    for ours in ("opener", "plugins"):
        shutil.rmtree(host / ours, ignore_errors=True)
    files = {"go.mod": job.lock.go_mod, "go.sum": job.lock.go_sum, "main.go": job.lock.main.text()}
    files["aa_mkpkgs.go"] = _host_file(job, place, abi)
    for part in ("verify", "files"):
        files[f"opener/{part}.go"] = render(f"go-plugin/{part}.go.j2")
    files["opener/open.go"] = render("go-plugin/open.go.j2", module=module_name(job.core))
    files["opener/hashes/hashes.go"] = render(
        "go-plugin/hashes.go.j2", plugins=place.plugins, variable=place.variable, piece=pieces.SIZE
    )
    for plugin in job.plugins:
        stub = render("go-plugin/stub.go.j2", core=job.core, plugin=plugin.name, imports=plugin.imports)
        files[f"plugins/{plugin.name}/main.go"] = stub
    for name, text in files.items():
        (host / name).parent.mkdir(parents=True, exist_ok=True)
        (host / name).write_text(text)
    return host


def paths_of_core(job: Job, packages: Mapping[str, GoPackage]) -> tuple[str, ...]:
    """Import paths of the core, with what opens plugins and all that this needs.

    Not the host main itself: the ABI is in it, and its text in the ABI. `import "C"` means runtime/cgo.
    """
    main = module_name(job.core)
    return tuple(sorted(closure(packages, [main, "runtime", "runtime/cgo"]).keys() - {main}))


def build(job: Job, place: Place) -> Result:
    """Build everything. Raises BuildError if the core fails, CommandError, OSError."""
    job.listener.step(f"compile {job.core} and its plugins for {job.architecture}")
    # It is asked first, since it says best what is to be installed if it is missing.
    compiler = _compiler(job)
    host = prepare(job, place)
    job, packages, failed = building.begin(job, compiled=True)
    core_paths = paths_of_core(job, packages)
    _, codes = building.parts_of(job, packages)
    archives = _archives(packages, core_paths)
    hashes = {tool: _digest(job.toolchain.tools / tool) for tool in ("compile", "link")}
    abi = _identity(job, place, compiler, hashes, archives)
    prepare(job, place, abi)
    core = job.folder / "core"
    try:
        _link_core(job, host, core)
    except CommandError as error:
        raise BuildError(f"the core does not build: {error.message}") from error
    job.listener.step(f"link the plugins of {job.core} for {job.architecture}")
    plugins, broken = _build_plugins(job, host)
    failed |= building.with_dependents(job, broken)
    failed |= building.with_dependents(job, _prove(building.without(job, failed), place, abi, plugins))
    good = [plugin.name for plugin in job.plugins if plugin.name not in failed]
    modules = {"core": building.modules_of(job, packages, core_paths)}
    modules |= {f"plugin {name}": building.modules_of(job, packages, codes[name].packages) for name in good}
    return Result(
        core=core,
        plugins={name: plugins[name] for name in good},
        modules=modules,
        failed=failed,
        built=Built(abi, hashes, archives),
        brought={name: _archives(packages, codes[name].packages) for name in good},
    )


def _archives(packages: Mapping[str, GoPackage], paths: Iterable[str]) -> dict[str, str]:
    """SHA-256 of what was compiled, by import path."""
    return {path: _digest(export) for path in paths if (export := packages[path].export) is not None}


def _identity(job: Job, place: Place, compiler: str, tools: Mapping[str, str], archives: Mapping[str, str]) -> str:
    """The ABI: SHA-256 of a text as in `golang.abi`, with these lines: buildmode, file of the host main, cc."""
    lines = [
        f"architecture {job.architecture}",
        "buildmode plugin",
        f"cc {compiler}",
        f"core {job.core}",
        "driver go-plugin",
        f"go {job.lock.go}",
        f"main {_sha256(job.lock.main.text())}",
        f"opening {_sha256(_host_file(job, place, ''))}",
        *(f"archive {sha256} {path}" for path, sha256 in archives.items()),
        *(f"compile-flag {flag}" for flag in job.flags()),
        *(f"env {name}={value}" for name, value in job.lock.settings.items()),
        *(f"link-flag {flag}" for flag in job.lock.link_flags),
        *(f"tool {sha256} {name}" for name, sha256 in tools.items()),
    ]
    return _sha256("".join(f"{line}\n" for line in ("mkpkgs abi 1", *sorted(lines, key=str.encode))))


def _compiler(job: Job) -> str:
    """What the C compiler says of itself: runtime/cgo is compiled by it."""
    program = job.toolchain.env.get("CC", "gcc").split()
    return run([*program, "--version"], env=job.toolchain.env).stdout.decode(errors="replace").splitlines()[0]


def _link_core(job: Job, host: Path, core: Path) -> None:
    """Link the core twice: the first one says which functions it has, so that the second one can hide them."""
    _compile(job, host, ".", core, "pie", hide=False)
    (job.folder / HIDDEN).write_bytes(hidden.script(core))
    _compile(job, host, ".", core, "pie")


def _compile(job: Job, host: Path, package: str, output: Path, mode: str, *, hide: bool = True) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    quoted = [f'"{flag}"' if " " in flag else flag for flag in job.lock.link_flags if flag != "-buildmode=exe"]
    if hide:
        script = str(job.folder / HIDDEN)
        # go takes off the outer quotes, Go's linker the inner ones.
        file = f"'{script}'" if " " in script else script
        quoted.append(f'"-extldflags=-Xlinker --version-script -Xlinker {file}"')
    flags = [*job.flags(), f"-buildmode={mode}", f"-ldflags={' '.join(quoted)}"]
    job.go(["build", *flags, "-o", str(output), package], host)
    if hide:
        # Nobody runs the other one.
        order.arrange(output)


def _build_plugins(job: Job, host: Path) -> tuple[dict[str, Path], dict[str, tuple[str, str]]]:
    """The shared objects; those that fail with (package, message)."""
    plugins = {plugin.name: job.folder / "plugins" / plugin.name / f"{plugin.name}.so" for plugin in job.plugins}
    shutil.rmtree(job.folder / "plugins", ignore_errors=True)

    def one(plugin: PluginJob) -> str:
        try:
            _compile(job, host, f"./plugins/{plugin.name}", plugins[plugin.name], "plugin")
            pieces.write(plugins[plugin.name])
        except CommandError as error:
            return error.message + _advice(error.message)
        return ""

    # The first one compiles what all share, so that nothing is compiled twice.
    messages = [one(plugin) for plugin in job.plugins[:1]]
    with ThreadPoolExecutor(PARALLEL) as pool:
        messages += pool.map(one, job.plugins[1:])
    broken = {p.name: (p.imports[0], text) for p, text in zip(job.plugins, messages, strict=True) if text}
    return {name: path for name, path in plugins.items() if name not in broken}, broken


def _advice(message: str) -> str:
    """What to do about assembler that a plugin cannot have: there R15 holds the place of data (Go, `-dynlink`)."""
    if not re.search(r"\bR15 is clobbered\b|when dynamic linking", message):
        return ""
    return (
        "\nits assembler does not fit into a plugin: leave the package out by a tag, if what imports it knows one, or"
        ' write tags = ["purego"] in [core.go-plugin] (the go command\'s -tags purego), by which packages such as'
        " github.com/cespare/xxhash do without, and also Go's own library for SHA, AES and elliptic curves, slowly"
    )


def _prove(job: Job, place: Place, abi: str, plugins: Mapping[str, Path]) -> dict[str, tuple[str, str]]:
    """Start the program without and with all plugins; if the latter fails, find the plugins that are to blame."""
    if not job.check or job.toolchain.tools.name != f"linux_{GOARCH[job.architecture]}":
        return {}
    trial = job.folder / "trial"
    shutil.rmtree(trial, ignore_errors=True)
    (trial / "share/keys").mkdir(parents=True)
    (trial / "share/trust").write_text("signature\n")
    key = signify.generate("ed25519")
    (trial / "share/keys/trial.pub").write_bytes(key.public.render("trial"))
    # The same program, but it looks here: this machine may have the server installed.
    here = Place(
        plugins=str(trial / "none"), share=str(trial / "share"), config=str(trial / "etc"), variable=place.variable
    )
    program = trial / job.core
    _compile(job, prepare(job, here, abi, "host-trial"), ".", program, "pie")
    if problem := _problem(job, trial, [], abi, plugins, key):
        raise BuildError(f"the core does not work: {problem}")
    if not job.plugins or not _problem(job, trial, job.plugins, abi, plugins, key):
        return {}
    failed = {}
    for plugin in job.plugins:
        if problem := _problem(job, trial, job.with_needed(plugin.name), abi, plugins, key):
            failed[plugin.name] = (plugin.imports[0], problem)
    left = building.without(job, building.with_dependents(job, failed))
    if problem := _problem(left, trial, left.plugins, abi, plugins, key):
        raise BuildError(f"the plugins work one by one but not together: {problem}")
    return failed


def _problem(
    job: Job,
    trial: Path,
    chosen: Sequence[PluginJob],
    abi: str,
    plugins: Mapping[str, Path],
    key: signify.SecretKey,
) -> str:
    """Why the program does not start with these plugins, or ""."""
    folder = trial / "plugins"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number, plugin in enumerate(chosen):
        (folder / plugin.name).mkdir()
        files = [plugins[plugin.name], pieces.beside(plugins[plugin.name])]
        for file in files:
            shutil.copyfile(file, folder / plugin.name / file.name)
        text = Manifest(
            core=job.core,
            abi=abi,
            plugin=plugin.name,
            package=f"{job.core}-plugin-{plugin.name}",
            version="0-0",
            order=number,
            needs=tuple(sorted(plugin.needs)),
            files=tuple(File(_digest(file), file.name) for file in files),
        ).render()
        (folder / f"{plugin.name}.manifest").write_bytes(text)
        (folder / f"{plugin.name}.manifest.sig").write_bytes(key.sign(text, "trial"))
    for path in (trial, folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    home = trial / "home"
    home.mkdir(exist_ok=True)
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(home)}
    limit = ["timeout", str(building.START_LIMIT)]
    # It is the code of plugins, and most often of many people.
    done = confine.run_confined(
        [*limit, trial / job.core, "--pluginsdir", folder, *job.check],
        cwd=home,
        env=env,
        writable=[home],
        readable=[trial],
        check=False,
    )
    if done.returncode == 0:
        return ""
    output = (done.stderr or done.stdout).decode(errors="replace").strip()
    return f"`{' '.join(job.check)}` ends with status {done.returncode}: {output[:2000]}"


def _host_file(job: Job, place: Place, abi: str) -> str:
    return render(
        "go-plugin/host.go.j2",
        module=module_name(job.core),
        core=job.core,
        abi=abi,
        share=place.share,
        config=place.config,
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
