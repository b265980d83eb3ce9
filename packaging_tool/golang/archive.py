"""Splits Go's archives: what the linker reads and what the compiler reads.

A compiled package is an ar archive (cmd/internal/archive): first `__.PKGDEF` with the export data, then `_go_.o` and
one member per assembler file. The linker skips the first, the compiler reads nothing else.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from packaging_tool.errors import BuildError

_MAGIC = b"!<arch>\n"
_HEADER = 60
# Go names a file of its build cache after the SHA-256 of its content.
_CACHED = re.compile(r"([0-9a-f]{64})-d")


@dataclass(frozen=True, slots=True)
class Split:
    """One package, split. sha256: of the whole archive. object, export: files for link and for compile."""

    sha256: str
    object: Path
    export: Path


class Store:
    """Split archives by the SHA-256 of the archive, so that no archive is split twice. Files in it never change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def split(self, archive: Path) -> Split:
        """Split one archive. Raises BuildError if it is not one of Go's, OSError."""
        if (named := _CACHED.fullmatch(archive.name)) is not None and _is_whole(self._at(named[1]), archive):
            return self._at(named[1])
        if archive.stat().st_size <= len(_MAGIC) + _HEADER:
            raise BuildError(f"{archive}: not an archive of a Go package")
        with archive.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            split = self._at(hashlib.sha256(data).hexdigest())
            if _is_whole(split, archive):
                return split
            end = _end_of_export(data, archive)
            split.object.parent.mkdir(exist_ok=True)
            with memoryview(data) as view:
                _write(split.export, [view[:end]])
                # The object is written last: where it is, the export data is there too.
                _write(split.object, [_MAGIC, view[end:]])
        return split

    def prune(self) -> None:
        """Remove what no payload uses: payloads are hard links to these files."""
        for path in self.folder.glob("*/*"):
            if path.suffix not in (".object", ".export"):
                # Left by a run that was killed.
                path.unlink()
            elif path.suffix == ".object" and path.stat().st_nlink == 1:
                path.unlink()
                path.with_suffix(".export").unlink(missing_ok=True)

    def _at(self, sha256: str) -> Split:
        folder = self.folder / sha256[:2]
        return Split(sha256, folder / f"{sha256}.object", folder / f"{sha256}.export")


def _is_whole(split: Split, archive: Path) -> bool:
    """Whether both files are there in full: after a power cut or a full disk they may be shorter, even empty."""
    try:
        return split.object.stat().st_size + split.export.stat().st_size == archive.stat().st_size + len(_MAGIC)
    except FileNotFoundError:
        return False


def _end_of_export(data: mmap.mmap, archive: Path) -> int:
    name, size = data[8:24].rstrip(), data[56:66]
    if data[:8] != _MAGIC or name != b"__.PKGDEF" or not size.strip().isdigit():
        raise BuildError(f"{archive}: not an archive of a Go package")
    end = len(_MAGIC) + _HEADER + int(size)
    end += end % 2
    # A whole header must follow, or the archive was cut off and the linker would get nothing.
    if data[end + _HEADER - 2 : end + _HEADER] != b"`\n":
        raise BuildError(f"{archive}: the archive of a Go package is cut off")
    return end


def _write(path: Path, pieces: list[bytes | memoryview]) -> None:
    handle, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                file.write(piece)
        temporary.chmod(0o644)
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def file_name(import_path: str) -> str:
    """A relative file name for an import path, of [A-Za-z0-9._/-] and `+XX` for every other byte, as manifests want."""
    return "".join(
        character if character.isascii() and (character.isalnum() or character in "._/-") else _escaped(character)
        for character in import_path
    )


def _escaped(character: str) -> str:
    return "".join(f"+{byte:02X}" for byte in character.encode())
