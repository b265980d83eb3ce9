"""Files of the core that decide nothing may have any name, kind, owner and mode: dpkg and rpm look after them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.target.machine import Machine

PLACES = ("usr/lib/fake/www", "usr/share/fake/www")


def as_link(path: Path) -> None:
    path.symlink_to("elsewhere")


def as_others(path: Path) -> None:
    path.touch()
    os.chown(path, 990, 990)


def as_open(path: Path) -> None:
    path.touch()
    path.chmod(0o664)


def as_program(path: Path) -> None:
    path.touch()
    path.chmod(0o4755)


KINDS: dict[str, Callable[[Path], None]] = {
    "file": Path.touch,
    "directory": Path.mkdir,
    "link": as_link,
    "of others": as_others,
    "open": as_open,
    "setuid": as_program,
}
NAMES = ("logo@2x.png", "Open Sans.ttf", "[slug].html", "$(id)", "it's", "日本.txt", "a=b,c", "x\\y", "~")


@pytest.mark.parametrize("place", PLACES)
def test_what_the_cores_package_brings_beside_keeps_nothing_from_serving(machine: Machine, place: str) -> None:
    machine.install("git")
    folder = machine.root / place
    folder.mkdir()
    for kind, make in KINDS.items():
        (folder / kind.replace(" ", "-")).mkdir()
        for name in NAMES:
            make(folder / kind.replace(" ", "-") / name)
    for question in ("apply", "status", "verify", "doctor"):
        done = machine.tool(question)
        assert (done.returncode, "repair" in done.stdout) == (0, False), done.stdout
    assert machine.serves() == ["core", "plugin git"]


@pytest.mark.parametrize("place", PLACES)
def test_a_link_in_the_place_of_the_folder_neither(machine: Machine, place: str) -> None:
    machine.install("git")
    (machine.root / place).symlink_to("www-1.0")
    assert machine.tool("apply").returncode == 0
    assert machine.serves() == ["core", "plugin git"]


@pytest.mark.parametrize("above", ["usr/lib/fake", "usr/share/fake"])
def test_the_directories_above_what_decides_are_roots_alone(machine: Machine, above: str) -> None:
    machine.install("git")
    (machine.root / above).chmod(0o777)
    done = machine.tool("apply")
    assert (done.returncode, f"/{above} can be written by others than root" in done.stdout) == (1, True), done.stdout
