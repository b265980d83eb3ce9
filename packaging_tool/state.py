"""What the last run made, so that the next one does only what changed. Losing this file costs time, nothing else."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from packaging_tool import atomic
from packaging_tool.formats.base import Built
from packaging_tool.package.model import Package

FORMAT = 2


@dataclass(slots=True)
class State:
    """The record of one project.

    inputs: hash of everything that the last complete run read. files: stamp of every file below the output directory
    then, by relative path. packages: what was built into which file, by path below the output directory, with the
    fingerprint of the package. published: whether that run wrote the repositories, and so vouched for all files.
    descriptions: SHA-256 of what was laid out for authors, by path.
    """

    inputs: str = ""
    files: dict[str, str] = field(default_factory=dict)
    packages: dict[str, tuple[str, Built]] = field(default_factory=dict)
    published: bool = False
    descriptions: dict[str, str] = field(default_factory=dict)

    def reusable(self, output: Path, relative: str, fingerprint: str) -> Built | None:
        """The package at this path if it was made from the same and still lies there untouched."""
        known = self.packages.get(relative)
        if known is None or known[0] != fingerprint:
            return None
        path = output / relative
        if self.files.get(relative) != stamp(path):
            return None
        return known[1]


def load(path: Path) -> State:
    """The state in path; an empty one if there is none or it cannot be read (then everything is built)."""
    import json

    try:
        raw: Any = json.loads(path.read_bytes())
        if raw["format"] != FORMAT:
            return State()
        packages = {
            name: (item["fingerprint"], Built(**{**item["built"], "path": Path(item["built"]["path"])}))
            for name, item in raw["packages"].items()
        }
        found = State(raw["inputs"], raw["files"], packages, raw["published"], raw["descriptions"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return State()
    return found if _is_sound(found) else State()


def _is_sound(state: State) -> bool:
    """Whether everything is of its type."""
    if not isinstance(state.files, dict) or not isinstance(state.descriptions, dict):
        return False
    if type(state.published) is not bool:
        return False
    texts = [state.inputs, *state.files.values(), *state.descriptions.values()]
    for known, built in state.packages.values():
        if not isinstance(built.index, dict) or type(built.size) is not int or not 0 <= built.size < 1 << 63:
            return False
        texts += [known, built.sha256, built.name, built.version, built.architecture, *built.index.values()]
    return all(isinstance(text, str) for text in texts)


def save(path: Path, state: State) -> None:
    """Write the state beside, then rename."""
    import json

    packages = {
        name: {"fingerprint": fingerprint, "built": {**_fields(built), "path": name}}
        for name, (fingerprint, built) in sorted(state.packages.items())
    }
    text = json.dumps(
        {
            "format": FORMAT,
            "inputs": state.inputs,
            "published": state.published,
            "files": state.files,
            "packages": packages,
            "descriptions": state.descriptions,
        },
        sort_keys=True,
    )
    atomic.write(path, text.encode())


def _fields(built: Built) -> dict[str, Any]:
    """As `dataclasses.asdict`, which copies all that is in it: a fifth of the time that a run takes to publish."""
    return {field.name: getattr(built, field.name) for field in fields(built)}


def stamp(path: Path | str) -> str:
    """Size and time of change of a file, "" if it is not there."""
    try:
        found = os.stat(path)  # noqa: PTH116 - of a text, too, for a thousand files
    except OSError:
        return ""
    return f"{found.st_size} {found.st_mtime_ns}"


def stamps(output: Path) -> dict[str, str]:
    """The stamps of all files below a directory, by relative path."""
    return {path.relative_to(output).as_posix(): stamp(path) for path in sorted(output.rglob("*")) if path.is_file()}


def digest(parts: Iterable[str]) -> str:
    """One hash over texts, in which no two lists of texts look alike."""
    # Paths that are not UTF-8 are in Python's texts as surrogates.
    encoded = [part.encode(errors="surrogateescape") for part in parts]
    return hashlib.sha256(b"".join([b"%d:%b" % (len(part), part) for part in encoded])).hexdigest()


def fingerprint(package: Package) -> str:
    """Hash of all that stands in a package; format, key and program version shape the file too."""
    # Packages of a release share most of it, and a module's license may be long.
    values = [getattr(package, name) for name in package.__slots__ if name != "entries"]
    parts = [repr([_spelled(value) if isinstance(value, tuple) else value for value in values])]
    # The package for authors stays as it was when its ABI came out; plain files in the repository follow the plugins.
    lasting = package.kind == "authors"
    for entry in package.entries if not lasting else ():
        content = entry.content.sha256 if entry.content is not None else ""
        kind = f"{entry.type} {entry.mode:o} {entry.owner} {entry.group} {entry.target} {entry.only}"
        parts.append(f"{entry.path} {kind} {content}")
    parts += [entry.path for entry in package.entries if lasting and entry.path.endswith("/core.toml")]
    return digest(parts)


_spelled = lru_cache(maxsize=64)(repr)


@cache
def own_fingerprint() -> str:
    """Hash over this program's own files, by size and time: another mkpkgs builds everything anew."""
    # Texts, since every run does it, and paths take three times as long.
    here = str(Path(__file__).parent)
    files = [f"{folder}/{name}" for folder, _, names in os.walk(here) for name in names if not name.endswith(".pyc")]
    return digest(f"{path.removeprefix(here)} {stamp(path)}" for path in sorted(files))
