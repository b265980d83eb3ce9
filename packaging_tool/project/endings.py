"""Plugins that end or get another name: what `repository.retired` and `repository.renamed` can say together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from packaging_tool.project.faults import Path
from packaging_tool.project.model import Project


def findings(project: Project) -> Iterator[tuple[Path, str, str]]:
    """What is wrong: where, what, and what to write instead."""
    plugins = {plugin.name for plugin in project.plugins}
    written: dict[Path, str] = {
        ("repository", "retired", at): text for at, text in enumerate(project.repository.retired)
    }
    written |= {("repository", "renamed", text): text for text in project.repository.renamed}
    said = {path: _name(text) for path, text in written.items()}
    times = Counter(said.values())
    seen = set()
    for path, name in said.items():
        if bare := _of_package(name, project):
            rest = written[path].removeprefix(name)
            yield path, f"{name!r} is the name of a package, and here a plugin is named", f'write "{bare}{rest}"'
        elif name in plugins:
            yield path, f"{name!r} is a plugin of this project", f"take it out, or remove [plugin.{name}]"
        elif times[name] > 1 and name in seen:
            yield path, f"{name!r} is there twice", "keep one"
        seen.add(name)
    for text, new in project.repository.renamed.items():
        path = ("repository", "renamed", text)
        if project.plugin_of is not None:
            yield path, "is for the maintainer of the server", "ask for it there, or publish both names for a while"
        elif (bare := _of_package(new, project)) in plugins:
            yield path, f"{new!r} is the name of a package, and here a plugin is named", f'write "{bare}"'
        elif new not in plugins:
            later = project.repository.successors.get(new, ("", ""))[1]
            instead = (
                f'write "{later}"' if later in plugins else f"add [plugin.{new}], or name {_name(text)} in `retired`"
            )
            yield path, f"{new!r} is no plugin of this project", instead


def _of_package(name: str, project: Project) -> str:
    """The plugin whose package has this name, "" if it is none. A plugin of this project may be called so."""
    prefix = f"{project.core.name}-plugin-"
    known = any(plugin.name == name for plugin in project.plugins)
    return name.removeprefix(prefix) if name.startswith(prefix) and not known else ""


def _name(text: str) -> str:
    return text.partition(" ")[0]
