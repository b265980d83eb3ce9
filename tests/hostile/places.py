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
        "name of a plugin",
        "a shell",
        "templates/target/apply.sh",
        "tests/target/test_confine.py::test_the_name_of_a_plugin_is_a_word_in_the_file_that_a_step_is",
    ),
    Place(
        "output of a plugin",
        "a terminal",
        "templates/target/try.sh",
        "tests/target/test_confine.py::test_what_a_program_prints_is_told_without_control_characters",
    ),
    Place(
        "file name of a step",
        "a path",
        "templates/target/apply.sh",
        "tests/target/test_confine.py::test_what_a_step_leaves_beside_plain_files_is_refused",
    ),
    Place(
        "settings of a service",
        "a unit file",
        "target/trial.py",
        "tests/target/test_trial.py::test_what_the_service_may_write_is_a_directory_of_its_own_in_a_try",
    ),
    # The building side.
)
