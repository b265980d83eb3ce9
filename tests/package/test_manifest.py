"""The manifest: one spelling only, and everything else is refused with its line."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from packaging_tool.errors import InputError
from packaging_tool.package.manifest import File, Manifest, parse

VECTORS = Path(__file__).parent.parent / "vectors" / "manifest"
GOOD = sorted((VECTORS / "good").iterdir())
BAD = sorted((VECTORS / "bad").iterdir())
GIT = Manifest(core="caddy", abi="a1" * 32, plugin="git", package="caddy-plugin-git", version="1.2.0-1")


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_manifest_has_one_spelling_only(path: Path) -> None:
    assert parse(path.read_bytes()).render() == path.read_bytes()


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_manifest_is_refused_with_file_and_line(path: Path) -> None:
    with pytest.raises(InputError, match=r"^git\.manifest:\d+: "):
        parse(path.read_bytes(), "git.manifest")


def test_the_bytes_are_those_of_the_contract() -> None:
    manifest = replace(GIT, optional=True, order=7, needs=("files",), files=(File("0" * 64, "a/b.a"),))
    assert manifest.render().decode().splitlines() == [
        "mkpkgs-manifest 1",
        "core caddy",
        "abi " + "a1" * 32,
        "plugin git",
        "package caddy-plugin-git 1.2.0-1",
        "order 7",
        "optional",
        "needs files",
        "file " + "0" * 64 + "  a/b.a",
    ]


def test_a_kit_has_neither_order_nor_needs() -> None:
    kit = replace(GIT, plugin=None, package="caddy-plugin-kit")
    assert b"\nkit\npackage" in kit.render()
    assert b"order" not in kit.render()
    assert parse(kit.render()) == kit


def test_the_message_tells_what_was_expected_and_what_was_found() -> None:
    with pytest.raises(InputError) as caught:
        parse((VECTORS / "bad" / "abi-upper-case.manifest").read_bytes(), "x")
    assert caught.value.message.startswith("x:3: expected `abi` and 64 lower-case hex digits, found 'abi 0123456789ABC")


@pytest.mark.parametrize(
    "wrong",
    [
        {"files": (File("0" * 64, "../x"),)},
        {"files": (File("0" * 64, "a\tb"),)},
        {"files": (File("0" * 64, "a\udce9"),)},
        {"files": (File("0" * 64, "b"), File("0" * 64, "a"))},
        {"order": -1},
        {"core": "Caddy"},
        {"version": "1.2.0"},
        {"needs": ("b", "a")},
        {"abi": "a1\nplugin evil"},
    ],
    ids=str,
)
def test_nothing_is_written_that_the_reader_would_refuse(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match="manifest of caddy-plugin-git:"):
        replace(GIT, **wrong).render()  # type: ignore[arg-type] # values of many types, by name


def test_sha256sum_checks_the_files_of_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.a").write_bytes(b"archive")
    listed = (File(hashlib.sha256(b"archive").hexdigest(), "sub/x.a"),)
    lines = "".join(
        line.removeprefix("file ")
        for line in replace(GIT, files=listed).render().decode().splitlines(keepends=True)
        if line.startswith("file ")
    )
    check = ["sha256sum", "-c", "--strict", "--quiet"]
    assert subprocess.run(check, cwd=tmp_path, input=lines.encode()).returncode == 0
    (tmp_path / "sub" / "x.a").write_bytes(b"Archive")
    assert subprocess.run(check, cwd=tmp_path, input=lines.encode(), capture_output=True).returncode == 1
