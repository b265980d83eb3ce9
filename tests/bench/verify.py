"""Looks with other people's tools whether what was measured is right, so that no speed comes from missing work."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.bench.measure import BenchError
from tests.bench.workload import Item


def packages(directory: Path, items: Sequence[Item], samples: int = 3) -> int:
    """Check that directory has every item as .deb and .rpm and unpack some; gives the bytes of all packages.

    Unpacked by dpkg-deb and rpm2cpio; the content must be that of the item's files. Raises BenchError.
    """
    size = 0
    for suffix, pattern, unpack in (
        (".deb", "{}_1.0.0-1_amd64.deb", _unpack_deb),
        (".rpm", "{}-1.0.0-1.x86_64.rpm", _unpack_rpm),
    ):
        found = {path.name: path for path in directory.rglob(f"*{suffix}")}
        wanted = {pattern.format(item.name): item for item in items}
        if set(found) != set(wanted):
            odd = sorted(set(found) ^ set(wanted))
            raise BenchError(f"{directory}: {len(found)} {suffix} for {len(wanted)} items, e.g. {odd[0]}")
        size += sum(path.stat().st_size for path in found.values())
        step = max(1, len(wanted) // samples)
        for name in sorted(wanted)[::step]:
            target = directory / "unpacked"
            unpack(found[name], target)
            _compare(target, wanted[name], found[name])
            subprocess.run(["rm", "-rf", target], check=True)
    return size


def _unpack_deb(package: Path, target: Path) -> None:
    _run(["dpkg-deb", "--extract", package, target])


def _unpack_rpm(package: Path, target: Path) -> None:
    _run(["rpm", "--checksig", "--nosignature", package])
    target.mkdir()
    # In a pipe: an archive in our memory would count as the peak of the next child. The status of rpm2cpio is 1 for
    # every package of nfpm, whatever it unpacked; the content is compared below.
    with subprocess.Popen(["rpm2cpio", package], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as reader:
        cpio = ["cpio", "--extract", "--make-directories", "--no-absolute-filenames", "--quiet"]
        done = subprocess.run(cpio, cwd=target, stdin=reader.stdout, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"cpio of {package}: {done.stderr}")


def _compare(target: Path, item: Item, package: Path) -> None:
    for path, source in item.files:
        unpacked = target / path.lstrip("/")
        if not unpacked.is_file() or sha256(unpacked) != sha256(source):
            raise BenchError(f"{package}: {path} is not the file that went in")


def apt(directory: Path, count: int) -> None:
    """Check that apt's index names this many packages."""
    found = sum(path.read_text().count("\nFilename: ") for path in directory.rglob("Packages"))
    if found != count:
        raise BenchError(f"{directory}: Packages names {found} files of {count}")


def yum(directory: Path, count: int) -> None:
    """Check that rpm metadata names this many packages."""
    primary = next(directory.rglob("*primary.xml.*"), None)
    if primary is None:
        raise BenchError(f"{directory}: no primary.xml")
    tool = {".gz": ["gzip", "-dc"], ".zst": ["zstd", "-dc"]}[primary.suffix]
    found = _run([*tool, primary]).count(b"<package type=")
    if found != count:
        raise BenchError(f"{primary}: {found} packages of {count}")


def _run(argv: Sequence[str | Path]) -> bytes:
    done = subprocess.run(argv, capture_output=True)
    if done.returncode != 0:
        raise BenchError(f"{argv[0]} {argv[-1]}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def sha256(path: Path) -> str:
    """SHA-256 of a file, hex; it is not in memory as a whole."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
