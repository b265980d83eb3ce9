"""Who vouches for plugins: keys that come and go with the core, or the record of a real dpkg or rpm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import roots
from tests.machine import Machine
from tests.target.machine import Key
from tests.target.server import PLUGINS, Server

pytestmark = pytest.mark.acceptance

ROOTS = {"deb": "debian12-apt", "rpm": "debian12-dnf"}
UNSIGNED = {"trust": "distribution"}
MANIFEST = "/usr/share/demo/plugins/git.manifest"


@pytest.fixture(params=ROOTS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A machine that is not booted, as an image that is being built."""
    family: str = request.param
    with Machine(roots.root(ROOTS[family]), tmp_path / "root", boot=False) as machine:
        yield Server(machine, Key(tmp_path, "trusted"), tmp_path / "packages", family)


def install(server: Server, *packages: str) -> str:
    return server.dpkg("-i", *packages) if server.family == "deb" else server.rpm("-U", *packages)


def verify(server: Server) -> tuple[int, str]:
    done = server.machine.run("demo-plugins", "verify", check=False)
    return done.returncode, done.stdout


def serves(server: Server) -> str:
    return server.machine.sh("/usr/bin/demo version").strip()


def test_packages_of_a_distribution_need_no_signature(server: Server) -> None:
    built = server.build(plugins=PLUGINS, facts=UNSIGNED)
    install(server, *built.values())
    assert serves(server) == "demo  cors git"
    assert verify(server) == (0, "demo-plugins: all plugins are verified: cors, git\n")
    assert server.machine.sh("find /usr/share/demo -name '*.sig' -o -name '*.pub'") == ""


def test_the_record_of_the_package_manager_is_believed_and_nothing_else(server: Server) -> None:
    built = server.build(plugins=PLUGINS, facts=UNSIGNED)
    install(server, built["demo"], built["demo-plugin-git"])
    sh = server.machine.sh
    sh(f"cp -a {MANIFEST} /root; cp -a /usr/lib/demo/plugins/git/code /root")
    # A change that fits: only the digest of the manifest on record is another.
    sh("echo 'plugins=\"$plugins evil\"' >/usr/lib/demo/plugins/git/code")
    sh(f'sed -i "s/^file [0-9a-f]*/file $(sha256sum </usr/lib/demo/plugins/git/code | cut -c 1-64)/" {MANIFEST}')
    status, said = verify(server)
    assert (status, f"plugin git: {MANIFEST} is not what its package brought: it was changed" in said) == (1, True), (
        said
    )
    sh(f"cp -a /root/git.manifest {MANIFEST}; cp -a /root/code /usr/lib/demo/plugins/git/code")
    assert verify(server)[0] == 0
    # A whole plugin that was copied in.
    sh(
        f"cp -a /usr/lib/demo/plugins/git /usr/lib/demo/plugins/cors; sed 's/git/cors/' {MANIFEST} "
        "| tee /usr/share/demo/plugins/cors.manifest"
    )
    status, said = verify(server)
    assert status == 1
    assert "plugin cors: /usr/share/demo/plugins/cors.manifest is not a file of the package demo-plugin-cors" in said


def test_a_plugin_that_vanished_is_missed(server: Server) -> None:
    """The server must not start with less than what is installed."""
    built = server.build(plugins=PLUGINS)
    install(server, *built.values())
    server.machine.sh(f"rm -r {MANIFEST} {MANIFEST}.sig /usr/lib/demo/plugins/git")
    done = server.machine.run("demo-plugins", "apply", check=False)
    assert done.returncode == 1
    assert f"plugin git: {MANIFEST} is missing, though the package demo-plugin-git is installed" in done.stdout
    assert serves(server) == "demo  cors git"


def test_keys_are_rotated_and_the_old_one_is_revoked(server: Server, tmp_path: Path) -> None:
    """First the next key is trusted, then it signs, then the old one is revoked by a later core."""
    old, new = server.key, Key(tmp_path, "new")
    first = server.build(plugins=PLUGINS, keys=(new,))
    install(server, *first.values())
    second = server.build(version="1.1", plugins=PLUGINS, key=new, keys=(old,))
    install(server, second["demo"], second["demo-plugin-cors"], second["demo-plugin-git"])
    assert verify(server)[0] == 0
    third = server.build(version="1.2", plugins=PLUGINS, key=new, facts={"revoked_keys": (old.id.hex(),)})
    install(server, *third.values())
    assert serves(server) == "demo  cors git"
    assert verify(server)[0] == 0
    # Somebody has the old key, and brings a plugin as new as the core.
    stolen = server.build(version="1.2", plugins={**PLUGINS, "evil": 'plugins="$plugins evil"\n'}, key=old)
    install(server, stolen["demo-plugin-evil"])
    status, said = verify(server)
    assert status == 1
    assert f"plugin evil: its manifest is signed by the key {old.id.hex()}, which is revoked" in said
    assert serves(server) == "demo  cors git"


@pytest.mark.parametrize("place", ["/usr/share/demo/keys/zz.pub", "/etc/demo/keys.d/zz.pub"])
def test_a_package_cannot_bring_the_key_of_its_own_plugin(server: Server, tmp_path: Path, place: str) -> None:
    install(server, *server.build(plugins=PLUGINS).values())
    stranger = Key(tmp_path, "stranger")
    evil = {"evil": 'plugins="$plugins evil"\n'}
    foreign = server.build(plugins=evil, key=stranger, brings={place: stranger.public})
    install(server, foreign["demo-plugin-evil"])
    status, said = verify(server)
    assert status == 1
    assert place in said and "belongs to the package demo-plugin-evil" in said
    assert serves(server) == "demo  cors git"
