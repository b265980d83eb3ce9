"""A file of more than 4 GiB in an .rpm: the archive gets rpm's own headers, since cpio cannot say such a size."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from packaging_tool.formats.rpm import Format
from packaging_tool.package.content import Content
from packaging_tool.package.model import Entry, Relations
from tests.formats import samples
from tests.formats.rpms import Root, build, needs, output, plugin, query

pytestmark = [
    pytest.mark.acceptance,
    needs("rpm"),
    pytest.mark.skipif(os.geteuid() != 0, reason="rpm --root needs chroot(2)"),
]
SIZE = (4 << 30) + 5


def test_rpm_installs_a_file_of_more_than_4_gib(tmp_path: Path) -> None:
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(SIZE)
        file.seek(4 << 30)
        file.write(b"hello")
    entries = (
        samples.file("/usr/lib/x/before", "first"),
        Entry(path="/usr/lib/x/big", content=Content(big)),
        samples.symlink("/usr/lib/x/link", "before"),
        samples.file("/usr/lib/x/next", "last!"),
    )
    package = plugin(entries=entries, relations={"rpm": Relations()}, compression={"rpm": "zstd:1"})
    built = build(package, tmp_path)
    assert Format().index(built.path) == built
    assert output("rpm", "-K", built.path).strip() == f"{built.path}: digests OK"
    assert "rpmlib(LargeFiles) <= 4.12.0-1" in query(built.path, "--requires")
    assert int(query(built.path, "--qf", "%{LONGSIZE}")[0]) > SIZE
    root = Root(tmp_path / "root")
    try:
        assert root.rpm("-i", "--nodeps", built.path) == ""
        assert root.rpm("-V", "--nodeps", package.name) == ""
        assert (root.path / "usr/lib/x/big").stat().st_size == SIZE
        assert (root.path / "usr/lib/x/next").read_text() == "last!"
    finally:
        (root.path / "usr/lib/x/big").unlink(missing_ok=True)
        big.unlink()
