"""doctor finds each directory on the way to what decides about plugins that others than root could change."""

from __future__ import annotations

import fcntl
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.target.machine import Machine

# The core's own, which doctor takes back, also where nothing lies in them; and the machine's, which it tells.
OURS = (
    *("etc/fake", "etc/fake/keys.d", "etc/fake/plugins.d", "usr/share/fake", "usr/lib/fake"),
    *(
        "usr/share/fake/keys",
        "usr/share/fake/plugins",
        "usr/share/fake/trust",
        "usr/lib/fake/bin",
        "usr/lib/fake/plugins",
    ),
)
MACHINES = (
    *("", "etc", "usr", "usr/share", "usr/lib", "var", "var/lib", "var/lib/dpkg", "var/lib/dpkg/info", "run"),
)  # fmt: skip
OPEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "group": (lambda path: path.chmod(0o775), "can be written by others than root"),
    "world": (lambda path: path.chmod(0o1777), "can be written by others than root"),
    "owner": (lambda path: os.chown(path, 991, 991), "does not belong to root"),
}


def doctor(machine: Machine, *options: str) -> tuple[int, str]:
    done = machine.tool("doctor", *options)
    return done.returncode, done.stdout.replace("fake-plugins: ", "")


@pytest.mark.parametrize("how", OPEN)
def test_doctor_takes_back_what_is_the_cores(serving: Machine, how: str) -> None:
    opened, found = OPEN[how]
    assert doctor(serving) == (0, "all is well\n")
    assert not any((serving.root / "etc/fake/keys.d").iterdir())
    for place in OURS:
        opened(serving.root / place)
    status, said = doctor(serving, "--dry-run")
    for place in OURS:
        assert (status, f"/{place} {found}\n  repair: chown root /{place}; chmod go-w" in said) == (1, True), said
    status, said = doctor(serving)
    for place in OURS:
        assert (status, f"/{place} {found}\n  repaired: " in said) == (0, True), said
    assert said.endswith("all is well now\n")
    assert doctor(serving) == (0, "all is well\n")


def test_doctor_waits_for_an_apply_and_then_looks(serving: Machine) -> None:
    with (serving.root / "run/fake-plugins.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        end = threading.Timer(1, fcntl.flock, (lock, fcntl.LOCK_UN))
        end.start()
        said = doctor(serving)
        end.join()
    assert said == (0, "an apply is running: waiting until it ends\nall is well\n")


def test_a_directory_that_a_hardening_script_shut_is_told_and_opened(serving: Machine) -> None:
    for name in ("usr/lib/fake", "usr/lib/fake/bin"):
        place = serving.root / name
        place.chmod(0o700)
        found = f"/{name} can be entered by root alone"
        assert found in serving.tool("status").stdout
        # A plugin that comes now is not blamed.
        serving.install("later", files={"code": ":\n"})
        done = serving.tool("apply")
        assert done.returncode == 1
        assert f"{found}, so fake cannot run what is made there" in done.stdout
        assert "plugin that" not in done.stdout
        assert f"{found}, and fake runs a program there\n  repaired: chmod 0755 /{name}\n" in doctor(serving)[1]
        assert serving.tool("apply").returncode == 0
        assert doctor(serving) == (0, "all is well\n")
        serving.remove("later")
        assert serving.tool("apply").returncode == 0


def test_the_service_reads_what_doctor_took_from_its_user(serving: Machine) -> None:
    place = serving.root / "etc/fake"
    (place / "fake.conf").write_text("port 1\n")
    for path in (place, place / "keys.d"):
        os.chown(path, 990, 990)
        path.chmod(0o700)
    assert doctor(serving)[0] == 0
    assert [(path.stat().st_uid, path.stat().st_mode & 0o777) for path in (place, place / "keys.d")] == [(0, 0o750)] * 2
    command = ["chroot", "--userspec=990:990", str(serving.root), "/bin/cat", "/etc/fake/fake.conf"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"port 1\n"


def test_doctor_tells_what_is_the_machines(serving: Machine) -> None:
    for number, place in enumerate(MACHINES):
        opened, found = OPEN["owner" if number % 2 else "group"]
        path = serving.root / place
        mode = path.stat().st_mode
        opened(path)
        status, said = doctor(serving)
        repair = f"chown root /{place}; chmod go-w /{place}"
        assert (status, said.count(f"/{place} {found}\n")) == (1, 1), said
        assert f"/{place} {found}\n  repair: {repair}\n" in said
        subprocess.run(["chroot", serving.root, "sh", "-c", repair], check=True)
        path.chmod(mode)
    assert doctor(serving) == (0, "all is well\n")


def test_doctor_tells_a_link_on_the_way_to_nothing(serving: Machine) -> None:
    (serving.root / "etc/fake").rename(serving.root / "etc/elsewhere")
    (serving.root / "etc/fake").symlink_to("elsewhere")
    status, said = doctor(serving)
    assert (status, "/etc/fake is a symbolic link\n  repair: put a directory of root's into its place" in said) == (
        1,
        True,
    )
