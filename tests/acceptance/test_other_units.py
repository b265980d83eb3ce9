"""Other units than the service run the server too, and processes of none: a set stays as long as somebody has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from packaging_tool.drivers.base import Target
from tests import roots
from tests.machine import Machine
from tests.target.machine import Key
from tests.target.packages import TREE
from tests.target.server import PLUGINS, Server

pytestmark = pytest.mark.acceptance

ROOTS = {"deb": "debian12-apt", "rpm": "debian12-dnf"}
SETS = "/usr/lib/demo/bin/sets"
# The same program with some bytes more.
ASSEMBLE = '#!/bin/sh\nset -eu\n{ cat /usr/lib/demo/bin/demo-core; echo "$*"; } >"$1"; chmod 0755 "$1"\n'
INSTANCE = "[Service]\nType={0}\nNotifyAccess=all\nExecStart={1}\n"


@pytest.fixture(params=sorted(ROOTS))
def server(request: pytest.FixtureRequest, bootable: None, tmp_path: Path) -> Iterator[Server]:
    with Machine(roots.root(ROOTS[request.param]), tmp_path / "root") as machine:
        yield Server(machine, Key(tmp_path, "trusted"), tmp_path / "packages", request.param)


def status(server: Server) -> str:
    return server.machine.run("demo-plugins", "status", check=False).stdout


def older(server: Server) -> dict[str, str]:
    """What status says of units with an older set."""
    return dict(re.findall(r"^demo-plugins: (\S+) runs an older set: (.*)$", status(server), re.MULTILINE))


def loose(server: Server, arguments: str) -> str:
    """Start the program as people do, without a unit; its process."""
    return server.machine.sh(f"setsid /usr/bin/demo {arguments} </dev/null >/dev/null 2>&1 & echo $!").strip()


def put(server: Server, *places: str) -> str:
    """Install packages of a core without a service."""
    return server.dpkg("-i", *places) if server.family == "deb" else server.rpm("-U", *places)


def purge(server: Server, *names: str) -> str:
    return server.dpkg("--purge", *names) if server.family == "deb" else server.rpm("-e", *names)


def sets(server: Server) -> list[str]:
    return server.machine.sh(f"ls {SETS}").split()


def test_a_set_stays_as_long_as_somebody_has_it(server: Server) -> None:
    scripts(server)
    purge(server, "demo-plugin-git", "demo-plugin-cors", "demo")
    programs(server)


def scripts(server: Server) -> None:
    """A script, whose process is that of an interpreter, with a service and instances of the administrator's."""
    machine = server.machine
    built = server.build(plugins=PLUGINS, target=Target(tree=True), program=TREE.encode())
    server.install(built["demo"], built["demo-plugin-git"])
    machine.write("/etc/systemd/system/demo@.service", INSTANCE.format("notify", "/bin/sh /usr/bin/demo run %i"))
    machine.sh("systemctl daemon-reload; systemctl start demo@b; systemctl start demo@c; systemctl stop demo@c")
    # An editor of it is no server.
    machine.sh("setsid tail -f /usr/bin/demo </dev/null >/dev/null 2>&1 &")
    process = loose(server, "run")
    server.install(built["demo-plugin-cors"])
    assert older(server) == {"demo@b.service": "demo with git 1.0-1"}
    assert f"processes of no unit that run an older set: {process}\n" in status(server)
    machine.sh(f"systemctl restart demo@b; kill {process}")
    assert server.status() == 0
    # What the administrator names follows the service, and what is stopped stays so.
    machine.write("/etc/demo/plugins.conf", "units = demo@*.service demo*.service\n")
    machine.sh("! systemctl is-active demo@c")
    removed = server.remove("demo-plugin-cors")
    assert "git 1.0-1; restarted demo.service; restarted demo@b.service\n" in removed
    assert machine.sh("systemctl is-active demo@b demo@c || :") == "active\ninactive\n"
    assert server.status() == 0
    server.install(built["demo-plugin-cors"])
    machine.sh("systemctl stop demo@b")


def programs(server: Server) -> None:
    """A binary program without a service, which people and units of theirs call."""
    machine = server.machine
    built = server.build(
        plugins=PLUGINS | {"web": "", "late": ""},
        target=Target(assemble=ASSEMBLE),
        program=machine.path("/usr/bin/sleep").read_bytes(),
        facts={"service": None, "check": "--version"},
    )
    plugin = {name: built[f"demo-plugin-{name}"] for name in ("git", "cors", "web", "late")}
    machine.write("/etc/systemd/system/demo@.service", INSTANCE.format("exec", "/usr/bin/demo 9999%i\nUser=nobody"))
    machine.write("/etc/systemd/system/mine.service", INSTANCE.format("exec", "/usr/lib/demo/bin/demo infinity"))
    put(server, built["demo"], plugin["git"])
    machine.sh("systemctl daemon-reload; systemctl start demo@1 demo@2 demo@3 mine; systemctl kill -s KILL demo@3")
    process = loose(server, "123456")
    (first,) = sets(server)
    put(server, plugin["cors"])
    assert len(sets(server)) == 2
    assert older(server) == dict.fromkeys(("demo@1.service", "demo@2.service", "mine.service"), "demo with git 1.0-1")
    assert f"processes of no unit that run an older set: {process}\n" in status(server)
    assert "all is well" not in machine.run("demo-plugins", "doctor", check=False).stdout
    # The units of apply see them too, whoever they are.
    machine.sh("systemctl start demo-apply-later@0.service")
    assert first in sets(server)
    # As needrestart looks for it.
    assert machine.sh(f"readlink /proc/{process}/exe") == f"{SETS}/{first}/demo (deleted)\n"
    machine.sh("systemctl stop demo@1; systemctl restart demo@2")
    assert list(older(server)) == ["mine.service"]
    # The first set again, which a process has: beside it.
    purge(server, "demo-plugin-cors")
    assert set(sets(server)) > {first, f"{first}.again"}
    assert set(older(server)) == {"demo@2.service", "mine.service"}
    machine.write(
        "/etc/demo/plugins.conf", "units = demo@*.service other@1.service demo@7.service mine.service x?.service\n"
    )
    # Those may come later; of an instance that was never started there is the template.
    lone = "demo-plugins: there is no unit for this in units of /etc/demo/plugins.conf: other@1.service, x?.service\n"
    assert lone in (told := status(server)), told.splitlines()[1]
    assert lone in machine.run("demo-plugins", "doctor", check=False).stdout
    machine.write("/etc/demo/plugins.conf", "units = demo@*.service mine.service\n")
    said = put(server, plugin["web"])
    assert "web 1.0-1; restarted demo@2.service, demo@3.service, mine.service\n" in said
    assert machine.sh("systemctl is-active demo@1 demo@2 demo@3 mine || :").split() == ["inactive", *["active"] * 3]
    assert (server.status(), older(server)) == (0, {})
    assert len(sets(server)) == 2
    machine.sh(f"kill {process}; demo-plugins apply")
    assert len(sets(server)) == 1
    # A unit that does not come up with it is told.
    machine.write(
        "/etc/systemd/system/demo@3.service.d/x.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/demo never\n"
    )
    machine.sh("systemctl daemon-reload")
    said = put(server, plugin["late"])
    assert "demo@3.service of units in /etc/demo/plugins.conf does not start with it" in said
