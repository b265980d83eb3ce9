"""All mutations of tests/target/tamper.py, in chunks, each under one of two shells; each shell has a file of its own.

Each failure names its mutation; `TAMPER_ONLY='part of the name' pytest -m acceptance tests/acceptance/test_tamper_*.py`
repeats it alone.
"""

from __future__ import annotations

import os

from tests.target.tamper import Prover, mutations

CHUNKS = 48
ONLY = os.environ.get("TAMPER_ONLY", "")


def check(prover: Prover, chunk: int) -> None:
    """No mutation of the chunk is used, and each is refused with its own reason."""
    chosen = [mutation for mutation in mutations()[chunk::CHUNKS] if ONLY in mutation.name]
    faults = [fault for mutation in chosen if (fault := prover.fault(mutation))]
    assert not faults, "\n\n".join(faults)
