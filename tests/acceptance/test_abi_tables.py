"""The tables of abi_tables, shown on every system: one command each, on a fresh copy of a machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import roots, systems
from tests.acceptance import abi_tables
from tests.acceptance.abi_tables import STEPS, TABLES, Row, Situation
from tests.acceptance.abi_world import CORE, OTHER, PAIR, PLUGINS, World, equip, installed, manage
from tests.systems import System

pytestmark = pytest.mark.acceptance

# What each machine of the tables has, and from which repository.
MACHINES = {"pair": ("old", PAIR), "eight": ("old", PLUGINS), "newest": ("complete", PAIR)}
ROWS = {
    family: [
        pytest.param(situation, row, id=f"{situation.text}-{row.command}")
        for situation in situations
        for row in situation.rows
    ]
    for family, situations in TABLES.items()
}


class Prepared:
    """Machines of one system that rows start from, made when the first row asks for them. They are not booted."""

    def __init__(self, name: str, world: World, directory: Path, stack: ExitStack) -> None:
        self.name = name
        self._world = world
        self._directory = directory
        self._stack = stack
        self._made: dict[str, System] = {}

    def copy(self, machine: str, directory: Path) -> System:
        """A machine that begins with what the prepared one has, and does not change that."""
        if machine not in self._made:
            self._made[machine] = self._make(machine)
        copy = self._system(directory)
        copy.base = self._made[machine].root
        return copy

    def _make(self, machine: str) -> System:
        made = self._stack.enter_context(self._system(self._directory / machine))
        equip(made, self._world)
        if machine in MACHINES:
            repository, plugins = MACHINES[machine]
            manager = "apt" if made.suffix == "deb" else "dnf"
            status, said = manage(made, repository, " ".join([manager, "install", CORE, OTHER, *made.plugin(*plugins)]))
            assert status == 0, said
        return made

    def _system(self, directory: Path) -> System:
        return systems.ALL[self.name](self._world.directory, directory, CORE, boot=False)


@pytest.fixture(scope="module")
def world(bootable: None, shared: Path) -> World:
    """The repositories, built once."""
    with roots.locked(shared / "tables.lock"):
        directory = shared / "tables"
        if not directory.exists():
            making = shared / "tables-making"
            making.mkdir()
            World.make(making)
            making.rename(directory)
        return World(directory)


@pytest.fixture(scope="module")
def prepared(
    request: pytest.FixtureRequest, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prepared]:
    """Machines of the system that the parameter names."""
    with ExitStack() as stack:
        yield Prepared(request.param, world, tmp_path_factory.mktemp(request.param), stack)


@pytest.mark.parametrize(("situation", "row"), ROWS["apt"])
@pytest.mark.parametrize("prepared", abi_tables.SYSTEMS["apt"], indirect=True)
def test_apt(prepared: Prepared, situation: Situation, row: Row, tmp_path: Path) -> None:
    check(prepared, situation, row, tmp_path / "machine")


@pytest.mark.parametrize(("situation", "row"), ROWS["dnf"])
@pytest.mark.parametrize("prepared", abi_tables.SYSTEMS["dnf"], indirect=True)
def test_dnf(prepared: Prepared, situation: Situation, row: Row, tmp_path: Path) -> None:
    check(prepared, situation, row, tmp_path / "machine")


def check(prepared: Prepared, situation: Situation, row: Row, directory: Path) -> None:
    """The command does what the table says, and never leaves a plugin beside a core of another ABI."""
    with prepared.copy(situation.machine, directory) as machine:
        for command in situation.before:
            machine.run(*command.split())
        before = installed(machine)
        status, said = manage(machine, situation.repository, row.command, hook=situation.hook)
        after = installed(machine)
        assert abi_tables.outcome(status, before, after, said) == row.expected(prepared.name), said
        assert {after[name] for name in after if name != OTHER} == ({after[CORE]} if CORE in after else set())


@pytest.mark.parametrize("name", systems.ALL)
def test_each_transaction_starts_the_server_once(name: str, world: World, tmp_path: Path) -> None:
    family = abi_tables.SYSTEMS["apt"]
    with systems.ALL[name](world.directory, tmp_path / "machine", CORE) as machine:
        equip(machine, world)
        manager = "apt-get" if name in family else "dnf"
        status, said = manage(machine, "old", " ".join([manager, "install", CORE, *machine.plugin(*PAIR)]))
        assert status == 0, said
        machine.enable()
        assert machine.starts() == 1
        seen = []
        for step in STEPS:
            before = machine.starts()
            status, said = manage(machine, step.repository, step.commands[name not in family])
            assert status == 0, said
            seen.append((step.text, machine.starts() - before))
        assert seen == [(step.text, step.starts) for step in STEPS]
        assert set(installed(machine).values()) == {"1.2"}
        assert machine.run(f"{CORE}-plugins", "status").returncode == 0
