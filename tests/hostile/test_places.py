"""The list of places is true: the code and the test of each row exist, and each kind of word and of danger is on it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.hostile.places import PLACES, Place

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.word}-{place.meets}")
def test_code_and_test_of_each_place_exist(place: Place) -> None:
    assert (ROOT / "packaging_tool" / place.code).is_file()
    file, _, name = place.test.partition("::")
    tree = ast.parse((ROOT / file).read_text())
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
