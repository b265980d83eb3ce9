"""Every place where a word from outside meets what would take it for more than a word, and the test that it does not.

A row: who writes the word, what it meets, the file below packaging_tool/ in which they meet, and the test that feeds it
hostile words. `test_places.py` holds that the files and the tests exist.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """One meeting.

    word: where it comes from. meets: a shell, awk, xargs, options, a terminal, HTML, a unit file, a maintainer script,
    rpm's macros, JSON, a log, a path. code: below packaging_tool/. test: `tests/….py::test_name`.
    """

    word: str
    meets: str
    code: str
    test: str


PLACES = (
    # The installed side.
    Place(
        "list of a plugin",
        "awk",
        "templates/go-link/lists.awk",
        "tests/drivers/test_go_lists.py::test_hostile_words_in_lists_are_refused",
    ),
    Place(
        "list of a plugin",
        "compile and link",
        "templates/go-link/assemble.sh.j2",
        "tests/drivers/test_go_lists.py::test_other_lists_are_refused_before_a_tool_reads_them",
    ),
    # The building side.
)
