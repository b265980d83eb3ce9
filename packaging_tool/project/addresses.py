"""What addresses in a project file must look like."""

from __future__ import annotations

import re

from packaging_tool.project.faults import RuleError

# RFC 3986, 2: what an address is written with; all else, letters of other alphabets too, is escaped there.
_WEB = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?([/?#][A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*)?")
# apt and dnf read it as a word, dnf as several at a comma and with variables at a `$`; it stands in shown commands.
_REPOSITORY = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~@+=:%-]*)*")
LONGEST = 2000


def web_address(text: str) -> None:
    """An absolute http or https address."""
    _short(text)
    if not _WEB.fullmatch(text):
        guess = f'write "https://{text}"' if re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+(/\S*)?", text) else ""
        if not guess and re.match(r"https?://", text):
            guess = "write other characters than RFC 3986 has as %XX"
        raise RuleError(f"{text!r} is not an http or https address", guess)


def repository(text: str) -> None:
    """Where a repository is served: a folder, without a query, and without what means more to apt, dnf or a shell."""
    web_address(text)
    if not _REPOSITORY.fullmatch(text):
        raise RuleError(
            f"{text!r} has characters that not all of apt, dnf and sh read as they are",
            "letters, digits and `._~@+=:%-/` may be in it; write others as %XX",
        )


def documentation(text: str) -> None:
    """systemd.unit(5), Documentation=: addresses parted by spaces."""
    _short(text)
    # Not by any white space: a line break would end the line of the unit.
    for part in filter(None, text.split(" ")):
        if not re.fullmatch(r"(https?://|file:/|info:|man:)[!-~]+", part):
            raise RuleError(f"{part!r} is not an address", "begin it with https://, file:/, info: or man:")


def place(text: str) -> None:
    """Where a core's files for authors are: an address, or a directory."""
    _short(text)
    if not text.isprintable():
        raise RuleError(f"{text!r} has control characters", "leave them out")
    if "://" in text and not text.startswith("file:///"):
        web_address(text)


def _short(text: str) -> None:
    if len(text) > LONGEST:
        raise RuleError(f"has {len(text)} characters, {LONGEST} are allowed", "write a shorter address")


def suite(text: str) -> None:
    """The name of a suite is also a folder below dists/."""
    _folder(text, "suite", "stable")


def component(text: str) -> None:
    """The name of a component is also a folder below the suite's."""
    _folder(text, "component", "main")


def _folder(text: str, what: str, example: str) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", text):
        raise RuleError(
            f"{text!r} is not the name of a {what}: a-z, 0-9, `.`, `+`, `-`", f'write for example "{example}"'
        )
