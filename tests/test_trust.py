"""Which keys a build puts into the core, and building where the distribution vouches for plugins."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from packaging_tool.signing import signify
from tests.workspace import Workspace, newest, tiny


@pytest.fixture(scope="module")
def greet(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return tiny(tmp_path_factory.mktemp("trust"))


@pytest.fixture
def project(greet: Workspace, tmp_path: Path) -> Workspace:
    return greet.copy(tmp_path / "copy")


def say(project: Workspace, line: str) -> None:
    """Add a line to [core]."""
    file = project.root / "mkpkgs.toml"
    file.write_text(file.read_text().replace("[core]\n", f"[core]\n{line}\n", 1))


def unpacked(project: Workspace, package: str, directory: Path) -> Path:
    subprocess.run(["dpkg-deb", "-x", newest(project.dist, package, "deb"), directory], check=True)
    return directory


def key_id(path: Path) -> str:
    return signify.parse_public(path.read_bytes()).id.hex()


def next_key(project: Workspace, *options: str) -> Path:
    """Make keys in another directory; returns it."""
    place = project.root.parent / "next"
    project.mkpkgs("key", "new", "--keys", str(place), *options)
    return place


def test_old_and_new_key_are_trusted_at_once_until_the_old_one_is_revoked(project: Workspace, tmp_path: Path) -> None:
    place = next_key(project)
    old, new = project.keys / "manifest.pub", place / "manifest.pub"
    old_id, new_id = key_id(old), key_id(new)
    shutil.copyfile(new, project.keys / "next.pub")
    project.mkpkgs("build")
    keys = unpacked(project, "greet", tmp_path / "first") / "usr/share/greet/keys"
    assert {path.name: key_id(path) for path in keys.iterdir()} == {"manifest.pub": old_id, "next.pub": new_id}
    # The next key signs now.
    shutil.copyfile(old, place / "old.pub")
    shutil.rmtree(project.keys)
    place.rename(project.keys)
    project.mkpkgs("build")
    keys = unpacked(project, "greet", tmp_path / "second") / "usr/share/greet/keys"
    assert {path.name: key_id(path) for path in keys.iterdir()} == {"manifest.pub": new_id, "old.pub": old_id}
    share = unpacked(project, "greet-plugin-hello", tmp_path / "hello") / "usr/share/greet/plugins"
    public = signify.parse_public((project.keys / "manifest.pub").read_bytes())
    public.verify((share / "hello.manifest").read_bytes(), (share / "hello.manifest.sig").read_bytes())
    # The old one is over.
    say(project, f'revoked-keys = ["{old_id}"]')
    project.mkpkgs("build")
    keys = unpacked(project, "greet", tmp_path / "third") / "usr/share/greet/keys"
    assert sorted(path.name for path in keys.iterdir()) == ["manifest.pub", "revoked"]
    assert (keys / "revoked").read_text() == f"{old_id}\n"


def test_a_revoked_key_signs_nothing(project: Workspace) -> None:
    say(project, f'revoked-keys = ["{key_id(project.keys / "manifest.pub")}"]')
    done = project.mkpkgs("build", check=False)
    assert done.returncode != 0
    assert "is in the project's list of revoked keys" in done.stdout
    assert not project.dist.exists()


def test_an_expired_key_signs_nothing(project: Workspace) -> None:
    public = project.keys / "manifest.pub"
    public.write_bytes(signify.parse_public(public.read_bytes()).render("greet manifest key, expires 2020-01-01"))
    done = project.mkpkgs("build", check=False)
    assert done.returncode != 0
    assert "manifest.key expired on 2020-01-01: every target would refuse what it signs" in done.stdout
    assert not project.dist.exists()


def test_a_key_is_made_with_its_last_day(project: Workspace) -> None:
    place = next_key(project, "--expires", "2999-12-31")
    assert (place / "manifest.pub").read_text().splitlines()[0].endswith("manifest key, expires 2999-12-31")
    assert "expires 2999-12-31" in project.mkpkgs("key", "show", "--keys", str(place)).stdout
    project.mkpkgs("build", "--keys", str(place))
    done = project.mkpkgs("key", "new", "--keys", str(place.with_name("late")), "--expires", "2020-01-01", check=False)
    assert done.returncode != 0
    assert "a key cannot expire in the past: 2020-01-01" in done.stdout
    assert not place.with_name("late").exists()


def test_a_distributions_build_machine_needs_no_keys(project: Workspace, tmp_path: Path) -> None:
    shutil.rmtree(project.keys)
    say(project, 'trust = "distribution"')
    project.mkpkgs("plan")
    project.mkpkgs("build")
    share = unpacked(project, "greet", tmp_path / "core") / "usr/share/greet"
    assert (share / "trust").read_text() == "distribution\n"
    assert not any((share / "keys").iterdir())
    plugin = unpacked(project, "greet-plugin-hello", tmp_path / "hello") / "usr/share/greet/plugins"
    assert [path.name for path in plugin.iterdir()] == ["hello.manifest"]
    rpm = subprocess.run(
        ["rpm", "-qpi", newest(project.dist, "greet", "rpm")], capture_output=True, text=True, check=True
    )
    assert "Signature   : (none)" in rpm.stdout
    # Repositories are signed by whoever publishes them.
    done = project.mkpkgs(check=False)
    assert done.returncode != 0
    assert "there are no keys for greet" in done.stdout


def test_with_signatures_a_build_needs_keys(project: Workspace) -> None:
    shutil.rmtree(project.keys)
    done = project.mkpkgs("build", check=False)
    assert done.returncode != 0
    assert "there are no keys for greet" in done.stdout
