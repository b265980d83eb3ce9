"""The lintian overrides of a package: what is meant although lintian warns, each with the reason as comment beside it.

Facts of the content choose them, never a package's name, so another server gets the right ones too.
"""

from __future__ import annotations

import posixpath
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from packaging_tool.package.model import Entry, Package

# Program headers of a linked program stand within this.
HEAD = 4096
# What has fewer bytes is neither a program nor an archive with something in it.
SMALLEST = 128
# From so many files on, one line with a wildcard stands for all.
MANY = 4
FIRST_UPLOAD = "This is not an upload to Debian, so there is no bug that asks for it."
PRIVATE = "Only root and the service's group may look in here."
CLOSED = "Its mode is what it is for: not everybody may read it, or change it by mistake."
STATIC = "A static program runs on every release, and linking plugins into it gives the same bytes on each."
GO_ARCHIVE = "These archives hold Go's own object format, which is no ELF: Go's linker reads them."
UNFINISHED = "It reads what a killed dpkg left unfinished, which no program of dpkg tells, and changes nothing there."
FILLED = "Other packages put their files in here."


class Override(NamedTuple):
    """A tag, the path that it is about (or ""), and why it is right here."""

    tag: str
    path: str
    reason: str


def overrides(package: Package, entries: Sequence[Entry]) -> bytes:
    """The text of the overrides file (Lintian User's Manual 2.4), or b"" if nothing is to be overridden.

    Contexts are wildcards around the path: what else lintian prints there differs from release to release.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for override in (*_of_changelog(package), *_of_tool(package), *_of_entries(package, entries)):
        found.setdefault((override.reason, override.tag), []).append(override.path)
    lines: list[str] = []
    for (reason, tag), paths in found.items():
        lines.append(f"# {reason}")
        lines += (f"{package.name}: {tag} {context}" for context in _contexts(paths))
    return "".join(f"{line}\n" for line in lines).encode()


def _contexts(paths: Sequence[str]) -> list[str]:
    if len(paths) >= MANY:
        common = posixpath.commonpath(paths)
        if common.count("/") >= 2:
            return [f"*{common[1:]}/*"]
    return [f"*{path[1:]}*" if path else "*" for path in paths]


def _of_changelog(package: Package) -> Iterator[Override]:
    first = len(package.changelog) == 1 and package.changelog[0].version.endswith("-1")
    if first and not any("closes:" in text.lower() for text in package.changelog[0].changes):
        yield Override("initial-upload-closes-no-bugs", "", FIRST_UPLOAD)


def _of_tool(package: Package) -> Iterator[Override]:
    if package.lifecycle is not None:
        yield Override("uses-dpkg-database-directly", package.lifecycle.tool, UNFINISHED)


def _of_entries(package: Package, entries: Sequence[Entry]) -> Iterator[Override]:
    core = package.kind == "core"
    filled = {posixpath.dirname(entry.path) for entry in entries} if core else set()
    for entry in entries:
        if entry.type == "directory":
            if entry.mode != 0o755:
                yield Override("non-standard-dir-perm", f"{entry.path}/", PRIVATE)
            if core and entry.path not in filled and not entry.path.startswith(("/etc/", "/var/")):
                yield Override("package-contains-empty-directory", f"{entry.path}/", FILLED)
            continue
        if entry.content is not None and entry.mode not in (0o644, 0o755):
            kind = "executable" if entry.mode & 0o111 else "file"
            yield Override(f"non-standard-{kind}-perm", entry.path, CLOSED)
        if entry.content is not None and entry.content.size >= SMALLEST:
            head = entry.content.head(HEAD)
            if head.startswith(b"\x7fELF") and is_static(head):
                yield Override("statically-linked-binary", entry.path, STATIC)
            elif head.startswith(b"!<arch>\n") and head[68:78] == b"go object ":
                yield Override("no-code-sections", entry.path, GO_ARCHIVE)


def is_static(head: bytes) -> bool:
    """Whether a file that begins like this is an ELF program without interpreter and dynamic section.

    It is ET_EXEC and has neither PT_INTERP nor PT_DYNAMIC (System V ABI, chapters 4 and 5).
    """
    order = "<" if head[5] == 1 else ">"
    if head[4] == 2:
        kind, table, entry_size, count = struct.unpack_from(f"{order}16xH14xQ14xHH", head)
    else:
        kind, table, entry_size, count = struct.unpack_from(f"{order}16xH10xI10xHH", head)
    if kind != 2 or entry_size < 4 or table + entry_size * count > len(head):
        return False
    kinds = {struct.unpack_from(f"{order}I", head, table + entry_size * number)[0] for number in range(count)}
    return not kinds & {2, 3}
