"""Whose processes have a set: what others can forge names no unit, and no command that people paste has it in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from packaging_tool.target import runtime
from tests.target.conftest import with_proc
from tests.target.machine import AWKS, Machine
from tests.target.test_manage import says

USERS = Path(runtime.__file__).parent.parent / "templates/target/users.awk"
SETS = "/usr/lib/fake/bin/sets/"


@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/system.slice/own.service", "own.service"),
        ("/system.slice/system-own.slice/own@a\\x2db.service", "own@a\\x2db.service"),
        # Groups below that of a unit may be its user's (Delegate=).
        ("/system.slice/own.service/x;touch PWNED;.service", "own.service"),
        ("/system.slice/own.service/cron.service", "own.service"),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/own.service", "-"),
        ("/user.slice/user-1000.slice/session-1.scope/own.service", "-"),
        ("/machine.slice/libpod-1.scope/system.slice/own.service", "-"),
        ("/x;touch PWNED;.service", "-"),
        ("/$(reboot).service", "-"),
        ("/--force.service", "-"),
        ("/own service.service", "-"),
        # In a container that sees the host's groups.
        ("/docker/1234/system.slice/own.service", "own.service"),
        ("/", "-"),
    ],
)
def test_a_process_is_of_the_unit_that_systemd_started(awk: str, path: str, unit: str) -> None:
    own = os.getpid()
    mapped = f"55d0-55d1 r-xp 00000000 08:01 1234    {SETS}0123.again/"
    lines = [f"/proc/{own}/maps:{mapped}", f"/proc/{own}/cgroup:0::{path}", "/proc/1/cgroup:0::/docker/1234/init.scope"]
    command = [awk, "-v", "CORE=fake", "-v", "SHEBANG=", "-v", f"SETS={SETS}", "-f", str(USERS)]
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    ((process, *row),) = [line.split("\t") for line in done.stdout.splitlines()]
    assert process.startswith(f"{own}-")
    assert row == [unit, "sets/0123.again"]


def test_a_program_below_a_directory_of_others_is_none_of_a_set(any_machine: Machine) -> None:
    any_machine.install("git")
    says(any_machine, "apply")
    old = says(any_machine, "status")
    for place in ("/srv/usr/lib/fake/bin/sets/aaaa", "/srv/a 1 /usr/lib/fake/bin/sets/aaaa"):
        forged = any_machine.root / place.lstrip("/") / "x"
        forged.parent.mkdir(parents=True)
        shutil.copy(any_machine.root / "usr/bin/sleep", forged)
        with with_proc(any_machine), subprocess.Popen(["chroot", any_machine.root, f"{place}/x", "60"]) as process:
            said = any_machine.tool("status").stdout
            process.kill()
        assert said == old
    # While one that is really of a set is told.
    real = any_machine.bin / "sets/aaaa/x"
    real.parent.mkdir()
    shutil.copy(any_machine.root / "usr/bin/sleep", real)
    command = ["chroot", str(any_machine.root), "/usr/lib/fake/bin/sets/aaaa/x", "60"]
    with with_proc(any_machine), subprocess.Popen(command) as process:
        said = any_machine.tool("status").stdout
        process.kill()
    assert f"processes of no unit that run an older set: {process.pid}\n" in said
