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
        "fields, names, owners, scripts of a .deb",
        "a terminal",
        "formats/_deb_reader.py",
        "tests/hostile/test_packages.py::test_words_in_packages_are_shown_as_text",
    ),
    Place(
        "tags and files of an .rpm",
        "a terminal",
        "formats/_rpm_reader.py",
        "tests/hostile/test_packages.py::test_words_in_packages_are_shown_as_text",
    ),
    Place(
        "the name of a package file",
        "a terminal",
        "cli/commands/inspect.py",
        "tests/hostile/test_packages.py::test_words_as_names_of_packages_are_shown_as_text",
    ),
    Place(
        "published Packages and Release",
        "a path",
        "repos/apt.py",
        "tests/hostile/test_packages.py::test_words_in_what_is_published_already_are_refused_or_replaced",
    ),
    Place(
        "published repomd.xml and primary.xml",
        "a path",
        "repos/yum.py",
        "tests/hostile/test_packages.py::test_words_in_what_is_published_already_are_refused_or_replaced",
    ),
    Place(
        "the record of the last run",
        "JSON",
        "state.py",
        "tests/hostile/test_packages.py::test_words_in_what_is_published_already_are_refused_or_replaced",
    ),
    Place(
        "mkpkgs.lock",
        "a terminal",
        "lock.py",
        "tests/hostile/test_packages.py::test_words_in_what_is_published_already_are_refused_or_replaced",
    ),
)
