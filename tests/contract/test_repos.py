"""What every repository kind must do. A new file in `repos/` is tested here at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from packaging_tool import registry
from packaging_tool.formats.base import Built, Format
from packaging_tool.project.model import RepositorySpec
from packaging_tool.repos.base import Repository
from packaging_tool.signing import gpg
from tests.repos.conftest import TIME, package, tree

SPEC = RepositorySpec(url="https://packages.example.org/caddy/", label="Test & Sons")
NAMES = ("caddy", "caddy-plugin-cors", "caddy-plugin-git")


@pytest.fixture(scope="module")
def signer() -> Iterator[gpg.GpgSigner]:
    secret, _, _ = gpg.generate("Test <test@example.org>", "ed25519", None)
    with gpg.from_file(secret, TIME, None) as signer:
        yield signer


@pytest.fixture(params=registry.names("repos"))
def kind(request: pytest.FixtureRequest) -> Repository:
    return cast(Repository, registry.load("repos", request.param).Repository())


def fill(kind: Repository, directory: Path, names: tuple[str, ...] = NAMES, version: str = "1.0-1") -> list[Built]:
    made = cast(Format, registry.load("formats", kind.format).Format())
    pool = kind.pool(directory, "caddy")
    pool.mkdir(parents=True, exist_ok=True)
    return [made.write(package(name, version), pool, None) for name in names]


def test_it_has_the_name_of_its_file_and_a_title(kind: Repository) -> None:
    assert kind.name in registry.names("repos")
    assert kind.format in registry.names("formats")
    assert kind.title


def test_its_pool_lies_in_its_own_folder(kind: Repository, tmp_path: Path) -> None:
    assert kind.pool(tmp_path, "caddy").is_relative_to(tmp_path / kind.name)


def test_what_was_built_is_published(kind: Repository, tmp_path: Path, signer: gpg.GpgSigner) -> None:
    assert kind.published(tmp_path) == ()
    built = fill(kind, tmp_path)
    kind.write(tmp_path, built, SPEC, "caddy", TIME, signer)
    listed = {item.name: item for item in kind.published(tmp_path)}
    assert set(listed) == set(NAMES)
    for item in built:
        found = listed[item.name]
        assert (found.version, found.architecture, found.sha256) == (item.version, item.architecture, item.sha256)
        assert tmp_path / found.file == item.path
    assert set(listed["caddy"].provides) & set(listed["caddy-plugin-git"].depends), "no lockstep of core and plugin"


def test_packages_that_lie_in_the_pool_are_published_like_those_from_the_builder(
    kind: Repository, tmp_path: Path, signer: gpg.GpgSigner
) -> None:
    built = fill(kind, tmp_path / "a")
    kind.write(tmp_path / "a", built, SPEC, "caddy", TIME, signer)
    fill(kind, tmp_path / "b")
    kind.write(tmp_path / "b", (), SPEC, "caddy", TIME, signer)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_an_older_run_is_still_listed(kind: Repository, tmp_path: Path, signer: gpg.GpgSigner) -> None:
    kind.write(tmp_path, fill(kind, tmp_path), SPEC, "caddy", TIME, signer)
    kind.write(tmp_path, fill(kind, tmp_path, ("caddy",), "1.1-1"), SPEC, "caddy", TIME, signer)
    assert {item.version for item in kind.published(tmp_path) if item.name == "caddy"} == {"1.0-1", "1.1-1"}


def test_writing_again_changes_nothing_not_even_time_stamps(
    kind: Repository, tmp_path: Path, signer: gpg.GpgSigner
) -> None:
    built = fill(kind, tmp_path)
    kind.write(tmp_path, built, SPEC, "caddy", TIME, signer)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    kind.write(tmp_path, built, SPEC, "caddy", TIME, signer)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_copy_by_hard_links_stays_as_it_was(kind: Repository, tmp_path: Path, signer: gpg.GpgSigner) -> None:
    """A run works on such a copy of the published directory."""
    kind.write(tmp_path / "a", fill(kind, tmp_path / "a"), SPEC, "caddy", TIME, signer)
    before = tree(tmp_path / "a")
    for path in [path for path in (tmp_path / "a").rglob("*") if path.is_file()]:
        twin = tmp_path / "b" / path.relative_to(tmp_path / "a")
        twin.parent.mkdir(parents=True, exist_ok=True)
        twin.hardlink_to(path)
    kind.write(tmp_path / "b", fill(kind, tmp_path / "b", NAMES, "1.1-1"), SPEC, "caddy", TIME, signer)
    assert tree(tmp_path / "a") == before


def test_administrators_get_a_key_a_source_file_and_commands(kind: Repository, signer: gpg.GpgSigner) -> None:
    files = kind.client_files(SPEC, "caddy", signer)
    assert files["caddy.asc"] == signer.public_key()
    commands = kind.instructions(SPEC, "caddy", ["caddy", "caddy-plugin-git"], "caddy")
    assert "caddy-plugin-git" in commands
    (source,) = set(files) - {"caddy.asc"}
    assert f"https://packages.example.org/caddy/{source}\n" in commands
    assert f"https://packages.example.org/caddy/{kind.name}\n".encode() in files[source]
