"""Several cores out of one project file: one for each of `core.abis`, side by side on one machine.

As Debian's packages of PostgreSQL extensions put PGVERSION into `debian/control.in`, `{abi}` in any text of the file
stands for one of them. What all cores share cannot have it: the repository, its keys, what is built for which machines.
The cores may also be somebody else's: then `[plugin-of]` has `abis`, and `core` their name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from packaging_tool.project import rules
from packaging_tool.project.faults import Faults, Path, RuleError

WORD = "{abi}"
# Cores of one file: each is checked, built and published as one of its own.
MOST = 100
# What names of units of a core end with, beside that of its service.
UNITS = ("apply", "check", "make", "try", "watch")
# What is one for all cores; of what a table names, in `name` or `core`, each core has its own.
SHARED = ("architectures", "driver", "targets", "trust", "maintainer", "vendor")
OTHERS_SHARED = ("name", *SHARED)


def table(raw: Mapping[str, Any]) -> tuple[str, str]:
    """The table that may have `abis`, and its key with the name of the core."""
    return ("plugin-of", "core") if "plugin-of" in raw else ("core", "name")


def of(raw: Mapping[str, Any], faults: Faults) -> tuple[str, ...]:
    """What the file says, if it is whole; what is wrong with it is in faults then.

    raw: the file. Empty for a file of one core.
    """
    top, key = table(raw)
    core = raw.get(top)
    if not isinstance(core, dict):
        return ()
    said, name = core.get("abis"), core.get(key)
    if said is None:
        if isinstance(name, str) and WORD in name:
            faults.add((top, key), f"{WORD} stands for nothing", 'write for example abis = ["15", "17"] below it')
        return ()
    before = len(faults.found)
    for path, what, instead in _faults(said, name, raw, core):
        faults.add(path, what, instead)
    return tuple(said) if len(faults.found) == before else ()


def _faults(said: Any, name: Any, raw: Mapping[str, Any], core: Mapping[str, Any]) -> Iterator[tuple[Path, str, str]]:
    top, key = table(raw)
    path = (top, "abis")
    if not isinstance(said, list) or not said or not all(isinstance(text, str) for text in said):
        yield path, "must be a list of texts", 'write for example ["15", "17"]'
        return
    if len(said) > MOST:
        yield path, f"has {len(said)} entries, {MOST} are allowed", "write one project file for some of them"
        return
    for index, text in enumerate(said):
        try:
            rules.abi(text)
        except RuleError as error:
            yield (*path, index), error.what, error.instead
        if text in said[:index]:
            yield (*path, index), f"{text!r} is there twice", "keep one"
    if not isinstance(name, str) or WORD not in name:
        yield (top, key), f"is the same for all of {top}.abis", f'write for example "{name or "served"}{WORD}"'
    elif top == "core" and not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", shared_name(name)):
        what = f"leaves {shared_name(name)!r} for what all cores share, which is not a package name"
        yield (top, key), what, f'write for example "served{WORD}"'
    for key in SHARED if top == "core" else OTHERS_SHARED:
        if WORD in str(core.get(key, "")):
            yield (top, key), f"has {WORD} in it, and is one for all cores", "leave it out"
    if isinstance(name, str) and top == "core" and "service" in core:
        # Package managers refuse to install both; cores of one file are there to be installed side by side.
        made = {name.replace(WORD, text): index for index, text in enumerate(said)}
        for one in made:
            for other in (f"{one}-{last}" for last in UNITS):
                if other in made:
                    what = f"makes the service {other}.service, which is a unit of {one}, too"
                    yield (*path, made[other]), what, "choose another text"
    if WORD in str(raw.get("repository", "")):
        yield ("repository",), f"has {WORD} in it, and there is one for all cores", "leave it out"


def shared_name(name: str) -> str:
    """The core's name without `{abi}`: of the repository's files and the keys."""
    return re.sub(r"[+.-]*\{abi\}", "", name).strip("+.-")


def strangers(raw: Mapping[str, Any], known: Sequence[str], faults: Faults) -> None:
    """Add to faults what `abis` of plugins names and the core does not have."""
    top, _ = table(raw)
    plugins = raw.get("plugin")
    for name, said in _limits(plugins).items():
        for index, text in enumerate(said):
            if text not in known:
                choice = f"known: {', '.join(known)}" if known else f"write `abis` in [{top}], or leave it out"
                faults.add(("plugin", name, "abis", index), f"{text!r} is none of {top}.abis", choice)


def _limits(plugins: Any) -> dict[str, list[Any]]:
    """What plugins are limited to, by name; the converter tells what is no list."""
    tables = plugins.items() if isinstance(plugins, dict) else ()
    said = {name: table.get("abis") for name, table in tables if isinstance(table, dict)}
    return {name: limit for name, limit in said.items() if isinstance(limit, list) and limit}


def only(raw: Mapping[str, Any], abi: str) -> dict[str, Any]:
    """The file as it is for one core, with nothing of the plugins that are not for it."""
    made: dict[str, Any] = fill(raw, abi)
    plugins: Any = made.get("plugin")
    limits = _limits(plugins)
    if not limits:
        return made
    gone = {name for name, limit in limits.items() if abi not in limit}
    made["plugin"] = {name: _without(table, gone) for name, table in plugins.items() if name not in gone}
    # A plugin that ends for some cores goes on in others, where nothing of it is retired.
    repository = made.get("repository")
    if not isinstance(repository, dict):
        return made
    there = limits.keys() - gone
    made["repository"] = dict(repository)
    if isinstance(retired := repository.get("retired"), list):
        made["repository"]["retired"] = [text for text in retired if _name(text) not in there]
    if isinstance(renamed := repository.get("renamed"), dict):
        kept = {text: new for text, new in renamed.items() if _name(text) not in there and str(new) not in gone}
        made["repository"]["renamed"] = kept
    return made


def _without(table: Any, gone: Collection[str]) -> Any:
    """A plugin that does not clash with those that are not there."""
    if not isinstance(table, dict) or not isinstance(clashes := table.get("clashes"), list):
        return table
    return {**table, "clashes": [name for name in clashes if name not in gone]}


def _name(retired: Any) -> str:
    return str(retired).partition(" ")[0]


def fill(value: Any, abi: str) -> Any:
    """A copy of a value of the file with abi in all its texts, but for names of keys."""
    if isinstance(value, str):
        return value.replace(WORD, abi)
    if isinstance(value, list):
        return [fill(item, abi) for item in value]
    if isinstance(value, dict):
        return {name: item if name == "abis" else fill(item, abi) for name, item in value.items()}
    return value
