"""Archives, split: `go tool nm` reads what is left for the linker, `go tool pack` lists what is in it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from packaging_tool.errors import BuildError
from packaging_tool.golang.archive import Store, file_name

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="no go here")


def output(*argv: str | Path) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def archive() -> Path:
    """A package of the standard library with assembler in it."""
    return Path(output("go", "list", "-export", "-f", "{{.Export}}", "internal/bytealg").strip())


def test_object_has_all_but_the_export_data(archive: Path, tmp_path: Path) -> None:
    split = Store(tmp_path).split(archive)
    members = output("go", "tool", "pack", "t", archive).split()
    assert members[:2] == ["__.PKGDEF", "_go_.o"]
    assert len(members) > 2
    assert output("go", "tool", "pack", "t", split.object).split() == members[1:]
    assert output("go", "tool", "pack", "t", split.export).split() == members[:1]
    assert split.object.stat().st_size + split.export.stat().st_size == archive.stat().st_size + len("!<arch>\n")
    assert split.sha256 == output("sha256sum", archive).split()[0]


def test_archive_of_any_name_is_split_once(archive: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "renamed.a"
    shutil.copyfile(archive, renamed)
    store = Store(tmp_path / "store")
    split = store.split(renamed)
    before = split.object.stat()
    assert store.split(archive) == split
    assert split.object.stat() == before


def test_unused_files_are_pruned_and_used_ones_stay(archive: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    split = store.split(archive)
    used = tmp_path / "used"
    used.hardlink_to(split.object)
    store.prune()
    assert split.object.exists()
    used.unlink()
    store.prune()
    assert not split.object.exists()
    assert not split.export.exists()


@pytest.mark.parametrize("content", [b"", b"!<arch>\n", b"\x7fELF" + b"\0" * 200, b"!<arch>\n" + b"x" * 60])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    other = tmp_path / "other.a"
    other.write_bytes(content)
    with pytest.raises(BuildError, match="not an archive of a Go package"):
        Store(tmp_path / "store").split(other)


def test_file_names_stay_in_the_alphabet_of_manifests() -> None:
    assert file_name("github.com/a/b-c/v2") == "github.com/a/b-c/v2"
    assert file_name("git.sr.ht/~who/c++") == "git.sr.ht/+7Ewho/c+2B+2B"
    assert file_name("example.com/ä") == "example.com/+C3+A4"
