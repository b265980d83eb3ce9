"""A short run of the transaction fuzzer. `make fuzz` runs the long one; a failure says how to see it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import operations, transactions
from tests.tiers import at_night

pytestmark = pytest.mark.acceptance

STEPS = 5
# Seeds that found faults once; together, of each kind of server.
CASES = [("apt", 4), *(at_night(*case) for case in (("apt", 9), ("dnf", 2), ("dnf", 8)))]


@pytest.mark.parametrize(("family", "seed"), CASES)
def test_no_transaction_leaves_a_broken_server_whatever_is_killed(
    family: str, seed: int, bootable: None, shared: Path, tmp_path: Path
) -> None:
    repositories = shared / "fuzz"
    transactions.make_repositories(repositories, {operations.Sequence(family, seed).kind}, [family])
    result = transactions.sequence(family, seed, STEPS, repositories, tmp_path)
    assert result.fault == "", f"{transactions.replay(family, seed, STEPS)}\n{result.log}"
    assert result.steps == STEPS


def test_a_seed_is_the_same_sequence_everywhere() -> None:
    steps = operations.Sequence("apt", 2).steps(3)
    assert [str(step).partition(":")[0] for step in steps] == [
        "install base frail spare",
        "install auth base child sulky",
        "upgrade directly",
    ]
    assert steps == operations.Sequence("apt", 2).steps(6)[:3]
