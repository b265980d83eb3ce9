"""A maintainer who publishes a core, and an author elsewhere who has nothing but what was published."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from tests.workspace import Workspace

HEAD = """\
[plugin-of]
name = "acme-{core}"
core = "{core}"
at = "{at}"
driver = "{driver}"
license = "Apache-2.0"
homepage = "https://acme.example.org"
maintainer = "Ann Author <ann@acme.example.org>"
"""
DUSK = """
[plugin.dusk]
summary = "Greets at dusk"
version = "2.0"
files.source = "dusk"

[repository]
url = "http://127.0.0.1:8001"
"""


def author(
    directory: Path, core: str, at: str | Path, driver: str, plugins: str, abis: tuple[str, ...] = ()
) -> Workspace:
    """The project of an author, in a directory of its own with its own keys. plugins: tables of the project file.

    Sources may lie there already.
    """
    made = Workspace.at(directory)
    made.root.mkdir(parents=True, exist_ok=True)
    head = HEAD.format(core=core, at=at, driver=driver).replace("acme-" + core, "acme-" + core.replace("{abi}", ""))
    head += f"abis = {json.dumps(abis)}\n" if abis else ""
    (made.root / "mkpkgs.toml").write_text(head + plugins)
    made.mkpkgs("key", "new")
    return made


def programs(directory: Path, *, without: str) -> str:
    """A PATH with all programs of ours but one."""
    directory.mkdir()
    for folder in os.environ["PATH"].split(os.pathsep):
        for path in Path(folder).glob("*"):
            link = directory / path.name
            if path.name != without and not link.is_symlink():
                link.symlink_to(path)
    return str(directory)


def dusk(directory: Path, at: str | Path, format_version: str = "1") -> Workspace:
    """A plugin for the sample server `greet`."""
    write_dusk(Workspace.at(directory), format_version)
    return author(directory, "greet", at, "files", DUSK)


def write_dusk(project: Workspace, format_version: str) -> None:
    """The plugin's file in the words of a format."""
    folder = project.root / "dusk"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "greeting").write_text(f"format {format_version}\ngood evening\n")


def edit(project: Workspace, file: str, old: str, new: str) -> None:
    """Replace a text that a file of the project has."""
    text = (project.root / file).read_text()
    assert old in text
    (project.root / file).write_text(text.replace(old, new, 1))


def said(acme: tuple[Workspace, str], plugin: str) -> list[str]:
    """What was said of a plugin, by `mkpkgs check` with the project."""
    lines = re.findall(rf"(?m)^  {plugin}: (.*(?:\n    .*)*)", acme[1])
    return [line.strip() for text in lines for line in text.splitlines()]
