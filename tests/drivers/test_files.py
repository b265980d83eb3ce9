"""Files as plugins: formats, and what the settings must say."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from packaging_tool.drivers import files
from packaging_tool.drivers.base import Lock
from packaging_tool.elf import machines
from packaging_tool.errors import ProjectError
from packaging_tool.project.loader import load
from tests.workspace import TINY

EXAMPLE = Path(__file__).parent.parent.parent / "examples/board"


def test_a_folder_that_nobody_filled_is_told_before_it_replaces_a_good_plugin(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "board")
    place = tmp_path / "board/themes/dark"
    shutil.rmtree(place)
    (place / "css").mkdir(parents=True)
    with pytest.raises(ProjectError, match=r"theme-dark.files.source: there is no file in themes/dark; run first what"):
        load(tmp_path / "board/mkpkgs.toml")
    # What a link leads to counts.
    (tmp_path / "board/made").mkdir()
    (tmp_path / "board/made/style").touch()
    (place / "css").rmdir()
    (place / "css").symlink_to("../../made")
    load(tmp_path / "board/mkpkgs.toml")


def test_an_empty_folder_is_told_since_no_plugin_would_bring_it(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "board")
    place = tmp_path / "board/themes/dark/img/large"
    place.mkdir(parents=True)
    with pytest.raises(ProjectError) as caught:
        load(tmp_path / "board/mkpkgs.toml")
    assert "theme-dark.files.source: there is nothing in themes/dark/img/large, and a plugin has no" in str(
        caught.value
    )
    assert "remove it, or put a file into it" in str(caught.value)
    (place / ".keep").touch()
    load(tmp_path / "board/mkpkgs.toml")


def test_bad_settings_are_told_with_what_to_write(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "board")
    file = tmp_path / "board/mkpkgs.toml"
    text = file.read_text()
    text = text.replace('reload = "--reload $MAINPID"\n', "").replace('accepts = ["1"]', 'accepts = ["0"]')
    file.write_text(text.replace('source = "themes/dark"', 'source = "themes/none"'))
    with pytest.raises(ProjectError) as caught:
        load(file)
    said = str(caught.value)
    for reason in (
        r"mkpkgs.toml:\d+: core.files.reload: the service has no reload; write the arguments in core.service.reload",
        r"mkpkgs.toml:\d+: plugin.theme-dark.files.source: there is no themes/none; name a file or a directory",
        r"mkpkgs.toml:\d+: plugin.rules-health.files.format: the core does not read '1'; write one of '2', '0'",
    ):
        assert re.search(reason, said), said


def test_a_program_that_no_machine_would_start_is_told_by_its_key(tmp_path: Path) -> None:
    shutil.copytree(TINY, tmp_path / "tiny")
    program, file = tmp_path / "tiny/greet", tmp_path / "tiny/mkpkgs.toml"
    for data, reason in (
        (b"", "it is empty"),
        (b"#!/bin/sh\r\necho x\r\n", "its first line ends with a carriage return"),
        (b"echo x\n", "it is neither an ELF program nor a script with #!"),
        (b"\x7fELF", "it is an ELF program that cannot be read"),
        (Path("/bin/true").read_bytes(), f"it is a program for {machines.own()}, not for all"),
    ):
        program.write_bytes(data)
        with pytest.raises(ProjectError, match=rf"mkpkgs.toml:\d+: core.program: greet: {reason}"):
            load(file)
    # Where it is one for these machines, the package asks for the C library that it needs.
    file.write_text(file.read_text().replace('["all"]', f'["{machines.own()}"]'))
    project = load(file)
    made = files.Driver().outline(project, Lock(""), machines.own(), tmp_path)
    ((needed,),) = made.core.depends["deb"]
    assert needed[:2] == ("libc6", ">=")
