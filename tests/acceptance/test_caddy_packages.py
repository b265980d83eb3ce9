"""All packages of the Caddy example, judged by lintian, rpmlint, dpkg-deb and rpm."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Packages:
    """What was published for one architecture. debian, rpm: its name in each format."""

    published: Caddy
    debian: str
    rpm: str

    @property
    def debs(self) -> list[Path]:
        return self._newest(f"*_{self.debian}.deb")

    @property
    def rpms(self) -> list[Path]:
        return self._newest(f"*.{self.rpm}.rpm")

    def _newest(self, pattern: str) -> list[Path]:
        """Every plugin's version names that of the core."""
        found = sorted(path for path in self.published.newer.rglob(pattern) if "2.11.9" in path.name)
        assert len(found) == len(NAMES) + 1, found
        return found


@pytest.fixture(params=["amd64", at_night("arm64")])
def packages(request: pytest.FixtureRequest) -> Packages:
    if request.param == "amd64":
        return Packages(request.getfixturevalue("caddy"), "amd64", "x86_64")
    return Packages(request.getfixturevalue("caddy_for_arm64"), "arm64", "aarch64")


def run(command: Sequence[str | Path], home: Path | None = None) -> str:
    env = {**os.environ, "HOME": str(home)} if home else None
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, timeout=900)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def keyring(packages: Packages, tmp_path: Path) -> Path:
    """A home directory whose rpm database (Debian's is `~/.rpmdb`) has the repository's key."""
    run(["rpmkeys", "--import", packages.published.newer / "caddy.asc"], tmp_path)
    return tmp_path


def test_lintian_has_no_error_and_no_warning(packages: Packages) -> None:
    said = run(["lintian", "--fail-on", "error,warning", "--tag-display-limit", "0", *packages.debs])
    assert not [line for line in said.splitlines() if line.startswith(("E:", "W:"))]


def test_rpmlint_has_no_error_and_no_warning(packages: Packages, keyring: Path) -> None:
    said = run(["rpmlint", "-c", RPMLINT, *packages.rpms], keyring)
    assert " 0 errors, 0 warnings" in said, said


def test_rpm_finds_digests_and_signatures_right(packages: Packages, keyring: Path) -> None:
    said = run(["rpm", "-K", *packages.rpms], keyring)
    assert said.count(": digests signatures OK") == len(NAMES) + 1


def test_each_architecture_has_all_packages_in_both_formats(packages: Packages) -> None:
    found = {run(["dpkg-deb", "-f", str(path), "Package"]).strip() for path in packages.debs}
    assert found == NAMES | {AUTHORS["deb"]}
    query = ["rpm", "-qp", "--nosignature", "--qf", "%{NAME}\n"]
    wanted = NAMES | {AUTHORS["rpm"]}
    assert set(run([*query, *packages.rpms]).split()) & wanted == wanted


def test_the_program_runs(packages: Packages, tmp_path: Path) -> None:
    (package,) = [path for path in packages.debs if path.name.startswith("caddy_")]
    run(["dpkg-deb", "-x", package, tmp_path])
    program = tmp_path / "usr/lib/caddy/bin/caddy-core"
    emulator = ["qemu-aarch64-static"] if packages.debian == "arm64" else []
    assert run([*emulator, program, "version"]).startswith("v2.11.9")
