"""Whoever writes while apply works gets nothing into the server; what was changed before: test_tamper_dash, _bash."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.target.conftest import SHELLS, base, key, machine_of
from tests.target.installed import PAYLOADS, PLUGINS, Installed
from tests.target.machine import CORE, Key
from tests.target.tamper import Prover
from tests.tiers import at_night

pytestmark = pytest.mark.acceptance
__all__ = ["base", "key"]  # fixtures

EVIL = b"echo evil here..\n"


@pytest.fixture(scope="module", params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def prover(base: Path, key: Key, shell: str, tmp_path_factory: pytest.TempPathFactory) -> Prover:
    directory = tmp_path_factory.mktemp("tamper")
    return Prover(machine_of(base, key, directory, SHELLS[shell]), Key(directory, "next"))


def in_place(place: Path, good: bytes) -> None:
    """Whoever has the file open writes evil into it, and the truth back."""
    with place.open("r+b") as file:
        file.write(EVIL.ljust(len(good), b"#")[: len(good)])
        file.flush()
        file.seek(0)
        file.write(good)


def by_name(place: Path, good: bytes) -> None:
    """The name leads to evil, and back."""
    beside = place.with_name(".beside")
    for data in (EVIL, good):
        beside.write_bytes(data)
        beside.rename(place)


def by_link(place: Path, good: bytes) -> None:
    """The name is a link to evil, and then the file again."""
    beside = place.with_name(".beside")
    beside.symlink_to("/etc/evil")
    beside.rename(place)
    beside.write_bytes(good)
    beside.rename(place)


STEPS = (in_place, by_name, by_link)
RACED = [path for path in PAYLOADS if path.startswith(PLUGINS) and path.endswith("/code")]
# By day each step once, and each file.
RACES = [
    (path, step) if row == column else at_night(path, step)
    for row, path in enumerate(RACED)
    for column, step in enumerate(STEPS)
]


@contextmanager
def racing(step: Callable[[Path, bytes], None], place: Path) -> Iterator[list[int]]:
    """Does the step over and over, until the body ends; gives how often."""
    good = place.read_bytes()
    stop = threading.Event()
    rounds = [0]

    def run() -> None:
        while not stop.is_set():
            step(place, good)
            rounds[0] += 1

    writer = threading.Thread(target=run)
    writer.start()
    try:
        yield rounds
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize(("path", "step"), RACES)
def test_a_writer_that_races_never_gets_in(prover: Prover, path: str, step: Callable[[Path, bytes], None]) -> None:
    """Root's own rights would be needed for it; even so, the program is made of bytes that were verified."""
    installed = prover.installed
    plugins = [text for name, text in PAYLOADS.items() if name.endswith("/code")]
    good = f"{CORE}# a newer core\n{''.join(sorted(plugins))}".encode()
    outcomes = set()
    for _ in range(6):
        try:
            installed.at("/etc/evil").write_bytes(EVIL)
            with racing(step, installed.at(path)) as rounds:
                done = installed.machine.tool("apply")
            assert rounds[0] > 3, "there was no race"
            serving = installed.serves()
            if done.returncode == 0:
                assert sorted(serving[1].splitlines()) == sorted(good.splitlines())
            else:
                assert serving == prover.before
                assert "repair: " in done.stdout
            outcomes.add(done.returncode)
        finally:
            prover.snapshot.restore()
    assert outcomes <= {0, 1}


def test_a_process_that_has_a_file_open_cannot_write_to_the_set_that_serves(prover: Prover) -> None:
    """A file of a plugin stays open from before; what serves is a copy."""
    installed: Installed = prover.installed
    try:
        with installed.at(f"{PLUGINS}/git/code").open("r+b") as file:
            assert installed.machine.tool("apply").returncode == 0
            before = installed.serves()
            file.write(EVIL)
        assert installed.serves() == before
        done = subprocess.run(
            ["chroot", installed.machine.root, "/usr/bin/fake", "version"], capture_output=True, text=True, check=True
        )
        assert "evil" not in done.stdout
    finally:
        prover.snapshot.restore()
