"""What a project requires: folders that are made into wheels, files of wheels, and requirements of an index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from packaging_tool.package.content import Content
from packaging_tool.project.model import Project
from packaging_tool.wheels import pip
from packaging_tool.wheels.wheel import Wheel

# Where wheels of the project's folders are made.
LOCAL = "local"


def within(project: Project) -> Path | None:
    """Where links in folders of the project must stay; None if they need not."""
    return None if project.outside else project.root


def tables(project: Project) -> dict[str, Any]:
    """Settings of core and plugins by their tables. An author's project has none of the core."""
    core = {} if project.plugin_of is not None else {"core": project.core_options}
    return core | {f"plugin.{name}": own for name, own in sorted(project.plugin_options.items())}


def every(project: Project) -> tuple[str, ...]:
    """All that core and plugins require, each once."""
    own = (options.requires for _, options in sorted(project.plugin_options.items()))
    return tuple(dict.fromkeys(text for texts in (project.core_options.requires, *own) for text in texts))


def described(project: Project, requires: Sequence[str]) -> Iterator[str]:
    """Requirements, those of the project with a hash of what lies there."""
    for text in requires:
        path = project.root / text
        if text.startswith("./"):
            yield f"{text} {Content(path).sha256 if path.is_file() else pip.tree_digest(path, within(project))}"
        else:
            yield text


def all_of(project: Project, workdir: Path) -> list[str | Path]:
    """All requirements; wheels in place of folders."""
    return of(project, every(project), workdir)


def by_table(project: Project, workdir: Path) -> dict[str, list[str | Path]]:
    """The same by the tables in which they stand."""
    return {table: of(project, said.requires, workdir) for table, said in tables(project).items()}


def of(project: Project, requires: Sequence[str], workdir: Path) -> list[str | Path]:
    """Some of them, alike. Raises BuildError."""
    isolated = project.core_options.isolated
    found: list[str | Path] = []
    for text in requires:
        path = project.root / text
        if not text.startswith("./"):
            found.append(text)
        else:
            made = path if path.is_file() else pip.build(path, workdir / LOCAL, within(project), isolated=isolated)
            # Told before pip follows what they say.
            _ = Wheel(made).requires
            found.append(made)
    return found
