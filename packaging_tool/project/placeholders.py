"""What `mkpkgs init` writes for people to replace: no package must say it."""

from __future__ import annotations

from collections.abc import Iterator

from packaging_tool.project.faults import Faults, Path
from packaging_tool.project.model import Project

HOMEPAGE = "https://example.com"
MAINTAINER = "Your Name <you@example.com>"


def capitals(key: str) -> str:
    """What stands for the value of a key that must be said."""
    return key.upper().replace("-", " ")


def left(project: Project) -> Faults:
    """The places that still have them."""
    faults = Faults()
    for path, instead in _left(project):
        faults.add(path, "is still what mkpkgs init wrote", instead)
    return faults


def _left(project: Project) -> Iterator[tuple[Path, str]]:
    core = project.core
    about = "write in a few words what it is"
    top = "core" if project.plugin_of is None else "plugin-of"
    if core.maintainer == MAINTAINER:
        yield (top, "maintainer"), 'write maintainer = "NAME <ADDRESS>" with yours'
    if core.homepage == HOMEPAGE:
        yield (top, "homepage"), "write the address of its page"
    if core.summary == capitals("summary") and project.plugin_of is None:
        yield (top, "summary"), about
    for plugin in project.plugins:
        if plugin.summary == capitals("summary"):
            yield ("plugin", plugin.name, "summary"), about
        if plugin.homepage == HOMEPAGE:
            yield ("plugin", plugin.name, "homepage"), "write the address of its page, or leave it out"
