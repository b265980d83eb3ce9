"""`mkpkgs check --load`: an author's plugins are tried in fresh roots, which leave nothing behind."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from packaging_tool.authors import room
from packaging_tool.authors.apt import Apt
from packaging_tool.authors.dnf import Dnf
from packaging_tool.authors.room import Room
from packaging_tool.errors import BuildError
from packaging_tool.listener import Silent
from tests import roots
from tests.acceptance.conftest import MORE
from tests.acceptance.test_authors import web
from tests.acceptance.test_every_driver import Sample
from tests.authors.world import author, dusk
from tests.tiers import every
from tests.workspace import Workspace

pytestmark = pytest.mark.acceptance


def test_a_plugin_that_ends_the_server_is_named_with_the_servers_words(
    greet: Workspace, el9: Path, tmp_path: Path
) -> None:
    project = dusk(tmp_path, greet.dist)
    table = '\n[plugin.bad]\nsummary = "Says it otherwise"\nversion = "1.0"\nfiles.source = "bad"\n'
    (project.root / "mkpkgs.toml").write_text((project.root / "mkpkgs.toml").read_text() + table)
    (project.root / "bad").mkdir()
    (project.root / "bad/greeting").write_text("format 9\nboo\n")
    # No key of the author is needed.
    shutil.rmtree(project.keys)
    done = project.mkpkgs("check", "-q", "--load", check=False)
    tried = "greet with bad ended with status 255 when it was tried: plugin bad: format 9, not format 1"
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "greet 1.0-1 (all)",
        "  dusk: fits, and greet works with it in a clean debian12 and el9",
        f"  bad: in a clean debian12: {tried}",
    ]


@dataclass(frozen=True)
class Trial:
    """Two plugins of an author for the sample server of a driver: `good`, and `bad`, which only a server that loads it
    finds out.

    target: where they are tried. table: of the settings of a plugin. files: text by path, of both. broken: of bad, and
    put over them. said: of bad.
    """

    target: str
    table: str
    files: Mapping[str, str]
    broken: Mapping[str, str]
    said: str

    def project(self, directory: Path, core: Workspace, name: str, driver: str) -> Workspace:
        """As an author writes it; {name} is the plugin's."""
        root = Workspace.at(directory).root
        tables = f'targets = ["{self.target}"]\n'
        for plugin, files in (("good", self.files), ("bad", {**self.files, **self.broken})):
            for path, text in files.items():
                file = root / plugin / path.format(name=plugin)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text.replace("{name}", plugin))
                file.chmod(0o755)
            table = self.table.replace("{name}", plugin)
            tables += f'\n[plugin.{plugin}]\nsummary = "Made elsewhere"\nversion = "1.0"\n{table}\n'
        return author(directory, name, core.dist, driver, tables)


PEAL = """\
#include "peal.h"
const int peal_abi = PEAL_ABI;
const char *peal_says(void) { return "{name}"; }
"""
GO = """\
package plugin

import "example.com/tower/registry"

func init() { registry.Add("{name}") }
"""
PYPROJECT = """\
[build-system]
requires = ["setuptools>=70.1"]
build-backend = "setuptools.build_meta"

[project]
name = "shelf-{name}"
version = "1.0"
dependencies = ["shelf"]

[project.entry-points."shelf.plugins"]
{name} = "shelf_{name}"

[tool.setuptools]
py-modules = ["shelf_{name}"]
"""
CC = '["gcc", "-fPIC", "-shared", "-Wl,--no-as-needed", "-I{core}", "-o"'
TRIALS = {
    "elf": Trial(
        "debian12",
        f'elf = {{ source = "{{name}}", build = [{CC}, "{{name}}.so", "{{name}}.c"], {CC}, "bells.so", "bells.c"]], '
        'objects = ["{name}.so", "bells.so"], load = ["{name}.so"] }',
        {"{name}.c": PEAL, "bells.c": 'const char *bells(void) { return "bells"; }\n'},
        # What it lacks lies beside it, and nothing opens that.
        {
            "{name}.c": PEAL.replace('return "{name}"', "return bells()").replace(
                "\n", "\nconst char *bells(void);\n", 1
            )
        },
        "undefined symbol: bells",
    ),
    "exec": Trial(
        "el9",
        'exec = { files = "{name}" }',
        {"desk-{name}": "#!/bin/sh\nread -r _\necho ready 2\nwhile read -r line; do echo {name}; done\n"},
        {"desk-{name}": "#!/bin/sh\nread -r _\necho hello\n"},
        "plugin bad: it says 'hello', not: ready 2 or 1",
    ),
    "python": Trial(
        "el9",
        'python.requires = ["./{name}"]',
        {
            "pyproject.toml": PYPROJECT,
            "shelf_{name}.py": 'API = "1"\n\n\ndef title() -> str:\n    return "{name}"\n',
        },
        {"shelf_{name}.py": "import nowhere\n"},
        "ModuleNotFoundError: No module named 'nowhere'",
    ),
    "go-plugin": Trial(
        "el9",
        'go-plugin.module = "./{name}"',
        {
            "go.mod": "module example.org/{name}\n\ngo 1.21\n\nrequire example.com/tower v1.0.0\n",
            "plugin.go": GO,
        },
        {"plugin.go": GO.replace(" }", '; panic("no bell") }')},
        "panic: no bell",
    ),
}


@pytest.mark.parametrize("driver", every(4, list(TRIALS)))
def test_a_plugin_that_breaks_when_it_is_loaded_is_named_for_every_driver(
    driver: str, shared: Path, el9: Path, tmp_path: Path
) -> None:
    sample, trial = Sample.build(driver, shared), TRIALS[driver]
    project = trial.project(tmp_path, sample.state("first"), sample.core, driver)
    done = project.mkpkgs("check", "-q", "--load", check=False)
    assert done.returncode == 1
    _, good, bad, *_ = done.stdout.splitlines()
    assert good == f"  good: fits, and {sample.core} works with it in a clean {trial.target}"
    assert bad.startswith(f"  bad: in a clean {trial.target}: {sample.core} with bad ended with status "), done.stdout
    assert trial.said in bad


def is_cut_off(place: Room, secret: Path) -> None:
    """Programs see and reach nothing of this machine. secret: a file of it, which is also in the room."""
    assert place.run("cat", f"{room.INBOX}/{secret.name}") == room.Said(0, secret.read_text())
    assert place.run("cat", str(secret)).status == 1
    assert place.run("sed", "-n", "s/^ *\\(.*\\): .*/\\1/p", "/proc/net/dev").text == "lo\n"


def test_programs_in_a_root_see_and_reach_nothing_of_this_machine(rooms: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine\n")
    with room.clean("debian12", Apt(), Silent()) as place:
        place.put([secret])
        is_cut_off(place, secret)
        script = r'printf "#!/bin/sh\ntouch /started\n" >/etc/init.d/it; chmod +x /etc/init.d/it; invoke-rc.d it start'
        said = place.run("sh", "-c", f"{script}; ls /started").text
        assert "policy-rc.d denied execution of start" in said
        assert "cannot access '/started'" in said


def test_what_a_package_needs_of_an_rpm_distribution_is_fetched_before_it_is_installed(
    el9: Path, distribution: Path, tmp_path: Path
) -> None:
    served = tmp_path / "served"
    (served / "more").mkdir(parents=True)
    (served / "machine").symlink_to(distribution)
    made = {
        name: roots.stub_rpm(tmp_path / name, name, provides, requires)
        for name, provides, requires in (
            ("more", ["bells"], []),
            ("ringing", [], ["bells"]),
            ("silent", [], ["whistles"]),
        )
    }
    shutil.copy(made.pop("more"), served / "more")
    subprocess.run(["createrepo_c", "--quiet", served / "more"], check=True)
    secret = tmp_path / "secret"
    secret.write_text("mine\n")
    with room.clean("el9", Dnf(), Silent()) as place:
        place.put([secret, *made.values()])
        is_cut_off(place, secret)
        groups = [[made["ringing"]], [made["silent"]]]
        with pytest.raises(BuildError, match="packages of the distribution cannot be fetched"):
            Dnf().fetch(place, groups)
        with web(served, MORE):
            Dnf().fetch(place, groups)
        # What was not fetched is not there any more.
        Dnf().install(place, [made["ringing"]])
        assert place.run("rpm", "-q", "more", "ringing").text == "more-1-1.noarch\nringing-1-1.noarch\n"
        with pytest.raises(room.UnfitError, match="nothing provides whistles needed by silent-1-1"):
            Dnf().install(place, [made["silent"]])
        Dnf().remove(place, ["ringing", "silent"])
        assert place.run("rpm", "-q", "more", "ringing", "silent").text.count("is not installed") == 2


def test_a_distribution_that_nobody_signed_is_refused(greet: Workspace, el9: Path) -> None:
    el9.write_text(el9.read_text().replace("gpgcheck=0", f"gpgkey={(greet.dist / 'greet.asc').as_uri()}"))
    with pytest.raises(BuildError, match="dnf failed: Error: GPG check FAILED"), room.clean("el9", Dnf(), Silent()):
        pass


def inside(rooms: Path) -> list[str]:
    """Processes that have one of the roots."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(rooms) in (process / "mountinfo").read_text():
                found.append(process.name)
        except OSError:
            continue
    return found


def test_an_interruption_leaves_no_root_and_no_process(greet: Workspace, rooms: Path, tmp_path: Path) -> None:
    project = dusk(tmp_path, greet.dist)
    command = [sys.executable, "-m", "packaging_tool", "check", "--load"]
    with subprocess.Popen(
        command, cwd=project.root, env=project.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as running:
        end = time.monotonic() + 300
        while not inside(rooms):
            assert running.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        running.terminate()
        running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGTERM
    assert not inside(rooms)
