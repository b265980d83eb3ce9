"""Compressed data waits in memory as long as there is room, and comes back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from packaging_tool.atomic import Bytes
from packaging_tool.errors import PackageError
from packaging_tool.package import shelf
from packaging_tool.package.shelf import Shelf

PARTS: list[Bytes] = [b"a" * 1000, bytearray(b"b" * 3000), memoryview(b"c" * 5), b"", b"d" * (shelf.PIECE + 7)]
WHOLE = b"".join(PARTS)


def files(directory: Path) -> int:
    """How many files without a name are open there."""
    return sum(path.resolve().is_relative_to(directory) for path in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("room", [0, 3999, 4005, 10_000, 1 << 30])
def test_data_comes_back_wherever_it_lay(room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "MOST", room)
    made = Shelf(tmp_path)
    packed = [made.put(PARTS), made.put([b"more"]), made.put([])]
    assert [b"".join(each.pieces()) for each in packed] == [WHOLE, b"more", b""]
    assert [each.size for each in packed] == [len(WHOLE), 4, 0]
    assert files(tmp_path) == (room < len(WHOLE))
    assert list(tmp_path.iterdir()) == []


def test_all_shelves_share_the_room_and_give_it_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "MOST", len(WHOLE))
    first = Shelf(tmp_path).put(PARTS)
    second = Shelf(tmp_path).put(PARTS)
    assert files(tmp_path) == 1
    assert b"".join(second.pieces()) == b"".join(first.pieces()) == WHOLE
    del first, second
    assert files(tmp_path) == 0
    third = Shelf(tmp_path).put(PARTS)
    assert files(tmp_path) == 0
    assert third.size == len(WHOLE)


def test_data_that_fails_to_come_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "MOST", len(WHOLE))

    def cut_off() -> Iterator[bytes]:
        yield b"a" * 100
        raise PackageError("changed while it was packaged")

    with pytest.raises(PackageError):
        Shelf(tmp_path).put(cut_off())
    assert b"".join(Shelf(tmp_path).put(PARTS).pieces()) == WHOLE
    assert files(tmp_path) == 0
