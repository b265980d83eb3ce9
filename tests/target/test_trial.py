"""The units of the try and of the driver's steps: the service's sandbox, and less."""

from __future__ import annotations

import posixpath
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from packaging_tool import registry
from packaging_tool.drivers.base import Target
from packaging_tool.package.templates import render
from packaging_tool.project.loader import load
from packaging_tool.project.model import Project
from packaging_tool.target import runtime
from tests.target.machine import LINKED, spec

ROOT = Path(__file__).parent.parent.parent


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


def projects(directory: Path) -> Iterator[Project]:
    """Those of the examples and the samples, and one with many settings of its own."""
    yield project(BindPaths="/srv/data", TemporaryFileSystem="/home:ro")
    for file in [*ROOT.glob("examples/*/mkpkgs.toml"), *ROOT.glob("tests/samples/*/mkpkgs.toml")]:
        if "-loader" in file.parent.name:
            continue
        copy = shutil.copytree(
            file.parent, directory / file.parent.name, ignore=shutil.ignore_patterns(".mkpkgs", "dist")
        )
        # What people download beside some of the examples.
        data = tomllib.loads(file.read_text())
        for table in (data["core"], *data.get("plugin", {}).values()):
            (copy / table.get("elf", {}).get("source", ".")).mkdir(exist_ok=True)
        yield from load(copy / file.name).cores


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize("service", [True, False], ids=["service", "none"])
def test_systemd_accepts_all_units_of_all_drivers(tmp_path: Path, service: bool) -> None:
    units = []
    for made in projects(tmp_path / "projects"):
        if not service:
            made = replace(made, core=replace(made.core, service=None))
        target = registry.load("drivers", made.core.driver).Driver().target(made)
        for entry in runtime.core_entries(made, target, ("ab" * 32,), {}):
            if entry.content is None or not entry.path.startswith("/usr/lib/systemd/system/"):
                continue
            # verify wants to see programs and manual pages, which this machine has not.
            text = re.sub("(?m)^Documentation=.*", "Documentation=https://example.org", entry.content.read().decode())
            text = re.sub(r"(?m)^(Exec\w+)=/usr/bin/\S+", r"\1=/bin/true", text)
            units.append(tmp_path / posixpath.basename(entry.path).replace("@.", "@1."))
            units[-1].write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", *units], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(units) > 50
    assert "gear__-try.service" in {path.name for path in units}


def test_no_unit_is_ended_that_a_core_does_not_have() -> None:
    """Another server may be called like it, or the administrator's own unit."""
    for made, steps in (
        (project(), ("make", "try")),
        (replace(project(), core=replace(project().core, check="")), ("make",)),
    ):
        place = runtime.lifecycle(made, LINKED)
        assert place.steps == steps
        for name in ("deb/prerm.j2", "rpm/preun.j2"):
            text = render(name, l=place, owned=(), helped=(), gone=())
            assert set(re.findall(r"fake-(make|try|check)\.service", text)) == set(steps)
            assert "fake-*" not in text
            assert "fake-apply*" not in text
