"""Maintainers as Debian Policy 5.6.2 has them: `Name <address>`."""

from __future__ import annotations

import re

from packaging_tool.project.faults import RuleError

_MAINTAINER = re.compile(r"[^<>\"@,]+ <[^\s<>@,]+@[A-Za-z0-9.-]+>")
_EXAMPLE = "Jane Doe <jane@example.org>"


def check(text: str) -> None:
    """Raises RuleError, with what comes closest."""
    if len(text) > 300:
        raise RuleError(f"has {len(text)} characters, 300 are allowed", "name one person or team")
    if not _MAINTAINER.fullmatch(text):
        raise RuleError(f"{text!r} is not `Name <address>`", f'write "{_closest(text)}"')


def _closest(text: str) -> str:
    if "@" not in text:
        # As people write it for readers who are no machines.
        text = re.sub(r"(\S)(?:\s+at\s+|\s*[\[(]at[\])]\s*)(?=[^\s<>]+\.[^\s<>])", r"\1@", text)
    address = re.search(r"([^\s<>@,]+)@([^\s<>@,()\"]+)", text)
    # Of several people the first.
    words = re.sub(r"[<>()\"@]", " ", text.replace(address[0], "") if address else text).partition(",")[0].split()
    where = f"{address[1]}@{_in_ascii(address[2])}" if address else "jane@example.org"
    made = f"{' '.join(words) or 'Jane Doe'} <{where}>"
    return made if _MAINTAINER.fullmatch(made) else _EXAMPLE


def _in_ascii(domain: str) -> str:
    """A name of a host as the DNS has it (RFC 3490); unchanged where it can be none."""
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return domain
