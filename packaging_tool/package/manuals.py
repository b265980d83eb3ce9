"""Manual pages as both families of distributions want them: compressed, so that a page is found under one name."""

from __future__ import annotations

import bz2
import lzma
import re
from dataclasses import replace
from pathlib import PurePosixPath

from packaging_tool.errors import PackageError
from packaging_tool.package import compress
from packaging_tool.package.content import Content
from packaging_tool.package.model import Entry

PLACE = "/usr/share/man/"
# man(1) finds these, too, but nobody's checker wants them; a name that only looks so is a page of its own (`x.xz`).
OTHERS = re.compile(r"(.*\.[0-9n][^./]*)\.(?:xz|lzma|bz2)")
UNPACK = {".xz": lzma.decompress, ".lzma": lzma.decompress, ".bz2": bz2.decompress}


def compressed(entry: Entry) -> Entry:
    """A manual page compressed (Debian Policy 12.1; rpm's brp-compress does the same); another entry as it is.

    Raises PackageError for a page in another compression that is damaged.
    """
    path = place(entry)
    if path == entry.path:
        return entry
    if entry.type == "symlink":
        target = entry.target if entry.target.endswith(".gz") else _name(entry.target)
        return replace(entry, path=path, target=target)
    text = entry.content.read() if entry.content is not None else b""
    if OTHERS.fullmatch(entry.path):
        try:
            text = UNPACK[PurePosixPath(entry.path).suffix](text)
        except (lzma.LZMAError, OSError, ValueError, EOFError) as failed:
            raise PackageError(f"{entry.path} cannot be unpacked: {failed}") from None
    return replace(entry, path=path, content=Content(compress.gzip(text)))


def place(entry: Entry) -> str:
    """Where an entry lies once it is compressed."""
    is_page = entry.path.startswith(PLACE) and (entry.type == "symlink" or entry.content is not None)
    return _name(entry.path) if is_page and not entry.path.endswith(".gz") else entry.path


def _name(path: str) -> str:
    found = OTHERS.fullmatch(path)
    return f"{found[1] if found else path}.gz"
