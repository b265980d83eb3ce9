"""Hostile words in the tables of every driver: refused, or taken as they are.

What is taken reaches commands, compilers, linkers and scripts of the target: what these have of it is looked at there.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from packaging_tool import registry
from packaging_tool.drivers.base import Outcome
from packaging_tool.errors import ProjectError
from packaging_tool.listener import Silent
from packaging_tool.project.model import Project
from tests.hostile import control, judges
from tests.hostile.projects import Bench, Key, Maker, keys, look
from tests.hostile.words import words

SAMPLES = Path(__file__).parent.parent / "samples"
# Sample and a plugin by driver.
DRIVERS = {
    "elf": ("peal", "tenor"),
    "exec": ("desk", "echo"),
    "files": ("tiny", "hello"),
    "go-link": ("tower", "bell"),
    "go-plugin": ("tower", "bell"),
    "python": ("shelf", "atlas"),
}
# Writes its arguments and its environment into the current directory.
SHOW = "printf '%s\\0' \"$@\" >words; env -0 >environment"


def bench_of(driver: str, directory: Path) -> Bench:
    """A sample of a driver, with one plugin."""
    sample, plugin = DRIVERS[driver]
    bench = Bench(SAMPLES / sample, directory)
    bench.raw["plugin"] = {plugin: bench.raw["plugin"][plugin]}
    if driver == "go-plugin":
        bench.raw["core"]["driver"] = driver
        for table in (bench.raw["core"], bench.raw["plugin"][plugin]):
            table[driver] = {key: value for key, value in table.pop("go-link").items() if key != "lines"}
    return bench


def places(driver: str) -> Iterator[Key]:
    """All places for words in the tables of a driver; those of folders twice."""
    module, plugin = registry.load("drivers", driver), DRIVERS[driver][1]
    for cls, path in ((module.CoreOptions, ("core", driver)), (module.PluginOptions, ("plugin", plugin, driver))):
        for key in keys(cls, path):
            yield key
            if key.path[-1] in ("module", "requires"):
                yield replace(key, make=partial(_local, key.make))


def _local(make: Maker, word: str) -> Any:
    return make(f"./{word}")


def scripts_of(project: Project) -> dict[str, str]:
    """What the driver gives for the target, by name."""
    target = registry.load("drivers", project.core.driver).Driver().target(project)
    return {name: text for name in ("assemble", "arrange") if (text := getattr(target, name))}


@pytest.mark.parametrize("driver", DRIVERS)
def test_words_in_the_tables_of_a_driver(driver: str, tmp_path: Path) -> None:
    bench, scripts = bench_of(driver, tmp_path), dict[str, str]()
    for taken, project in bench.tried([*places(driver)]):
        if project is not None:
            for name, text in scripts_of(project).items():
                assert not control(text), taken
                scripts.setdefault(text, f"{name}-{len(scripts)}")
    judges.shell({name: text for text, name in scripts.items()}, tmp_path / "scripts", check=True)
    assert scripts or driver == "go-plugin"
    assert not bench.mark.exists()


def build(project: Project, architecture: str) -> Outcome:
    driver, workdir = registry.load("drivers", project.core.driver).Driver(), project.root / ".mkpkgs"
    workdir.mkdir(exist_ok=True)
    made: Outcome = driver.build(
        project, driver.lock(project, None, workdir, Silent()), architecture, workdir, Silent()
    )[0]
    return made


def taken(bench: Bench, change: Callable[[dict[str, Any], str], None]) -> list[str]:
    """The words that a project file may have where change puts them."""
    found = []
    for name, word in words(bench.mark):
        raw = bench.copy()
        change(raw, word)
        try:
            bench.load(raw)
            found.append(word)
        except ProjectError as error:
            look(error, name)
    assert len(found) > 20
    return found


def shown(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Arguments and environment that a command was given."""
    rows = (folder / "environment").read_bytes().decode().split("\0")[:-1]
    environment = dict(row.split("=", 1) for row in rows)
    return (folder / "words").read_bytes().decode().split("\0")[:-1], environment


@pytest.mark.parametrize("driver", ["exec", "elf"])
def test_commands_get_arguments_and_variables_as_they_are(driver: str, tmp_path: Path) -> None:
    bench, plugin = bench_of(driver, tmp_path), DRIVERS[driver][1]
    own = bench.raw["plugin"][plugin][driver]

    def arguments(raw: dict[str, Any], *said: str) -> None:
        table = raw["plugin"][plugin][driver]
        if driver == "exec":
            table.clear()
            script = f"{SHOW}; cp desk-echo $MKPKGS_OUTPUT"
            table |= {"source": "plugins/echo", "build": ["sh", "-c", script, "sh", *said]}
        else:
            raw["core"]["elf"]["arguments"] = {"more": list(said)}
            table["build"] = [["sh", "-c", SHOW, "sh", *said, "{more}"], *own["build"]]

    def variable(raw: dict[str, Any], *said: str) -> None:
        raw["core"][driver]["environment"] = {f"WORD{number}": word for number, word in enumerate(said)}

    for_arguments, for_variables = taken(bench, arguments), taken(bench, variable)
    raw = bench.copy()
    arguments(raw, *for_arguments)
    variable(raw, *for_variables)
    project = bench.load(raw)
    made = build(project, project.core.architectures[0])
    assert made.failures == ()
    folder = bench.root / "plugins/echo" if driver == "exec" else bench.root / ".mkpkgs/amd64/plugin-tenor/source"
    words_, environment = shown(folder)
    assert words_ == [*for_arguments, *(for_arguments if driver == "elf" else ())]
    assert [environment.get(f"WORD{number}", "") for number in range(len(for_variables))] == for_variables
    assert not bench.mark.exists()


def test_the_loader_of_shared_objects_writes_words_as_they_are(tmp_path: Path) -> None:
    bench = bench_of("elf", tmp_path)

    def loader(raw: dict[str, Any], *said: str) -> None:
        word = said[0]
        line = f"{word}{{name}}{{{word}}}{{plugin}}"
        raw["core"]["elf"]["loader"] = {"line": line, "head": word, "tail": word, "join": word}

    for number, word in enumerate(taken(bench, loader)):
        raw = bench.copy()
        loader(raw, word)
        made = tmp_path / "sets" / str(number)
        (made / "plugins/tenor").mkdir(parents=True)
        (made / "loader").mkdir()
        for name in ("a.so", "b.so"):
            (made / "plugins/tenor" / name).touch()
        (made / "plugins/tenor/loader").write_text("a.so\nb.so\n")
        script = made / "arrange"
        script.write_text(scripts_of(bench.load(raw))["arrange"])
        judges.sh(["sh", script, made, "tenor"])
        one, two = (f"{word}{name}{{{word}}}tenor" for name in "ab")
        between = word or "\n"
        assert (made / "loader/modules.conf").read_text() == f"{word}{one}{between}{two}{word}\n"
    assert not bench.mark.exists()


@pytest.mark.skipif(shutil.which("go") is None, reason="programs in Go need go")
@pytest.mark.acceptance
def test_programs_in_go_have_variables_as_they_are(tmp_path: Path) -> None:
    """By `go build` here and by the linker on the target: the driver compares their bytes."""
    bench = bench_of("go-link", tmp_path)

    def variables(raw: dict[str, Any], *said: str) -> None:
        raw["core"]["go-link"]["variables"] = {f"main.word{number}": word for number, word in enumerate(said)}

    found = taken(bench, variables)
    raw = bench.copy()
    variables(raw, *found)
    main = bench.root / "server/main.go"
    names = ", ".join(f"word{number}" for number in range(len(found)))
    show = f'for _, word := range []string{{{names}}} {{ os.Stdout.WriteString("WORD " + word + "\\n") }}'
    lines = f"var {names} string\n\nfunc init() {{ {show} }}\n"
    main.write_text(f"{main.read_text()}\n{lines}")
    outcome = build(bench.load(raw), "amd64")
    assert outcome.failures == ()
    program = outcome.core.entries[0].content
    assert program is not None
    assert isinstance(program.source, Path)
    done = subprocess.run([program.source, "version"], capture_output=True, text=True, check=False)
    assert re.findall("(?m)^WORD (.*)$", done.stdout) == found
    assert not bench.mark.exists()
