"""A short run of the transaction fuzzer. `make fuzz` runs the long one; a failure says how to see it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import operations, transactions
from tests.fuzz.families import FAMILIES
from tests.tiers import at_night

pytestmark = pytest.mark.acceptance

STEPS = 5
# Seeds that found faults once; together, of each kind of server.
SEEDS = {"apt": (4, 9), "dnf": (2, 8)}
CASES = [("apt", 4), *(at_night(*case) for case in (("apt", 9), ("dnf", 2), ("dnf", 8)))]


@pytest.fixture(scope="session")
def repositories(shared: Path, bootable: None) -> Path:
    """Repositories with all versions of all kinds of servers."""
    kinds = {operations.Sequence(family, seed).kind for family, seeds in SEEDS.items() for seed in seeds}
    transactions.make_repositories(shared / "fuzz", kinds, sorted(FAMILIES))
    return shared / "fuzz"


@pytest.mark.parametrize(("family", "seed"), CASES)
def test_no_transaction_leaves_a_broken_server_whatever_is_killed(
    family: str, seed: int, repositories: Path, tmp_path: Path
) -> None:
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
