"""A revoked key's plugins leave at the next apply, and nothing waits for them; a key's end takes nothing out."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from packaging_tool.target import runtime
from tests.target.conftest import serve_evil
from tests.target.machine import Key, Machine

NEWER = "#!/bin/sh\ncase ${1-} in version) ;; *) exit 64 ;; esac\necho newer core\n"


@pytest.fixture
def lost(machine: Machine) -> Key:
    """A key whose plugin `evil` serves beside `git`; the key is in the administrator's directory."""
    return serve_evil(machine)


def by_core(machine: Machine, key: Key) -> None:
    """As the next version of the core's package: without the key, with its id in the list."""
    (machine.root / "etc/fake/keys.d/lost.pub").unlink()
    machine.trust("revoked", f"{key.id.hex()}\n".encode())


def by_administrator(machine: Machine, key: Key) -> None:
    machine.revoke(key)


@pytest.mark.parametrize("revoke", [by_core, by_administrator])
def test_plugin_of_a_revoked_key_leaves_and_the_core_does_not_wait(machine: Machine, lost: Key, revoke: object) -> None:
    assert callable(revoke)
    revoke(machine, lost)
    machine.core.write_text(NEWER)
    done = machine.tool("apply")
    assert machine.serves() == ["newer core", "plugin git"]
    assert done.returncode == 1
    reason = f"its manifest is signed by the key {lost.id.hex()}, which is revoked"
    assert done.stdout.splitlines() == [
        f"fake-plugins: plugin evil: {reason}",
        "fake-plugins:   repair: fake-plugins disable evil",
        f"fake-plugins: left out: the plugin evil: {reason}",
        "fake-plugins: verified and put into fake: git 1.0-1",
    ]
    assert not machine.failed_set.exists()
    assert machine.leftovers() == []
    # It stays so, and every apply says so.
    again = machine.tool("apply", "--quiet")
    assert (again.returncode, reason in again.stdout) == (1, True)
    assert machine.tool("apply", "--boot").returncode == 1


def test_everybody_is_told(machine: Machine, lost: Key) -> None:
    machine.revoke(lost)
    machine.tool("apply")
    status = machine.tool("status")
    assert status.returncode == 1
    assert "left out, as a key is revoked: evil" in status.stdout
    assert re.search(r"^evil +1.0-1 +revoked$", machine.tool("list").stdout, re.MULTILINE)
    assert "evil: revoked: its key is revoked" in machine.tool("why", "evil").stdout
    told = json.loads(machine.tool("status", "--json").stdout)
    assert (told["good"], told["revoked"], told["left_out"]) == (False, ["evil"], [])
    plugins = json.loads(machine.tool("list", "--json").stdout)["plugins"]
    assert [(plugin["name"], plugin["state"]) for plugin in plugins] == [("evil", "revoked"), ("git", "serving")]
    assert "revoked" in runtime.EVENTS and len(set(runtime.EVENTS.values())) == len(runtime.EVENTS)
    doctor = machine.tool("doctor")
    assert (doctor.returncode, "the repair failed" in doctor.stdout) == (1, False), doctor.stdout
    assert "  repair: fake-plugins disable evil" in doctor.stdout


@pytest.mark.parametrize("needing", [False, True])
def test_the_repair_works_to_the_letter(machine: Machine, lost: Key, needing: bool) -> None:
    if needing:
        machine.install("needy", needs=["evil"])
        machine.install("needier", needs=["needy"])
        assert machine.tool("apply").returncode == 0
    machine.revoke(lost)
    done = machine.tool("apply")
    assert machine.serves() == ["core", "plugin git"]
    assert len(re.findall("left out: the plugin ", done.stdout)) == (3 if needing else 1)
    if needing:
        assert "plugin needy: it needs the plugin evil, whose key is revoked" in done.stdout
    repairs = {line.partition("repair: ")[2] for line in done.stdout.splitlines() if "repair: " in line}
    assert len(repairs) == 1
    shell: list[str | Path] = ["chroot", machine.root, "dash", "-c", repairs.pop()]
    assert subprocess.run(shell, capture_output=True, check=False).returncode == 0
    assert machine.tool("status").returncode == 0
    assert machine.serves() == ["core", "plugin git"]


def test_doctor_takes_it_out_where_nobody_called_apply(machine: Machine, lost: Key) -> None:
    machine.revoke(lost)
    assert "what serves has evil, whose key is revoked" in machine.tool("status").stdout
    done = machine.tool("doctor")
    assert machine.serves() == ["core", "plugin git"]
    assert "the repair failed" not in done.stdout


@pytest.mark.parametrize("wrong", ["link", "parse", "owner"])
def test_nothing_that_is_wrong_with_it_keeps_it_in_the_server(machine: Machine, lost: Key, wrong: str) -> None:
    """Its maker could make it so, to be refused instead of left out."""
    machine.revoke(lost)
    code = machine.plugins / "evil/code"
    match wrong:
        case "link":
            code.unlink()
            code.symlink_to("/etc/passwd")
        case "parse":
            machine.write_manifest("evil", "no manifest\n", lost)
        case "owner":
            code.chmod(0o666)
    done = machine.tool("apply")
    assert machine.serves() == ["core", "plugin git"], done.stdout
    assert "left out: the plugin evil" in done.stdout


def test_where_the_server_does_not_run_without_it_that_is_said(machine: Machine, lost: Key) -> None:
    """As a configuration that names it would do: what serves goes on, and is called by its name."""
    machine.core.write_text(NEWER + "grep -q 'plugin [e]vil' \"$0\" || { echo 'no evil, no server'; exit 3; }\n")
    assert machine.tool("apply").returncode == 0
    machine.revoke(lost)
    done = machine.tool("apply")
    assert done.returncode == 1
    assert "no evil, no server" in done.stdout
    assert "what serves has evil, whose key is revoked: the set without it was tried and does not work" in done.stdout
    assert "until then systemctl stop fake.service if its code must not run" in done.stdout
    assert machine.serves() == ["newer core", "plugin evil", "plugin git"]
    assert "what serves has evil, whose key is revoked" in machine.tool("status").stdout


def test_with_the_kit_goes_all_that_is_made_of_it(machine: Machine, lost: Key) -> None:
    machine.install_kit({"part": "good\n"})
    machine.revoke(machine.key)
    machine.core.write_text(NEWER)
    done = machine.tool("apply")
    assert machine.serves() == ["newer core"]
    assert "plugin evil: it needs the kit, whose key is revoked" in done.stdout
    assert "kit: its manifest is signed by the key" in done.stdout
    assert done.returncode == 1
    assert machine.tool("disable", "evil", "git").returncode == 0


def test_an_unknown_key_stops_the_set_as_before(machine: Machine, lost: Key) -> None:
    """Only who revokes wants a server without the plugin: it may be the one that asks for passwords."""
    (machine.root / "etc/fake/keys.d/lost.pub").unlink()
    done = machine.tool("apply")
    assert done.returncode == 1
    assert machine.serves() == ["core", "plugin evil", "plugin git"]


def expire(machine: Machine, key: Key) -> None:
    text = key.public.decode().splitlines()
    (machine.root / "etc/fake/keys.d/lost.pub").write_text(f"untrusted comment: lost, expires 2020-02-29\n{text[1]}\n")


def test_the_end_of_a_key_takes_nothing_out_and_lets_nothing_in(machine: Machine, lost: Key) -> None:
    expire(machine, lost)
    machine.core.write_text(NEWER)
    done = machine.tool("apply")
    assert done.returncode == 0, done.stdout
    assert machine.serves() == ["newer core", "plugin evil", "plugin git"]
    assert machine.tool("status").returncode == 0
    machine.install("evil", version="2.0-1", key=lost)
    done = machine.tool("apply")
    assert (done.returncode, "which expired on 2020-02-29" in done.stdout) == (1, True)
    machine.install("evil", key=lost)
    machine.install("other", key=lost)
    assert "which expired on 2020-02-29" in machine.tool("apply").stdout


def test_the_end_of_a_key_does_not_help_a_forger(machine: Machine, lost: Key) -> None:
    """A name in the record of the set is not enough: the manifest is the same, and its signature fits."""
    expire(machine, lost)
    signature = machine.manifest("evil").with_suffix(".manifest.sig")
    before = signature.read_bytes()
    machine.install("evil", key=lost, files={"code": "echo other\n"})
    assert machine.tool("apply").returncode == 1
    machine.install("evil", key=lost)
    assert signature.read_bytes() == before
    assert machine.tool("apply").returncode == 0


def test_a_set_says_by_which_keys_it_is(machine: Machine, lost: Key) -> None:
    lines = [line.split() for line in machine.working_set.read_text().splitlines() if line.startswith("signed ")]
    assert [(name, key) for _, name, key, _ in lines] == [("evil", lost.id.hex()), ("git", machine.key.id.hex())]


def test_hook_lets_it_go(machine: Machine, lost: Key, tmp_path: Path) -> None:
    """apt removes it for a core of another ABI: nobody wants it kept."""
    machine.revoke(lost)
    machine.tool("apply")
    words = "VERSION 3\nAPT::Architecture=amd64\n\n"
    words += "fake 1.0-1 amd64 none < 2.0-1 amd64 none /var/cache/fake.deb\n"
    words += "fake-plugin-evil 1.0-1 all none > - - none **REMOVE**\n"
    done = subprocess.run(machine.command("hook"), input=words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run(machine.command("hook"), input=words.replace("evil", "git"), capture_output=True, text=True)
    assert done.returncode == 10
