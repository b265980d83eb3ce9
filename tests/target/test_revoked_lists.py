"""A list of revoked keys that is wrong in part or as a whole: good lines act, others are told, nothing comes back."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.target.conftest import serve_evil
from tests.target.machine import Key, Machine

MINE, CORES = "/etc/fake/keys.d/revoked", "/usr/share/fake/keys/revoked"
BESIDE = (
    "\ufeffFEDCBA9876543210\nall of them\n# why\n{id}\t # lost in the train\n\0\nABCDEF0123456789\n"
    "  0123456789abcdef\r\n"
)
TOLD = {
    1: "write fedcba9876543210",
    2: "write the 16 digits 0-9 a-f of a key id, or # before a comment",
    5: "write the 16 digits 0-9 a-f of a key id, or # before a comment",
    6: "write abcdef0123456789",
    7: "write 0123456789abcdef",
}


@pytest.fixture
def lost(any_machine: Machine) -> Key:
    """A key whose plugin `evil` serves beside `git`, under both shells and awks."""
    return serve_evil(any_machine)


@pytest.fixture
def lost_here(machine: Machine) -> Key:
    """The same, under dash."""
    return serve_evil(machine)


def mine(machine: Machine) -> Path:
    return machine.root / MINE.lstrip("/")


def test_good_lines_act_beside_bad_ones_and_each_bad_one_is_told(any_machine: Machine, lost: Key) -> None:
    machine = any_machine
    mine(machine).write_text(BESIDE.format(id=lost.id.hex()))
    # What it has not stopped goes on: another plugin comes in.
    machine.install("other")
    done = machine.tool("apply")
    assert machine.serves() == ["core", "plugin git", "plugin other"]
    assert done.returncode == 1
    rows = [(f"{MINE} line {number} is not a key id of 16 hexadecimal digits", f"{repair}, then fake-plugins apply")
            for number, repair in TOLD.items()]  # fmt: skip
    for command in (["apply"], ["apply", "--quiet"], ["apply", "--boot"], ["status"], ["verify"], ["doctor"]):
        done = machine.tool(*command)
        assert done.returncode == 1, command
        for reason, repair in rows:
            assert done.stdout.count(f"fake-plugins: {reason}\nfake-plugins:   repair: {repair}\n") == 1, command
        assert "the repair failed" not in done.stdout
    for question in ("status", "verify"):
        told = json.loads(machine.tool(question, "--json").stdout)
        assert told["good"] is False
        problems = [(problem["reason"], problem["repair"]) for problem in told["problems"] if problem["plugin"] is None]
        assert problems == rows
    assert machine.serves() == ["core", "plugin git", "plugin other"]
    assert machine.leftovers() == []
    # The repair to the letter, and nobody speaks of it any more.
    mine(machine).write_text(f"{lost.id.hex()}\n# all of them\nabcdef0123456789\n0123456789abcdef\n")
    assert machine.tool("disable", "evil").returncode == 0
    for question in ("apply", "status", "doctor"):
        assert machine.tool(question).returncode == 0, question


def test_many_bad_lines_are_told_in_short(any_machine: Machine, lost: Key) -> None:
    mine(any_machine).write_text("x\n" * 3000 + f"{lost.id.hex()}\n")
    done = any_machine.tool("apply")
    assert any_machine.serves() == ["core", "plugin git"]
    assert (done.stdout.count(" is not a key id"), f"{MINE} has 2990 more lines" in done.stdout) == (10, True)


def test_a_good_line_counts_wherever_it_stands(any_machine: Machine, lost: Key) -> None:
    """Long lines, lines of blanks and a last line without a newline take nothing from it, and no time."""
    mine(any_machine).write_text(f"{' ' * 30000}x\n{' ' * 20000}\n{'#' * 9000}\n{lost.id.hex()}")
    done = any_machine.tool("apply")
    assert any_machine.serves() == ["core", "plugin git"]
    assert done.stdout.count(" is not a key id") == 1


def as_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def as_link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nothing")


def as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def as_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def as_large(path: Path) -> None:
    path.write_text(path.read_text() + "#" * 65536)


# What is wrong with a list as a whole, and how that is told.
WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "link": (as_link, "is a symbolic link"),
    "link to nothing": (as_link_to_nothing, "is a symbolic link that leads to no file"),
    "pipe": (as_pipe, "is neither a file nor a directory"),
    "directory": (as_directory, "is a directory"),
    "large": (as_large, "is larger than 64 kB"),
    "owner": (lambda path: os.chown(path, 990, 990), "does not belong to root"),
    "writable": (lambda path: path.chmod(0o666), "can be written by others than root"),
    "setuid": (lambda path: path.chmod(0o4644), "is setuid, setgid or sticky"),
    "nul": (lambda path: path.write_text(path.read_text().replace("\n", "\0\n")), "line 1 is not a key id"),
}
# The repairs that a shell can do.
IN_SHELL = ("link", "owner", "writable", "setuid")


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_with_one_list_does_not_stop_the_other(machine: Machine, lost_here: Key, wrong: str) -> None:
    change, reason = WRONG[wrong]
    mine(machine).write_text("0123456789abcdef\n")
    change(mine(machine))
    machine.trust("revoked", f"{lost_here.id.hex()}\n".encode())
    done = machine.tool("apply")
    assert machine.serves() == ["core", "plugin git"], done.stdout
    assert done.returncode == 1
    assert f"{MINE} {reason}" in done.stdout
    assert f"{MINE} {reason}" in machine.tool("status").stdout


@pytest.mark.parametrize("wrong", WRONG)
def test_a_core_list_that_is_wrong_does_not_stop_the_administrators(
    machine: Machine, lost_here: Key, wrong: str
) -> None:
    change, reason = WRONG[wrong]
    machine.trust("revoked", b"0123456789abcdef\n")
    change(machine.share / "keys/revoked")
    machine.revoke(lost_here)
    done = machine.tool("apply")
    assert machine.serves() == ["core", "plugin git"], done.stdout
    assert (done.returncode, f"{CORES} {reason}" in done.stdout) == (1, True)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_list_that_turns_bad_brings_nothing_back(machine: Machine, lost_here: Key, wrong: str) -> None:
    """What it said at the last apply goes on counting, through further applies and sets, and the repair keeps it."""
    change, reason = WRONG[wrong]
    machine.revoke(lost_here)
    machine.tool("apply")
    assert machine.serves() == ["core", "plugin git"]
    change(mine(machine))
    for number in range(2):
        machine.install(f"other{number}")
        done = machine.tool("apply")
        others = [f"plugin other{other}" for other in range(number + 1)]
        assert machine.serves() == ["core", "plugin git", *others], done.stdout
        assert (done.returncode, f"{MINE} {reason}" in done.stdout) == (1, True)
    assert machine.tool("apply", "--boot").returncode == 1
    if wrong not in IN_SHELL:
        return
    repairs = re.findall(f"{MINE} {reason}\nfake-plugins:   repair: (.*)\n", done.stdout)
    shell: list[str | Path] = [
        "chroot",
        machine.root,
        "dash",
        "-c",
        re.sub("^look .* yours, (.*); else .*$", r"\1", repairs[0].removesuffix("; then fake-plugins apply")),
    ]
    assert len(repairs) == 1
    assert subprocess.run(shell, check=False).returncode == 0
    done = machine.tool("apply")
    assert machine.serves() == ["core", "plugin git", "plugin other0", "plugin other1"]
    assert (MINE in done.stdout, "left out" in machine.tool("status").stdout) == (False, True)


def test_a_list_of_the_cores_that_its_package_did_not_bring_is_told_and_says_nothing(
    machine: Machine, lost_here: Key
) -> None:
    (machine.share / "keys/revoked").write_text(f"{machine.key.id.hex()}\n")
    machine.revoke(lost_here)
    done = machine.tool("apply")
    assert machine.serves() == ["core", "plugin git"]
    assert (done.returncode, f"{CORES} is no file of the package fake: it belongs to no package" in done.stdout) == (
        1,
        True,
    )
    assert f"repair: add its lines to {MINE} if you trust it, and remove it; then fake-plugins apply" in done.stdout


def test_what_is_revoked_no_more_comes_back(machine: Machine, lost_here: Key) -> None:
    """Only who writes a list that can be read takes a key out of it."""
    machine.revoke(lost_here)
    machine.tool("apply")
    mine(machine).write_text("# found again\n")
    assert machine.tool("apply").returncode == 0
    assert machine.serves() == ["core", "plugin evil", "plugin git"]
    mine(machine).write_text("x\n")
    assert machine.tool("apply").returncode == 1
    assert machine.serves() == ["core", "plugin evil", "plugin git"]


def test_a_user_who_cannot_read_a_list_is_told(machine: Machine, lost_here: Key) -> None:
    machine.revoke(lost_here)
    machine.tool("apply")
    mine(machine).chmod(0o600)
    done = machine.tool("status", user="visitor")
    assert (done.returncode, f"{MINE} cannot be read by this user\n" in done.stdout) == (1, True)
    assert "evil: revoked" in machine.tool("why", "evil", user="visitor").stdout
    assert machine.tool("doctor", "--dry-run").stdout.count(MINE) == 0


def test_a_list_that_others_can_write_acts_when_its_administrator_has_read_it(machine: Machine, lost_here: Key) -> None:
    machine.revoke(lost_here)
    mine(machine).chmod(0o666)
    close = "chown root /etc/fake/keys.d/revoked; chmod go-w,a-st /etc/fake/keys.d/revoked"
    done = machine.tool("doctor")
    assert f"look at what /etc/fake/keys.d/revoked holds: if it is all yours, {close}; else remove it" in done.stdout
    assert machine.serves() == ["core", "plugin evil", "plugin git"]
    subprocess.run(["chroot", machine.root, "sh", "-ec", f"{close}; fake-plugins apply"], check=False)
    assert machine.serves() == ["core", "plugin git"]


def test_nobody_is_called_left_out_who_serves(machine: Machine, lost_here: Key) -> None:
    machine.revoke(lost_here)
    status = machine.tool("status").stdout
    assert "what serves has evil, whose key is revoked" in status
    assert "left out" not in status
    assert json.loads(machine.tool("status", "--json").stdout)["revoked"] == []
    machine.tool("apply")
    assert "left out, as a key is revoked: evil" in machine.tool("status").stdout


def test_it_is_said_why_there_is_no_set_without_it(machine: Machine, lost_here: Key) -> None:
    """Another plugin is refused: nobody knows whether a set without the revoked one would work."""
    machine.revoke(lost_here)
    (machine.plugins / "git/code").write_text("echo changed\n")
    done = machine.tool("apply")
    assert done.returncode == 1
    assert "what serves has evil, whose key is revoked: no set without it was made" in done.stdout
    assert "works" not in done.stdout and "left out" not in machine.tool("status").stdout


def test_a_kit_of_a_revoked_key_is_told_while_it_serves(machine: Machine, lost_here: Key) -> None:
    machine.install_kit({"part": "good\n"})
    assert machine.tool("apply").returncode == 0
    machine.revoke(machine.key)
    assert "what serves has git, the kit, whose key is revoked" in machine.tool("status").stdout
