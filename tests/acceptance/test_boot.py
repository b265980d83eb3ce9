"""What the boot unit does: it applies what is installed where nobody did, shows failures, and is otherwise quick."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests import roots
from tests.machine import Machine
from tests.target.machine import Key
from tests.target.server import PLUGINS, Server
from tests.tiers import at_night

pytestmark = pytest.mark.acceptance

LUCK = "echo no luck >&2; exit 1\n"
# systemd's word for the begin of a stop that somebody asked for; the server's own user can write it of this very run.
FORGED = (
    "printf 'MESSAGE_ID=de5b426a63be47a7b6ac3eaac82e2f6f\\nUNIT=demo.service\\nINVOCATION_ID=%s\\nMESSAGE=x\\n' "
    '"$INVOCATION_ID" | logger --journald; '
)


def unpack(server: Server, *places: str) -> None:
    """As if power had gone when the files lay there and no script had run."""
    if server.family == "deb":
        server.dpkg("--unpack", "--no-triggers", *places)
    else:
        server.rpm("-U", "--noscripts", "--notriggers", *places)


def finish(server: Server) -> None:
    """What dpkg had begun, it must finish, as status says."""
    if server.family == "deb":
        told = server.machine.run("demo-plugins", "status", check=False)
        assert (told.returncode, "dpkg --configure -a" in told.stdout) == (1, True), told.stdout
        server.dpkg("--configure", "-a")


def reboot(server: Server) -> None:
    server.machine.stop()
    server.machine.start()


def settle(server: Server) -> None:
    """Wait for the apply that a start of the boot unit leaves to another unit while the service runs."""
    working = "systemctl list-units --all --plain --no-legend --state=activating 'demo-apply*' | grep -q ."
    server.machine.sh(f"while {working}; do sleep 0.1; done", timeout=60)


def settle_watch(server: Server) -> None:
    """Wait until nobody watches the service any more: its set was put back, or somebody stopped it."""
    server.machine.sh("while systemctl is-active --quiet demo-watch; do sleep 0.1; done", timeout=60)


def shown_as_failed(server: Server) -> str:
    return server.machine.sh("systemctl --failed --plain --no-legend")


def test_boot_changes_nothing_where_nothing_changed(server: Server) -> None:
    server.install(*server.build(plugins=PLUGINS).values())
    before = server.machine.sh("find /usr/lib/demo -printf '%i %p\\n' | sort")
    # It compares manifests only: to hash all payloads would be felt at each boot.
    server.machine.sh("echo changed >/usr/lib/demo/plugins/git/code")
    reboot(server)
    assert server.machine.sh("find /usr/lib/demo -printf '%i %p\\n' | sort") == before
    assert server.machine.sh("systemctl is-enabled demo-apply").strip() == "static"
    assert server.machine.sh("systemctl show -P Result -P ExecMainStatus demo-apply").split() == ["success", "0"]
    assert "verified" not in server.journal("--boot", "-u", "demo-apply")
    assert server.starts()[1:] == ["1.0 with: cors git"]
    took = server.machine.sh(
        "systemctl show -P ExecMainStartTimestampMonotonic -P ExecMainExitTimestampMonotonic demo-apply"
    ).split()
    assert abs(int(took[1]) - int(took[0])) < 1_000_000


def test_a_preset_cannot_leave_the_boot_unit_off(server: Server) -> None:
    server.machine.write("/etc/systemd/system-preset/00-none.preset", "disable *\n")
    server.install(*server.build(plugins=PLUGINS).values())
    server.machine.run("systemctl", "preset", "demo-apply", check=False)
    assert "demo-apply.service" in server.machine.sh("systemctl show -P Wants multi-user.target")


def test_a_transaction_that_was_cut_off_is_applied_before_the_service_starts(server: Server) -> None:
    server.install(*server.build(plugins={"git": PLUGINS["git"]}).values())
    unpack(server, *server.build(version="1.1", plugins=PLUGINS).values())
    assert server.starts() == ["1.0 with: git"]
    reboot(server)
    assert server.starts()[1:] == ["1.1 with: cors git"], "one start, with the new set"
    assert server.journal("--boot", "-u", "demo-apply").count("verified and put into demo: cors 1.1-1, git 1.1-1") == 1
    if server.family == "deb":
        server.dpkg("--configure", "-a")
    assert server.starts()[2:] == [], "what repairs the package manager's records restarts nothing"
    assert server.status() == 0


# systemd takes such a service for started before its own code has run.
LEAVES = {"Type": "exec", "Restart": "no"}


def leave_at_boot(server: Server, command: str) -> None:
    """A server serves; a newer set comes at a boot and, as a service, soon runs this command."""
    server.install(*server.build(plugins={"git": PLUGINS["git"]}, unit=LEAVES).values())
    leaves = f'if [ "$1" = run ]; then sleep 0.3; {command}; fi\n'
    unpack(server, *server.build(version="1.1", plugins={"git": leaves}, unit=LEAVES).values())
    reboot(server)
    settle_watch(server)


@pytest.mark.parametrize("status", [0, 3])
def test_a_set_that_the_service_leaves_again_at_boot_is_taken_back(server: Server, status: int) -> None:
    """It passes its try, in which it does not run as a service."""
    leave_at_boot(server, f"exit {status}")
    assert server.state() == "active"
    assert server.starts()[1:] == ["1.0 with: git"]
    assert "put back the old set of demo" in server.journal("--boot", "-t", "demo-plugins")
    assert server.status() == 1
    # Who stops the service by hand finds it stopped.
    server.machine.run("systemctl", "stop", "demo")
    server.machine.run("demo-plugins", "apply", check=False)
    assert server.state() == "inactive"


@pytest.mark.parametrize("base", ["debian12-apt", at_night("debian13-apt")])
def test_only_systemd_says_that_the_service_was_stopped(base: str, bootable: None, tmp_path: Path) -> None:
    """A set that ends at once is taken back, whatever it writes to the journal; one that somebody stopped stays."""
    with Machine(roots.root(base), tmp_path / "root") as machine:
        server = Server(machine, Key(tmp_path, "trusted"), tmp_path / "packages", "deb")
        leave_at_boot(server, f"{FORGED}exit 0")
        stopping = ("--boot", "MESSAGE_ID=de5b426a63be47a7b6ac3eaac82e2f6f", "UNIT=demo.service")
        assert "x\n" in server.journal(*stopping), "the forged line has come in"
        assert server.starts()[1:] == ["1.0 with: git"]
        assert server.state() == "active"
        assert "put back the old set of demo" in server.journal("--boot", "-t", "demo-plugins")
        # Somebody stops the service while its new set has not proven itself.
        machine.write(
            "/etc/systemd/system/stopper.service",
            "[Unit]\nAfter=demo.service\n[Service]\nType=oneshot\n"
            "ExecStart=sh -c 'sleep 1; systemctl stop demo'\n[Install]\nWantedBy=multi-user.target\n",
        )
        machine.run("systemctl", "enable", "stopper")
        unpack(server, *server.build(version="1.2", plugins={"git": PLUGINS["git"]}, unit=LEAVES).values())
        reboot(server)
        settle_watch(server)
        assert "Stopping" in server.journal(*stopping, "_PID=1")
        assert server.starts()[2:] == ["1.2 with: git"]
        assert server.state() == "inactive"
        assert "put back" not in server.journal("--boot", "-t", "demo-plugins")


@pytest.mark.parametrize("moment", ["assemble", "swap"])
def test_power_loss_within_apply_is_repaired_at_boot(server: Server, moment: str) -> None:
    server.install(*server.build(plugins={"git": PLUGINS["git"]}).values())
    unpack(server, *server.build(version="1.1", plugins=PLUGINS).values())
    # It stops in the middle: the step of the driver, or the first write to disk that follows it, never ends.
    victim = {"assemble": "/usr/lib/demo/assemble", "swap": "/usr/bin/sync"}[moment]
    server.machine.sh(f"mv {victim} /root/kept; printf '#!/bin/sh\\nexec sleep 600\\n' >{victim}; chmod 0755 {victim}")
    server.machine.sh("setsid demo-plugins apply >/dev/null 2>&1 </dev/null & sleep 3")
    assert server.machine.sh("ls -d /usr/lib/demo/bin/.apply.*").strip()
    server.machine.sh(f"mv /root/kept {victim}")
    leader = server.machine._leader()
    assert leader is not None
    os.kill(leader, signal.SIGKILL)
    server.machine.stop()
    server.machine.start()
    assert server.starts()[1:] == ["1.1 with: cors git"]
    finish(server)
    assert server.status() == 0
    assert server.machine.sh("ls -A /usr/lib/demo/bin").split() == [
        "demo",
        "demo-core",
        "serving",
        "sets",
        "working-set",
    ]


def test_a_failed_apply_is_seen_among_the_failed_units_until_it_is_repaired(server: Server) -> None:
    built = server.build(plugins={**PLUGINS, "bad": LUCK})
    server.install(built["demo"], built["demo-plugin-git"])
    assert shown_as_failed(server) == ""
    server.install(built["demo-plugin-bad"])
    assert "demo-apply.service" in shown_as_failed(server)
    shown = server.machine.run("systemctl", "status", "--no-pager", "--full", "demo-apply", check=False).stdout
    assert "no luck" in shown
    # To start the unit is to try again: it fails again, at once, and the server goes on.
    again = server.machine.run("systemctl", "restart", "demo-apply", check=False, timeout=60)
    settle(server)
    assert "demo-apply.service" in shown_as_failed(server), again.stdout
    assert server.starts() == ["1.0 with: git"]
    # A boot tries again too, and the old set serves.
    reboot(server)
    assert "demo-apply.service" in shown_as_failed(server)
    assert "no luck" in server.journal("--boot", "-u", "demo-apply")
    assert server.starts()[1:] == ["1.0 with: git"]
    server.install(*server.build(version="1.1", plugins={"bad": 'plugins="$plugins good"\n', **PLUGINS}).values())
    assert shown_as_failed(server) == ""
    assert not server.machine.sh("ls /run/demo-plugins.failed 2>/dev/null || :")
    assert server.starts()[2:] == ["1.1 with: good cors git"]


def test_a_payload_that_was_changed_is_seen_among_the_failed_units(server: Server) -> None:
    """Its manifest is still the same, so a look at manifests alone would find nothing wrong."""
    server.install(*server.build(plugins=PLUGINS).values())
    server.machine.sh("cp /usr/lib/demo/plugins/git/code /root/code; echo evil >>/usr/lib/demo/plugins/git/code")
    assert server.machine.run("demo-plugins", "apply", check=False).returncode == 1
    assert "demo-apply.service" in shown_as_failed(server)
    server.machine.run("systemctl", "restart", "demo-apply", check=False)
    settle(server)
    assert "demo-apply.service" in shown_as_failed(server)
    server.machine.sh("cat /root/code >/usr/lib/demo/plugins/git/code; demo-plugins apply")
    assert shown_as_failed(server) == ""


def test_the_boot_unit_waits_for_nobody_and_restarts_the_service_without_a_deadlock(server: Server) -> None:
    built = server.build(plugins=PLUGINS)
    server.install(built["demo"], built["demo-plugin-git"])
    unpack(server, built["demo-plugin-cors"])
    server.machine.sh("flock /run/demo-plugins.lock sleep 3 & sleep 0.3; timeout 2 systemctl start demo-apply")
    assert server.starts() == ["1.0 with: git"], "another apply is at work: it will do"
    server.machine.sh("sleep 3; timeout 20 systemctl start demo-apply")
    settle(server)
    assert server.starts()[1:] == ["1.0 with: cors git"]
    assert server.state() == "active"
    assert server.machine.sh("systemctl list-jobs --no-legend") in ("", "No jobs running.\n")


def test_an_apply_while_the_machine_goes_down_is_left_to_the_next_boot(server: Server) -> None:
    """systemd starts nothing then, neither a try nor the server, which is no reason to refuse a set."""
    built = server.build(plugins=PLUGINS)
    server.install(built["demo"], built["demo-plugin-git"])
    unpack(server, built["demo-plugin-cors"])
    server.machine.write(
        "/etc/systemd/system/late.service",
        "[Unit]\nAfter=demo.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\n"
        "ExecStop=/usr/bin/demo-plugins apply\n",
    )
    server.machine.sh("systemctl daemon-reload; systemctl start late")
    reboot(server)
    # Not by its unit: logger has often ended before journald could look up which one sent the line.
    said = server.journal("-t", "demo-plugins")
    assert "put off until the next boot, since the machine is going down" in said
    assert server.starts()[1:] == ["1.0 with: cors git"]
    finish(server)
    assert server.status() == 0
    assert shown_as_failed(server) == ""


def test_systemd_accepts_the_units_and_finds_them_confined(server: Server) -> None:
    server.install(*server.build(plugins=PLUGINS).values())
    units = [
        "demo.service",
        "demo-apply.service",
        "demo-apply-later@1.service",
        "demo-watch.service",
        "demo-try.service",
    ]
    done = server.machine.run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units)
    assert done.stdout == ""
    for unit in ("demo-apply.service", "demo-watch.service"):
        server.machine.run("systemd-analyze", "security", "--no-pager", "--threshold=50", unit)


def test_a_server_that_may_bind_ports_80_and_443_is_exposed_by_at_most_2_0(server: Server) -> None:
    bind = "CAP_NET_BIND_SERVICE"
    unit = {"CapabilityBoundingSet": bind, "AmbientCapabilities": bind, "PrivateUsers": "no"}
    server.install(*server.build(plugins=PLUGINS, unit=unit).values())
    server.machine.run("systemd-analyze", "security", "--no-pager", "--threshold=20", "demo.service")
    pid = server.machine.sh("systemctl show -P MainPID demo").strip()
    assert "CapEff:\t0000000000000400\n" in server.machine.sh(f"cat /proc/{pid}/status")
