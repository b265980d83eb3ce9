"""A file that goes into packages is hashed once, and may not change afterwards."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from packaging_tool.errors import PackageError
from packaging_tool.package.content import CHUNK, KEPT, Content

SIZES = [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK]
LONG_AGO = 1_000_000_000


def made(path: Path, size: int, *, old: bool) -> Content:
    """A file of this size. old: written so long ago that its time tells every later change."""
    path.write_bytes(bytes(range(251)) * (size // 251) + bytes(size % 251))
    content = Content(path)
    if old:
        os.utime(path, (LONG_AGO, LONG_AGO))
        # The time of the last change cannot be set; wait until it is no longer fresh.
        content = Waited(path)
    return content


class Waited(Content):
    """Content that takes its file for one that was not changed for a while."""

    def _stamped(self) -> tuple[int, int, int, int, int] | None:
        stamp = super()._stamped()
        return stamp and (*stamp[:4], stamp[3])


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_pieces_are_the_file(size: int, old: bool, tmp_path: Path) -> None:
    content = made(tmp_path / "f", size, old=old)
    data = (tmp_path / "f").read_bytes()
    assert b"".join(map(bytes, content.chunks())) == data
    assert b"".join(map(bytes, content.verified())) == data
    assert content.sha256 == hashlib.sha256(data).hexdigest()
    assert content.md5 == hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("size", SIZES[1:])
def test_a_change_of_the_same_size_is_noticed(size: int, old: bool, tmp_path: Path) -> None:
    content = made(tmp_path / "f", size, old=old)
    assert content.sha256
    with (tmp_path / "f").open("r+b") as file:
        file.seek(size - 1)
        file.write(b"!")
    with pytest.raises(PackageError, match="changed while it was packaged"):
        list(content.verified())


@pytest.mark.parametrize("old", [False, True])
def test_a_change_while_it_is_read_is_noticed(old: bool, tmp_path: Path) -> None:
    content = made(tmp_path / "f", 3 * CHUNK, old=old)
    assert content.sha256
    with pytest.raises(PackageError, match="changed while it was packaged"):
        for number, _ in enumerate(content.verified()):
            if number == 0:
                with (tmp_path / "f").open("r+b") as file:
                    file.seek(2 * CHUNK)
                    file.write(b"!")


def test_a_large_file_is_read_for_its_digests_once_as_long_as_it_does_not_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made(tmp_path / "f", KEPT + 1, old=True)
    digest = first.sha256
    with monkeypatch.context() as patch:
        patch.setattr(Content, "chunks", lambda _: pytest.fail("the file is read again"))
        again = Waited(tmp_path / "f")
        assert again.sha256 == digest
    with (tmp_path / "f").open("r+b") as file:
        file.write(b"!")
    assert Waited(tmp_path / "f").sha256 == hashlib.sha256((tmp_path / "f").read_bytes()).hexdigest() != digest
    with pytest.raises(PackageError, match="changed while it was packaged"):
        list(again.verified())


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_a_file_is_hashed_on_its_way_into_the_first_package(
    size: int, old: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = made(tmp_path / "f", size, old=old)
    data = b"".join(map(bytes, content.verified()))
    monkeypatch.setattr(Content, "chunks", lambda _: pytest.fail("the file is read again"))
    assert content.sha256 == hashlib.sha256(data).hexdigest()
    assert content.md5 == hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("size", [KEPT, KEPT + 1])
def test_another_file_than_the_first_package_has_is_not_taken_for_the_second(size: int, tmp_path: Path) -> None:
    content = made(tmp_path / "f", size, old=True)
    list(content.verified())
    content.forget()
    with (tmp_path / "f").open("r+b") as file:
        file.write(b"!")
    with pytest.raises(PackageError, match="changed while it was packaged"):
        list(content.verified())


def test_md5_is_that_of_the_file_whose_sha256_is_known(tmp_path: Path) -> None:
    content = made(tmp_path / "f", KEPT, old=True)
    assert content.sha256
    with (tmp_path / "f").open("r+b") as file:
        file.write(b"!")
    with pytest.raises(PackageError, match="changed while it was packaged"):
        assert content.md5


def test_a_file_that_was_only_touched_is_the_same(tmp_path: Path) -> None:
    content = made(tmp_path / "f", CHUNK + 1, old=True)
    assert content.sha256
    os.utime(tmp_path / "f", (LONG_AGO + 1, LONG_AGO + 1))
    assert sum(map(len, content.verified())) == CHUNK + 1


def test_a_file_that_was_cut_off_is_noticed(tmp_path: Path) -> None:
    content = made(tmp_path / "f", CHUNK + 1, old=False)
    assert content.sha256
    os.truncate(tmp_path / "f", CHUNK)
    with pytest.raises(PackageError, match="changed while it was packaged"):
        list(content.verified())
