"""The service's unit: systemd accepts it, it is hardened, and the project file has the last word."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from packaging_tool.drivers.base import Target
from packaging_tool.project.model import Project, ServiceSpec
from packaging_tool.target import runtime
from packaging_tool.target.unit import HARDENING
from tests.target.machine import spec

CADDY = ServiceSpec(
    type="notify",
    command="run --environ --config /etc/caddy/Caddyfile",
    reload="reload --config /etc/caddy/Caddyfile --force",
    check="version",
    capabilities=("CAP_NET_BIND_SERVICE",),
    unit={"LimitNOFILE": "1048576", "TimeoutStopSec": "5s"},
)

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")


def project(service: ServiceSpec) -> Project:
    base = spec()
    return replace(base, core=replace(base.core, name="caddy", service=service))


def unit(service: ServiceSpec) -> str:
    entries = runtime.core_entries(project(service), Target(), ("ab" * 32,), {})
    content = next(e.content for e in entries if e.path == "/usr/lib/systemd/system/caddy.service")
    assert content is not None
    return content.read().decode()


@needs_systemd
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    path = tmp_path / "caddy.service"
    # verify wants to see the program and the manual page, which this machine has not.
    text = unit(CADDY).replace("/usr/bin/caddy", "/bin/true")
    path.write_text(re.sub("Documentation=.*", "Documentation=https://example.org", text))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", path], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
def test_a_server_on_ports_80_and_443_is_exposed_by_at_most_2_0(tmp_path: Path) -> None:
    path = tmp_path / "caddy.service"
    path.write_text(unit(CADDY))
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_page_on_security_lists_the_lines() -> None:
    page = " ".join((Path(__file__).parents[2] / "docs/security.md").read_text().split())
    for key, value in HARDENING.items():
        for line in value.split("\n"):
            assert f"`{key}={line}`" in page


def test_a_server_that_makes_machine_code_may() -> None:
    assert "\nMemoryDenyWriteExecute=yes\n" in unit(CADDY)
    assert "MemoryDenyWriteExecute" not in unit(replace(CADDY, jit=True))


def test_the_project_replaces_and_extends_lines() -> None:
    text = unit(
        replace(CADDY, unit={"ProtectHome": "read-only", "LimitNOFILE": "1048576", "ReadWritePaths": "/srv\n/www"})
    )
    assert "\nProtectHome=read-only\n" in text
    assert "ProtectHome=yes" not in text
    assert "\nLimitNOFILE=1048576\nReadWritePaths=/srv\nReadWritePaths=/www\n" in text


def test_without_capabilities_the_service_gets_none_and_users_of_its_own() -> None:
    text = unit(replace(CADDY, capabilities=()))
    assert "\nCapabilityBoundingSet=\n" in text
    assert "AmbientCapabilities" not in text
    assert "\nPrivateUsers=yes\n" in text


def test_a_home_elsewhere_is_writable_too() -> None:
    assert "\nReadWritePaths=-/srv/caddy\n" in unit(replace(CADDY, home="/srv/caddy"))
    assert "\nStateDirectory=caddy\n" in unit(CADDY)


def test_environment_is_quoted_as_systemd_reads_it() -> None:
    text = unit(replace(CADDY, environment={"B": 'say "50%"', "A": "back\\slash"}))
    assert '\nEnvironment="A=back\\\\slash"\nEnvironment="B=say \\"50%%\\""\n' in text
