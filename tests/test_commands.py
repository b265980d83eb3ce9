"""Words of commands: filled in once, and in scripts only what a shell takes for one word."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from packaging_tool import commands
from packaging_tool.errors import BuildError
from tests.hostile.words import words

SCRIPTS = (["sh", "-c"], ["/bin/bash", "-ec"], ["env", "-i", "dash", "-uc"])


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_script_gets_no_word_that_a_shell_takes_for_more(shell: list[str], tmp_path: Path) -> None:
    mark, refused = tmp_path / "mark", 0
    for name, word in words(mark):
        try:
            command = commands.fill([*shell, "printf '%s\\n' {it}"], {"it": word})
            assert subprocess.run(command, capture_output=True, check=True).stdout.decode() == f"{word}\n", name
        except BuildError as error:
            assert '["sh", "-c", "…", "sh", "{it}"]' in error.hint
            refused += 1
    assert refused > 30
    assert not mark.exists()


def test_elsewhere_a_word_is_a_word(tmp_path: Path) -> None:
    for _, word in words(tmp_path / "mark"):
        for command in (["cp", "-c", "{it}"], ["sh", "{it}"], ["sh", "-c", "$1", "sh", "{it}"], ["{it}"]):
            assert commands.fill(command, {"it": word, "z": "y"})[-1] == word


def test_what_was_filled_in_is_not_filled_in_again() -> None:
    assert commands.fill(["{a}{b}{c}"], {"a": "{b}", "b": "{a}"}) == ["{b}{a}{c}"]
    assert commands.fill(["{a}"], {}) == ["{a}"]
