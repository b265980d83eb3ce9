"""Units in which apply runs something, and that an administrator has changed: apply and doctor name the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import roots
from tests.machine import Machine
from tests.target.machine import Key
from tests.target.server import PLUGINS, Server

pytestmark = pytest.mark.acceptance

ROOTS = {"deb": "debian12-apt", "rpm": "debian12-dnf"}
UNITS = ("demo-make.service", "demo-try.service")
# What somebody puts into a drop-in, perhaps one for all services.
SETTINGS = {
    "Restart=always\n": "systemd takes no unit {unit} with {file}: systemctl status {unit}",
    "Restart=on-failure\n": "{unit} has Restart=on-failure of {file}, and must have Restart=no",
    "Type=exec\n": "{unit} has Type=exec of {file}, and must have Type=oneshot",
    "ExecStart=/bin/true\n": "{unit} has an ExecStart of {file}, and must have its own alone",
    "ExecStart=\nExecStart=/bin/true\n": "{unit} has an ExecStart of {file}, and must have its own alone",
}


@pytest.fixture(params=sorted(ROOTS))
def server(request: pytest.FixtureRequest, bootable: None, tmp_path: Path) -> Iterator[Server]:
    """It serves with the plugin cors, and git is to come: apply has a set to make."""
    family: str = request.param
    with Machine(roots.root(ROOTS[family]), tmp_path / "root") as machine:
        server = Server(machine, Key(tmp_path, "trusted"), tmp_path / "packages", family)
        places = server.build(plugins=PLUGINS)
        for names in (("demo", "demo-plugin-cors"), ("demo-plugin-git",)):
            if names == ("demo-plugin-git",):
                machine.sh("systemctl mask demo-try.service")
            chosen = [places[name] for name in names]
            if family == "deb":
                machine.run("dpkg", "-i", *chosen, check=False)
            else:
                machine.run("rpm", "--nosignature", "-U", *chosen, check=False)
                machine.run("systemctl", "enable", "--now", "demo")
        yield server


def test_a_changed_unit_is_told_by_its_file_and_no_plugin_is_blamed(server: Server, share: slice) -> None:
    machine = server.machine
    assert server.starts()[-1] == "1.0 with: cors"
    unit = "demo-try.service"
    tells(server, f"{unit} is masked by /etc/systemd/system/{unit}", f"systemctl unmask {unit}")
    machine.sh(f"systemctl unmask {unit}; systemctl mask --runtime {unit}")
    tells(server, f"{unit} is masked by /run/systemd/system/{unit}", f"systemctl unmask --runtime {unit}")
    machine.sh(f"systemctl unmask --runtime {unit}")
    for unit in UNITS:
        file = f"/etc/systemd/system/{unit}.d/mine.conf"
        for settings, reason in [*SETTINGS.items()][share]:
            write(server, file, settings)
            repair = f"take that out of {file}; systemctl daemon-reload"
            tells(server, reason.format(unit=unit, file=file), repair)
        # What may be the reason or not.
        write(server, file, "TimeoutStartSec=1ms\n")
        said = machine.run("demo-plugins", "apply", check=False).stdout
        assert f"if the settings of {unit} in {file} are the reason, take them away" in said
        # A slow machine may have its time: the message says where.
        assert "did not end within 1ms" in said
        way = f"put TimeoutStartSec=15min below [Service] of /etc/systemd/system/{unit}.d/more.conf"
        assert f"if this machine is only slow, {way} and systemctl daemon-reload; else " in said
        # The server alone is too slow, too, where only that is tried.
        assert ("no plugin is the reason" in said) == (unit == "demo-try.service")
        machine.sh(f"rm {file}; systemctl daemon-reload")
    # One that harms nothing is in nobody's way.
    write(server, "/etc/systemd/system/service.d/all.conf", "Nice=5\n")
    assert machine.run("demo-plugins", "apply", check=False).returncode == 0
    assert machine.run("demo-plugins", "doctor", check=False).returncode == 0
    assert server.starts()[-1] == "1.0 with: cors git"


def write(server: Server, file: str, settings: str) -> None:
    server.machine.sh(f"mkdir -p {Path(file).parent}; printf '[Service]\\n{settings}' >{file}; systemctl daemon-reload")


def tells(server: Server, reason: str, repair: str) -> None:
    done = server.machine.run("demo-plugins", "apply", check=False)
    assert done.returncode == 1
    assert f"demo-plugins: {reason}\ndemo-plugins:   repair: {repair}; then demo-plugins apply\n" in done.stdout
    assert "plugin that" not in done.stdout
    assert server.state() == "active"
    assert server.starts()[-1] == "1.0 with: cors"
    done = server.machine.run("demo-plugins", "doctor", "--dry-run", check=False)
    assert f"demo-plugins: {reason}\ndemo-plugins:   repair: {repair}\n" in done.stdout
