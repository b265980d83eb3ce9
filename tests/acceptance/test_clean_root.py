"""`mkpkgs check --load`: an author's plugins are tried in a fresh Debian, which leaves nothing behind."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from packaging_tool.authors import room
from packaging_tool.listener import Silent
from tests.authors.world import dusk
from tests.workspace import Workspace

pytestmark = pytest.mark.acceptance


def test_a_plugin_that_ends_the_server_is_named_with_the_servers_words(
    greet: Workspace, rooms: Path, tmp_path: Path
) -> None:
    project = dusk(tmp_path, greet.dist)
    table = '\n[plugin.bad]\nsummary = "Says it otherwise"\nversion = "1.0"\nfiles.source = "bad"\n'
    (project.root / "mkpkgs.toml").write_text((project.root / "mkpkgs.toml").read_text() + table)
    (project.root / "bad").mkdir()
    (project.root / "bad/greeting").write_text("format 9\nboo\n")
    # No key of the author is needed.
    shutil.rmtree(project.keys)
    done = project.mkpkgs("check", "-q", "--load", check=False)
    tried = "greet with bad ended with status 255 when it was tried: plugin bad: format 9, not format 1"
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "greet 1.0-1 (all)",
        "  dusk: fits, and greet works with it in a clean debian12",
        f"  bad: in a clean debian12: {tried}",
        "  not shown: in a clean el9: only roots of Debian and Ubuntu can be made",
    ]


def test_programs_in_a_root_see_and_reach_nothing_of_this_machine(rooms: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine\n")
    with room.clean("debian12", Silent()) as place:
        place.put([secret])
        assert place.run("cat", f"{room.INBOX}/secret") == room.Said(0, "mine\n")
        # The others are ways out of a chroot.
        for way in ("", "/proc/1/root", "/proc/1/cwd/../.."):
            assert place.run("cat", f"{way}{secret}").status == 1
        assert int(place.run("sh", "-c", "ls -d /proc/[0-9]* | wc -l").text) < 9
        assert place.run("sed", "-n", "s/^ *\\(.*\\): .*/\\1/p", "/proc/net/dev").text == "lo\n"
        assert "Operation not permitted" in place.run("mknod", "/disk", "b", "8", "0").text
        script = r'printf "#!/bin/sh\ntouch /started\n" >/etc/init.d/it; chmod +x /etc/init.d/it; invoke-rc.d it start'
        said = place.run("sh", "-c", f"{script}; ls /started").text
        assert "policy-rc.d denied execution of start" in said
        assert "cannot access '/started'" in said


def inside(rooms: Path) -> list[str]:
    """Processes that have one of the roots."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(rooms) in (process / "mountinfo").read_text():
                found.append(process.name)
        except OSError:
            continue
    return found


def test_an_interruption_leaves_no_root_and_no_process(greet: Workspace, rooms: Path, tmp_path: Path) -> None:
    project = dusk(tmp_path, greet.dist)
    command = [sys.executable, "-m", "packaging_tool", "check", "--load"]
    with subprocess.Popen(
        command, cwd=project.root, env=project.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as running:
        end = time.monotonic() + 300
        while not inside(rooms):
            assert running.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        running.terminate()
        running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGTERM
    assert not inside(rooms)
