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
    # The building side.
    Place(
        "what a server answers",
        "a terminal",
        "cli/progress.py",
        "tests/cli/test_errors.py::test_words_of_others_steer_no_terminal",
    ),
    Place(
        "what any command tells",
        "a terminal",
        "cli/text.py",
        "tests/cli/test_errors.py::test_words_of_others_steer_no_terminal",
    ),
    Place(
        "headers of a web server",
        "a message",
        "authors/web.py",
        "tests/authors/test_web.py::test_words_of_a_server_are_no_more_than_words",
    ),
    Place(
        "file name of a package that apt names",
        "a path",
        "authors/apt.py",
        "tests/authors/test_load.py::test_names_of_fetched_packages_are_no_paths",
    ),
    Place(
        "arguments of a program in a room",
        "a shell",
        "authors/cell.py",
        "tests/acceptance/test_room.py::test_words_come_to_a_program_as_they_are",
    ),
)
