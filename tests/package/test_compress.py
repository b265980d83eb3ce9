"""Compressed streams are read by other people's programs and do not depend on how they were made."""

from __future__ import annotations

import lzma
import random
import shutil
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from packaging_tool.errors import BuildError, PackageError
from packaging_tool.package import compress, libdeflate

READERS = {
    "gzip": ["gzip", "-dc"],
    "xz": ["xz", "-dc"],
    "zstd": ["zstd", "-dc"],
    "none": ["cat"],
}
LENGTHS = [0, 1, compress.BLOCK - 1, compress.BLOCK, compress.BLOCK + 1, 3 * compress.BLOCK + 12345]


def sample(length: int) -> bytes:
    """Text-like data: compressible, but with matches across the borders of blocks."""
    rng = random.Random(4)  # noqa: S311 - test data, no secret
    words = [rng.randbytes(rng.randrange(3, 12)) for _ in range(500)]
    made = bytearray()
    while len(made) < length:
        made += rng.choice(words)
    return bytes(made[:length])


def packed(spec: str, data: bytes, piece: int = 1 << 16, size: int | None = None) -> bytes:
    stream = compress.compressor(spec, size)
    parts = [stream.update(memoryview(data)[start : start + piece]) for start in range(0, len(data), piece)]
    return b"".join((*parts, stream.finish()))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("spec", ["gzip", "gzip:1", "gzip:9", "xz:0", "zstd", "zstd:1", "none"])
def test_the_usual_program_reads_it_back(spec: str, length: int) -> None:
    reader = READERS[spec.partition(":")[0]]
    if shutil.which(reader[0]) is None:
        pytest.skip(f"{reader[0]} is not installed")
    data = sample(length)
    done = subprocess.run(reader, input=packed(spec, data), capture_output=True, check=True)
    assert done.stdout == data
    assert done.stderr == b""


@pytest.mark.skipif(shutil.which("xz") is None, reason="xz is not installed")
@pytest.mark.parametrize("length", [0, 1, 767 << 10, 768 << 10, (768 << 10) + 1, 5_000_000])
def test_xz_finds_one_stream_of_whole_blocks(length: int, tmp_path: Path) -> None:
    path = tmp_path / "x.xz"
    path.write_bytes(packed("xz:0", sample(length)))
    listed = subprocess.run(["xz", "--robot", "-l", path], capture_output=True, check=True).stdout.decode()
    streams, blocks, _, uncompressed = listed.splitlines()[1].split("\t")[1:5]
    assert (streams, blocks, uncompressed) == ("1", str(-(-length // (768 << 10))), str(length))
    subprocess.run(["xz", "-t", path], check=True)
    assert lzma.decompress(path.read_bytes()) == sample(length)


@pytest.mark.parametrize("spec", ["gzip:6", "xz:0", "zstd:3", "none"])
def test_bytes_do_not_depend_on_the_pieces(spec: str) -> None:
    data = sample(3 * compress.BLOCK + 7)
    assert packed(spec, data, 1000, len(data)) == packed(spec, data, 1 << 22, len(data))


@pytest.mark.parametrize("spec", ["gzip:6", "xz:0", "zstd:3"])
def test_bytes_do_not_depend_on_the_number_of_threads(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = sample(compress.ZSTD_THREADS_FROM + 5)
    made = set()
    for threads in (1, 2, 5):
        with ThreadPoolExecutor(threads) as pool, monkeypatch.context() as patch:
            patch.setattr(compress, "_cores", lambda threads=threads: threads)
            patch.setattr(compress, "_pool", lambda pool=pool: pool)
            made.add(packed(spec, data, 1 << 20, len(data)))
    assert len(made) == 1


def test_gzip_blocks_cost_little_beside_one_stream() -> None:
    data = sample(8 * compress.BLOCK)
    alone = subprocess.run(["gzip", "-6nc"], input=data, capture_output=True, check=True).stdout
    assert len(packed("gzip:6", data)) < len(alone) * 1.01


def test_changelog_gzip_has_no_time_and_the_head_of_gzip_9n() -> None:
    data = sample(20000)
    made = compress.gzip(data)
    judge = subprocess.run(["gzip", "-9nc"], input=data, capture_output=True, check=True).stdout
    assert made[:10] == judge[:10]
    assert len(made) <= len(judge) * 1.01
    assert subprocess.run(["gzip", "-dc"], input=made, capture_output=True, check=True).stdout == data


@pytest.mark.parametrize("spec", ["brotli", "gzip:0", "gzip:10", "xz:-1", "zstd:23", "gzip:", "gzip:x", "zstd:٣", ""])
def test_a_method_or_level_that_does_not_exist_is_refused(spec: str) -> None:
    with pytest.raises(PackageError):
        compress.compressor(spec)


def test_the_default_level_of_a_method_is_used() -> None:
    data = sample(1000)
    assert packed("gzip", data) == packed("gzip:6", data)


def test_gzip_stores_noise_between_text() -> None:
    text = sample(500_000)
    noise = random.Random(1).randbytes(300_000)  # noqa: S311 - the same bytes in every run
    data = noise + text + noise[:100_001] + text + noise
    made = packed("gzip:6", data)
    assert subprocess.run(READERS["gzip"], input=made, capture_output=True, check=True).stdout == data
    assert len(made) < 1.01 * len(zlib.compress(data, 6))
    assert noise[compress.PART : 2 * compress.PART] in made


def test_gzip_takes_nothing_for_noise_that_can_be_compressed() -> None:
    """Bytes in order, noise that comes again, and machine code have many of the 256 bytes as well."""
    again = random.Random(1).randbytes(1000) * 300  # noqa: S311 - the same bytes in every run
    for data in (bytes(range(256)) * 1000, again, Path(sys.executable).resolve().read_bytes()[:1_000_000]):
        assert len(packed("gzip:6", data)) < 1.05 * len(zlib.compress(data, 6))


@pytest.mark.parametrize("level", [0, 1, 6, 9])
@pytest.mark.parametrize("length", [0, 1, 70_000])
def test_the_shared_library_makes_what_the_module_makes(level: int, length: int) -> None:
    """A distribution has the library and no module of Python's; it may have another version, and then other bytes."""
    data = sample(length)
    made = libdeflate._of_library()(memoryview(data), level)
    assert subprocess.run(READERS["gzip"], input=made, capture_output=True, check=True).stdout == data
    assert len(made) < 1.02 * len(libdeflate.member(data, level))
    assert made[3:8] == bytes(5), "a flag or a time in the header"


def test_without_libdeflate_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libdeflate, "LIBRARY", "libdeflate.so.none")
    with pytest.raises(BuildError, match="gzip needs libdeflate") as caught:
        libdeflate._of_library()
    assert "pip install deflate" in caught.value.hint
