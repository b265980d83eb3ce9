"""doctor makes root's nothing that somebody else wrote: it asks who vouches for what a file holds."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.target.conftest import serve_evil
from tests.target.machine import Key, Machine

LIB, SHARE, CONFIG = "/usr/lib/fake", "/usr/share/fake", "/etc/fake"
JO = 991
CORES = (f"{LIB}/bin/fake-core", f"{LIB}/assemble", f"{SHARE}/keys/fake.pub", f"{SHARE}/trust", f"{SHARE}/abi")


def doctor(machine: Machine, *options: str) -> tuple[int, str]:
    done = machine.tool("doctor", *options)
    return done.returncode, done.stdout.replace("fake-plugins: ", "")


def at(machine: Machine, path: str) -> Path:
    return machine.root / path.lstrip("/")


def rights(path: Path) -> tuple[int, int]:
    return path.stat().st_uid, path.stat().st_mode & 0o7777


def look_first(path: str) -> str:
    close = f"chown root {path}; chmod go-w,a-st {path}"
    return f"look at what {path} holds: if it is all yours, {close}; else remove it; then fake-plugins apply"


@pytest.fixture
def ready(any_machine: Machine) -> Machine:
    any_machine.install("git")
    assert any_machine.tool("apply").returncode == 0
    return any_machine


def test_a_key_that_a_local_user_put_into_an_open_directory_is_never_trusted(ready: Machine) -> None:
    key = Key(ready.root / "tmp", "evil")
    ready.install("evil", key=key)
    assert ready.tool("apply").returncode == 1
    place = at(ready, f"{CONFIG}/keys.d")
    place.chmod(0o777)
    (place / "evil.pub").write_bytes(key.public)
    os.chown(place / "evil.pub", JO, JO)
    for _ in range(2):
        status, said = doctor(ready)
        assert (status, said.count(f"{CONFIG}/keys.d/evil.pub does not belong to root\n")) == (1, 1), said
        assert f"  repair: {look_first(f'{CONFIG}/keys.d/evil.pub')}\n" in said
        assert (rights(place), rights(place / "evil.pub")[0]) == ((0, 0o755), JO)
        assert look_first(f"{CONFIG}/keys.d/evil.pub") in ready.tool("apply").stdout
        assert ready.serves() == ["core", "plugin git"]
    (place / "evil.pub").unlink()
    assert "the unknown key" in doctor(ready)[1]


@pytest.mark.parametrize("name", ["plugins.conf", "plugins.d/disabled", "keys.d/revoked", "keys.d/k.pub"])
@pytest.mark.parametrize("how", ["open", "owner"])
def test_what_another_could_write_below_etc_is_for_a_person_to_judge(serving: Machine, name: str, how: str) -> None:
    path = f"{CONFIG}/{name}"
    file = at(serving, path)
    file.parent.mkdir(exist_ok=True)
    text = {"plugins.conf": "restart = /usr/bin/id\n", "plugins.d/disabled": "git\n", "keys.d/revoked": "ab" * 8 + "\n"}
    file.write_text(text.get(name, "x\n"))
    file.chmod(0o666 if how == "open" else 0o644)
    os.chown(file, 0 if how == "open" else JO, 0)
    before = rights(file)
    for options in ([], ["--dry-run"]):
        status, said = doctor(serving, *options)
        assert (status, said.count(f"  repair: {look_first(path)}\n")) == (1, 1), said
        assert (rights(file), serving.serves()) == (before, ["core", "plugin git"])
    if name == "plugins.d/disabled":
        assert serving.tool("enable", "git").returncode == 1
        assert rights(file) == before
    file.unlink()
    assert doctor(serving)[0] == 0


def test_doctor_does_not_write_on_what_another_wrote(serving: Machine) -> None:
    file = at(serving, f"{CONFIG}/plugins.d/disabled")
    file.parent.mkdir(exist_ok=True)
    file.write_text("gone\ngit\n")
    os.chown(file, JO, JO)
    assert doctor(serving)[0] == 1
    assert (file.read_text(), rights(file)[0]) == ("gone\ngit\n", JO)


@pytest.mark.parametrize("path", CORES)
def test_what_the_core_brought_is_taken_back_only_as_it_was_brought(ready: Machine, path: str) -> None:
    file = at(ready, path)
    good, mode = file.read_bytes(), file.stat().st_mode & 0o755
    file.chmod(0o777)
    with file.open("ab") as held:
        status, said = doctor(ready)
        assert (status, f"{path} can be written by others than root\n  repaired: " in said) == (0, True), said
        held.write(b"# jo\n")
    # Who had it open writes to what is no longer there.
    assert (file.read_bytes(), rights(file)[0], rights(file)[1] & 0o022) == (good, 0, 0)
    for owner, open_mode in ((0, 0o777), (JO, mode)):
        file.write_bytes(good + b"# jo\n")
        file.chmod(open_mode)
        os.chown(file, owner, owner)
        status, said = doctor(ready)
        assert "than root, and it is" in said or "to root, and it is" in said, said
        assert "not what the package fake brought\n  repair: apt-get install --reinstall fake\n" in said
        assert (status, rights(file)[0], ready.serves()) == (1, owner, ["core", "plugin git"])
    file.write_bytes(good)
    assert doctor(ready)[0] == 0


def test_a_key_of_the_core_that_is_gone_or_another_one_is_brought_back_with_the_core(ready: Machine) -> None:
    file = at(ready, f"{SHARE}/keys/fake.pub")
    good = file.read_bytes()
    for fault, said in (
        (file.unlink, "of the package fake is missing"),
        (lambda: file.write_bytes(Key(ready.root / "tmp", "other").public), "is not what the package fake brought"),
    ):
        fault()
        told = ready.tool("apply").stdout
        assert f"is signed by the unknown key {ready.key.id.hex()}, and {SHARE}/keys/fake.pub {said}\n" in told
        assert "repair: apt-get install --reinstall fake\n" in told
        file.write_bytes(good)
        assert ready.tool("apply").returncode == 0
    # A plugin of somebody else is no fault of the core's keys.
    ready.install("evil", key=Key(ready.root / "tmp", "evil"))
    assert "repair: put the key into /etc/fake/keys.d if you trust it" in ready.tool("apply").stdout


def test_a_key_of_no_package_that_another_wrote_is_removed_by_a_person(serving: Machine) -> None:
    file = at(serving, f"{SHARE}/keys/jo.pub")
    file.write_text("x\n")
    os.chown(file, JO, JO)
    status, said = doctor(serving)
    found = f"{SHARE}/keys/jo.pub does not belong to root, and no package brought it"
    assert (status, f"{found}\n  repair: remove it; then fake-plugins apply\n" in said) == (1, True), said
    assert rights(file)[0] == JO


def test_a_record_that_others_can_write_vouches_for_nothing(serving: Machine) -> None:
    at(serving, "/var/lib/dpkg/info/fake.md5sums").chmod(0o666)
    serving.core.chmod(0o777)
    status, said = doctor(serving)
    assert (status, "not what the package fake brought" in said) == (1, True), said


def test_a_set_that_another_could_write_is_made_anew(ready: Machine) -> None:
    program, record = ready.program.resolve(), ready.working_set.resolve()
    program.write_text("#!/bin/sh\necho jo\n")
    digest = hashlib.sha256(program.read_bytes()).hexdigest()
    record.write_text(
        "".join(
            f"program {digest}\n" if line.startswith("program ") else line
            for line in record.read_text().splitlines(keepends=True)
        )
    )
    for file in (program, record):
        file.chmod(0o777)
    status, said = doctor(ready)
    assert (status, said.endswith("all is well now\n")) == (0, True), said
    assert ready.serves() == ["core", "plugin git"]
    assert not record.exists()


def test_a_plugin_is_taken_back_since_its_hashes_are_verified(ready: Machine) -> None:
    file = ready.plugins / "git/code"
    file.write_text("echo jo\n")
    os.chown(file, JO, JO)
    status, said = doctor(ready)
    assert (status, "is not what its manifest says" in said) == (1, True), said
    assert ready.serves() == ["core", "plugin git"]


def test_a_key_that_root_put_there_goes_on_counting(machine: Machine) -> None:
    serve_evil(machine)
    at(machine, f"{CONFIG}/keys.d").chmod(0o777)
    assert doctor(machine)[0] == 0
    assert machine.serves() == ["core", "plugin evil", "plugin git"]
