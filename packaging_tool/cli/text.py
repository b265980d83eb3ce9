"""Texts for a terminal."""

from __future__ import annotations

import codecs
import io
import sys

import click

# For terminals and logs that are not UTF-8.
_ASCII = {"├": "|", "└": "`", "│": "|", "─": "-", "…": "..."}


def spell_where_needed() -> None:
    """Let what stdout and stderr have no sign for be spelled in ASCII, where Python would end the run with an error."""
    codecs.register_error("mkpkgs.ascii", _spelled)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() != "utf-8":
            stream.reconfigure(errors="mkpkgs.ascii")


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(_ASCII.get(c, c.encode("unicode_escape").decode()) for c in signs), error.end


def printable(text: str, keep: str = "\t") -> str:
    """The text without characters that steer a terminal: packages of others may hold any.

    keep: control characters that stay.
    """
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)


def tell(text: str = "") -> None:
    """A line or more on stdout, whatever words of others it has. The only way there from a command."""
    click.echo(printable(text, keep="\n\t"))


def size(number: int) -> str:
    """Bytes in a unit that fits, e.g. `1.5 MB`."""
    amount, unit = float(number), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 999.5 or unit == "TB":
            break
        amount /= 1000
    return f"{number} B" if unit == "B" else f"{amount:.1f} {unit}"
