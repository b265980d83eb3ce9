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
        "commands of a project",
        "the user's rights",
        "confine.py",
        "tests/test_confine.py::test_a_build_command_reaches_nothing",
    ),
    Place(
        "source of a plugin",
        "a compiler that reads files",
        "elf/tree.py",
        "tests/drivers/test_elf.py::test_commands_and_compilers_see_no_key_and_change_nothing_that_is_used_outside",
    ),
    Place(
        "program with plugins",
        "the trial run",
        "golang/build.py",
        "tests/drivers/test_go_link.py::test_the_trial_of_a_program_finds_no_key_network_or_process",
    ),
    Place(
        "cache in a repository", "a path", "cache.py", "tests/test_cache.py::test_a_cache_of_another_machine_is_emptied"
    ),
    Place(
        "link that a command left",
        "a path",
        "drivers/exec.py",
        "tests/drivers/test_exec.py::test_a_server_that_is_a_link_is_refused",
    ),
)
