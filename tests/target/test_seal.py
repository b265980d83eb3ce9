"""The kit is used where it lies. Whoever writes to it between its verification and its use gains nothing."""

from __future__ import annotations

import mmap
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packaging_tool.drivers.base import Target
from tests.target.conftest import SHELLS, machine_of, with_proc
from tests.target.machine import Key, Machine

GOOD = b"echo good part of the kit\n"
EVIL = b"echo evil\n".ljust(len(GOOD) - 1, b"#") + b"\n"
# Gives a writer time: it goes on as soon as the file is not what was verified, or after a while.
ASSEMBLE = """#!/bin/sh
set -eu
n=0
while [ $n -lt 15 ] && ! grep -q evil "$KIT/part"; do n=$((n + 1)); sleep 0.1; done
cat /usr/lib/fake/bin/fake-core "$KIT/part" >"$1"
chmod 0755 "$1"
"""


@pytest.fixture
def without_proc(base: Path, key: Key, tmp_path: Path) -> Machine:
    """The assemble step puts a file of the kit into the program; the machine serves with git, and has cors to add."""
    machine = machine_of(base, key, tmp_path, SHELLS["dash and mawk"], Target(assemble=ASSEMBLE))
    machine.install_kit({"part": GOOD.decode()})
    machine.install("git")
    assert machine.tool("apply").returncode == 0
    machine.install("cors")
    # Files that were written just now are copied.
    time.sleep(2.1)
    return machine


@pytest.fixture
def with_kit(without_proc: Machine) -> Iterator[Machine]:
    """The same with /proc, as systems that run have it."""
    with with_proc(without_proc):
        yield without_proc


def through_a_descriptor(part: Path) -> Callable[[bytes], None]:
    descriptor = os.open(part, os.O_RDWR)

    def write(data: bytes) -> None:
        os.pwrite(descriptor, data, 0)

    return write


def through_a_mapping(part: Path) -> Callable[[bytes], None]:
    with part.open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), len(GOOD))
    # The page is dirty from now on.
    mapped[:] = GOOD
    time.sleep(2.1)
    return lambda data: mapped.__setitem__(slice(None), data)


def by_another_file(part: Path) -> Callable[[bytes], None]:
    kept = part.parents[4] / "tmp/kept"

    def write(data: bytes) -> None:
        if kept.exists():
            kept.rename(part)
        else:
            part.rename(kept)
            part.write_bytes(data)

    return write


WAYS = [through_a_descriptor, through_a_mapping, by_another_file]


def attack(machine: Machine, write: Callable[[bytes], None], *, restore: bool) -> tuple[int, str]:
    """Call apply, write evil as soon as it assembles, and good again once that was read."""
    begun = machine.bin / ".apply.new/set"
    stop = threading.Event()

    def run() -> None:
        while not begun.exists() and not stop.is_set():
            time.sleep(0.002)
        write(EVIL)
        while not (begun / "fake").exists() and not stop.is_set():
            time.sleep(0.002)
        if restore:
            write(GOOD)

    writer = threading.Thread(target=run)
    writer.start()
    try:
        done = machine.tool("apply")
    finally:
        stop.set()
        writer.join()
    return done.returncode, done.stdout


@pytest.mark.parametrize("way", WAYS)
def test_what_was_written_meanwhile_is_not_used(
    with_kit: Machine, way: Callable[[Path], Callable[[bytes], None]]
) -> None:
    write = way(with_kit.root / "usr/lib/fake/kit/part")
    status, said = attack(with_kit, write, restore=True)
    assert status == 0, said
    assert b"evil" not in with_kit.program.read_bytes()
    assert GOOD in with_kit.program.read_bytes()
    assert with_kit.leftovers() == []


@pytest.mark.parametrize("way", WAYS)
def test_what_stays_written_is_refused(with_kit: Machine, way: Callable[[Path], Callable[[bytes], None]]) -> None:
    before = with_kit.program.read_bytes()
    write = way(with_kit.root / "usr/lib/fake/kit/part")
    status, said = attack(with_kit, write, restore=False)
    assert status == 1
    assert "kit: /usr/lib/fake/kit/part is not what its manifest says" in said
    assert with_kit.program.read_bytes() == before
    assert with_kit.leftovers() == []


def test_where_nothing_tells_of_the_file_system_a_copy_is_used(without_proc: Machine) -> None:
    """As in a chroot where an image is made: no seal can be looked at there."""
    write = through_a_descriptor(without_proc.root / "usr/lib/fake/kit/part")
    status, said = attack(without_proc, write, restore=False)
    assert status == 0, said
    assert b"evil" not in without_proc.program.read_bytes()
