"""What the maintainer scripts and apply do together: a booted Debian, real dpkg, one start per transaction."""

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
    with Machine(roots.root("debian12-apt"), tmp_path / "root") as machine:
        yield Server(machine, Key(tmp_path, "trusted"), tmp_path / "debs", "deb")


def test_one_start_per_transaction_from_installation_to_purge(server: Server) -> None:
    deb = server.build(plugins=PLUGINS)
    before = server.machine.sh("find /etc /usr /opt /srv -xdev | sort")
    out = server.dpkg("-i", *deb.values())
    assert server.starts() == ["1.0 with: cors git"]
    assert "demo-plugins: verified and put into demo: cors 1.0-1, git 1.0-1\n" in out
    assert server.machine.sh("stat -c '%a %U:%G' /usr/lib/demo/plugins").strip() == "750 root:demo"
    assert server.machine.sh("systemctl is-enabled demo").strip() == "enabled"
    assert server.status() == 0
    assert server.machine.sh("dpkg -V demo demo-plugin-git") == ""

    out = server.dpkg("-r", "demo-plugin-git")
    assert server.starts()[1:] == ["1.0 with: cors"]
    assert "restarted demo.service" in out
    server.dpkg("-P", "demo-plugin-cors")
    assert server.starts()[2:] == ["1.0 with:"]
    assert server.machine.sh("stat -L -c %h /usr/lib/demo/bin/demo").strip() == "2"

    server.dpkg("-i", deb["demo-plugin-git"], deb["demo-plugin-cors"])
    assert server.starts()[3:] == ["1.0 with: cors git"]
    server.dpkg("-i", deb["demo"])
    assert len(server.starts()) == 4, "the same core again changes nothing"

    new = server.build(version="1.1", plugins=PLUGINS)
    server.dpkg("-i", *new.values())
    assert server.starts()[4:] == ["1.1 with: cors git"]
    unit = server.build(version="1.1", plugins=PLUGINS, unit={"LimitNOFILE": "4096"})
    server.dpkg("-i", unit["demo"])
    assert server.starts()[5:] == ["1.1 with: cors git"]
    assert server.machine.sh("systemctl show -P LimitNOFILE demo").strip() == "4096"

    out = server.dpkg("-r", "demo-plugin-git", "demo-plugin-cors", "demo")
    assert "not empty" not in out
    assert server.state() == "inactive"
    server.dpkg("-i", new["demo"])
    assert server.starts()[6:] == ["1.1 with:"], "removed, not purged, and back: it starts"
    server.dpkg("-P", "demo")
    after = server.machine.sh("find /etc /usr /opt /srv -xdev ! -path '/srv/[23]*' | sort")
    ignored = {"/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/.pwd.lock"}
    assert set(after.splitlines()) - set(before.splitlines()) <= ignored
    assert set(before.splitlines()) <= set(after.splitlines())


def test_a_stopped_server_stays_stopped(server: Server) -> None:
    deb = server.build(plugins=PLUGINS)
    server.dpkg("-i", deb["demo"])
    server.machine.run("systemctl", "stop", "demo")
    server.dpkg("-i", deb["demo-plugin-git"])
    server.dpkg("-i", *server.build(version="1.1", plugins=PLUGINS).values())
    assert server.state() == "inactive"
    assert len(server.starts()) == 1
    assert server.status() == 0


def test_a_plugin_that_fails_only_as_a_service_is_rolled_back(server: Server) -> None:
    deb = server.build(plugins={**PLUGINS, "bad": 'if [ "$1" = run ]; then echo no luck; exit 1; fi\n'})
    server.dpkg("-i", deb["demo"], deb["demo-plugin-git"])
    out = server.dpkg("-i", deb["demo-plugin-bad"])
    assert "demo.service does not start with bad, git" in out
    assert "the old set goes on serving: demo with git 1.0-1" in out
    assert server.state() == "active"
    assert server.starts()[-1] == "1.0 with: git"
    assert server.status() == 1
    assert "does not start with bad" in server.journal("-t", "demo-plugins")
    out = server.dpkg("-P", "demo-plugin-bad")
    assert "what is installed is what serves again" in out
    assert server.status() == 0


def test_a_broken_plugin_does_not_stop_dpkg_nor_the_server(server: Server) -> None:
    deb = server.build(plugins={**PLUGINS, "bad": "echo no luck >&2; exit 1\n"})
    server.dpkg("-i", deb["demo"], deb["demo-plugin-git"])
    out = server.dpkg("-i", deb["demo-plugin-bad"])
    assert "demo with bad, git ended with status 1 when it was tried: no luck" in out
    assert len(server.starts()) == 1
    assert server.state() == "active"
    # The set that failed must not come alive by a restart of the machine either.
    server.machine.stop()
    server.machine.start()
    assert server.starts()[-1] == "1.0 with: git"
    server.dpkg("-i", *server.build(plugins={"bad": 'plugins="$plugins good"\n'}).values())
    assert server.starts()[-1] == "1.0 with: good git"


def test_a_first_set_that_fails_starts_nothing_until_one_works(server: Server) -> None:
    deb = server.build(plugins={"bad": "echo no luck >&2; exit 1\n"})
    out = server.dpkg("-i", deb["demo"], deb["demo-plugin-bad"])
    assert "there is no working program yet" in out
    assert server.starts() == []
    assert server.state() == "inactive"
    server.dpkg("-i", *server.build(plugins={"bad": 'plugins="$plugins good"\n'}).values())
    assert server.starts() == ["1.0 with: good"]


def test_a_removal_that_dpkg_takes_back_leaves_the_server_running(server: Server) -> None:
    """dpkg calls the scripts like this when prerm, or another package of the run, fails (Debian Policy 6.7)."""
    deb = server.build(plugins=PLUGINS)
    server.dpkg("-i", deb["demo"], deb["demo-plugin-git"])
    server.machine.sh("DPKG_MAINTSCRIPT_PACKAGE=demo /var/lib/dpkg/info/demo.prerm remove")
    assert server.state() == "inactive"
    server.machine.sh("DPKG_MAINTSCRIPT_PACKAGE=demo /var/lib/dpkg/info/demo.postinst abort-remove")
    assert server.state() == "active"
    assert server.starts()[-1] == "1.0 with: git"
    assert server.status() == 0


def test_policy_rc_d_is_asked(server: Server) -> None:
    server.machine.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
    deb = server.build(plugins=PLUGINS)
    server.dpkg("-i", deb["demo"])
    assert server.starts() == []
    server.machine.run("systemctl", "start", "demo")
    server.dpkg("-i", deb["demo-plugin-git"])
    assert len(server.starts()) == 1
    assert server.status() == 1, "an older program runs"
    server.machine.run("systemctl", "restart", "demo")
    assert server.starts()[-1] == "1.0 with: git"


def test_an_image_build_without_systemd_makes_the_program(tmp_path: Path) -> None:
    with Machine(roots.root("debian12-apt"), tmp_path / "root", boot=False) as machine:
        server = Server(machine, Key(tmp_path, "trusted"), tmp_path / "debs", "deb")
        server.dpkg("-i", *server.build(plugins=PLUGINS).values())
        assert machine.sh("/usr/bin/demo version") == "demo  cors git\n"
        assert server.status() == 0
