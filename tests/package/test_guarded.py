"""One table says what the target guards: builder, target tool, Go code and page are of one mind."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from packaging_tool.drivers.base import Target
from packaging_tool.errors import ProjectError
from packaging_tool.package import guarded, manifest
from packaging_tool.package.templates import render
from packaging_tool.project.loader import load
from packaging_tool.project.model import ServiceSpec
from packaging_tool.target import runtime
from tests.target.machine import spec
from tests.workspace import tiny

PLACES = guarded.places("greet", "/usr/lib/greet/plugins", "/etc/greet")


def test_the_page_has_the_table() -> None:
    page = Path(__file__).parent.parent.parent / "docs/security.md"
    assert guarded.page() in page.read_text(), f"docs/security.md must have\n{guarded.page()}"


def test_target_and_go_have_its_values() -> None:
    entries = runtime.core_entries(spec(), Target(assemble="#!/bin/sh\n"), ("ab" * 32,), {})
    (tool,) = (
        entry.content.read().decode()
        for entry in entries
        if entry.path.endswith("-plugins") and entry.content and entry.mode == 0o755
    )
    (looked,) = re.findall(r'for place in ("\$KIT".*); do', tool)
    assert ["$BIN", *re.findall(r'"([^"]+)"', looked)] == [*guarded.OURS]
    assert f'for directory in "{guarded.ADMINISTRATORS[0]}" "{guarded.ADMINISTRATORS[1]}"; do' in tool
    assert f"size[name] > {16 << 20}) " in tool and "SMALL = 65536 }" in tool and "-size -32769" in tool
    assert tool.count("-perm /022") == 6 and "-perm /7000" in tool
    assert f"const largest = {manifest.LARGEST}\n" in render("go-plugin/files.go.j2")
    assert "const longestList = 65536\n" in render("go-plugin/verify.go.j2")


def test_units_of_apply_have_the_names_that_are_kept_for_them() -> None:
    """Those of a server with all of them: it is tried, its configuration is checked, and its sets are made."""
    service = ServiceSpec(command="run", check="version", config_check="check")
    project = replace(spec(), core=replace(spec().core, service=service))
    entries = runtime.core_entries(project, Target(assemble="#!/bin/sh\n"), ("ab" * 32,), {"a.pub": b"key"})
    units = {entry.path.rpartition("/")[2] for entry in entries if entry.path.startswith("/usr/lib/systemd/system/")}
    assert {f"fake-{part}" for part in guarded.UNITS} == {unit for unit in units if unit.startswith("fake-")}


def test_what_the_core_brings_itself_is_as_the_table_says() -> None:
    entries = runtime.core_entries(spec(), Target(arrange="#!/bin/sh\n"), ("ab" * 32,), {"a.pub": b"key"})
    places = guarded.places("fake", "/usr/lib/fake/plugins", "/etc/fake")
    made = (
        "/usr/lib/fake/bin/fake",
        "/usr/lib/fake/bin/working-set",
        "/usr/lib/fake/bin/failed-set",
        "/etc/fake/plugins.d/disabled",
    )
    for entry in entries:
        if entry.path not in made and any(
            f"{place}/".startswith(f"{entry.path}/") or f"{entry.path}/".startswith(f"{place}/") for place in places
        ):
            assert guarded.fault(entry.type, entry.owner, entry.mode) == "", entry.path


ENTRIES = (
    ('type = "directory"\npath = "/usr/share/greet"\nowner = "greet"', "owner", "/usr/share/greet belongs to greet"),
    ('type = "directory"\npath = "/usr/lib/greet"\nmode = "0775"', "mode", "/usr/lib/greet can be written by others"),
    ('type = "directory"\npath = "/usr/lib/greet/plugins"\nmode = "0770"', "mode", "plugins can be written by others"),
    (
        'source = "greet.conf"\ntype = "config"\npath = "/etc/greet/keys.d/a.pub"\nowner = "greet"',
        "owner",
        "belongs to greet",
    ),
    (
        'source = "greet.conf"\ntype = "config"\npath = "/etc/greet/plugins.d/disabled"\nmode = "0664"',
        "mode",
        "can be written",
    ),
    ('type = "symlink"\npath = "/etc/greet/keys.d"\ntarget = "keys"', "type", "is a symlink, where only files and"),
    *(
        (f'source = "greet.conf"\npath = "{place}"', "path", "is mkpkgs' own")
        for place in PLACES
        if "share" in place or "/a" in place
    ),
    *(
        (f'source = "greet.conf"\npath = "/usr/lib/systemd/system/greet-{part}"', "path", "is mkpkgs' own")
        for part in guarded.UNITS
    ),
)


@pytest.mark.parametrize(("entry", "key", "said"), ENTRIES)
def test_the_builder_refuses_what_the_target_would(tmp_path: Path, entry: str, key: str, said: str) -> None:
    project = tiny(tmp_path / "project")
    file = project.root / "mkpkgs.toml"
    file.write_text(f"{file.read_text()}\n[[core.file]]\n{entry}\n")
    with pytest.raises(ProjectError) as caught:
        load(file)
    assert re.search(rf"core\.file\[\d\]\.{key}: .*{re.escape(said)}", str(caught.value)), str(caught.value)
