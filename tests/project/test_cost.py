"""What a project file costs grows as the file does: calls and comparisons are counted, no time is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from packaging_tool import toml
from packaging_tool.errors import ProjectError
from packaging_tool.project import check
from packaging_tool.project.faults import Faults
from packaging_tool.project.loader import load
from packaging_tool.project.model import PluginSpec, Project
from tests.counting import counted

HEAD = (Path(__file__).parent.parent / "samples/tiny/mkpkgs.toml").read_text().partition("[plugin.hello]")[0]
SOURCE = 'files = { source = "greet" }\n'
SMALL, LARGE = 100, 400


class Name(str):
    """A name that counts how often it is compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        Name.compared += 1
        return str(self) is str(other) or str.__eq__(self, str(other))

    __hash__ = str.__hash__


def plugin(number: int, more: str) -> str:
    return f'[plugin.p{number}]\nsummary = "Greets"\n{SOURCE}{more}'


# A plugin of a file by its number, of so many.
FILES: dict[str, Callable[[int, int], str]] = {
    "good": lambda number, count: plugin(number, ""),
    "an unknown key each": lambda number, count: plugin(number, "sumary = 1\n"),
    "a wrong value each": lambda number, count: plugin(number, 'order = 100000\nversion = "v"\n'),
    "a need that is missing each": lambda number, count: plugin(number, f'needs = ["q{number}"]\n'),
    "a chain of needs": lambda number, count: plugin(number, f'needs = ["p{min(number + 1, count - 1)}"]\n'),
    "a source that is missing each": lambda number, count: plugin(number, "").replace("greet", "grit"),
}


@pytest.mark.parametrize("kind", FILES)
def test_reading_a_file_is_linear(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "mkpkgs.toml"
    (tmp_path / "greet").write_text("#!/bin/sh\n")
    (tmp_path / "greet.conf").touch()

    def read(count: int) -> int:
        file.write_text(HEAD + "".join(FILES[kind](number, count) for number in range(count)))

        def work() -> None:
            try:
                load(file)
            except ProjectError as error:
                str(error)

        work()
        return counted(work)

    small, large = read(SMALL), read(LARGE)
    assert large < small * (LARGE / SMALL) * 1.15, (small, large)


def chain(count: int) -> Iterator[PluginSpec]:
    """Plugins of which each needs the next, and the last two clash."""
    for number in range(count):
        needs = (Name(f"p{number + 1}"),) if number < count - 2 else ()
        clashes = (Name(f"p{count - 1}"),) if number == count - 2 else ()
        yield PluginSpec(name=Name(f"p{number}"), summary="Greets", needs=needs, clashes=clashes)


def test_comparing_plugins_is_linear(tmp_path: Path) -> None:
    (tmp_path / "greet").write_text("#!/bin/sh\n")
    (tmp_path / "greet.conf").touch()
    (tmp_path / "mkpkgs.toml").write_text(HEAD + plugin(0, ""))
    project = load(tmp_path / "mkpkgs.toml")

    def compared(count: int) -> int:
        made: Project = replace(project, plugins=tuple(chain(count)), plugin_options={})
        Name.compared = 0
        check.check(made, Faults())
        return Name.compared

    small, large = compared(SMALL), compared(LARGE)
    assert 0 < large < small * (LARGE / SMALL) * 1.15, (small, large)


def test_so_many_circles_are_told_and_no_more(tmp_path: Path) -> None:
    """Each of so many plugins closes a circle over all before it."""
    (tmp_path / "greet").write_text("#!/bin/sh\n")
    (tmp_path / "greet.conf").touch()
    text = "".join(plugin(number, f'needs = ["p{number + 1}", "p0"]\n') for number in range(LARGE))
    (tmp_path / "mkpkgs.toml").write_text(HEAD + text + plugin(LARGE, ""))
    with pytest.raises(ProjectError) as caught:
        load(tmp_path / "mkpkgs.toml")
    circles = [problem for problem in caught.value.problems if "circle" in problem.what]
    assert 0 < len(circles) <= check.MOST


def test_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mkpkgs.toml"
    names = [str(number) for number in range(101)]
    abis = HEAD.replace('"greet"', f'"greet{{abi}}"\nabis = {names}', 1)
    for text, said in (
        (f"{'a.' * 20_000}b = 1\n", "is nested too deeply"),
        (f"a = {'[' * 5_000}{']' * 5_000}\n", "is nested too deeply"),
        (f"a = {'9' * 100_000}\n", "has a number of too many digits"),
        (abis, "100 are allowed"),
    ):
        file.write_text(text)
        with pytest.raises(ProjectError, match=said):
            load(file)
    with pytest.raises(toml.LimitError):
        toml.loads(f"[{'a.' * 20_000}b]\n")
