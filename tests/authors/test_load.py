"""Why plugins are not tried in a clean root, each with what helps; what is tried there is in the acceptance tests."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from packaging_tool.authors import apt, cell, dnf, room
from packaging_tool.authors.load import FAMILIES
from packaging_tool.elf import machines
from packaging_tool.errors import BuildError
from packaging_tool.listener import Silent
from packaging_tool.targets import TARGETS
from tests.authors.world import dusk, programs
from tests.hostile.words import words
from tests.workspace import Workspace, newest, tiny


@pytest.fixture(scope="module")
def greet(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The published server."""
    core = tiny(tmp_path_factory.mktemp("core"))
    core.mkpkgs()
    return core


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/mkpkgs"


def refusal(target: str) -> BuildError:
    with pytest.raises(BuildError) as refused, room.clean(target, FAMILIES[TARGETS[target].format], Silent()):
        pass
    return refused.value


def fake(directory: Path, name: str, script: str) -> None:
    """Put a script in the place of a program."""
    (directory / name).unlink(missing_ok=True)
    (directory / name).write_text(f"#!/bin/sh\n{script}\n")
    (directory / name).chmod(0o755)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of settings where the user named no repositories, on a machine of another family."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config/mkpkgs").mkdir(parents=True)
    (tmp_path / "os-release").write_text("ID=debian\nVERSION_ID=12\n")
    monkeypatch.setattr(dnf, "OS_RELEASE", tmp_path / "os-release")
    return tmp_path / "config/mkpkgs"


def test_where_no_repositories_are_known_it_says_where_to_name_them(cache: Path, config: Path) -> None:
    found = refusal("el9")
    assert found.message == "no repositories of el9 are known here"
    assert found.hint == f"write them into {config}/el9.repo, as dnf reads them"
    assert not cache.exists()


@pytest.mark.parametrize(
    ("said", "target", "release"),
    [
        ('ID="almalinux"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n', "el9", "9"),
        ('ID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="10"\n', "el10", "10"),
        ("ID=fedora\nVERSION_ID=42\n", "fedora", "42"),
    ],
)
def test_a_machine_that_is_the_target_itself_lends_its_repositories(
    cache: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, target: str, release: str
) -> None:
    (tmp_path / "yum.repos.d").mkdir()
    (tmp_path / "yum.repos.d/base.repo").write_text("[base]\n")
    (tmp_path / "os-release").write_text(said)
    monkeypatch.setattr(dnf, "REPOSITORIES", (str(tmp_path / "yum.repos.d"),))
    monkeypatch.setenv("PATH", programs(tmp_path / "bin", without="dnf"))
    fake(tmp_path / "bin", "dnf", 'echo "Error: no mirror: $*" >&2; exit 1')
    words = refusal(target).message
    assert words.startswith("dnf failed: Error: no mirror: ")
    assert f"--releasever {release} " in words
    assert "--setopt=gpgcheck=True" in words
    for other in {"el8", "el9", "el10", "fedora"} - {target}:
        assert refusal(other).message == f"no repositories of {other} are known here"


@pytest.mark.parametrize(
    ("target", "program", "package"),
    [
        ("debian12", "mmdebstrap", "mmdebstrap"),
        ("debian12", "tar", "tar"),
        ("el9", "dnf", "dnf"),
        ("el9", "rpmdb", "rpm"),
    ],
)
def test_a_missing_program_is_named_with_its_package(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, program: str, package: str
) -> None:
    path = programs(tmp_path / "bin", without=program)
    for name in ("mmdebstrap", "dnf", "rpmdb", "tar"):
        if name != program:
            fake(tmp_path / "bin", name, "exit 1")
    monkeypatch.setenv("PATH", path)
    found = refusal(target)
    assert (found.message, found.hint) == (f"{program} is not here", f"install {package}")
    assert not cache.exists()


def test_a_user_needs_what_maps_users(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", programs(tmp_path / "bin", without="newuidmap"))
    fake(tmp_path / "bin", "mmdebstrap", "exit 1")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert refusal("debian12").hint == "install uidmap"


def test_a_machine_without_user_namespaces_says_so_and_nothing_is_left(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", programs(tmp_path / "bin", without="mmdebstrap"))
    fake(tmp_path / "bin", "mmdebstrap", "exit 1")
    text = Path(cell.__file__).read_text()
    refuses = tmp_path / "refuses.py"
    asked = "if getattr(_libc, name)(*given) < 0:"
    assert asked in text
    refuses.write_text(text.replace(asked, f'ctypes.set_errno(1)\n    {asked[:2]} name == "unshare" or {asked[3:]}'))
    monkeypatch.setattr(cell, "__file__", str(refuses))
    found = refusal("debian12")
    assert found.message == "there is no user namespace for this user: unshare failed: Operation not permitted"
    assert "/etc/subuid" in found.hint
    assert not list(cache.glob("room-*"))


@pytest.mark.skipif(
    os.geteuid() != 0 or subprocess.run(["unshare", "--user", "true"], capture_output=True).returncode != 0,
    reason="not root, or there are no user namespaces here",
)
def test_what_mmdebstrap_says_is_told_and_leftovers_of_killed_runs_go(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", programs(tmp_path / "bin", without="mmdebstrap"))
    fake(tmp_path / "bin", "mmdebstrap", 'echo "E: no such suite" >&2; echo "E: mmdebstrap failed to run" >&2; exit 1')
    left = cache / "room-left"
    (left / "root").mkdir(parents=True)
    (left / "busy").touch()
    (cache / "archives-debian12").mkdir()
    old = [cache / "debian12-amd64-old.tar", cache / "archives-debian12/old.deb"]
    for path in old:
        path.touch()
    refusal("debian12")
    assert all(path.exists() for path in old)
    monkeypatch.setattr(room, "UNUSED", -1)
    assert refusal("debian12").message == "mmdebstrap failed: no such suite"
    assert sorted(path.name for path in cache.iterdir()) == ["archives-debian12", f"debian12-{machines.own()}.lock"]
    assert not old[1].exists()


def test_names_of_fetched_packages_are_no_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("room", "kept", "out"):
        (tmp_path / folder).mkdir()
    place = room.Room(tmp_path / "room", tmp_path / "kept")
    good = "bells_1%3a1.0+b1~2_all.deb"
    for name, word in words(tmp_path / "mark"):
        for file in (word, f"{word}.deb", f"../{word}.deb", good):
            row = f"'http://mirror/x.deb' {file} 1 SHA256:{'0' * 64}\n"
            monkeypatch.setattr(room.Room, "run", lambda *_, said=row, **__: room.Said(0, said))
            for found in apt._planned(place, []):
                assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+~%_-]*\.deb", found.name), name
            assert file != good or [found.name for found in apt._planned(place, [])] == [good]


def test_only_plain_files_that_are_what_the_index_says_are_kept(tmp_path: Path) -> None:
    source, kept = tmp_path / "source", tmp_path / "kept"
    source.mkdir()
    kept.mkdir()
    data = b"package"
    sha256 = hashlib.sha256(data).hexdigest()
    (tmp_path / "elsewhere").write_bytes(data)
    (source / "link.deb").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(source / "pipe.deb")
    (source / "folder.deb").mkdir()
    (source / "long.deb").write_bytes(data + b"x")
    (source / "other.deb").write_bytes(data[::-1])
    (source / "good.deb").write_bytes(data)
    (source / "good.deb").chmod(0o4755)
    names = [*(path.name for path in source.iterdir()), "missing.deb"]
    room.keep([room.Fetched(name, len(data), sha256) for name in names], source, kept)
    assert [path.name for path in kept.iterdir()] == ["good.deb"]
    assert (kept / "good.deb").stat().st_mode & 0o7777 == 0o600


def load(project: Workspace, *arguments: str) -> tuple[int, str]:
    done = project.mkpkgs("check", "-q", "--load", *arguments, check=False)
    return done.returncode, done.stdout


def test_what_could_not_be_tried_at_all_is_no_success(
    greet: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", programs(tmp_path / "bin", without="mmdebstrap"))
    (tmp_path / "bin/dnf").unlink(missing_ok=True)
    status, said = load(dusk(tmp_path, greet.dist))
    assert status == 2
    assert said.splitlines() == [
        "greet 1.0-1 (all)",
        "  dusk: fits",
        "  not shown: in a clean debian12: mmdebstrap is not here; install mmdebstrap",
        "  not shown: in a clean el9: dnf is not here; install dnf",
        "mkpkgs: error: no plugin was tried",
        "  hint: see above what was not shown, and why",
    ]


def test_files_for_authors_without_a_repository_have_no_core_to_try(greet: Workspace, tmp_path: Path) -> None:
    installed = tmp_path / "usr/share/greet/dev"
    shutil.copytree(greet.dist / "dev/greet", installed, ignore=shutil.ignore_patterns("index.toml*"))
    status, said = load(dusk(tmp_path, installed))
    assert status == 2
    assert f"in a clean debian12: {installed} lists no packages of greet 1.0-1 (all); name the repository" in said


def test_a_package_of_the_core_that_the_signed_index_does_not_mean_is_refused(greet: Workspace, tmp_path: Path) -> None:
    shutil.copytree(greet.dist, tmp_path / "mirror")
    package = newest(tmp_path / "mirror", "greet", "deb")
    package.write_bytes(package.read_bytes() + b"\n")
    status, said = load(dusk(tmp_path, tmp_path / "mirror"))
    assert status == 1
    assert f"{package.name} is not the package of the signed index" in said
