"""The line scanner knows every key that tomllib knows, and where it stands."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from packaging_tool.project import lines

ROOT = Path(__file__).parent.parent.parent
FILES = sorted(
    path
    for path in (*ROOT.glob("*.toml"), *ROOT.glob("examples/**/*.toml"), *ROOT.glob("tests/samples/**/*.toml"))
    if not {".mkpkgs", "dist"} & set(path.parts)
)


def paths(value: Any, path: lines.Path = ()) -> Iterator[lines.Path]:
    """Every path of a TOML value."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from paths(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths(item, (*path, index))


def valid(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_real_files_have_the_same_keys_as_for_tomllib(path: Path) -> None:
    text = path.read_text()
    if (value := valid(text)) is None:
        # What comes before the mistake is still read.
        assert lines.scan(text)
        return
    expected = set(paths(value))
    found = lines.scan(text)
    # A header [a.b] defines a.b; a itself has a line only where it is written.
    implied = {item[:size] for item in expected for size in range(1, len(item))}
    assert expected - set(found) <= implied
    assert set(found) <= expected


CASES = {
    'a = 1\n\n# c\nb = "x # y" # z\n': {("a",): 1, ("b",): 4},
    "a.b.c = 1\n": {("a",): 1, ("a", "b"): 1, ("a", "b", "c"): 1},
    "\"a.b\".'c d' = 1\n": {("a.b",): 1, ("a.b", "c d"): 1},
    "[a]\nb = 1\n[c.d]\ne = 2\n": {("a",): 1, ("a", "b"): 2, ("c", "d"): 3, ("c", "d", "e"): 4},
    "[[a]]\nb = 1\n[[a]]\nb = 2\n[a.c]\nd = 3\n": {
        ("a",): 1,
        ("a", 0): 1,
        ("a", 0, "b"): 2,
        ("a", 1): 3,
        ("a", 1, "b"): 4,
        ("a", 1, "c"): 5,
        ("a", 1, "c", "d"): 6,
    },
    "a = [\n  1, # one\n  2,\n]\nb = 2\n": {("a",): 1, ("a", 0): 2, ("a", 1): 3, ("b",): 5},
    "a = [{ b = 1 },\n  { b = [2] }]\n": {
        ("a",): 1,
        ("a", 0): 1,
        ("a", 0, "b"): 1,
        ("a", 1): 2,
        ("a", 1, "b"): 2,
        ("a", 1, "b", 0): 2,
    },
    'a = """\n[b]\nc = "1"\\"""\n"""\nd = 1\n': {("a",): 1, ("d",): 5},
    "a = '''\n[b]\\\n'''\nd = 1\n": {("a",): 1, ("d",): 4},
    'a = "\\"]\\\\"\nb = []\nc = {}\n': {("a",): 1, ("b",): 2, ("c",): 3},
    "a = 2026-11-20 10:00:00Z\nb = 1e3\nc = -inf\nd = true\n": {("a",): 1, ("b",): 2, ("c",): 3, ("d",): 4},
    "": {},
}


@pytest.mark.parametrize("text", CASES)
def test_each_key_has_its_line(text: str) -> None:
    tomllib.loads(text)
    assert lines.scan(text) == CASES[text]


def test_a_missing_key_is_told_at_the_table_around_it() -> None:
    found = lines.scan("[a]\nb = 1\n\n[a.c]\nd = 1\n")
    assert lines.line_of(found, ("a", "c", "e")) == 4
    assert lines.line_of(found, ("a", "z")) == 1
    assert lines.line_of(found, ("y",)) == 0


def test_damaged_files_end_the_scan_without_an_error() -> None:
    text = (ROOT / "tests/samples/bad/types.toml").read_text()
    chance = random.Random(1)  # noqa: S311 (the same damage in every run)
    for _ in range(500):
        at = chance.randrange(len(text))
        damaged = text[:at] + chance.choice("[]{}\"'=\\\n#\x00é") + text[at + chance.randrange(3) :]
        for line in lines.scan(damaged).values():
            assert 1 <= line <= damaged.count("\n") + 1
