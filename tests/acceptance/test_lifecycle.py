"""Install, add, upgrade, remove and purge on real systems, with apt and with dnf, on the small sample server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machine import Machine, lines
from tests.systems import Debian13Apt, Debian13Dnf, SidApt, SidDnf, System
from tests.tiers import at_night
from tests.workspace import Workspace, raise_tiny

pytestmark = pytest.mark.acceptance

MORNING, EVENING, NIGHT = "hello: Good morning", "bye: Good evening", "moon: Good night"


def answer(system: Machine) -> list[str]:
    """What the server says: version and user, then a line per plugin that it loaded."""
    return lines(system.sh("curl -s --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:8080/"))


def install(system: System, *plugins: str) -> None:
    """Install, and wait until the server has read its plugins."""
    system.install("greet", *system.plugin(*plugins))
    if not system.is_active():
        system.enable()
    answer(system)


def test_core_and_plugins_in_one_transaction_are_one_start(system: System) -> None:
    install(system, "hello", "bye")
    assert answer(system) == ["greet 1.0 as greet", MORNING, EVENING]
    assert system.starts() == 1
    assert system.installed() == {"greet": "1.0-1", "greet-plugin-bye": "1.0-1", "greet-plugin-hello": "1.0-1"}
    assert system.run("greet-plugins", "status").returncode == 0


def test_service_starts_at_debian_installation_and_waits_for_people_elsewhere(system: System) -> None:
    system.install("greet")
    assert system.is_active() == (system.suffix == "deb")


def test_a_plugin_brings_the_plugins_that_it_needs(system: System) -> None:
    install(system, "moon")
    assert answer(system)[1:] == [EVENING, NIGHT]


def test_plugins_added_together_are_one_restart(system: System) -> None:
    install(system)
    assert answer(system) == ["greet 1.0 as greet"]
    before = system.starts()
    system.install(*system.plugin("hello", "bye", "moon"))
    assert answer(system)[1:] == [MORNING, EVENING, NIGHT]
    assert system.starts() == before + 1


def test_removing_plugins_is_one_restart_each_time_and_leaves_the_core(system: System) -> None:
    install(system, "hello", "bye", "moon")
    before = system.starts()
    system.remove(*system.plugin("moon", "bye"))
    assert answer(system)[1:] == [MORNING]
    assert system.starts() == before + 1
    system.remove(*system.plugin("hello"))
    assert answer(system) == ["greet 1.0 as greet"]
    assert system.starts() == before + 2


def test_upgrade_to_another_abi_takes_core_and_all_plugins_in_one_restart(
    machine: Callable[[Workspace, str], System], greet: Workspace, tmp_path: Path
) -> None:
    project = greet.copy(tmp_path / "copy")
    system = machine(project, "greet")
    install(system, "hello", "moon")
    before = system.starts()
    raise_tiny(project, "2.0", "2")
    project.mkpkgs()
    system.upgrade()
    assert answer(system) == ["greet 2.0 as greet", MORNING, EVENING, NIGHT]
    assert system.starts() == before + 1
    assert set(system.installed().values()) == {"2.0-1"}


def test_configuration_that_somebody_changed_stays_and_the_new_one_lies_beside_it(
    machine: Callable[[Workspace, str], System], greet: Workspace, tmp_path: Path
) -> None:
    project = greet.copy(tmp_path / "copy")
    system = machine(project, "greet")
    # What dpkg would ask a person, it answers as unattended-upgrades does.
    system.write("/etc/apt/apt.conf.d/50keep", 'Dpkg::Options { "--force-confdef"; "--force-confold"; };\n')
    install(system, "hello")
    system.write("/etc/greet/greet.conf", "# mine\nport 8080\n")
    (project.root / "greet.conf").write_text("# theirs\nport 8080\n")
    raise_tiny(project, "2.0", "2")
    project.mkpkgs()
    system.upgrade()
    assert answer(system) == ["greet 2.0 as greet", MORNING]
    assert system.sh("cat /etc/greet/greet.conf") == "# mine\nport 8080\n"
    beside = {"deb": "dpkg-dist", "rpm": "rpmnew"}[system.suffix]
    assert system.sh(f"cat /etc/greet/greet.conf.{beside}") == "# theirs\nport 8080\n"


def test_a_stopped_service_stays_stopped(
    machine: Callable[[Workspace, str], System], greet: Workspace, tmp_path: Path
) -> None:
    project = greet.copy(tmp_path / "copy")
    system = machine(project, "greet")
    install(system, "hello")
    system.run("systemctl", "stop", "greet")
    system.install(*system.plugin("bye"))
    assert not system.is_active()
    raise_tiny(project, "2.0", "2")
    project.mkpkgs()
    system.upgrade()
    assert not system.is_active()
    system.run("systemctl", "start", "greet")
    assert answer(system) == ["greet 2.0 as greet", MORNING, EVENING]


def test_the_service_survives_a_reboot(system: System) -> None:
    install(system, "hello")
    system.stop()
    system.start()
    assert answer(system) == ["greet 1.0 as greet", MORNING]


def test_package_managers_find_nothing_changed_on_disk(system: System) -> None:
    install(system, "hello", "bye", "moon")
    assert system.verify() == ""


def test_only_root_can_change_and_only_the_service_can_read_the_plugins(system: System) -> None:
    install(system, "hello")
    assert system.sh("stat -c '%a %U:%G' /usr/lib/greet/plugins") == "750 root:greet\n"
    writable = "find /usr/lib/greet /usr/share/greet /etc/greet ! -type l \\( ! -user root -o -perm /022 \\)"
    assert system.sh(writable) == ""
    denied = system.run("setpriv", "--reuid=nobody", "--clear-groups", "ls", "/usr/lib/greet/plugins", check=False)
    assert denied.returncode != 0


def test_purge_leaves_nothing_but_data(system: System) -> None:
    # The first run of a package manager makes its own caches and records.
    system.install("greet", "greet-plugin-nothing", check=False)
    before = system.files()
    install(system, "hello", "moon")
    assert answer(system)[1:] == [MORNING, EVENING, NIGHT]
    system.purge()
    left = {path for path in system.files() - before if not path.startswith("/var/lib/greet")}
    assert left == set()
    assert before - system.files() == set()
    assert not system.is_active()
    assert "greet" not in system.sh("systemctl list-units --all --plain --no-legend; systemctl --failed")


def test_core_can_come_back_after_removal(system: System) -> None:
    install(system, "hello")
    system.remove("greet")
    assert not system.is_active()
    install(system, "hello")
    assert answer(system) == ["greet 1.0 as greet", MORNING]


@pytest.mark.parametrize("kind", [at_night(Debian13Apt), at_night(Debian13Dnf), at_night(SidApt), SidDnf])
def test_newer_systems_install_upgrade_remove_and_purge_alike(
    machine: Callable[[Workspace, str], System], greet: Workspace, tmp_path: Path
) -> None:
    project = greet.copy(tmp_path / "copy")
    system = machine(project, "greet")
    system.install("greet-plugin-nothing", check=False)
    before = system.files()
    install(system, "hello", "moon")
    assert answer(system) == ["greet 1.0 as greet", MORNING, EVENING, NIGHT]
    assert system.starts() == 1
    assert system.verify() == ""
    raise_tiny(project, "2.0", "2")
    project.mkpkgs()
    system.upgrade()
    assert answer(system) == ["greet 2.0 as greet", MORNING, EVENING, NIGHT]
    assert system.starts() == 2
    system.remove(*system.plugin("moon", "bye"))
    assert answer(system) == ["greet 2.0 as greet", MORNING]
    assert system.starts() == 3
    assert system.run("greet-plugins", "status").returncode == 0
    system.purge()
    assert {path for path in system.files() - before if not path.startswith("/var/lib/greet")} == set()
    assert before - system.files() == set()
    assert "greet" not in system.sh("systemctl list-units --all --plain --no-legend; systemctl --failed")
