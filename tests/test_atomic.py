"""Files and trees are as they were, or whole and new."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from packaging_tool import atomic

ROOT = Path(__file__).parent.parent


def test_a_file_is_replaced_with_the_given_mode_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    before = os.umask(0o077)
    try:
        atomic.write(path, b"new", mode=0o640)
    finally:
        os.umask(before)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o640)
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_pieces_takes_its_place_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """write(2) may take less than it is given."""
    path, write = tmp_path / "f", os.write
    path.write_bytes(b"old")
    other = tmp_path / "g"
    other.hardlink_to(path)
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data[:3])))
    before = os.umask(0o077)
    try:
        atomic.place(path, (b"new ", bytearray(b"and "), memoryview(b"whole"), b""))
    finally:
        os.umask(before)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new and whole", 0o644)
    assert other.read_bytes() == b"old"
    assert sorted(tmp_path.iterdir()) == [path, other]


def test_a_file_whose_pieces_fail_is_as_it_was(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"new"
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "f"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="No space left"):
        atomic.place(path, pieces())
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"old", [path])


def test_another_name_of_the_old_file_keeps_the_old_content(tmp_path: Path) -> None:
    """The output directory and its working copy share files by hard links."""
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    atomic.write(tmp_path / "a", b"new")
    assert (tmp_path / "b").read_bytes() == b"old"


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "f").symlink_to("secret")
    atomic.write(tmp_path / "f", b"new")
    assert (tmp_path / "secret").read_bytes() == b"secret"
    assert not (tmp_path / "f").is_symlink()


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    code = (
        "import resource, signal, sys, pathlib; from packaging_tool import atomic\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "atomic.write(pathlib.Path(sys.argv[1]), bytes(5000))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "f"], cwd=ROOT, capture_output=True, text=True)
    assert "File too large" in done.stderr
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("f", b"old")]


def trees(directory: Path) -> tuple[Path, Path]:
    new, old = directory / "new", directory / "old"
    for tree in (new, old):
        (tree / "sub").mkdir(parents=True)
        (tree / "sub" / "f").write_text(tree.name)
    return new, old


def test_two_trees_change_places(tmp_path: Path) -> None:
    new, old = trees(tmp_path)
    atomic.exchange(new, old, tmp_path / "waiting")
    assert (old / "sub" / "f").read_text() == "new"
    assert (new / "sub" / "f").read_text() == "old"


def test_a_tree_goes_where_nothing_was(tmp_path: Path) -> None:
    new, _ = trees(tmp_path)
    atomic.exchange(new, tmp_path / "place", tmp_path / "waiting")
    assert (tmp_path / "place" / "sub" / "f").read_text() == "new"
    assert not new.exists()


def test_where_the_file_system_cannot_exchange_two_renames_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "RENAME_EXCHANGE", 1 << 20)  # a flag that no kernel knows: EINVAL, as NFS answers
    new, old = trees(tmp_path)
    atomic.exchange(new, old, tmp_path / "waiting")
    assert (old / "sub" / "f").read_text() == "new"
    assert (new / "sub" / "f").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]


def test_no_reader_ever_finds_the_place_empty(tmp_path: Path) -> None:
    new, old = trees(tmp_path)
    reader = (
        "import sys, pathlib\nf = pathlib.Path(sys.argv[1])\nprint('go', flush=True)\n"
        "while not pathlib.Path(sys.argv[2]).exists(): f.read_text()"
    )
    command = [sys.executable, "-c", reader, str(old / "sub" / "f"), str(tmp_path / "end")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for _ in range(300):
            atomic.exchange(new, old, tmp_path / "waiting")
        (tmp_path / "end").touch()
        assert process.wait() == 0
