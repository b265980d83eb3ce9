"""The order of package versions, as dpkg and rpm have it for the versions that mkpkgs writes (deb-version(7))."""

from __future__ import annotations

import re

# Below everything, even the end of the text: `1.0~rc1` comes before `1.0`.
TILDE, END, LETTER, OTHER = range(-1, 3)


def key(version: str) -> tuple[object, ...]:
    """A key that sorts `[epoch:]upstream-release` from old to new."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "", version
    upstream, _, release = rest.rpartition("-")
    return int(epoch or 0), _parts(upstream or release), _parts(release if upstream else "")


def _parts(text: str) -> tuple[tuple[tuple[tuple[int, int], ...], int], ...]:
    """Pairs of a piece without digits and a number, as the algorithm walks over them."""
    pieces = re.findall(r"(\D*)(\d*)", text)
    return tuple(((*map(_rank, letters), (END, 0)), int(digits or 0)) for letters, digits in pieces)


def _rank(character: str) -> tuple[int, int]:
    if character == "~":
        return TILDE, 0
    return (LETTER if character.isalpha() else OTHER), ord(character)
