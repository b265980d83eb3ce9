"""`apply` makes the installed set the working set, or changes nothing."""

from __future__ import annotations

import os
import stat

from tests.target.machine import Machine


def test_without_plugins_the_core_itself_serves(any_machine: Machine) -> None:
    done = any_machine.tool("apply")
    assert done.returncode == 0, done.stdout
    assert done.stdout == "fake-plugins: fake has no plugins\n"
    assert any_machine.program.stat().st_ino == any_machine.core.stat().st_ino
    assert any_machine.serves() == ["core"]


def test_plugins_come_in_by_order_then_name(any_machine: Machine) -> None:
    any_machine.install("zeta", order=10)
    any_machine.install("beta")
    any_machine.install("alpha", version="2:1.1-3")
    done = any_machine.tool("apply")
    assert done.returncode == 0, done.stdout
    assert done.stdout == "fake-plugins: verified and put into fake: zeta 1.0-1, alpha 2:1.1-3, beta 1.0-1\n"
    assert any_machine.serves() == ["core", "plugin zeta", "plugin alpha", "plugin beta"]
    assert any_machine.leftovers() == []
    assert stat.S_IMODE(any_machine.program.stat().st_mode) == 0o755


def test_a_second_apply_does_nothing(any_machine: Machine) -> None:
    any_machine.install("git")
    any_machine.tool("apply")
    before = any_machine.program.stat()
    done = any_machine.tool("apply")
    assert (done.returncode, done.stdout) == (0, "fake-plugins: nothing to do: fake with git 1.0-1\n")
    assert any_machine.program.stat().st_ino == before.st_ino


def test_the_last_plugin_leaves_and_the_plain_core_is_back(any_machine: Machine) -> None:
    any_machine.install("git")
    any_machine.tool("apply")
    any_machine.remove("git")
    assert any_machine.tool("apply").returncode == 0
    assert any_machine.program.stat().st_ino == any_machine.core.stat().st_ino


def test_a_program_that_somebody_replaced_is_made_again(machine: Machine) -> None:
    machine.install("git")
    machine.tool("apply")
    machine.program.write_text("#!/bin/sh\n")
    assert machine.tool("status").returncode == 1
    assert machine.tool("apply").returncode == 0
    assert machine.serves() == ["core", "plugin git"]


def test_a_new_core_makes_a_new_program(machine: Machine) -> None:
    machine.install("git")
    machine.tool("apply")
    machine.core.unlink()
    machine.core.write_text("#!/bin/sh\necho newer core\n")
    machine.core.chmod(0o755)
    assert machine.tool("apply").returncode == 0
    assert machine.serves() == ["newer core", "plugin git"]


def test_only_root_applies(machine: Machine) -> None:
    done = machine.tool("apply", user="visitor")
    assert done.returncode == 1
    assert "must be called by root" in done.stdout


def test_list_and_status_tell_what_serves(any_machine: Machine) -> None:
    any_machine.install("git")
    any_machine.tool("apply")
    any_machine.install("cors", version="1.2-1")
    rows = [line.split() for line in any_machine.tool("list").stdout.splitlines()]
    assert rows == [["cors", "1.2-1", "waiting"], ["git", "1.0-1", "serving"]]
    status = any_machine.tool("status")
    assert status.returncode == 1
    assert "what is installed is not what serves" in status.stdout
    any_machine.tool("apply")
    status = any_machine.tool("status")
    assert status.returncode == 0, status.stdout
    assert "fake with cors 1.2-1, git 1.0-1" in status.stdout
    assert any_machine.tool("verify").returncode == 0


def test_a_visitor_sees_versions_and_is_told_what_he_cannot_check(machine: Machine) -> None:
    machine.install("git")
    machine.tool("apply")
    assert machine.tool("list", user="visitor").stdout.split() == ["git", "1.0-1", "unchecked"]
    for command in ("status", "verify"):
        done = machine.tool(command, user="visitor")
        assert done.returncode == 1
        assert "cannot be read by this user" in done.stdout
        assert "refused" not in done.stdout


def test_help_version_and_wrong_usage(any_machine: Machine) -> None:
    assert any_machine.tool("--version").stdout == "fake-plugins 1.0-1\n"
    assert any_machine.tool("--help").stdout.startswith("usage: fake-plugins ")
    for wrong in ([], ["frob"], ["apply", "git"], ["--frob"]):
        assert any_machine.tool(*wrong).returncode == 2


def test_nothing_depends_on_open_descriptors(any_machine: Machine) -> None:
    any_machine.install("git")
    command = " ".join(str(word) for word in any_machine.command("apply"))
    assert os.system(f"{command} <&- >&- 2>&-") == 0  # noqa: S605 - the shell closes the descriptors
    assert any_machine.serves() == ["core", "plugin git"]
    assert os.system(f"{' '.join(map(str, any_machine.command('status')))} | true") == 0  # noqa: S605
