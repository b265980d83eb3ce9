"""What every driver must do. A new file in `drivers/` is tested here at once, on the sample project that names it."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from packaging_tool import registry
from packaging_tool.drivers.base import Authoring, Driver, Lock, Outcome, Payload
from packaging_tool.listener import Silent
from packaging_tool.project.loader import load
from packaging_tool.project.model import PluginOfSpec, Project

SAMPLES = Path(__file__).parent.parent / "samples"


@dataclass(frozen=True)
class Built:
    """A sample project and what its driver made of it."""

    driver: Driver
    project: Project
    lock: Lock
    outcome: Outcome
    workdir: Path

    @property
    def architecture(self) -> str:
        return self.project.core.architectures[0]


def sample(driver: str) -> Path:
    """The project file of the sample for a driver."""
    for path in sorted(SAMPLES.glob("*/mkpkgs.toml")):
        if tomllib.loads(path.read_text())["core"].get("driver") == driver:
            return path
    raise LookupError(f"tests/samples has no project for the driver {driver}")


@pytest.fixture(scope="module", params=registry.own("drivers"))
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    driver = cast(Driver, registry.load("drivers", request.param).Driver())
    project = load(sample(request.param))
    workdir = tmp_path_factory.mktemp("work")
    lock = driver.lock(project, None, workdir, Silent())
    outcome, locked = driver.build(project, lock, project.core.architectures[0], workdir, Silent())
    return Built(driver, project, locked, outcome, workdir)


def digests(payload: Payload | None) -> dict[str, str]:
    return {e.path: e.content.sha256 for e in payload.entries if e.content} if payload else {}


def test_it_has_the_name_of_its_file_and_settings(built: Built) -> None:
    module = registry.load("drivers", built.driver.name)
    for options in (module.CoreOptions, module.PluginOptions):
        assert dataclasses.is_dataclass(options)
        for field in dataclasses.fields(options):
            assert re.search(rf"^\s+{field.name}: ", options.__doc__ or "", re.MULTILINE), f"{field.name} is not told"


def test_a_good_project_has_no_problems(built: Built) -> None:
    assert built.driver.check(built.project) == []


def test_the_abi_is_lower_case_hex(built: Built) -> None:
    """dpkg folds package names to lower case and apt does not, and the ABI is part of one."""
    assert re.fullmatch(r"[0-9a-f]{64}", built.outcome.abi)


def test_the_lock_is_toml_and_holds(built: Built) -> None:
    tomllib.loads(built.lock.text)
    assert built.outcome.abi in built.lock.text
    assert built.driver.lock(built.project, built.lock, built.workdir, Silent()) == built.lock


def test_every_plugin_is_built_into_its_own_folder(built: Built) -> None:
    core = built.project.core.name
    assert not built.outcome.failures
    assert set(built.outcome.plugins) == {plugin.name for plugin in built.project.plugins}
    assert f"/usr/lib/{core}/bin/{core}-core" in digests(built.outcome.core)
    for name, payload in built.outcome.plugins.items():
        assert digests(payload)
        assert all(path.startswith(f"/usr/lib/{core}/plugins/{name}/") for path in digests(payload))


def test_the_outline_has_the_files_of_the_build(built: Built) -> None:
    outline = built.driver.outline(built.project, built.lock, built.architecture, built.workdir)
    assert outline.abi == built.outcome.abi
    for name, payload in built.outcome.plugins.items():
        assert {e.path for e in outline.plugins[name].entries} == {e.path for e in payload.entries}


def test_another_folder_gives_the_same_bytes(built: Built, tmp_path: Path) -> None:
    again, locked = built.driver.build(built.project, built.lock, built.architecture, tmp_path, Silent())
    assert locked == built.lock
    assert again.abi == built.outcome.abi
    assert digests(again.core) == digests(built.outcome.core)
    assert digests(again.kit) == digests(built.outcome.kit)
    assert {n: digests(p) for n, p in again.plugins.items()} == {
        n: digests(p) for n, p in built.outcome.plugins.items()
    }


def test_the_assemble_step_is_clean_shell(built: Built) -> None:
    script = built.driver.target(built.project).assemble
    if script:
        subprocess.run(["shellcheck", "--shell=sh", "-"], input=script.encode(), check=True)


def test_who_has_the_files_for_authors_builds_the_same_plugin(built: Built, tmp_path: Path) -> None:
    """An author with the maintainer's source, and with nothing else of the core than what is published."""
    if not hasattr(built.driver, "against"):
        assert not built.outcome.authors, "files for authors that no author can use"
        return
    author = cast(Authoring, built.driver)
    core = tmp_path / "core"
    for name, content in built.outcome.authors.items():
        assert content is not None
        (core / name).parent.mkdir(parents=True, exist_ok=True)
        (core / name).write_bytes(content.read())
    plugin = next(plugin for plugin in built.project.plugins if not plugin.needs)
    project = dataclasses.replace(
        built.project,
        plugins=(plugin,),
        plugin_options={plugin.name: built.project.plugin_options[plugin.name]},
        plugin_of=PluginOfSpec(
            name="author", core=built.project.core.name, license="MIT", homepage="", maintainer="Author <a@example.org>"
        ),
    )
    assert built.driver.check(dataclasses.replace(project, core_options=None)) == []
    assert built.driver.check(project) == []
    made = author.against(project, core, built.architecture, tmp_path / "work" / "abi", Silent())
    assert made.failures == ()
    assert (made.abi, made.abis) == (built.outcome.abi, built.outcome.abis)
    assert not made.core.entries
    assert (made.kit is None) == (built.outcome.kit is None)
    assert {name: digests(payload) for name, payload in made.plugins.items()} == {
        plugin.name: digests(built.outcome.plugins[plugin.name])
    }
    assert author.changes(built.lock.text, (core / "lock.toml").read_text(), built.architecture) == ()
