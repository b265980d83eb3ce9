"""The table of apt in abi_tables, shown on each system: one command a row, on a fresh copy of a machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.abi_machines import Prepared, check, rows
from tests.acceptance.abi_tables import SYSTEMS, Row, Situation
from tests.tiers import every

pytestmark = pytest.mark.acceptance


@pytest.mark.parametrize(("situation", "row"), rows("apt"))
@pytest.mark.parametrize("prepared", every(3, list(SYSTEMS["apt"])), indirect=True)
def test_apt(prepared: Prepared, situation: Situation, row: Row, tmp_path: Path) -> None:
    check(prepared, situation, row, tmp_path / "machine")
