"""Nothing unverified is used: each way to tamper has a reason of its own, and the old program goes on serving."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from packaging_tool.drivers.base import Target
from tests.target.conftest import SHELLS, machine_of, with_proc
from tests.target.machine import ABI, ASSEMBLE, Key, Machine

Tamper = Callable[[Machine], object]


def edit(machine: Machine, name: str, old: str, new: str) -> None:
    """Change a manifest and sign the change with the trusted key: so only the syntax or the facts are wrong."""
    text = machine.manifest(name).read_text()
    assert old in text
    machine.write_manifest(name, text.replace(old, new, 1))


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def code(machine: Machine, name: str = "git") -> Path:
    return machine.plugins / name / "code"


def swap_for_link(machine: Machine) -> None:
    code(machine).rename(machine.root / "tmp/code")
    code(machine).symlink_to("../../../../../tmp/code")


def swap_directory_for_link(machine: Machine) -> None:
    (machine.plugins / "git").rename(machine.root / "tmp/git")
    (machine.plugins / "git").symlink_to("../../../../tmp/git")


def other_signature(machine: Machine) -> None:
    """A signature of another manifest by the same key."""
    machine.install("other", order=60)
    (machine.share / "plugins/other.manifest.sig").rename(machine.share / "plugins/git.manifest.sig")
    machine.key.sign(machine.manifest("other"))


def forge_key_id(machine: Machine) -> None:
    """Sign with a key of ours, and put the id of the trusted key into the signature."""
    stranger = Key(machine.root / "tmp", "stranger")
    stranger.sign(machine.manifest("git"))
    path = machine.manifest("git").with_suffix(".manifest.sig")
    blob = base64.b64decode(path.read_text().splitlines()[1])
    forged = base64.b64encode(blob[:2] + machine.key.id + blob[10:]).decode()
    path.write_text(f"untrusted comment: forged\n{forged}\n")


def unknown_algorithm(machine: Machine) -> None:
    path = machine.manifest("git").with_suffix(".manifest.sig")
    blob = base64.b64decode(path.read_text().splitlines()[1])
    path.write_text(f"untrusted comment: x\n{base64.b64encode(b'Xx' + blob[2:]).decode()}\n")


def stranger(machine: Machine) -> None:
    machine.install("git", key=Key(machine.root / "tmp", "stranger"))


def swap_plugins(machine: Machine) -> None:
    """Manifest, signature and files of another plugin under this name."""
    machine.install("other")
    for suffix in ("", ".sig"):
        (machine.share / f"plugins/other.manifest{suffix}").rename(machine.share / f"plugins/git.manifest{suffix}")
    code(machine).unlink()
    (machine.plugins / "other/code").rename(code(machine))
    (machine.plugins / "other").rmdir()


def key_for_others(machine: Machine) -> None:
    (machine.root / "etc/fake/keys.d/mine.pub").write_bytes(machine.key.public)
    (machine.root / "etc/fake").chmod(0o777)


def special(machine: Machine) -> None:
    os.mkfifo(machine.plugins / "git/pipe")


def pipe_for_file(machine: Machine) -> None:
    """Whoever opened it would wait for ever."""
    code(machine).unlink()
    os.mkfifo(code(machine))


def device(machine: Machine) -> None:
    os.mknod(machine.plugins / "git/null", 0o020644, os.makedev(1, 3))


def stray(machine: Machine) -> None:
    (machine.plugins / "git/extra").write_text("x")


def alien(machine: Machine) -> None:
    (machine.plugins / "alien").mkdir()
    (machine.plugins / "alien/code").write_text("echo alien\n")


def huge_manifest(machine: Machine) -> None:
    machine.write_manifest("git", machine.manifest("git").read_text() + "file x\n" * 100_000)


SHA = hashlib.sha256(b"").hexdigest()

TAMPERED: dict[str, tuple[Tamper, str]] = {
    "a flipped bit in a file": (lambda m: flip(code(m), 3), "git/code is not what its manifest says: it was changed"),
    "a truncated file": (lambda m: code(m).write_text("echo"), "git/code is not what its manifest says"),
    "an empty file": (lambda m: code(m).write_text(""), "git/code is not what its manifest says"),
    "a missing file": (lambda m: code(m).unlink(), "git/code is missing"),
    "a stray file": (stray, "git/extra is not in its manifest"),
    "a plugin without a manifest": (alien, "no manifest names /usr/lib/fake/plugins/alien/code"),
    "a name with a newline": (
        lambda m: (m.plugins / "git/a\nb").write_text(""),
        "characters that no name there can have",
    ),
    "a name that is not ASCII": (lambda m: (m.plugins / "git/ä").write_text(""), "git/?? is not in its manifest"),
    "a key's name that is not ASCII": (
        lambda m: (m.share / "keys/ä.pub").write_text(""),
        "a name in /usr/share/fake/keys has characters that no name there can have",
    ),
    "a symbolic link": (swap_for_link, "git/code is a symbolic link"),
    "a link for a directory": (swap_directory_for_link, "plugins/git is a symbolic link"),
    "a pipe": (special, "git/pipe is neither a file nor a directory"),
    "a pipe in place of a file": (pipe_for_file, "git/code is neither a file nor a directory"),
    "a device": (device, "git/null is neither a file nor a directory"),
    "setuid": (lambda m: code(m).chmod(0o4755), "git/code is setuid, setgid or sticky"),
    "a file for others to write": (lambda m: code(m).chmod(0o646), "git/code can be written by others than root"),
    "a file for a group to write": (lambda m: code(m).chmod(0o664), "git/code can be written by others than root"),
    "a directory for others to write": (
        lambda m: (m.plugins / "git").chmod(0o757),
        "plugins/git can be written by others than root",
    ),
    "the plugins directory for others to write": (
        lambda m: m.plugins.chmod(0o757),
        "/usr/lib/fake/plugins can be written by others than root",
    ),
    "a parent for others to write": (
        lambda m: (m.root / "usr/lib").chmod(0o777),
        "/usr/lib can be written by others than root",
    ),
    "a parent of another user": (lambda m: os.chown(m.root / "usr", 990, 0), "/usr does not belong to root"),
    "a file of another user": (lambda m: os.chown(code(m), 990, 0), "git/code does not belong to root"),
    "a manifest of another user": (
        lambda m: os.chown(m.manifest("git"), 990, 0),
        "git.manifest does not belong to root",
    ),
    "a key of another user": (
        lambda m: os.chown(m.share / "keys/fake.pub", 990, 0),
        "fake.pub does not belong to root",
    ),
    "no signature": (
        lambda m: m.manifest("git").with_suffix(".manifest.sig").unlink(),
        "git.manifest.sig is missing: the manifest is not signed",
    ),
    "an empty signature": (
        lambda m: m.manifest("git").with_suffix(".manifest.sig").write_text(""),
        "git.manifest.sig is empty",
    ),
    "a truncated signature": (
        lambda m: m.manifest("git").with_suffix(".manifest.sig").write_text("untrusted comment: x\nRWQ=\n"),
        "git.manifest.sig is of an unknown kind",
    ),
    "a signature that is no base64": (
        lambda m: m.manifest("git").with_suffix(".manifest.sig").write_text("untrusted comment: x\nRWQ?\n"),
        "git.manifest.sig line 2 is not base64",
    ),
    "a signature with more lines": (
        lambda m: append(m.manifest("git").with_suffix(".manifest.sig"), "more\n"),
        "git.manifest.sig does not have two lines",
    ),
    "a signature without a comment": (
        lambda m: m.manifest("git").with_suffix(".manifest.sig").write_text("comment\nRWQ=\n"),
        "git.manifest.sig line 1 is not: untrusted comment: TEXT",
    ),
    "an unknown algorithm": (unknown_algorithm, "git.manifest.sig is of an unknown kind"),
    "a signature of another manifest": (other_signature, "the signature of its manifest does not fit"),
    "a changed manifest": (lambda m: flip(m.manifest("git"), -3), "the signature of its manifest does not fit"),
    "a foreign key": (stranger, "its manifest is signed by the unknown key"),
    "a forged key id": (forge_key_id, "the signature of its manifest does not fit"),
    "a broken trusted key": (
        lambda m: (m.root / "etc/fake/keys.d/mine.pub").write_text("no key\n"),
        "mine.pub line 1 is not: untrusted comment: TEXT",
    ),
    "an administrator's key in a directory that others write": (
        key_for_others,
        "/etc/fake can be written by others than root",
    ),
    "an empty manifest": (lambda m: m.manifest("git").write_text(""), "git.manifest is empty"),
    "no final newline": (
        lambda m: m.write_manifest("git", m.manifest("git").read_text()[:-1]),
        "does not end with a newline, or has a NUL byte",
    ),
    "a NUL byte": (lambda m: edit(m, "git", "order 50\n", "order 50\0\n"), "git.manifest"),
    "a carriage return": (
        lambda m: edit(m, "git", "order 50\n", "order 50\r\n"),
        "line 6: has a byte that is not printable",
    ),
    "a Latin byte": (
        lambda m: edit(m, "git", "order 50\n", "order 50\xe4\n"),
        "line 6: has a byte that is not printable",
    ),
    "another manifest version": (
        lambda m: edit(m, "git", "mkpkgs-manifest 1", "mkpkgs-manifest 3"),
        "line 1: is neither mkpkgs-manifest 1 nor 2",
    ),
    "the second format without need": (
        lambda m: edit(m, "git", "mkpkgs-manifest 1", "mkpkgs-manifest 2"),
        "line 1: is mkpkgs-manifest 2, though 1 can say it",
    ),
    "an unknown word": (lambda m: edit(m, "git", "order 50\n", "order 50\nrun me\n"), "line 7: does not belong there"),
    "a double line": (lambda m: edit(m, "git", "order 50\n", "order 50\norder 50\n"), "line 7: does not belong there"),
    "an order that is no number": (lambda m: edit(m, "git", "order 50", "order 0x5"), "line 6: is not: order NUMBER"),
    "no order": (lambda m: edit(m, "git", "order 50\n", ""), "line 6: is not: order NUMBER"),
    "an end too early": (lambda m: m.write_manifest("git", "mkpkgs-manifest 1\ncore fake\n"), "ends too early"),
    "an ABI that is no hash": (lambda m: edit(m, "git", ABI, ABI.upper()), "line 3: is not: abi HASH"),
    "another plugin's manifest": (swap_plugins, "line 4: names something else than git"),
    "another package's name": (
        lambda m: edit(m, "git", "fake-plugin-git", "fake-plugin-cors"),
        "line 5: does not name the package fake-plugin-git",
    ),
    "a version that is none": (
        lambda m: edit(m, "git", "git 1.0-1", "git 1.0"),
        "line 5: is not: package NAME VERSION",
    ),
    "a path upwards": (
        lambda m: edit(m, "git", "order 50\n", f"order 50\nfile {SHA}  ../../x\n"),
        "line 7: a path that leads elsewhere",
    ),
    "an absolute path": (
        lambda m: edit(m, "git", "order 50\n", f"order 50\nfile {SHA}  /etc/passwd\n"),
        "line 7: a path that leads elsewhere",
    ),
    "a path with an empty part": (
        lambda m: edit(m, "git", "order 50\n", f"order 50\nfile {SHA}  a//b\n"),
        "line 7: a path that leads elsewhere",
    ),
    "a path with a space": (
        lambda m: edit(m, "git", "order 50\n", f"order 50\nfile {SHA}  a b\n"),
        "line 7: a path that leads elsewhere",
    ),
    "a path that is an option": (
        lambda m: edit(m, "git", "order 50\n", f"order 50\nfile {SHA}  -rf\n"),
        "line 7: a path that leads elsewhere",
    ),
    "a hash that is too short": (
        lambda m: edit(m, "git", "order 50\n", "order 50\nfile abcd  a\n"),
        "line 7: is not: file HASH  PATH",
    ),
    "files out of order": (
        lambda m: m.write_manifest("git", m.manifest("git").read_text() + f"file {SHA}  a\n"),
        "is not sorted or there twice",
    ),
    "a file twice": (
        lambda m: m.write_manifest("git", m.manifest("git").read_text() + m.manifest("git").read_text()[-76:]),
        "line 8: ",
    ),
    "a huge manifest": (huge_manifest, "line 8: is not: file HASH  PATH"),
    "another core": (
        lambda m: m.install("git", core="nginx"),
        "its manifest is for the core nginx, not for fake",
    ),
    "another ABI": (lambda m: m.install("git", abi="cd" * 32), "it was built for another fake (ABI cdcd"),
    "a replayed old version": (
        lambda m: m.record("fake-plugin-git", "1.1-1"),
        "its manifest is of version 1.0-1, on record is 1.1-1: a replay",
    ),
    "files that no package brought": (
        lambda m: m.forget("fake-plugin-git"),
        "the package fake-plugin-git is not on record",
    ),
    "a package that is only half installed": (
        lambda m: m.record("fake-plugin-git", "1.0-1", "install reinstreq half-installed"),
        "the package fake-plugin-git is half-installed",
    ),
    "a plugin that it needs is missing": (
        lambda m: m.install("git", needs=["base"]),
        "it needs the plugin base, which is not there",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_tampering_is_refused_with_its_own_reason(serving: Machine, what: str) -> None:
    tamper, reason = TAMPERED[what]
    before = serving.program.read_bytes()
    # A new core, so that apply would make a new program if it did not refuse.
    serving.core.write_text("#!/bin/sh\necho newer core\n")
    tamper(serving)
    done = serving.tool("apply")
    assert done.returncode == 1, done.stdout
    assert reason in done.stdout, done.stdout
    assert "  repair: " in done.stdout
    assert "the old set goes on serving: fake with git 1.0-1" in done.stdout
    assert serving.program.read_bytes() == before
    if what.startswith("a parent "):
        # Nothing is written where others can change what the path leads to.
        assert not serving.failed_set.exists()
    else:
        assert reason in serving.failed_set.read_text()
    assert serving.leftovers() == []


@pytest.mark.nightly
@pytest.mark.parametrize("what", TAMPERED)
def test_every_shell_refuses_alike(any_machine: Machine, what: str) -> None:
    any_machine.install("git")
    assert any_machine.tool("apply").returncode == 0
    tamper, reason = TAMPERED[what]
    tamper(any_machine)
    done = any_machine.tool("apply")
    assert done.returncode == 1
    assert reason in done.stdout


def test_after_the_repair_the_set_serves_again(serving: Machine) -> None:
    flip(code(serving), 3)
    assert serving.tool("apply").returncode == 1
    flip(code(serving), 3)
    done = serving.tool("apply")
    assert done.returncode == 0
    assert "what is installed is what serves again" in done.stdout
    assert not serving.failed_set.exists()
    assert serving.tool("status").returncode == 0


def test_an_administrators_key_is_trusted(machine: Machine) -> None:
    mine = Key(machine.root / "tmp", "mine")
    machine.install("git", key=mine)
    assert machine.tool("apply").returncode == 1
    (machine.root / "etc/fake/keys.d/mine.pub").write_bytes(mine.public)
    done = machine.tool("apply")
    assert done.returncode == 0, done.stdout


def test_a_p256_key_is_trusted_and_its_forgeries_are_not(machine: Machine) -> None:
    curve = Key(machine.root / "tmp", "curve", kind="EC")
    machine.trust("curve.pub", curve.public)
    machine.install("git", key=curve)
    done = machine.tool("apply")
    assert done.returncode == 0, done.stdout
    flip(machine.manifest("git"), -3)
    assert "the signature of its manifest does not fit" in machine.tool("apply").stdout


def test_old_and_new_key_are_trusted_at_once(machine: Machine) -> None:
    new = Key(machine.root / "tmp", "new")
    machine.trust("new.pub", new.public)
    machine.install("git")
    machine.install("cors", key=new)
    done = machine.tool("apply")
    assert done.returncode == 0, done.stdout
    assert machine.serves() == ["core", "plugin cors", "plugin git"]


def test_an_optional_plugin_that_cannot_be_verified_is_left_out(machine: Machine) -> None:
    machine.install("git")
    machine.install("extra", optional=True)
    flip(code(machine, "extra"), 3)
    done = machine.tool("apply")
    assert done.returncode == 0, done.stdout
    assert "left out: the optional plugin extra" in done.stdout
    assert machine.serves() == ["core", "plugin git"]
    assert machine.tool("status").returncode == 1


BREAKS = {"code": "echo cannot start; exit 3\n"}


@pytest.mark.parametrize("how", [BREAKS, {"code": "", "unlinkable": ""}], ids=["try", "link"])
def test_an_optional_plugin_that_breaks_the_set_does_not_keep_the_others_back(
    machine: Machine, how: dict[str, str]
) -> None:
    machine.install("git")
    machine.install("extra", optional=True)
    assert machine.tool("apply").returncode == 0
    machine.install("git", version="2.0-1", files={"code": "echo plugin git 2\n"})
    machine.install("extra", version="2.0-1", optional=True, files=how)
    done = machine.tool("apply")
    assert done.returncode == 0, done.stdout
    reason = "cannot start" if how is BREAKS else "symbol missing in extra"
    assert re.search(f"plugin extra: .*{reason}", done.stdout)
    assert "left out: the optional plugin extra" in done.stdout
    assert machine.serves() == ["core", "plugin git 2"]
    assert machine.leftovers() == []

    status = machine.tool("status")
    assert (status.returncode, reason in status.stdout) == (1, True), status.stdout
    assert "left out, as they are optional: extra" in status.stdout
    assert "what is installed is not what serves" not in status.stdout
    why = machine.tool("why", "extra")
    assert (why.returncode, reason in why.stdout) == (1, True), why.stdout

    (machine.plugins / "extra/unlinkable").unlink(missing_ok=True)
    machine.install("extra", version="2.1-1", optional=True)
    assert machine.tool("apply").returncode == 0
    assert machine.serves() == ["core", "plugin extra", "plugin git 2"]
    assert machine.tool("status").returncode == 0


def test_an_optional_plugin_that_breaks_by_itself_leaves_all_as_it_was(serving: Machine) -> None:
    serving.install("extra", optional=True, files=BREAKS)
    done = serving.tool("apply")
    assert done.returncode == 1
    assert "the old set goes on serving" in done.stdout
    assert serving.serves() == ["core", "plugin git"]
    assert "cannot start" in serving.tool("status").stdout


@contextmanager
def written_to_while_it_assembles(machine: Machine, text: str) -> Iterator[None]:
    """Write to the kit, or touch it, each time that the assemble step has begun, which must take half a second."""
    room, part = machine.bin / ".apply.new/room", machine.root / "usr/lib/fake/kit/part"
    stop = threading.Event()

    def run() -> None:
        written = False
        while not stop.is_set():
            if room.exists() and not written:
                part.write_text(text) if text else part.touch()
            written = room.exists()
            time.sleep(0.002)

    writer = threading.Thread(target=run)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def test_no_optional_plugin_is_blamed_for_what_others_change_while_it_is_tried(
    base: Path, key: Key, tmp_path: Path
) -> None:
    assemble = ASSEMBLE.replace("set -eu\n", "set -eu\nsleep 0.5\n")
    machine = machine_of(base, key, tmp_path, SHELLS["dash and mawk"], Target(assemble=assemble))
    machine.install_kit({"part": "good\n"})
    machine.install("git")
    assert machine.tool("apply").returncode == 0
    machine.install("extra", optional=True, files=BREAKS)
    machine.install("git", version="2.0-1", files={"code": "echo plugin git 2\n"})
    # A kit that was written just now is copied instead.
    time.sleep(2.1)
    with with_proc(machine), written_to_while_it_assembles(machine, "evil\n"):
        done = machine.tool("apply")
    assert [line.partition(": ")[2] for line in done.stdout.splitlines()] == [
        "kit: /usr/lib/fake/kit/part is not what its manifest says: it was changed",
        "  repair: apt-get install --reinstall fake-plugin-kit; then fake-plugins apply",
        "the old set goes on serving: fake with git 1.0-1",
    ]
    assert machine.leftovers() == []
    assert "extra" not in machine.failed_set.read_text()

    # It is to blame for what it does itself, though the kit was touched meanwhile, too.
    machine.install_kit({"part": "good\n"})
    time.sleep(2.1)
    with with_proc(machine), written_to_while_it_assembles(machine, ""):
        done = machine.tool("apply")
    assert done.returncode == 0, done.stdout
    assert re.search("plugin extra: .*cannot start", done.stdout)
    assert machine.serves() == ["core", "plugin git 2"]
    assert machine.leftovers() == []


def test_what_needs_an_optional_plugin_that_breaks_stops_the_set(serving: Machine) -> None:
    serving.install("extra", optional=True, files=BREAKS)
    serving.install("guard", needs=["extra"])
    done = serving.tool("apply")
    assert done.returncode == 1
    assert "plugin guard: it needs the plugin extra" in done.stdout
    assert serving.serves() == ["core", "plugin git"]


def test_a_plugin_that_is_not_optional_is_never_left_out_with_one_that_is(serving: Machine) -> None:
    """An auth plugin that breaks on an upgrade: not one request may be answered without it."""
    serving.install("extra", optional=True)
    serving.install("auth", files=BREAKS)
    done = serving.tool("apply")
    assert done.returncode == 1
    assert serving.serves() == ["core", "plugin git"]
    # One that serves already is not to blame, and stays.
    serving.install("auth")
    assert serving.tool("apply").returncode == 0
    serving.install("auth", version="2.0-1", files=BREAKS)
    assert serving.tool("apply").returncode == 1
    assert serving.serves() == ["core", "plugin auth", "plugin extra", "plugin git"]


def test_optional_counts_only_in_a_manifest_with_a_good_signature(serving: Machine) -> None:
    """Else an attacker could drop a plugin that guards the server by writing `optional` into its manifest."""
    before = serving.program.read_bytes()
    text = serving.manifest("git").read_text().replace("order 50\n", "order 50\noptional\n")
    serving.manifest("git").write_text(text)
    assert serving.tool("apply").returncode == 1
    assert serving.program.read_bytes() == before


def test_a_plugin_that_needs_a_left_out_one_stops_the_set(serving: Machine) -> None:
    serving.install("base", optional=True)
    serving.install("user", needs=["base"])
    flip(code(serving, "base"), 3)
    done = serving.tool("apply")
    assert done.returncode == 1
    assert "plugin user: it needs the plugin base" in done.stdout
