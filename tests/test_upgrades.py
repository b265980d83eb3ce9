"""The page about upgrades says what the acceptance tests show."""

from __future__ import annotations

from tests.acceptance.abi_tables import PAGE, page


def test_page_has_the_tables_that_are_tested() -> None:
    text = PAGE.read_text()
    assert text == page(text), "run: python -m tests.acceptance.abi_tables"
