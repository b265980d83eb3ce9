"""Root changes nothing through a link of somebody else's, however fast the links change."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from packaging_tool.package.templates import render
from packaging_tool.target import runtime
from tests.target.machine import Machine, spec

MALLORY = 991
FILES = {"code": "echo plugin git\n", "d/f": "x", "d/sub/other": "y"}


def swap(machine: Machine, after: float) -> None:
    """As the owner of d put a link to a program in the place of d/f, and one to a directory in that of d/sub.

    after: seconds to wait first.
    """
    os.chdir(machine.plugins / "git/d")
    os.setgroups([])
    os.setgid(MALLORY)
    os.setuid(MALLORY)
    Path("new").symlink_to("/usr/bin/victim")
    Path("link").symlink_to("/var/lib")
    time.sleep(after)
    Path("new").rename("f")
    Path("sub").rename("old")
    Path("link").rename("sub")


@contextmanager
def swapping(machine: Machine, after: float) -> Iterator[None]:
    child = os.fork()
    if child == 0:
        with suppress(OSError):
            swap(machine, after)
        os._exit(0)
    try:
        yield
    finally:
        os.waitpid(child, 0)


@pytest.fixture
def victim(machine: Machine) -> Path:
    """A setuid program of root's, and a directory of somebody else's."""
    machine.install("git", files=FILES)
    assert machine.tool("apply").returncode == 0
    victim = machine.root / "usr/bin/victim"
    victim.write_text("su\n")
    victim.chmod(0o4755)
    (machine.root / "var/lib/other").mkdir()
    os.chown(machine.root / "var/lib/other", 990, 990)
    return victim


def give_away(machine: Machine) -> None:
    for path in (machine.plugins / "git/d", *(machine.plugins / "git/d").rglob("*")):
        os.lchown(path, MALLORY, MALLORY)


def untouched(machine: Machine, victim: Path) -> bool:
    info, other = victim.stat(), (machine.root / "var/lib/other").stat()
    return (info.st_mode, info.st_uid) == (stat.S_IFREG | 0o4755, 0) and (other.st_uid, other.st_gid) == (990, 990)


def test_doctor_follows_no_link_that_comes_in_between(machine: Machine, victim: Path, share: slice) -> None:
    for step in range(20)[share]:
        shutil.rmtree(machine.plugins / "git/d")
        machine.install("git", files=FILES)
        give_away(machine)
        with swapping(machine, step * 0.02):
            machine.tool("doctor")
        assert untouched(machine, victim), step


def test_doctor_does_not_touch_what_a_second_hard_link_leads_to(machine: Machine, victim: Path) -> None:
    """The kernel may forbid such a link, or may not (fs.protected_hardlinks)."""
    file = machine.plugins / "git/d/f"
    file.unlink()
    os.link(victim, file)
    os.chown(machine.plugins / "git/d", MALLORY, MALLORY)
    done = machine.tool("doctor")
    assert done.returncode == 1
    assert untouched(machine, victim)
    assert "/usr/lib/fake/plugins/git/d/f has another hard link" in done.stdout


def test_a_second_hard_link_of_what_is_roots_is_no_fault(any_machine: Machine) -> None:
    """As in an ostree checkout or a snapshot by `cp -al`: who may not write to a file may not by its other name."""
    any_machine.install("git")
    assert any_machine.tool("apply").returncode == 0
    for name in ("etc/fake", "usr/lib/fake", "usr/share/fake"):
        snapshot = any_machine.root / "snapshot" / name
        snapshot.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-al", any_machine.root / name, snapshot], check=True)
    any_machine.install("cors")
    code = any_machine.plugins / "cors/code"
    os.link(code, any_machine.root / "snapshot/code")
    assert any_machine.tool("apply").returncode == 0
    assert any_machine.serves() == ["core", "plugin cors", "plugin git"]
    for question in ("status", "verify", "doctor"):
        done = any_machine.tool(question)
        assert done.returncode == 0, done.stdout
    os.chown(code, MALLORY, MALLORY)
    assert "cors/code does not belong to root" in any_machine.tool("verify").stdout


def test_doctor_takes_back_a_whole_tree(machine: Machine, victim: Path) -> None:
    give_away(machine)
    (machine.plugins / "git/d/sub").chmod(0o777)
    done = machine.tool("doctor")
    assert done.returncode == 0, done.stdout
    assert {path.stat().st_uid for path in (machine.plugins / "git").rglob("*")} == {0}


@pytest.mark.parametrize("command", ["apply", "doctor", "apply --boot", "disable git"])
def test_nothing_is_removed_or_written_where_others_can_turn_the_way(
    machine: Machine, victim: Path, command: str
) -> None:
    """Who owns a directory above may have put a link to another one in its place."""
    home = machine.root / "home/sets/jo"
    home.mkdir(parents=True)
    (machine.root / "home/.apply.x").mkdir()
    (machine.bin).rename(machine.root / "tmp/bin")
    machine.bin.symlink_to("/home")
    os.chown(machine.bin.parent, MALLORY, MALLORY)
    done = machine.tool(*command.split())
    assert done.returncode == 1
    assert home.is_dir() and (machine.root / "home/.apply.x").is_dir()
    assert sorted(path.name for path in (machine.root / "home").iterdir()) == [".apply.x", "sets"]


def test_list_of_disabled_plugins_is_not_written_through_a_link(machine: Machine, victim: Path) -> None:
    directory = machine.root / "etc/fake/plugins.d"
    os.chown(directory, MALLORY, MALLORY)
    (directory / "disabled.new").symlink_to("/usr/bin/victim")
    done = machine.tool("disable", "git")
    assert (done.returncode, "/etc/fake/plugins.d does not belong to root" in done.stdout) == (1, True), done.stdout
    assert victim.read_text() == "su\n"


def call(machine: Machine, script: str, *words: str, config: str = "/etc/fake") -> None:
    """Call a maintainer script as the package manager does."""
    place = replace(runtime.lifecycle(spec()), config_directory=config)
    text = render(script, l=place, helped=(), gone=())
    (machine.root / "script").write_text(text)
    done = subprocess.run(["chroot", machine.root, "dash", "/script", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_purge_leaves_the_files_of_others_in_a_shared_directory(machine: Machine) -> None:
    directory = machine.root / "etc/nginx"
    for name in ("keys.d/mine.pub", "plugins.d/disabled", "plugins.conf", "nginx.conf", "conf.d/site"):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).touch()
    call(machine, "deb/postrm.j2", "purge", config="/etc/nginx")
    assert sorted(path.name for path in directory.iterdir()) == ["conf.d", "nginx.conf"]
    (directory / "nginx.conf").unlink()
    (directory / "conf.d/site").unlink()
    (directory / "conf.d").rmdir()
    call(machine, "deb/postrm.j2", "purge", config="/etc/nginx")
    assert not directory.exists()
    call(machine, "deb/postrm.j2", "purge")
    assert not (machine.root / "etc/fake").exists()


@pytest.mark.parametrize("config", ["/etc/fake", "/etc/nginx"])
def test_purge_leaves_what_is_mounted_in_the_configuration(machine: Machine, config: str) -> None:
    """A store of certificates that several machines share, for example."""
    shared = machine.root / config.lstrip("/") / "keys.d/shared"
    shared.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", shared], check=False).returncode != 0:
        pytest.skip("this machine mounts no tmpfs")
    try:
        (shared / "site.pem").touch()
        (shared.parent / "mine.pub").touch()
        call(machine, "deb/postrm.j2", "purge", config=config)
        assert [path.name for path in shared.parent.iterdir()] == ["shared"]
        assert [path.name for path in shared.iterdir()] == ["site.pem"]
    finally:
        subprocess.run(["umount", shared], check=True)
    call(machine, "deb/postrm.j2", "purge", config=config)
    assert not (machine.root / config.lstrip("/")).exists()


@pytest.mark.parametrize("owner", [0, MALLORY])
@pytest.mark.parametrize(
    ("script", "word"), [("deb/prerm.j2", "remove"), ("deb/postrm.j2", "purge"), ("rpm/preun.j2", "0")]
)
def test_no_script_removes_through_a_link(machine: Machine, script: str, word: str, owner: int) -> None:
    """What apply made lies below a directory that somebody turned elsewhere; so does the configuration."""
    assert machine.tool("apply").returncode == 0
    home = machine.root / "home"
    for name in ("sets/jo", "serving", ".apply.x", "keys.d", "plugins.d"):
        (home / name).mkdir(parents=True)
    (machine.root / "etc/shared").mkdir()
    (machine.root / "etc/shared/fake").symlink_to("/home")
    os.chown(machine.root / "etc/shared", owner, owner)
    machine.bin.rename(machine.root / "tmp/bin")
    machine.bin.symlink_to("/home")
    os.chown(machine.bin.parent, owner, owner)
    call(machine, script, word, config="/etc/shared/fake")
    assert {path.name for path in home.iterdir()} == {"sets", "serving", ".apply.x", "keys.d", "plugins.d"}


def test_scripts_take_away_what_apply_made(machine: Machine) -> None:
    for script, word in (("deb/prerm.j2", "remove"), ("rpm/preun.j2", "0")):
        assert machine.tool("apply").returncode == 0
        assert (machine.bin / "sets").is_dir()
        call(machine, script, word)
        assert {path.name for path in machine.bin.iterdir()} == {"fake", "fake-core", "working-set"}
