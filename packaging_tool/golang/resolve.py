"""Resolves the inputs of a build: one build list of modules over core and plugins, and the host main.

Minimal version selection has no "latest": the same project file and sources come to the same modules on every day.
"""

from __future__ import annotations

import re
import shutil
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging_tool.errors import BuildError, CommandError
from packaging_tool.golang import hostmain, localmodule, lockfile, newer, silent
from packaging_tool.golang.closure import closure
from packaging_tool.golang.hostmain import Import
from packaging_tool.golang.localmodule import LocalModule
from packaging_tool.golang.lockfile import GoLock
from packaging_tool.golang.toolchain import GoPackage, Toolchain
from packaging_tool.listener import Listener


@dataclass(frozen=True, slots=True)
class Wanted:
    """A module that the project file names, or go.mod of the core.

    owner: `core` or `plugin git`. local: None if it comes from a proxy. least: whether a newer one will do. said: the
    line that names it, if the project file does not.
    """

    owner: str
    path: str
    version: str
    local: LocalModule | None = None
    least: bool = False
    said: str = ""

    def __str__(self) -> str:
        return f"{self.path}@{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be resolved.

    name: of the core. main: import path of upstream's main. modules: the core's first. plugins: import paths by plugin
    name. lined: plugins with lines of main. without: import paths that the core must not have though no plugin brings
    them. architectures: Debian's names. inputs, settings, tags: as in the lock. link_flags: beside those that every
    build has. excluded: path and version of modules that the core must not have, and who says so.
    """

    name: str
    main: str
    modules: tuple[Wanted, ...]
    plugins: Mapping[str, tuple[str, ...]]
    lined: tuple[str, ...]
    without: tuple[str, ...]
    architectures: tuple[str, ...]
    inputs: str
    settings: Mapping[str, str]
    tags: tuple[str, ...]
    link_flags: tuple[str, ...]
    excluded: tuple[tuple[str, str, str], ...] = ()


def serve_local(toolchain: Toolchain, modules: Sequence[Wanted], proxy: Path) -> Toolchain:
    """Put the local modules where the go command finds them; the toolchain that does."""
    local = [wanted.local for wanted in modules if wanted.local is not None]
    for module in local:
        localmodule.publish(module, proxy)
    return toolchain.with_local_modules(proxy, sorted({module.path for module in local}))


def module_name(core: str) -> str:
    """The module path of the host main, which `go version -m` shows as `mod`."""
    return f"mkpkgs/{core}"


def locked(
    request: Request, previous: str | None, table: str, toolchain: Toolchain, workdir: Path, listener: Listener
) -> str:
    """A driver's part of the lock file: as it was, if it is still right. table: its name.

    Raises as `resolve`, and InputError for one that says what mkpkgs never writes.
    """
    if previous is not None and (known := lockfile.parse(previous, table)) is not None:
        if known.inputs == request.inputs and not known.unresolved:
            return previous
        if known.go != toolchain.version:
            listener.warn(f"Go is {toolchain.version}, not {known.go} as in the lock: the ABI changes")
    elif previous is not None and lockfile.is_known(previous, table):
        # Somebody changed it: a new one in its place would hide that.
        lockfile.read(previous, table)
    elif previous is not None:
        listener.warn(f"the lock of {table} is none that this mkpkgs writes, so a new one is made")
    listener.step("resolve the Go modules of core and plugins")
    return lockfile.render(resolve(request, toolchain, workdir, listener), table)


def resolve(request: Request, toolchain: Toolchain, workdir: Path, listener: Listener) -> GoLock:
    """Make a new lock. Raises BuildError, CommandError, OSError."""
    go = serve_local(toolchain, request.modules, workdir / "proxy")
    folder = workdir / "resolve"
    local = {wanted.path: wanted.local.folder for wanted in request.modules if wanted.local is not None}
    of_core = [wanted.path for wanted in request.modules if wanted.owner == request.modules[0].owner]
    silent.replaced([place for path, place in local.items() if path not in of_core], local, listener)
    newer.tell({wanted.path: wanted.local for wanted in request.modules if wanted.local is not None}, listener)
    unresolved = _get_all(go, workdir, request)
    request = _without(request, unresolved)
    roots = [request.main, *(path for paths in request.plugins.values() for path in paths)]
    tags = [f"-tags={','.join(request.tags)}"] if request.tags else []
    packages: dict[str, GoPackage] = {}
    # Each architecture may import other packages; go.sum has to cover them all.
    for architecture in request.architectures:
        listed = go.list(["-mod=mod", *tags, *roots], cwd=folder, architecture=architecture, settings=request.settings)
        packages = {**listed, **packages}
    excluded = {path: f"plugin {name}" for name, paths in request.plugins.items() for path in paths}
    excluded |= dict.fromkeys(request.without, "without")
    main = hostmain.split(request.main, packages, excluded, f"{request.main} of {request.modules[0]}")
    for name in request.lined:
        if not main.mid.endswith(f"{hostmain.MARKER}\n"):
            raise BuildError(
                f"plugin {name} has lines, but {request.main} has no line {hostmain.MARKER}",
                hint="write a main package of your own that has it, and name that as `main`",
            )
    host_imports = [item.path for item in hostmain.parse(main.text()).imports]
    core = closure(packages, host_imports)
    _report_raises(go, workdir, request, core, listener)
    # All plugins in one main: only then does go.mod need no update whatever plugins a main has.
    every = sorted({str(Import("_", path)) for paths in request.plugins.values() for path in paths})
    (folder / "main.go").write_text(main.text(every))
    for architecture in request.architectures:
        go.list(["-mod=mod", *tags, ".", *roots], cwd=folder, architecture=architecture, settings=request.settings)
    _check_versions(go, folder, request)
    _check_silence(go, folder, request, packages, core, [*tags, *roots], listener)
    go_mod = (folder / "go.mod").read_text()
    language = re.search(r"^go (\d+\.\d+)", go_mod, re.MULTILINE)
    if language is None:
        raise BuildError("go get left no go line in go.mod")
    return GoLock(
        inputs=request.inputs,
        go=toolchain.version,
        settings=request.settings,
        compile_flags=(
            "-p=main",
            f"-lang=go{language[1]}",
            "-complete",
            f"-goversion={toolchain.version}",
            "-dwarf=false",
            "-nolocalimports",
        ),
        link_flags=("-s", "-w", "-buildid=", "-buildmode=exe", *request.link_flags),
        main=main,
        go_mod=go_mod,
        go_sum=(folder / "go.sum").read_text() if (folder / "go.sum").exists() else "",
        modules=_used(request, packages),
        unresolved=unresolved,
    )


def _used(request: Request, packages: Mapping[str, GoPackage]) -> dict[str, str]:
    """Versions and sums of the modules that packages come from."""
    used = {
        package.module.path: f"{package.module.version} {package.module.sum}".strip()
        for package in packages.values()
        if package.module is not None
    }
    # Of a folder in the place of another module authors get the sources, whatever of it the core imports.
    return {**{one.path: one.version for one in request.modules if one.local and one.owner == "core"}, **used}


def _get_all(go: Toolchain, workdir: Path, request: Request) -> dict[str, str]:
    """Make one build list of all modules.

    Gives the plugins that have no place in it, with the reason. Raises BuildError if it is the core that has none.
    """
    folder = workdir / "resolve"
    try:
        _get(go, folder, request, request.modules)
    except BuildError:
        good = [module for module in request.modules if module.owner == "core"]
        left = [module for module in request.modules if module.owner != "core"]
        _get(go, folder, request, good)
        reasons: dict[str, str] = {}
        # One after the other, and again as long as that helps: a plugin may need the module of another one.
        while left:
            refused = []
            for module in left:
                try:
                    _get(go, folder, request, [*good, module])
                    good.append(module)
                except BuildError as error:
                    refused.append(module)
                    reasons[module.owner.removeprefix("plugin ")] = error.message
            if len(refused) == len(left):
                break
            left = refused
        _get(go, folder, request, good)
        return {name: reasons[name] for name in (module.owner.removeprefix("plugin ") for module in left)}
    return {}


def _without(request: Request, plugins: Collection[str]) -> Request:
    return replace(
        request,
        modules=tuple(m for m in request.modules if m.owner.removeprefix("plugin ") not in plugins),
        plugins={name: paths for name, paths in request.plugins.items() if name not in plugins},
        lined=tuple(name for name in request.lined if name not in plugins),
    )


def _get(go: Toolchain, folder: Path, request: Request, modules: Sequence[Wanted]) -> None:
    """Begin a new module in the folder that requires these."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Named to `go get`, a version that something else raises would be refused.
    least = "".join(f"\nrequire {module.path} {module.version}\n" for module in modules if module.least)
    local = {module.path: module.local for module in modules if module.local is not None}
    over = sorted({f"\nexclude {one.path} {one.version}\n" for one in newer.requirements(local)})
    (folder / "go.mod").write_text(f"module {module_name(request.name)}\n\ngo 1.21\n{least}{''.join(over)}")
    arguments = ["get", *sorted({str(module) for module in modules if not module.least})]
    architecture, settings = request.architectures[0], request.settings
    # With the network, go also looks for newer versions to tell of retractions: seconds, for nothing that is used here.
    status, _, _ = go.offline().run(arguments, cwd=folder, architecture=architecture, settings=settings, check=False)
    if status == 0:
        return
    try:
        go.run(arguments, cwd=folder, architecture=architecture, settings=settings)
    except CommandError as error:
        _explain(error.message, modules)
        owners = list(dict.fromkeys(m.owner for m in modules if m.path in error.message))
        hint = "the versions of core and plugins must go together: choose others in the project file"
        if told := re.search(r"requires go >= (\d[\w.]*) \(running", error.message):
            hint = f'write go = "{told[1]}" in the table of the driver: the go command downloads that version'
        raise BuildError(f"{', '.join(owners) or 'the modules'}: {error.message}", hint=hint) from error


def _explain(message: str, modules: Sequence[Wanted]) -> None:
    """Raise BuildError for what `go get` says of go.mod files of the project."""
    if told := re.search(r"requires (\S+)@(\S+), not \1@(\S+)", message):
        path, other, version = told.groups()
        said = next((module.said for module in modules if str(module) == f"{path}@{version}" and module.said), "")
        if said:
            raise BuildError(
                f"{said}: {path} is wanted at {version}, but the others need {other}",
                hint=f"raise that version in {said.partition(':')[0]}",
            )
    if missing := re.search(r"(\S+) imports\s+(\S+): cannot find module providing package", message):
        package, path = missing.groups()
        module = next((m for m in modules if m.local is not None and f"{package}/".startswith(f"{m.path}/")), None)
        if module is not None and module.local is not None:
            raise BuildError(
                f"{module.owner}: {package} imports {path}, and no module that its go.mod requires has that package",
                hint=f"run `go mod tidy` in {module.local.folder}",
            )


def _check_versions(go: Toolchain, folder: Path, request: Request) -> None:
    """Listing packages may have raised what `go get` had chosen; then a package would not be what its version says."""
    paths = sorted({*(module.path for module in request.modules), *(path for path, _, _ in request.excluded)})
    _, output, _ = go.run(
        ["list", "-mod=mod", "-m", *paths],
        cwd=folder,
        architecture=request.architectures[0],
        settings=request.settings,
    )
    chosen = dict(line.split()[:2] for line in output.splitlines() if line.strip())
    for module in request.modules:
        if chosen.get(module.path) != module.version and not module.least:
            raise BuildError(
                f"{module.said or module.owner}: {module.path} is wanted at {module.version}, but the others need"
                f" {chosen.get(module.path)}",
                hint=f"raise that version in {module.said.partition(':')[0] or 'the project file'}",
            )
    for path, version, said in request.excluded:
        if chosen.get(path) == version:
            raise BuildError(
                f"{said}: {path} {version} is excluded, and the core or a plugin needs it",
                hint=f"require a newer version of {path} there",
            )


def _check_silence(
    go: Toolchain,
    folder: Path,
    request: Request,
    packages: Mapping[str, GoPackage],
    core: Collection[str],
    arguments: Sequence[str],
    listener: Listener,
) -> None:
    """See what the go command added to the modules of the project, or left out of them, without a word."""
    local = {module.path: module.local.folder for module in request.modules if module.local is not None}
    sources, architecture = silent.Sources(local), request.architectures[0]
    _, graph, _ = go.run(["mod", "graph"], cwd=folder, architecture=architecture, settings=request.settings)
    silent.unrequired(packages, graph, {module.path for module in request.modules}, sources, listener)
    if request.settings.get("CGO_ENABLED") == "1":
        return
    settings = {**request.settings, "CGO_ENABLED": "1"}
    whole = go.list(["-mod=readonly", *arguments], cwd=folder, architecture=architecture, settings=settings)
    silent.left_out(packages, whole, core, sources, listener)


def _report_raises(
    go: Toolchain, workdir: Path, request: Request, core: Mapping[str, GoPackage], listener: Listener
) -> None:
    """Say which modules of the core are newer than they would be without the plugins, and which plugin wants that."""
    joint = {p.module.path: p.module.version for p in core.values() if p.module is not None}
    paths = {module.path for module in request.modules if module.owner == "core"}
    own = [module for module in request.modules if module.path in paths]
    if len(own) == len(request.modules):
        return
    alone = workdir / "alone"
    _get(go, alone, request, own)
    first, settings = request.architectures[0], request.settings
    # Not `go list -m all` of the joint list against this one: most modules there give no package to the core.
    _, output, _ = go.run(["list", "-mod=mod", "-m", "all"], cwd=alone, architecture=first, settings=settings)
    before = dict(line.split()[:2] for line in output.splitlines() if len(line.split()) >= 2)
    raised = {path: version for path, version in joint.items() if before.get(path, version) != version}
    if not raised:
        return
    _, graph, _ = go.run(["mod", "graph"], cwd=workdir / "resolve", architecture=first, settings=settings)
    for path, version in sorted(raised.items()):
        why = [
            f"{module.owner} ({' needs '.join(found)})"
            for module in request.modules
            if module.owner != "core"
            if (found := way(graph, str(module), f"{path}@{version}"))
        ]
        listener.warn(f"the core gets {path} {version} instead of {before[path]}: {'; '.join(why) or 'joint list'}")


def way(graph: str, start: str, end: str) -> list[str]:
    """A shortest way of requirements between modules, as `path@version`; empty if there is none.

    graph: what `go mod graph` prints.
    """
    edges: dict[str, list[str]] = {}
    for line in graph.splitlines():
        one, other = line.split()
        edges.setdefault(one, []).append(other)
    came = {start: ""}
    waiting = deque([start])
    while waiting and end not in came:
        node = waiting.popleft()
        for other in edges.get(node, ()):
            if other not in came:
                came[other] = node
                waiting.append(other)
    if end not in came:
        return []
    found = [end]
    while came[found[-1]]:
        found.append(came[found[-1]])
    return found[::-1]
