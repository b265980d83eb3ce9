"""Whole runs: what keeps one run from harming what another one made, and what stops a run before it does harm."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from packaging_tool import build
from packaging_tool.cores import Settings
from packaging_tool.listener import Silent
from packaging_tool.project.loader import load
from tests.signing.test_gpg import made_by_gpg
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


def test_a_repository_key_that_ends_soon_is_told_and_one_that_ended_publishes_nothing(project: Workspace) -> None:
    for end, status, said in (
        ("30d", 0, "the repository key expires on "),
        ("seconds=1", 1, "repository.key expired on "),
    ):
        # gpg's sockets need a short path.
        with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as place:
            make = ("--quick-generate-key", "Test <test@example.org>", "ed25519", "cert,sign", end)
            secret, public = made_by_gpg(Path(place) / "home", make)
        (project.keys / "repository.key").write_bytes(secret)
        (project.keys / "repository.asc").write_bytes(public)
        time.sleep(2 * status)
        done = project.mkpkgs(check=False)
        assert (done.returncode, said in done.stdout) == (status, True), done.stdout


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
        return build.everything(load(file), Settings(output=project.dist, keys=project.keys), listener)

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


@pytest.mark.acceptance
@pytest.mark.skipif(shutil.which("go") is None, reason="needs go")
def test_lock_and_plan_tell_plugins_that_cannot_be_built_and_show_the_others(tmp_path: Path) -> None:
    project = Workspace.create(SAMPLES / "go-host", tmp_path / "host")
    with (project.root / "echo/echo.go").open("a") as file:
        file.write('\nimport _ "example.com/host/nowhere"\n')
    text = (project.root / "echo/echo.go").read_text()
    lines = text.split("\n")
    lines.insert(next(n for n, line in enumerate(lines) if line.startswith("package ")) + 1, lines.pop(-2))
    (project.root / "echo/echo.go").write_text("\n".join(lines))
    for command, rest in (("lock", "everything else is locked"), ("plan", "everything else is shown")):
        told = project.mkpkgs(command, check=False)
        assert told.returncode == 1, told.stdout
        assert "plugin echo does not build" in told.stdout
        assert "example.com/host/nowhere" in told.stdout
        assert f"1 plugin failed: echo; {rest}" in told.stdout
    assert "host-plugin-bell" in told.stdout
    assert "host-plugin-echo " not in told.stdout


PLUGINS = 60


@pytest.fixture(scope="module")
def crowd(greet: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The sample server with many small plugins, which several processes write."""
    made = greet.copy(tmp_path_factory.mktemp("crowd"))
    with (made.root / "mkpkgs.toml").open("a") as file:
        for number in range(PLUGINS):
            file.write(f'\n[plugin.p{number}]\nsummary = "Plugin"\nfiles = {{ source = "plugins/hello" }}\n')
    made.mkpkgs()
    return made


def begun(project: Workspace) -> subprocess.Popen[str]:
    """A run of the command in a group of its own that is about to write packages."""
    process = subprocess.Popen(
        [sys.executable, "-m", "packaging_tool", "-j3"],
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not list(project.root.glob(".dist.*.staging/**/*-plugin-p*.deb")):
        assert process.poll() is None
        time.sleep(0.005)
    return process


def group_is_gone(number: int) -> bool:
    """Whether no process of a group is left, soon."""
    for _ in range(500):
        try:
            os.killpg(number, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def test_however_many_processes_write_the_packages_are_the_same(crowd: Workspace, tmp_path: Path) -> None:
    for count in (1, 2, 5):
        other = crowd.copy(tmp_path / str(count))
        shutil.rmtree(other.dist)
        shutil.rmtree(other.root / ".mkpkgs")
        other.mkpkgs(f"-j{count}")
        subprocess.run(["diff", "-r", crowd.dist, other.dist], check=True)
    assert len(list(crowd.dist.rglob("*.rpm"))) == PLUGINS + 5


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_of_many_processes_leaves_one_line_and_no_process(
    crowd: Workspace, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    project = crowd.copy(tmp_path)
    shutil.rmtree(project.dist)
    process = begun(project)
    os.killpg(process.pid, number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == status
    assert said.split("\n")[1:] == ["", "mkpkgs: error: interrupted; the output directory is as it was", ""]
    assert group_is_gone(process.pid)
    assert not project.dist.exists()
    assert list(project.root.glob(".dist.*")) == []


def test_after_a_kill_its_processes_end_and_the_next_run_works(crowd: Workspace, tmp_path: Path) -> None:
    project = crowd.copy(tmp_path)
    shutil.rmtree(project.dist)
    process = begun(project)
    process.kill()
    process.communicate()
    assert group_is_gone(process.pid)
    project.mkpkgs()
    subprocess.run(["diff", "-r", crowd.dist, project.dist], check=True)


def test_a_file_that_cannot_be_packaged_is_one_message_from_many_processes(crowd: Workspace, tmp_path: Path) -> None:
    project = crowd.copy(tmp_path)
    shutil.rmtree(project.dist)
    full = subprocess.run(
        [sys.executable, "-m", "packaging_tool", "-q", "-j3"],
        cwd=project.root,
        env=project.environment(),
        capture_output=True,
        text=True,
        # No file can be longer than a package is.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500)),
    )
    assert full.returncode == 1
    assert re.fullmatch(r"mkpkgs: error: cannot write greet.*: File too large\n", full.stderr)
    assert list(project.root.glob("*dist*")) == []


def test_a_project_that_cannot_be_written_is_refused_with_the_way_out(project: Workspace, tmp_path: Path) -> None:
    enter: list[str | Path] = [
        "unshare",
        "-m",
        "sh",
        "-c",
        'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && cd "$1" && shift && "$@"',
    ]
    command = [*enter, "sh", project.root, sys.executable, "-m", "packaging_tool", "-o", tmp_path / "dist"]
    if subprocess.run([*enter, "sh", project.root, "true"], capture_output=True).returncode:
        pytest.skip("this system mounts nothing here")
    for _ in range(2):
        refused = subprocess.run(command, env=project.environment(), capture_output=True, text=True)
        assert refused.returncode == 1
        assert re.search(r"error: \S+/\.mkpkgs cannot be written: Read-only file system", refused.stderr)
        assert "hint: mkpkgs keeps what it builds there: build in a copy of the project" in refused.stderr
        (project.root / ".mkpkgs").mkdir(exist_ok=True)
