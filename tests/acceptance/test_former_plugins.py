"""Plugins that get another name or end with a core: machines follow, and nobody loses one without a word."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests import roots
from tests.acceptance.test_lifecycle import EVENING, MORNING, answer, install
from tests.systems import Apt, Dnf, System, several
from tests.tiers import at_night
from tests.workspace import Workspace, raise_tiny

pytestmark = pytest.mark.acceptance

CALLED = "greet-plugins: hello is called salute now, and stays disabled\n"
ENDED = (
    "greet-plugins: the plugin moon ended: greet 2.0-1 has it no more; to have read this: greet-plugins remove moon\n"
)
# By which a machine gets from one core to the next. The first one of apt would not install what is new here.
COMMANDS = {
    Apt: (("apt", "-y", "upgrade"), ("apt-get", "-y", "full-upgrade")),
    Dnf: (("dnf", "-y", "upgrade"), ("dnf", "-y", "distro-sync")),
}


@pytest.fixture(scope="session")
def renamed(shared: Path, greet: Workspace) -> Path:
    """A repository with greet 1.0, and 2.0 in which hello is called salute and moon ended."""
    with roots.locked(shared / "renamed.lock"):
        if not (shared / "renamed").exists():
            project = greet.copy(shared / "renamed-making")
            raise_tiny(project, "2.0", "2")
            file = project.root / "mkpkgs.toml"
            text = re.sub(r"\[plugin\.moon\]\n(?:.+\n)+\n", "", file.read_text()).replace(
                "[plugin.hello]", "[plugin.salute]"
            )
            file.write_text(f'{text}retired = ["moon"]\nrenamed = {{ hello = "salute" }}\n')
            project.mkpkgs()
            (shared / "renamed-making").rename(shared / "renamed")
    return Workspace.at(shared / "renamed").dist


def use(system: System, dist: Path) -> None:
    """Let a repository take the place of the one before."""
    system.use(dist)
    if isinstance(system, Apt):
        # apt goes back to no older index.
        system.sh("rm -rf /var/lib/apt/lists/*; apt-get -q update")


def told_what_holds_back(system: System) -> None:
    """Nothing does, neither what ended nor what is renamed, until somebody keeps a plugin from its newer version."""
    apt = isinstance(system, Apt)
    if not apt:
        system.sh("dnf -q -y makecache")
    assert "greet 2.0-1 is held back: " not in system.sh("greet-plugins list")
    assert "holds back" not in system.sh("greet-plugins why moon || :")
    place = "/etc/apt/preferences" if apt else "/etc/dnf/dnf.conf"
    before = system.path(place).read_text() if not apt else ""
    pin = "Package: greet-plugin-bye\nPin: version 1.0-1\nPin-Priority: 1001\n"
    system.write(place, pin if apt else f"{before}excludepkgs=greet-plugin-bye\n")
    how = (
        f"pinned by {place}: take it out there, see apt-cache policy greet-plugin-bye"
        if apt
        else f"excluded by {place}: take it out there"
    )
    assert f"greet 2.0-1 is held back: bye is {how}" in system.sh("greet-plugins list")
    # The new name of a plugin, and the core.
    away = "Package: greet-plugin-salute\nPin: version 2.0-1\nPin-Priority: -1\n"
    system.write(place, away if apt else f"{before}excludepkgs=greet-plugin-salute\n")
    assert "salute, " in (said := system.sh("greet-plugins list")), said
    assert how.replace("bye", "salute") in said
    core = "Package: greet\nPin: version 2.0-1\nPin-Priority: -1\n" if apt else f"{before}excludepkgs=greet\n"
    system.write(place, core)
    said = system.sh("greet-plugins list")
    assert f"greet 2.0-1 is held back: it is {how.replace('-plugin-bye', '')}" in said, said
    system.write(place, before)


def wished(system: System) -> set[str]:
    """Packages that no autoremove takes away."""
    if isinstance(system, Apt):
        return set(system.sh("apt-mark showmanual 'greet*'").split())
    said = system.sh("dnf -q -C repoquery --installed --qf '%{name} %{reason}\\n' 'greet*'")
    return {line.split()[0] for line in said.splitlines() if line.endswith(" user")}


def goes_back(system: System) -> None:
    """The command that the hook of apt tells at a downgrade works as it is; dnf 4 asks nobody."""
    if not isinstance(system, Apt):
        return
    done = system.run("apt-get", "-y", "install", "--allow-downgrades", "greet=1.0-1", check=False)
    assert done.returncode != 0, done.stdout
    assert "keep them: stay with greet 2.0-1\n" in done.stdout
    (back,) = re.findall("go back with what there is for greet 1.0-1: (.*)", done.stdout)
    system.sh(back.replace("install", "install -y", 1))
    assert system.installed() == {"greet": "1.0-1", "greet-plugin-bye": "1.0-1", "greet-plugin-hello": "1.0-1"}
    assert answer(system) == ["greet 1.0 as greet", MORNING, EVENING]


@pytest.mark.parametrize("kind", [Apt, at_night(Dnf)])
def test_machines_follow_a_plugin_to_its_new_name_and_are_told_of_one_that_ended(
    bootable: None, kind: type[System], greet: Workspace, renamed: Path, tmp_path: Path
) -> None:
    with several(tmp_path) as make:
        system = make(kind, greet.dist, "greet")
        for command in COMMANDS[kind]:
            use(system, greet.dist)
            install(system, "hello", "bye", "moon")
            system.run("greet-plugins", "disable", "hello")
            use(system, renamed)
            told_what_holds_back(system)
            said = system.run(*command).stdout
            assert (said.count(CALLED), said.count(ENDED)) == (1, 1), said
            installed = system.installed()
            # Debian's empty packages may stay until autoremove.
            assert {"greet", "greet-plugin-bye", "greet-plugin-salute"} <= set(installed)
            assert set(installed.values()) == {"2.0-1"}
            assert {"greet", "greet-plugin-salute"} <= wished(system)
            assert answer(system) == ["greet 2.0 as greet", EVENING]
            assert system.sh("cat /etc/greet/plugins.d/disabled") == "salute\n"
            assert ENDED in system.sh("greet-plugins status")
            told = json.loads(system.sh("greet-plugins status --json"))
            assert (told["good"], told["ended"], told["disabled"]) == (True, ["moon"], ["salute"])
            states = dict(line.split()[::2] for line in system.sh("greet-plugins list").splitlines())
            assert states == {"bye": "serving", "salute": "disabled"} | ({"moon": "empty"} if kind is Apt else {})
            # Another file of wishes still has the old name.
            system.write("/root/wishes", "bye\nhello # disabled\n")
            system.sh("greet-plugins sync --yes /root/wishes")
            assert "noted: moon" in system.sh("greet-plugins remove --yes moon")
            assert "ended" not in system.sh("greet-plugins status")
            system.run(*(("apt-get", "-y", "autoremove") if kind is Apt else ("dnf", "-y", "autoremove")))
            assert set(system.installed()) == {"greet", "greet-plugin-bye", "greet-plugin-salute"}
            frozen = system.sh("greet-plugins freeze | greet-plugins sync --dry-run -")
            assert frozen.endswith("greet-plugins: nothing to do\n")
            assert "hello is called salute now" in system.sh("greet-plugins enable hello 2>&1")
            assert answer(system) == ["greet 2.0 as greet", MORNING.replace("hello", "salute"), EVENING]
            goes_back(system)
            system.purge()
            system.sh("rm -rf /etc/greet")
