"""A server that opens Go plugins itself, installed by apt and dnf into booted systems; and the same for arm64."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import roots
from tests.acceptance.libraries import LibrariesDnf
from tests.machine import lines
from tests.systems import Apt, System
from tests.workspace import Workspace, newest

pytestmark = pytest.mark.acceptance

SAMPLE = Path(__file__).parent.parent / "samples/tiny-loader"
SERVING = "/usr/lib/host/bin/serving/plugins"
BELL, ECHO, GREET, SHOUT = "bell ding", "echo dingding", "greet", "shout"


@pytest.fixture(scope="session")
def loader(shared: Path) -> Workspace:
    """The sample server `host` 0.1.0, built for apt and dnf."""
    with roots.locked(shared / "loader.lock"):
        if not (shared / "loader").exists():
            project = Workspace.create(SAMPLE, shared / "loader-making").quick()
            file = project.root / "mkpkgs.toml"
            file.write_text(file.read_text().replace('["debian12"]', '["debian12", "el9"]'))
            project.mkpkgs()
            (shared / "loader-making").rename(shared / "loader")
    return Workspace.at(shared / "loader")


@pytest.fixture
def project(loader: Workspace, tmp_path: Path) -> Workspace:
    """A copy to change."""
    return loader.copy(tmp_path / "copy")


@pytest.fixture
def debian(bootable: None, project: Workspace, tmp_path: Path) -> Iterator[Apt]:
    with Apt(project.dist, tmp_path / "machine", "host") as system:
        system.use()
        yield system


@pytest.fixture(params=["apt", "dnf"])
def kind(request: pytest.FixtureRequest) -> type[System]:
    return Apt if request.param == "apt" else LibrariesDnf


@pytest.fixture
def system(kind: type[System], bootable: None, project: Workspace, tmp_path: Path) -> Iterator[System]:
    with kind(project.dist, tmp_path / "machine", "host") as made:
        made.use()
        yield made


def said(system: System) -> list[str]:
    """What the running service said when it started: a line per plugin that it opened."""
    identity = system.sh("systemctl show -p InvocationID --value host").strip()
    return lines(system.sh(f"journalctl --sync; journalctl -o cat _SYSTEMD_INVOCATION_ID={identity} _COMM=host-core + "
                           f"_SYSTEMD_INVOCATION_ID={identity} _COMM=host"))  # fmt: skip


def raise_abi(project: Workspace) -> None:
    """Another version of the server, in which a function that plugins call has another body."""
    project.replace("mkpkgs.toml", version="0.2.0")
    file = project.root / "server/registry/registry.go"
    file.write_text(file.read_text().replace("names = append(names, name)", 'names = append(names, name+"!")'))
    project.mkpkgs()


def test_plugins_come_and_go_with_one_restart_each(debian: Apt) -> None:
    debian.install("host")
    assert said(debian) == [GREET]
    debian.install(*debian.plugin("echo", "shout"))
    assert said(debian) == [BELL, ECHO, GREET, SHOUT]
    assert debian.starts() == 2
    assert debian.run("host-plugins", "status").returncode == 0
    # What the administrator starts by hand is the same.
    assert lines(debian.sh("host")) == [BELL, ECHO, GREET, SHOUT]
    debian.remove(*debian.plugin("echo", "bell"))
    assert said(debian) == [GREET, SHOUT]
    assert debian.starts() == 3
    debian.purge()
    assert debian.installed() == {}
    assert debian.run("test", "-e", "/usr/lib/host", check=False).returncode == 1


def test_core_and_plugins_are_upgraded_in_lockstep(system: System, project: Workspace) -> None:
    system.install("host", *system.plugin("echo", "shout"))
    system.enable()
    before = system.starts()
    raise_abi(project)
    system.upgrade()
    assert said(system) == [f"{name}!" for name in (BELL, ECHO, GREET, SHOUT)]
    assert system.starts() == before + 1


def test_plugin_for_another_abi_is_refused(debian: Apt, project: Workspace) -> None:
    debian.install("host", *debian.plugin("shout"))
    before = debian.starts()
    raise_abi(project)
    foreign = newest(project.dist, "host-plugin-bell", "deb")
    debian.put(foreign, "/root/bell.deb")
    # apt refuses at once; whoever forces it in is refused by apply, and the old set serves on.
    refused = debian.apt("install", "/root/bell.deb", check=False)
    assert refused.returncode != 0
    assert "host-abi-" in refused.stdout
    assert "ABI" in debian.force(foreign).stdout
    assert said(debian) == [GREET, SHOUT]
    # Also after a crash: the set in use has its own manifests.
    debian.sh("systemctl restart host")
    assert said(debian) == [GREET, SHOUT]
    assert debian.starts() == before + 1


def test_tampered_plugin_is_refused_at_start_and_by_apply(debian: Apt) -> None:
    debian.install("host", *debian.plugin("bell"))
    debian.sh(f"printf x >>{SERVING}/bell/bell.so")
    done = debian.run("host", check=False)
    assert done.returncode == 1
    assert "/plugins/bell/bell.so: is not what the manifest says" in done.stdout
    assert "repair: reinstall the package host-plugin-bell, or call host-plugins apply" in done.stdout
    debian.sh("host-plugins apply")
    assert said(debian) == [BELL, GREET]
    debian.sh("printf x >>/usr/lib/host/plugins/bell/bell.so")
    refused = debian.run("host-plugins", "apply", check=False)
    assert refused.returncode != 0
    assert "bell.so" in refused.stdout
    debian.sh("systemctl restart host")
    assert said(debian) == [BELL, GREET]


def test_packages_depend_on_the_c_library_that_their_files_need(loader: Workspace) -> None:
    for name in ("host", "host-plugin-bell"):
        deb: list[str | Path] = ["dpkg-deb", "-f", newest(loader.dist, name, "deb"), "Depends"]
        assert "libc6 (>= 2." in subprocess.run(deb, capture_output=True, text=True, check=True).stdout
        rpm: list[str | Path] = ["rpm", "-qp", "--nosignature", "--requires", newest(loader.dist, name, "rpm")]
        asked = subprocess.run(rpm, capture_output=True, text=True, check=True).stdout.splitlines()
        assert any(line.startswith("libc.so.6(GLIBC_2.") and line.endswith(")(64bit)") for line in asked)


def test_core_for_arm64_opens_its_plugins(loader: Workspace, tmp_path: Path) -> None:
    """Built by Debian's cross compiler, run by qemu in a root with nothing but the packages and the C library."""
    project = loader.copy(tmp_path / "copy")
    file = project.root / "mkpkgs.toml"
    file.write_text(file.read_text().replace("driver =", 'architectures = ["arm64"]\ndriver =', 1))
    project.mkpkgs()
    root = tmp_path / "root"
    (root / "lib").mkdir(parents=True)
    for name in ("host", "host-plugin-bell", "host-plugin-echo", "host-plugin-shout"):
        package = newest(project.dist / "apt", name, "deb", "arm64")
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    plugins = root / "usr/lib/host/plugins"
    for signed in (root / "usr/share/host/plugins").iterdir():
        shutil.copyfile(signed, plugins / signed.name)
    for library in Path("/usr/aarch64-linux-gnu/lib").glob("*.so.[0-9]*"):
        shutil.copyfile(library, root / "lib" / library.name)
    for program in (root / "lib/ld-linux-aarch64.so.1", root / "qemu"):
        if program.name == "qemu":
            shutil.copyfile("/usr/bin/qemu-aarch64-static", program)
        program.chmod(0o755)
    command = ["chroot", str(root), "/qemu", "/usr/lib/host/bin/host-core", "--pluginsdir", "/usr/lib/host/plugins"]
    assert lines(subprocess.run(command, capture_output=True, text=True, check=True).stdout) == [
        BELL,
        ECHO,
        GREET,
        SHOUT,
    ]
    with (plugins / "bell/bell.so").open("ab") as object_:
        object_.write(b"x")
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "plugin bell: /usr/lib/host/plugins/bell/bell.so: is not what the manifest says" in refused.stderr
