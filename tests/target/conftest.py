"""Machines for the tests of what runs on the target."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from packaging_tool.drivers.base import Target
from tests.target.machine import ARRANGED, AWKS, LINKED, PLAIN, Key, Machine, build_base

# As Debian has them, and as EL and Fedora have them.
SHELLS = {"dash and mawk": ["dash"], "bash and gawk": ["bash", "--posix"]}


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if os.geteuid() != 0:
        pytest.skip("chroot needs root")
    root = tmp_path_factory.mktemp("machine") / "base"
    build_base(root)
    return root


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return Key(tmp_path_factory.mktemp("keys"), "trusted")


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    return SHELLS[request.param]


@pytest.fixture
def machine(base: Path, key: Key, tmp_path: Path) -> Iterator[Machine]:
    """A machine whose tool runs under dash, as on Debian."""
    yield from _machine(base, key, tmp_path, SHELLS["dash and mawk"])


@pytest.fixture
def any_machine(base: Path, key: Key, tmp_path: Path, shell: list[str]) -> Iterator[Machine]:
    """Two machines, one after the other: dash and mawk, then bash in POSIX mode and (if it is installed) gawk."""
    yield from _machine(base, key, tmp_path, shell)


@pytest.fixture
def plain_machine(base: Path, key: Key, tmp_path: Path) -> Iterator[Machine]:
    """A machine whose driver has no assemble step: the server opens the files of plugins itself."""
    yield from _machine(base, key, tmp_path, SHELLS["dash and mawk"], PLAIN)


@pytest.fixture
def arranged_machine(base: Path, key: Key, tmp_path: Path) -> Iterator[Machine]:
    """As plain_machine, and the driver writes a list of the plugins beside them."""
    yield from _machine(base, key, tmp_path, SHELLS["dash and mawk"], ARRANGED)


@pytest.fixture(scope="session")
def served(base: Path, key: Key, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served") / "root"
    _copy(base, root)
    machine = Machine(root, key, SHELLS["dash and mawk"])
    machine.install("git")
    done = machine.tool("apply")
    assert done.returncode == 0, done.stdout
    return root


@pytest.fixture
def serving(served: Path, key: Key, tmp_path: Path) -> Iterator[Machine]:
    """A machine that serves with the plugin git, under dash."""
    root = tmp_path / "root"
    _copy(served, root)
    yield Machine(root, key, SHELLS["dash and mawk"], installed=True)
    shutil.rmtree(root)


# What the tests change: true copies, since what a second link leads to is another machine's.
OWN = ("etc", "var", "usr/lib/fake", "usr/share/fake")


def _copy(base: Path, root: Path) -> None:
    """A machine like base. Programs are shared by hard links."""
    subprocess.run(["cp", "-al", base, root], check=True)
    for name in OWN:
        if (root / name).is_dir():
            shutil.rmtree(root / name)
            subprocess.run(["cp", "-a", base / name, root / name], check=True)


def _machine(base: Path, key: Key, directory: Path, shell: list[str], target: Target = LINKED) -> Iterator[Machine]:
    machine = machine_of(base, key, directory, shell, target)
    yield machine
    shutil.rmtree(machine.root)


def serve_evil(machine: Machine) -> Key:
    """Have the plugin `evil` serve beside `git`; its key is in the administrator's directory, and is given back."""
    lost = Key(machine.root / "tmp", "lost")
    (machine.root / "etc/fake/keys.d/lost.pub").write_bytes(lost.public)
    machine.install("git")
    machine.install("evil", key=lost)
    assert machine.tool("apply").returncode == 0
    assert machine.serves() == ["core", "plugin evil", "plugin git"]
    return lost


def machine_of(base: Path, key: Key, directory: Path, shell: list[str], target: Target = LINKED) -> Machine:
    """A machine with the core alone, in directory."""
    root = directory / "root"
    _copy(base, root)
    if shell[0] == "bash":
        (root / "usr/bin/awk").unlink()
        (root / "usr/bin/awk").symlink_to(AWKS[-1])
    return Machine(root, key, shell, target)


@contextmanager
def with_proc(machine: Machine) -> Iterator[None]:
    """/proc, which tells a machine what file system it lies on."""
    proc = machine.root / "proc"
    proc.mkdir(exist_ok=True)
    # Of what is mounted, a process sees only what lies below its root.
    subprocess.run(["mount", "--bind", machine.root, machine.root], check=True)
    try:
        subprocess.run(["mount", "-t", "proc", "proc", proc], check=True)
        yield
    finally:
        subprocess.run(["umount", "-R", "-l", machine.root], check=True)
