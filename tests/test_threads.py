"""Work spread over threads: all results, the first error, and no thread that is left."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from packaging_tool import threads
from packaging_tool.errors import BuildError


def squares(number: int) -> Iterator[int]:
    """Two results for an item."""
    yield number * number
    yield -number


@pytest.mark.parametrize("count", [0, 1, 2, 100])
@pytest.mark.parametrize("number", [1, 2, 16])
def test_each_item_is_done_once(count: int, number: int) -> None:
    before = threading.active_count()
    made = list(threads.each(squares, range(count), number))
    assert sorted(made) == sorted(result for item in range(count) for result in squares(item))
    assert threading.active_count() == before


def test_the_items_are_begun_in_their_order_and_side_by_side() -> None:
    begun: list[int] = []
    together = threading.Barrier(2, timeout=10)

    def work(number: int) -> tuple[()]:
        begun.append(number)
        together.wait()
        return ()

    assert list(threads.each(work, range(6), 2)) == []
    assert [set(begun[at : at + 2]) for at in range(0, 6, 2)] == [{0, 1}, {2, 3}, {4, 5}]


def test_an_error_is_raised_and_what_was_not_begun_is_left() -> None:
    begun: list[int] = []
    before = threading.active_count()

    def work(number: int) -> Iterator[int]:
        begun.append(number)
        if number == 3:
            raise BuildError("cannot write 3")
        yield number

    with pytest.raises(BuildError, match="cannot write 3"):
        list(threads.each(work, range(100_000), 2))
    assert threading.active_count() == before
    assert len(begun) < 100_000


def test_who_wants_no_more_waits_for_no_more_than_the_result_at_hand() -> None:
    done: list[int] = []
    before = threading.active_count()

    def work(item: int) -> Iterator[int]:
        for number in range(100_000):
            done.append(number)
            yield item

    with closing(threads.each(work, range(2), 2)) as results:
        assert next(results) in (0, 1)
    assert threading.active_count() == before
    assert len(done) < 200_000
