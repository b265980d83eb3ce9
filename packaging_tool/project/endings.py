"""Plugins that end or get another name: what `repository.retired` and `repository.renamed` can say together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from packaging_tool.project.faults import Path
from packaging_tool.project.model import Project


def findings(project: Project) -> Iterator[tuple[Path, str, str]]:
    """What is wrong: where, what, and what to write instead."""
    plugins = {plugin.name for plugin in project.plugins}
    said: dict[Path, str] = {
        ("repository", "retired", at): _name(text) for at, text in enumerate(project.repository.retired)
    }
    said |= {("repository", "renamed", text): _name(text) for text in project.repository.renamed}
    times = Counter(said.values())
    seen = set()
    for path, name in said.items():
        if name in plugins:
            yield path, f"{name!r} is a plugin of this project", f"take it out, or remove [plugin.{name}]"
        elif times[name] > 1 and name in seen:
            yield path, f"{name!r} is there twice", "keep one"
        seen.add(name)
    for text, new in project.repository.renamed.items():
        path = ("repository", "renamed", text)
        if project.plugin_of is not None:
            yield path, "is for the maintainer of the server", "ask for it there, or publish both names for a while"
        elif new not in plugins:
            later = project.repository.successors.get(new, ("", ""))[1]
            instead = (
                f'write "{later}"' if later in plugins else f"add [plugin.{new}], or name {_name(text)} in `retired`"
            )
            yield path, f"{new!r} is no plugin of this project", instead


def _name(text: str) -> str:
    return text.partition(" ")[0]
