"""A key is revoked on booted machines: what it signed leaves the service, and no way leads back to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.target import packages
from tests.target.machine import Key
from tests.target.server import PLUGINS, Server

pytestmark = pytest.mark.acceptance

EVIL = {"evil": 'plugins="$plugins evil"\n'}
# It passes its try, and as a service wants the plugin.
WANTS_EVIL = 'if [ "$1" = run ]; then case $plugins in *evil*) ;; *) exit 1 ;; esac; fi\n'


def test_no_update_waits_for_a_revoked_key_and_nothing_goes_back_to_it(server: Server, tmp_path: Path) -> None:
    lost = Key(tmp_path, "lost")
    server.install(*server.build(plugins=PLUGINS, keys=(lost,)).values())
    server.install(server.build(plugins=EVIL, key=lost)["demo-plugin-evil"])
    assert server.starts()[-1] == "1.0 with: cors evil git"
    unit = {"Restart": "no"}
    revoked = {"revoked_keys": (lost.id.hex(),)}
    program = f"{packages.PROGRAM}# end of the head\n{WANTS_EVIL}{packages.REST}".encode()
    before = len(server.starts())

    # The service does not start without it: it is not started with it again.
    server.install(server.build(version="1.1", unit=unit, facts=revoked, program=program)["demo"])
    assert server.starts()[before:] == []
    assert server.state() == "failed"
    status = server.machine.run("demo-plugins", "status", check=False).stdout
    said = server.journal("-t", "demo-plugins")
    assert "there is no way back: the old set has evil, whose key is revoked" in said
    assert f"signed by the key {lost.id.hex()}, which is revoked" in status
    assert "put back the old set" not in said
    server.machine.stop()
    server.machine.start()
    assert server.starts()[before:] == []

    # The next core does, and whoever revoked has to be told until he has decided.
    server.install(server.build(version="1.2", unit=unit, facts=revoked)["demo"])
    assert server.starts()[-1] == "1.2 with: cors git"
    assert "evil" in server.journal("MKPKGS_EVENT=revoked")
    assert server.status() == 1
    assert "demo-apply.service" in server.machine.sh("systemctl --failed --plain --no-legend")
    assert server.machine.run("demo-plugins", "disable", "evil", check=False).returncode == 0
    assert server.status() == 0
    assert server.machine.sh("systemctl --failed --plain --no-legend") == ""


def test_what_is_wrong_with_a_list_stops_no_good_line_and_brings_nothing_back(server: Server, tmp_path: Path) -> None:
    lost = Key(tmp_path, "lost")
    server.install(*server.build(plugins=PLUGINS, keys=(lost,)).values())
    server.install(server.build(plugins=EVIL, key=lost)["demo-plugin-evil"])
    assert server.starts()[-1] == "1.0 with: cors evil git"
    listed = f"all of them\n{lost.id.hex()} # lost in the train\n"
    place = server.machine.root / "etc/demo/keys.d/revoked"
    config = server.machine.root / "etc/demo/plugins.conf"
    before = config.read_text()

    # The policy of restarts holds, and nobody says that what runs was left out.
    config.write_text("restart = defer\n")
    place.write_text(listed)
    reason = "/etc/demo/keys.d/revoked line 1 is not a key id of 16 hexadecimal digits"
    assert reason in server.machine.run("demo-plugins", "apply", check=False).stdout
    assert server.starts()[-1] == "1.0 with: cors evil git"
    told = server.machine.run("demo-plugins", "status", check=False).stdout
    assert "demo.service still runs the old set with evil, whose key is revoked" in told
    config.write_text(before)
    assert server.machine.run("demo-plugins", "apply", check=False).returncode == 1
    assert server.starts()[-1] == "1.0 with: cors git"
    assert "demo-apply.service" in server.machine.sh("systemctl --failed --plain --no-legend")
    assert reason in server.journal("-t", "demo-plugins")

    # The list turns into a link: that is told at each boot and each update, and what it said is in force all the same.
    place.rename(place.parents[1] / "lists")
    place.symlink_to("../lists")
    server.install(server.build(version="1.1")["demo"])
    assert server.starts()[-1] == "1.1 with: cors git"
    server.machine.stop()
    server.machine.start()
    assert server.starts()[-1] == "1.1 with: cors git"
    told = server.machine.run("demo-plugins", "status", check=False).stdout
    assert "/etc/demo/keys.d/revoked is a symbolic link" in told
    assert "is a symbolic link" in server.journal("-b", "-u", "demo-apply.service")
    _, _, repair = told.partition("is a symbolic link\n")[2].splitlines()[0].partition("repair: ")
    server.machine.sh(repair.replace("; then demo-plugins apply", ""))
    assert not place.is_symlink()
    assert place.read_text() == listed
    place.write_text(listed.replace("all of", "# all of"))
    server.machine.run("demo-plugins", "apply", check=False)
    assert server.machine.run("demo-plugins", "disable", "evil", check=False).returncode == 0
    assert server.status() == 0
    assert server.starts()[-1] == "1.1 with: cors git"
