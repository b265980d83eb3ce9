"""Plugins for somebody else's server of several versions side by side, out of one file; the judges are dpkg-deb, apt's
index and the servers."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.authors.world import author
from tests.workspace import Workspace, newest

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="shared objects of C need gcc")

SAMPLE = Path(__file__).parent.parent / "samples/tiny-elf"
PLUGINS = """
[plugin.fine]
summary = "Says for which chime it was built"
version = "2.0"
provides = ["chime-{abi}-fine"]

[plugin.fine.elf]
source = "fine"
build = [["gcc", "-g", "-fPIC", "-shared", "-DABI={abi}", "-I{core}", "-o", "fine.so", "fine.c"]]
objects = ["fine.so"]

[plugin.late]
summary = "Is for the newer one alone"
version = "1.0"
abis = ["17"]
elf.objects = ["late.so"]
"""
FINE = """\
#include "chime.h"
#define TEXT(word) #word
#define SAID(abi) TEXT(fine of abi)
static void ring(void) { chime_say(SAID(ABI)); }
const struct chime_module chime_module = {CHIME_ABI, ring};
"""
BOTH = {"chime15-plugin-fine", "chime17-plugin-fine", "chime17-plugin-late"}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The servers chime15 and chime17 of one maintainer, each with an interface of its own."""
    core = Workspace.create(SAMPLE, tmp_path_factory.mktemp("chimes"))
    file = core.root / "mkpkgs.toml"
    text = file.read_text().replace('name = "chime"', 'name = "chime{abi}"\nabis = ["15", "17"]')
    text = text.replace("[[", '[["sed", "-i", "s/CHIME_ABI 1/CHIME_ABI {abi}/", "chime.h"], [', 1)
    file.write_text(text.replace("loader = {", 'authors = { files = ["*.h"] }\nloader = {'))
    core.mkpkgs()
    return core


@pytest.fixture(scope="module")
def built(published: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The author's project, built for both."""
    place = tmp_path_factory.mktemp("acme")
    shutil.copytree(published.dist, place / "published")
    root = Workspace.at(place).root
    (root / "fine").mkdir(parents=True)
    (root / "fine/fine.c").write_text(FINE)
    shutil.copyfile(published.root / ".mkpkgs/elf/17/amd64/core/source/bell.so", root / "late.so")
    made = author(place, "chime{abi}", "../published", "elf", PLUGINS, ("15", "17"))
    made.mkpkgs()
    return made


@pytest.fixture
def acme(built: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it, and of what is published where it looks."""
    shutil.copytree(built.root.parent / "published", tmp_path / "acme/published")
    return built.copy(tmp_path / "acme")


def packages(project: Workspace) -> dict[str, str]:
    """Version by name of what the index of the repository lists, without debug information."""
    (index,) = project.dist.rglob("Packages")
    rows = re.findall(r"(?m)^Package: (\S+)$(?:\n.+)*?\nVersion: (\S+)$", index.read_text())
    return {name: version for name, version in rows if not name.endswith("-dbgsym")}


def field(package: Path, name: str) -> str:
    return subprocess.run(["dpkg-deb", "-f", package, name], capture_output=True, text=True, check=True).stdout.strip()


def test_one_file_gives_the_packages_for_each_core(published: Workspace, built: Workspace, tmp_path: Path) -> None:
    assert set(packages(built)) == BOTH
    for abi in ("15", "17"):
        core = f"chime{abi}"
        package = newest(built.dist, f"{core}-plugin-fine", "deb")
        (identity,) = [
            path.name.partition("-")[0] for path in (published.dist / "dev" / core).iterdir() if path.is_dir()
        ]
        assert f"{core}-abi-{identity}" in field(package, "Depends")
        assert field(package, "Provides") == f"chime-{abi}-fine"
        for one in (package, newest(published.dist, core, "deb")):
            subprocess.run(["dpkg-deb", "-x", one, tmp_path], check=True)
        (tmp_path / "modules").write_text(f"open {tmp_path}/usr/lib/{core}/plugins/fine/fine.so\n")
        program = tmp_path / f"usr/lib/{core}/bin/{core}-core"
        told = subprocess.run([program, "--check", tmp_path / "modules"], capture_output=True, text=True, check=True)
        assert told.stdout.splitlines()[0] == f"fine of {abi}"
    assert newest(built.dist, "chime15-plugin-fine", "rpm").exists()


def test_each_core_has_a_lock_and_all_have_one_repository_and_key(built: Workspace) -> None:
    assert sorted(path.name for path in built.root.glob("*.lock")) == ["mkpkgs-15.lock", "mkpkgs-17.lock"]
    there = {path.name for path in built.dist.iterdir() if path.is_file()}
    assert {"acme-chime.sources", "acme-chime.pub", "acme-chime-15.lock", "acme-chime-17.lock"} <= there
    page = (built.dist / "index.html").read_text()
    assert "Plugins for chime15 and chime17 by" in page
    for core in ("chime15", "chime17"):
        assert f"# for {core}:\ninstall -d -m 0755 /etc/{core}/keys.d\n" in page


def test_what_is_there_is_left_and_one_core_can_be_built_alone(acme: Workspace) -> None:
    acme.mkpkgs()
    assert acme.mkpkgs().stdout.startswith("nothing to do")
    acme.replace("mkpkgs.toml", version="2.1")
    acme.mkpkgs("--abi", "17")
    assert packages(acme) == {
        "chime15-plugin-fine": "2.0+1.0-1",
        "chime17-plugin-fine": "2.1+1.0-1",
        "chime17-plugin-late": "1.0+1.0-1",
    }
    assert "'16' is not one of `abis`" in acme.mkpkgs("--abi", "16", check=False).stdout


def test_check_looks_at_each_core(acme: Workspace) -> None:
    file = acme.root / "fine/fine.c"
    file.write_text(file.read_text().replace("chime_say(", "\n#if ABI == 17\nchime_shout(0);\n#endif\nchime_say("))
    done = acme.mkpkgs("check", "-q", check=False)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[:4] == ["chime15 1.0-1 (amd64)", "  fine: fits", "chime17 1.0-1 (amd64)", "  late: fits"]
    assert "chime_shout" in "".join(lines[4:])
    assert acme.mkpkgs("check", "-q", "--abi", "15").stdout.splitlines() == lines[:2]


def test_rebuild_does_the_core_that_changed_alone(published: Workspace, acme: Workspace, tmp_path: Path) -> None:
    assert acme.mkpkgs("rebuild").stdout.splitlines()[-1].startswith("nothing to do")
    newer = published.copy(tmp_path / "newer")
    header = newer.root / "server/chime.h"
    header.write_text(header.read_text().replace('CHIME_SIGNATURE "', 'CHIME_SIGNATURE "newer ', 1))
    newer.replace("mkpkgs.toml", version="1.1")
    newer.mkpkgs("--abi", "17")
    place = tmp_path / "acme/published"
    told = acme.mkpkgs("abi", "diff", str(place), str(newer.dist), "--core", "chime17", check=False).stdout
    assert told.splitlines()[0] == "chime17 1.0-1 (amd64) → chime17 1.1-1 (amd64)"
    assert "macro CHIME_SIGNATURE: " in told
    acme.mkpkgs("abi", "diff", str(place), str(newer.dist), "--core", "chime15")
    shutil.rmtree(place)
    shutil.copytree(newer.dist, place)
    shutil.copyfile(newer.root / ".mkpkgs/elf/17/amd64/core/source/bell.so", acme.root / "late.so")
    done = acme.mkpkgs("rebuild").stdout
    assert "build for chime17 1.1-1 (amd64)" in done
    assert "build for chime15" not in done
    assert packages(acme) == {
        "chime15-plugin-fine": "2.0+1.0-1",
        "chime17-plugin-fine": "2.0+1.1-1",
        "chime17-plugin-late": "1.0+1.1-1",
    }
