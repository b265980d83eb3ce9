"""The same project and lock give the same `dist/`, whatever the machine, the day and the user's habits are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workspace import Workspace

SAMPLES = Path(__file__).parent / "samples"
# The clock of a run is set by a module that Python loads at its start; gpg is told the time by mkpkgs itself.
TOMORROW = """\
import time
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + 86400 * 40
time.time_ns = lambda: _time_ns() + 86400 * 40 * 10**9
"""


def build(project: Workspace, umask: int, *arguments: str, **more: str) -> dict[str, tuple[int, bytes]]:
    """Everything below `dist/`: mode and bytes by relative path."""
    argv = [sys.executable, "-m", "packaging_tool", "-q", *arguments]
    subprocess.run(argv, cwd=project.root, env={**project.environment(), **more}, umask=umask, check=True)
    return {
        path.relative_to(project.dist).as_posix(): (
            path.stat().st_mode & 0o7777,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in project.dist.rglob("*")
    }


@pytest.mark.parametrize(
    "sample",
    [
        "tiny",
        pytest.param(
            "go-host",
            marks=[pytest.mark.acceptance, pytest.mark.skipif(shutil.which("go") is None, reason="needs go")],
        ),
    ],
)
def test_directory_umask_zone_locale_threads_and_day_do_not_show(sample: str, tmp_path: Path) -> None:
    here = Workspace.create(SAMPLES / sample, tmp_path / "here")
    one = build(here, 0o022, "-j1", TZ="UTC", LC_ALL="C")
    there = Workspace.create(SAMPLES / sample, tmp_path / "a place with a longer name", keys=here.keys)
    shutil.copy(here.root / "mkpkgs.lock", there.root)
    for path in there.root.rglob("*"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock/sitecustomize.py").write_text(TOMORROW)
    search = f"{tmp_path / 'clock'}:{here.environment()['PYTHONPATH']}"
    other = build(there, 0o077, "-j2", TZ="Pacific/Auckland", LC_ALL="de_DE.UTF-8", PYTHONPATH=search)
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []
    assert (here.root / "mkpkgs.lock").read_bytes() == (there.root / "mkpkgs.lock").read_bytes()


def test_whatever_the_umask_a_web_server_can_read_all_of_it(tmp_path: Path) -> None:
    made = build(Workspace.create(SAMPLES / "tiny", tmp_path), 0o077)
    closed = [name for name, (mode, _) in made.items() if mode & 0o044 != 0o044]
    assert closed == []
    assert {mode for name, (mode, data) in made.items() if not data} == {0o755}
