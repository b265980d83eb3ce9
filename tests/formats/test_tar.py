"""Headers are those of GNU tar, at the sizes where formats part."""

from __future__ import annotations

import io
import tarfile

import pytest

from packaging_tool.errors import PackageError
from packaging_tool.formats import _ar, _tar
from packaging_tool.package import bodies
from packaging_tool.package.content import Content


@pytest.mark.parametrize("length", [1, 99, 100, 101, 255, 256, 511, 512, 513, 4000])
def test_names_and_link_targets_of_every_length_are_read_back(length: int) -> None:
    member = _tar.Member(b"n" * length, _tar.SYMLINK, 0o777, target=b"t" * length)
    data = b"".join(bodies.plain(_tar.stream([member], 5), "none"))
    assert len(data) == _tar.length([member])
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        (found,) = archive.getmembers()
    assert (found.name, found.linkname, found.mtime) == ("n" * length, "t" * length, 5)


@pytest.mark.parametrize("size", [0, 1, (8 << 30) - 1, 8 << 30, 1 << 40])
def test_sizes_beyond_8_gib_are_kept(size: int) -> None:
    found = tarfile.TarInfo.frombuf(
        _tar.header(_tar.Member(b"./big", _tar.FILE, 0o644, size=size), 0), "utf-8", "strict"
    )
    assert found.size == size
    assert found.uname == "root"


def test_headers_are_those_of_the_standard_library() -> None:
    info = tarfile.TarInfo("./usr/bin/x")
    info.mode, info.size, info.mtime, info.uname, info.gname = 0o4755, 12345, 1_700_000_000, "root", "tiny"
    member = _tar.Member(b"./usr/bin/x", _tar.FILE, 0o4755, "root", "tiny", 12345)
    assert _tar.header(member, 1_700_000_000) == info.tobuf(tarfile.GNU_FORMAT)


def test_small_and_big_files_are_padded_alike() -> None:
    sizes = [0, 1, 511, 512, 513, _tar.PIECE - 1, _tar.PIECE, _tar.PIECE + 1]
    members = [_tar.Member(b"./%d" % size, _tar.FILE, 0o644, size=size, content=Content(b"x" * size)) for size in sizes]
    data = b"".join(bodies.plain(_tar.stream(members, 0), "none"))
    assert len(data) == _tar.length(members)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert [member.size for member in archive] == sizes
    with io.BytesIO(data) as file:
        assert [found.size for found, _ in _tar.members(file)] == sizes


def test_a_member_that_ar_cannot_hold_is_refused() -> None:
    assert len(_ar.header("data.tar.gz", _ar.MAX_SIZE, 0)) == _ar.HEADER
    with pytest.raises(PackageError):
        _ar.header("data.tar.gz", _ar.MAX_SIZE + 1, 0)
