"""Descriptions as people write them: paragraphs, lists and indented lines, wrapped so that lists stay lists."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

ITEM = re.compile(r"( *)([*+•‣◦-]|[0-9]{1,3}[.)]) +(?=\S)")


class Piece(NamedTuple):
    """What is wrapped together: running text, an item of a list with its marker, or an indented line as it stands."""

    indent: int
    marker: str
    text: str

    @property
    def runs(self) -> bool:
        return not self.marker and not self.indent


def paragraphs(text: str) -> list[tuple[Piece, ...]]:
    """The paragraphs of a text without control characters but line ends and tabs; blank lines part them."""
    found: list[list[str]] = [[]]
    for line in text.expandtabs(4).split("\n"):
        if line.strip():
            found[-1].append(line.rstrip())
        elif found[-1]:
            found.append([])
    return [_pieces(lines) for lines in found if lines]


def _pieces(lines: Sequence[str]) -> tuple[Piece, ...]:
    found: list[Piece] = []
    for line in lines:
        text = " ".join(line.split())
        indent = len(line) - len(line.lstrip(" "))
        last = found[-1] if found else None
        if item := ITEM.match(line):
            found.append(Piece(indent, item[2], " ".join(line[item.end() :].split())))
        elif last and ((last.marker and indent > last.indent) or (last.runs and not indent)):
            # An item goes on in lines that stand further in than it began.
            found[-1] = last._replace(text=f"{last.text} {text}")
        else:
            found.append(Piece(indent, "", line.strip() if indent else text))
    return tuple(found)


@lru_cache(maxsize=256)
def lines(paragraph: tuple[Piece, ...], width: int, offset: int | None = None) -> tuple[str, ...]:
    """A paragraph in lines of this width. offset: columns before lists and indented lines; None as they are."""
    return tuple(_lines(paragraph, width, offset))


def _lines(paragraph: Sequence[Piece], width: int, offset: int | None) -> Iterator[str]:
    least = min((piece.indent for piece in paragraph if not piece.runs), default=0)
    for piece in paragraph:
        before = " " * (piece.indent if offset is None else offset + piece.indent - least)
        if piece.runs:
            yield from _wrapped(piece.text, width, "", "")
        elif piece.marker:
            begin = f"{before}{piece.marker} "
            yield from _wrapped(piece.text, width, begin, " " * len(begin))
        else:
            yield before + piece.text


def _wrapped(text: str, width: int, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
