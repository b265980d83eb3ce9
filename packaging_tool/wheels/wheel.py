"""Reads wheels (PEP 427) without installing them: what they require, and where their files go."""

from __future__ import annotations

import configparser
import email.parser
import posixpath
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from packaging_tool.errors import BuildError

# What manifests can name and the target tool takes.
NAME = re.compile(r"[A-Za-z0-9._+][A-Za-z0-9._+-]*")
# The largest file that is unpacked, and their number: a wheel is a ZIP file of somebody else's.
LARGEST, MOST = 256 << 20, 50_000


def normal(name: str) -> str:
    """The name of a distribution as packaging.python.org compares them."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True)
class Wheel:
    """A wheel file."""

    path: Path

    @cached_property
    def metadata(self) -> Mapping[str, list[str]]:
        """All fields of METADATA, each with its values."""
        name = next((name for name in self._names if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)), "")
        if not name:
            raise BuildError(f"{self.path.name} is no wheel: it has no METADATA")
        message = email.parser.BytesParser().parsebytes(self._zip.read(name), headersonly=True)
        found: dict[str, list[str]] = {}
        for key, value in message.items():
            found.setdefault(key, []).append(str(value))
        return found

    @property
    def name(self) -> str:
        return normal(self.metadata.get("Name", [""])[0])

    @property
    def version(self) -> str:
        return self.metadata.get("Version", [""])[0]

    @property
    def license(self) -> str:
        """The SPDX expression, "" if it has none."""
        return self.metadata.get("License-Expression", [""])[0]

    @property
    def requires(self) -> list[str]:
        """Requirements on other distributions (PEP 508)."""
        return self.metadata.get("Requires-Dist", [])

    @cached_property
    def entry_points(self) -> tuple[tuple[str, str, str], ...]:
        """Group, name and module of each (PyPA's specification "Entry points"). Raises BuildError."""
        name = next((name for name in self._names if re.fullmatch(r"[^/]+\.dist-info/entry_points\.txt", name)), "")
        parser = configparser.RawConfigParser(delimiters=("=",), strict=False)
        # Names are of either case.
        parser.optionxform = str  # type: ignore[assignment, method-assign]
        try:
            parser.read_string(self._zip.read(name).decode() if name else "")
        except (configparser.Error, UnicodeDecodeError) as broken:
            why = str(broken).splitlines()[0]
            raise BuildError(f"{self.path.name} has an entry_points.txt that nobody can read: {why}") from None
        return tuple(
            (group, key, re.split(r"[:\s\[]", value, maxsplit=1)[0])
            for group in parser.sections()
            for key, value in parser.items(group)
        )

    @property
    def is_pure(self) -> bool:
        """Whether its tag says that it runs on every machine."""
        return self.path.stem.rpartition("-")[2] == "any"

    def unpack(self, place: Path) -> list[str]:
        """Write its modules, data and metadata below place; names of the files, sorted.

        Left out is what nothing imports: scripts, headers, and files for other places of a system. Raises BuildError
        for names that no package of ours can have.
        """
        written: list[str] = []
        for info in self._zip.infolist():
            name = self._target(info.filename)
            if info.is_dir() or not name:
                continue
            parts = name.split("/")
            if ".." in parts or not all(NAME.fullmatch(part) for part in parts):
                raise BuildError(
                    f"{self.path.name} has a file {info.filename!r}, a name that no plugin can have",
                    hint=f"leave {self.name} out by `without`, if the server runs without it",
                )
            if info.file_size > LARGEST or len(written) == MOST:
                raise BuildError(f"{self.path.name} is too large to unpack")
            target = place / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self._zip.read(info))
            written.append(name)
        return sorted(written)

    def _target(self, name: str) -> str:
        """Where a file goes below the site directory, "" if nowhere."""
        found = re.fullmatch(r"[^/]+\.data/([^/]+)/(.*)", name)
        if found:
            return found[2] if found[1] in ("purelib", "platlib") else ""
        # Our own copy is no installation that others may change.
        return "" if posixpath.basename(name) in ("RECORD.jws", "RECORD.p7s") else name

    @cached_property
    def _zip(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, OSError) as broken:
            raise BuildError(f"{self.path.name} is no wheel: {broken}") from None

    @cached_property
    def _names(self) -> list[str]:
        return self._zip.namelist()
