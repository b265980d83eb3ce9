"""Readers of the indexes in `dist/`, which may have been fetched from a server before the next release."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from packaging_tool.package import versions
from packaging_tool.package.compress import gzip
from packaging_tool.project.model import RepositorySpec
from packaging_tool.repos import apt, yum
from packaging_tool.repos.base import Published
from tests.fuzz.readers.target import Target, holds, scratch

SPEC = RepositorySpec()
INDEX = "dists/stable/main/binary-amd64/Packages"
# Between the parts of one input: `repomd.xml` and the unpacked primary, `Packages` and `Release`.
CUT = b"\n\0\n"


class _Signer:
    """Signs as far as an index is concerned; what is signed is another target's matter."""

    fingerprint, key_kind = "00" * 20, "ed25519"

    def detached(self, data: bytes) -> bytes:
        return b"signed"

    armored = clear = detached

    def public_key(self) -> bytes:
        return b"key"


@cache
def _made() -> Path:
    """A `dist/` with a core and a plugin in both repositories."""
    from packaging_tool.formats import deb, rpm
    from tests.repos.conftest import package

    dist = scratch() / "made"
    for repository, format_ in ((apt.Repository(), deb.Format()), (yum.Repository(), rpm.Format())):
        pool = repository.pool(dist, "caddy")
        pool.mkdir(parents=True)
        built = [format_.write(package(name), pool, None) for name in ("caddy", "caddy-plugin-git")]
        repository.write(dist, built, SPEC, "caddy", 1_700_000_000, _Signer())
    return dist


@cache
def _dist() -> Path:
    """A copy whose index each input replaces."""
    shutil.copytree(_made(), scratch() / "dist")
    return scratch() / "dist"


def _is_below(dist: Path, published: tuple[Published, ...]) -> None:
    for item in published:
        holds((dist / item.file).resolve().is_relative_to(dist.resolve()), f"{item.file} leads out of dist/")
        versions.key(item.version)


def _read_apt(data: bytes) -> None:
    dist = _dist()
    packages, _, release = data.partition(CUT)
    # What the input before made of it must not matter.
    shutil.rmtree(dist / "apt" / "dists")
    (dist / "apt" / INDEX).parent.mkdir(parents=True)
    (dist / "apt" / INDEX).write_bytes(packages)
    (dist / "apt/dists/stable/Release").write_bytes(release)
    repository = apt.Repository()
    _is_below(dist, repository.published(dist))
    # The next release reads the old index too, for what it need not read from the files.
    _touch(dist / "apt" / INDEX)
    repository.write(dist, (), SPEC, "caddy", 0, _Signer())
    holds(len(repository.published(dist)) == 2, "packages are lost, or others have come")


def _touch(path: Path) -> None:
    later = time.time() + 10
    os.utime(path, (later, later))


def _apts() -> Iterator[bytes]:
    root = _made() / "apt"
    release = (root / "dists/stable/Release").read_bytes()
    yield (root / INDEX).read_bytes() + CUT + release
    yield CUT + release


def _read_yum(data: bytes) -> None:
    dist = _dist()
    repomd, cut, primary = data.partition(CUT)
    repodata = dist / "yum" / "repodata"
    shutil.rmtree(repodata)
    shutil.copytree(_made() / "yum" / "repodata", repodata)
    for path in repodata.glob("*-primary.xml.gz"):
        path.write_bytes(gzip(primary) if cut else primary)
    (repodata / "repomd.xml").write_bytes(repomd)
    repository = yum.Repository()
    _is_below(dist, repository.published(dist))
    _touch(repodata / "repomd.xml")
    repository.write(dist, (), SPEC, "caddy", 0, _Signer())
    holds(len(repository.published(dist)) == 2, "packages are lost, or others have come")


def _yums() -> Iterator[bytes]:
    repodata = _made() / "yum" / "repodata"
    repomd = (repodata / "repomd.xml").read_bytes()
    yield repomd + CUT + yum._data(_made() / "yum", "primary").encode()
    yield repomd
    yield CUT


def _read_gzip(data: bytes) -> None:
    """The packed index, as it lies there."""
    dist = _dist()
    shutil.rmtree(dist / "yum" / "repodata")
    shutil.copytree(_made() / "yum" / "repodata", dist / "yum" / "repodata")
    for path in (dist / "yum" / "repodata").glob("*-primary.xml.gz"):
        path.write_bytes(data)
    _is_below(dist, yum.Repository().published(dist))


def _gzips() -> Iterator[bytes]:
    yield gzip(yum._data(_made() / "yum", "primary").encode())
    yield gzip(b"")


TARGETS = (
    Target("apt-index", _read_apt, _apts, words=(CUT, b"\n\nPackage: ", b"\nFilename: ", b"../"), longest=1 << 13),
    Target(
        "yum-index", _read_yum, _yums, words=(CUT, b"<package ", b"</package>", b"<location href="), longest=1 << 13
    ),
    Target("yum-packed", _read_gzip, _gzips, longest=1 << 13),
)
