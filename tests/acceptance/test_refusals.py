"""What must not get in, while the server serves: bad repositories, bad packages, foreign and broken plugins."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.test_lifecycle import EVENING, MORNING, answer, install
from tests.systems import System
from tests.workspace import Workspace, newest, raise_tiny, tiny

pytestmark = pytest.mark.acceptance

MakeMachine = Callable[[Workspace, str], System]


def flip(path: Path) -> None:
    """Change one byte in the middle of a file; size and time stay."""
    stat = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    # A new file: dist shares its files with other directories by hard links.
    path.unlink()
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def assert_refused(system: System, said: str, reason: str) -> None:
    """The old set serves, the reason was on the screen and is in journal and status."""
    assert answer(system) == ["greet 1.0 as greet", MORNING]
    assert reason in said
    status = system.run("greet-plugins", "status", check=False)
    assert status.returncode != 0
    assert reason in status.stdout
    assert reason in system.sh("journalctl --sync; journalctl -t greet-plugins -o cat")


def test_a_repository_without_signature_is_refused(machine: MakeMachine, greet: Workspace, tmp_path: Path) -> None:
    project = greet.copy(tmp_path / "copy")
    for signed in project.dist.rglob("InRelease"):
        signed.unlink()
        signed.with_name("Release.gpg").unlink()
    for signature in project.dist.rglob("repomd.xml.asc"):
        signature.unlink()
    system = machine(project, "greet")
    assert system.install("greet", check=False).returncode != 0
    assert system.installed() == {}


def test_a_repository_signed_by_somebody_else_is_refused(
    machine: MakeMachine, greet: Workspace, tmp_path: Path
) -> None:
    system = machine(greet, "greet")
    foreign = tiny(tmp_path / "foreign")
    foreign.mkpkgs()
    copy = greet.copy(tmp_path / "copy")
    shutil.rmtree(copy.dist / system.folder)
    shutil.copytree(foreign.dist / system.folder, copy.dist / system.folder)
    system.stop_serving()
    system.serve(copy.dist)
    assert system.install("greet", check=False).returncode != 0
    assert system.installed() == {}


def test_a_package_changed_by_one_byte_is_refused(machine: MakeMachine, greet: Workspace, tmp_path: Path) -> None:
    project = greet.copy(tmp_path / "copy")
    system = machine(project, "greet")
    install(system, "hello")
    flip(newest(project.dist, "greet-plugin-bye", system.suffix))
    refused = system.install("greet-plugin-bye", check=False)
    assert refused.returncode != 0
    assert "greet-plugin-bye" not in system.installed()
    assert answer(system) == ["greet 1.0 as greet", MORNING]


def test_a_payload_that_somebody_changed_is_refused(system: System) -> None:
    install(system, "hello")
    system.sh("printf 'format 1\\nGood riddance\\n' >/usr/lib/greet/plugins/hello/greeting")
    done = system.install("greet-plugin-bye")
    assert done.returncode == 0
    assert_refused(system, done.stdout, "greeting")
    # Nor does a restart of the machine's package state bring it in; the repair does.
    system.sh("printf 'format 1\\nGood morning\\n' >/usr/lib/greet/plugins/hello/greeting; greet-plugins apply")
    assert answer(system) == ["greet 1.0 as greet", MORNING, EVENING]
    assert system.run("greet-plugins", "status").returncode == 0


def test_a_plugin_signed_by_somebody_else_is_refused(machine: MakeMachine, greet: Workspace, tmp_path: Path) -> None:
    system = machine(greet, "greet")
    install(system, "hello")
    foreign = tiny(tmp_path / "foreign")
    foreign.mkpkgs()
    done = system.force(newest(foreign.dist, "greet-plugin-bye", system.suffix))
    assert_refused(system, done.stdout, "bye")
    system.remove("greet-plugin-bye")
    assert system.run("greet-plugins", "status").returncode == 0
    assert answer(system) == ["greet 1.0 as greet", MORNING]


def test_a_plugin_for_another_abi_is_refused(machine: MakeMachine, greet: Workspace, tmp_path: Path) -> None:
    system = machine(greet, "greet")
    install(system, "hello")
    newer = greet.copy(tmp_path / "copy")
    raise_tiny(newer, "2.0", "2")
    newer.mkpkgs()
    package = newest(newer.dist, "greet-plugin-bye", system.suffix)
    if system.suffix == "deb":
        system.put(package, f"/root/{package.name}")
        refused = system.run("apt-get", "-y", "install", f"/root/{package.name}", check=False)
        assert refused.returncode != 0
    done = system.force(package)
    assert_refused(system, done.stdout, "bye")
    assert "abi" in done.stdout.lower()


def test_a_file_copied_into_a_plugin_is_refused(system: System) -> None:
    install(system, "hello")
    system.write("/usr/lib/greet/plugins/hello/more", "payload")
    done = system.install("greet-plugin-bye")
    assert_refused(system, done.stdout, "hello")


def test_a_plugin_without_manifest_is_refused(system: System) -> None:
    install(system, "hello")
    system.write("/usr/lib/greet/plugins/evil/greeting", "format 1\nboo\n")
    done = system.install("greet-plugin-bye")
    assert_refused(system, done.stdout, "evil")


def test_publishing_a_new_abi_without_all_plugins_is_refused(greet: Workspace, tmp_path: Path) -> None:
    project = greet.copy(tmp_path / "copy")
    raise_tiny(project, "2.0", "2")
    text = (project.root / "mkpkgs.toml").read_text()
    begin = text.index("[plugin.hello]")
    (project.root / "mkpkgs.toml").write_text(text[:begin] + text[text.index("[plugin.bye]") :])
    before = {path: path.read_bytes() for path in project.dist.rglob("*") if path.is_file()}
    refused = project.mkpkgs(check=False)
    assert refused.returncode == 1
    assert "greet-plugin-hello" in refused.stdout or "hello" in refused.stdout
    assert {path: path.read_bytes() for path in project.dist.rglob("*") if path.is_file()} == before


def test_a_plugin_that_was_retired_by_name_and_version_lets_the_core_go_on(
    machine: MakeMachine, greet: Workspace, tmp_path: Path
) -> None:
    project = greet.copy(tmp_path / "copy")
    file = project.root / "mkpkgs.toml"
    file.write_text(file.read_text().replace("order = 10", 'order = 10\nversion = "3.0"'))
    project.mkpkgs()
    system = machine(project, "greet")
    install(system, "hello", "bye")
    raise_tiny(project, "2.0", "2")
    text = (project.root / "mkpkgs.toml").read_text()
    begin = text.index("[plugin.hello]")
    text = text[:begin] + text[text.index("[plugin.bye]") :] + 'retired = ["hello 3.0"]\n'
    (project.root / "mkpkgs.toml").write_text(text)
    project.mkpkgs()
    system.upgrade()
    assert answer(system) == ["greet 2.0 as greet", EVENING]
    assert system.installed().get("greet-plugin-hello", "3.0+2.0-1") == "3.0+2.0-1"
