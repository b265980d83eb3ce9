"""Texts for a terminal."""

from __future__ import annotations

import click


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
