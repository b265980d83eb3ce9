"""What every package format must do. A new file in `formats/` is tested here at once."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from packaging_tool import registry
from packaging_tool.errors import InputError, PackageError
from packaging_tool.formats.base import Format
from packaging_tool.package.content import Content
from packaging_tool.package.model import Capability, Entry, Package, Relation, Version
from tests.formats import samples

PROGRAM = Content(b"\x7fELF" + bytes(200))


@pytest.fixture(params=registry.names("formats"))
def kind(request: pytest.FixtureRequest) -> Format:
    return cast(Format, registry.load("formats", request.param).Format())


def packages(kind: Format) -> list[Package]:
    """A core with scripts and an epoch, a plugin, one for every architecture, and one without any file."""
    relations = samples.core(PROGRAM).relations["deb"]
    made = [
        samples.core(PROGRAM, version=Version("2.0~rc1", "1", 3)),
        samples.git_plugin(),
        samples.plugin("tiny-plugin-data", architecture="all"),
        samples.plugin("tiny-plugin-arm", architecture="arm64"),
    ]
    return [replace(package, relations={kind.name: relations}) for package in made]


def test_it_has_the_name_of_its_file_and_a_suffix(kind: Format) -> None:
    assert kind.name in registry.names("formats")
    assert kind.suffix.startswith(".")


def test_what_it_wrote_it_tells_of_and_reads_again(kind: Format, tmp_path: Path) -> None:
    for package in packages(kind):
        built = kind.write(package, tmp_path, None)
        assert built.path == tmp_path / kind.file_name(package)
        assert built.path.suffix == kind.suffix
        data = built.path.read_bytes()
        assert (built.size, built.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert (built.name, built.version) == (package.name, str(package.version))
        assert built.architecture == package.architecture
        assert kind.index(built.path) == built
        page = kind.describe(built.path)
        assert page.title == f"{package.name} {package.version}"
        for entry in package.entries:
            if entry.type in ("file", "config"):
                assert any(entry.path in line for line in page.files), entry.path
    assert len(list(tmp_path.iterdir())) == len(packages(kind)), "nothing else is left behind"


def test_only_a_package_with_a_lifecycle_has_scripts(kind: Format, tmp_path: Path) -> None:
    core, *others = packages(kind)
    names = kind.scripts(core)
    assert names
    assert any(samples.PLUGINS in text for text in (*names, *names.values())), "it watches the plugins directory"
    assert kind.describe(kind.write(core, tmp_path, None).path).scripts
    for other in others:
        assert kind.scripts(other) == {}
        assert kind.describe(kind.write(other, tmp_path, None).path).scripts == ()


def test_the_same_package_has_the_same_bytes_in_any_order_of_writing(kind: Format, tmp_path: Path) -> None:
    made = []
    for number, order in enumerate((packages(kind), packages(kind)[::-1])):
        directory = tmp_path / str(number)
        directory.mkdir()
        made.append({kind.write(package, directory, None).sha256 for package in order})
    assert made[0] == made[1]


def test_a_package_takes_the_place_of_an_older_file(kind: Format, tmp_path: Path) -> None:
    package = packages(kind)[1]
    place = tmp_path / kind.file_name(package)
    place.write_bytes(b"old")
    kind.write(package, tmp_path, None)
    assert kind.describe(place).title.startswith(package.name)


def test_what_it_cannot_carry_it_refuses_and_leaves_nothing(kind: Format, tmp_path: Path) -> None:
    package = packages(kind)[1]
    for wrong in (
        replace(package, name="two words"),
        replace(package, summary="two\nlines"),
        replace(package, entries=(Entry(path="/usr/lib/x"),)),
        replace(package, entries=(Entry(path="/usr/../etc/x", content=PROGRAM),)),
        replace(package, compression={kind.name: "unknown"}),
    ):
        with pytest.raises(PackageError):
            kind.write(wrong, tmp_path, None)
    assert list(tmp_path.iterdir()) == []


def test_relations_are_spelled_with_alternatives_and_capabilities(kind: Format) -> None:
    text = kind.spell((Relation("one", ">=", "1.0"), Capability("two-abi", "abc")))
    assert all(word in text for word in ("one", ">=", "1.0", "two-abi", "abc"))
    with pytest.raises(PackageError):
        kind.spell((Relation("no name"),))


def test_files_of_other_kinds_are_refused(kind: Format, tmp_path: Path) -> None:
    for other in registry.names("formats"):
        if other != kind.name:
            stranger = cast(Format, registry.load("formats", other).Format())
            path = stranger.write(packages(stranger)[1], tmp_path, None).path
            with pytest.raises(InputError, match=path.name.replace("+", r"\+")):
                kind.describe(path)
    for data in (b"", b"text\n", bytes(4096)):
        path = tmp_path / f"x{kind.suffix}"
        path.write_bytes(data)
        for look in (kind.describe, kind.index):
            with pytest.raises(InputError):
                look(path)
