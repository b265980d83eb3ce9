"""`apply` makes the installed set the working set, or changes nothing."""

from __future__ import annotations

import json
import os
import stat

import pytest

from tests.target.machine import ABI, Key, Machine


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
    assert stat.S_IMODE(any_machine.program.stat().st_mode) == 0o751


def test_a_core_takes_plugins_of_every_abi_that_it_names(any_machine: Machine) -> None:
    other = "cd" * 32
    any_machine.install("git")
    any_machine.install("old", abi=other)
    done = any_machine.tool("apply")
    assert f"plugin old: it was built for another fake (ABI {other}, here {ABI})" in done.stdout
    known = any_machine.share / "abi"
    known.write_text(f"{ABI}\n{'ef' * 32}\n{other}\n")
    done = any_machine.tool("apply")
    assert done.returncode == 0, done.stdout
    assert any_machine.serves() == ["core", "plugin git", "plugin old"]
    assert f"{other[:16]}, that of fake is {ABI[:16]}" in any_machine.tool("why", "old").stdout
    for wrong in (f"{ABI}\n\n{other}\n", f"{ABI}\n{other[:-1]}\n", f"{ABI} {other}\n", ""):
        known.write_text(wrong)
        done = any_machine.tool("apply")
        assert done.returncode == 1
        assert "/usr/share/fake/abi does not hold an ABI" in done.stdout


def test_a_second_apply_does_nothing(any_machine: Machine) -> None:
    any_machine.install("git")
    any_machine.tool("apply")
    before = any_machine.program.stat()
    done = any_machine.tool("apply")
    assert (done.returncode, done.stdout) == (0, "fake-plugins: nothing to do: fake with git 1.0-1\n")
    assert any_machine.program.stat().st_ino == before.st_ino
    assert any_machine.tool("apply", "--quiet").stdout == ""


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


def test_a_link_that_somebody_deleted_is_made_again(machine: Machine) -> None:
    machine.install("git")
    machine.tool("apply")
    machine.program.unlink()
    assert machine.tool("status").returncode == 1
    assert machine.tool("apply").returncode == 0
    assert machine.program.readlink().as_posix() == "serving/fake"
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


@pytest.mark.parametrize("place", ["keys.d/theirs.pub", "plugins.d/disabled"])
def test_a_file_that_root_alone_may_read_leaves_visitors_an_answer(any_machine: Machine, place: str) -> None:
    """As umask 077 of a root who copies a key."""
    file = any_machine.root / "etc/fake" / place
    file.parent.mkdir(exist_ok=True)
    theirs = Key(any_machine.root / "tmp", "theirs")
    any_machine.install("git", key=theirs)
    (any_machine.root / "etc/fake/keys.d/theirs.pub").write_bytes(theirs.public)
    if not file.exists():
        file.write_text("cors\n")
    assert any_machine.tool("apply").returncode == 0
    file.chmod(0o600)
    assert any_machine.tool("status").returncode == 0
    for command in ("status", "verify"):
        done = any_machine.tool(command, user="visitor")
        assert done.returncode == 1
        assert "the files of the plugins cannot be read by this user" in done.stdout
        assert "awk" not in done.stdout
        assert "key" not in done.stdout
        asked = any_machine.tool(command, "--json", user="visitor")
        assert asked.returncode == 1
        assert "call it as root" in json.dumps(json.loads(asked.stdout))
    assert any_machine.tool("list", user="visitor").stdout.split() == ["git", "1.0-1", "unchecked"]


def test_who_cannot_read_what_is_disabled_freezes_nothing(any_machine: Machine) -> None:
    """Another machine would enable it."""
    any_machine.install("git")
    assert any_machine.tool("disable", "git").returncode == 0
    assert "git  # disabled" in any_machine.tool("freeze", user="visitor").stdout
    (any_machine.root / "etc/fake/plugins.d").chmod(0o700)
    done = any_machine.tool("freeze", user="visitor")
    assert (done.returncode, "call it as root" in done.stdout) == (1, True)


def test_help_version_and_wrong_usage(any_machine: Machine) -> None:
    assert any_machine.tool("--version").stdout == "fake-plugins 1.0-1\n"
    assert any_machine.tool("--help").stdout.startswith("usage: fake-plugins ")
    for wrong in ([], ["frob"], ["apply", "git"], ["--frob"], ["list", "--quiet"]):
        assert any_machine.tool(*wrong).returncode == 2


def test_nothing_depends_on_open_descriptors(any_machine: Machine) -> None:
    any_machine.install("git")
    command = " ".join(str(word) for word in any_machine.command("apply"))
    assert os.system(f"{command} <&- >&- 2>&-") == 0  # noqa: S605 - the shell closes the descriptors
    assert any_machine.serves() == ["core", "plugin git"]
    assert os.system(f"{' '.join(map(str, any_machine.command('status')))} | true") == 0  # noqa: S605 - a real pipe


def test_without_an_assemble_step_the_cores_program_stays(plain_machine: Machine) -> None:
    for plugins in ((), ("git",), ("git", "cors")):
        for name in plugins:
            plain_machine.install(name)
        done = plain_machine.tool("apply")
        assert done.returncode == 0, done.stdout
        assert plain_machine.program.stat().st_ino == plain_machine.core.stat().st_ino
        assert plain_machine.leftovers() == []
        assert plain_machine.tool("status").returncode == 0
        assert [line.split()[-1] for line in plain_machine.tool("list").stdout.splitlines()] == ["serving"] * len(
            plugins
        )


def test_a_server_that_opens_files_itself_sees_verified_copies_alone(plain_machine: Machine) -> None:
    def seen() -> dict[str, str]:
        base = plain_machine.bin / "serving/plugins"
        return {str(p.relative_to(base)): p.read_text() for p in base.rglob("*") if p.is_file()}

    plain_machine.install("git", files={"code": "one\n", "deep/er": "two\n"})
    plain_machine.install("empty", files={})
    plain_machine.install("maybe", optional=True)
    assert plain_machine.tool("apply").returncode == 0
    whole = {"git/code": "one\n", "git/deep/er": "two\n", "maybe/code": "echo plugin maybe\n"}
    assert seen() == whole
    place = (plain_machine.bin / "serving/plugins").stat()
    assert (place.st_mode & 0o7777, place.st_uid, place.st_gid) == (0o750, 0, 990)

    (plain_machine.plugins / "git/code").write_text("changed\n")
    plain_machine.install("cors")
    assert plain_machine.tool("apply").returncode == 1
    assert seen() == whole, "what was refused is not there, and nothing else has changed"
    (plain_machine.plugins / "git/code").write_text("one\n")
    (plain_machine.plugins / "maybe/code").write_text("changed\n")
    assert plain_machine.tool("apply").returncode == 0
    assert set(seen()) == {"git/code", "git/deep/er", "cors/code"}, "only an optional plugin may be left out"

    (plain_machine.bin / "serving/plugins/git/code").write_text("changed later\n")
    assert plain_machine.tool("status").returncode == 1
    assert plain_machine.tool("apply").returncode == 0
    assert seen()["git/code"] == "one\n"


def test_a_driver_writes_what_its_server_reads_beside_the_plugins(arranged_machine: Machine) -> None:
    listed = arranged_machine.bin / "serving/loader/list"
    assert arranged_machine.tool("apply").returncode == 0
    assert listed.read_text() == "", "a server may ask for the list although there is no plugin"
    arranged_machine.install("git")
    arranged_machine.install("auth", order=7)
    assert arranged_machine.tool("apply").returncode == 0
    place = "load /usr/lib/fake/bin/serving/plugins"
    both = f"{place}/auth/code\n{place}/git/code\n"
    assert listed.read_text() == both

    arranged_machine.install("bad", files={"unloadable": ""})
    done = arranged_machine.tool("apply")
    assert done.returncode == 1
    assert "arranging the plugins of fake failed: nobody can load bad" in done.stdout
    assert listed.read_text() == both
    arranged_machine.remove("bad")

    listed.write_text("load /tmp/evil\n")
    assert arranged_machine.tool("status").returncode == 1
    assert arranged_machine.tool("apply").returncode == 0
    assert listed.read_text() == both
    assert arranged_machine.leftovers() == []


def test_a_kit_is_verified_when_a_plugin_needs_it(machine: Machine) -> None:
    archive = machine.root / "usr/lib/fake/kit/pkg/fmt.a"
    machine.install_kit({"pkg/fmt.a": "archive"})
    machine.install("git")
    assert machine.tool("apply").returncode == 0
    archive.write_text("changed")
    done = machine.tool("apply")
    assert done.returncode == 1
    assert "kit: /usr/lib/fake/kit/pkg/fmt.a is not what its manifest says" in done.stdout
    assert "apt-get install --reinstall fake-plugin-kit" in done.stdout
    assert machine.serves() == ["core", "plugin git"]
    machine.remove("git")
    assert machine.tool("apply").returncode == 0, "without a plugin nobody needs the kit"
    assert machine.tool("verify").returncode == 1
