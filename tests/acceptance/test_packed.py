"""What mkpkgs packs, the target takes: names, links, owners and modes, on both families."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.test_lifecycle import MORNING, answer, install
from tests.fuzz import packed
from tests.systems import System
from tests.tiers import at_night
from tests.workspace import Workspace, tiny

pytestmark = pytest.mark.acceptance

TABLES = """
[[core.file]]
source = "greet.conf"
path = "/etc/greet/secret.conf"
type = "config"
mode = "0640"
group = "greet"

[[core.file]]
path = "/var/log/greet"
type = "directory"
mode = "0750"
owner = "greet"
group = "adm"

[[plugin.hello.file]]
source = "greet.conf"
path = "/etc/greet/hello.conf"
type = "config"
mode = "0440"
owner = "greet"
group = "greet"
"""
WANTED = {
    "/etc/greet/secret.conf": "640 root:greet",
    "/var/log/greet": "750 greet:adm",
    "/etc/greet/hello.conf": "440 greet:greet",
}


# Beside what decides, a core may have anything that dpkg and rpm carry.
NAMES = ("logo@2x.png", "Open Sans.ttf", "[slug].html", "it's", "$(id)", "日本.txt", "a=b,c", "~")
PLUGIN_NAMES = (
    "back\\slash",
    "-rf",
    " leading",
    "trailing ",
    'q"uote',
    "%n",
    "cafe\u0301",
    "caf\u00e9",
    "*",
    "a;b",
    "\u00a0",
)
WEB = """
[[core.file]]
source = "www/*"
path = "/usr/share/greet/www/"

[[core.file]]
path = "/usr/share/greet/latest"
type = "symlink"
target = "www"

[[core.file]]
source = "greet.conf"
path = "/usr/share/greet/www/state@1"
owner = "greet"
mode = "0664"

[[plugin.hello.file]]
source = "greet.conf"
path = "/usr/share/greet/www/hello@2x.png"
"""


def owners(system: System) -> dict[str, str]:
    rows = system.run("stat", "-c", "%n=%a %U:%G", *WANTED).stdout.splitlines()
    return dict(row.split("=", 1) for row in rows)


def test_files_beside_the_plugins_keep_no_server_from_starting(
    machine: Callable[[Workspace, str], System], tmp_path: Path
) -> None:
    project = tiny(tmp_path / "project")
    project.mkpkgs()
    system = machine(project, "greet")
    install(system, "hello")
    (project.root / "www").mkdir()
    for name in NAMES:
        (project.root / "www" / name).write_text("web\n")
    # Of a plugin's files the manifest has the names, which are verified, copied and compared.
    shown = project.root / "plugins/hello/shown"
    shown.mkdir()
    for name in (*NAMES, *PLUGIN_NAMES):
        (shown / name).write_text(f"plugin's {name}\n")
    with (project.root / "mkpkgs.toml").open("a") as file:
        file.write(WEB)
    project.replace("mkpkgs.toml", version="1.1")
    project.mkpkgs()
    system.use()
    system.upgrade()
    assert system.run("greet-plugins", "status").returncode == 0
    assert answer(system)[1:] == [MORNING]
    assert system.installed()["greet"] == "1.1-1"
    listed = system.run("ls", "-U", "/usr/share/greet/latest/").stdout.splitlines()
    assert {*NAMES, "state@1", "hello@2x.png"} == {*listed}
    assert "repair" not in system.run("greet-plugins", "doctor").stdout
    assert system.verify() == ""
    for place in ("plugins", "bin/serving/plugins"):
        names = system.path(f"/usr/lib/greet/{place}/hello/shown").iterdir()
        found = {path.name: path.read_text() for path in names}
        assert found == {name: f"plugin's {name}\n" for name in (*NAMES, *PLUGIN_NAMES)}
    system.sh("echo changed >'/usr/lib/greet/plugins/hello/shown/trailing '")
    told = system.run("greet-plugins", "status", check=False)
    assert (told.returncode, "/shown/trailing  is not what its manifest says" in told.stdout) == (1, True)
    assert "trailing " in system.verify()
    system.install("--reinstall", "greet-plugin-hello") if system.suffix == "deb" else system.sh(
        "dnf -y reinstall greet-plugin-hello"
    )
    assert system.run("greet-plugins", "status").returncode == 0
    another_program(system)


def another_program(system: System) -> None:
    """A program that people built themselves, in the place of ours; with Debian as Caddy's pages tell it."""
    if system.suffix == "deb":
        system.sh("dpkg-divert --divert /usr/bin/greet.default --rename /usr/bin/greet")
    system.sh("rm -f /usr/bin/greet; ln -s /bin/true /usr/bin/greet")
    assert {line.split()[2] for line in system.sh("greet-plugins list").splitlines()} == {"bypassed"}
    told = system.run("greet-plugins", "status", check=False)
    assert told.returncode == 1
    assert re.search("/usr/bin/greet is (/usr)?/bin/true, another program than the one with the plugins", told.stdout)
    (repair,) = re.findall("repair: (.*)", told.stdout)
    # Followed to the letter.
    system.sh(f"export DEBIAN_FRONTEND=noninteractive; alias apt-get='apt-get -y' dnf='dnf -y'\n{repair}")
    assert system.run("greet-plugins", "status").returncode == 0
    assert {line.split()[2] for line in system.sh("greet-plugins list").splitlines()} == {"serving"}


def test_files_belong_to_whom_the_project_says(machine: Callable[[Workspace, str], System], tmp_path: Path) -> None:
    project = tiny(tmp_path / "project")
    with (project.root / "mkpkgs.toml").open("a") as file:
        file.write(TABLES)
    project.mkpkgs()
    system = machine(project, "greet")
    # dpkg and rpm unpack both before the user is there, or just when it is.
    install(system, "hello")
    assert owners(system) == WANTED
    assert system.verify() == ""
    system.sh("setpriv --reuid greet --regid greet --clear-groups cat /etc/greet/secret.conf /etc/greet/hello.conf")
    # What people changed since stays at an upgrade, where the package manager itself lets it.
    project.replace("mkpkgs.toml", version="1.1")
    if system.suffix == "deb":
        system.sh("chown daemon:daemon /etc/greet/secret.conf")
        system.sh("dpkg-statoverride --update --add root root 0700 /var/log/greet")
    project.mkpkgs()
    system.use()
    system.upgrade()
    assert system.installed()["greet"] == "1.1-1"
    changed = {"/etc/greet/secret.conf": "640 daemon:daemon", "/var/log/greet": "700 root:root"}
    assert owners(system) == (WANTED | changed if system.suffix == "deb" else WANTED)


# They found faults once: `make fuzz-packed` draws the others.
SEEDS = ((7, 30), (0, 3, 9, 11, 14, 17, 103))


@pytest.mark.parametrize("seeds", [SEEDS[0], at_night(SEEDS[1])], ids=["short", "more"])
def test_random_projects_come_through_and_go_without_a_leftover(
    seeds: tuple[int, ...], bootable: None, tmp_path: Path
) -> None:
    done = [*packed.tried(sorted(packed.TAKERS), seeds, tmp_path / "work")]
    assert not [(one.faults, packed.replay(one)) for one in done if one.faults]
    # Each was taken by both families.
    assert len([one for one in done if not one.refusal]) == 2 * len(seeds)
