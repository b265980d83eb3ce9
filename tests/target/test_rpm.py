"""What the scriptlets, the file triggers and apply do together: a booted system, real rpm, one start per transaction.

rpm and its database work as on Fedora and EL; the system around it is Debian's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import roots
from tests.machine import Machine
from tests.target.machine import Key
from tests.target.server import PLUGINS, Server

pytestmark = pytest.mark.acceptance


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Machine(roots.root("debian12-dnf"), tmp_path / "root") as machine:
        yield Server(machine, Key(tmp_path, "trusted"), tmp_path / "rpms", "rpm")


def test_one_start_per_transaction_from_installation_to_removal(server: Server) -> None:
    rpm = server.build(plugins=PLUGINS)
    before = server.machine.sh("find /etc /usr /opt /srv -xdev | sort")
    out = server.rpm("-i", *rpm.values())
    assert "demo-plugins: verified and put into demo: cors 1.0-1, git 1.0-1\n" in out
    assert out.count("demo-plugins: ") == 1, "each file trigger calls apply, which is silent where nothing is to do"
    assert server.starts() == [], "rpm starts nothing by itself"
    assert server.machine.sh("stat -c '%a %U:%G' /usr/lib/demo/plugins").strip() == "750 root:demo"
    server.machine.run("systemctl", "start", "demo")
    assert server.starts() == ["1.0 with: cors git"]
    assert server.status() == 0
    assert server.rpm("-V", "demo", "demo-plugin-git") == ""

    out = server.rpm("-e", "demo-plugin-git")
    assert server.starts()[1:] == ["1.0 with: cors"]
    assert "restarted demo.service" in out
    server.rpm("-e", "demo-plugin-cors")
    assert server.starts()[2:] == ["1.0 with:"]
    server.rpm("-i", rpm["demo-plugin-git"], rpm["demo-plugin-cors"])
    assert server.starts()[3:] == ["1.0 with: cors git"]

    new = server.build(version="1.1", plugins=PLUGINS)
    server.rpm("-U", *new.values())
    assert server.starts()[4:] == ["1.1 with: cors git"]
    server.rpm("-U", "--force", *new.values())
    assert len(server.starts()) == 5, "the same packages again change nothing"
    server.rpm("-U", "--oldpackage", *rpm.values())
    assert server.starts()[5:] == ["1.0 with: cors git"]
    assert server.status() == 0

    server.rpm("-e", "demo-plugin-git", "demo-plugin-cors", "demo")
    assert server.state() == "inactive"
    after = server.machine.sh("find /etc /usr /opt /srv -xdev ! -path '/srv/2*' | sort")
    # The package `filesystem` owns these two, and this system has none.
    shared = {"/usr/share/licenses", "/usr/share/man/man8"}
    ignored = {*shared, "/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/.pwd.lock"}
    assert set(after.splitlines()) - set(before.splitlines()) <= ignored


def test_a_stopped_server_stays_stopped(server: Server) -> None:
    rpm = server.build(plugins=PLUGINS)
    server.rpm("-i", rpm["demo"], rpm["demo-plugin-git"])
    server.rpm("-U", *server.build(version="1.1", plugins=PLUGINS).values())
    assert server.state() == "inactive"
    assert server.status() == 0


def test_a_broken_plugin_does_not_stop_rpm_nor_the_server(server: Server) -> None:
    rpm = server.build(plugins={**PLUGINS, "bad": "echo no luck >&2; exit 1\n"})
    server.rpm("-i", rpm["demo"], rpm["demo-plugin-git"])
    server.machine.run("systemctl", "start", "demo")
    out = server.rpm("-i", rpm["demo-plugin-bad"])
    assert "demo with bad, git ended with status 1 when it was tried: no luck" in out
    assert server.starts() == ["1.0 with: git"]
    assert server.status() == 1
    out = server.rpm("-e", "demo-plugin-bad")
    assert "what is installed is what serves again" in out
    assert server.status() == 0


def test_files_that_rpm_does_not_know_are_refused(server: Server) -> None:
    rpm = server.build(plugins=PLUGINS)
    server.rpm("-i", rpm["demo"], rpm["demo-plugin-git"])
    server.machine.sh("rpm -e --justdb --noscripts --notriggers demo-plugin-git")
    out = server.machine.run("demo-plugins", "verify", check=False).stdout
    assert "plugin git: the package demo-plugin-git is not on record" in out
    assert "repair: dnf install demo-plugin-git" in out


def test_an_image_build_without_systemd_makes_the_program(tmp_path: Path) -> None:
    with Machine(roots.root("debian12-dnf"), tmp_path / "root", boot=False) as machine:
        server = Server(machine, Key(tmp_path, "trusted"), tmp_path / "rpms", "rpm")
        server.rpm("-i", *server.build(plugins=PLUGINS).values())
        assert machine.sh("/usr/bin/demo version") == "demo  cors git\n"
        assert server.status() == 0
