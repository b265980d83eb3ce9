"""The project file that `mkpkgs init` writes: whoever fills it in has a project."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from packaging_tool import build, registry
from packaging_tool.cores import Settings
from packaging_tool.errors import InputError, ProjectError
from packaging_tool.listener import Silent
from packaging_tool.project import placeholders, start
from packaging_tool.project.loader import load

ME = "Jo Doe <jo@example.org>"


@pytest.mark.parametrize("driver", registry.names("drivers"))
def test_it_is_a_project_file_of_every_driver(driver: str, tmp_path: Path) -> None:
    text = start.blank(driver, "My Server", ME)
    assert tomllib.loads(text)["core"]["driver"] == driver
    assert tomllib.loads(text)["core"]["name"] == "my-server"
    (tmp_path / "mkpkgs.toml").write_text(text)
    try:
        load(tmp_path / "mkpkgs.toml")
    except ProjectError as error:
        # Only what is in capital letters or needs a choice; no key is unknown or of another type.
        assert not [p for p in error.problems if re.search("unknown|must be", p.what)], error.message


@pytest.mark.parametrize("driver", registry.names("drivers"))
def test_what_is_a_comment_is_the_default(driver: str) -> None:
    text = start.blank(driver, "server", ME)
    whole = re.sub(r"(?m)^# (?=[a-z-]+ = )", "", text)
    assert tomllib.loads(whole)["core"]["targets"] == ["debian12", "el9"]
    assert set(tomllib.loads(text)["core"]) < set(tomllib.loads(whole)["core"])


def test_driver_that_there_is_not_is_told() -> None:
    with pytest.raises(InputError, match="no driver 'go-lnk'"):
        start.blank("go-lnk", "server", ME)


@pytest.mark.parametrize("driver", ["elf", "files"])
def test_a_file_that_was_filled_in_is_valid_and_what_nobody_filled_in_is_named(driver: str, tmp_path: Path) -> None:
    file = tmp_path / "mkpkgs.toml"
    text = start.blank(driver, "server", placeholders.MAINTAINER)
    # ELF is looked at when it is built.
    (tmp_path / "program").write_text("#!/bin/sh\n")
    text = text.replace('# program = ""', 'program = "program"', 1)
    for key in ("OBJECTS", "SOURCE"):
        text = text.replace(f'"{key}"', '"program"')
    file.write_text(text)
    project = load(file)
    assert placeholders.left(project).found
    with pytest.raises(ProjectError) as caught:
        build.plan(project, Settings(output=tmp_path / "dist"), Silent())
    told = {problem.key: problem.what for problem in caught.value.problems}
    assert told == dict.fromkeys(
        ("core.summary", "core.homepage", "core.maintainer", "plugin.example.summary"),
        "is still what mkpkgs init wrote",
    )
    assert all(problem.line for problem in caught.value.problems)
    for old, new in (("SUMMARY", "A server"), (placeholders.HOMEPAGE, "https://a.example"), ("Your Name <you", "A <a")):
        text = text.replace(old, new)
    file.write_text(text)
    assert build.plan(load(file), Settings(output=tmp_path / "dist"), Silent()).packages
