"""All packages of the Caddy example, judged by lintian, rpmlint, dpkg-deb and rpm."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.acceptance.caddy import MODULES, Caddy
from tests.tiers import at_night

pytestmark = pytest.mark.acceptance

# What both formats have; beside it, one of these is for authors of plugins.
AUTHORS = {"deb": "caddy-plugin-dev", "rpm": "caddy-plugin-devel"}
NAMES = {"caddy", "caddy-plugin-kit", *(f"caddy-plugin-{name}" for name in MODULES)}
# What is meant, each with its reason; people who lint packages of mkpkgs use the same file.
RPMLINT = Path(__file__).parent.parent.parent / "docs/rpmlint.toml"


def packages(dist: Path, pattern: str) -> list[Path]:
    """The packages of the newest version; every plugin's version names that of the core."""
    found = sorted(path for path in dist.rglob(pattern) if "2.11.9" in path.name)
    assert len(found) == len(NAMES) + 1, found
    return found


def run(command: Sequence[str | Path], home: Path | None = None) -> str:
    env = {**os.environ, "HOME": str(home)} if home else None
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, timeout=900)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def keyring(caddy: Caddy, tmp_path: Path) -> Path:
    """A home directory whose rpm database (Debian's is `~/.rpmdb`) has the repository's key."""
    run(["rpmkeys", "--import", caddy.newer / "caddy.asc"], tmp_path)
    return tmp_path


@pytest.mark.parametrize("architecture", ["amd64", at_night("arm64")])
def test_lintian_has_no_error_and_no_warning(caddy: Caddy, architecture: str) -> None:
    said = run(
        [
            "lintian",
            "--fail-on",
            "error,warning",
            "--tag-display-limit",
            "0",
            *packages(caddy.newer, f"*_{architecture}.deb"),
        ]
    )
    assert not [line for line in said.splitlines() if line.startswith(("E:", "W:"))]


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_rpmlint_has_no_error_and_no_warning(caddy: Caddy, architecture: str, keyring: Path) -> None:
    said = run(["rpmlint", "-c", RPMLINT, *packages(caddy.newer, f"*.{architecture}.rpm")], keyring)
    assert " 0 errors, 0 warnings" in said, said


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_rpm_finds_digests_and_signatures_right(caddy: Caddy, architecture: str, keyring: Path) -> None:
    said = run(["rpm", "-K", *packages(caddy.newer, f"*.{architecture}.rpm")], keyring)
    assert said.count(": digests signatures OK") == len(NAMES) + 1


def test_both_architectures_have_all_packages_in_both_formats(caddy: Caddy) -> None:
    for pattern in ("*_amd64.deb", "*_arm64.deb"):
        found = {run(["dpkg-deb", "-f", str(path), "Package"]).strip() for path in packages(caddy.newer, pattern)}
        assert found == NAMES | {AUTHORS["deb"]}
    for pattern in ("*.x86_64.rpm", "*.aarch64.rpm"):
        query = ["rpm", "-qp", "--nosignature", "--qf", "%{NAME}\n"]
        wanted = NAMES | {AUTHORS["rpm"]}
        assert set(run([*query, *packages(caddy.newer, pattern)]).split()) & wanted == wanted


def test_the_arm64_program_runs(caddy: Caddy, tmp_path: Path) -> None:
    (package,) = [path for path in packages(caddy.newer, "*_arm64.deb") if path.name.startswith("caddy_")]
    run(["dpkg-deb", "-x", package, tmp_path])
    program = tmp_path / "usr/lib/caddy/bin/caddy-core"
    assert run(["qemu-aarch64-static", program, "version"]).startswith("v2.11.9")
