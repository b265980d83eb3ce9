"""From a project file to typed values."""

from __future__ import annotations

import dataclasses
import random
import time
from pathlib import Path

import pytest

from packaging_tool.drivers.files import CoreOptions, PluginOptions
from packaging_tool.errors import InputError, MkpkgsError, ProjectError
from packaging_tool.project.loader import load
from packaging_tool.project.model import FileSpec, Project

SMALLEST = """\
[core]
name = "served"
version = "1.0"
summary = "Serves what plugins bring"
license = "MIT"
homepage = "https://served.example.org/"
maintainer = "Jo Doe <jo@example.org>"
driver = "files"
program = "program"

[core.files]
format = "1"
"""
PLUGIN = """
[plugin.hello]
summary = "Says hello"
files = { source = "program" }
"""


def write(directory: Path, text: str) -> Path:
    path = directory / "mkpkgs.toml"
    path.write_text(text, encoding="utf-8", newline="")
    (directory / "program").write_text("#!/bin/sh\n")
    return path


def read(directory: Path, text: str) -> Project:
    return load(write(directory, text))


def problems(directory: Path, text: str) -> list[str]:
    with pytest.raises(ProjectError) as caught:
        read(directory, text)
    return [f"{p.line} {p.key}: {p.what}" for p in caught.value.problems]


def test_the_smallest_file_has_defaults_for_the_rest(tmp_path: Path) -> None:
    project = read(tmp_path, SMALLEST)
    assert project.root == tmp_path
    assert project.core.release == "1"
    assert project.core.architectures == ("amd64",)
    assert project.core.targets == ("debian12", "el9")
    assert project.core.service is None
    assert project.plugins == ()
    assert project.core_options == CoreOptions(format="1")


def test_the_drivers_table_becomes_the_drivers_own_type(tmp_path: Path) -> None:
    project = read(tmp_path, SMALLEST + PLUGIN)
    assert project.plugin("hello").summary == "Says hello"
    assert project.plugin_options == {"hello": PluginOptions(source="program")}


def test_keys_with_a_hyphen_are_fields_with_an_underscore(tmp_path: Path) -> None:
    project = read(tmp_path, SMALLEST.replace("[core.files]", 'config-directory = "/etc/other"\n[core.files]'))
    assert project.core.config_directory == "/etc/other"


def test_files_can_stand_beside_the_table_of_the_driver_of_that_name(tmp_path: Path) -> None:
    text = SMALLEST + '\n[[core.file]]\nsource = "program"\npath = "/usr/share/served/"\n'
    assert read(tmp_path, text).core.files == (FileSpec(source="program", path="/usr/share/served/"),)


def test_a_key_under_both_of_its_names_is_refused(tmp_path: Path) -> None:
    text = SMALLEST.partition("[core.files]")[0] + "files = []\nfile = []\n"
    assert any("is given twice, also as `files`" in problem for problem in problems(tmp_path, text))


def test_dates_need_no_quotes(tmp_path: Path) -> None:
    text = SMALLEST + '\n[[core.changelog]]\nversion = "1.0-1"\ndate = 2026-11-20\nchanges = ["First"]\n'
    assert read(tmp_path, text).core.changelog[0].date == "2026-11-20"


def test_values_are_frozen(tmp_path: Path) -> None:
    project = read(tmp_path, SMALLEST)
    with pytest.raises(dataclasses.FrozenInstanceError):
        project.core.name = "other"  # type: ignore[misc]  # what is tested


@pytest.mark.parametrize("text", [SMALLEST.replace("\n", "\r\n"), "\ufeff" + SMALLEST])
def test_files_from_other_systems_are_read_alike(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == read(tmp_path, SMALLEST)


def test_lines_are_right_in_files_from_other_systems(tmp_path: Path) -> None:
    text = "\ufeff" + SMALLEST.replace('version = "1.0"', 'version = "v1.0"').replace("\n", "\r\n")
    assert problems(tmp_path, text) == ["3 core.version: 'v1.0' begins with `v`"]


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mkpkgs.toml").write_bytes(b'[core]\nname = "\xff"\n')
    with pytest.raises(InputError, match=r"not UTF-8 text.*byte 15"):
        load(tmp_path / "mkpkgs.toml")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no .*mkpkgs\.toml"):
        load(tmp_path / "mkpkgs.toml")
    with pytest.raises(InputError, match="directory"):
        load(tmp_path)


def test_deep_nesting_is_a_problem_of_the_file(tmp_path: Path) -> None:
    assert problems(tmp_path, "a = " + "[" * 5000) != []


def test_a_link_that_leads_out_of_the_project_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "inside/link").symlink_to("../secret")
    text = SMALLEST + '\n[[core.file]]\nsource = "link"\npath = "/usr/share/served/link"\n'
    assert problems(tmp_path / "inside", text) == [
        "15 core.file[0].source: link leads out of " + str(tmp_path / "inside")
    ]


def test_two_plugins_may_share_a_directory_but_not_a_file(tmp_path: Path) -> None:
    plugins = "".join(
        f'\n[plugin.{name}]\nsummary = "Says {name}"\nfiles.source = "program"\n'
        f'[[plugin.{name}.file]]\ntype = "directory"\npath = "/usr/share/served/common"\n'
        for name in ("hello", "bye")
    )
    assert len(read(tmp_path, SMALLEST + plugins).plugins) == 2


def test_a_long_chain_of_needs_is_no_problem(tmp_path: Path) -> None:
    chain = "".join(
        f'\n[plugin.p{number}]\nsummary = "Number {number}"\nfiles.source = "program"\nneeds = ["p{number + 1}"]\n'
        for number in range(3000)
    )
    last = '\n[plugin.p3000]\nsummary = "Number 3000"\nfiles.source = "program"\n'
    assert len(read(tmp_path, SMALLEST + chain + last).plugins) == 3001


def test_clashes_among_plugins_that_need_many_others_are_found_in_a_moment(tmp_path: Path) -> None:
    chain = "".join(
        f'\n[plugin.p{n}]\nsummary = "Number {n}"\nfiles.source = "program"\nneeds = ["p{n + 1}"]\n' for n in range(600)
    )
    last = '\n[plugin.p600]\nsummary = "Number 600"\nfiles.source = "program"\nclashes = ["p1"]\n'
    began = time.process_time()
    found = problems(tmp_path, SMALLEST + chain + last)
    assert time.process_time() - began < 2
    assert len(found) == 2
    assert all("p1 and p600, which clash" in problem for problem in found)


def test_a_thousand_plugins_load_in_a_moment(tmp_path: Path) -> None:
    many = "".join(
        f'\n[plugin.p{n}]\nsummary = "Number {n}"\norder = {n}\nfiles.source = "program"\n' for n in range(1000)
    )
    path = write(tmp_path, SMALLEST + many)
    began = time.process_time()
    assert len(load(path).plugins) == 1000
    assert time.process_time() - began < 1


def test_a_thousand_problems_are_told_in_a_moment(tmp_path: Path) -> None:
    many = "".join(f'\n[plugin.p{n}]\nsumary = "Number {n}"\nfiles.source = "program"\n' for n in range(500))
    began = time.process_time()
    assert len(problems(tmp_path, SMALLEST + many)) == 1000
    assert time.process_time() - began < 2


VALUES = [
    "1",
    "-1",
    "1.5",
    "true",
    '""',
    '"x"',
    '"\\u0000"',
    "[]",
    "[[]]",
    "{}",
    '{ x = "y" }',
    '["a", 1]',
    "2026-01-01",
]


def test_whatever_stands_in_a_file_is_a_problem_of_the_file(tmp_path: Path) -> None:
    """Values of every wrong type and shape in every place: never an error of ours."""
    text = (Path(__file__).parent.parent / "samples/bad/files.toml").read_text() + PLUGIN
    text += (
        '\n[[core.changelog]]\nversion = "1.0-1"\ndate = 2026-11-20\nchanges = ["x"]\n[repository]\nurl = "http://x"\n'
    )
    rows = text.splitlines()
    chance = random.Random(7)  # noqa: S311 (the same files in every run)
    for _ in range(150):
        changed = list(rows)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(changed))
            key, equals, _ = changed[at].partition(" = ")
            changed[at] = f"{key} = {chance.choice(VALUES)}" if equals and "{" not in key else ""
        path = write(tmp_path, "\n".join(changed))
        try:
            load(path)
        except MkpkgsError as error:
            assert str(error)


@pytest.mark.parametrize("place", ["/etc/ssl", "/etc/default", "/etc/systemd/system"])
def test_a_configuration_directory_that_others_use_too_is_refused(place: str, tmp_path: Path) -> None:
    """`keys.d`, `plugins.d` and `plugins.conf` would lie in it."""
    text = SMALLEST.replace("[core.files]", f'config-directory = "{place}"\n[core.files]')
    (told,) = problems(tmp_path, text)
    assert told.startswith("11 core.config-directory: /etc/")
    assert "is not this package's alone" in told
    assert read(tmp_path, text.replace(place, f"{place}/served")).core.config_directory == f"{place}/served"


@pytest.mark.parametrize("place", ["/var/lib/systemd", "/var/lib/private/served", "/var/lib"])
def test_a_home_that_is_the_systems_is_refused(place: str, tmp_path: Path) -> None:
    """systemd gives the whole directory to the service's user."""
    (told,) = problems(tmp_path, f'{SMALLEST}[core.service]\nhome = "{place}"\n')
    assert "is not a free directory below /var/lib" in told


@pytest.mark.parametrize(
    ("name", "user"),
    [
        ("0telcol", "telcol"),
        ("a.b", "a-b"),
        ("1.2", "server"),
        *((name, f"{name}-server") for name in ("root", "proxy")),
    ],
)
def test_the_user_that_is_proposed_is_taken(name: str, user: str, tmp_path: Path) -> None:
    text = SMALLEST.replace('name = "served"', f'name = "{name}"')
    with pytest.raises(ProjectError) as raised:
        read(tmp_path, f'{text}[core.service]\ncommand = "x"\n')
    (told,) = (problem for problem in raised.value.problems if problem.key == "core.user")
    assert told.instead == f'write for example user = "{user}"'
    text = text.replace("[core]", f'[core]\nuser = "{user}"')
    assert read(tmp_path, f'{text}[core.service]\ncommand = "x"\n').core.user == user


def test_a_number_with_a_point_is_no_order(tmp_path: Path) -> None:
    text = SMALLEST + '[plugin.x]\nsummary = "x"\norder = 50.5\nfiles = { source = "x" }\n'
    assert any("order: must be a whole number, not a number with a point" in one for one in problems(tmp_path, text))


GO = SMALLEST[: SMALLEST.index("driver")] + 'driver = "go-link"\n'


def test_drivers_of_go_read_one_table_and_their_own_goes_before(tmp_path: Path) -> None:
    text = (
        f'{GO}[core.go]\nmodule = "example.com/a@v1.0.0"\ntags = ["one"]\n'
        '[core.go-plugin]\ntags = ["two"]\n[plugin.x]\nsummary = "x"\ngo.packages = ["example.com/a/x"]\n'
    )
    linked, opened = read(tmp_path, text), read(tmp_path, text.replace('"go-link"', '"go-plugin"'))
    assert (linked.core_options.module, linked.core_options.tags) == ("example.com/a@v1.0.0", ("one",))
    assert (opened.core_options.module, opened.core_options.tags) == ("example.com/a@v1.0.0", ("two",))
    assert linked.plugin_options["x"].packages == opened.plugin_options["x"].packages == ("example.com/a/x",)


def test_problems_of_a_shared_table_are_told_where_they_stand(tmp_path: Path) -> None:
    text = (
        f'{GO}[core.go]\nmodule = "example.com/a@v1.0.0"\ncolour = 1\nmain = "../x y"\n'
        '[plugin.x]\nsummary = "x"\ngo.packages = 1\n'
    )
    assert problems(tmp_path, text) == [
        "11 core.go.colour: unknown key",
        "12 core.go.main: '../x y' is no import path",
        "15 plugin.x.go.packages: must be a list, not a whole number",
    ]


def test_who_changes_the_driver_alone_is_told_of_the_table_that_both_read(tmp_path: Path) -> None:
    text = f'{GO.replace("go-link", "go-plugin")}[core.go-link]\nmodule = "example.com/a@v1.0.0"\n'
    text += '[plugin.x]\nsummary = "x"\ngo-link.packages = ["example.com/a/x"]\n'
    for table in ("core", "plugin.x"):
        told = f" {table}.go-link: is for driver go-link; the driver is go-plugin"
        assert any(told in problem for problem in problems(tmp_path, text))


def test_table_of_a_driver_of_another_kind_is_refused_beside_a_shared_one(tmp_path: Path) -> None:
    text = f'{GO}[core.go]\nmodule = "example.com/a@v1.0.0"\n[core.files]\nformat = "1"\n'
    assert any("core.files" in problem for problem in problems(tmp_path, text))
    assert any(
        "core.go: unknown key" in problem for problem in problems(tmp_path, f"{SMALLEST}[core.go]\nmodule = 'a.b/c'\n")
    )


@pytest.mark.parametrize("name", ["X@1", "a,b", "a=b"])
def test_a_plugins_directory_whose_name_targets_refuse_is_refused(name: str, tmp_path: Path) -> None:
    text = SMALLEST.replace("[core.files]", f'plugins-directory = "/usr/lib/served/{name}"\n[core.files]')
    (told,) = problems(tmp_path, text)
    assert "which targets refuse above plugins" in told


def test_a_name_that_no_unit_can_have_is_good_without_a_service(tmp_path: Path) -> None:
    text = SMALLEST.replace('"served"', '"c++"')
    assert read(tmp_path, text).core.name == "c++"
    (told,) = problems(
        tmp_path, f'{text}[core.service]\ncommand = "run"\n'.replace("version", 'user = "c"\nversion', 1)
    )
    assert "has a `+`, which no unit can have" in told


def test_the_check_stands_in_the_core_or_in_its_service(tmp_path: Path) -> None:
    core = SMALLEST.replace("[core.files]", 'check = "-V"\ncheck-seconds = 60\n[core.files]')
    service = '[core.service]\ncheck = "-v"\ncheck-seconds = 90\n'
    tried = [read(tmp_path, text).core for text in (SMALLEST, core, SMALLEST + service)]
    assert [(each.trial, each.trial_seconds) for each in tried] == [("--version", 30), ("-V", 60), ("-v", 90)]
    with pytest.raises(ProjectError) as caught:
        read(tmp_path, core + service)
    assert [(found.key, found.what) for found in caught.value.problems] == [
        (f"core.service.{key}", "is there in [core], too") for key in ("check", "check-seconds")
    ]
    assert read(tmp_path, SMALLEST.replace("[core.files]", 'check = ""\n[core.files]')).core.trial == ""


def test_everybody_may_read_the_plugins_of_a_program_without_a_service(tmp_path: Path) -> None:
    served = SMALLEST + "[core.service]\n"

    def readable(text: str, said: str) -> bool:
        return read(tmp_path, text.replace("[core.files]", f'readable = "{said}"\n[core.files]')).core.for_all

    assert [read(tmp_path, text).core.for_all for text in (SMALLEST, served)] == [True, False]
    assert [readable(SMALLEST, "group"), readable(served, "all")] == [False, True]


@pytest.mark.parametrize(
    ("written", "proposed"),
    [("0o644", "0644"), ("0o755", "0755"), ("0o600", "0600"), ("644", "0644"), ("755", "0755"), ("9", "0644")],
)
def test_a_mode_without_quotes_is_proposed_as_it_was_meant(written: str, proposed: str, tmp_path: Path) -> None:
    text = f'{SMALLEST}[[core.file]]\npath = "/etc/served/x"\nsource = "x"\nmode = {written}\n'
    with pytest.raises(ProjectError) as raised:
        read(tmp_path, text)
    (told,) = (problem for problem in raised.value.problems if problem.key == "core.file[0].mode")
    assert told.instead.endswith(f'"{proposed}"')


@pytest.mark.parametrize("user", ["_served-try", "nobody", "root"])
def test_a_service_shares_no_user_with_what_tries_sets(user: str, tmp_path: Path) -> None:
    text = SMALLEST.replace("[core]", f'[core]\nuser = "{user}"')
    assert [one for one in problems(tmp_path, f'{text}[core.service]\ncommand = "x"\n') if "core.user: " in one]


@pytest.mark.parametrize("place", ["/usr/lib/", "/usr/bin", "/etc/sudoers.d/"])
def test_a_directory_of_the_system_is_nobodys_to_bring(place: str, tmp_path: Path) -> None:
    """rpm would find it in conflict with the package `filesystem`, and dpkg would give it this mode."""
    text = f'{SMALLEST}[[core.file]]\npath = "{place}"\ntype = "directory"\nmode = "0700"\n'
    assert f"14 core.file[0].path: {place.rstrip('/')} belongs to the system" in problems(tmp_path, text)


@pytest.mark.parametrize("place", ["/etc/passwd", "/etc/sudoers"])
def test_a_file_of_the_system_is_nobodys_to_bring(place: str, tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    text = f'{SMALLEST}[[core.file]]\npath = "{place}"\nsource = "x"\ntype = "config"\n'
    assert any(f"{place} is the system's own" in one for one in problems(tmp_path, text))
