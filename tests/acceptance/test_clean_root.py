"""`mkpkgs check --load`: an author's plugins are tried in a fresh Debian, which leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from packaging_tool.authors import room
from tests.acceptance.conftest import NOT_SHOWN
from tests.authors.test_go_link import PLUGIN, SAMPLE, write_plugin
from tests.authors.world import author, dusk
from tests.workspace import Workspace

pytestmark = pytest.mark.acceptance


def keep(source: Path, target: Path) -> None:
    """Copy the roots and fetched packages that are not there yet."""
    target.mkdir(parents=True, exist_ok=True)
    kept = [*source.glob("*.tar"), *source.glob("archives-*")]
    subprocess.run(["cp", "-a", "-n", "--reflink=auto", *kept, target], check=bool(kept))


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache for this test alone; what takes time to make is in the user's own."""
    if shutil.which("mmdebstrap") is None or os.geteuid() != 0:
        pytest.skip(f"{NOT_SHOWN}it needs mmdebstrap, and root")
    shared, own = room.cache_directory(), tmp_path / "cache/mkpkgs"
    keep(shared, own)
    monkeypatch.setenv("XDG_CACHE_HOME", str(own.parent))
    # Go has its cache there, too.
    monkeypatch.setenv("GOCACHE", os.environ.get("GOCACHE") or str(shared.parent / "go-build"))
    yield own
    assert not list(own.glob("room-*"))
    assert str(own) not in Path("/proc/mounts").read_text()
    keep(own, shared)


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


def test_plugins_in_go_are_linked_beside_the_maintainers_own_in_a_clean_root(rooms: Path, tmp_path: Path) -> None:
    core = Workspace.create(SAMPLE, tmp_path / "core")
    core.mkpkgs()
    root = Workspace.at(tmp_path / "author").root
    for name in ("wave", "dies"):
        write_plugin(root, name, "example.com/bell v1.2.3", "example.com/bell", "bell.Ring(3)")
    source = root / "dies/dies.go"
    source.write_text(source.read_text().replace("{ registry.Add", '{ panic("at once"); registry.Add'))
    tables = "".join(PLUGIN.format(name=name, more='needs = ["bell"]\n') for name in ("wave", "dies"))
    project = author(tmp_path / "author", "host", core.dist, "go-link", tables)
    done = project.mkpkgs("check", "-q", "--load", check=False)
    assert done.returncode == 1
    said = done.stdout.splitlines()
    assert said[:2] == ["host 0.1.0-1 (amd64)", "  wave: fits, and host works with it in a clean debian12"]
    assert said[2].startswith("  dies: in a clean debian12: host with bell, dies ended with status 2 when it was tried")
    assert "panic: at once" in done.stdout


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
