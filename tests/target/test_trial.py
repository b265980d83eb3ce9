"""The units of the try and of the driver's steps: the service's sandbox, and less."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from packaging_tool.drivers.base import Target
from packaging_tool.project.model import Project
from packaging_tool.target import runtime
from tests.target.machine import LINKED, spec


def project(**unit: str) -> Project:
    base = spec()
    assert base.core.service is not None
    return replace(base, core=replace(base.core, service=replace(base.core.service, unit=unit)))


def lines(of: Project, unit: str, target: Target = LINKED) -> list[str]:
    path = f"/usr/lib/systemd/system/fake-{unit}.service"
    content = next(e.content for e in runtime.core_entries(of, target, ("ab" * 32,), {}) if e.path == path)
    assert content is not None
    return content.read().decode().splitlines()


def test_what_the_service_may_write_is_a_directory_of_its_own_in_a_try() -> None:
    made = lines(
        project(
            BindPaths="/srv/data /srv/pictures:/srv/shown:norbind",
            StateDirectory="fake",
            RuntimeDirectory="fake",
            ReadWritePaths="/srv/log.txt",
            TemporaryFileSystem="/home:ro /run:mode=0755",
            DeviceAllow="/dev/sda rw",
            PrivateDevices="no",
            InaccessiblePaths="/run/secrets -/srv/x",
        ),
        "try",
    )
    places = ["/run/fake", "/srv/data", "/srv/log.txt", "/srv/shown", "/var/lib/fake"]
    work = "/usr/lib/fake/bin/.apply.new"
    assert [line for line in made if re.match("BindPaths=|ReadWritePaths=", line)] == [
        f"BindPaths=-{work}/scratch/{number}:{place}" for number, place in enumerate(places, 1)
    ]
    assert [line for line in made if line.startswith("TemporaryFileSystem=")] == [
        f"TemporaryFileSystem={work}:ro",
        "TemporaryFileSystem=/home:ro",
        "TemporaryFileSystem=/dev/shm:mode=1777",
        "TemporaryFileSystem=/run:ro",
    ]
    assert "PrivateDevices=yes" in made
    assert not [line for line in made if line.startswith("DeviceAllow=")]
    assert "InaccessiblePaths=-/run/secrets -/srv/x" in made


@pytest.mark.parametrize("unit", ["try", "make"])
def test_nothing_of_a_unit_goes_on_when_its_program_has_ended(unit: str) -> None:
    made = lines(project(KillMode="none", SendSIGKILL="no", FinalKillSignal="SIGCONT"), unit)
    assert {"KillMode=control-group", "KillSignal=SIGKILL", "Type=oneshot"} <= set(made)
    assert not [line for line in made if line.startswith(("SendSIGKILL", "FinalKillSignal", "Standard"))][2:]


def test_the_steps_of_a_driver_do_not_get_what_the_service_has() -> None:
    made = lines(project(SupplementaryGroups="disk", LoadCredential="key:/etc/key", Environment="A=b"), "make")
    assert {"User=_fake-try", "Group=fake", "CapabilityBoundingSet=", "PrivateNetwork=yes", "MemoryMax=4G"} <= set(made)
    assert not [line for line in made if re.match("Supplementary|Load|Environment|RemoveIPC|Ambient.*=.", line)]


def test_a_server_that_needs_longer_gets_its_time() -> None:
    made = project()
    assert made.core.service
    slow = replace(made, core=replace(made.core, service=replace(made.core.service, check_seconds=90)))
    assert [line for line in lines(made, "try") if line.startswith("TimeoutStart")] == ["TimeoutStartSec=30s"]
    assert [line for line in lines(slow, "try") if line.startswith("TimeoutStart")] == ["TimeoutStartSec=90s"]
    assert "TimeoutStartSec=300s" in lines(slow, "make")


def test_without_a_step_there_is_no_unit_for_it() -> None:
    paths = {entry.path for entry in runtime.core_entries(spec(), Target(tree=True), ("ab" * 32,), {})}
    assert "/usr/lib/systemd/system/fake-make.service" not in paths


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", ["try", "make"])
@pytest.mark.parametrize("service", [True, False], ids=["service", "none"])
def test_systemd_accepts_the_units(tmp_path: Path, unit: str, service: bool) -> None:
    made = project(BindPaths="/srv/data", TemporaryFileSystem="/home:ro")
    if not service:
        made = replace(made, core=replace(made.core, service=None))
    text = "\n".join(lines(made, unit))
    path = tmp_path / f"fake-{unit}.service"
    text = re.sub("Documentation=.*", "Documentation=https://example.org", text.replace("/usr/bin/fake", "/bin/true"))
    path.write_text(f"{text}\n")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", path], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
