"""Manual pages as both families of distributions want them: compressed, so that a page is found under one name."""

from __future__ import annotations

from dataclasses import replace

from packaging_tool.package import compress
from packaging_tool.package.content import Content
from packaging_tool.package.model import Entry


def compressed(entry: Entry) -> Entry:
    """A manual page compressed (Debian Policy 12.1; rpm's brp-compress does the same); another entry as it is."""
    if not entry.path.startswith("/usr/share/man/") or entry.path.endswith(".gz"):
        return entry
    if entry.type == "symlink":
        target = entry.target if entry.target.endswith(".gz") else f"{entry.target}.gz"
        return replace(entry, path=f"{entry.path}.gz", target=target)
    if entry.content is None:
        return entry
    return replace(entry, path=f"{entry.path}.gz", content=Content(compress.gzip(entry.content.read())))
