"""Which plugins need others: they import what those are."""

from __future__ import annotations

from pathlib import Path

from packaging_tool.golang import build as building
from packaging_tool.golang import resolve, settings
from packaging_tool.golang.closure import closure
from packaging_tool.golang.toolchain import Toolchain
from packaging_tool.listener import Listener
from packaging_tool.project.model import Project


def inferred(project: Project, workdir: Path, listener: Listener) -> dict[str, tuple[str, ...]]:
    """The names of the others by plugin, of those whose modules are found. Nothing is compiled, and no lock written.

    Raises BuildError, CommandError, OSError.
    """
    toolchain = Toolchain.find(project.core_options.go, workdir)
    request = settings.request(project, toolchain)
    lock = resolve.resolve(request, toolchain, workdir, listener)
    job = settings.job(project, request, toolchain, lock, project.core.architectures[0], workdir, listener)
    job, packages, _ = building.begin(job, compiled=False)
    owners = {path: plugin.name for plugin in job.plugins for path in plugin.imports}
    found = {}
    for plugin in job.plugins:
        reached = {owners[path] for path in closure(packages, plugin.imports) if path in owners}
        if others := reached - {plugin.name}:
            found[plugin.name] = tuple(sorted(others))
    return found
