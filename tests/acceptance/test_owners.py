"""Files of the service's user: as the project says, on both families, from the first installation on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.test_lifecycle import install
from tests.systems import System
from tests.workspace import Workspace, tiny

pytestmark = pytest.mark.acceptance

TABLES = """
[[core.file]]
source = "greet.conf"
path = "/etc/greet/secret.conf"
type = "config"
mode = "0640"
group = "greet"

[[core.file]]
path = "/var/log/greet"
type = "directory"
mode = "0750"
owner = "greet"
group = "adm"

[[plugin.hello.file]]
source = "greet.conf"
path = "/etc/greet/hello.conf"
type = "config"
mode = "0440"
owner = "greet"
group = "greet"
"""
WANTED = {
    "/etc/greet/secret.conf": "640 root:greet",
    "/var/log/greet": "750 greet:adm",
    "/etc/greet/hello.conf": "440 greet:greet",
}


def owners(system: System) -> dict[str, str]:
    rows = system.run("stat", "-c", "%n=%a %U:%G", *WANTED).stdout.splitlines()
    return dict(row.split("=", 1) for row in rows)


def test_files_belong_to_whom_the_project_says(machine: Callable[[Workspace, str], System], tmp_path: Path) -> None:
    project = tiny(tmp_path / "project")
    with (project.root / "mkpkgs.toml").open("a") as file:
        file.write(TABLES)
    project.mkpkgs()
    system = machine(project, "greet")
    # dpkg and rpm unpack both before the user is there, or just when it is.
    install(system, "hello")
    assert owners(system) == WANTED
    assert system.verify() == ""
    system.sh("setpriv --reuid greet --regid greet --clear-groups cat /etc/greet/secret.conf /etc/greet/hello.conf")
    # What people changed since stays at an upgrade, where the package manager itself lets it.
    project.replace("mkpkgs.toml", version="1.1")
    if system.suffix == "deb":
        system.sh("chown daemon:daemon /etc/greet/secret.conf")
        system.sh("dpkg-statoverride --update --add root root 0700 /var/log/greet")
    project.mkpkgs()
    system.use()
    system.upgrade()
    assert system.installed()["greet"] == "1.1-1"
    changed = {"/etc/greet/secret.conf": "640 daemon:daemon", "/var/log/greet": "700 root:root"}
    assert owners(system) == (WANTED | changed if system.suffix == "deb" else WANTED)
