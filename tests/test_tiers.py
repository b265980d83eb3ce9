"""Names in tiers.py are those of tests that there are: one that was renamed would be done twice, or late."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import tiers

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", [*tiers.SLOWEST, *(f"acceptance/{name}" for name in tiers.STORIES)])
def test_files_are_there(name: str) -> None:
    assert (HERE / f"{name}.py").is_file()


@pytest.mark.parametrize("name", tiers.AT_NIGHT)
def test_what_waits_for_the_night_is_there(name: str) -> None:
    file, *inside = name.partition("[")[0].split("::")
    text = (HERE / f"acceptance/{file}.py").read_text()
    for part in inside:
        assert re.search(rf"(?m)^ *(def|class) {part}\b", text)
