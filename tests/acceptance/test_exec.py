"""A server whose plugins are programs by hashicorp/go-plugin, in two versions of its protocol, on apt and on dnf."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import roots
from tests.machine import lines
from tests.systems import System
from tests.workspace import Workspace

pytestmark = pytest.mark.acceptance

EXAMPLE = Path(__file__).parent.parent.parent / "examples/phrases"
POLITE = "polite, protocol 4: How do you do, Ada?"
LOUD = "loud, protocol 5: HEY DR. ADA"
MakeMachine = Callable[[Workspace, str], System]


@pytest.fixture(scope="session")
def phrases(shared: Path) -> Path:
    """The example as it is; `wrong`, where a plugin speaks another protocol than its package says; and `next`.

    The next server speaks protocols 6 and 5, and the plugin of protocol 4 has followed.
    """
    place = shared / "phrases"
    with roots.once(place) as missing:
        if missing:
            first = Workspace.create(EXAMPLE, place / "first").quick()
            warm(first, "amd64")
            first.mkpkgs("--arch", "amd64")
            wrong = first.copy(place / "wrong")
            change(wrong, "loud/main.go", "phrase.New", "9")
            change(wrong, "mkpkgs.toml", "[plugin.loud]\n", '[plugin.loud]\nrelease = "2"\n')
            wrong.mkpkgs("--arch", "amd64")
            following = first.copy(place / "next")
            change(following, "phrase/phrase.go", "New = 5\n\tOld = 4", "New = 6\n\tOld = 5")
            change(following, "loud/main.go", "phrase.New", "phrase.Old")
            change(following, "polite/main.go", "phrase.Old", "phrase.New")
            change(following, "mkpkgs.toml", 'protocol = "5"\naccepts = ["4"]', 'protocol = "6"\naccepts = ["5"]')
            change(following, "mkpkgs.toml", 'protocol = "4"\n', "")
            change(
                following,
                "mkpkgs.toml",
                '"{output}/phrases-loud", "./loud"]',
                '"{output}/phrases-loud", "./loud"]\nexec.protocol = "5"',
            )
            following.replace("mkpkgs.toml", version="2.0")
            following.mkpkgs("--arch", "amd64")
    return place


def warm(project: Workspace, architecture: str) -> None:
    """Compile once what all three programs have of Go's library and of modules: each command has a home of its own, so
    it would be done three times. The plugins' homes begin as what the core's first build has left in its own."""
    file = project.root / "mkpkgs.toml"
    whole = file.read_text()
    file.write_text(re.sub(r"(?s)\n\[plugin\..*(?=\n\[repository\])", "", whole))
    project.mkpkgs("build", "--arch", architecture)
    file.write_text(whole)
    homes = project.root / f".mkpkgs/exec/{architecture}/home"
    for plugin in ("loud", "polite"):
        # Links do: Go changes no file that is in its caches.
        subprocess.run(["cp", "-al", homes / "core", homes / f"plugin-{plugin}"], check=True)


def change(project: Workspace, file: str, old: str, new: str) -> None:
    path = project.root / file
    text = path.read_text()
    assert old in text, f"{old!r} is not in {file}"
    path.write_text(text.replace(old, new, 1))


def answers(system: System) -> list[str]:
    retry = ("--retry", "30", "--retry-connrefused", "--retry-delay", "1")
    return lines(system.run("curl", "-s", *retry, "http://127.0.0.1:8080/").stdout)


def programs(system: System) -> list[str]:
    """Programs of plugins that run."""
    return sorted(lines(system.sh("readlink /proc/[0-9]*/exe | grep /phrases- || :")))


def test_programs_of_two_protocols_serve_and_follow_their_server(machine: MakeMachine, phrases: Path) -> None:
    system = machine(Workspace.at(phrases / "first"), "phrases")
    system.install("phrases", *system.plugin("loud", "polite"))
    system.enable()
    assert answers(system) == [POLITE, LOUD]
    # Each is a process of the service, from the verified copy.
    place = system.run("readlink", "-f", "/usr/lib/phrases/bin/serving").stdout.strip()
    assert programs(system) == [f"{place}/plugins/loud/phrases-loud", f"{place}/plugins/polite/phrases-polite"]
    assert "plugins/loud/phrases-loud" in system.run("systemctl", "status", "phrases").stdout
    assert "verified: what is installed is what serves" in system.run("phrases-plugins", "status").stdout

    # A plugin that does not speak what its package says is found out by the handshake, in the try.
    system.use(phrases / "wrong/project/dist")
    done = system.upgrade()
    assert re.search("plugin loud: .* Plugin version: 9", done.stdout)
    assert "the old set goes on serving" in done.stdout
    assert answers(system) == [POLITE, LOUD]

    system.use(phrases / "next/project/dist")
    system.upgrade()
    assert answers(system) == ["polite, protocol 6: How do you do, Ada?", "loud, protocol 5: HEY  ADA"]

    # No process of a plugin outlives its server.
    system.sh("systemctl stop phrases")
    assert programs(system) == []


def test_a_plugin_of_a_protocol_that_the_server_does_not_speak_is_not_installed(
    machine: MakeMachine, phrases: Path
) -> None:
    system = machine(Workspace.at(phrases / "next"), "phrases")
    system.install("phrases")
    suffix = system.suffix
    (old,) = (phrases / "first/project/dist").rglob(f"phrases-plugin-polite[-_]1.0*.{suffix}")
    system.put(old, f"/root/{old.name}")
    manager = ("apt-get", "-y") if suffix == "deb" else ("dnf", "-y", "--nogpgcheck", "--disablerepo=*")
    done = system.run(*manager, "install", f"/root/{old.name}", check=False)
    assert done.returncode != 0
    assert "phrases-abi" in done.stdout
    assert "it was built for another phrases" in system.force(old).stdout


# Emulated, and with other tests beside, they may need longer than the minute that the protocol gives them.
@pytest.mark.nightly
def test_server_and_plugins_for_arm64_shake_hands(phrases: Path, tmp_path: Path) -> None:
    """Run by qemu in a root with nothing but what the packages bring: all of it is static."""
    project = Workspace.at(phrases / "first").copy(tmp_path / "copy")
    warm(project, "arm64")
    project.mkpkgs("build", "--arch", "arm64")
    root = tmp_path / "root"
    for name in ("phrases", "phrases-plugin-loud", "phrases-plugin-polite"):
        (package,) = project.dist.rglob(f"{name}_*_arm64.deb")
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    shutil.copy("/usr/bin/qemu-aarch64-static", root / "qemu")
    (root / "tmp").mkdir()
    # What apply would lay down; the kernel is told with `#!` what runs the programs.
    (root / "usr/lib/phrases/bin/serving").unlink(missing_ok=True)
    serving = root / "usr/lib/phrases/bin/serving"
    shutil.copytree(root / "usr/lib/phrases/plugins", serving / "plugins")
    (serving / "loader").mkdir()
    (serving / "loader/plugins").write_text("polite\nloud\n")
    for name in ("loud", "polite"):
        program = serving / f"plugins/{name}/phrases-{name}"
        program.rename(program.with_suffix(".real"))
        program.write_text(f"#!/qemu {Path('/') / program.with_suffix('.real').relative_to(root)}\n")
        program.chmod(0o755)
    server = ["chroot", str(root), "/qemu", "/usr/lib/phrases/bin/phrases-core", "check"]
    done = subprocess.run(server, capture_output=True, text=True, timeout=120)
    assert done.stdout == "2 plugins have answered\n", done.stderr
    # And it was them that answered.
    (serving / "plugins/loud/phrases-loud").write_text("#!/qemu /usr/lib/phrases/bin/phrases-core\n")
    done = subprocess.run(server, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "plugin loud: " in done.stderr
