"""Who asks for what cannot be had together: pip knows distributions only, and who reads it has a core and plugins."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from packaging_tool.errors import BuildError
from packaging_tool.project.model import Project
from packaging_tool.wheels import pip, sources
from packaging_tool.wheels.pip import Pin, Platform
from packaging_tool.wheels.told import UnmetError
from packaging_tool.wheels.wheel import Wheel, normal


def resolve(project: Project, workdir: Path, platform: Platform) -> list[Pin]:
    """The wheels of the index that core and plugins come to together. Raises BuildError."""
    try:
        return pip.resolve([*map(str, sources.all_of(project, workdir))], platform)
    except UnmetError as unmet:
        raise named(unmet, sources.by_table(project, workdir), platform) from None


def named(unmet: UnmetError, requires: Mapping[str, Sequence[str | Path]], platform: Platform) -> BuildError:
    """The same error with core and plugins. requires: what each of them requires; wheels in place of folders."""
    known = {table: set(map(_name, said)) for table, said in requires.items()}
    if any(who and not any(_bare(who) in names for names in known.values()) for who, _ in unmet.causes):
        # Something that these bring along. A plugin may require a wheel of the server that is in no index.
        server = [item for item in requires["core"] if isinstance(item, Path)]
        for table, said in requires.items():
            with suppress(BuildError):
                found = pip.explore([str(item) for item in dict.fromkeys([*said, *server])], platform)
                known[table] |= _reached(known[table], found)
    owners = {}
    for who, what in unmet.causes:
        wanted = {table: [*map(_spelled, said)] for table, said in requires.items()}
        tables = [table for table in known if (_bare(who) in known[table] if who else _spelled(what) in wanted[table])]
        owners[who, what] = " and ".join(_called(table) for table in tables)
    return BuildError(unmet.told(owners), hint=unmet.hint)


def _reached(names: set[str], found: Mapping[str, tuple[str, Sequence[str]]]) -> set[str]:
    """All that distributions come to. found: what each requires, whatever its markers say: pip has judged them."""
    reached, waiting = set[str](), [*names]
    while waiting:
        if (name := waiting.pop()) in found and name not in reached:
            reached.add(name)
            waiting += map(_bare, found[name][1])
    return reached


def _called(table: str) -> str:
    return "the core" if table == "core" else table.replace(".", " ", 1)


def _bare(text: str) -> str:
    """The name that a requirement, or `name version`, begins with."""
    return normal(re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0])


def _name(item: str | Path) -> str:
    return Wheel(item).name if isinstance(item, Path) else _bare(item)


def _spelled(item: str | Path) -> str:
    """A requirement as it can be compared with what pip prints of it; of a wheel, name and version."""
    if isinstance(item, Path):
        return f"{Wheel(item).name} {Wheel(item).version}"
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        wanted = Requirement(item)
    except InvalidRequirement:
        # `name version (from /the/wheel.whl)`
        name, _, rest = item.partition(" ")
        return f"{normal(name)} {rest.partition(' ')[0]}"
    return f"{normal(wanted.name)}{wanted.specifier}"
