"""What sync changes of the list of disabled plugins, and what it reads; where people ask, and where an answer goes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.target.conftest import with_proc
from tests.target.machine import Machine
from tests.target.test_hook import program
from tests.target.test_manage import disabled_file, says
from tests.target.test_repairs import without_plugin

LIST = "/etc/fake/plugins.d/disabled"
# auth leaves, so apt is asked; cors, which is disabled, is wanted, and git is to be disabled.
WISHES = "cors\ngit  # disabled\n"


@pytest.fixture
def shop(any_machine: Machine) -> Machine:
    """A machine that serves with auth and git, while cors is disabled."""
    for name in ("auth", "cors", "git"):
        any_machine.install(name)
    says(any_machine, "disable", "cors")
    (any_machine.root / "wishes").write_text(WISHES)
    assert any_machine.serves() == ["core", "plugin auth", "plugin git"]
    return any_machine


def sync(machine: Machine, transaction: str) -> subprocess.CompletedProcess[str]:
    """Call sync. transaction: shell that runs in the place of apt-get; `other` is the target tool in another shell."""
    tool = f"{' '.join(machine.shell)} /usr/bin/fake-plugins"
    calls = f'tool() {{ {tool} "$@"; }}\nother() {{ env -i {tool} "$@"; }}'
    program(machine, "apt-get", f"case $1 in --simulate) exit 0 ;; esac\n{calls}\n{transaction}")
    with with_proc(machine):
        return machine.tool("sync", "/wishes", "--yes")


# What apt-get does when somebody agrees: auth goes, and dpkg's trigger calls apply.
AGREED = f"{without_plugin('auth')}\ntool apply --quiet\nfake version >/served\ncat {LIST} >/listed"


def test_what_sync_disables_never_starts_and_what_it_enables_starts_with_its_transaction(shop: Machine) -> None:
    done = sync(shop, f"cat {LIST} >/before\n{AGREED}")
    assert done.returncode == 0, done.stdout
    assert (shop.root / "before").read_text() == "cors\n", "nothing is written before it is agreed"
    assert (shop.root / "served").read_text() == "core\nplugin cors\n", "the apply of the transaction has all"
    assert (shop.root / "listed").read_text() == disabled_file(shop) == "git\n"
    assert shop.serves() == ["core", "plugin cors"]


def test_what_the_transaction_did_not_apply_is_applied_after_it(shop: Machine) -> None:
    done = sync(shop, without_plugin("auth"))
    assert done.returncode == 0, done.stdout
    assert (disabled_file(shop), shop.serves()) == ("git\n", ["core", "plugin cors"])


def test_a_refused_sync_leaves_what_another_shell_did_meanwhile(shop: Machine) -> None:
    """As after n, or when another apt has dpkg's lock."""
    done = sync(shop, "other enable cors\nexit 1")
    assert done.returncode == 1
    assert "apt has failed, see above" in done.stdout
    assert (disabled_file(shop), shop.serves()) == ("", ["core", "plugin auth", "plugin cors", "plugin git"])


def test_an_agreed_sync_leaves_what_another_shell_did_meanwhile(shop: Machine) -> None:
    shop.install("more")
    with (shop.root / "wishes").open("a") as wishes:
        wishes.write("more\n")
    done = sync(shop, f"other disable more\n{AGREED}")
    assert done.returncode == 0, done.stdout
    assert (disabled_file(shop), shop.serves()) == ("git\nmore\n", ["core", "plugin cors"])


def test_what_another_shell_says_after_the_apply_of_the_transaction_counts(shop: Machine) -> None:
    """It waited for that apply, and the package manager has something to do yet, or calls apply once more."""
    done = sync(shop, f"{AGREED}\nother enable git\ntool apply --quiet")
    assert done.returncode == 0, done.stdout
    assert (disabled_file(shop), shop.serves()) == ("", ["core", "plugin cors", "plugin git"])


@pytest.mark.parametrize("signal", ["INT", "HUP", "TERM", "KILL"])
def test_a_sync_that_is_ended_at_the_question_has_changed_nothing(shop: Machine, signal: str) -> None:
    done = sync(shop, f"kill -{signal} $PPID\nexit 1")
    assert done.returncode != 0
    assert disabled_file(shop) == "cors\n"
    says(shop, "apply")
    assert shop.serves() == ["core", "plugin auth", "plugin git"]


def test_a_process_that_outlives_a_sync_changes_nothing_by_its_word(serving: Machine) -> None:
    """A daemon that a maintainer script started has the script's environment."""
    for word in (f"fake {os.getpid()}-1 -git", "other 0 -git", "fake", "*"):
        done = subprocess.run(
            serving.command("apply"), env={**os.environ, "MKPKGS_SYNC": word}, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert (disabled_file(serving), serving.serves()) == ("", ["core", "plugin git"])


@pytest.mark.parametrize("place", ["-", "/dev/stdin", "/dev/fd/0"])
def test_all_names_of_the_standard_input_are_read(serving: Machine, place: str) -> None:
    command = serving.command("sync", place, "--dry-run")
    for wanted, status in (("git\n", 0), ("git # disabled\n", 3), ("", 2)):
        done = subprocess.run(command, input=wanted, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr


def test_a_file_is_found_from_where_it_is_named(serving: Machine) -> None:
    (serving.root / "lists").mkdir()
    (serving.root / "lists/mine").write_text("git # disabled\n")
    _, _, root, *tool = serving.command("sync", "mine", "--dry-run")
    there = f"cd /lists && {' '.join(str(word) for word in tool)}"
    done = subprocess.run(["chroot", root, "sh", "-c", there], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "fake-plugins: would disable git\n")
    gone = f"mkdir /gone && cd /gone && rmdir /gone && {' '.join(str(word) for word in tool)}"
    done = subprocess.run(["chroot", root, "sh", "-c", gone], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "cannot read mine" in done.stderr


QUESTIONS = ("status --json", "list --json", "verify --json", "why git --json", "apply --dry-run", "doctor --dry-run")


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_visitor_is_answered_in_a_directory_that_is_closed_to_him(any_machine: Machine, question: str) -> None:
    any_machine.install("git")
    says(any_machine, "apply")
    (any_machine.root / "root").mkdir(mode=0o700)
    shell = " ".join(any_machine.shell)
    visitor = f"setpriv --reuid=991 --regid=991 --clear-groups {shell} /usr/bin/fake-plugins {question}"
    answers = [
        subprocess.run(
            ["chroot", any_machine.root, "sh", "-c", f"cd {place} && {visitor}"],
            capture_output=True,
            text=True,
            check=False,
        )
        for place in ("/", "/root")
    ]
    first, second = ((one.returncode, one.stdout, one.stderr) for one in answers)
    assert first == second


FULL = ("list", "list --json", "status --json", "verify --json", "why git --json", "freeze")


@pytest.mark.parametrize("question", FULL)
def test_an_answer_that_finds_no_room_is_no_good_one(any_machine: Machine, question: str) -> None:
    any_machine.install("git")
    says(any_machine, "apply")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            any_machine.command(*question.split()), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == "fake-plugins: the answer could not be written: tr: write error: No space left on device\n", (
        done.stderr
    )
    # A reader that has seen enough is none of our business.
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(
            any_machine.command(*question.split()), stdout=pipe, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")
