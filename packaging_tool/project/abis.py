"""Several cores out of one project file: one for each of `core.abis`, side by side on one machine.

As Debian's packages of PostgreSQL extensions put PGVERSION into `debian/control.in`, `{abi}` in any text of the file
stands for one of them. What all cores share cannot have it: the repository, its keys, what is built for which machines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from packaging_tool.project import rules
from packaging_tool.project.faults import Faults, Path, RuleError

WORD = "{abi}"
SHARED = ("architectures", "driver", "targets", "trust", "maintainer", "vendor")


def of(raw: Mapping[str, Any], faults: Faults) -> tuple[str, ...]:
    """What the file says, if it is whole; what is wrong with it is in faults then.

    raw: the file. Empty for a file of one core.
    """
    core = raw.get("core")
    if not isinstance(core, dict):
        return ()
    said, name = core.get("abis"), core.get("name")
    if said is None:
        if isinstance(name, str) and WORD in name:
            faults.add(("core", "name"), f"{WORD} stands for nothing", 'write for example abis = ["15", "17"] below it')
        return ()
    before = len(faults.found)
    for path, what, instead in _faults(said, name, raw, core):
        faults.add(path, what, instead)
    return tuple(said) if len(faults.found) == before else ()


def _faults(said: Any, name: Any, raw: Mapping[str, Any], core: Mapping[str, Any]) -> Iterator[tuple[Path, str, str]]:
    path = ("core", "abis")
    if not isinstance(said, list) or not said or not all(isinstance(text, str) for text in said):
        yield path, "must be a list of texts", 'write for example ["15", "17"]'
        return
    for index, text in enumerate(said):
        try:
            rules.abi(text)
        except RuleError as error:
            yield (*path, index), error.what, error.instead
        if text in said[:index]:
            yield (*path, index), f"{text!r} is there twice", "keep one"
    if not isinstance(name, str) or WORD not in name:
        yield ("core", "name"), "is the same for all of core.abis", f'write for example "{name or "served"}{WORD}"'
    elif not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", shared_name(name)):
        what = f"leaves {shared_name(name)!r} for what all cores share, which is not a package name"
        yield ("core", "name"), what, f'write for example "served{WORD}"'
    for key in SHARED:
        if WORD in str(core.get(key, "")):
            yield ("core", key), f"has {WORD} in it, and is one for all cores", "leave it out"
    if WORD in str(raw.get("repository", "")):
        yield ("repository",), f"has {WORD} in it, and there is one for all cores", "leave it out"


def shared_name(name: str) -> str:
    """The core's name without `{abi}`: of the repository's files and the keys."""
    return re.sub(r"[+.-]*\{abi\}", "", name).strip("+.-")


def fill(value: Any, abi: str) -> Any:
    """A copy of a value of the file with abi in all its texts, but for names of keys."""
    if isinstance(value, str):
        return value.replace(WORD, abi)
    if isinstance(value, list):
        return [fill(item, abi) for item in value]
    if isinstance(value, dict):
        return {name: item if name == "abis" else fill(item, abi) for name, item in value.items()}
    return value
