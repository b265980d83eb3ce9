"""Keys count only from where they belong: the core's own package, or the administrator, who is no package."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.target.machine import Key, Machine


@pytest.fixture
def stranger(machine: Machine) -> Key:
    """Whose plugin `evil` is installed beside `git`, which serves."""
    machine.install("git")
    assert machine.tool("apply").returncode == 0
    stranger = Key(machine.root / "tmp", "stranger")
    machine.install("evil", key=stranger)
    return stranger


def package(machine: Machine, name: str, files: dict[str, bytes], *fields: str) -> None:
    """Make a package without scripts by dpkg-deb, and unpack and configure it by dpkg."""
    tree = machine.root / "tmp" / name
    for path, data in files.items():
        (tree / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (tree / path.lstrip("/")).write_bytes(data)
    (tree / "DEBIAN").mkdir()
    head = [f"Package: {name}", "Version: 1", "Architecture: all", "Maintainer: Jo <jo@example.org>"]
    (tree / "DEBIAN/control").write_text("".join(f"{line}\n" for line in [*head, "Description: test", *fields]))
    run(["dpkg-deb", "--root-owner-group", "-b", tree, f"{tree}.deb"])
    run(["dpkg", f"--root={machine.root}", "--force-script-chrootless", "-i", f"{tree}.deb"])


def run(argv: Sequence[str | Path]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def refused(machine: Machine, *words: str) -> None:
    done = machine.tool("apply")
    assert done.returncode == 1, done.stdout
    assert machine.serves() == ["core", "plugin git"]
    for word in words:
        assert word in done.stdout


def test_a_package_cannot_bring_a_key_of_the_core(machine: Machine, stranger: Key) -> None:
    package(machine, "zz", {"/usr/share/fake/keys/zz.pub": stranger.public})
    place = "/usr/share/fake/keys/zz.pub"
    refused(
        machine,
        f"{place} is no file of the package fake: it belongs to the package zz",
        "repair: remove that package, then apt-get install --reinstall fake",
    )


def test_a_package_cannot_bring_a_key_of_the_administrator(machine: Machine, stranger: Key) -> None:
    package(machine, "zz", {"/etc/fake/keys.d/zz.pub": stranger.public})
    refused(machine, "/etc/fake/keys.d/zz.pub belongs to the package zz: below /etc/fake only the keys count")
    (machine.root / "etc/fake/keys.d/zz.pub").rename(machine.root / "etc/fake/keys.d/mine.pub")
    assert machine.tool("apply").returncode == 0


def test_a_package_cannot_revoke(machine: Machine, stranger: Key) -> None:
    machine.remove("evil")
    for place in ("/etc/fake/keys.d/revoked", "/usr/share/fake/keys/revoked"):
        package(machine, f"z{len(place)}", {place: machine.key.id.hex().encode() + b"\n"})
        refused(machine, place)
        (machine.root / place.lstrip("/")).unlink()


@pytest.mark.parametrize("name", ["trust", "keys/fake.pub", "abi"])
def test_a_package_cannot_replace_what_decides_about_trust(machine: Machine, stranger: Key, name: str) -> None:
    """dpkg takes the file from the list of the package that had it."""
    data = {"trust": b"distribution\n", "keys/fake.pub": stranger.public}.get(name, b"ab" * 32 + b"\n")
    package(machine, "zz", {f"/usr/share/fake/{name}": data}, "Replaces: fake")
    refused(machine, f"/usr/share/fake/{name} is no file of the package fake: it belongs to the package zz")


def test_a_diverted_file_is_not_the_cores(machine: Machine, stranger: Key) -> None:
    place = "/usr/share/fake/keys/fake.pub"
    run(["dpkg-divert", f"--root={machine.root}", "--local", "--no-rename", "--divert", f"{place}.old", place])
    refused(machine, f"{place} is no file of the package fake: ")


def test_a_key_that_nobody_brought_goes_to_the_administrators(machine: Machine, stranger: Key) -> None:
    (machine.share / "keys/zz.pub").write_bytes(stranger.public)
    refused(
        machine, "keys/zz.pub is no file of the package fake: it belongs to no package", "move it into /etc/fake/keys.d"
    )


def test_core_without_plugins_needs_no_record(machine: Machine) -> None:
    """Image builds that throw dpkg's database away."""
    machine.forget("fake")
    for path in (machine.root / "var/lib/dpkg/info").iterdir():
        path.unlink()
    done = machine.tool("apply")
    assert done.returncode == 0, done.stdout
    assert machine.serves() == ["core"]


def test_only_a_key_of_the_core_vouches_for_a_kit(machine: Machine, stranger: Key) -> None:
    """What is in a kit runs as root."""
    (machine.root / "etc/fake/keys.d/stranger.pub").write_bytes(stranger.public)
    machine.install_kit({"part": "good\n"})
    assert machine.tool("apply").returncode == 0
    assert machine.serves() == ["core", "plugin evil", "plugin git"]
    machine.remove("evil")
    assert machine.tool("apply").returncode == 0
    machine.install_kit({"part": "evil\n"}, stranger)
    refused(
        machine,
        f"kit: its manifest is signed by the key {stranger.id.hex()} of /etc/fake/keys.d, ",
        "but only a key of the package fake vouches for a kit",
    )
    machine.install_kit({"part": "good\n"})
    assert machine.tool("apply").returncode == 0


def test_a_machine_that_checks_no_such_signatures_accuses_nobody(machine: Machine) -> None:
    """In FIPS mode openssl has no Ed25519; that says nothing of the manifest."""
    program = machine.root / "usr/bin/openssl"
    program.rename(program.with_name("openssl.real"))
    said = (
        "pkeyutl: Error initializing context\n40479B234F7F0000:error:0308010C:digital envelope routines::unsupported:"
    )
    program.write_text(
        f"#!/bin/sh\ncase $1 in\npkeyutl) echo '{said}' >&2; exit 1 ;;\nesac\nexec /usr/bin/openssl.real \"$@\"\n"
    )
    program.chmod(0o755)
    machine.install("git")
    done = machine.tool("apply")
    assert done.returncode == 1
    assert "this machine's openssl checks no signature of kind ed25519, as in FIPS mode" in done.stdout
    assert "repair: ask its maker for a manifest key of kind ecdsa-p256" in done.stdout
    assert "was changed" not in done.stdout
