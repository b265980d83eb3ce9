"""The same checks for every driver, in a booted machine each: a new driver is tested here by the data of its sample.

A sample is a project in `tests/samples` with a file `every-driver.toml`. Its server answers on port 8080 with its name
and version in the first line, then with a line for each plugin, in their order, that begins with the plugin's name. The
file says:

base: another sample, over which this one is laid.
reason: what is told of the broken plugin.
roots: by package manager, the root with what the server needs, where the usual one has it not.
next: edits that make another core of another ABI, version 2.0. An edit has file, old and new.
broken: an edit that breaks a plugin on the target, and that plugin's name.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import pytest

from packaging_tool import registry
from packaging_tool.project.loader import load
from packaging_tool.project.model import Project
from tests import roots
from tests.systems import SYSTEMS, Apt, System
from tests.workspace import Workspace, newest

pytestmark = pytest.mark.acceptance

SAMPLES = Path(__file__).parent.parent / "samples"
RPMLINT = Path(__file__).parent.parent.parent / "docs/rpmlint.toml"
DRIVERS = registry.own("drivers")


@dataclass(frozen=True)
class Sample:
    """A project of one driver in three states, built: `first`, `broken` (one plugin), `next` (all, another ABI)."""

    data: Mapping[str, Any]
    place: Path

    @classmethod
    def build(cls, driver: str, shared: Path) -> Sample:
        source, data = find(driver)
        place = shared / f"every-{driver}"
        with roots.once(place) as missing:
            if missing:
                merged = place / "source"
                for part in (*([SAMPLES / data["base"]] if "base" in data else []), source):
                    shutil.copytree(part, merged, dirs_exist_ok=True)
                first = Workspace.create(merged, place / "first")
                first.mkpkgs()
                # Only the first is linted.
                broken = first.copy(place / "broken").quick()
                (edit,) = data["broken"]
                raised = {"file": "mkpkgs.toml", "old": f"[plugin.{edit['plugin']}]\n"}
                change(broken, edit, {**raised, "new": f'{raised["old"]}release = "2"\n'})
                broken.mkpkgs()
                following = first.copy(place / "next").quick()
                change(following, *data["next"])
                following.replace("mkpkgs.toml", version="2.0.0")
                following.mkpkgs()
        return cls(data, place)

    def state(self, name: str) -> Workspace:
        return Workspace.at(self.place / name)

    @cached_property
    def project(self) -> Project:
        return load(self.state("first").root / "mkpkgs.toml")

    @property
    def core(self) -> str:
        return self.project.core.name

    @cached_property
    def plugins(self) -> list[str]:
        """Names in the order in which the server must have them."""
        return [plugin.name for plugin in sorted(self.project.plugins, key=lambda spec: (spec.order, spec.name))]

    @property
    def packages(self) -> list[str]:
        return [f"{self.core}-plugin-{name}" for name in self.plugins]

    def system(self, family: str, directory: Path) -> System:
        """A machine of this package manager with what the server needs."""
        kind = SYSTEMS[family]
        base = self.data.get("roots", {}).get(family, kind.base_name)
        suited = cast(type[System], type(kind.__name__, (kind,), {"base_name": base}))
        return suited(self.state("first").dist, directory, self.core)


def find(driver: str) -> tuple[Path, Mapping[str, Any]]:
    """The sample of a driver. LookupError says what to do where there is none."""
    for file in sorted(SAMPLES.glob("*/every-driver.toml")):
        project = tomllib.loads(file.with_name("mkpkgs.toml").read_text())
        if project["core"].get("driver") == driver:
            return file.parent, tomllib.loads(file.read_text())
    raise LookupError(f"no project in tests/samples has the driver {driver} and a file every-driver.toml")


def change(project: Workspace, *edits: Mapping[str, str]) -> None:
    for edit in edits:
        file = project.root / edit["file"]
        text = file.read_text()
        assert edit["old"] in text, f"{edit['old']!r} is not in {file}"
        file.write_text(text.replace(edit["old"], edit["new"], 1))


def answer(system: System) -> tuple[str, list[str]]:
    """The version of the server that answers, and the plugins in it."""
    url = "http://127.0.0.1:8080/"
    body = system.run("curl", "-s", "--retry", "30", "--retry-connrefused", "--retry-delay", "1", url).stdout
    head, *rest = body.splitlines()
    version = re.search(r"\d[\d.]*", head)
    assert version, body
    return version[0], [re.split(r"\W", line)[0] for line in rest]


def tool(system: System, *arguments: str, status: int = 0) -> str:
    done = system.run(f"{system.core}-plugins", *arguments, check=False)
    assert done.returncode == status, done.stdout
    return done.stdout


@pytest.fixture(scope="class", params=DRIVERS)
def sample(request: pytest.FixtureRequest, bootable: None, shared: Path) -> Sample:
    return Sample.build(request.param, shared)


@pytest.fixture(scope="class")
def apt(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apt]:
    """One machine for all checks of a driver: each test goes on where the last one ended."""
    with sample.system("apt", tmp_path_factory.mktemp("every") / "machine") as system:
        assert isinstance(system, Apt)
        system.use()
        yield system


def test_lintian_has_nothing_to_say(sample: Sample) -> None:
    packages = sorted(sample.state("first").dist.rglob("*.deb"))
    assert len(packages) > len(sample.packages)
    done = subprocess.run(["lintian", "--fail-on", "error,warning", *packages], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_rpmlint_has_nothing_to_say(sample: Sample, tmp_path: Path) -> None:
    dist = sample.state("first").dist
    packages = sorted(dist.rglob("*.rpm"))
    assert len(packages) > len(sample.packages)
    # Debian's rpm has its database in the home directory; rpmlint wants to find the key there.
    env = {**os.environ, "HOME": str(tmp_path)}
    subprocess.run(["rpmkeys", "--import", dist / f"{sample.core}.asc"], env=env, check=True)
    done = subprocess.run(["rpmlint", "-c", RPMLINT, *packages], env=env, capture_output=True, text=True)
    assert " 0 errors, 0 warnings" in done.stdout, done.stdout


class TestEveryDriver:
    """A server and its plugins from the first installation to the purge, with apt."""

    def test_install_in_order(self, apt: Apt, sample: Sample) -> None:
        apt.install(sample.core, *sample.packages)
        version, plugins = answer(apt)
        assert version.startswith("1.0")
        assert plugins == sample.plugins
        assert "verified: what is installed is what serves" in tool(apt, "status")

    def test_nothing_is_done_twice(self, apt: Apt) -> None:
        starts = apt.starts()
        assert "nothing to do" in tool(apt, "apply")
        assert apt.starts() == starts == 1

    def test_tampering(self, apt: Apt, sample: Sample) -> None:
        name = sample.plugins[-1]
        file = apt.sh(f"find /usr/lib/{sample.core}/plugins/{name} -type f | sort | head -n 1").strip()
        apt.sh(f"printf x >>{file}")
        assert f"{file} is not what its manifest says" in tool(apt, "verify", status=1)
        assert "the old set goes on serving" in tool(apt, "apply", status=1)
        apt.sh(f"systemctl restart {sample.core}")
        assert answer(apt)[1] == sample.plugins
        apt.apt("install", "--reinstall", f"{sample.core}-plugin-{name}")
        tool(apt, "status")

    def test_wrong_abi(self, apt: Apt, sample: Sample) -> None:
        name = sample.plugins[0]
        package = newest(sample.state("next").dist, f"{sample.core}-plugin-{name}", "deb")
        apt.put(package, "/root/foreign.deb")
        refused = apt.apt("install", "--no-remove", "/root/foreign.deb", check=False)
        assert refused.returncode != 0
        assert f"{sample.core}-abi-" in refused.stdout
        assert f"plugin {name}: it was built for another {sample.core}" in apt.force(package).stdout
        assert answer(apt)[1] == sample.plugins
        apt.apt("install", "--allow-downgrades", f"{sample.core}-plugin-{name}=1.*")
        tool(apt, "status")

    def test_broken_plugin(self, apt: Apt, sample: Sample) -> None:
        starts = apt.starts()
        apt.use(sample.state("broken").dist)
        done = apt.upgrade()
        assert sample.data["reason"] in done.stdout
        assert "the old set goes on serving" in done.stdout
        assert answer(apt)[1] == sample.plugins
        assert apt.starts() == starts
        assert sample.data["reason"] in tool(apt, "status", status=1)

    def test_lockstep_upgrade(self, apt: Apt, sample: Sample) -> None:
        starts = apt.starts()
        apt.use(sample.state("next").dist)
        apt.upgrade()
        version, plugins = answer(apt)
        assert version.startswith("2.0")
        assert plugins == sample.plugins
        assert apt.starts() == starts + 1
        assert {name for name, version in apt.installed().items() if version.startswith("2.0")} >= {
            sample.core,
            *sample.packages,
        }
        tool(apt, "status")

    def test_removal(self, apt: Apt, sample: Sample) -> None:
        needed = {need for spec in sample.project.plugins for need in spec.needs}
        gone = next(name for name in sample.plugins if name not in needed)
        apt.remove(f"{sample.core}-plugin-{gone}")
        assert answer(apt)[1] == [name for name in sample.plugins if name != gone]
        apt.purge()
        assert apt.installed() == {}
        assert (
            apt.sh(f"ls -d /usr/lib/{sample.core} /usr/share/{sample.core} /etc/{sample.core} 2>/dev/null || :") == ""
        )


@pytest.fixture
def dnf(sample: Sample, tmp_path: Path) -> Iterator[System]:
    with sample.system("dnf", tmp_path / "machine") as system:
        system.use()
        yield system


class TestEveryDriverWithRpm:
    """What apply does does not depend on who called it, so with dnf the two ends suffice."""

    def test_install_and_removal(self, dnf: System, sample: Sample) -> None:
        dnf.install(sample.core, *sample.packages)
        dnf.enable()
        assert answer(dnf)[1] == sample.plugins
        tool(dnf, "status")
        dnf.purge()
        assert dnf.installed() == {}
