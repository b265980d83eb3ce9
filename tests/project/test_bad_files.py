"""Every bad project file gets all its problems told at once, in words that stand beside it.

After a change of the words: `MKPKGS_REWRITE=1 pytest tests/project/test_bad_files.py`, then read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from packaging_tool.errors import ProjectError
from packaging_tool.project.loader import load

BAD = Path(__file__).parent.parent / "samples/bad"
FILES = sorted(BAD.glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_all_problems_of_a_file_are_told_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    with pytest.raises(ProjectError) as caught:
        load(Path(path.name))
    text = "".join(f"{problem}\n" for problem in caught.value.problems)
    expected = path.with_suffix(".expected")
    if os.environ.get("MKPKGS_REWRITE"):
        expected.write_text(text)
    assert text == expected.read_text()
    assert caught.value.exit_code == 2


def test_each_expected_text_has_its_file() -> None:
    assert {path.stem for path in BAD.glob("*.expected")} == {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_line_of_a_problem_holds_its_key(path: Path) -> None:
    """The last name of the key, or the table around it where the key is missing, stands in the named line."""
    with pytest.raises(ProjectError) as caught:
        load(path)
    rows = path.read_text().split("\n")
    for problem in caught.value.problems:
        if not problem.line or not problem.key:
            continue
        names = [part.split("[")[0].strip('"') for part in problem.key.split(".")]
        row = rows[problem.line - 1]
        assert any(name in row for name in names[-2:]) or "[" in problem.key or "missing" in problem.what, problem
