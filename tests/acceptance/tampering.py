"""Mutations of tests/target/tamper.py in chunks, each under one of two shells; each shell has a file of its own.

`make test` does one chunk under each shell, a spread of some 90 (tests/target/test_tamper has some of every kind), and
`make nightly` the others.

Each failure names its mutation; `TAMPER_ONLY='part of the name' pytest -m acceptance tests/acceptance/test_tamper_*.py`
repeats it alone.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.target.conftest import SHELLS, machine_of
from tests.target.machine import Key
from tests.target.tamper import Prover, mutations
from tests.tiers import every

CHUNKS = 48
ONLY = os.environ.get("TAMPER_ONLY", "")


@pytest.fixture(scope="module")
def prover(request: pytest.FixtureRequest, base: Path, key: Key, tmp_path_factory: pytest.TempPathFactory) -> Prover:
    """A machine with the SHELL of the test's module."""
    directory = tmp_path_factory.mktemp("tamper")
    return Prover(machine_of(base, key, directory, SHELLS[request.module.SHELL]), Key(directory, "next"))


def chunks(shell: str) -> list[object]:
    """Parameters for tests: the chunks that are done under this shell."""
    return every(CHUNKS, range(list(SHELLS).index(shell), CHUNKS, len(SHELLS)))


def check(prover: Prover, chunk: int) -> None:
    """No mutation of the chunk is used, and each is refused with its own reason."""
    chosen = [mutation for mutation in mutations()[chunk::CHUNKS] if ONLY in mutation.name]
    faults = [fault for mutation in chosen if (fault := prover.fault(mutation))]
    assert not faults, "\n\n".join(faults)
