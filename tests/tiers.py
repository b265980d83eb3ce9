"""What `make test` does of the tests, and what it leaves to `make nightly`."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import pytest


def at_night(*values: object) -> object:
    """A parameter of a test that only `make nightly` runs: another release, or a repetition."""
    return pytest.param(*values, marks=pytest.mark.nightly)


def every(count: int, values: Sequence[object]) -> list[object]:
    """Parameters of a test, all but one of so many for the night: a spread of a long table."""
    return [value if place % count == 0 else at_night(value) for place, value in enumerate(values)]


def one_shell(items: Sequence[pytest.Item], shells: Sequence[str]) -> None:
    """Of a case that runs under each shell, leave all but one to the night.

    The name of the case says which one stays, so that each shell has its part of the cases.
    """
    for item in items:
        for shell in (value for value in _parameters(item) if value in shells):
            case = item.nodeid.replace(shell, "")
            if shell != shells[zlib.crc32(case.encode()) % len(shells)]:
                item.add_marker(pytest.mark.nightly)


def _parameters(item: pytest.Item) -> list[str]:
    found = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
    return [value for value in found if isinstance(value, str)]
