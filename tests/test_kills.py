"""After a kill at any moment what is published fits together, and the next run goes on from it.

`python -m tests.fuzz kills` does the same a hundred times.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from packaging_tool import atomic
from tests.fuzz import kills
from tests.tiers import at_night
from tests.workspace import Workspace

SEED = int(time.time())
# Kills its process at the rename of the output directory, or of what is to be it, that the variable AT counts.
AT_RENAME = """\
import os, pathlib, signal
_rename, _left = pathlib.Path.rename, [int(os.environ["AT"])]
def rename(self, target):
    if self.name.startswith((".dist", "dist")):
        _left[0] -= 1
        if not _left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
    return _rename(self, target)
pathlib.Path.rename = rename
"""
# The project on an overlay whose lower layer has it, as a container has what its image brings.
LAYERS = 'mount -t overlay overlay -o "lowerdir=$1,upperdir=$2,workdir=$3" "$1" && cd "$1" && shift 3 && exec "$@"'


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A published project of many plugins."""
    return kills.project(tmp_path_factory.mktemp("crowd"), 20)


@pytest.fixture
def project(crowd: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it, which has nothing to do."""
    made = crowd.copy(tmp_path / "copy")
    made.mkpkgs("-q")
    return made


@pytest.mark.parametrize("count", [4, at_night(20)])
def test_killed_at_any_time_the_published_directory_fits_together(project: Workspace, count: int) -> None:
    assert list(kills.sequence(project, count, SEED)) == []


def test_also_where_two_names_cannot_be_exchanged(project: Workspace, tmp_path: Path) -> None:
    project = kills.without_exchange(project, tmp_path / "start")
    assert list(kills.sequence(project, 3, SEED, gap=True)) == []


@pytest.mark.parametrize("at", [at_night(1), 2, at_night(3)])
def test_killed_between_two_renames_nothing_that_was_published_is_lost(
    at: int, project: Workspace, tmp_path: Path
) -> None:
    old = project.dist / "apt/pool/main/g/greet/kept_1_all.deb"
    shutil.copy(next(old.parent.glob("greet-plugin-p0_*.deb")), old)
    project.mkpkgs("-q", "--adopt")
    there = kills.without_exchange(project, tmp_path / "start")
    with (tmp_path / "start/sitecustomize.py").open("a") as file:
        file.write(AT_RENAME)
    kills.change(project, 7)
    assert there.under(AT=str(at)).mkpkgs("-q", check=False).returncode == -signal.SIGKILL
    assert project.dist.exists() == (at < 3)
    there.under(AT="99").mkpkgs("-q")
    assert list(kills.faults(project.dist)) == []
    assert old.is_file()
    assert kills.leftovers(project) == []


def test_a_tree_that_a_checkout_brings_takes_nobodys_place(project: Workspace) -> None:
    stranger = project.root / ".dist.0123456789abcdef.new"
    (stranger / "apt").mkdir(parents=True)
    before = sorted(project.dist.rglob("*"))
    done = project.mkpkgs(check=False)
    assert (done.returncode, "was put there by no run of this user" in done.stdout) == (2, True)
    assert "Traceback" not in done.stdout
    assert sorted(project.dist.rglob("*")) == before
    shutil.rmtree(stranger)
    assert project.mkpkgs().returncode == 0


def test_a_run_with_nothing_to_do_sweeps_what_a_kill_left(project: Workspace) -> None:
    (project.root / ".dist.abcd.staging/apt").mkdir(parents=True)
    assert "nothing to do" in project.mkpkgs("-o", "dist").stdout
    assert kills.leftovers(project) == []


def test_a_run_that_is_alive_keeps_its_working_copy(project: Workspace) -> None:
    (project.root / ".dist.abcd.staging/apt").mkdir(parents=True)
    with subprocess.Popen(["flock", project.root, "sh", "-c", "echo; exec cat"], stdin=-1, stdout=-1) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert "nothing to do" in project.mkpkgs("-o", "dist").stdout
        assert kills.leftovers(project) == [".dist.abcd.staging"]


def test_parts_of_packages_are_never_published_and_go_where_they_were(project: Workspace) -> None:
    parts = [
        project.dist / "apt/pool/main/g/greet/.greet-plugin-p1_1.0-1_all.deb.8731d946",
        project.dist / "yum/packages/.greet-plugin-p1-1.0-1.noarch.rpm.8731d946",
    ]
    for part in parts:
        part.write_bytes(b"half")
    (project.dist / ".htaccess").write_text("of the web server")
    kills.change(project, 3)
    project.mkpkgs()
    assert [part for part in parts if part.exists()] == []
    assert (project.dist / ".htaccess").is_file()


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        (".a.deb.8731d946", "a.deb"),
        (".Release.0123456789ab", "Release"),
        (".htaccess", ""),
        ("a.deb.8731d946", ""),
        (".a.deb.8731D946", ""),
    ],
)
def test_a_part_is_known_by_its_name(name: str, whole: str) -> None:
    assert atomic.part_of(name) == whole


@pytest.fixture
def layered(project: Workspace, tmp_path: Path) -> list[str]:
    """The start of a command that runs in the project, which lies in the lower layer of an overlay."""
    for name in ("upper", "work"):
        (tmp_path / name).mkdir()
    enter: list[str | Path] = [
        "unshare",
        "-m",
        "sh",
        "-c",
        LAYERS,
        "sh",
        project.root,
        tmp_path / "upper",
        tmp_path / "work",
    ]
    if subprocess.run([*enter, "true"], capture_output=True).returncode:
        pytest.skip("this system mounts no overlay here")
    return [os.fspath(word) for word in enter]


def test_an_output_directory_in_a_lower_layer_is_replaced(project: Workspace, layered: list[str]) -> None:
    def run(script: str) -> str:
        command = [*layered, "sh", "-ec", script, "sh", sys.executable]
        done = subprocess.run(command, env=project.environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with pytest.raises(AssertionError, match=r"[Cc]ross-device"):
        run('"$1" -c \'import os; os.rename("dist", "other")\'')
    kills.change(project, 5)
    changed = run('"$1" -m packaging_tool; cat p/greeting >dist/seen; "$1" -m packaging_tool; ls -A')
    assert "nothing to do" not in changed
    assert not re.search(r"^\.dist", changed, re.M)
    check = "import pathlib; from tests.fuzz import kills; print(list(kills.faults(pathlib.Path('dist'))))"
    assert run(f'"$1" -c "{check}"; "$1" -m packaging_tool -o dist').startswith("[]\n")
