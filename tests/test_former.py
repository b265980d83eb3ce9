"""What is another kind of file in a new version is carried over or refused before anything is written."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.test_every_driver import RPMLINT
from tests.workspace import Workspace, raise_tiny, tiny

WEB = "/usr/share/greet/web"


def entry(path: str, *, table: str = "core", **more: str) -> str:
    """One file of the project file; with `type` alone it has no source."""
    keys = {"path": path} | ({"source": "page"} if more.get("type", "config") in ("config", "file") else {}) | more
    return f"[[{table}.file]]\n" + "".join(f'{key} = "{value}"\n' for key, value in keys.items())


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Version 1.0 with a directory, a link and a configuration file, published."""
    project = tiny(tmp_path_factory.mktemp("former"))
    (project.root / "page").write_text("a page\n")
    config, state = entry("/etc/greet/extra.conf", type="config"), entry("/var/lib/greet/extra", type="directory")
    with (project.root / "mkpkgs.toml").open("a") as file:
        file.write(
            f"#>\n{entry(f'{WEB}/')}{entry('/usr/share/greet/alias', type='symlink', target='web')}{config}{state}"
        )
        file.write(entry("/usr/share/greet/shared/", table="plugin.bye") + entry("/usr/share/greet/shared/own"))
    project.mkpkgs()
    return project


def next_version(published: Workspace, directory: Path, entries: str) -> Workspace:
    """The project with version 2.0 and these files."""
    project = published.copy(directory)
    raise_tiny(project, "2.0", "2")
    file = project.root / "mkpkgs.toml"
    file.write_text(file.read_text().partition("#>\n")[0] + entries)
    return project


REFUSED = {
    "a configuration file that becomes a directory": (
        entry("/etc/greet/extra.conf/", type="config"),
        "greet: /etc/greet/extra.conf is a config in 1.0-1, directory in 2.0-1: what people wrote into it would be",
    ),
    "a configuration file that becomes a link": (
        entry("/etc/greet/extra.conf", type="symlink", target="greet.conf"),
        "greet: /etc/greet/extra.conf is a config in 1.0-1, link in 2.0-1: what people wrote into it would be lost",
    ),
    "a directory in which services have files": (
        entry("/var/lib/greet/extra", type="symlink", target="other"),
        "greet: /var/lib/greet/extra is a directory in 1.0-1, link in 2.0-1: others have files in it",
    ),
    "a directory in which another package has files": (
        entry("/usr/share/greet/shared", type="symlink", target="other"),
        "greet: /usr/share/greet/shared is a directory in 1.0-1, link in 2.0-1: greet-plugin-bye 1.0-1 has files in it",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_machine_could_follow_is_refused_with_both_versions(
    published: Workspace, tmp_path: Path, case: str
) -> None:
    entries, told = REFUSED[case]
    project = next_version(published, tmp_path / "next", entries)
    before = {path: path.stat().st_mtime_ns for path in project.dist.rglob("*")}
    for command in ((), ("build",)):
        done = project.mkpkgs(*command, check=False)
        assert done.returncode == 2
        assert told in done.stdout
        assert "Traceback" not in done.stdout
        assert {path: path.stat().st_mtime_ns for path in project.dist.rglob("*")} == before


def test_what_can_be_carried_is_and_checkers_have_nothing_to_say(published: Workspace, tmp_path: Path) -> None:
    entries = entry(WEB, type="symlink", target="alias") + entry("/usr/share/greet/alias/")
    project = next_version(published, tmp_path / "next", entries)
    project.mkpkgs()
    made = sorted(project.dist.rglob("*2.0-1*.deb")) + sorted(project.dist.rglob("*2.0-1*.rpm"))
    debs, rpms = ([path for path in made if path.suffix == suffix] for suffix in (".deb", ".rpm"))
    (core,) = project.dist.rglob("greet_2.0-1_all.deb")
    control = subprocess.run(["dpkg-deb", "--ctrl-tarfile", core], check=True, capture_output=True).stdout
    preinst, conffiles = (
        subprocess.run(["tar", "-xO", name], input=control, check=True, capture_output=True).stdout.decode()
        for name in ("./preinst", "./conffiles")
    )
    assert f"dpkg-maintscript-helper dir_to_symlink {WEB} alias '2.0-1~' --" in preinst
    assert "dpkg-maintscript-helper symlink_to_dir /usr/share/greet/alias web '2.0-1~' --" in preinst
    assert "remove-on-upgrade /etc/greet/extra.conf\n" in conffiles
    done = subprocess.run(["lintian", "--fail-on", "error,warning", *debs], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0)
    env = {**os.environ, "HOME": str(tmp_path)}
    subprocess.run(["rpmkeys", "--import", project.dist / "greet.asc"], env=env, check=True)
    done = subprocess.run(["rpmlint", "-c", RPMLINT, *rpms], env=env, capture_output=True, text=True)
    assert " 0 errors, 0 warnings" in done.stdout, done.stdout
    # It was shown before, and what was read once is read from the memory, damaged or not.
    memory = project.root / ".mkpkgs/kinds.json"
    assert "greet_1.0-1_all.deb" in memory.read_text()
    memory.write_text('{"packages": 1}')
    assert "%pretrans -p <lua>" in project.mkpkgs("plan").stdout
    # The next run has nothing to do, and one that forgot all makes the same bytes.
    before = {path: path.read_bytes() for path in made}
    assert "nothing" in project.mkpkgs().stdout
    (project.root / ".mkpkgs/state.json").unlink()
    project.mkpkgs()
    assert {path: path.read_bytes() for path in made} == before


@pytest.mark.parametrize("table", ["core", "plugin.bye"])
def test_a_file_below_a_link_is_refused(published: Workspace, tmp_path: Path, table: str) -> None:
    place = "/usr/share/doc/of-greet"
    entries = entry(place, type="symlink", target="greet") + entry(f"{place}/", table=table)
    project = next_version(published, tmp_path / "next", entries)
    done = project.mkpkgs(check=False)
    assert done.returncode == 2
    owner = table.replace(".", "-").replace("core", "greet").replace("plugin-", "greet-plugin-")
    assert f"{place} is no directory in greet, and {owner} has something below it" in done.stdout
