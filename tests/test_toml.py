"""What we write as TOML is what tomllib reads, whatever people and packages put into it."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from packaging_tool import toml
from packaging_tool.errors import InputError

# Quotes, what begins an escape or a comment, line ends, other controls, what is no character alone, all planes.
ODD = (
    "\"'\\#\n\r\t\0\x01\x1f\x7f\x80\x85\xa0\u2028\u2029\ufeff\ufffd\uffff\U00010000\U0001f600\U0010ffff"
    "=[]{}., aZ09_-é日"
)


def text(chance: random.Random) -> str:
    alphabets = (ODD, "abc-_", "".join(chr(chance.choice((0x20, 0x300, 0xE000, 0x1F300)) + n) for n in range(60)))
    return "".join(chance.choices(chance.choice(alphabets), k=chance.randrange(1, 12)))


def item(chance: random.Random, depth: int) -> Any:
    kinds: list[Callable[[random.Random], Any]] = [
        text,
        lambda c: c.randrange(-(1 << 63), 1 << 63),
        lambda c: c.random() < 0.5,
    ]
    if depth < 4:
        kinds += [
            lambda c: [item(c, depth + 1) for _ in range(c.randrange(4))],
            lambda c: {text(c): item(c, depth + 1) for _ in range(c.randrange(4))},
        ]
    return chance.choice(kinds)(chance)


@pytest.mark.parametrize("seed", range(300))
def test_any_tree_is_read_as_it_was_written(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret: it picks what to write
    tree = {text(chance): item(chance, 0) for _ in range(8)}
    written = toml.dumps(tree)
    assert tomllib.loads(written) == tree
    # As a file has it.
    assert tomllib.loads(written.encode().decode()) == tree
    assert toml.loads(written) == tree


@pytest.mark.parametrize("character", ODD)
def test_any_character_stands_in_a_text_and_in_a_name(character: str) -> None:
    for word in (character, f"a{character}b", f"{character}{character}"):
        assert tomllib.loads(f"{toml.string(word)} = {toml.string(word)}\n") == {word: word}
        assert tomllib.loads(toml.dumps({"table": {word: {word: [word]}}})) == {"table": {word: {word: [word]}}}


@pytest.mark.parametrize("half", ["\ud800", "a\udcffb"])
def test_half_a_character_is_no_text(half: str) -> None:
    """As names of files have it that are not UTF-8: written, nobody could read the file."""
    with pytest.raises(InputError, match="is no valid UTF-8"):
        toml.string(half)
