"""What questions say of an apply that failed, waits or runs, and of a transaction that is not done yet."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from packaging_tool.target import runtime
from tests.target.conftest import with_proc
from tests.target.machine import AWKS, Machine
from tests.target.test_manage import says

TRANSACTION = Path(runtime.__file__).parent.parent / "templates/target/transaction.awk"


def test_why_tells_that_the_set_with_the_plugin_was_put_back(serving: Machine) -> None:
    serving.install("cors")
    reason = "fake.service does not stay up with cors, git (exit-code); new in this set: cors 1.0-1"
    lines = ["mkpkgs-failed-set 1", "set 0", "rolled-back", f"reason {reason}", "reason   repair: journalctl -u fake"]
    serving.failed_set.write_text("".join(f"{line}\n" for line in lines))
    told = f"  put back     {reason}\n               repair: journalctl -u fake\n"
    assert told in says(serving, "why", "cors", status=1)
    assert "put back" not in says(serving, "why", "git"), "it serves"
    # It failed before anything was put back.
    serving.failed_set.write_text(serving.failed_set.read_text().replace("rolled-back\n", ""))
    assert "put back" not in says(serving, "why", "cors", status=1)


@pytest.mark.parametrize(
    ("called", "reason", "repair"),
    [
        ("fake-plugins apply", "an apply (process {}) is running", "wait until it ends"),
        (
            "unattended-upgrade",
            "apply waits until unattended-upgrades (process {}) ends",
            "wait, or fake-plugins apply",
        ),
    ],
)
def test_status_tells_an_apply_that_runs_from_one_that_waits(
    serving: Machine, called: str, reason: str, repair: str
) -> None:
    """The apply that runs has another one wait for its end, should it be killed."""
    (serving.root / "run/systemd/system").mkdir(parents=True)
    systemctl = serving.root / "usr/bin/systemctl"
    with with_proc(serving), subprocess.Popen([called, "60"], executable="/bin/sleep") as process:
        unit = f"fake-apply-later@{process.pid}-4711.service"
        systemctl.write_text(f'#!/bin/sh\ncase $1 in list-units) echo "{unit} loaded activating start x" ;; esac\n')
        systemctl.chmod(0o755)
        told = says(serving, "status", status=1)
        process.kill()
    assert f"fake-plugins: {reason.format(process.pid)}\nfake-plugins:   repair: {repair}\n" in told


def test_status_names_no_program_where_there_is_none(any_machine: Machine) -> None:
    """After a first installation that was refused, and where somebody took all sets away."""
    any_machine.install("git")
    (any_machine.plugins / "git/code").write_text("changed")
    says(any_machine, "apply", status=1)
    nothing = "fake-plugins: working: nothing, there is no program\n"
    assert says(any_machine, "status", status=1).startswith(nothing)
    assert "apply would change nothing: nothing, there is no program" in says(
        any_machine, "apply", "--dry-run", status=1
    )
    any_machine.install("git")
    says(any_machine, "apply")
    assert "working: fake with git 1.0-1\n" in says(any_machine, "status")
    for path in any_machine.bin.glob("sets/*"):
        shutil.rmtree(path)
    assert says(any_machine, "status", status=1).startswith(nothing)
    says(any_machine, "apply")
    (any_machine.bin / "serving/fake").unlink()
    assert says(any_machine, "status", status=1).startswith(nothing)
    assert json.loads(any_machine.tool("status", "--json").stdout)["serving"] == []
    assert says(any_machine, "list").split() == ["git", "1.0-1", "waiting"]


DNF4 = """Dependencies resolved.
================================================================================
 Package                                  Arch      Version    Repository   Size
================================================================================
Installing:
 fake-plugin-moon                         noarch    1.0-1      fake         9 k
Downgrading:
 fake                                     noarch    1.0-1      fake        40 k
 fake-plugin-of-a-name-that-is-as-long-as-this
                                          noarch    1.0-1      fake         9 k

Transaction Summary
================================================================================
Install    1 Package
Downgrade  2 Packages
"""
DNF5 = """Package              Arch   Version Repository Size
Installing:
 fake-plugin-moon    noarch 1.0-1   fake        9.0 KiB
Downgrading:
 fake                noarch 1.0-1   fake       40.0 KiB
   replacing fake    noarch 2.0-1   fake       40.0 KiB
 fake-plugin-of-a-name-that-is-as-long-as-this noarch 0:1.0-1 fake 9.0 KiB
   replacing fake-plugin-of-a-name-that-is-as-long-as-this noarch 2.0-1 fake 9.0 KiB

Transaction Summary:
 Installing:         1 package
 Replacing:          2 packages
 Downgrading:        2 packages
"""


@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize("said", [DNF4, DNF5], ids=["dnf 4", "dnf 5"])
def test_a_downgrade_of_dnf_is_called_one(awk: str, said: str) -> None:
    done = subprocess.run([awk, "-f", TRANSACTION], input=said, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "install\tfake-plugin-moon\t1.0-1",
        "downgrade\tfake\t1.0-1",
        "downgrade\tfake-plugin-of-a-name-that-is-as-long-as-this\t1.0-1",
    ]
