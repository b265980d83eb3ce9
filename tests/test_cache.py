"""What lies in `.mkpkgs` is believed if it is from this machine and user, and only then."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from packaging_tool import cache
from packaging_tool.errors import BuildError, InputError
from packaging_tool.listener import Silent
from tests.workspace import Workspace, newest

PEAL = Path(__file__).parent / "samples/peal"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def filled(root: Path) -> Path:
    place = cache.directory(root, Silent())
    (place / "elf").mkdir()
    (place / "elf/done").write_text("mark")
    return place


def test_a_cache_of_ours_stays(tmp_path: Path) -> None:
    place = filled(tmp_path)
    assert cache.directory(tmp_path, Silent()) == place
    assert (place / "elf/done").read_text() == "mark"
    assert (place / ".gitignore").read_text() == "*\n"
    assert (place / "id").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("word", [None, b"", b"0" * 32, b"x" * 4096])
def test_a_cache_of_another_machine_is_emptied(tmp_path: Path, word: bytes | None) -> None:
    place = filled(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/kept").write_text("kept")
    (place / "link").symlink_to(tmp_path / "elsewhere")
    (place / "id").unlink()
    if word is not None:
        (place / "id").write_bytes(word)
    cache.directory(tmp_path, Silent())
    assert {path.name for path in place.iterdir()} == {".gitignore", "id"}
    assert (tmp_path / "elsewhere/kept").exists()


def test_an_id_that_is_a_link_to_the_right_word_is_none(tmp_path: Path, state: Path) -> None:
    place = filled(tmp_path)
    (place / "id").unlink()
    (place / "id").symlink_to(state / "mkpkgs/machine")
    cache.directory(tmp_path, Silent())
    assert not (place / "elf").exists()


def test_a_cache_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / ".mkpkgs").symlink_to(tmp_path / "other")
    with pytest.raises(InputError, match="is a link or a file"):
        cache.directory(tmp_path, Silent())


def test_where_no_word_can_be_kept_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(BuildError, match="cannot write") as caught:
        cache.directory(tmp_path, Silent())
    assert "XDG_STATE_HOME" in caught.value.hint


def test_a_changed_object_in_a_committed_cache_is_not_packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The marks of builds are hashes of public inputs: who commits `.mkpkgs` knows them."""
    made = Workspace.create(PEAL, tmp_path / "theirs")
    made.mkpkgs("build")
    objects = list((made.root / ".mkpkgs").rglob("tenor.so"))
    assert objects
    for path in objects:
        path.write_bytes(path.read_bytes() + b"EVIL-EVIL-EVIL")
    # Another machine: the clone of the repository, with the cache that was committed.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "mine"))
    mine = made.copy(tmp_path / "mine-too")
    shutil.rmtree(mine.dist)
    mine.mkpkgs("build")
    for path in (mine.root / ".mkpkgs").rglob("tenor.so"):
        assert b"EVIL" not in path.read_bytes()
    assert newest(mine.dist, "peal-plugin-tenor", "deb").is_file()


def test_a_cache_that_was_copied_from_another_machine_is_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Workspace.create(PEAL.parent / "tiny", tmp_path / "theirs")
    assert "another machine" not in made.mkpkgs().stdout
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "mine"))
    mine = made.copy(tmp_path / "mine-too")
    lines = [line for line in mine.mkpkgs().stdout.splitlines() if "another machine" in line]
    assert lines == [
        f"mkpkgs: warning: emptied {mine.root}/.mkpkgs, which another machine or user made: what was in it is made anew"
    ]
    done = mine.mkpkgs()
    assert done.stdout.startswith("nothing to do")
    assert "another machine" not in done.stdout
