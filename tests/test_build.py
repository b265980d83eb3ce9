"""Whole runs: what keeps one run from harming what another one made, and what stops a run before it does harm."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from packaging_tool import build
from packaging_tool.listener import Silent
from packaging_tool.project.loader import load
from tests.workspace import Workspace, raise_tiny, tiny

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture(scope="module")
def greet(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The sample server, not built."""
    return tiny(tmp_path_factory.mktemp("greet"))


@pytest.fixture
def project(greet: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it."""
    return greet.copy(tmp_path / "copy")


def published(dist: Path) -> set[str]:
    """Names of packages that apt would find."""
    return {
        name for index in dist.rglob("Packages") for name in re.findall(r"^Package: (.*)$", index.read_text(), re.M)
    }


def test_two_projects_that_publish_into_one_directory_at_once_both_stay(greet: Workspace, tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    runs = []
    for name in ("greet", "hail"):
        made = greet.copy(tmp_path / name)
        made.replace("mkpkgs.toml", name=name)
        argv = [sys.executable, "-m", "packaging_tool", "-q", "-o", str(dist)]
        runs.append(subprocess.Popen(argv, cwd=made.root, env=made.environment()))
    assert [run.wait(60) for run in runs] == [0, 0]
    assert {"greet", "greet-plugin-bye", "hail", "hail-plugin-bye"} <= published(dist)


def test_a_second_run_in_the_same_project_is_told_to_wait(project: Workspace) -> None:
    with locked(project.root / ".mkpkgs/busy"):
        refused = project.mkpkgs(check=False)
    assert refused.returncode == 1
    assert "another mkpkgs is at work" in refused.stdout
    assert not project.dist.exists()


def locked(path: Path) -> subprocess.Popen[bytes]:
    """Another process that holds a lock; leaving the block ends it."""
    path.parent.mkdir(exist_ok=True)
    holder = subprocess.Popen(["flock", path, "sh", "-c", "echo; exec cat"], stdin=-1, stdout=-1)
    assert holder.stdout is not None
    holder.stdout.readline()
    return holder


@pytest.mark.parametrize(
    ("target", "reasons"),
    [
        ("debian11", ["openssl of debian11 checks no manifest key of kind ed25519, only ecdsa-p256"]),
        ("el8", ["rpm of el8 reads no repository key of kind ed25519, only rsa4096", "openssl of el8 checks no"]),
    ],
)
def test_keys_that_a_target_cannot_check_are_refused_before_anything_is_built(
    project: Workspace, target: str, reasons: list[str]
) -> None:
    file = project.root / "mkpkgs.toml"
    file.write_text(file.read_text().replace('"el9"', f'"el9", "{target}"'))
    refused = project.mkpkgs(check=False)
    assert refused.returncode == 1
    for reason in reasons:
        assert reason in refused.stdout
    assert not project.dist.exists()


def test_keys_for_the_oldest_target_fit_all(tmp_path: Path) -> None:
    project = Workspace.at(tmp_path)
    shutil.copytree(SAMPLES / "tiny", project.root)
    file = project.root / "mkpkgs.toml"
    file.write_text(file.read_text().replace('"el9"', '"el9", "el8", "debian11"'))
    project.mkpkgs("key", "new")
    project.mkpkgs()


def test_packages_built_one_by_one_and_then_indexed_are_the_same_repository(project: Workspace, tmp_path: Path) -> None:
    whole = project.copy(tmp_path / "whole")
    whole.mkpkgs()
    shutil.copy(whole.root / "mkpkgs.lock", project.root)
    for names in (("hello",), ("bye", "moon"), ()):
        project.mkpkgs("build", *names)
    project.mkpkgs("repo")
    subprocess.run(["diff", "-r", whole.dist, project.dist], check=True)


def test_an_output_directory_that_is_a_link_is_replaced_where_it_lies(project: Workspace, tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    project.dist.symlink_to(tmp_path / "www")
    project.mkpkgs()
    assert project.dist.is_symlink()
    assert "greet" in published(tmp_path / "www")
    assert "nothing to do" in project.mkpkgs().stdout
    assert [path.name for path in (*tmp_path.iterdir(), *project.root.iterdir()) if "staging" in path.name] == []


def test_a_source_that_is_changed_during_a_run_is_the_next_runs_work(project: Workspace) -> None:
    class Editor(Silent):
        """Somebody who goes on writing while mkpkgs works."""

        def step(self, text: str) -> None:
            if text == "write the apt repository":
                (project.root / "plugins/hello/greeting").write_text("format 1\nHello\n")

    def everything(listener: Silent) -> build.Report:
        file = project.root / "mkpkgs.toml"
        return build.everything(load(file), build.Settings(output=project.dist, keys=project.keys), listener)

    everything(Editor())
    assert len(everything(Silent()).written) == 2
    assert not everything(Silent()).changed


def test_a_change_of_the_abi_that_is_refused_leaves_the_output_alone(project: Workspace) -> None:
    project.mkpkgs()
    before = {path: path.stat().st_mtime_ns for path in project.dist.rglob("*")}
    raise_tiny(project, "0.9", "2")
    refused = project.mkpkgs(check=False)
    assert refused.returncode == 1
    assert "greet 1.0-1 is published already and is newer than 0.9-1" in refused.stdout
    assert {path: path.stat().st_mtime_ns for path in project.dist.rglob("*")} == before
    raise_tiny(project, "1.1", "2")
    project.mkpkgs()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Workspace]:
    """A Go server with plugins, published."""
    project = Workspace.create(SAMPLES / "go-host", tmp_path / "host")
    project.mkpkgs()
    yield project


@pytest.mark.acceptance
@pytest.mark.skipif(shutil.which("go") is None, reason="needs go")
def test_a_published_plugin_that_no_longer_builds_stops_the_new_abi_and_shows_why(host: Workspace) -> None:
    with (host.root / "bell/bell.go").open("a") as file:
        file.write('\nvar broken int = "text"\n')
    host.replace("mkpkgs.toml", version="0.2.0")
    refused = host.mkpkgs(check=False)
    assert refused.returncode == 1
    assert "host-plugin-bell (amd64) has no package for the ABI of host 0.2.0-1" in refused.stdout
    assert "because: plugin bell does not build in example.com/bell:" in refused.stdout
    assert 'cannot use "text"' in refused.stdout
    assert not list(host.dist.rglob("*0.2.0*"))
