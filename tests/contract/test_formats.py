"""What every package format must do. A new file in `formats/` is tested here at once."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from packaging_tool import registry
from packaging_tool.errors import InputError, PackageError
from packaging_tool.formats.base import Format
from packaging_tool.package.content import Content
from packaging_tool.package.model import Capability, Entry, Package, Relation, Relations, Version
from tests.formats import samples


@pytest.fixture(params=registry.names("formats"))
def kind(request: pytest.FixtureRequest) -> Format:
    return cast(Format, registry.load("formats", request.param).Format())


def of(kind: Format, package: Package) -> Package:
    """The package with relations and compression for this format."""
    relations = Relations(depends=((Capability("tiny-abi", samples.ABI),), (Relation("git", ">=", "2.30"),)))
    return replace(package, relations={kind.name: relations})


def test_it_has_the_name_of_its_file_and_a_suffix(kind: Format) -> None:
    assert kind.name in registry.names("formats")
    assert kind.file_name(samples.git_plugin()).endswith(kind.suffix)


def test_what_is_written_is_what_is_told(kind: Format, tmp_path: Path) -> None:
    package = of(kind, samples.git_plugin())
    built = kind.write(package, tmp_path, None)
    data = built.path.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == [kind.file_name(package)]
    assert (built.size, built.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert (built.name, built.version) == (package.name, str(package.version))
    assert built.index


def test_the_same_package_gives_the_same_bytes(kind: Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = set()
    for number, (umask, zone) in enumerate(((0o022, "UTC"), (0o077, "Pacific/Auckland"))):
        directory = tmp_path / str(number)
        directory.mkdir()
        monkeypatch.setenv("TZ", zone)
        before = os.umask(umask)
        try:
            built = kind.write(of(kind, samples.git_plugin()), directory, None)
        finally:
            os.umask(before)
        assert built.path.stat().st_mode & 0o777 == 0o644
        hashes.add(built.sha256)
    assert len(hashes) == 1


def test_a_source_that_goes_away_leaves_nothing_behind(kind: Format, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    entry = replace(samples.file("/usr/share/tiny/x", ""), content=Content(source))
    source.unlink()
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises((PackageError, OSError)):
        kind.write(of(kind, samples.plugin(entries=(entry,))), out, None)
    assert list(out.iterdir()) == []


def test_a_file_of_another_format_is_left_out(kind: Format, tmp_path: Path) -> None:
    paths = {"": "/usr/share/tiny/both", kind.name: "/usr/share/tiny/mine", "other": "/usr/share/tiny/theirs"}
    entries = tuple(replace(samples.file(path, "x"), only=only) for only, path in sorted(paths.items()))
    built = kind.write(of(kind, samples.plugin(entries=entries)), tmp_path, None)
    listing = "\n".join(kind.describe(built.path).files)
    assert [path for path in paths.values() if path in listing] == [paths[""], paths[kind.name]]


def test_it_spells_relations_and_capabilities(kind: Format) -> None:
    ranges = {kind.spell((Relation("git", operator, "2"),)) for operator in ("<", "<=", "=", ">=", ">")}
    assert len(ranges) == 5
    assert samples.ABI in kind.spell((Capability("tiny-abi", samples.ABI),))
    both = kind.spell((Relation("mailx"), Relation("s-nail")))
    assert both.index("mailx") < both.index("s-nail")


def test_a_core_has_scripts_and_a_plugin_has_none(kind: Format) -> None:
    scripts = kind.scripts(of(kind, samples.core(Content(b"#!/bin/sh\n"))))
    assert any("apply" in text for text in scripts.values())
    assert not kind.scripts(of(kind, samples.git_plugin()))


def test_it_describes_what_it_wrote(kind: Format, tmp_path: Path) -> None:
    built = kind.write(of(kind, samples.git_plugin()), tmp_path, None)
    page = kind.describe(built.path)
    assert "tiny-plugin-git" in page.title
    assert any(f"{samples.PLUGINS}/git/imports" in line for line in page.files)


def test_it_refuses_to_describe_anything_else(kind: Format, tmp_path: Path) -> None:
    for data in (b"", b"hello", bytes(4096)):
        path = tmp_path / f"foreign{kind.suffix}"
        path.write_bytes(data)
        with pytest.raises(InputError):
            kind.describe(path)


def test_the_index_of_a_file_in_the_pool_is_what_write_gave_back(kind: Format, tmp_path: Path) -> None:
    core = samples.core(Content(b"#!/bin/sh\n"), version=Version("2.0~rc1", "1", 3))
    for package in (core, samples.git_plugin(), samples.plugin("tiny-plugin-data", architecture="all")):
        built = kind.write(of(kind, package), tmp_path, None)
        assert built.architecture == package.architecture
        assert kind.index(built.path) == built


def test_a_package_takes_the_place_of_an_older_file(kind: Format, tmp_path: Path) -> None:
    package = of(kind, samples.git_plugin())
    place = tmp_path / kind.file_name(package)
    place.write_bytes(b"old")
    kind.write(package, tmp_path, None)
    assert kind.describe(place).title.startswith(package.name)


def test_what_it_cannot_carry_it_refuses_and_leaves_nothing(kind: Format, tmp_path: Path) -> None:
    package = of(kind, samples.git_plugin())
    for wrong in (
        replace(package, name="two words"),
        replace(package, summary="two\nlines"),
        replace(package, entries=(Entry(path="/usr/lib/x"),)),
        replace(package, entries=(samples.file("/usr/../etc/x", ""),)),
        replace(package, compression={kind.name: "unknown"}),
    ):
        with pytest.raises(PackageError):
            kind.write(wrong, tmp_path, None)
    with pytest.raises(PackageError):
        kind.spell((Relation("no name"),))
    assert list(tmp_path.iterdir()) == []


def test_packages_of_other_formats_are_refused(kind: Format, tmp_path: Path) -> None:
    for other in registry.names("formats"):
        if other != kind.name:
            stranger = cast(Format, registry.load("formats", other).Format())
            path = stranger.write(of(stranger, samples.git_plugin()), tmp_path, None).path
            for look in (kind.describe, kind.index):
                with pytest.raises(InputError):
                    look(path)
