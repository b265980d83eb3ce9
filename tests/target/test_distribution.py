"""Where the core trusts the distribution, dpkg's record vouches for manifests and files in place of signatures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.target.conftest import SHELLS, machine_of
from tests.target.machine import Key, Machine


@pytest.fixture(params=SHELLS)
def unsigned(base: Path, key: Key, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine whose core trusts the distribution; it serves with the plugin git, whose manifest has no signature."""
    shell: str = request.param
    machine = machine_of(base, key, tmp_path, SHELLS[shell])
    (machine.share / "trust").write_text("distribution\n")
    for path in (machine.share / "keys").iterdir():
        path.unlink()
    install(machine, "git")
    done = machine.tool("apply")
    assert done.returncode == 0, done.stdout
    yield machine


def install(machine: Machine, name: str) -> None:
    machine.install(name)
    signature(machine, name).unlink()
    package = [machine.manifest(name), machine.plugins / name / "code"]
    machine.list_files(f"fake-plugin-{name}", package)


def signature(machine: Machine, name: str) -> Path:
    return machine.manifest(name).with_suffix(".manifest.sig")


def test_what_packages_brought_is_used_without_a_signature(unsigned: Machine) -> None:
    assert unsigned.serves() == ["core", "plugin git"]
    install(unsigned, "cors")
    assert unsigned.tool("apply").returncode == 0
    assert unsigned.serves() == ["core", "plugin cors", "plugin git"]


def test_packages_of_one_architecture_are_found_too(unsigned: Machine) -> None:
    """dpkg names the files of `Multi-Arch: same` packages with their architecture."""
    info = unsigned.root / "var/lib/dpkg/info"
    status = info.parent / "status"
    text = status.read_text().replace("Package: fake-plugin-git\n", "Package: fake-plugin-git\nMulti-Arch: same\n")
    status.write_text(text.replace("Architecture: all", "Architecture: amd64"))
    (info / "format").write_text("1\n")
    for suffix in ("list", "md5sums"):
        (info / f"fake-plugin-git.{suffix}").rename(info / f"fake-plugin-git:amd64.{suffix}")
    done = unsigned.tool("verify")
    assert done.returncode == 0, done.stdout


def unlisted(machine: Machine) -> None:
    machine.list_files("fake-plugin-git", [machine.manifest("git")])


def unlisted_manifest(machine: Machine) -> None:
    machine.list_files("fake-plugin-git", [machine.plugins / "git/code"])


def of_another_package(machine: Machine) -> None:
    """The files are on record, but as those of somebody else."""
    machine.record("helper", "1.0-1")
    machine.list_files("helper", [machine.manifest("git"), machine.plugins / "git/code"])
    machine.list_files("fake-plugin-git", [])


def changed_with_its_file(machine: Machine) -> None:
    """Manifest and payload fit each other; only the record tells."""
    before = (machine.root / "var/lib/dpkg/info/fake-plugin-git.md5sums").read_text()
    machine.install("git", files={"code": "echo changed\n"})
    signature(machine, "git").unlink()
    (machine.root / "var/lib/dpkg/info/fake-plugin-git.md5sums").write_text(before)


def no_sums(machine: Machine) -> None:
    (machine.root / "var/lib/dpkg/info/fake-plugin-git.md5sums").unlink()


def copied_in(machine: Machine) -> None:
    """A plugin that no package brought, well signed as it is."""
    machine.install("stray")
    machine.forget("fake-plugin-stray")
    for path in (machine.root / "var/lib/dpkg/info").glob("fake-plugin-stray.*"):
        path.unlink()


def flipped(machine: Machine) -> None:
    (machine.plugins / "git/code").write_text("echo plugin gif\n")


MANIFEST = "/usr/share/fake/plugins/git.manifest"
TAMPERED: dict[str, tuple[Callable[[Machine], object], str]] = {
    "a file that is not the package's": (
        unlisted,
        "plugin git: /usr/lib/fake/plugins/git/code is not a file of the package fake-plugin-git on record",
    ),
    "a manifest that is not the package's": (
        unlisted_manifest,
        f"plugin git: {MANIFEST} is not a file of the package fake-plugin-git on record",
    ),
    "files of another package": (
        of_another_package,
        f"plugin git: {MANIFEST} is not a file of the package fake-plugin-git on record",
    ),
    "a manifest that was changed": (
        changed_with_its_file,
        f"plugin git: {MANIFEST} is not what its package brought: it was changed",
    ),
    "no digest on record": (no_sums, f"plugin git: there is no digest of {MANIFEST} on record"),
    "a plugin that was copied in": (
        copied_in,
        "plugin stray: /usr/share/fake/plugins/stray.manifest is not a file of the package fake-plugin-stray on record",
    ),
    "a file that was changed": (flipped, "git/code is not what its manifest says: it was changed"),
    "a package that is gone": (
        lambda m: m.forget("fake-plugin-git"),
        "plugin git: the package fake-plugin-git is not on record: its files came from elsewhere",
    ),
    "a replayed old version": (
        lambda m: m.record("fake-plugin-git", "1.1-1"),
        "plugin git: its manifest is of version 1.0-1, on record is 1.1-1: a replay",
    ),
    "a mode of trust that is none": (
        lambda m: (m.share / "trust").write_text("nobody\n"),
        "/usr/share/fake/trust says neither signature nor distribution",
    ),
    "no mode of trust": (
        lambda m: (m.share / "trust").unlink(),
        "/usr/share/fake/trust says neither signature nor distribution",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_the_record_does_not_vouch_for_is_refused(unsigned: Machine, what: str) -> None:
    tamper, reason = TAMPERED[what]
    tamper(unsigned)
    append = "# a core that would make another program\n"
    unsigned.core.write_text(unsigned.core.read_text() + append)
    before = unsigned.program.read_bytes()
    done = unsigned.tool("apply")
    assert done.returncode == 1, done.stdout
    assert reason in done.stdout
    assert unsigned.program.read_bytes() == before
