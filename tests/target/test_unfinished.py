"""A package manager that was ended in the middle of a transaction: who asks is told what finishes it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.target.machine import Machine
from tests.target.test_manage import says

FINISH = "dpkg --configure -a; apt-get --fix-broken install"
AGAIN = "dpkg --configure -a; apt-get install --reinstall"


def problems(machine: Machine) -> list[tuple[str | None, str, str]]:
    told = json.loads(says(machine, "status", "--json", status=1))["problems"]
    return [(one["plugin"], one["reason"], one["repair"]) for one in told]


@pytest.mark.parametrize("state", ["half-configured", "unpacked"])
def test_a_package_that_dpkg_has_begun_is_told_with_what_finishes_it(any_machine: Machine, state: str) -> None:
    any_machine.install("git")
    says(any_machine, "apply")
    any_machine.record("fake-plugin-git", "1.0-1", status=f"install ok {state}")
    reason = f"the package fake-plugin-git is {state}"
    assert problems(any_machine) == [("git", reason, FINISH)]
    for command in ("status", "doctor"):
        said = says(any_machine, command, status=1)
        assert said.count(reason) == 1
        assert said.count(f"repair: {FINISH}\n") == 1, said


def test_what_dpkg_calls_half_installed_has_its_own_repair_with_a_manifest_or_without(any_machine: Machine) -> None:
    any_machine.install("git")
    any_machine.install("cors")
    says(any_machine, "apply")
    any_machine.record("fake-plugin-git", "1.0-1", status="install reinstreq half-installed")
    any_machine.record("fake-plugin-auth", "1.0-1", status="install reinstreq half-installed")
    for command in ("status", "doctor"):
        said = says(any_machine, command, status=1)
        for name in ("git", "auth"):
            assert said.count(f"the package fake-plugin-{name} is half-installed") == 1, said
            assert f"repair: {AGAIN} fake-plugin-{name}\n" in said


def test_what_only_dpkgs_journal_knows_is_told_too(any_machine: Machine) -> None:
    """apt does nothing at all as long as it is there, though all packages may be installed."""
    any_machine.install("git")
    says(any_machine, "apply")
    journal = any_machine.root / "var/lib/dpkg/updates/0003"
    journal.write_text("Package: other\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n")
    says(any_machine, "status")
    row = (any_machine.root / "var/lib/dpkg/status").read_text().partition("Package: fake-plugin-git\n")
    journal.write_text("".join(row[1:]).partition("\n\n")[0] + "\n")
    assert problems(any_machine) == [(None, "dpkg was ended in the middle of a change of fake", FINISH)]
    assert f"repair: {FINISH}\n" in says(any_machine, "doctor", status=1)


@contextmanager
def at_work(machine: Machine) -> Iterator[None]:
    """dpkg holds its lock."""
    descriptor = os.open(machine.root / "var/lib/dpkg/lock", os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def test_who_asks_while_dpkg_is_at_work_is_told_to_wait(any_machine: Machine) -> None:
    any_machine.install("git")
    says(any_machine, "apply")
    any_machine.record("fake-plugin-git", "1.0-1", status="install ok unpacked")
    (any_machine.root / "proc").mkdir(exist_ok=True)
    with at_work(any_machine):
        (any_machine.root / "proc/locks").write_text(Path("/proc/locks").read_text())
        reason = "the package fake-plugin-git is unpacked, and dpkg is at work"
        assert problems(any_machine) == [("git", reason, "wait until it ends")]
    (any_machine.root / "proc/locks").write_text("")
    assert problems(any_machine)[0][2] == FINISH
