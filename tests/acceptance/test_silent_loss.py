"""No plugin leaves unasked: what package managers do where a new core has no build of an installed plugin.

Such a repository is put together by other means, since mkpkgs does not publish it; or a plugin is somebody else's.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from packaging_tool.target.runtime import EVENTS
from tests import roots
from tests.acceptance.test_lifecycle import EVENING, MORNING, NIGHT, answer, install
from tests.machine import Done
from tests.systems import Apt, Debian13Apt, Debian13Dnf, Dnf, SidApt, SidDnf, System, several
from tests.tiers import at_night
from tests.workspace import Workspace, raise_tiny

pytestmark = pytest.mark.acceptance

MakeSystem = Callable[[type[System]], System]
FULL = {"greet": "1.0-1", **{f"greet-plugin-{name}": "1.0-1" for name in ("hello", "bye", "moon")}}
LEFT = {"greet": "2.0-1", "greet-plugin-hello": "2.0-1"}
FINDING = "replacing greet 1.0-1 by 2.0-1 would remove installed plugins: greet-plugin-bye greet-plugin-moon\n"
STATUS_OF_APT = 100
# Commands of apt that upgrade the core though plugins have no build for it. apt 3.3 keeps it back in dist-upgrade.
INSTALLS = (("install", "greet"), ("install", "greet=2.0-1"), ("install", "greet-plugin-hello"))
UPGRADES = (("dist-upgrade",), *INSTALLS)
APTS = [pytest.param(Apt, UPGRADES), at_night(Debian13Apt, UPGRADES), pytest.param(SidApt, INSTALLS)]


def without(project: Workspace, *plugins: str, rename: str = "") -> None:
    """Take plugins out of a project file. rename: a plugin that takes their place."""
    file = project.root / "mkpkgs.toml"
    stanza = ""
    if rename:
        others = [f"greet-plugin-{plugin}" for plugin in plugins]
        stanza = (
            f'[plugin.{rename}]\nsummary = "Greets anew"\nconflicts = {others}\nreplaces = {others}\n'
            f'files = {{ source = "plugins/{plugins[0]}" }}\n\n'
        )
    file.write_text(re.sub(rf"\[plugin\.({'|'.join(plugins)})\]\n(?:.+\n)+\n", stanza, file.read_text()))


def publish_anew(project: Workspace) -> Path:
    """The project's repository, as if it had never published anything before."""
    shutil.rmtree(project.dist)
    shutil.rmtree(project.root / ".mkpkgs", ignore_errors=True)
    project.mkpkgs()
    return project.dist


@pytest.fixture(scope="session")
def incomplete(shared: Path, greet: Workspace) -> Path:
    """A repository with greet 2.0 for another ABI, in which of three plugins only hello has a build."""
    with roots.locked(shared / "incomplete.lock"):
        if not (shared / "incomplete").exists():
            project = greet.copy(shared / "incomplete-making")
            raise_tiny(project, "2.0", "2")
            without(project, "bye", "moon")
            publish_anew(project)
            (shared / "incomplete-making").rename(shared / "incomplete")
    return Workspace.at(shared / "incomplete").dist


@pytest.fixture
def make(bootable: None, greet: Workspace, tmp_path: Path) -> Iterator[MakeSystem]:
    """Make systems with the repository of greet 1.0; they end with the test."""
    with several(tmp_path) as make:
        yield lambda kind: make(kind, greet.dist, "greet")


@pytest.fixture
def behind(make: MakeSystem, incomplete: Path) -> MakeSystem:
    """Make systems with greet 1.0 and all plugins, whose repository then is the incomplete one."""

    def make_behind(kind: type[System]) -> System:
        system = make(kind)
        install(system, "hello", "moon")
        assert system.installed() == FULL
        system.use(incomplete)
        if isinstance(system, Apt):
            system.apt("update", "--error-on=any")
        return system

    return make_behind


def apt(system: System, *arguments: str, **environment: str) -> Done:
    """Run apt-get without questions, whatever its status."""
    command = ("apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0", *arguments)
    return system.run(*command, check=False, env=environment)


def choices(said: str) -> list[list[str]]:
    """The commands that a stopped transaction gives to choose from, with the answer yes."""
    found = re.findall(r"greet-plugins:   (?:keep them and wait|go on without them): ([^;\n]+)", said)
    return [[command.split()[0], "-y", *command.split()[1:]] for command in found]


def assert_untouched(system: System, log: str) -> None:
    """Nothing was unpacked or removed, and the server never stopped."""
    assert system.installed() == FULL
    assert answer(system) == ["greet 1.0 as greet", MORNING, EVENING, NIGHT]
    assert system.verify() == ""
    assert system.sh("cat /var/log/dpkg.log 2>/dev/null || :") == log


@pytest.mark.parametrize(("kind", "commands"), APTS)
def test_apt_stops_before_a_plugin_is_lost(
    behind: MakeSystem, kind: type[System], commands: Sequence[Sequence[str]]
) -> None:
    system = behind(kind)
    log, starts = system.sh("cat /var/log/dpkg.log"), system.starts()
    for command in commands:
        done = apt(system, *command)
        assert done.returncode == STATUS_OF_APT, done.stdout
        assert f"greet-plugins: stopped before any change: {FINDING}" in done.stdout
        assert_untouched(system, log)
    assert system.starts() == starts
    system.run("journalctl", "--sync")
    events = system.sh(f"journalctl -q -o cat MESSAGE_ID={EVENTS['hook-stopped']}")
    assert events.splitlines() == [f"stopped before any change: {FINDING.strip()}"] * len(commands)


@pytest.mark.parametrize("kind", [Apt, at_night(Debian13Apt), at_night(SidApt)])
def test_both_commands_that_apt_gives_to_choose_from_work(behind: MakeSystem, kind: type[System]) -> None:
    system = behind(kind)
    log = system.sh("cat /var/log/dpkg.log")
    wait, leave = choices(apt(system, "install", "greet").stdout)
    assert system.run(*wait).returncode == 0
    assert_untouched(system, log)
    system.run(*leave)
    assert apt(system, "install", "greet").returncode == 0
    assert system.installed() == LEFT
    assert answer(system) == ["greet 2.0 as greet", MORNING]


def test_the_new_solver_of_apt_keeps_the_core_back_by_itself(behind: MakeSystem) -> None:
    system = behind(SidApt)
    done = apt(system, "dist-upgrade")
    assert (done.returncode, "kept back" in done.stdout) == (0, True), done.stdout
    assert system.installed() == FULL


def test_a_plugin_of_another_name_may_take_the_place(make: MakeSystem, greet: Workspace, tmp_path: Path) -> None:
    system = make(Apt)
    install(system, "hello")
    project = greet.copy(tmp_path / "renamed")
    raise_tiny(project, "2.0", "2")
    without(project, "hello", rename="salute")
    system.use(publish_anew(project))
    system.install("greet", "greet-plugin-salute")
    assert system.installed() == {"greet": "2.0-1", "greet-plugin-salute": "2.0-1"}
    assert answer(system) == ["greet 2.0 as greet", MORNING.replace("hello", "salute")]


def test_a_plugin_that_its_maintainer_ended_may_leave(make: MakeSystem, greet: Workspace, tmp_path: Path) -> None:
    system = make(Apt)
    install(system, "hello", "bye")
    project = greet.copy(tmp_path / "ended")
    raise_tiny(project, "2.0", "2")
    without(project, "bye", "moon")
    file = project.root / "mkpkgs.toml"
    ended = file.read_text()
    file.write_text(f'{ended}retired = ["bye", "moon"]\n')
    system.use(publish_anew(project))
    system.upgrade()
    assert system.installed() == {"greet": "2.0-1", "greet-plugin-bye": "2.0-1", "greet-plugin-hello": "2.0-1"}
    # The empty package leaves with the next core.
    file.write_text(ended)
    raise_tiny(project, "3.0", "3")
    system.use(publish_anew(project))
    apt(system, "update")
    done = apt(system, "dist-upgrade")
    assert done.returncode == 0, done.stdout
    assert "Removing greet-plugin-bye" in done.stdout
    assert system.installed() == {"greet": "3.0-1", "greet-plugin-hello": "3.0-1"}


@pytest.mark.parametrize("kind", [Apt, at_night(SidDnf)])
def test_a_core_does_not_go_with_its_plugins_for_another_package(
    make: MakeSystem, greet: Workspace, tmp_path: Path, kind: type[System]
) -> None:
    """Here it is the core under its next name, which has the same directory below /etc."""
    system = make(kind)
    install(system, "hello", "moon")
    log = system.sh("cat /var/log/dpkg.log 2>/dev/null || :")
    project = greet.copy(tmp_path / "renamed")
    file = project.root / "mkpkgs.toml"
    more = 'config-directory = "/etc/greet"\nconflicts = ["greet"]\n'
    file.write_text(file.read_text().replace('name = "greet"\n', f'name = "greet2"\n{more}'))
    system.use(publish_anew(project))
    if isinstance(system, Apt):
        # The index may be of the same second, and apt goes back to none.
        system.sh("rm -rf /var/lib/apt/lists/*; apt-get -q update")
        done = apt(system, "install", "greet2")
    else:
        done = system.run("dnf", "-y", "install", "greet2", "--allowerasing", check=False)
    assert done.returncode != 0
    plugins = "greet-plugin-bye greet-plugin-hello greet-plugin-moon"
    found = f"stopped before any change: greet 1.0-1 would be removed, which nobody asked for, and with it {plugins}\n"
    assert f"greet-plugins: {found}" in done.stdout
    assert_untouched(system, log)
    # One command takes the new name with the plugins, and the hook lets it.
    (over,) = re.findall("take greet2 in its place, with its plugins: (.*)", done.stdout)
    assert system.sh(over.replace("install", "install -y", 1)).count("greet2-plugin-moon")
    assert system.sh("greet2-plugins list").split()[::3] == ["bye", "hello", "moon"]
    assert system.run("greet2-plugins", "status").returncode == 0
    assert system.installed() == {}


class Upgrades(Apt):
    """Debian 12 with unattended-upgrades."""

    base_name = "debian12-upgrades"

    def verify(self) -> str:
        return self.run("dpkg", "-V", *self.installed(), check=False).stdout


def test_unattended_upgrades_keep_the_core_back_and_ask_the_hook(
    behind: MakeSystem, greet: Workspace, tmp_path: Path
) -> None:
    system = behind(Upgrades)
    system.write("/etc/apt/apt.conf.d/90origins", 'Unattended-Upgrade::Origins-Pattern { "site=127.0.0.1"; };\n')
    log = system.sh("cat /var/log/dpkg.log")
    said = system.run("unattended-upgrade", "--verbose", "--debug").stdout
    assert "pkg greet-plugin-moon is marked to be deleted" in said
    assert_untouched(system, log)
    # Whatever it does, it does by way of the hooks: one that stops everything stops it, and it says so.
    system.write("/etc/apt/apt.conf.d/91stop", 'DPkg::Pre-Install-Pkgs { "exit 10"; };\n')
    project = greet.copy(tmp_path / "again")
    project.replace("mkpkgs.toml", version="1.1")
    project.mkpkgs()
    system.use(project.dist)
    apt(system, "update")
    done = system.run("unattended-upgrade", "--verbose", check=False)
    assert (done.returncode, "Installing the upgrades failed!" in done.stdout) == (1, True), done.stdout
    assert_untouched(system, log)


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        at_night(Apt, "variable"),
        (Apt, "settings"),
        at_night(Apt, "command line"),
        at_night(Debian13Apt, "variable"),
        (SidApt, "variable"),
    ],
)
def test_automation_can_say_that_plugins_may_leave(behind: MakeSystem, kind: type[System], way: str) -> None:
    system = behind(kind)
    if way == "command line":
        done = apt(system, "install", "greet", "greet-plugin-bye-", "greet-plugin-moon-")
    elif way == "variable":
        done = apt(system, "install", "greet", GREET_PLUGINS_REMOVAL="allow")
    else:
        system.write("/etc/greet/plugins.conf", "removal = allow\n")
        done = apt(system, "install", "greet")
    assert done.returncode == 0, done.stdout
    allowed = "as it is allowed: greet-plugin-bye greet-plugin-moon" in done.stdout
    assert allowed == (way != "command line")
    assert system.installed() == LEFT


@pytest.mark.parametrize("kind", [Apt, at_night(Debian13Apt), at_night(SidApt)])
def test_a_broken_tool_blocks_no_transaction(make: MakeSystem, kind: type[System]) -> None:
    system = make(kind)
    install(system, "hello", "moon")
    broken = {"moon": b"#!/bin/sh\nif\n", "bye": b"#!/no/such/shell\n", "hello": b"\x7fELF"}
    for name, content in broken.items():
        system.path("/usr/bin/greet-plugins").write_bytes(content)
        done = apt(system, "remove", f"greet-plugin-{name}")
        assert done.returncode == 0, done.stdout
    assert system.installed() == {"greet": "1.0-1"}


@pytest.mark.parametrize("kind", [Apt, at_night(Debian13Apt), at_night(SidApt)])
def test_a_core_that_is_removed_but_not_purged_leaves_apt_in_peace(make: MakeSystem, kind: type[System]) -> None:
    system = make(kind)
    install(system, "hello")
    system.remove("greet")
    hook = system.path("/etc/apt/apt.conf.d/50greet-plugins")
    assert hook.exists()
    said = system.install("greet").stdout
    assert not re.search("(?m)^(/bin/)?sh:|not found|^E:|^W:|^Error|^Warning", said), said
    system.purge()
    assert not hook.exists()


@pytest.mark.parametrize("kind", [Dnf, at_night(Debian13Dnf), at_night(SidDnf)])
def test_dnf_itself_removes_no_plugin_unless_it_is_told_so(behind: MakeSystem, kind: type[System]) -> None:
    system = behind(kind)
    for command in (("upgrade",), ("upgrade", "--nobest"), ("install", "greet-2.0")):
        system.run("dnf", "-y", *command, check=False)
        assert_untouched(system, "")


def test_dnf5_stops_before_a_plugin_is_lost(behind: MakeSystem) -> None:
    system = behind(SidDnf)
    for command in (("upgrade", "greet-plugin-hello"), ("install", "greet-2.0"), ("upgrade",)):
        done = system.run("dnf", "-y", *command, "--allowerasing", check=False)
        assert done.returncode == 1
        assert f"greet-plugins: stopped before any change: {FINDING}" in done.stdout
        assert_untouched(system, "")
    wait, leave = choices(done.stdout)
    assert system.run(*wait).returncode == 0
    assert_untouched(system, "")
    system.run(*leave)
    assert system.run("dnf", "-y", "upgrade", "--allowerasing").returncode == 0
    assert system.installed() == LEFT
    assert answer(system) == ["greet 2.0 as greet", MORNING]


def test_dnf5_can_be_told_that_plugins_may_leave(behind: MakeSystem) -> None:
    system = behind(SidDnf)
    done = system.run("dnf", "-y", "upgrade", "--allowerasing", env={"GREET_PLUGINS_REMOVAL": "allow"})
    assert "as it is allowed: greet-plugin-bye greet-plugin-moon" in done.stdout
    assert system.installed() == LEFT


def test_a_broken_tool_does_not_block_dnf5(make: MakeSystem) -> None:
    system = make(SidDnf)
    install(system, "hello", "bye")
    for name, content in {"hello": b"#!/bin/sh\nif\n", "bye": b"#!/no/such/shell\n"}.items():
        system.path("/usr/bin/greet-plugins").write_bytes(content)
        assert system.run("dnf", "-y", "remove", f"greet-plugin-{name}").returncode == 0


@pytest.mark.parametrize("kind", [Dnf, at_night(Debian13Dnf)])
def test_dnf4_shows_what_allowerasing_removes_and_asks_nobody(behind: MakeSystem, kind: type[System]) -> None:
    """It has no hook that could stop a transaction but plugins in Python, which are tied to one version of it."""
    system = behind(kind)
    done = system.run("dnf", "-y", "upgrade", "--allowerasing")
    assert re.search("Removing dependent packages:\n greet-plugin-bye .*\n greet-plugin-moon ", done.stdout)
    assert system.installed() == LEFT
