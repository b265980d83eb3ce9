"""All shell that we ship is POSIX, passes shellcheck, and never ends a check with a bare `&&`."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from packaging_tool.drivers.base import Target
from packaging_tool.package.model import Entry, Former, Lifecycle
from packaging_tool.package.templates import render
from packaging_tool.target import runtime
from tests.target.machine import ABI, ARRANGED, LINKED, PLAIN, spec
from tests.target.shell import bare_checks
from tests.tiers import every

TEMPLATES = Path(runtime.__file__).parent.parent / "templates"
# rpm runs this one by itself, as Lua.
LUA = "rpm/pretrans.j2"
SCRIPTS = sorted(
    name
    for folder in ("deb", "rpm")
    for path in (TEMPLATES / folder).glob("*.j2")
    if (name := f"{folder}/{path.name}") != LUA
)
SHELL = sorted(
    path
    for path in TEMPLATES.rglob("*")
    if (path.parent.name in ("deb", "rpm") and not str(path).endswith(LUA)) or path.name.endswith((".sh", ".sh.j2"))
)

SERVICE = runtime.lifecycle(spec())
MOVED = (Former("/usr/share/fake/it's", "directory", "file", "", ("sub/a b", "sub/")),)
HELPED = (("dir_to_symlink", "/usr/share/fake/it's", "over there", "2.0-1~"),)
OWNED = (Entry(path="/etc/fake/it's", type="config", owner="fake", group="web"),)
PLACES = {
    "a service": SERVICE,
    "no service": replace(SERVICE, unit="", user="root", group="root"),
    "a group of its own": replace(SERVICE, group="web"),
}


def tool(target: Target = LINKED, *, service: bool = True) -> str:
    project = spec()
    if target.reload and project.core.service:
        project = replace(project, core=replace(project.core, service=replace(project.core.service, reload="reload")))
    if not service:
        project = replace(project, core=replace(project.core, service=None))
    entries = runtime.core_entries(project, target, (ABI,), {})
    content = next(e.content for e in entries if e.path == "/usr/bin/fake-plugins")
    assert content is not None
    return content.read().decode()


def check(text: str) -> None:
    if not text.startswith("#!"):
        text = f"#!/bin/sh\n{text}"
    shells = [["dash", "-n"], ["bash", "--posix", "-n"]]
    if shutil.which("shellcheck"):
        shells.append(["shellcheck", "--shell=sh", "--color=never", "-"])
    for command in shells:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", SCRIPTS)
def test_maintainer_scripts_are_clean(name: str, place: str) -> None:
    for owned, helped, moved in (((), (), ()), (OWNED, HELPED, MOVED)):
        gone = [item.path for item in moved]
        words = {"script": "postrm of fake", "helped": helped, "gone": gone, "moved": moved}
        check(render(name, l=PLACES[place], owned=owned, **words))


@pytest.mark.skipif(not shutil.which("rpm"), reason="rpm is not installed")
def test_what_rpm_runs_itself_is_lua(tmp_path: Path) -> None:
    odd = '/usr/share/fake/it\'s "odd" \\n'
    former = (Former(odd, "directory", "file"), Former(odd, "symlink", "directory", "x"))
    (tmp_path / "script").write_text(render(LUA, former=former))
    # It runs, too: there is nothing to do here.
    said = f"%{{lua: dofile('{tmp_path}/script') print('good')}}"
    done = subprocess.run(["rpm", "--eval", said], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "good", done


@pytest.mark.parametrize(
    "kind", every(5, (LINKED, PLAIN, ARRANGED, replace(LINKED, reload=True), replace(PLAIN, restarts=False)))
)
def test_the_target_tool_is_clean_for_every_driver(kind: Target) -> None:
    check(tool(kind))


@pytest.mark.nightly
def test_so_it_is_without_a_service() -> None:
    check(tool(service=False))


def test_no_part_of_the_target_tool_defines_a_function_of_another_one() -> None:
    names = re.findall(r"^(\w+)\(\) \{", tool(), re.MULTILINE)
    assert len(names) > 100
    assert sorted(names) == sorted(set(names))


BARE = {
    "[ -e x ] && [ -e y ]\n": [1],
    "check && use\n": [1],
    "[ a ] &&\n    use\n": [1],
    "a || b && c\n": [1],
    "! a && b\n": [1],
    "a && b | c\n": [1],
    "a && { b; }\n": [1],
    "a && { b || c; }\n": [1],
    "(cd x && y)\n": [1],
    "(a && b; c) || die\n": [1],
    "f() {\n    [ a ] && return 1\n    x\n}\n": [2],
    "if a; then b && c; fi\n": [1],
    "if a; then b || c; else\nd && e\nfi\n": [2],
    "while a && b; do c && d; done\n": [1],
    "while read -r x; do\n    a && b\ndone <file\n": [2],
    "case $x in\na | b) c && d ;;\n*) e && f || g ;;\nesac\n": [2],
    "x=$(a && b)\n": [1],
    'echo "$(\na && b)"\n': [2],
    "cat <<EOF\na && b\nEOF\nb && c\n": [4],
    "{% if x %}\na && b\n{% endif %}\n": [2],
    "a && b # || die\n": [1],
    "a && echo '|| die'\n": [1],
    'a && echo "|| die"\n': [1],
}
FINE = (
    *("if [ a ] && [ b ]; then x; fi\n", "if [ a ] &&\n    [ b ]; then x; fi\n", "[ a ] && b || die\n", "# a && b\n"),
    *(
        "awk 'a && b'\n",
        "(cd x && y) || die\n",
        "{ a && b; } || die\n",
        "until ! a && b; do :; done\n",
        "x=$((a && b))\n",
    ),
    *(
        "if (a && b); then c; fi\n",
        "if a; then b; elif c && d; then e; fi\n",
        "a || { b; exit 1; }\n",
        "a >&2 || b 2>&1\n",
    ),
    *(
        "[ a ] && {\n    b\n} || c\n",
        "echo '{% raw %}&&{% endraw %}'\n",
        'echo "a && b"\n',
        "cat <<EOF || :\na && b\nEOF\n",
    ),
)


@pytest.mark.parametrize("text", BARE)
def test_the_rule_finds_a_bare_check(text: str) -> None:
    assert bare_checks(text) == BARE[text]


@pytest.mark.parametrize("text", FINE)
def test_the_rule_lets_pass_what_says_what_happens(text: str) -> None:
    assert bare_checks(text) == []


@pytest.mark.parametrize("path", SHELL, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_no_check_ends_with_a_bare_and(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert [f"{number}: {lines[number - 1]}" for number in bare_checks(path.read_text())] == []


def test_dash_goes_on_after_a_bare_check() -> None:
    """This is why the rule is there."""
    done = subprocess.run(["dash", "-c", "set -eu; false && true; echo on"], capture_output=True, text=True, check=True)
    assert done.stdout == "on\n"


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.awk")), ids=lambda path: path.name)
def test_awk_programs_fit_into_single_quotes(path: Path) -> None:
    """They are pasted into the target tool between single quotes."""
    assert "'" not in path.read_text()


def test_scripts_name_everything_that_apply_made() -> None:
    for name in ("deb/prerm.j2", "deb/postrm.j2", "rpm/preun.j2"):
        text = render(name, l=SERVICE, owned=(), helped=(), gone=())
        assert all(path in text for path in SERVICE.made)


def test_a_lifecycle_has_all_that_scripts_use() -> None:
    assert (
        Lifecycle(
            core="fake",
            unit="fake.service",
            user="fake",
            group="fake",
            home="/var/lib/fake",
            try_user="_fake-try",
            watched="/usr/lib/fake/plugins",
            tool="/usr/bin/fake-plugins",
            program="/usr/lib/fake/bin/fake",
            made=("/usr/lib/fake/bin/serving", "/usr/lib/fake/bin/sets", "/usr/lib/fake/bin/failed-set"),
            config_directory="/etc/fake",
        )
        == SERVICE
    )
