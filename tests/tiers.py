"""What `make test` does of the tests, in which order, and what it leaves to `make nightly`."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest

# Files of tests that take longest, first: one that begins when all others are done leaves processors idle. What several
# files build in common comes early, and not all of those that wait for it.
SLOWEST = (
    *("acceptance/test_every_driver", "acceptance/test_caddy_apt", "acceptance/test_manage", "acceptance/test_restart"),
    *("acceptance/test_silent_loss", "acceptance/test_broken_sets", "target/test_hostile", "acceptance/test_lifecycle"),
    *("acceptance/test_elf_postgresql", "acceptance/test_boot", "acceptance/test_fuzz", "acceptance/test_watched"),
    *("acceptance/test_room", "acceptance/test_caddy_build", "target/test_revoked_lists", "hostile/test_project_words"),
    *("acceptance/test_clean_root", "acceptance/test_authors", "target/test_manage", "authors/test_go_link"),
    *("acceptance/test_abi_tables_starts", "acceptance/test_refusals", "acceptance/test_removal", "target/test_dpkg"),
    *("acceptance/test_tamper_bash", "acceptance/test_hostile_words", "acceptance/test_go_plugin", "test_build"),
    *("acceptance/test_abi_tables_apt", "acceptance/test_packed", "target/test_confine", "test_kills"),
    *("acceptance/test_service_settings", "target/test_file_names", "drivers/test_go_plugin", "drivers/test_go_link"),
    *("authors/test_python", "target/test_refusals", "authors/test_locked_wheels", "test_readers_agree"),
)
# Of these, one package manager is enough by day, since what they show is not about one: test_removal, test_silent_loss,
# test_abi_tables and test_every_driver (each driver) have both.
STORIES = tuple(
    f"test_{name}"
    for name in (
        *("authors", "called", "files", "go_plugin", "ranges"),
        *("broken_sets", "changed_kinds", "hostile_words", "lifecycle", "manage", "packed", "refusals"),
    )
)
# What waits for the night, and what shows the same kind of case by day.
AT_NIGHT = {
    "test_caddy_dnf": "test_caddy_apt; go-link with dnf: test_every_driver",
    "test_caddy_opened": "test_go_plugin",
    "test_coredns": "lines of plugins in the server's main: tests/drivers/test_go_link",
    "test_otelcol::TestCollector": "the same",
    "test_exec": "the same driver with both protocols of a sample: test_every_driver, tests/drivers/test_exec",
    **{
        f"test_every_driver::TestEveryDriverWithRpm::test_install_and_removal[{driver}]": "with rpm: the other drivers"
        for driver in ("exec", "files", "go-plugin")
    },
    "test_elf_lighttpd": "test_elf_postgresql, test_every_driver",
    "test_elf_nginx": "test_elf_postgresql, test_every_driver; plugins that come by a reload: test_files",
    "test_large_rpm": "the header of such a file: tests/formats",
    "test_python::TestDatasette": "test_every_driver, test_python::test_the_old_set_keeps_its_own_wheels, tests/wheels",
    "test_python::test_dnf_and_rpm_carry_it_too": "python with dnf: test_every_driver",
    "test_manage::test_a_full_tmp_and_a_link_in_our_place_end_no_question": "tests/target/test_links, test_doctor",
    "test_manage::test_freeze_writes_what_sync_reads": "the same in a directory: tests/target/test_manage",
    "test_manage::test_sync_keeps_what_a_listed_plugin_needs": "test_sync_makes_the_installed_plugins_those_of_a_file",
    "test_manage::test_an_unknown_name_is_answered_with_those_that_there_are": "tests/target/test_manage",
    "test_manage::test_questions_are_answered_while_the_server_is_down": "tests/target/test_questions",
    "test_caddy_build::test_linked_program_is_byte_for_byte_what_go_build_makes[arm64]": "the same for amd64; "
    "arm64: tests/drivers/test_go_link",
    "test_confined_bytes::test_bytes_of_builds_are_the_same_with_and_without_a_place_of_their_own[tower-go]": "gcc's",
    "test_authors::test_an_authors_go_plugin_is_linked_into_the_maintainers_server": "tests/authors/test_go_link, and "
    "in a clean root the other test of the file",
}


def slowest_first(items: list[pytest.Item]) -> None:
    """Begin with the slowest files; the Makefile tells xdist to keep this order."""
    here = Path(__file__).parent
    places = {here / f"{name}.py": place for place, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def wait_for_the_night(items: Sequence[pytest.Item]) -> None:
    """Leave AT_NIGHT to the night."""
    for item in items:
        case = f"{item.path.stem}::{item.nodeid.partition('::')[2]}"
        if any(case == name or case.startswith((f"{name}::", f"{name}[")) for name in AT_NIGHT):
            item.add_marker(pytest.mark.nightly)


def at_night(*values: object) -> object:
    """A parameter of a test that only `make nightly` runs: another release, or a repetition."""
    return pytest.param(*values, marks=pytest.mark.nightly)


def every(count: int, values: Sequence[object]) -> list[object]:
    """Parameters of a test, all but one of so many for the night: a spread of a long table."""
    return [value if place % count == 0 else at_night(value) for place, value in enumerate(values)]


def one_of_each(items: Sequence[pytest.Item], values: Sequence[str], of: str = "") -> None:
    """Of a case that runs with each of some values, leave all but one to the night.

    The name of the case says which one stays, so that each value has its part of the cases. of: the name of the
    parameter, if not any may have these values.
    """
    collected = {item.nodeid for item in items}
    for item in items:
        for value in _parameters(item, of):
            if value not in values:
                continue
            test, _, parameters = item.nodeid.partition("[")
            cases = [f"{test}[{parameters.replace(value, each)}" for each in values]
            if collected.issuperset(cases) and value != values[zlib.crc32(cases[0].encode()) % len(values)]:
                item.add_marker(pytest.mark.nightly)


def _parameters(item: pytest.Item, name: str) -> list[str]:
    found = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return [value for key, value in found.items() if isinstance(value, str) and name in ("", key)]
