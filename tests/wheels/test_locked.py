"""The wheels of a lock, and what somebody changed of them."""

from __future__ import annotations

import pytest

from packaging_tool import lock as locking
from packaging_tool.drivers.base import Lock
from packaging_tool.errors import InputError
from packaging_tool.wheels import locked
from packaging_tool.wheels.pip import Pin

INK = Pin("ink", "1.0", "ink-1.0-py3-none-any.whl", "ab" * 32)
PAPER = Pin("paper", "2.0", "paper-2.0-py3-none-any.whl", "cd" * 32)
TEXT = locked.render({"inputs": "x"}, [("all", INK), ("amd64", INK), ("amd64", PAPER)])


def test_the_wheels_of_an_architecture_come_back() -> None:
    assert (locked.read(TEXT, "all"), locked.read(TEXT, "amd64")) == ([INK], [INK, PAPER])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('version = "2.0"', 'version = "2.1"'),
        ('name = "paper"', 'name = "parchment"'),
        ("paper-2.0-py3", "paper-2.2-py3"),
    ],
)
def test_a_wheel_that_somebody_changed_is_refused_by_its_line(old: str, new: str) -> None:
    text = TEXT.replace(old, new, 1)
    file = locking.LockFile("1.0-1", 1, "python", Lock(text)).render().splitlines()
    begins = [number for number, row in enumerate(file, 1) if row == "[[python.wheel]]"]
    with pytest.raises(InputError, match=rf"^mkpkgs\.lock:{begins[2]}: .*is not what mkpkgs wrote there$"):
        locked.read(text, "amd64")


def test_a_changed_hash_or_a_wheel_that_went_away_is_seen() -> None:
    for text in (TEXT.replace("cd" * 32, "ce" * 32), TEXT[: TEXT.rindex("\n[[python.wheel]]")]):
        with pytest.raises(InputError, match=r"^mkpkgs\.lock:\d+: .*is not what mkpkgs wrote there$"):
            locked.read(text, "amd64")
