"""A set serves when it has proved itself as a service: for a minute it is watched, and who dies in it is put back."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from tests.acceptance.test_boot import reboot, shown_as_failed
from tests.acceptance.test_restart import policy, said_by_status
from tests.fuzz.deaths import COMMAND, PUT_BACK, build, dies, load, prepare, rounds
from tests.target.server import Server
from tests.tiers import at_night

pytestmark = pytest.mark.acceptance

WATCH = "demo-watch.service"


def wait_until(server: Server, condition: str, seconds: float = 20) -> None:
    """Wait until a shell's condition holds."""
    server.machine.sh(f"until {condition}; do sleep 0.2; done", timeout=seconds)


def serving(server: Server) -> str:
    """Names of the plugins of the working set."""
    return " ".join(re.findall(r"^plugin (\w+)", server.machine.sh("cat /usr/lib/demo/bin/working-set"), re.MULTILINE))


# Policy, seconds after the start, and how the service ends.
DEATHS = (("auto", 0.0, "exit 3"), (COMMAND, 3.0, "exit 0"))
MORE_DEATHS = ((COMMAND, 0.0, "kill -9 $$"), ("reload", 2.0, "kill -9 $$"))


@pytest.mark.parametrize("deaths", [DEATHS, at_night((*DEATHS, *MORE_DEATHS))], ids=len)
def test_a_set_that_dies_is_put_back_whenever_and_however_it_does(
    server: Server, deaths: Sequence[tuple[str, float, str]]
) -> None:
    """`make fuzz-deaths` does it thirty times for those that die at once, and up to 50 seconds after the start."""
    built = build(server)
    server.install(built["demo"], built["demo-plugin-git"])
    prepare(server)
    load(server, 2)
    assert "\n".join(rounds(server, deaths)) == ""
    told = server.journal("-t", "demo-plugins")
    assert "put back the old set of demo" in told
    assert "demo.service does not stay up with dies, git (it ended by itself); new in this set: dies 1.0-1" in told
    assert "the old set goes on serving: demo with git 1.0-1" in told
    assert shown_as_failed(server) == ""


def watched_until(server: Server) -> datetime:
    """What status says, in JSON and in words; to a second, as clocks are read one after the other."""
    until = json.loads(server.machine.run("demo-plugins", "status", "--json").stdout)["watched_until"]
    told = re.search(r"watched until (\S+ \S+): if demo\.service ends by itself, ", said_by_status(server))
    assert told is not None
    time_of = datetime.fromisoformat(until)
    assert abs(time_of.replace(tzinfo=None) - datetime.fromisoformat(told[1])) <= timedelta(seconds=1)
    return time_of


def test_a_set_that_stays_up_for_a_minute_is_not_watched_any_more(server: Server) -> None:
    # As Java does when it is asked to end; systemd calls that a failure.
    built = build(server, cors='plugins="$plugins cors"\ntrap "exit 143" TERM\n')
    server.install(built["demo"], built["demo-plugin-git"])
    assert "watched" not in said_by_status(server), "there is no set to go back to"
    said = server.install(built["demo-plugin-cors"])
    assert "restarted demo.service, watched for 60 seconds" in said
    until = watched_until(server)
    assert "demo with git 1.0-1 comes back" in said_by_status(server)
    assert server.status() == 0
    # It costs nothing, and a kill of it changes nothing.
    server.machine.sh("sleep 5")
    used = server.machine.sh(f"cat /proc/$(systemctl show -P MainPID {WATCH})/stat").split()[13:17]
    assert sum(map(int, used)) < 50, "ticks of 10 ms"
    server.machine.run("systemctl", "kill", "-s", "KILL", WATCH)
    wait_until(server, f"[ $(systemctl is-active {WATCH}) = active ]")
    assert abs(watched_until(server) - until) <= timedelta(seconds=1)
    # Nor does what changes nothing.
    server.machine.run("demo-plugins", "apply")
    assert len(server.machine.sh("ls /usr/lib/demo/bin/sets").split()) == 2
    # An administrator who stops the server wants it so.
    server.machine.run("systemctl", "stop", "demo")
    wait_until(server, f"[ $(systemctl is-active {WATCH}) = inactive ]")
    assert "watched for 60 seconds from the next start of demo.service" in said_by_status(server)
    assert server.state() == "failed"
    assert serving(server) == "cors git"
    server.machine.run("systemctl", "start", "demo")
    begun = time.monotonic()
    wait_until(server, f"[ $(systemctl is-active {WATCH}) = inactive ]", 90)
    assert 55 < time.monotonic() - begun < 75
    assert server.state() == "active"
    assert "demo.service has stayed up for 60 seconds: demo with cors 1.0-1" in server.journal("-t", "demo-plugins")
    assert "watched" not in said_by_status(server)
    assert len(server.machine.sh("ls /usr/lib/demo/bin/sets").split()) == 1
    assert server.machine.sh("ls /run/demo-plugins*").split() == ["/run/demo-plugins.lock"]
    assert server.status() == 0
    assert shown_as_failed(server) == ""


def test_what_comes_while_a_set_is_watched(server: Server) -> None:
    built = build(server, dies=dies(3))
    server.install(built["demo"], built["demo-plugin-git"])
    # Another set, with which the server dies: the one that was there goes on, and is watched itself.
    server.install(built["demo-plugin-cors"])
    server.install(built["demo-plugin-dies"])
    wait_until(server, PUT_BACK)
    why = server.machine.run("demo-plugins", "why", "dies", check=False).stdout
    assert re.search(r"put back +demo\.service does not stay up with .*; new in this set: dies 1\.0-1\n +repair: ", why)
    wait_until(server, "[ -e /run/demo-plugins.watched ]")
    assert serving(server) == "cors git"
    assert "watched until" in said_by_status(server)
    server.remove("demo-plugin-dies")
    assert serving(server) == "cors git"
    assert server.status() == 0
    # A newer core, with which it dies; the set before it is put back with its own core.
    newer = build(server, "1.1", dies=dies(3))
    said = server.install(newer["demo"], newer["demo-plugin-git"], newer["demo-plugin-cors"], newer["demo-plugin-dies"])
    assert "watched for 60 seconds" in said
    wait_until(server, PUT_BACK)
    assert "new in this set: demo 1.1-1, cors 1.1-1, dies 1.1-1, git 1.1-1" in said_by_status(server)
    assert "core 1.0-1" in server.machine.sh("cat /usr/lib/demo/bin/working-set")
    server.remove("demo-plugin-dies")
    assert "core 1.1-1" in server.machine.sh("cat /usr/lib/demo/bin/working-set")
    # The machine starts anew in the middle, and the set dies after that.
    later = build(server, "1.1", dies=dies(6))
    server.install(later["demo-plugin-dies"])
    reboot(server)
    assert "watched until" in said_by_status(server)
    wait_for_state = "[ $(systemctl is-active demo) = active ]"
    wait_until(server, f"{PUT_BACK} && {wait_for_state}")
    assert serving(server) == "cors git"
    server.remove("demo-plugin-dies")
    # It comes into the service by hand.
    policy(server, "defer")
    server.install(later["demo-plugin-dies"])
    server.machine.run("systemctl", "restart", "demo")
    wait_until(server, f"{PUT_BACK} && {wait_for_state}")
    assert serving(server) == "cors git"
    assert "new in this set: dies 1.1-1" in said_by_status(server)
    # All goes while one is watched.
    policy(server, "auto")
    server.remove("demo-plugin-dies")
    server.remove("demo-plugin-cors")
    assert server.machine.sh(f"systemctl is-active {WATCH}") == "active\n"
    if server.family == "deb":
        server.dpkg("--purge", "demo-plugin-git", "demo")
    else:
        server.rpm("-e", "demo-plugin-git", "demo")
    assert server.machine.sh("systemctl list-units --all --no-legend 'demo*'") == ""
    left = server.machine.sh("find /usr/lib/demo /run/demo* /usr/lib/systemd/system/demo* 2>/dev/null || :").split()
    assert left == []
    assert server.state() == "inactive"
