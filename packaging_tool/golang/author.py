"""Plugins for a core that was published elsewhere: built against its lock, in which nothing of the core may move.

What fits needs no trust in the author's machine: every package of the core must come out with the bytes of the lock.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from packaging_tool.errors import BuildError, CommandError, InputError
from packaging_tool.golang import build as building
from packaging_tool.golang import resolve, settings
from packaging_tool.golang.build import Job, PluginJob
from packaging_tool.golang.closure import chain, closure
from packaging_tool.golang.hostmain import parse
from packaging_tool.golang.lockfile import Built, GoLock
from packaging_tool.golang.payload import PluginCode
from packaging_tool.golang.published import PROXY, REPAIR, Published, read
from packaging_tool.golang.resolve import Wanted, way
from packaging_tool.golang.toolchain import GoPackage, Toolchain
from packaging_tool.listener import Listener
from packaging_tool.project.model import Project

# Names of a list that are told.
TOLD = 5


class Misfit(NamedTuple):
    """Why a plugin does not fit a core. package: import path or "". repair: the smallest change that helps."""

    package: str
    message: str
    repair: str


class Begun(NamedTuple):
    """A build that can go on. job: with the plugins that fit and those of the maintainer that they need; none fits if
    it has no plugins. misfits: the others by name. modules: of the author's plugins."""

    job: Job
    misfits: Mapping[str, Misfit]
    modules: tuple[Wanted, ...]


def begin(project: Project, driver: str, core: Path, architecture: str, workdir: Path, listener: Listener) -> Begun:
    """Read what a maintainer published, and find a place in it for the plugins of a project.

    Raises InputError for what is published, BuildError.
    """
    lock, published = read(core, driver, architecture)
    _check_options(project, driver)
    wanted = {plugin.name: settings.author_module(project, plugin.name) for plugin in project.plugins}
    modules = tuple(module for module in wanted.values() if module is not None)
    job = Job(
        core=project.core.name,
        architecture=architecture,
        lock=lock,
        tags=project.core_options.tags,
        plugins=_jobs(project, wanted),
        assemble="",
        check=tuple(shlex.split(project.core.trial)),
        toolchain=resolve.serve_local(toolchain(lock, published, core, workdir), modules, workdir / "proxy"),
        workdir=workdir,
        listener=listener,
        local={module.local.cached: module.local.folder for module in modules if module.local is not None},
        # One for all cores: most of their packages are the same.
        store=workdir.parent / "store",
    )
    job, misfits = fit(job, wanted, published)
    return Begun(job, misfits, modules)


def foresee(
    project: Project, driver: str, core: Path, architecture: str, workdir: Path, listener: Listener
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Versions of modules in each plugin that fits, and lines of go.sum that the core's has not, by what they are of.

    The author's local modules have no sums: they may change from run to run. Raises BuildError.
    """
    lock, _ = read(core, driver, architecture)
    job, _, modules = begin(project, driver, core, architecture, workdir, listener)
    local = {module.path for module in modules if module.local is not None}
    known = set(lock.go_sum.splitlines())
    rows = [line.split() for line in job.lock.go_sum.splitlines() if line not in known]
    sums = {f"{row[0]} {row[1]}": row[2] for row in rows if len(row) == 3 and row[0] not in local}
    found: dict[str, dict[str, str]] = {}
    if job.plugins:
        job, packages, _ = building.begin(job, compiled=False)
        for name, code in building.parts_of(job, packages)[1].items():
            given = [module for path in code.packages if (module := packages[path].module) is not None]
            found[name] = {module.path: module.version for module in given}
    return found, sums


def _check_options(project: Project, driver: str) -> None:
    """See that what is published of a core says no more to the go command than a project file may.

    Raises InputError.
    """
    problems = settings.Problems(project)
    problems.flags(driver)
    if problems.found:
        found = problems.found[0]
        raise InputError(f"core.toml of {project.core.name}: {found.key} {found.what}", hint=REPAIR)


def _jobs(project: Project, wanted: Mapping[str, Wanted | None]) -> tuple[PluginJob, ...]:
    """The author's plugins, in the server's order."""
    jobs = []
    for plugin in sorted(project.plugins, key=lambda plugin: (plugin.order, plugin.name)):
        options, module = project.plugin_options[plugin.name], wanted[plugin.name]
        jobs.append(
            PluginJob(
                name=plugin.name,
                imports=options.packages or ((module.path,) if module is not None else ()),
                lines=options.lines,
                needs=plugin.needs,
                clashes=plugin.clashes,
            )
        )
    return tuple(jobs)


def toolchain(lock: GoLock, published: Published, core: Path, workdir: Path) -> Toolchain:
    """The Go that the core was built with, which finds the maintainer's local modules. Raises BuildError."""
    wanted = lock.go.removeprefix("go")
    try:
        go = Toolchain.find(wanted, workdir)
    except CommandError as error:
        raise BuildError(
            f"the core is built with Go {wanted}, which is not here: {error.message}", hint=f"install Go {wanted}"
        ) from error
    # One for all cores, as the store is.
    go = go.apart(workdir.absolute().parent / "modules")
    # The lock has their sums, so the checksum database is asked for all else.
    return go.with_local_modules((core / PROXY).resolve(), published.local, summed=True)


def fit(job: Job, modules: Mapping[str, Wanted | None], published: Published) -> tuple[Job, dict[str, Misfit]]:
    """Find a place for plugins in the build list of a core.

    job: with the author's plugins, and the core's lock and toolchain. modules: of the plugins, None where it is one of
    the lock. Gives the job with the build list and the maintainer's plugins that are needed, without the plugins that
    do not fit; and those. Raises BuildError if that is for another reason than a plugin.
    """
    found, misfits = _try(job, modules, published)
    if not misfits:
        return found, {}
    # Which of them is to blame shows when each is alone.
    alone: dict[str, Misfit] = {}
    for plugin in job.plugins:
        _, wrong = _try(replace(job, plugins=(plugin,)), modules, published)
        alone |= wrong
    left = replace(job, plugins=tuple(plugin for plugin in job.plugins if plugin.name not in alone))
    if not left.plugins:
        return left, alone
    found, together = _try(left, modules, published)
    if together:
        return replace(left, plugins=()), alone | together
    return found, alone


def _try(job: Job, modules: Mapping[str, Wanted | None], published: Published) -> tuple[Job, dict[str, Misfit]]:
    names = [plugin.name for plugin in job.plugins]
    wanted = sorted({str(module) for name in names if (module := modules[name]) is not None})
    whole = _with_published(job, published)
    folder = job.workdir / "resolve"
    _begin(folder, whole)
    if wanted and (misfit := _get(job, folder, wanted)):
        return job, dict.fromkeys(names, misfit)
    roots = [path for plugin in whole.plugins for path in plugin.imports]
    flags = [f"-tags={','.join(job.tags)}"] if job.tags else []
    packages = job.toolchain.list(
        ["-mod=mod", *flags, ".", *roots], cwd=folder, architecture=job.architecture, settings=job.lock.settings
    )
    found = replace(
        whole,
        lock=replace(job.lock, go_mod=(folder / "go.mod").read_text(), go_sum=(folder / "go.sum").read_text()),
    )
    misfits = {}
    for plugin in job.plugins:
        if misfit := _misfit(found, plugin, modules[plugin.name], packages, published):
            misfits[plugin.name] = misfit
    return found, misfits


def _with_published(job: Job, published: Published) -> Job:
    """The job with those of the maintainer's plugins that the author's need."""
    known = {plugin.name: plugin for plugin in published.jobs}
    needed: dict[str, PluginJob] = {}
    waiting = [name for plugin in job.plugins for name in plugin.needs]
    while waiting:
        name = waiting.pop()
        if name in known and name not in needed:
            needed[name] = known[name]
            waiting += known[name].needs
    return replace(job, plugins=(*(plugin for plugin in published.jobs if plugin.name in needed), *job.plugins))


def _begin(folder: Path, job: Job) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text(job.lock.go_mod)
    (folder / "go.sum").write_text(job.lock.go_sum)
    codes = [PluginCode(p.name, p.imports, p.lines, (), ()) for p in job.plugins]
    # All in one main: only then does go.mod need no update whatever plugins a main has.
    (folder / "main.go").write_text(job.lock.main.text([code.import_text() for code in codes]))


def _get(job: Job, folder: Path, wanted: Sequence[str]) -> Misfit | None:
    """Put modules into the build list; why that does not work, or None."""
    before = {name: (folder / name).read_text() for name in ("go.mod", "go.sum")}
    for go in (job.toolchain.offline(), job.toolchain):
        status, _, error = go.run(
            ["get", *wanted], cwd=folder, architecture=job.architecture, settings=job.lock.settings, check=False
        )
        if status == 0:
            return None
        for name, text in before.items():
            (folder / name).write_text(text)
    told = "\n".join(line for line in error.splitlines() if not line.startswith("go: downloading "))
    if newer := re.search(r"requires go >= (\d[\w.]*) \(running", told):
        wants = f"go {job.lock.go.removeprefix('go')}"
        repair = (
            f"write {wants} or less in go.mod of what needs Go {newer[1]}, or wait for a core that is built with it"
        )
        return Misfit("", told, repair)
    return Misfit("", told, "see that its version exists, and that the requirements in its go.mod do")


def _misfit(
    job: Job, plugin: PluginJob, module: Wanted | None, packages: Mapping[str, GoPackage], published: Published
) -> Misfit | None:
    """What stands against a plugin in a build list."""
    core = closure(packages, [*(item.path for item in parse(job.lock.main.text()).imports), "runtime"])
    own = closure(packages, plugin.imports)
    for path in plugin.imports:
        if path in core:
            return Misfit(path, "is in the core anyway", "take it out: there is nothing to package")
    moved = {name: (old, new) for name, old, new in _moved(job.lock, packages)}
    if raised := sorted(name for name in moved if any(_gives(package, name) for package in core.values())):
        return _raise(job, plugin, module, raised, moved)
    needed = {name for one in job.plugins for name in one.needs} | {one.name for one in job.plugins}
    for other in published.jobs:
        if other.name in needed:
            continue
        unsaid = next((path for path in other.imports if path in own), "")
        if unsaid:
            why = " imports ".join(chain(packages, plugin.imports[0], unsaid))
            return Misfit(unsaid, f"is plugin {other.name}: {why}", f'write needs = ["{other.name}"]')
        if other.name in plugin.clashes:
            continue
        for path in sorted(own.keys() & published.brought[other.name].keys() - core.keys()):
            of = own[path].module
            if of is not None and of.path in moved:
                old, new = moved[of.path]
                return Misfit(
                    path,
                    f"is of {of.path} {new} here, and of {old} in plugin {other.name}: they cannot be in one server",
                    f'use {of.path} {old}, or write clashes = ["{other.name}"]',
                )
    return None


def _gives(package: GoPackage, module: str) -> bool:
    return package.module is not None and package.module.path == module


def _moved(lock: GoLock, packages: Mapping[str, GoPackage]) -> list[tuple[str, str, str]]:
    """Modules of the lock that have another version now: path, before, after."""
    now = {package.module.path: package.module.version for package in packages.values() if package.module is not None}
    known = {path: text.partition(" ")[0] for path, text in lock.modules.items()}
    return [(path, known[path], now[path]) for path in sorted(now.keys() & known.keys()) if now[path] != known[path]]


def _raise(
    job: Job, plugin: PluginJob, module: Wanted | None, raised: Sequence[str], moved: Mapping[str, tuple[str, str]]
) -> Misfit:
    """The plugin would raise modules of the core: which, by which requirements, and what to do."""
    _, graph, _ = job.toolchain.run(
        ["mod", "graph"], cwd=job.workdir / "resolve", architecture=job.architecture, settings=job.lock.settings
    )
    lines, repairs = [], []
    for name in raised:
        old, new = moved[name]
        path = way(graph, str(module), f"{name}@{new}") if module is not None else []
        why = f": {' needs '.join(path)}" if path else ""
        lines.append(f"it would raise {name} of the core from {old} to {new}{why}")
        if len(path) == 2:
            repairs.append(f"write {name} {old} in go.mod of {module and module.path}")
        elif path:
            repairs.append(f"use a version of {path[1].partition('@')[0]} that needs {name} {old} or less")
    more = [f"and {len(lines) - TOLD} more"] if len(lines) > TOLD else []
    repair = "; ".join(dict.fromkeys(repairs[:TOLD])) or f"use an older version of {plugin.name}"
    return Misfit("", "\n".join([*lines[:TOLD], *more]), f"{repair}; or ask for a core with the newer modules")


def verify(job: Job, built: Built) -> None:
    """See that the core came out as its maintainer's. Raises BuildError."""
    known = job.lock.built[job.architecture]
    changed = [path for path, sha256 in known.archives.items() if built.archives.get(path) != sha256]
    changed += [path for path in built.archives if path not in known.archives]
    if not changed:
        return
    names = ", ".join(sorted(changed)[:TOLD]) + (f" and {len(changed) - TOLD} more" if len(changed) > TOLD else "")
    tools = [name for name, sha256 in known.tools.items() if built.tools.get(name) != sha256]
    hint = "is a module of the core replaced or changed on this machine?"
    if changed == ["runtime/cgo"]:
        hint = "the C compiler is not the maintainer's: use the same version"
    elif tools:
        hint = (
            f"this {job.toolchain.version} is not the maintainer's ({' and '.join(tools)} differ): use that of go.dev"
        )
    raise BuildError(f"packages of the core come out with other content here: {names}", hint=hint)


def changes(old: GoLock, new: GoLock, architecture: str) -> tuple[str, ...]:
    """What differs between two cores, a line each. architecture: "" for any that both have. Raises BuildError."""
    common = [name for name in old.built if name in new.built and architecture in ("", name)]
    if not common:
        raise BuildError("the two locks have no built architecture in common", hint="build both, then compare")
    built = old.built[common[0]], new.built[common[0]]
    if built[0].abi == built[1].abi:
        return ()
    found = []
    if old.go != new.go:
        found.append(f"Go: {old.go} became {new.go}")
    found += [
        f"setting {name}: {one or 'none'} became {other or 'none'}"
        for name, one, other in _differences(old.settings, new.settings)
    ]
    for what, one, other in (
        ("flags of the compiler", old.compile_flags, new.compile_flags),
        ("flags of the linker", old.link_flags, new.link_flags),
    ):
        left, came = sorted(set(one) - set(other)), sorted(set(other) - set(one))
        if left or came:
            found.append(f"{what}: {' '.join(left) or 'none'} became {' '.join(came) or 'none'}")
    if old.main != new.main:
        found.append("main: the core's main package has other imports or another text")
    found += _of_packages(old, new, *built)
    if not found and built[0].tools != built[1].tools:
        found.append("compile or link: other builds of the same Go")
    return tuple(found) or ("build information: variables of the linker, or the version of the core's module",)


def _of_packages(old: GoLock, new: GoLock, one: Built, other: Built) -> list[str]:
    """Modules and packages of the core that differ."""
    found = []
    packages = _differences(one.archives, other.archives)
    owners: dict[str, list[str]] = {}
    for path, _, _ in packages:
        owners.setdefault(_module_of(path, new.modules) or _module_of(path, old.modules), []).append(path)
    for module, paths in sorted(owners.items()):
        versions = [lock.modules.get(module, "").partition(" ")[0] or "none" for lock in (old, new)]
        said = ", ".join(paths[:TOLD]) + (f" and {len(paths) - TOLD} more" if len(paths) > TOLD else "")
        if module and versions[0] != versions[1]:
            found.append(f"module {module}: {versions[0]} became {versions[1]}, in {said}")
        else:
            found.append(f"packages with other content: {said}")
    return found


def _module_of(package: str, modules: Mapping[str, str]) -> str:
    fitting = [path for path in modules if package == path or package.startswith(f"{path}/")]
    return max(fitting, key=len, default="")


def _differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[tuple[str, str, str]]:
    return [
        (name, old.get(name, ""), new.get(name, "")) for name in sorted({*old, *new}) if old.get(name) != new.get(name)
    ]
