"""Faults that the transaction fuzzer found, each in its shortest form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import roots
from tests.fuzz.families import FAMILIES
from tests.fuzz.machine import FuzzMachine
from tests.target.machine import Key
from tests.target.server import PLUGINS, Server

pytestmark = pytest.mark.acceptance

MANAGERS = {"deb": "apt", "rpm": "dnf"}
SULKS = 'if [ "$1" = run ]; then echo no luck; exit 1; fi\n'

KILLER = """#!/bin/sh
for process in /proc/[0-9]*; do
    if tr '\\000' ' ' <"$process/cmdline" | grep -q 'demo-plugins apply'; then kill -9 "${process#/proc/}"; fi
done
"""


@pytest.fixture(params=sorted(MANAGERS))
def server(request: pytest.FixtureRequest, bootable: None, tmp_path: Path) -> Iterator[Server]:
    family: str = request.param
    with FuzzMachine(roots.root(FAMILIES[MANAGERS[family]].base), tmp_path / "root") as machine:
        yield Server(machine, Key(tmp_path, "trusted"), tmp_path / "packages", family)


def install(server: Server, *places: str) -> str:
    if server.family == "deb":
        return server.dpkg("-i", *places)
    said = server.rpm("-U", "--force", *places)
    server.machine.run("systemctl", "enable", "--now", "demo", check=False)
    return said


def reboot(server: Server) -> None:
    server.machine.stop()
    server.machine.start()


def wait_for(server: Server, state: str) -> None:
    server.machine.sh(f'until [ "$(systemctl is-active demo)" = {state} ]; do sleep 0.2; done', timeout=60)


def test_a_set_that_boot_applied_and_that_does_not_start_gives_way_to_the_old_one(server: Server) -> None:
    install(server, *server.build(plugins={"git": PLUGINS["git"]}).values())
    new = server.build(version="1.1", plugins={"git": SULKS})
    # As if power had gone when the files lay there and no script had run.
    if server.family == "deb":
        server.dpkg("--unpack", "--no-triggers", *new.values())
    else:
        server.rpm("-U", "--noscripts", "--notriggers", *new.values())
    reboot(server)
    wait_for(server, "active")
    assert server.starts()[-1] == "1.0 with: git"
    assert server.status() == 1
    server.machine.sh("until systemctl is-failed --quiet demo-apply; do sleep 0.2; done", timeout=60)
    # The next boot does not try again what only a start can show.
    reboot(server)
    assert server.state() == "active"
    assert server.starts()[-1] == "1.0 with: git"
    assert "no luck" not in server.journal("--boot", "-u", "demo")
    assert server.status() == 1


def test_a_set_that_was_rolled_back_does_not_come_alive_at_boot(server: Server) -> None:
    install(server, *server.build(plugins={"git": PLUGINS["git"]}).values())
    install(server, *server.build(version="1.1", plugins={"git": SULKS}).values())
    assert server.starts()[-1] == "1.0 with: git"
    reboot(server)
    assert server.state() == "active"
    assert server.starts()[-1] == "1.0 with: git"
    assert "no luck" not in server.journal("--boot", "-u", "demo")
    install(server, *server.build(version="1.2", plugins=PLUGINS).values())
    assert server.starts()[-1] == "1.2 with: cors git"
    assert server.status() == 0


def test_the_old_set_comes_back_though_apply_is_killed_when_the_new_one_starts(server: Server) -> None:
    unit = {"ExecStartPre": "+-/usr/local/sbin/kill-apply"}
    install(server, *server.build(plugins={"git": PLUGINS["git"]}, unit=unit).values())
    places = server.build(version="1.1", plugins={"git": SULKS}, unit=unit)
    server.machine.write("/usr/local/sbin/kill-apply", KILLER.replace("apply'", "apply --quiet'"), 0o755)
    if server.family == "deb":
        server.machine.run("dpkg", "-i", *places.values(), check=False)
    else:
        server.machine.run("rpm", "-U", "--nosignature", *places.values(), check=False)
    server.machine.sh("rm /usr/local/sbin/kill-apply")
    wait_for(server, "active")
    assert server.starts()[-1] == "1.0 with: git"
    assert server.status() == 1


@pytest.mark.parametrize("server", ["deb"], indirect=True)
def test_dpkg_repeats_an_apply_that_was_killed(server: Server) -> None:
    places = server.build(plugins=PLUGINS)
    tool = "/usr/lib/demo/assemble"
    server.dpkg("--unpack", *places.values())
    # Apply is killed while the driver's step runs.
    server.machine.sh(f"mv {tool} /root/kept")
    server.machine.write(tool, "#!/bin/sh\nsleep 20\n", 0o755)
    server.machine.sh(
        "setsid sh -c 'until [ -e /usr/lib/demo/bin/.apply.new/room/tmp ]; do sleep 0.1; done; sleep 0.5; "
        'kill -9 $(grep -laE "demo-plugin[s].apply" /proc/[0-9]*/cmdline | tr -dc "0-9\\n")\' '
        ">/dev/null 2>&1 </dev/null &"
    )
    cut = server.machine.run("dpkg", "--configure", "-a", check=False)
    assert cut.returncode != 0, cut.stdout
    server.machine.sh(f"mv /root/kept {tool}")
    assert server.state() == "inactive"
    server.dpkg("--configure", "-a")
    assert server.starts() == ["1.0 with: cors git"]
    assert server.status() == 0


@pytest.mark.parametrize("server", ["rpm"], indirect=True)
def test_what_a_killed_rpm_left_does_not_stop_the_next_transaction(server: Server) -> None:
    places = server.build(plugins=PLUGINS)
    install(server, places["demo"], places["demo-plugin-git"])
    left = ["/usr/lib/demo/assemble;65f0c2aa", "/usr/lib/demo/plugins/git/code;65f0c2ab"]
    for path in left:
        server.machine.write(path, "half")
    install(server, places["demo-plugin-cors"])
    assert server.starts()[-1] == "1.0 with: cors git"
    assert server.status() == 0
    assert not any(server.machine.path(path).exists() for path in left)
