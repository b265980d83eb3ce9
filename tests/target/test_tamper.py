"""A sample of the tampering that tests/acceptance/tampering.py does in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.target.conftest import SHELLS, machine_of
from tests.target.machine import Key
from tests.target.tamper import Mutation, Prover, mutations, sample


@pytest.fixture(scope="module")
def prover(base: Path, key: Key, tmp_path_factory: pytest.TempPathFactory) -> Prover:
    directory = tmp_path_factory.mktemp("tamper")
    return Prover(machine_of(base, key, directory, SHELLS["dash and mawk"]), Key(directory, "next"))


@pytest.mark.parametrize("mutation", sample(60), ids=lambda mutation: mutation.name.encode("unicode-escape").decode())
def test_tampering_is_refused_with_its_own_reason(prover: Prover, mutation: Mutation) -> None:
    assert prover.fault(mutation) == ""


def test_the_proof_would_see_a_use(prover: Prover) -> None:
    nothing = Mutation("none", "nothing", lambda made: "no reason")
    assert prover.fault(nothing) == "nothing: it was used"
    other_reason = Mutation(
        "none", "a flip", lambda made: "no reason" if made.flip("/usr/share/fake/abi", 0, 0) else ""
    )
    assert prover.fault(other_reason).startswith("a flip: status 1, not 'no reason' in ")


def test_all_mutations_differ_and_are_the_same_each_time() -> None:
    names = [mutation.name for mutation in mutations()]
    assert len(set(names)) == len(names) >= 2000
    assert [mutation.name for mutation in mutations()] == names
