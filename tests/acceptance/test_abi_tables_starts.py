"""How often the transactions of abi_tables start a running server, on each system."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import systems
from tests.acceptance import abi_tables
from tests.acceptance.abi_tables import STEPS
from tests.acceptance.abi_world import CORE, PAIR, World, equip, installed, manage
from tests.tiers import at_night

pytestmark = pytest.mark.acceptance


# The oldest and the newest of each package manager; the tables themselves are run on all.
@pytest.mark.parametrize("name", ["debian12-apt", *map(at_night, ("sid-apt", "debian12-dnf", "sid-dnf"))])
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
