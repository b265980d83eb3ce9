"""Plugins of an author who is not the maintainer: two repositories, two keys, one server.

The author has what the maintainer publishes and nothing else; the administrator pastes what both pages say.
"""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.test_lifecycle import MORNING, answer
from tests.authors.test_go_link import PLUGIN, SAMPLE, write_plugin
from tests.authors.world import author, dusk, write_dusk
from tests.machine import lines
from tests.systems import Apt, System
from tests.workspace import TINY, Workspace, raise_tiny

pytestmark = pytest.mark.acceptance

DUSK = "dusk: good evening"
SERVED = "http://127.0.0.1:8000"


class World:
    """A maintainer and an author. served: directory of a web server, with the repository of each by the name in its
    address."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.served = directory / "served"
        self.served.mkdir(parents=True)

    def publish(self, project: Workspace, name: str) -> None:
        """Say where a project is served, before it is built."""
        file = project.root / "mkpkgs.toml"
        text = re.sub(r'\n\[repository\]\nurl = "[^"]*"\n', "", file.read_text())
        file.write_text(f'{text}\n[repository]\nurl = "{SERVED}/{name}"\n')
        (self.served / name).symlink_to(project.dist)


@contextmanager
def web(directory: Path, port: int = 0) -> Iterator[str]:
    """A web server on this machine, for authors."""
    command = [
        sys.executable,
        "-u",
        "-m",
        "http.server",
        "--bind",
        "127.0.0.1",
        "--directory",
        str(directory),
        str(port),
    ]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        found = re.search(r"port (\d+)", server.stdout.readline())
        assert found is not None
        yield f"http://127.0.0.1:{found[1]}"
    finally:
        server.terminate()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()


def page(dist: Path, system: System) -> str:
    """What an administrator pastes."""
    blocks = re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", (dist / "index.html").read_text(), re.DOTALL)
    installer = {"deb": "apt install", "rpm": "dnf install"}[system.suffix]
    (commands,) = [html.unescape(block) for block in blocks if installer in block]
    return str(commands)


def prepare(system: System, world: World) -> None:
    """Serve both repositories, which are then the only ones, and answer the only question that people are asked."""
    assert system.serve(world.served) == f"{SERVED}/"
    for folder in ("/etc/apt/sources.list.d", "/etc/yum.repos.d"):
        for old in system.path(folder).glob("*") if system.path(folder).is_dir() else ():
            old.unlink()
    system.path("/etc/apt/sources.list").unlink(missing_ok=True)
    system.write("/etc/apt/apt.conf.d/yes", 'APT::Get::Assume-Yes "true";\n')
    if system.suffix == "rpm":
        system.sh("printf 'assumeyes=True\\nmetadata_expire=0\\n' >>/etc/dnf/dnf.conf")


@pytest.fixture
def greet_world(tmp_path: Path) -> tuple[World, Workspace, Workspace]:
    """The maintainer's `greet` and an author's plugin `dusk`, who knows the address of the repository only."""
    world = World(tmp_path / "world")
    core = Workspace.create(TINY, world.directory / "core")
    world.publish(core, "greet")
    core.mkpkgs()
    with web(world.served) as address:
        plugin = dusk(world.directory / "author", f"{address}/greet")
        world.publish(plugin, "acme")
        plugin.mkpkgs()
    return world, core, plugin


@pytest.fixture(scope="module")
def host_world(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Workspace]:
    """The maintainer's server in Go. The last test may change it."""
    world = World(tmp_path_factory.mktemp("host") / "world")
    core = Workspace.create(SAMPLE, world.directory / "core").quick()
    world.publish(core, "host")
    core.mkpkgs()
    return world, core


def test_an_authors_plugin_is_installed_held_back_rebuilt_and_upgraded(
    kind: type[System], bootable: None, greet_world: tuple[World, Workspace, Workspace], tmp_path: Path
) -> None:
    world, core, plugin = greet_world
    with kind(core.dist, tmp_path / "machine", "greet") as system:
        prepare(system, world)
        system.sh(page(core.dist, system))
        if not system.is_active():
            system.enable()
        # Without the author's key: the package comes, the plugin does not serve, and the tool says why.
        last = "chmod 0644 /etc/greet/keys.d/acme-greet.pub\n"
        trust, install = page(plugin.dist, system).split(last, 1)
        system.sh(install)
        told = system.run("greet-plugins", "why", "dusk", check=False)
        assert told.returncode == 1
        assert "its manifest is signed by the unknown key" in told.stdout
        assert "put the key into /etc/greet/keys.d if you trust it" in told.stdout
        assert "made by" in told.stdout
        assert "Ann Author <ann@acme.example.org>" in told.stdout
        assert DUSK not in answer(system)
        system.sh(f"umask 077\n{trust}{last}greet-plugins apply")
        assert {MORNING, DUSK} < set(answer(system))
        assert system.run("greet-plugins", "why", "dusk").returncode == 0
        # A core with another ABI: the author has no build for it yet.
        raise_tiny(core, "1.1", "2")
        core.mkpkgs()
        system.upgrade() if system.suffix == "deb" else system.run("dnf", "-y", "upgrade", "--nobest", check=False)
        assert system.installed()["greet"] == "1.0-1"
        assert {"greet 1.0 as greet", MORNING, DUSK} < set(answer(system))
        waits = system.run("greet-plugins", "why", "dusk").stdout
        assert "holds back   greet 1.1-1, for which it has no build yet" in waits
        assert "ask Ann Author <ann@acme.example.org>" in waits
        with web(world.served) as address:
            file = plugin.root / "mkpkgs.toml"
            file.write_text(re.sub(r'at = "[^"]*"', f'at = "{address}/greet"', file.read_text()))
            write_dusk(plugin, "2")
            checked = plugin.mkpkgs("check", "-q")
            assert "greet 1.1-1 (all)\n  dusk: fits\n" in checked.stdout
            time.sleep(1.1)
            plugin.mkpkgs("rebuild")
        before = system.starts()
        system.upgrade()
        assert system.installed()["greet-plugin-dusk"] == "2.0+1.1-1"
        assert {"greet 1.1 as greet", MORNING, DUSK} < set(answer(system))
        assert system.starts() == before + 1
        assert system.run("greet-plugins", "status").returncode == 0


def test_plugins_in_go_are_linked_into_the_maintainers_server_in_a_clean_root(
    host_world: tuple[World, Workspace], rooms: Path
) -> None:
    world, _ = host_world
    place = world.directory / "trying"
    for name in ("wave", "dies"):
        write_plugin(Workspace.at(place).root, name, "example.com/bell v1.2.3", "example.com/bell", "bell.Ring(3)")
    source = Workspace.at(place).root / "dies/dies.go"
    source.write_text(source.read_text().replace("{ registry.Add", '{ panic("at once"); registry.Add'))
    tables = "".join(PLUGIN.format(name=name, more='needs = ["bell"]\n') for name in ("wave", "dies"))
    with web(world.served) as address:
        done = author(place, "host", f"{address}/host", "go-link", tables).mkpkgs("check", "-q", "--load", check=False)
    assert done.returncode == 1
    said = done.stdout.splitlines()
    assert said[:2] == ["host 0.1.0-1 (amd64)", "  wave: fits, and host works with it in a clean debian12"]
    assert said[2].startswith("  dies: in a clean debian12: host with bell, dies ended with status 2 when it was tried")
    assert "panic: at once" in done.stdout


def test_an_authors_go_plugin_is_linked_into_the_maintainers_server(
    bootable: None, host_world: tuple[World, Workspace], tmp_path: Path
) -> None:
    world, core = host_world
    with web(world.served) as address:
        place = world.directory / "author"
        write_plugin(Workspace.at(place).root, "wave", "example.com/bell v1.2.3", "example.com/bell", "bell.Ring(3)")
        table = PLUGIN.format(name="wave", more='needs = ["bell"]\n')
        plugin = author(place, "host", f"{address}/host", "go-link", table)
        world.publish(plugin, "acme")
        plugin.mkpkgs()
        with Apt(core.dist, tmp_path / "machine", "host") as system:
            prepare(system, world)
            system.sh(page(core.dist, system))
            system.sh(page(plugin.dist, system))
            assert {"bell ding", "shout", "wave dingdingding"} <= set(lines(system.sh("host")))
            assert system.run("host-plugins", "status").returncode == 0
            # Another body in the core's package that plugins call: another ABI.
            core.replace("mkpkgs.toml", version="0.2.0")
            registry = core.root / "server/registry/registry.go"
            text = registry.read_text()
            registry.write_text(text.replace("names = append(names, name)", 'names = append(names, name+"!")'))
            shutil.copytree(core.dist, tmp_path / "before")
            core.mkpkgs()
            differs = core.mkpkgs("abi", "diff", str(tmp_path / "before"), str(core.dist), check=False)
            assert "example.com/host/registry" in differs.stdout
            system.upgrade()
            assert system.installed()["host"] == "0.1.0-1"
            assert "wave dingdingding" in lines(system.sh("host"))
            time.sleep(1.1)
            plugin.mkpkgs("rebuild")
            system.upgrade()
            assert system.installed()["host-plugin-wave"] == "2.0+0.2.0-1"
            assert {"bell ding!", "wave dingdingding!"} <= set(lines(system.sh("host")))
