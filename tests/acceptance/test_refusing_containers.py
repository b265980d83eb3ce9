"""Containers with systemd that refuse namespaces, as LXC does: what can be tried is tried, and no plugin is blamed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from packaging_tool.drivers.base import Target
from packaging_tool.project.model import ServiceSpec
from tests import roots
from tests.machine import Machine
from tests.target import packages
from tests.target.machine import Key
from tests.target.server import PLUGINS, Server

pytestmark = pytest.mark.acceptance


class Refusing(Machine):
    """Its systemd gets no namespace of any kind."""

    options = ("--system-call-filter=~unshare setns",)


@pytest.fixture
def server(bootable: None, tmp_path: Path) -> Iterator[Server]:
    with Refusing(roots.root("debian12-apt"), tmp_path / "root") as machine:
        yield Server(machine, Key(tmp_path, "trusted"), tmp_path / "packages", "deb")


# What a try must not have: it ends at once if it gets it, and leaves a file where everybody may write.
EVIL = """
if [ "$1" = version ] && { true >/run/demo-evil || bash -c ': >/dev/tcp/127.0.0.1/8000'; } 2>/dev/null; then exit 9; fi
if [ "$1" = version ]; then true >/tmp/evil; fi
plugins="$plugins evil"
"""


def test_what_a_container_refuses_is_told_and_no_plugin_is_blamed(server: Server, tmp_path: Path) -> None:
    machine = server.machine
    machine.serve(tmp_path)
    service = ServiceSpec(
        command="run", check="version", config_check="version", type="notify", unit={"NotifyAccess": "all"}
    )
    built = server.build(
        plugins={**PLUGINS, "evil": EVIL, "broken": 'echo "broken pipe" >&2; exit 3\n'}, facts={"service": service}
    )
    said = server.install(built["demo"], built["demo-plugin-git"])
    assert "this container refuses what demo-make.service asks systemd for (status 226)" in said
    assert "sees the files, shared memory of the machine" in said
    assert "so the configuration of demo was not checked" in said
    assert "verified and put into demo: git 1.0-1" in said
    assert "repair: remove" not in said
    # The service itself gets no namespace of users either, which is another setting's fault.
    # While systemd starts it once more, nobody knows yet.
    for _ in range(100):
        status = machine.run("demo-plugins", "status", check=False).stdout
        assert "demo.service has failed" in status
        if "it gets no namespace of users here" in status:
            break
    assert "demo.service has failed: it gets no namespace of users here" in status
    assert "PrivateUsers=no below [Service]" in status
    machine.write("/etc/systemd/system/demo.service.d/container.conf", "[Service]\nPrivateUsers=no\n")
    machine.sh("systemctl daemon-reload; systemctl restart demo")
    assert server.starts()[-1] == "1.0 with: git"
    # It is made and tried, confined by what is left.
    assert "verified and put into demo: evil 1.0-1, git 1.0-1; restarted" in server.install(built["demo-plugin-evil"])
    assert server.starts()[-1] == "1.0 with: evil git"
    assert machine.sh("ls /tmp/evil /run/demo-evil 2>/dev/null || :") == ""
    assert "broken pipe" in server.install(built["demo-plugin-broken"])
    assert server.state() == "active"
    assert machine.sh("find /run/systemd/system -name zz-container.conf") == ""
    server.dpkg("-r", "demo-plugin-broken")
    # A server that opens its plugins itself would open those of the old set.
    built = server.build(
        version="1.1",
        plugins=PLUGINS,
        program=packages.TREE.encode(),
        target=Target(tree=True),
        facts={"service": service},
    )
    server.dpkg("-r", "demo-plugin-evil")
    said = server.install(built["demo"], built["demo-plugin-git"])
    assert "demo-plugins: so demo was not tried with git, nor its configuration checked" in said
    assert "verified and put into demo: git 1.1-1; restarted demo.service" in said
    assert server.starts()[-1] == "1.1 with: git"
