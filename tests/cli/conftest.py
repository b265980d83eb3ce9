"""A small project with keys, and the real command line to run on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SAMPLE = ROOT / "tests/samples/tiny"
Mkpkgs = Callable[..., subprocess.CompletedProcess[str]]


def environment(**more: str) -> dict[str, str]:
    """The environment of a user who has set nothing."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("MKPKGS", "_MKPKGS", "SOURCE_DATE_")) and k != "NO_COLOR"
    }
    return {**kept, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", **more}


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys that all tests share: making some takes a while."""
    place = tmp_path_factory.mktemp("keys") / "greet"
    argv = [sys.executable, "-m", "packaging_tool", "key", "new", "-q", "--keys", str(place)]
    subprocess.run(argv, cwd=SAMPLE, env=environment(), check=True)
    return place


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the smallest real project."""
    place = tmp_path / "project"
    shutil.copytree(SAMPLE, place, ignore=shutil.ignore_patterns(".mkpkgs", "dist", "mkpkgs.lock"))
    return place


@pytest.fixture
def mkpkgs(project: Path, keys: Path) -> Mkpkgs:
    """Run mkpkgs as a user does: mkpkgs("plan", cwd=…, env={…})."""

    def run(
        *arguments: str, cwd: Path = project, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "packaging_tool", *arguments],
            cwd=cwd,
            env=environment(MKPKGS_KEYS=str(keys), **(env or {})),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run
