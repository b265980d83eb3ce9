"""Sources are in the project, also where a link leads; `outside = true` says otherwise."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from packaging_tool.errors import ProjectError
from packaging_tool.project.loader import load

TINY = Path(__file__).parent.parent / "samples/tiny"


def tiny(root: Path, old: str = "", new: str = "") -> Path:
    shutil.copytree(TINY, root, ignore=shutil.ignore_patterns(".mkpkgs", "dist"))
    file = root / "mkpkgs.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1) if old else text)
    return file


@pytest.mark.parametrize("source", ["/etc/hostname", "../secret", "link", "link/key", "plugins/../../secret"])
def test_sources_that_lead_out_are_refused(source: str, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key").write_text("secret")
    file = tiny(tmp_path / "project", 'source = "plugins/hello"', f'source = "{source}"')
    (file.parent / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(ProjectError) as caught:
        load(file)
    (problem,) = caught.value.problems
    assert (problem.key, problem.line > 0) == ("plugin.hello.files.source", True)
    assert problem.what == f"{source!r} leads out of the project"
    assert "outside = true in [core]" in problem.instead
    file.write_text(file.read_text().replace("[core]\n", "[core]\noutside = true\n", 1))
    assert load(file).outside


def test_a_program_that_is_a_link_out_of_the_project_is_refused(tmp_path: Path) -> None:
    file = tiny(tmp_path / "project")
    (file.parent / "greet").unlink()
    (file.parent / "greet").symlink_to("/etc/passwd")
    with pytest.raises(ProjectError, match=r"core\.program: 'greet' leads out of the project"):
        load(file)


def test_a_link_within_the_project_is_good(tmp_path: Path) -> None:
    file = tiny(tmp_path / "project", 'source = "plugins/hello"', 'source = "link"')
    (file.parent / "link").symlink_to("plugins/hello")
    assert load(file).plugin_options["hello"].source == "link"
