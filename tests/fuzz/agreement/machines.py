"""Lays inputs down as on machines: directories in which each reader finds them where it looks for them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.drivers.test_go_lists import GOOD as LISTS
from tests.fuzz.agreement.formats import Input
from tests.vectors import make

CORE = "fake"
# The plugin of signature cases and of lists.
BELL = "bell"
# Of these a machine has as many as there are, of others one. A signature case has a machine for itself, and whether
# signatures are read at all hangs on `trust`.
MANY = {"manifest", "key", "signature", *(name for name in LISTS if "/" not in name)}
ALONE = {
    "revoked": "share/keys/revoked",
    "trust": "share/trust",
    "disabled": "etc/plugins.d/disabled",
    "abi": "share/abi",
    "settings": "etc/plugins.conf",
    "wishes": "wishes",
    "index": "index",
}
GIT = re.compile(rb"(^plugin |-plugin-)git\b", re.MULTILINE)
KIT = re.compile(rb"^kit$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Laid:
    """An input on a machine. name: of the plugin, the key or the list that it is there."""

    machine: Path
    name: str
    input: Input


def lay_down(inputs: Sequence[Input], place: Path) -> list[Laid]:
    """Put inputs onto as many machines as they need, below place."""
    laid: list[Laid] = []
    for number, group in enumerate(_groups(inputs)):
        machine = place / f"m{number:04}"
        for folder in ("share/keys", "share/plugins", "etc/plugins.d", "etc/keys.d", "lib/plugins", "lib/bin"):
            (machine / folder).mkdir(parents=True)
        (machine / "share/trust").write_text("signature\n")
        (machine / "share/abi").write_text("ab" * 32 + "\n")
        if group[0].format != "case":
            # Keys are read where something is signed.
            _lay_manifest(machine / "share/plugins/other.manifest", make.manifest(), b"")
        laid += [_lay(machine, f"n{at:04}", item) for at, item in enumerate(group)]
    return laid


def _groups(inputs: Sequence[Input]) -> Iterator[list[Input]]:
    """What may lie on one machine."""
    waiting: dict[str, list[Input]] = defaultdict(list)
    for item in inputs:
        waiting[_slot(item)].append(item)
    yield from ([item] for item in waiting.pop("case", []))
    many = [item for slot in MANY for item in waiting.pop(slot, [])]
    signed = [waiting.pop(slot, []) for slot in ("kit", "revoked")]
    for together, columns in ((many, signed), ([], list(waiting.values()))):
        count = max(1 if together else 0, *map(len, columns), 0)
        for number in range(count):
            yield [*together[number::count], *(items[number] for items in columns if number < len(items))]


def _slot(item: Input) -> str:
    return "kit" if item.format == "manifest" and KIT.search(item.files[""]) else item.format


def _lay(machine: Path, name: str, item: Input) -> Laid:
    if item.format == "case":
        (machine / "whole").touch()
        for file, data in item.files.items():
            folder = "plugins" if file.startswith(f"{BELL}.manifest") else "keys"
            (machine / "share" / folder / file).write_bytes(data)
        return Laid(machine, BELL, item)
    data = item.files[""]
    if item.format in ALONE:
        (machine / ALONE[item.format]).write_bytes(data)
    elif item.format == "key":
        (machine / f"share/keys/{name}.pub").write_bytes(data)
    elif item.format == "signature":
        _lay_manifest(machine / f"share/plugins/{name}.manifest", make.manifest().replace(b"bell", name.encode()), data)
    elif item.format == "manifest":
        if _slot(item) == "kit":
            name = "kit"
            _lay_manifest(machine / "share/kit.manifest", data, b"")
        else:
            _lay_manifest(machine / f"share/plugins/{name}.manifest", named(data, name), b"")
    else:
        _lay_list(machine / "lists" / name / "plugins" / BELL, item)
    return Laid(machine, name, item)


def named(data: bytes, name: str) -> bytes:
    """A manifest of the plugin `git` as that of another one, whatever stands behind the name."""
    return GIT.sub(rb"\g<1>" + name.encode(), data)


def _lay_manifest(path: Path, data: bytes, signature: bytes) -> None:
    path.write_bytes(data)
    # A signature that is none: what is read of the manifest does not hang on it.
    path.with_name(f"{path.name}.sig").write_bytes(signature or b"none\n")


def _lay_list(place: Path, item: Input) -> None:
    for name, text in LISTS.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(item.files[""] if name == item.format else text.encode())
