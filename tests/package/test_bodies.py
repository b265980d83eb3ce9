"""Large files that formats share are read by dpkg, rpm and zstd, and are compressed once."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from packaging_tool.errors import PackageError
from packaging_tool.formats import deb, rpm
from packaging_tool.formats.base import Built
from packaging_tool.package import bodies, compress, shelf
from packaging_tool.package.content import Content
from packaging_tool.package.model import Entry, Package, Relations
from tests.formats.samples import plugin
from tests.package.test_compress import sample

PATH = "/usr/lib/tiny/plugins/git"
SIZES = [0, 300, bodies.BODY - 1, bodies.BODY, bodies.BODY + 1, 3 * bodies.BODY + 511, 3 * bodies.BODY + 512, 5 << 20]


def mixed(size: int, seed: int) -> bytes:
    """Noise, text and zeros in turn, so that blocks of every kind occur."""
    rng = random.Random(seed)  # noqa: S311 - test data, no secret
    text = sample(1 << 18)
    made = bytearray()
    while len(made) < size:
        start = rng.randrange(len(text) // 2)
        made += rng.choice((rng.randbytes(40_000), text[start : start + 90_000], bytes(150_000)))
    return bytes(made[:size])


def package(spec: str, data: dict[str, bytes]) -> Package:
    """A package for both formats, all of whose files are new."""
    entries = tuple(Entry(path=path, content=Content(content)) for path, content in sorted(data.items()))
    return replace(
        plugin(entries=entries),
        relations={"deb": Relations(), "rpm": Relations()},
        compression={"deb": spec, "rpm": spec},
    )


@pytest.fixture
def data() -> dict[str, bytes]:
    return {f"{PATH}/{number}": mixed(size, number) for number, size in enumerate(SIZES)}


def written(made: Package, folder: Path) -> Iterator[Built]:
    folder.mkdir()
    for kind in (deb.Format(), rpm.Format()):
        yield kind.write(made, folder, None)


@pytest.mark.parametrize("spec", ["gzip:1", "gzip", "gzip:9", "zstd:1", "zstd:3", "zstd:9", "zstd:13", "zstd:19"])
def test_dpkg_and_rpm_unpack_what_went_in(spec: str, data: dict[str, bytes], tmp_path: Path) -> None:
    made = package(spec, data)
    assert bodies.floor(made)
    as_deb, as_rpm = written(made, tmp_path / "out")
    subprocess.run(["dpkg-deb", "-x", as_deb.path, tmp_path / "deb"], check=True)
    (tmp_path / "rpm").mkdir()
    archive = subprocess.run(["rpm2cpio", as_rpm.path], check=True, capture_output=True).stdout
    subprocess.run(["cpio", "-id", "--quiet"], input=archive, cwd=tmp_path / "rpm", check=True)
    for root in ("deb", "rpm"):
        for path, content in data.items():
            assert (tmp_path / root / path[1:]).read_bytes() == content, (root, path)


def test_libarchive_reads_an_archive_of_many_members(data: dict[str, bytes], tmp_path: Path) -> None:
    """reprepro and file managers read packages with it; gzip's members are the blocks of a large file."""
    as_deb, as_rpm = written(package("gzip", data), tmp_path / "out")
    subprocess.run(["bsdtar", "xf", as_deb.path, "data.tar.gz"], cwd=tmp_path, check=True)
    assert (tmp_path / "data.tar.gz").read_bytes().count(b"\x1f\x8b\x08") > 5
    for archive in (tmp_path / "data.tar.gz", as_rpm.path):
        root = tmp_path / f"{archive.suffix}.root"
        root.mkdir()
        subprocess.run(["bsdtar", "xf", archive], cwd=root, check=True)
        for path, content in data.items():
            assert (root / path[1:]).read_bytes() == content, (archive, path)


def test_rpm_installs_it(data: dict[str, bytes], tmp_path: Path) -> None:
    _, made = written(package("zstd:3", data), tmp_path / "out")
    root = str(tmp_path / "root")
    subprocess.run(["rpm", "--root", root, "--install", "--nodeps", "--nosignature", str(made.path)], check=True)
    for path, content in data.items():
        assert (tmp_path / "root" / path[1:]).read_bytes() == content


def test_the_archive_of_a_deb_is_one_whole_frame(data: dict[str, bytes], tmp_path: Path) -> None:
    made, _ = written(package("zstd:3", data), tmp_path / "out")
    subprocess.run(["ar", "x", made.path], cwd=tmp_path, check=True)
    subprocess.run(["zstd", "-tq", tmp_path / "data.tar.zst"], check=True)
    listed = subprocess.run(["zstd", "-l", tmp_path / "data.tar.zst"], check=True, capture_output=True, text=True)
    assert listed.stdout.splitlines()[1].split()[0] == "1"


@pytest.mark.parametrize("spec", ["gzip", "zstd:3"])
def test_bytes_do_not_depend_on_which_format_comes_first(spec: str, data: dict[str, bytes], tmp_path: Path) -> None:
    one, other = package(spec, data), package(spec, data)
    digests = [built.sha256 for built in written(one, tmp_path / "one")]
    (tmp_path / "other").mkdir()
    last = rpm.Format().write(other, tmp_path / "other", None).sha256
    bodies.forget(other)
    assert [deb.Format().write(other, tmp_path / "other", None).sha256, last] == digests


@pytest.mark.parametrize("spec", ["gzip", "zstd:3"])
def test_bytes_do_not_depend_on_where_bodies_wait(
    spec: str, data: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = [built.sha256 for built in written(package(spec, data), tmp_path / "memory")]
    monkeypatch.setattr(shelf, "MOST", 0)
    assert [built.sha256 for built in written(package(spec, data), tmp_path / "file")] == digests
    assert len(list((tmp_path / "file").iterdir())) == 2


@pytest.mark.parametrize("length", [1, 2, 3, 5, 1000])
def test_blocks_are_found_in_pieces_of_any_length(length: int) -> None:
    """zstd may give a frame in any pieces. A raw, empty block at the end makes a frame of blocks that are not last."""
    frame = compress.zstd(3, mixed(300_000, 1))
    blocks = bodies._Blocks()
    parts = [part for at in range(0, len(frame), length) for part in blocks.split(frame[at : at + length])]
    header = frame[: bodies._header(frame[4])]
    end = bodies._raw_block(b"", last=True)
    unpacked = subprocess.run(["zstd", "-dc"], input=header + b"".join(parts) + end, capture_output=True, check=True)
    assert unpacked.stdout == mixed(300_000, 1)


def test_a_body_is_compressed_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = []
    compressor = compress.compressor

    def noted(spec: str, size: int | None = None) -> compress.Compressor:
        seen.append((spec, size))
        return compressor(spec, size)

    monkeypatch.setattr(compress, "compressor", noted)
    list(written(package("zstd:3", {f"{PATH}/large": bytes(bodies.BODY + 1)}), tmp_path / "out"))
    assert seen.count(("zstd:3", bodies.BODY + 1)) == 1


def test_nothing_is_shared_where_the_formats_differ() -> None:
    large = {f"{PATH}/large": bytes(bodies.BODY)}
    made = package("zstd:3", large)
    assert bodies.floor(made)
    assert not bodies.floor(replace(made, compression={"deb": "gzip", "rpm": "zstd:3"}))
    assert not bodies.floor(replace(made, relations={"deb": Relations()}))
    assert not bodies.floor(package("xz", large))


def test_small_files_are_shared_only_where_they_are_most_of_a_package() -> None:
    plugin_file = {f"{PATH}/plugin": bytes(bodies.SMALLEST)}
    assert bodies.floor(package("gzip", plugin_file)) == bodies.SMALLEST
    assert bodies.floor(package("gzip", plugin_file | {f"{PATH}/large": bytes(4 * bodies.BODY)})) == bodies.BODY
    assert not bodies.floor(package("gzip", {f"{PATH}/tiny": bytes(bodies.SMALLEST - 1)}))


@pytest.mark.parametrize("spec", ["gzip", "zstd:3"])
def test_a_file_that_changed_after_its_digest_is_refused(spec: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(mixed(1 << 20, 1))
    made = replace(package(spec, {}), entries=(Entry(path=f"{PATH}/file", content=Content(file)),))
    assert made.entries[0].content is not None
    assert made.entries[0].content.sha256
    file.write_bytes(mixed(1 << 20, 2))
    with pytest.raises(PackageError, match="changed while it was packaged"):
        list(written(made, tmp_path / "out"))
    assert not list((tmp_path / "out").iterdir())
