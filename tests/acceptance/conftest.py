"""What the acceptance tests share: a sample server that is built once, and machines to install it into."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from packaging_tool.authors import room
from tests import roots
from tests.acceptance.abi_machines import Prepared
from tests.acceptance.abi_world import World
from tests.acceptance.caddy import Caddy
from tests.machine import Machine, why_no_boot
from tests.systems import SYSTEMS, System, several
from tests.target.machine import Key
from tests.target.server import Server
from tests.workspace import Workspace, tiny

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
NOT_SHOWN = "not shown: "
# Where a test may serve `machine` and `more`; always the same, as another address would be another root.
MORE = 18479


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A directory that all workers of this run share."""
    own = tmp_path_factory.getbasetemp()
    path = (own if worker_id == "master" else own.parent) / "shared"
    path.mkdir(exist_ok=True)
    return path


@pytest.fixture(scope="session")
def bootable(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where no system can be booted, and say that something was not shown."""
    if why := why_no_boot(roots.root("debian12-apt"), tmp_path_factory.mktemp("probe") / "machine"):
        pytest.skip(f"{NOT_SHOWN}it needs a booted system, and {why}")


@pytest.fixture(scope="session")
def greet(shared: Path) -> Workspace:
    """The sample server `greet` 1.0, built. Tests that change it take a copy: `greet.copy(tmp_path)`."""
    with roots.locked(shared / "greet.lock"):
        if (shared / "greet").exists():
            return Workspace.at(shared / "greet")
        project = tiny(shared / "greet-making")
        project.mkpkgs()
        (shared / "greet-making").rename(shared / "greet")
        return Workspace.at(shared / "greet")


@pytest.fixture(scope="session")
def caddy(shared: Path) -> Caddy:
    """The Caddy example for amd64, built as 2.11.8 and then upgraded to 2.11.9 by the same keys.

    MKPKGS_TEST_CADDY names a directory to keep it in from run to run, for those who work on the tests.
    """
    place = Path(os.environ.get("MKPKGS_TEST_CADDY") or shared / "caddy")
    found = Caddy(older=place / "dist-2.11.8", newer=place / "project/dist")
    with roots.once(place) as missing:
        if missing:
            project = Workspace.create(EXAMPLES / "caddy", place).quick()
            project.replace("mkpkgs.toml", version="2.11.8")
            project.mkpkgs("--arch", "amd64")
            shutil.copytree(project.dist, found.older)
            project.replace("mkpkgs.toml", version="2.11.9")
            project.mkpkgs("--arch", "amd64")
    return found


@pytest.fixture(scope="session")
def caddy_for_arm64(caddy: Caddy, shared: Path) -> Caddy:
    """The same, built for arm64 too: Go compiles all of it once more."""
    place = shared / "caddy-arm64"
    with roots.once(place) as missing:
        if missing:
            Workspace.at(caddy.newer.parent.parent).copy(place).mkpkgs()
    return Caddy(older=caddy.older, newer=place / "project/dist")


@pytest.fixture(scope="session")
def world(bootable: None, shared: Path) -> World:
    """The repositories of abi_tables, built once."""
    with roots.locked(shared / "tables.lock"):
        directory = shared / "tables"
        if not directory.exists():
            making = shared / "tables-making"
            making.mkdir()
            World.make(making)
            making.rename(directory)
        return World(directory)


@pytest.fixture(scope="module")
def prepared(
    request: pytest.FixtureRequest, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prepared]:
    """Machines of the system that the parameter names."""
    with ExitStack() as stack:
        yield Prepared(request.param, world, tmp_path_factory.mktemp(request.param), stack)


@pytest.fixture(scope="class")
def life(
    request: pytest.FixtureRequest, bootable: None, caddy: Caddy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """One machine for a whole class of tests, at first with the repository of the older Caddy."""
    kind: type[System] = request.cls.kind
    with kind(caddy.older, tmp_path_factory.mktemp("life") / "machine", "caddy") as system:
        system.use()
        yield system


@pytest.fixture(params=sorted(SYSTEMS))
def kind(request: pytest.FixtureRequest) -> type[System]:
    """apt, then dnf."""
    name: str = request.param
    return SYSTEMS[name]


@pytest.fixture
def machine(kind: type[System], bootable: None, tmp_path: Path) -> Iterator[Callable[[Workspace, str], System]]:
    """Make booted machines that use a workspace's repository; they end with the test."""
    with several(tmp_path) as make:
        yield lambda project, core: make(kind, project.dist, core)


@pytest.fixture
def system(machine: Callable[[Workspace, str], System], greet: Workspace) -> System:
    """A booted machine that uses the repository of `greet`."""
    return machine(greet, "greet")


@pytest.fixture(params=["deb", "rpm"])
def server(request: pytest.FixtureRequest, bootable: None, tmp_path: Path) -> Iterator[Server]:
    """A booted machine for the packages of `tests.target.packages`, with apt, then with dnf."""
    base = {"deb": "debian12-apt", "rpm": "debian12-dnf"}[request.param]
    with Machine(roots.root(base), tmp_path / "root") as machine:
        yield Server(machine, Key(tmp_path, "trusted"), tmp_path / "packages", request.param)


def keep(source: Path, target: Path) -> None:
    """Put the roots and Debian's packages into another cache that are not there yet.

    Those of other roots come from this machine, and dnf would remember a repository of the test before.
    """
    target.mkdir(parents=True, exist_ok=True)
    for tar in source.glob("*.tar"):
        # Nobody writes to one, and a copy of all takes a minute on a busy machine.
        with suppress(FileExistsError):
            if tar.stat().st_dev == target.stat().st_dev:
                (target / tar.name).hardlink_to(tar)
            else:
                shutil.copy2(tar, target)
    kept = [*source.glob("archives-debian*")]
    subprocess.run(["cp", "-a", "-n", *kept, target], check=bool(kept))


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache for this test alone; what takes time to make is in the user's own."""
    if shutil.which("mmdebstrap") is None or os.geteuid() != 0:
        pytest.skip(f"{NOT_SHOWN}it needs mmdebstrap, and root")
    shared, own = room.cache_directory(), tmp_path / "cache/mkpkgs"
    keep(shared, own)
    monkeypatch.setenv("XDG_CACHE_HOME", str(own.parent))
    # Go has its cache there, too.
    monkeypatch.setenv("GOCACHE", os.environ.get("GOCACHE") or str(shared.parent / "go-build"))
    yield own
    assert not list(own.glob("room-*"))
    assert str(own) not in Path("/proc/mounts").read_text()
    keep(own, shared)


@pytest.fixture(scope="session")
def distribution() -> Path:
    """See roots.rpm_distribution. Made before a test has a cache of its own."""
    for program in ("dnf", "rpmbuild", "createrepo_c"):
        if shutil.which(program) is None:
            pytest.skip(f"{NOT_SHOWN}it needs {program}")
    return roots.rpm_distribution()


@pytest.fixture
def el9(distribution: Path, rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user named repositories of el9: of a system that is like it. The file that says so."""
    named = tmp_path / "config/mkpkgs/el9.repo"
    named.parent.mkdir(parents=True)
    repository = "[{0}]\nname={0}\nbaseurl={1}\ngpgcheck=0\nskip_if_unavailable=1\n"
    web = f"http://127.0.0.1:{MORE}"
    rows = {"machine": f"{distribution.as_uri()} {web}/machine", "more": f"{web}/more"}
    named.write_text("".join(repository.format(*row) for row in rows.items()))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return named


@pytest.fixture(autouse=True)
def sweep(tmp_path: Path) -> Iterator[None]:
    """Roots and repositories are large, and pytest keeps the directories of three runs."""
    yield
    shutil.rmtree(tmp_path, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what this machine could not show, so that a green run is not taken for more than it is."""
    reasons: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        if isinstance(report.longrepr, tuple) and NOT_SHOWN in report.longrepr[2]:
            reason = report.longrepr[2].partition(NOT_SHOWN)[2]
            reasons[reason] = reasons.get(reason, 0) + 1
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"NOT SHOWN by {count} tests: {reason}", yellow=True)
