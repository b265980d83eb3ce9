"""All shell that we ship is POSIX, passes shellcheck, and never ends a check with a bare `&&`."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from packaging_tool.drivers.base import Target
from packaging_tool.package.model import Lifecycle
from packaging_tool.package.templates import render
from packaging_tool.target import runtime
from tests.target.machine import ABI, spec

TEMPLATES = Path(runtime.__file__).parent.parent / "templates"
SCRIPTS = sorted(f"{folder}/{path.name}" for folder in ("deb", "rpm") for path in (TEMPLATES / folder).glob("*.j2"))
SHELL = sorted(
    path for path in TEMPLATES.rglob("*") if path.parent.name in ("deb", "rpm") or path.name.endswith((".sh", ".sh.j2"))
)

SERVICE = runtime.lifecycle(spec())
PLACES = {
    "a service": SERVICE,
    "no service": replace(SERVICE, unit="", user="root", group="root"),
    "a group of its own": replace(SERVICE, group="web"),
}


def tool(*, assemble: str = "#!/bin/sh\n", reload: bool = False) -> str:
    project = spec()
    if reload and project.core.service:
        project = replace(project, core=replace(project.core, service=replace(project.core.service, reload="reload")))
    entries = runtime.core_entries(project, Target(assemble=assemble, reload=reload), ABI, {})
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
    check(render(name, l=PLACES[place]))


def test_the_target_tool_is_clean_for_every_driver() -> None:
    for text in (tool(), tool(assemble=""), tool(reload=True)):
        check(text)


def bare_checks(text: str) -> list[str]:
    """Statements `a && b` whose failure `set -e` would not see. Text in single quotes is no shell."""
    shell = re.sub(r"'[^']*'", "''", re.sub(r"(?m)^\s*#.*$", "", text))
    lines = [line.strip() for line in shell.replace("\\\n", " ").splitlines()]
    return [
        line
        for line in lines
        if "&&" in line and not re.match(r"(if|elif|while|until) ", line) and "||" not in line.rpartition("&&")[2]
    ]


def test_the_rule_finds_a_bare_check() -> None:
    assert bare_checks("[ -e x ] && [ -e y ]\n") == ["[ -e x ] && [ -e y ]"]
    assert bare_checks("if [ -e x ] && [ -e y ]; then\n[ -e x ] && a || die\n# a && b\nawk 'a && b'\n") == []


@pytest.mark.parametrize("path", SHELL, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_no_check_ends_with_a_bare_and(path: Path) -> None:
    assert bare_checks(path.read_text()) == []


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.awk")), ids=lambda path: path.name)
def test_awk_programs_fit_into_single_quotes(path: Path) -> None:
    """They are pasted into the target tool between single quotes."""
    assert "'" not in path.read_text()


def test_scripts_name_everything_that_apply_made() -> None:
    for name in ("deb/prerm.j2", "deb/postrm.j2", "rpm/preun.j2"):
        text = render(name, l=SERVICE)
        assert all(path in text for path in SERVICE.made)


def test_a_lifecycle_has_all_that_scripts_use() -> None:
    assert (
        Lifecycle(
            core="fake",
            unit="fake.service",
            user="fake",
            group="fake",
            home="/var/lib/fake",
            watched="/usr/lib/fake/plugins",
            tool="/usr/bin/fake-plugins",
            program="/usr/lib/fake/bin/fake",
            made=("/usr/lib/fake/bin/serving", "/usr/lib/fake/bin/sets", "/usr/lib/fake/bin/failed-set"),
            config_directory="/etc/fake",
        )
        == SERVICE
    )
