"""Members are found without being imported, and drivers may come from other distributions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from packaging_tool import registry
from tests.workspace import TINY, Workspace

ROOT = Path(__file__).parent.parent
# The driver `files` under another name.
COPY = "from packaging_tool.drivers import files\nfrom packaging_tool.drivers.files import CoreOptions, PluginOptions\n"
DRIVER = f'{COPY}\n\nclass Driver(files.Driver):\n    name = "copy"\n'

Mkpkgs = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Workspace:
    """The sample server, whose driver is `copy`."""
    made = Workspace.create(TINY, tmp_path)
    file = made.root / "mkpkgs.toml"
    text = file.read_text().replace('driver = "files"', 'driver = "copy"').replace("[core.files]", "[core.copy]")
    file.write_text(re.sub("(?m)^files =", "copy =", text))
    return made


@pytest.fixture
def mkpkgs(project: Workspace, tmp_path: Path) -> Mkpkgs:
    """Run mkpkgs in the project, with the distributions that lie in `site`."""

    def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join((str(ROOT), str(tmp_path / "site")))
        return subprocess.run(
            [sys.executable, "-m", "packaging_tool", *arguments],
            cwd=project.root,
            env={**project.environment(), "PYTHONPATH": path, **environment},
            capture_output=True,
            text=True,
        )

    return call


def distribution(place: Path, name: str, code: str, points: str) -> None:
    """Install a distribution of one module, as pip does: what counts is its metadata."""
    metadata = place / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[mkpkgs.drivers]\n{points}\n")
    (place / f"{name}.py").write_text(code)


def imported(arguments: tuple[str, ...], project: Workspace, site: Path) -> set[str]:
    """Modules that a run of mkpkgs imported."""
    code = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))"
    code += "; from packaging_tool.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=project.root,
        env={**project.environment(), "PYTHONPATH": os.pathsep.join((str(ROOT), str(site)))},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


def test_only_the_driver_in_use_is_imported(project: Workspace, tmp_path: Path) -> None:
    site = tmp_path / "site"
    distribution(site, "copier", DRIVER, "copy = copier\nother = broken")
    (site / "broken.py").write_text("raise RuntimeError\n")
    used = imported(("--version",), project, site)
    assert not any(name.startswith(("packaging_tool.drivers", "copier")) for name in used)
    assert not {"importlib.metadata", "jinja2", "cryptography"} & used
    used = imported(("plan",), project, site)
    assert {"copier", "packaging_tool.drivers.files"} <= used
    others = ("drivers.go", "drivers.elf", "drivers.exec", "drivers.python", "golang", "elf", "wheels")
    assert not any(name.startswith(tuple(f"packaging_tool.{other}" for other in others)) for name in used)


def test_a_project_with_our_own_driver_asks_for_no_other(project: Workspace, tmp_path: Path) -> None:
    site = tmp_path / "site"
    distribution(site, "copier", DRIVER, "copy = copier")
    (project.root / "mkpkgs.toml").write_text((TINY / "mkpkgs.toml").read_text())
    used = imported(("plan",), project, site)
    members = {f"packaging_tool.drivers.{name.replace('-', '_')}" for name in registry.own("drivers")}
    assert members & used == {"packaging_tool.drivers.files"}
    assert not {"copier", "importlib.metadata"} & used


def test_a_driver_of_another_distribution_builds_packages(mkpkgs: Mkpkgs, project: Workspace, tmp_path: Path) -> None:
    distribution(tmp_path / "site", "copier", DRIVER, "copy = copier")
    done = mkpkgs()
    assert done.returncode == 0, done.stderr
    built = {path.name.partition("_")[0] for path in project.dist.rglob("*.deb")}
    assert built >= {"greet", "greet-plugin-hello", "greet-plugin-bye", "greet-plugin-moon"}
    assert mkpkgs().stdout.startswith("nothing to do")
    (tmp_path / "site/copier.py").write_text(f"{DRIVER}\n")
    assert " unchanged in " in mkpkgs().stdout, "another state of the driver is another run"


def test_what_is_wrong_with_such_a_driver_is_told(mkpkgs: Mkpkgs, tmp_path: Path) -> None:
    site = tmp_path / "site"
    done = mkpkgs("plan")
    assert done.returncode == 2
    assert re.search(r"mkpkgs.toml:\d+: core.driver: there is no driver 'copy'", done.stderr)
    for number, (code, points, reason) in enumerate(
        (
            ("import nothing_of_this_name\n", "copy = m0", "cannot be imported: ModuleNotFoundError: No module named"),
            (COPY, "copy = m1", "has no Driver, "),
            (
                f"{COPY}class Driver:\n    name = build = target = lock = check = 0\n",
                "copy = m2",
                "has no Driver.fingerprint",
            ),
            (DRIVER, "copy = m3:Driver", "is not a module"),
        )
    ):
        name = f"m{number}"
        distribution(site, name, code, points)
        done = mkpkgs("plan")
        assert done.returncode == 2
        assert f"'copy' of the drivers, from {name} 1.0, {reason}" in done.stderr
        assert "Traceback" not in done.stderr
        (site / f"{name}-1.0.dist-info/entry_points.txt").unlink()
    distribution(site, "one", DRIVER, "copy = one")
    distribution(site, "two", DRIVER, "copy = two")
    assert "'copy' of the drivers is in one 1.0 and two 1.0" in mkpkgs("plan").stderr


def test_nobody_takes_the_name_of_a_driver_of_ours(mkpkgs: Mkpkgs, project: Workspace, tmp_path: Path) -> None:
    distribution(tmp_path / "site", "thief", "raise RuntimeError\n", "files = thief")
    text = (TINY / "mkpkgs.toml").read_text()
    (project.root / "mkpkgs.toml").write_text(text)
    assert mkpkgs("plan").returncode == 0
