"""The driver's part of `mkpkgs.lock`: each wheel of the index by name, version, file and hash, by architecture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict

from packaging_tool import toml
from packaging_tool.errors import InputError
from packaging_tool.project.model import Pins
from packaging_tool.wheels.pip import Pin


def render(head: dict[str, str], wheels: Iterable[tuple[str, Pin]]) -> str:
    """The text. head: texts by key. wheels: with their architectures."""
    return (
        "\n".join(("[python]", *(f"{key} = {toml.string(text)}" for key, text in head.items()), *_rows(wheels))) + "\n"
    )


def _rows(wheels: Iterable[tuple[str, Pin]]) -> Iterator[str]:
    for architecture, pin in wheels:
        yield from ("", "[[python.wheel]]", f'architecture = "{architecture}"')
        said = asdict(pin.checked())
        yield from (f"{key} = {toml.string(said[key])}" for key in ("name", "version", "file", "sha256"))


def read(text: str, architecture: str) -> list[Pin]:
    """The wheels of an architecture. Raises InputError."""
    try:
        return [
            Pin(row["name"], row["version"], row["file"], row["sha256"]).checked()
            for row in toml.loads(text)["python"].get("wheel", [])
            if row["architecture"] == architecture
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"mkpkgs.lock is damaged: [[python.wheel]]: {type(error).__name__} {error}"
        raise InputError(what, hint="take it back from version control, or remove mkpkgs.lock") from None


def versions(chosen: Iterable[Pins]) -> dict[str, str]:
    """Versions of distributions by name; of two, the later one's."""
    return {pin.name: pin.version for one in chosen for pin in (Pin.of(file, "") for file in one.files)}
