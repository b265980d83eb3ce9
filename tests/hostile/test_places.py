"""The lists are true: each place and each promise of docs/security.md has its test, and no promise is missing."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from packaging_tool.package import guarded
from tests.hostile.places import PLACES, Place
from tests.hostile.promises import OPEN, ROWS, STEPS

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs/security.md"


@cache
def functions_of(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def is_there(test: str) -> bool:
    file, _, name = test.partition("::")
    return name.startswith("test_") and name in functions_of(file)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.word}-{place.meets}")
def test_code_and_test_of_each_place_exist(place: Place) -> None:
    assert (ROOT / "packaging_tool" / place.code).is_file()
    assert is_there(place.test), place.test


def test_every_row_of_the_page_has_its_tests() -> None:
    # The table of what is guarded has a test of its own: tests/package/test_guarded.py.
    lines = PAGE.read_text().replace(guarded.page(), "").splitlines()
    heads = {"who has", "who writes", "attack"}
    rows = [line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")]
    rows = [row for row in rows if row not in heads]
    assert sorted(rows) == sorted([*ROWS, *OPEN])
    steps = [found[1] for line in lines if (found := re.match(r"(\d)\. ", line))]
    assert steps == list(STEPS)
    for test in {test for tests in (*ROWS.values(), *STEPS.values()) for test in tests}:
        assert is_there(test), test
