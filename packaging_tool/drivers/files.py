"""Driver `files`: prebuilt files dropped into the plugins directory; the server opens them itself.

The ABI is the SHA-256 of the text `mkpkgs abi 1\\ndriver files\\ncore NAME\\nformat VERSION\\n`: core and plugin agree
on the declared version of a format and on nothing else.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from packaging_tool.drivers.base import Lock, Outcome, Payload, Target
from packaging_tool.errors import BuildError, Problem
from packaging_tool.listener import Listener
from packaging_tool.package.content import Content
from packaging_tool.package.model import Entry
from packaging_tool.project.model import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreOptions:
    """Settings of `[core.files]`.

    format: version of the format that the core reads; raise it when plugins of the old format no longer work.
    """

    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginOptions:
    """Settings of `[plugin.NAME.files]`.

    source: a file, or a directory whose files keep their places below it.
    """

    source: str


class Driver:
    """Copies files as they are."""

    name = "files"

    def check(self, project: Project) -> list[Problem]:
        """Problems of sources that are missing."""
        problems = []
        file = str(project.file)
        if not project.core.program:
            problems.append(Problem(file, 0, "core.program", "is missing", "name the file of the server's program"))
        for architecture in project.core.architectures:
            program = _program(project, architecture)
            if project.core.program and not _is(Path.is_file, program):
                problems.append(
                    Problem(file, 0, "core.program", f"there is no file {program}", "build the server first")
                )
        for name, options in sorted(project.plugin_options.items()):
            if not _is(Path.exists, project.root / options.source):
                key = f"plugin.{name}.files.source"
                problems.append(Problem(file, 0, key, f"there is no {options.source}", "name a file or a directory"))
        return problems

    def lock(self, project: Project, previous: Lock | None, workdir: Path, listener: Listener) -> Lock:
        """The declared format and the ABI that follows from it."""
        return Lock(f'[files]\nformat = "{project.core_options.format}"\nabi = "{_abi(project)}"\n')

    def fingerprint(self, project: Project, plugin: str | None) -> str:
        """Hash of names, modes and bytes of the sources."""
        digest = hashlib.sha256(_abi(project).encode())
        if plugin is None:
            paths = [(a, _program(project, a)) for a in project.core.architectures]
        else:
            paths = _sources(plugin, project.root / project.plugin_options[plugin].source)
        for name, path in paths:
            digest.update(f"{name} {path.stat().st_mode:o} {Content(path).sha256}\n".encode())
        return digest.hexdigest()

    def outline(self, project: Project, lock: Lock, architecture: str, workdir: Path) -> Outcome:
        """The same as build: nothing has to be built."""
        core = project.core.name
        program = Entry(
            path=f"/usr/lib/{core}/bin/{core}-core", mode=0o755, content=Content(_program(project, architecture))
        )
        plugins = {
            plugin.name: Payload(_entries(project, plugin.name, project.plugin_options[plugin.name].source))
            for plugin in project.plugins
        }
        return Outcome(_abi(project), Payload((program,)), None, plugins)

    def build(
        self, project: Project, lock: Lock, architecture: str, workdir: Path, listener: Listener
    ) -> tuple[Outcome, Lock]:
        """Collect the files."""
        return self.outline(project, lock, architecture, workdir), lock

    def target(self, project: Project) -> Target:
        """Nothing is assembled: the core's own program is the working one, and it opens verified copies."""
        return Target(tree=True)


def _is(question: Callable[[Path], bool], path: Path) -> bool:
    try:
        return question(path)
    except OSError:
        # The name is too long for the file system, or a directory before it may not be entered.
        return False


def _abi(project: Project) -> str:
    text = f"mkpkgs abi 1\ndriver files\ncore {project.core.name}\nformat {project.core_options.format}\n"
    return hashlib.sha256(text.encode()).hexdigest()


def _program(project: Project, architecture: str) -> Path:
    return project.root / project.core.program.replace("{architecture}", architecture)


def _sources(plugin: str, source: Path) -> list[tuple[str, Path]]:
    if source.is_dir():
        found = [(path.relative_to(source).as_posix(), path) for path in source.rglob("*") if not path.is_dir()]
    else:
        found = [(source.name, source)]
    for _, path in found:
        # A link could point to anything on the machine that builds; its bytes must not end in a package unseen. A pipe
        # would be read for ever.
        if not stat.S_ISREG(path.lstat().st_mode):
            raise BuildError(f"plugin {plugin}: {path} is not a regular file", hint="copy the file there instead")
    return sorted(found)


def _entries(project: Project, plugin: str, source: str) -> tuple[Entry, ...]:
    root = f"{project.plugins_directory}/{plugin}"
    entries = []
    for name, path in _sources(plugin, project.root / source):
        mode = 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644
        entries.append(Entry(path=f"{root}/{name}", mode=mode, content=Content(path)))
    return tuple(entries)
