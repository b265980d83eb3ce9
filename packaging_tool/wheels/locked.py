"""The driver's part of `mkpkgs.lock`: each wheel of the index by name, version, file and hash, by architecture."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

from packaging_tool import toml
from packaging_tool.errors import InputError
from packaging_tool.golang.edited import ABOVE
from packaging_tool.project import lines
from packaging_tool.project.model import Pins
from packaging_tool.wheels.pip import Pin

_REPAIR = "take it back from version control, or delete it to lock anew"


def render(head: dict[str, str], wheels: Iterable[tuple[str, Pin]]) -> str:
    """The text. head: texts by key. wheels: with their architectures."""
    rows = list(_rows(wheels))
    said = {**head, "sum": _sum(rows)}
    return "\n".join(("[python]", *(f"{key} = {toml.string(text)}" for key, text in said.items()), *rows)) + "\n"


def _rows(wheels: Iterable[tuple[str, Pin]]) -> Iterator[str]:
    for architecture, pin in wheels:
        yield from ("", "[[python.wheel]]", f'architecture = "{architecture}"')
        said = asdict(pin.checked())
        yield from (f"{key} = {toml.string(said[key])}" for key in ("name", "version", "file", "sha256"))


def _sum(rows: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]


def read(text: str, architecture: str) -> list[Pin]:
    """The wheels of an architecture. Raises InputError."""
    try:
        found = toml.loads(text)["python"]
        wheels = [(row["architecture"], _pin(row)) for row in found.get("wheel", [])]
        if "sum" in found and found["sum"] != _sum(_rows(wheels)):
            raise InputError(f"mkpkgs.lock{_where(text, wheels)} is not what mkpkgs wrote there", hint=_REPAIR)
        return [pin for known, pin in wheels if known == architecture]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"mkpkgs.lock is damaged: [[python.wheel]]: {type(error).__name__} {error}"
        raise InputError(what, hint=_REPAIR) from None


def _pin(row: Mapping[str, str]) -> Pin:
    return Pin(row["name"], row["version"], row["file"], row["sha256"]).checked()


def _where(text: str, wheels: Sequence[tuple[str, Pin]]) -> str:
    """The line of the first wheel whose file has another name or version, else where the list begins."""
    found = lines.scan(text)
    odd = (number for number, (_, pin) in enumerate(wheels) if Pin.of(pin.file, pin.sha256) != pin)
    line = found.get(("python", "wheel", next(odd, 0)), 0) or found.get(("python", "sum"), 0)
    return f":{line + ABOVE}: [[python.wheel]]"


def versions(chosen: Iterable[Pins]) -> dict[str, str]:
    """Versions of distributions by name; of two, the later one's."""
    return {pin.name: pin.version for one in chosen for pin in (Pin.of(file, "") for file in one.files)}
