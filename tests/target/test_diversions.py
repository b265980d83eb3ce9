"""A diversion of dpkg leads what is installed again elsewhere: who diverts is told, and what helps."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.target.machine import Machine
from tests.target.test_manage import says

CODE = "/usr/lib/fake/plugins/git/code"
APART = "/usr/lib/fake/plugins/git/code.mine"


def divert(machine: Machine, *options: str, path: str = CODE, place: str = "/var/code") -> None:
    command = ["chroot", str(machine.root), "dpkg-divert", *options, "--divert", place, path]
    subprocess.run(command, check=True, capture_output=True)


def follow(machine: Machine, repair: str) -> None:
    """Do what a repair says, to the letter. apt brings the file that lies in /var/cache/code."""
    apt = machine.root / "usr/bin/apt-get"
    apt.write_text(f'#!/bin/sh\n[ "$*" = "install --reinstall fake-plugin-git" ] && cp /var/cache/code {CODE}\n')
    apt.chmod(0o755)
    done = subprocess.run(["chroot", machine.root, "dash", "-euc", repair], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("options", "by", "place", "mine"),
    [
        (["--local", "--rename"], "the administrator", "/var/code", True),
        (["--local", "--rename"], "the administrator", APART, False),
        (["--package", "tuned", "--rename"], "the package tuned", "/var/code", False),
        (["--local", "--no-rename"], "the administrator", "/var/code", True),
    ],
)
def test_who_diverts_a_file_of_a_plugin_is_told_with_the_commands_that_help(
    serving: Machine, options: list[str], by: str, place: str, mine: bool
) -> None:
    """mine: whether another file is there in its place."""
    code = serving.root / CODE[1:]
    (serving.root / "var/cache").mkdir(exist_ok=True)
    (serving.root / "var/cache/code").write_bytes(code.read_bytes())
    divert(serving, *options, place=place)
    if mine:
        code.write_text("echo mine\n")
    found = f"{CODE} is diverted to {place} by {by}"
    for command in ("status", "verify", "doctor", "apply"):
        said = says(serving, command, status=1)
        assert found in said, said
        assert said.count("repair: ") == 1, said
    (repair,) = re.findall("repair: (.*)", said)
    follow(serving, repair)
    says(serving, "status")
    assert says(serving, "doctor").endswith("all is well\n")
    assert serving.serves() == ["core", "plugin git"]


def test_a_manifest_that_is_diverted_is_told_too(serving: Machine) -> None:
    path = "/usr/share/fake/plugins/git.manifest"
    divert(serving, "--local", "--rename", path=path)
    said = says(serving, "doctor", status=1)
    assert f"{path} is diverted to /var/code by the administrator" in said
    follow(serving, re.findall("repair: (.*)", said)[0])
    says(serving, "status")


def test_doctor_tells_a_diversion_that_does_no_harm_yet(serving: Machine) -> None:
    """The next version of the core would not get its program."""
    core = "/usr/lib/fake/bin/fake-core"
    divert(serving, "--local", "--no-rename", path=core)
    said = says(serving, "doctor", status=1)
    assert f"{core} is diverted to /var/code by the administrator\n" in said


def test_another_program_in_the_place_of_the_core_is_no_plugin_that_serves(serving: Machine) -> None:
    divert(serving, "--local", "--rename", path="/usr/bin/fake", place="/usr/bin/fake.default")
    (serving.root / "usr/bin/fake").symlink_to("true")
    assert says(serving, "list").split() == ["git", "1.0-1", "bypassed"]
    assert "but another program is called: fake-plugins status" in says(serving, "why", "git", status=1)
    (repair,) = re.findall("repair: (.*)", says(serving, "status", status=1))
    follow(serving, repair)
    assert says(serving, "list").split() == ["git", "1.0-1", "serving"]


@pytest.mark.parametrize("there", [True, False])
def test_apply_says_that_nothing_is_in_the_place_of_the_core(serving: Machine, there: bool) -> None:
    """there: whether the file is where it is diverted to; else it comes with the package."""
    divert(serving, "--local", "--rename", path="/usr/bin/fake", place="/usr/bin/fake.default")
    if not there:
        (serving.root / "usr/bin/fake.default").unlink()
    serving.install("cors")
    said = says(serving, "apply", status=1)
    assert "/usr/bin/fake is not there, so no set can be tried: it is diverted to /usr/bin/fake.default\n" in said
    (repair,) = re.findall("repair: (.*)", said)
    apt = serving.root / "usr/bin/apt-get"
    apt.write_text("#!/bin/sh\n[ \"$*\" = 'install --reinstall fake' ] && ln -s /usr/lib/fake/bin/fake /usr/bin/fake\n")
    apt.chmod(0o755)
    done = subprocess.run(["chroot", serving.root, "dash", "-euc", repair], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    says(serving, "status")
    assert serving.serves() == ["core", "plugin cors", "plugin git"]
