"""A program that people call, as git and mkdocs are: everybody has its plugins. Its name has a `+`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.systems import System
from tests.workspace import Workspace

pytestmark = pytest.mark.acceptance

GEAR = Path(__file__).parent.parent / "samples/gear++"


def test_everybody_has_the_plugins_of_a_program_without_a_service(
    machine: Callable[[Workspace, str], System], tmp_path: Path
) -> None:
    project = Workspace.create(GEAR, tmp_path / "gear")
    project.mkpkgs()
    system = machine(project, "gear++")
    before = system.files()
    # As of an administrator who keeps all to himself.
    system.write("/root/install", f'umask 077\nexec "$@" {" ".join(["gear++", *system.plugin("count", "shout")])}\n')
    manager = ["apt-get", "-q", "-y"] if system.folder == "apt" else ["dnf", "-y"]
    if system.folder == "apt":
        system.run(*manager, "update")
    said = system.run("sh", "/root/install", *manager, "install").stdout
    assert "verified and put into gear++: count 1.0-1, shout 1.0-1" in said

    def called(words: str) -> str:
        return system.sh(f"cd /; setpriv --reuid 65534 --regid 65534 --clear-groups {words} 2>&1 || :")

    assert called("gear++") == "commands: count shout\n"
    assert called("sh -c 'echo hear | gear++ shout'") == "HEAR\n"
    # And whoever asks hears that all is well.
    assert called("gear++-plugins status") == system.run("gear++-plugins", "status").stdout
    assert "all is well" in system.run("gear++-plugins", "doctor").stdout
    units = system.sh("cd /usr/lib/systemd/system; ls gear*.service | sed s/@/@1/").split()
    assert units == [f"gear__-{name}.service" for name in ("apply-later@1", "apply", "make", "try")]
    assert system.run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units).stdout == ""

    # A command that is none does not get in.
    (project.root / "shout/command").write_text("tr 'a-z\n")
    project.replace("mkpkgs.toml", version="1.1")
    project.mkpkgs()
    system.use(project.dist)
    assert "the old set goes on serving: gear++ with count 1.0-1, shout 1.0-1" in system.upgrade().stdout
    assert called("sh -c 'echo hear | gear++ shout'") == "HEAR\n"
    assert "Unterminated quoted string" in system.run("gear++-plugins", "status", check=False).stdout
    system.remove(*system.plugin("shout"))
    assert called("gear++") == "commands: count\n"
    assert (called("gear++-plugins status >/dev/null; echo $?"), system.verify()) == ("0\n", "")

    # What is not for everybody has a group.
    (project.root / "shout/command").write_text("tr a-z A-Z\n")
    project.replace("mkpkgs.toml", version="1.2")
    text = (project.root / "mkpkgs.toml").read_text()
    (project.root / "mkpkgs.toml").write_text(
        text.replace("check =", 'readable = "group"\nuser-group = "editors"\ncheck =')
    )
    project.mkpkgs()
    system.use(project.dist)
    system.upgrade()
    assert called("sh -c 'echo hear | gear++ count'") == "gear++: there is no command count\n"
    editor = "cd /; setpriv --reuid 65534 --regid 65534 --groups $(getent group editors | cut -d : -f 3)"
    assert system.sh(f"{editor} gear++") == "commands: count\n"
    assert "all is well" in system.run("gear++-plugins", "doctor").stdout
    system.purge()
    assert {path for path in system.files() - before if "gear" in path} == set()
