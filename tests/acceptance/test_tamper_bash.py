"""Nothing that was tampered with is used, with bash and gawk: every second chunk of the mutations."""

from __future__ import annotations

import pytest

from tests.acceptance import tampering
from tests.acceptance.tampering import prover
from tests.target.conftest import base, key
from tests.target.tamper import Prover

pytestmark = pytest.mark.acceptance
__all__ = ["base", "key", "prover"]  # fixtures

SHELL = "bash and gawk"


@pytest.mark.parametrize("chunk", tampering.chunks(SHELL))
def test_no_mutation_is_used_and_each_has_its_own_reason(prover: Prover, chunk: int) -> None:
    tampering.check(prover, chunk)
