"""The project file that `mkpkgs init` writes: whoever fills it in has a project."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from packaging_tool import registry
from packaging_tool.errors import InputError, ProjectError
from packaging_tool.project import start
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
