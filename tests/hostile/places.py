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
        "text of a project file",
        "maintainer scripts",
        "formats/deb.py",
        "tests/hostile/test_project_words.py::test_scripts_and_shown_commands_are_read_by_a_shell_and_run_nothing_else",
    ),
    Place(
        "text of a project file",
        "shell of the target tool",
        "target/runtime.py",
        "tests/hostile/test_project_words.py::test_scripts_and_shown_commands_are_read_by_a_shell_and_run_nothing_else",
    ),
    Place(
        "text of a project file",
        "shown commands (apt)",
        "repos/apt.py",
        "tests/hostile/test_project_words.py::test_scripts_and_shown_commands_are_read_by_a_shell_and_run_nothing_else",
    ),
    Place(
        "text of a project file",
        "shown commands (dnf)",
        "repos/yum.py",
        "tests/hostile/test_project_words.py::test_scripts_and_shown_commands_are_read_by_a_shell_and_run_nothing_else",
    ),
    Place(
        "text of a project file",
        "sysusers.d and tmpfiles.d",
        "target/runtime.py",
        "tests/hostile/test_project_words.py::test_systemd_reads_users_and_files",
    ),
    Place(
        "text of a project file",
        "unit file",
        "target/unit.py",
        "tests/hostile/test_project_words.py::test_systemd_reads_units",
    ),
    Place(
        "text of a project file",
        "HTML and a .sources file",
        "publish.py",
        "tests/hostile/test_project_words.py::test_the_page_and_the_source_file_hold_what_they_are_given",
    ),
    Place(
        "description of a published core",
        "shown commands of an author's page",
        "authors/core.py",
        "tests/hostile/test_published_words.py::test_directories_of_a_published_core_follow_the_rules_of_a_project_file",
    ),
    Place(
        "lock, published or edited",
        "environment and options of go",
        "golang/lockfile.py",
        "tests/hostile/test_published_words.py::test_a_lock_names_no_program_and_no_option_to_go",
    ),
    Place(
        "lock, edited",
        "paths below the cache",
        "authors/work.py",
        "tests/hostile/test_published_words.py::test_folders_and_keys_of_a_lock_are_what_they_are_called",
    ),
    Place(
        "lock, edited",
        "a list of requirements for pip, paths",
        "wheels/pip.py",
        "tests/hostile/test_published_words.py::test_a_pin_is_one_line_and_one_file_name",
    ),
    Place(
        "plugins of a published core",
        "paths, options of go",
        "golang/author.py",
        "tests/hostile/test_published_words.py::test_published_plugins_are_names_and_import_paths",
    ),
    Place(
        "module of a published core",
        "Go's module cache",
        "golang/localmodule.py",
        "tests/hostile/test_published_words.py::test_a_published_module_is_named_by_its_content",
    ),
    Place(
        "wheel",
        "paths, terminal, pip",
        "wheels/wheel.py",
        "tests/wheels/test_wheel.py::test_hostile_words_in_a_wheel_are_refused_or_harmless",
    ),
    Place(
        "requirement of a published core",
        "pip",
        "wheels/published.py",
        "tests/wheels/test_wheel.py::test_a_requirement_with_an_address_is_refused",
    ),
    Place(
        "link in a project",
        "files of the building machine",
        "project/check.py",
        "tests/project/test_outside.py::test_sources_that_lead_out_are_refused",
    ),
)
