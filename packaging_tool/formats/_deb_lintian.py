"""The lintian overrides of a package: what is meant although lintian warns, each with the reason as comment beside it.

Facts of the content choose them, never a package's name, so another server gets the right ones too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from packaging_tool.package.model import Entry, Package


class Override(NamedTuple):
    """A tag, what lintian prints behind it, and why it is right here."""

    tag: str
    context: str
    reason: str


def overrides(package: Package, entries: Sequence[Entry]) -> bytes:
    """The text of the overrides file (Lintian User's Manual 2.4), or b"" if nothing is to be overridden."""
    lines: list[str] = []
    last = ""
    for override in (*_changelog(package), *_modes(entries)):
        if override.reason != last:
            lines.append(f"# {override.reason}")
        last = override.reason
        lines.append(f"{package.name}: {override.tag} {override.context}".rstrip())
    return "".join(f"{line}\n" for line in lines).encode()


def _changelog(package: Package) -> Iterable[Override]:
    first = len(package.changelog) == 1 and package.changelog[0].version.endswith("-1")
    if first and not any("closes:" in text.lower() for text in package.changelog[0].changes):
        yield Override(
            "initial-upload-closes-no-bugs",
            "*",
            "It is not an upload to Debian, so there is no bug that asks for it.",
        )


def _modes(entries: Iterable[Entry]) -> Iterable[Override]:
    for entry in entries:
        if entry.type == "directory" and entry.mode != 0o755:
            yield Override(
                "non-standard-dir-perm",
                f"{entry.mode:04o} != 0755 [{entry.path[1:]}/]",
                "Only root and the service's group may look into this directory.",
            )
