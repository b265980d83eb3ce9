"""Nothing that was tampered with is used, with bash and gawk: every second chunk of the mutations."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance import tampering
from tests.target.conftest import SHELLS, base, key, machine_of
from tests.target.machine import Key
from tests.target.tamper import Prover

pytestmark = pytest.mark.acceptance
__all__ = ["base", "key"]  # fixtures


@pytest.fixture(scope="module")
def prover(base: Path, key: Key, tmp_path_factory: pytest.TempPathFactory) -> Prover:
    directory = tmp_path_factory.mktemp("tamper")
    return Prover(machine_of(base, key, directory, SHELLS["bash and gawk"]), Key(directory, "next"))


@pytest.mark.parametrize("chunk", range(1, tampering.CHUNKS, 2))
def test_no_mutation_is_used_and_each_has_its_own_reason(prover: Prover, chunk: int) -> None:
    tampering.check(prover, chunk)
