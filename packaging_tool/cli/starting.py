"""Files of a new project: who maintains it, and how its files are written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from packaging_tool import atomic
from packaging_tool.cli.text import tell
from packaging_tool.errors import CommandError, InputError
from packaging_tool.project import placeholders, rules
from packaging_tool.project.faults import RuleError


def maintainer() -> str:
    """Who Debian's tools or git say that the user is; else a place-holder."""
    from packaging_tool.run import run

    name, address = os.environ.get("DEBFULLNAME", ""), os.environ.get("DEBEMAIL", "")
    try:
        name = name or run(["git", "config", "user.name"], check=False).stdout.decode().strip()
        address = address or run(["git", "config", "user.email"], check=False).stdout.decode().strip()
    except (CommandError, UnicodeDecodeError):
        return placeholders.MAINTAINER
    text = f"{name} <{address}>"
    try:
        rules.OF[("CoreSpec", "maintainer")](text)
    except RuleError:
        return placeholders.MAINTAINER
    return text if not set('"\\') & set(text) else placeholders.MAINTAINER


def write(file: Path, texts: Mapping[str, str], *, force: bool, quiet: bool, whole: bool = True) -> None:
    """Write the files of a project beside its project file.

    texts: by name; `mkpkgs.toml` stands for file. whole: it must load. Raises InputError if one is there (without
    force), ProjectError, OSError.
    """
    places = {file if name == "mkpkgs.toml" else file.parent / name: text for name, text in texts.items()}
    there = [str(path) for path in places if path.exists()]
    if there and not force:
        raise InputError(
            f"{', '.join(there)}: would be written over", hint="go to an empty directory, or say --force to write over"
        )
    for path, text in places.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, text.encode())
        if not quiet:
            tell(f"{path}: written")
    if whole:
        from packaging_tool.project.loader import load

        # What is wrong with what was asked for is said now, with the line.
        load(file)
