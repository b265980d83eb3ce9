"""Machines that rows of abi_tables start from, and what is checked of each row."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import systems
from tests.acceptance import abi_tables
from tests.acceptance.abi_tables import TABLES, Row, Situation
from tests.acceptance.abi_world import CORE, OTHER, PAIR, PLUGINS, World, equip, installed, manage
from tests.systems import System

# What each machine of the tables has, and from which repository.
MACHINES = {"pair": ("old", PAIR), "eight": ("old", PLUGINS), "newest": ("complete", PAIR)}


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


def rows(family: str) -> list[object]:
    """Parameters for tests: each row of a table with its situation; every third of a situation by day."""
    return [
        pytest.param(
            situation, row, id=f"{situation.text}-{row.command}", marks=[pytest.mark.nightly] * bool(place % 3)
        )
        for situation in TABLES[family]
        for place, row in enumerate(situation.rows)
    ]


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
