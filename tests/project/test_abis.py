"""Several cores out of one project file."""

from __future__ import annotations

from pathlib import Path

import pytest

from packaging_tool.errors import ProjectError
from packaging_tool.project.loader import load
from packaging_tool.project.model import Project
from tests.project.test_loader import PLUGIN, SMALLEST, write

SEVERAL = SMALLEST.replace('name = "served"', 'name = "served{abi}"\nabis = ["2", "3.1"]')


def read(directory: Path, text: str) -> Project:
    return load(write(directory, text))


def test_the_file_stands_for_a_core_each(tmp_path: Path) -> None:
    text = SEVERAL.replace("Serves", "{abi} serves") + PLUGIN + 'provides = ["hello-{abi}"]\n'
    first = read(tmp_path, text)
    assert [each.core.name for each in first.cores] == ["served2", "served3.1"]
    assert [each.core.summary for each in first.cores] == [
        "2 serves what plugins bring",
        "3.1 serves what plugins bring",
    ]
    assert [each.plugin("hello").provides for each in first.cores] == [("hello-2",), ("hello-3.1",)]
    assert [each.plugins_directory for each in first.cores] == [
        "/usr/lib/served2/plugins",
        "/usr/lib/served3.1/plugins",
    ]


def test_all_cores_share_the_name_of_the_repository(tmp_path: Path) -> None:
    for name, shared in (("served{abi}", "served"), ("served-{abi}-plugins", "served-plugins"), ("{abi}-it", "it")):
        project = read(tmp_path, SEVERAL.replace("served{abi}", name))
        assert {each.name for each in project.cores} == {shared}


def test_a_plugin_may_be_for_some_of_the_cores(tmp_path: Path) -> None:
    other = '[plugin.loud]\nsummary = "Shouts"\nfiles = { source = "program" }\nclashes = ["hello"]\n'
    text = SEVERAL + PLUGIN + f'abis = ["3.1"]\n{other}[repository]\nretired = ["hello 1.0", "other"]\n'
    text += 'renamed = { shout = "loud", "hi 2" = "hello" }\n'
    first, second = read(tmp_path, text).cores
    assert [plugin.name for plugin in first.plugins] == ["loud"]
    assert [plugin.name for plugin in second.plugins] == ["hello", "loud"]
    assert (first.plugin("loud").clashes, second.plugin("loud").clashes) == ((), ("hello",))
    # Where it is no plugin any more, it is retired.
    assert first.repository.retired == ("hello 1.0", "other")
    assert second.repository.retired == ("other",)
    assert first.repository.renamed == {"shout": "loud"}
    assert second.repository.renamed == {"shout": "loud", "hi 2": "hello"}


@pytest.mark.parametrize(
    ("start", "said", "problem"),
    [
        (SEVERAL, '["4"]', "plugin.hello.abis[0]: '4' is none of core.abis; known: 2, 3.1"),
        (SEVERAL, '"2"', 'plugin.hello.abis: must be a list, not text; write ["2"]'),
        (SMALLEST, '["2"]', "plugin.hello.abis[0]: '2' is none of core.abis; write `abis` in [core], or leave it out"),
    ],
)
def test_a_plugin_for_a_core_that_is_none_is_told(tmp_path: Path, start: str, said: str, problem: str) -> None:
    with pytest.raises(ProjectError) as caught:
        read(tmp_path, f"{start}{PLUGIN}abis = {said}\n")
    assert problem in str(caught.value)


def test_a_file_without_abis_is_one_core(tmp_path: Path) -> None:
    project = read(tmp_path, SMALLEST)
    assert project.cores == (project,)
    assert (project.abi, project.name) == ("", "served")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("served{abi}", "served", '2 core.name: is the same for all of core.abis; write for example "served{abi}"'),
        ('abis = ["2", "3.1"]\n', "", '2 core.name: {abi} stands for nothing; write for example abis = ["15", "17"]'),
        ('["2", "3.1"]', "[]", '3 core.abis: must be a list of texts; write for example ["15", "17"]'),
        ('["2", "3.1"]', "[2]", '3 core.abis: must be a list of texts; write for example ["15", "17"]'),
        ('["2", "3.1"]', '"2"', '3 core.abis: must be a list of texts; write for example ["15", "17"]'),
        ('["2", "3.1"]', '["2", "2"]', "3 core.abis[1]: '2' is there twice; keep one"),
        (
            '["2", "3.1"]\n',
            '["2", "2-try"]\n[core.service]\ncommand = "run"\n',
            "3 core.abis[1]: makes the service served2-try.service, which is a unit of served2, too; choose another",
        ),
        ('["2", "3.1"]', '["../2"]', "3 core.abis[0]: '../2' cannot stand in names of packages; write for example"),
        ('["2", "3.1"]', '["{abi}"]', "3 core.abis[0]: '{abi}' cannot stand in names of packages; write for example"),
        ("served{abi}", "s{abi}", "2 core.name: leaves 's' for what all cores share, which is not a package name"),
        ('driver = "files"', 'driver = "files{abi}"', "9 core.driver: has {abi} in it, and is one for all cores"),
        (
            "[core.files]",
            'targets = ["debian{abi}"]\n[core.files]',
            "core.targets: has {abi} in it, and is one for all",
        ),
        (
            "[core.files]",
            '[repository]\nlabel = "{abi}"\n[core.files]',
            "repository: has {abi} in it, and there is one",
        ),
    ],
)
def test_what_cannot_be_is_told_with_what_to_write(tmp_path: Path, old: str, new: str, problem: str) -> None:
    with pytest.raises(ProjectError) as caught:
        read(tmp_path, SEVERAL.replace(old, new))
    (told,) = [f"{found.line} {found.key}: {found.what}; {found.instead}" for found in caught.value.problems]
    assert problem in told


OTHERS = """[plugin-of]
name = "acme"
core = "served{abi}"
abis = ["2", "3.1"]
driver = "files"
license = "MIT"
homepage = "https://acme.example.org"
maintainer = "Ann Author <ann@acme.example.org>"
"""


def test_plugins_for_other_peoples_cores_may_be_for_several(tmp_path: Path) -> None:
    found = read(tmp_path, OTHERS + PLUGIN + 'provides = ["hello-{abi}"]\n').cores
    assert [(each.abi, each.core.name, each.name) for each in found] == [
        ("2", "served2", "acme"),
        ("3.1", "served3.1", "acme"),
    ]
    assert [each.plugin("hello").provides for each in found] == [("hello-2",), ("hello-3.1",)]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "served{abi}",
            "served",
            '3 plugin-of.core: is the same for all of plugin-of.abis; write for example "served{abi}"',
        ),
        (
            'abis = ["2", "3.1"]\n',
            "",
            '3 plugin-of.core: {abi} stands for nothing; write for example abis = ["15", "17"]',
        ),
        ('["2", "3.1"]', '["2", "2"]', "4 plugin-of.abis[1]: '2' is there twice; keep one"),
        ('"acme"', '"acme{abi}"', "2 plugin-of.name: has {abi} in it, and is one for all cores"),
    ],
)
def test_what_cannot_be_of_other_peoples_cores_is_told(tmp_path: Path, old: str, new: str, problem: str) -> None:
    with pytest.raises(ProjectError) as caught:
        read(tmp_path, OTHERS.replace(old, new) + PLUGIN)
    (told,) = [f"{found.line} {found.key}: {found.what}; {found.instead}" for found in caught.value.problems]
    assert problem in told


def test_a_problem_of_all_cores_is_told_once_and_that_of_one_names_it(tmp_path: Path) -> None:
    text = SEVERAL.replace('license = "MIT"', 'license = "No such"').replace('"program"', '"program{abi}"')
    (tmp_path / "program2").write_text("#!/bin/sh\n")
    with pytest.raises(ProjectError) as caught:
        read(tmp_path, text)
    told = [f"{problem.key}: {problem.what}" for problem in caught.value.problems]
    assert len([text for text in told if text.startswith("core.license")]) == 1
    assert [text for text in told if text.startswith("core.program")] == ["core.program: there is no file program3.1"]
