"""Removal takes all along that installation, use and failure left; till then no file of a package is changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.test_lifecycle import EVENING, MORNING, answer, install
from tests.systems import Apt, System
from tests.workspace import Workspace, newest, tiny

pytestmark = pytest.mark.acceptance


def known_to_systemd(system: System) -> str:
    """Units of the core that systemd has loaded, finds in files, or calls failed; and files below /run."""
    return system.sh(
        "systemctl list-units --all --plain --no-legend '*greet*';"
        "systemctl list-unit-files --no-legend '*greet*' || :;"
        "systemctl --failed --plain --no-legend; systemctl list-jobs --no-legend | grep -v '^No jobs' || :;"
        "find /run /etc/systemd /var/lib/systemd -name '*greet*' ! -path '/run/log/*'"
    )


def test_erasing_a_core_whose_last_apply_failed_leaves_only_data_and_logs(
    machine: Callable[[Workspace, str], System], greet: Workspace, tmp_path: Path
) -> None:
    system = machine(greet, "greet")
    # The first run of a package manager makes its own caches and records.
    system.install("greet", "greet-plugin-nothing", check=False)
    before = system.files()
    assert known_to_systemd(system) == ""
    install(system, "hello", "bye")
    assert answer(system)[1:] == [MORNING, EVENING]
    assert system.verify() == ""
    system.run("greet-plugins", "disable", "bye")
    assert answer(system)[1:] == [MORNING]
    assert system.verify() == ""
    foreign = tiny(tmp_path / "foreign")
    foreign.mkpkgs()
    system.force(newest(foreign.dist, "greet-plugin-moon", system.suffix))
    assert "greet-apply.service" in known_to_systemd(system)
    assert system.verify() == "", "a failed apply changes no file of a package"
    system.purge()
    left = {path for path in system.files() - before if not path.startswith("/var/lib/greet")}
    assert left == set()
    assert before - system.files() == set()
    assert known_to_systemd(system) == ""
    assert system.sh("systemctl is-system-running") == "running\n"


def test_purging_the_core_keeps_what_is_not_its_own(bootable: None, tmp_path: Path) -> None:
    """A conffile of a plugin that was removed, not purged: dpkg would never bring it back."""
    project = tiny(tmp_path / "project")
    table = '[[plugin.hello.file]]\nsource = "greet.conf"\npath = "/etc/greet/hello.conf"\ntype = "config"\n'
    with (project.root / "mkpkgs.toml").open("a") as file:
        file.write(table)
    project.mkpkgs()
    with Apt(project.dist, tmp_path / "machine", "greet") as system:
        system.use()
        install(system, "hello")
        system.sh("echo changed >>/etc/greet/hello.conf; echo mine >/etc/greet/mine; greet-plugins disable hello")
        system.remove("greet")
        system.apt("purge", "greet")
        assert system.sh("ls /etc/greet") == "hello.conf\nmine\n"
        install(system, "hello")
        assert system.sh("tail -n 1 /etc/greet/hello.conf") == "changed\n"
        # And it is not disabled any more.
        assert answer(system)[1:] == [MORNING]
        system.sh("rm /etc/greet/mine")
        system.purge()
        assert not system.path("/etc/greet").exists()


def test_packages_of_another_root_are_none_of_this_machines(bootable: None, tmp_path: Path) -> None:
    """As image builders call dpkg: the maintainer scripts run here, for a system below $DPKG_ROOT."""
    project = tiny(tmp_path / "project")
    with (project.root / "mkpkgs.toml").open("a") as file:
        file.write(
            '[[core.file]]\nsource = "greet.conf"\npath = "/etc/greet/secret.conf"\n'
            'type = "config"\nmode = "0640"\ngroup = "greet"\n'
        )
    project.mkpkgs()
    with Apt(project.dist, tmp_path / "machine", "greet") as system:
        system.use()
        install(system, "hello")
        system.sh("echo mine >/etc/greet/mine; greet-plugins disable hello; greet-plugins enable hello")
        system.sh("mkdir -p /srv/other/etc /srv/other/var/lib/dpkg; touch /srv/other/var/lib/dpkg/status")
        # Another number than here.
        system.sh("echo 'greet:x:1234:' >/srv/other/etc/group; echo 'root:x:0:0::/:' >/srv/other/etc/passwd")
        packages = [newest(project.dist, name, "deb") for name in ("greet", "greet-plugin-bye")]
        for package in packages:
            system.put(package, f"/root/{package.name}")
        before, starts = system.files(), system.starts()
        dpkg = ("dpkg", "--root=/srv/other", "--force-script-chrootless", "--force-depends")
        system.run(*dpkg, "-i", *(f"/root/{package.name}" for package in packages))
        there = Path("/srv/other/usr/lib/greet/plugins")
        assert system.sh(f"stat -c '%a %u:%g' {there} {there}/../../../../etc/greet/secret.conf") == (
            "750 0:1234\n640 0:1234\n"
        )
        system.sh("mkdir -p /srv/other/usr/lib/greet/bin/sets; touch /srv/other/etc/greet/keys.d/a.pub")
        system.run(*dpkg, "--purge", "greet", "greet-plugin-bye")
        assert system.sh("find /srv/other/usr/lib/greet /srv/other/etc/greet 2>/dev/null || :") == ""
        assert {path for path in system.files() ^ before if not path.startswith("/srv/other")} == set()
        assert answer(system)[1:] == [MORNING]
        assert system.starts() == starts
        assert system.run("greet-plugins", "status").returncode == 0


def test_a_core_without_a_service_leaves_nothing_either(
    machine: Callable[[Workspace, str], System], greet: Workspace, tmp_path: Path
) -> None:
    project = greet.copy(tmp_path / "copy")
    file = project.root / "mkpkgs.toml"
    text = file.read_text()
    file.write_text(text.replace('[core.service]\ncommand = "--serve"\ncheck = "--check"\n', ""))
    project.mkpkgs()
    system = machine(project, "greet")
    system.install("greet", "greet-plugin-nothing", check=False)
    before = system.files()
    system.install("greet", "greet-plugin-hello")
    assert system.run("greet-plugins", "status").returncode == 0
    assert system.sh("systemctl is-enabled greet-apply").strip() == "static"
    assert system.verify() == ""
    # Its boot unit works alone, too.
    system.sh("rm -rf /usr/lib/greet/bin/serving; systemctl start greet-apply")
    assert system.run("greet-plugins", "status").returncode == 0
    system.purge()
    assert {path for path in system.files() - before if not path.startswith("/var/lib/greet")} == set()
    assert known_to_systemd(system) == ""
