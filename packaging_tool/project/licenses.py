"""SPDX license expressions (SPDX 2.3, annex D): the syntax, and the spellings that people mean."""

from __future__ import annotations

import re

from packaging_tool.package import spdx
from packaging_tool.project.faults import RuleError

_TOKEN = re.compile(r"\s*(\(|\)|[^\s()]+)")
# What is no identifier of a license in an expression; what follows WITH is one of an exception.
_BETWEEN = re.compile(r"\s+WITH\s+[A-Za-z0-9.-]+|\s+(?:AND|OR)\s+|[()\s]+")
_ID = re.compile(r"(DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+|[A-Za-z0-9][A-Za-z0-9.-]*\+?")
# The parser calls itself for each pair of parentheses.
DEEPEST = 50
# Names that are no SPDX identifiers, without case, spaces and punctuation.
_MEANT = {
    "apache": "Apache-2.0",
    "apache2": "Apache-2.0",
    "apache20": "Apache-2.0",
    "asl20": "Apache-2.0",
    "apachelicense20": "Apache-2.0",
    "apachelicenseversion20": "Apache-2.0",
    "gpl": "GPL-3.0-or-later",
    "gpl2": "GPL-2.0-only",
    "gpl3": "GPL-3.0-only",
    "gplv2": "GPL-2.0-only",
    "gplv3": "GPL-3.0-only",
    "gpl20": "GPL-2.0-only",
    "gpl30": "GPL-3.0-only",
    "gplv2+": "GPL-2.0-or-later",
    "gplv3+": "GPL-3.0-or-later",
    "gpl2+": "GPL-2.0-or-later",
    "gpl3+": "GPL-3.0-or-later",
    "lgpl": "LGPL-2.1-or-later",
    "lgplv21": "LGPL-2.1-only",
    "agplv3": "AGPL-3.0-only",
    "agpl3": "AGPL-3.0-only",
    "bsd": "BSD-3-Clause",
    "bsd2": "BSD-2-Clause",
    "bsd3": "BSD-3-Clause",
    "bsd2clause": "BSD-2-Clause",
    "bsd3clause": "BSD-3-Clause",
    "mpl2": "MPL-2.0",
    "mpl20": "MPL-2.0",
    "mplv20": "MPL-2.0",
    "mitlicense": "MIT",
    "expat": "MIT",
    "publicdomain": "CC0-1.0",
    "proprietary": "LicenseRef-Proprietary",
}


def check(text: str) -> None:
    """Raises RuleError if text is not an SPDX license expression."""
    if (known := meant(text)) and known != text:
        raise RuleError(f"{text!r} is not an SPDX identifier", f'write "{known}"')
    either = " OR ".join(part.strip() for part in text.split("/"))
    if "/" in text and is_listed(either):
        raise RuleError(f"{text!r} is not an SPDX expression", f'write "{either}"')
    parser = _Parser(_TOKEN.findall(text), text)
    if parser.rest.count("(") > DEEPEST:
        raise parser.failed("fewer parentheses")
    parser.expression()
    if parser.rest:
        raise parser.failed(f"AND, OR or WITH before {parser.rest[0]!r}")


def meant(text: str) -> str:
    """The identifier that people mean by a text, "" if that is not known."""
    return _MEANT.get(re.sub(r"[\s._,-]+", "", text.lower()), "")


def is_listed(text: str) -> bool:
    """Whether it is an expression of which all names are on SPDX's list, or somebody's own (`LicenseRef-…`)."""
    try:
        check(text)
    except RuleError:
        return False
    names = [name.removesuffix("+") for name in _BETWEEN.split(text) if name]
    return all(name.startswith("LicenseRef-") or name in spdx.ids() for name in names)


class _Parser:
    def __init__(self, tokens: list[str], text: str) -> None:
        self.rest = tokens
        self.text = text

    def failed(self, expected: str) -> RuleError:
        return RuleError(
            f"{self.text!r} is not an SPDX expression: expected {expected}", 'write for example "Apache-2.0"'
        )

    def expression(self) -> None:
        self._simple()
        while self.rest and self.rest[0].upper() in ("AND", "OR"):
            self._word(self.rest.pop(0))
            self._simple()

    def _simple(self) -> None:
        if self.rest and self.rest[0] == "(":
            self.rest.pop(0)
            self.expression()
            if not self.rest or self.rest.pop(0) != ")":
                raise self.failed("`)`")
            return
        self._id("a license")
        if self.rest and self.rest[0].upper() == "WITH":
            self._word(self.rest.pop(0))
            self._id("an exception")

    def _id(self, what: str) -> None:
        token = self.rest.pop(0) if self.rest else ""
        if not _ID.fullmatch(token) or token.upper() in ("AND", "OR", "WITH"):
            raise self.failed(f"{what}{f', not {token!r}' if token else ' at the end'}")
        meant = _MEANT.get(re.sub(r"[._-]+", "", token.lower()))
        if meant is not None and meant != token and meant.lower() != token.lower():
            raise RuleError(f"{token!r} is not an SPDX identifier", f'write "{meant}"')

    def _word(self, token: str) -> None:
        if token != token.upper():
            raise self.failed(f"{token.upper()!r} in capital letters, not {token!r}")
