"""The tutorial of docs/drivers.md, done as it stands there: files, commands, and packages that dpkg-deb reads."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from packaging_tool.formats.deb import Format

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/drivers.md").read_text()
# What stands in a fence: its language, the file that it is a part of (or nothing), the text.
FENCES = re.findall(r"(?ms)^```(\w+) ?(\S*)\n(.*?)^```$", PAGE)


def files() -> Mapping[str, str]:
    """The files of the tutorial; parts of one file in the order of the page."""
    found: dict[str, str] = {}
    for _, name, text in FENCES:
        if name:
            found[name] = found.get(name, "") + text
    return found


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which somebody followed the page, with pip's target and keys in places of the test's."""
    directory = tmp_path_factory.mktemp("tutorial")
    for name, text in files().items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (commands,) = (text for language, _, text in FENCES if language == "sh")
    site = directory / "site"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}:{site}",
        "MKPKGS_KEYS": str(directory / "keys"),
        # setuptools is here already.
        "PIP_NO_BUILD_ISOLATION": "no",
        "PIP_TARGET": str(site),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    ran = subprocess.run(
        ["sh", "-eux"], input=commands, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return directory


def test_the_driver_has_sixty_lines() -> None:
    code = [line for line in files()["driver/mkpkgs_perl.py"].splitlines() if line.strip()]
    assert len(code) <= 60


def test_it_is_a_distribution_with_an_entry_point(done: Path) -> None:
    (metadata,) = (done / "site").glob("mkpkgs_perl-1.0.dist-info")
    assert "[mkpkgs.drivers]\nperl = mkpkgs_perl\n" in (metadata / "entry_points.txt").read_text()


def test_dpkg_deb_reads_its_packages(done: Path) -> None:
    pool = done / "server/dist/apt/pool/main/b/bard"
    (plugin,) = pool.glob("bard-plugin-ode_*.deb")
    (core,) = pool.glob("bard_*.deb")
    shown = subprocess.run(["dpkg-deb", "-c", plugin], capture_output=True, text=True, check=True).stdout
    assert re.search(r"-rw-r--r-- root/root .* \./usr/lib/bard/plugins/ode/ode\.pm$", shown, re.MULTILINE)
    provides = subprocess.run(["dpkg-deb", "-f", core, "Provides"], capture_output=True, text=True, check=True).stdout
    depends = subprocess.run(["dpkg-deb", "-f", plugin, "Depends"], capture_output=True, text=True, check=True).stdout
    abi, manifest = provides.strip().split(", ")
    assert (re.fullmatch(r"bard-abi-[0-9a-f]{64}", abi) is not None, manifest) == (True, "bard-manifest-2")
    assert abi in depends.split(", ")[0]
    assert Format().describe(core)


def test_its_server_has_the_plugin(done: Path, tmp_path: Path) -> None:
    """As on an installed machine, with the two packages unpacked and arranged by the script of the core."""
    for package in (done / "server/dist").rglob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, tmp_path], check=True)
    serving = tmp_path / "usr/lib/bard/bin/serving"
    serving.mkdir()
    (tmp_path / "usr/lib/bard/plugins").rename(serving / "plugins")
    (serving / "loader").mkdir()
    subprocess.run(["sh", tmp_path / "usr/lib/bard/arrange", serving, "ode"], check=True)
    program = (tmp_path / "usr/lib/bard/bin/bard-core").read_text().replace("/usr/lib", f"{tmp_path}/usr/lib")
    said = subprocess.run(["perl", "-"], input=program, capture_output=True, text=True, check=True).stdout
    assert said == "Thou still unravish'd bride of quietness\n"


def test_its_failures_have_the_words_of_perl(done: Path) -> None:
    module = done / "server/ode.pm"
    good = module.read_text()
    module.write_text("use strict;\n$nothing = 1;\n")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{done / 'site'}", "MKPKGS_KEYS": str(done / "keys")}
    ran = subprocess.run(
        [sys.executable, "-m", "packaging_tool", "build"],
        cwd=done / "server",
        env=environment,
        capture_output=True,
        text=True,
    )
    module.write_text(good)
    assert ran.returncode == 1
    assert "plugin ode does not build:" in ran.stderr
    assert 'Global symbol "$nothing" requires explicit package name' in ran.stderr
