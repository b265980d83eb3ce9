"""Driver `files`: prebuilt files dropped into the plugins directory; the server opens them itself.

The ABI is the SHA-256 of the text `mkpkgs abi 1\\ndriver files\\ncore NAME\\nformat VERSION\\n`: core and plugin agree
on the declared version of a format and on nothing else. A core that still reads older formats provides their ABIs too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from packaging_tool import toml
from packaging_tool.drivers import _layout, _programs
from packaging_tool.drivers.base import Failure, Lock, Outcome, Payload, Source, Target
from packaging_tool.errors import Problem
from packaging_tool.listener import Listener
from packaging_tool.package.content import Content
from packaging_tool.package.templates import render
from packaging_tool.project import contents
from packaging_tool.project.model import Project

# The file for authors.
LOCK = "lock.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreOptions:
    """Settings of `[core.files]`.

    format: version of the format that the core reads; raise it when the format changes.
    accepts: older versions of the format that the core still reads, so plugins of those need no new build.
    reload: whether a reload of the service (`service.reload`) suffices for other plugins.
    """

    format: str
    accepts: tuple[str, ...] = ()
    reload: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginOptions:
    """Settings of `[plugin.NAME.files]`.

    source: a file, or a directory whose files keep their places below it.
    format: that these files have; default the core's.
    """

    source: str
    format: str = ""


class Driver:
    """Copies files as they are."""

    name = "files"
    loads = False

    def check(self, project: Project) -> list[Problem]:
        """Problems of sources that are missing."""
        problems: list[Problem] = []
        file = str(project.file)
        if project.plugin_of is not None:
            return _of_plugins(project)
        if not project.core.program:
            problems.append(Problem(file, 0, "core.program", "is missing", "name the file of the server's program"))
        for architecture in project.core.architectures:
            program = _program(project, architecture)
            if project.core.program and not contents.holds(Path.is_file, program):
                problems.append(
                    Problem(file, 0, "core.program", f"there is no file {program}", "build the server first")
                )
            elif project.core.program and (wrong := _programs.fault(program, architecture)):
                problems.append(Problem(file, 0, "core.program", f"{program}: {wrong}", _programs.hint(architecture)))
        if project.core_options.reload and not (project.core.service and project.core.service.reload):
            what, instead = "the service has no reload", "write the arguments in core.service.reload"
            problems.append(Problem(file, 0, "core.files.reload", what, instead))
        return problems + _of_plugins(project)

    def sources(self, project: Project) -> Iterator[Source]:
        """Files and directories that are packaged, by their keys."""
        for name, options in sorted(project.plugin_options.items()):
            yield Source(f"plugin.{name}.files.source", options.source, follows=True)

    def lock(self, project: Project, previous: Lock | None, workdir: Path, listener: Listener) -> Lock:
        """The declared format and the ABI that follows from it."""
        version = project.core_options.format
        return Lock(f'[files]\nformat = {toml.string(version)}\nabi = "{_abi(project, version)}"\n')

    def fingerprint(self, project: Project, plugin: str | None) -> str:
        """Hash of names, modes and bytes of the sources."""
        digest = hashlib.sha256()
        if project.core_options is not None:
            digest.update(_abi(project, project.core_options.format).encode())
        paths: Iterator[tuple[str, Path]]
        if plugin is None and project.plugin_of is not None:
            paths = iter(())
        elif plugin is None:
            paths = ((a, _program(project, a)) for a in project.core.architectures)
        else:
            paths = _layout.sources(project, project.root / project.plugin_options[plugin].source)
        for name, path in paths:
            digest.update(f"{name} {path.stat().st_mode:o} {Content(path).sha256}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()

    def outline(self, project: Project, lock: Lock, architecture: str, workdir: Path) -> Outcome:
        """The same as build: nothing has to be built."""
        path = _program(project, architecture)
        needs = _programs.needs(project.core.targets, architecture, f"the server {path.name}", [path])
        core = Payload((_layout.program(project, Content(path)),), depends=needs)
        return replace(_outcome(project), core=core, authors={LOCK: Content(lock.text.encode())})

    def build(
        self, project: Project, lock: Lock, architecture: str, workdir: Path, listener: Listener
    ) -> tuple[Outcome, Lock]:
        """Collect the files."""
        return self.outline(project, lock, architecture, workdir), lock

    def against(self, project: Project, core: Path, architecture: str, workdir: Path, listener: Listener) -> Outcome:
        """Collect the files of the author's plugins; the format is all that must fit."""
        made, known = _outcome(project), _formats(project)
        failures = tuple(
            Failure(
                name,
                "",
                f"its files have the format {options.format}, and the core reads {', '.join(known)}",
                f"write files in the format {known[0]}, or leave this core out by `versions` in [plugin-of]",
            )
            for name, options in sorted(project.plugin_options.items())
            if options.format and options.format not in known
        )
        wrong = {failure.plugin for failure in failures}
        plugins = {name: payload for name, payload in made.plugins.items() if name not in wrong}
        return replace(made, plugins=plugins, failures=failures)

    def changes(self, before: str, after: str, architecture: str) -> tuple[str, ...]:
        """The format, if it changed."""
        old, new = (str(toml.table(text, self.name).get("format", "?")) for text in (before, after))
        return () if old == new else (f"format: {old} became {new}",)

    def target(self, project: Project) -> Target:
        """The core's own program is the working one. It opens verified copies, whose names `loader/plugins` has."""
        return Target(tree=True, arrange=render("loader/list.sh"), reload=project.core_options.reload)


def _of_plugins(project: Project) -> list[Problem]:
    """Problems of the plugins alone."""
    problems = []
    for name, options in sorted(project.plugin_options.items()):
        key = f"plugin.{name}.files"
        if not contents.holds(Path.exists, project.root / options.source):
            what = f"there is no {options.source}"
            problems.append(Problem(str(project.file), 0, f"{key}.source", what, "name a file or a directory"))
        elif contents.is_bare(project.root / options.source):
            what = f"there is no file in {options.source}"
            problems.append(Problem(str(project.file), 0, f"{key}.source", what, "run first what fills it"))
        elif empty := contents.empty_folders(project.root / options.source):
            what = f"there is nothing in {options.source.rstrip('/')}/{empty[0]}, and a plugin has no empty folders"
            problems.append(Problem(str(project.file), 0, f"{key}.source", what, "remove it, or put a file into it"))
        if project.plugin_of is None and options.format and options.format not in (known := _formats(project)):
            what = f"the core does not read {options.format!r}"
            instead = f"write one of {', '.join(map(repr, known))}"
            problems.append(Problem(str(project.file), 0, f"{key}.format", what, instead))
    return problems


def _formats(project: Project) -> tuple[str, ...]:
    """Those that the core reads."""
    return (project.core_options.format, *project.core_options.accepts)


def _outcome(project: Project) -> Outcome:
    """The plugins alone."""
    versions = project.core_options
    accepts = tuple(_abi(project, version) for version in versions.accepts)
    plugins = {plugin.name: _payload(project, plugin.name) for plugin in project.plugins}
    return Outcome(_abi(project, versions.format), Payload(()), None, plugins, accepts=accepts)


def _abi(project: Project, version: str) -> str:
    text = f"mkpkgs abi 1\ndriver files\ncore {project.core.name}\nformat {version}\n"
    return hashlib.sha256(text.encode()).hexdigest()


def _program(project: Project, architecture: str) -> Path:
    return project.root / project.core.program.replace("{architecture}", architecture)


def _payload(project: Project, plugin: str) -> Payload:
    options = project.plugin_options[plugin]
    abi = _abi(project, options.format or project.core_options.format)
    return Payload(_layout.plugin(project, plugin, _layout.sources(project, project.root / options.source)), abi=abi)
