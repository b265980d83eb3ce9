"""The license of a wheel, and who holds the copyright: as its metadata and the license files beside it say it.

What is not known is "", and nothing is guessed: `BSD` is no license, and its packager holds no copyright.
"""

from __future__ import annotations

from packaging_tool.golang.licenses import License, classify, copyright_lines
from packaging_tool.package.model import Module
from packaging_tool.project import licenses
from packaging_tool.wheels.wheel import Wheel

# PyPI's classifiers that name one license; most name a family.
_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "Eclipse Public License 2.0 (EPL-2.0)": "EPL-2.0",
    "European Union Public Licence 1.2 (EUPL 1.2)": "EUPL-1.2",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Zero-Clause BSD (0BSD)": "0BSD",
    "Zope Public License": "ZPL-2.1",
    "zlib/libpng License": "Zlib",
}
# Texts of `License` that name a family.
_FAMILIES = ("apache", "bsd", "gpl", "lgpl", "public domain")


def of(wheel: Wheel) -> License:
    """The license of a wheel. Raises BuildError for one that cannot be read."""
    texts = list(dict.fromkeys(wheel.license_texts))
    lines = dict.fromkeys(line for text in texts for line in copyright_lines(text))
    return License(_named(wheel, texts), tuple(lines), "".join(f"{text}\n" for text in texts))


def _named(wheel: Wheel, texts: list[str]) -> str:
    """The SPDX expression: what the metadata says to the letter, else what files are, else what is meant."""
    said = wheel.metadata.get("License", [""])[0].strip()
    for text in (wheel.metadata.get("License-Expression", [""])[0].strip(), said):
        # Tools of before wrote UNKNOWN where nothing was said.
        if licenses.is_listed(text):
            return text
    if found := sorted({one for text in (*texts, said) for one in classify(text)}):
        return " AND ".join(found)
    if said.lower() not in _FAMILIES and (meant := licenses.meant(said)):
        return meant
    classified = (text.rpartition(" :: ")[2] for text in wheel.metadata.get("Classifier", []) if "License ::" in text)
    known = {_CLASSIFIERS.get(text, "") for text in classified}
    return known.pop() if len(known) == 1 else ""


def describe(wheel: Wheel, license_: str, holder: str) -> Module:
    """What a package says of a wheel in it. license_, holder: of the project, for a wheel that is made of its sources
    and says nothing; else "". Raises BuildError."""
    found = of(wheel)
    holders = found.copyright or ((holder,) if holder else ())
    return Module(wheel.name, wheel.version, found.id or license_, holders, found.text, ecosystem="pypi")
