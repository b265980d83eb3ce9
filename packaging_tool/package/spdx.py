"""The SPDX license list, 3.28: which identifiers there are."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_IDS = Path(__file__).parent.parent / "templates/licenses/ids"


@cache
def ids() -> frozenset[str]:
    """All identifiers."""
    return frozenset(_IDS.read_text("ascii").split())
