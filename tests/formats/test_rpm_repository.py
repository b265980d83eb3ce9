"""What a yum repository lists of our packages is what createrepo_c lists, and dnf installs from it."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from packaging_tool.formats.rpm import Format
from packaging_tool.package.model import Change, Module, Package, Relation, Relations
from tests.formats import samples
from tests.formats.rpms import COMPRESSIONS, build, core, needs, output, plugin

pytestmark = needs("rpm", "createrepo_c")

SPACE = "http://linux.duke.edu/metadata"
PACKAGES = {
    "core": core(),
    "plugin": plugin(),
    "noarch": plugin(architecture="all"),
    "modules": plugin(modules=(Module("example.org/a", "v1.0.0", "MIT"),)),
    "special characters": plugin(
        summary="Says <b>\"hello\" & 'bye'</b>", description="a < b\n\n* über & unter\n", homepage="https://x/?a=1&b=2"
    ),
    "many changes": plugin(
        changelog=tuple(
            Change(f"1.{number}-1", samples.TIME - 1_000_000 * (30 - number), "A <a@b.org>", ("Change & go on.",))
            for number in range(30, 0, -1)
        )
    ),
    "own file": replace(
        core(),
        relations={
            "rpm": Relations(
                depends=(
                    (Relation("/usr/bin/tiny-plugins"),),
                    (Relation("webserver"),),
                    (Relation("libc.so.6(GLIBC_2.4)(64bit)"),),
                    (Relation("libc.so.6(GLIBC_2.34)(64bit)"),),
                ),
                provides=((Relation("webserver"),),),
            )
        },
    ),
}


def created(directory: Path, kind: str) -> Element:
    """The package element that createrepo_c wrote for the only package of a directory."""
    (path,) = (directory / "repodata").glob(f"*-{kind}.xml.gz")
    (package,) = ElementTree.fromstring(gzip.decompress(path.read_bytes()))  # noqa: S314 # createrepo_c's own
    return package


def written(index: str, kind: str) -> Element:
    """Our stanza as an element."""
    space = {"primary": "common"}.get(kind, kind)
    text = f'<x xmlns="{SPACE}/{space}" xmlns:rpm="{SPACE}/rpm">{index}</x>'
    (package,) = ElementTree.fromstring(text)  # noqa: S314 # our own
    return package


def differences(one: Element, other: Element, path: str = "") -> Iterator[str]:
    place = f"{path}/{one.tag.rpartition('}')[2]}"
    for what in ("tag", "attrib"):
        if getattr(one, what) != getattr(other, what):
            yield f"{place}: {getattr(one, what)} is not {getattr(other, what)}"
    if (one.text or "").strip() != (other.text or "").strip():
        yield f"{place}: {one.text!r} is not {other.text!r}"
    for mine, theirs in zip_longest(one, other):
        if mine is None or theirs is None:
            yield f"{place}: {'not' if mine is None else 'only'} here: {ElementTree.tostring(theirs or mine)!r}"
        else:
            yield from differences(mine, theirs, place)


@pytest.mark.parametrize("package", PACKAGES.values(), ids=PACKAGES.keys())
def test_our_stanzas_are_those_of_createrepo_c(package: Package, tmp_path: Path) -> None:
    built = build(package, tmp_path)
    output("createrepo_c", "-q", "--no-database", "--general-compress-type=gz", tmp_path)
    for kind in ("primary", "filelists", "other"):
        theirs = created(tmp_path, kind)
        for time in theirs.iter(f"{{{SPACE}/common}}time"):
            # We say when it was packaged, so that the index does not depend on when the file was copied.
            time.set("file", str(package.time))
        ours = written(built.index[kind].replace("{href}", built.path.name), kind)
        assert list(differences(ours, theirs)) == []


@pytest.mark.parametrize("spec", COMPRESSIONS)
def test_the_index_of_a_file_is_what_write_gave_back(spec: str, tmp_path: Path) -> None:
    for package in (core(), plugin(), plugin("noarch", architecture="all")):
        built = build(replace(package, compression={"rpm": spec}), tmp_path)
        assert Format().index(built.path) == built


@needs("dnf")
def test_dnf_resolves_core_and_plugins_by_their_abi(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    life = replace(core(), relations={"rpm": Relations(provides=core().relations["rpm"].provides)}, lifecycle=None)
    build(life, repository)
    for name in ("git", "cors"):
        build(plugin(name, relations={"rpm": plugin().relations["rpm"]}), repository)
    output("createrepo_c", "-q", repository)
    shown = output(
        "dnf",
        *("-y", "-q", "--installroot", tmp_path / "root", "--releasever=9", "--setopt=reposdir=/nonexistent"),
        *("--forcearch=x86_64", f"--repofrompath=own,{repository.as_uri()}", "--nogpgcheck"),
        *("--setopt=cachedir=/cache", "--setopt=keepcache=0", "--setopt=tsflags=noscripts"),
        *("install", "tiny-plugin-cors"),
    )
    assert "Error" not in shown
    installed = output("rpm", "--root", tmp_path / "root", "-qa", "--qf", "%{NAME}\n").split()
    assert sorted(installed) == ["tiny", "tiny-plugin-cors"]
