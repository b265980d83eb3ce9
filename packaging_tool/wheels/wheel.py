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
from packaging_tool.package import zips
from packaging_tool.package.manifest import NAMES, is_path

# Of a distribution, and its version: parts of names of files.
NAME = re.compile(r"[A-Za-z0-9._+][A-Za-z0-9._+-]*")
# The largest file that is unpacked, all of them, and their number: a wheel is a ZIP file of somebody else's.
LARGEST, WHOLE, MOST = 256 << 20, 2 << 30, 50_000
# METADATA and entry_points.txt, which are read as a whole.
LONGEST = 16 << 20
_LICENSE = re.compile(r"(?i)((un)?licen[cs]e|copying|copyright|notice)s?([-._].*)?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]{0,200}")


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
        message = email.parser.BytesParser().parsebytes(self._read(self._zip.getinfo(name), LONGEST), headersonly=True)
        found: dict[str, list[str]] = {}
        for key, value in message.items():
            found.setdefault(key, []).append(str(value))
        return found

    @property
    def name(self) -> str:
        return normal(self._said("Name", NAME))

    @property
    def version(self) -> str:
        return self._said("Version", _VERSION)

    @cached_property
    def license_texts(self) -> list[str]:
        """The license files that it brings, in `NAME.dist-info/licenses` (PEP 639) or beside METADATA, as before."""
        names = [name for name in self._names if re.fullmatch(r"[^/]+\.dist-info/(.*/)?[^/]+", name)]
        found = [self._zip.getinfo(name) for name in sorted(names) if _LICENSE.fullmatch(posixpath.basename(name))]
        return [self._read(info, LONGEST).decode(errors="replace").strip("\n") for info in found if not info.is_dir()]

    @cached_property
    def requires(self) -> list[str]:
        """Requirements on other distributions (PEP 508). Raises BuildError for what is none, or names an address.

        pip builds what such an address leads to, `--only-binary` or not, and building runs what is in it.
        """
        from packaging.requirements import InvalidRequirement, Requirement

        said = self.metadata.get("Requires-Dist", [])
        for text in said:
            if not text.isprintable():
                raise BuildError(f"{self.path.name} requires {text[:80]!r}, which has control characters")
            try:
                address = Requirement(text).url
            except InvalidRequirement as error:
                why = str(error).splitlines()[0]
                raise BuildError(f"{self.path.name} requires {text[:80]!r}, which is no requirement: {why}") from None
            if address:
                raise BuildError(
                    f"{self.path.name} requires {text[:80]!r}, an address, whose sources pip would build and run",
                    hint="let it require a version of an index",
                )
        return said

    def _said(self, key: str, pattern: re.Pattern[str]) -> str:
        said = self.metadata.get(key, [""])[0]
        if not pattern.fullmatch(said):
            raise BuildError(f"{self.path.name} is no wheel: its {key} is {said[:80]!r}")
        return said

    @cached_property
    def entry_points(self) -> tuple[tuple[str, str, str], ...]:
        """Group, name and module of each (PyPA's specification "Entry points"). Raises BuildError."""
        return tuple((group, key, re.split(r"[:\s\[]", value, maxsplit=1)[0]) for group, key, value in self._points)

    @property
    def scripts(self) -> dict[str, str]:
        """Programs by name, each as `module:function`. Raises BuildError."""
        programs = ("console_scripts", "gui_scripts")
        return {key: value.partition("[")[0].strip() for group, key, value in self._points if group in programs}

    @cached_property
    def _points(self) -> tuple[tuple[str, str, str], ...]:
        name = next((name for name in self._names if re.fullmatch(r"[^/]+\.dist-info/entry_points\.txt", name)), "")
        parser = configparser.RawConfigParser(delimiters=("=",), strict=False)
        parser.optionxform = str  # type: ignore[assignment, method-assign]  # as configparser says; names are of either case
        try:
            parser.read_string(self._read(self._zip.getinfo(name), LONGEST).decode() if name else "")
        except (configparser.Error, UnicodeDecodeError) as broken:
            why = str(broken).splitlines()[0]
            raise BuildError(f"{self.path.name} has an entry_points.txt that nobody can read: {why}") from None
        return tuple((group, key, value) for group in parser.sections() for key, value in parser.items(group))

    @property
    def is_pure(self) -> bool:
        """Whether its tag says that it runs on every machine."""
        return self.path.stem.rpartition("-")[2] == "any"

    def unpack(self, place: Path) -> list[str]:
        """Write its modules, data and metadata below place; names of the files, sorted.

        Left out is what nothing imports: scripts, headers, and files for other places of a system. Raises BuildError
        for names that no package of ours can have.
        """
        files = self._files()
        for name, info in files.items():
            target = place / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self._read(info, LARGEST))
        return sorted(files)

    def _files(self) -> dict[str, zipfile.ZipInfo]:
        """What is unpacked, by name below the place. Nothing of it is written if something cannot be."""
        found: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            name = self._target(info.filename)
            if info.is_dir() or not name:
                continue
            parts = name.split("/")
            if len(name) > 1024 or any(len(part.encode(errors="replace")) > 200 for part in parts):
                raise BuildError(f"{self.path.name} has a file whose name is too long: {name[:80]}…")
            if not is_path(name):
                raise BuildError(
                    f"the wheel {self.path.name}: no file of server or plugins can have the name {info.filename!r}",
                    hint=f"rename it where {self.name} is made, or leave it out of the wheel; if another wheel requires"
                    f" {self.name} and runs without it, name it in `without`: names of files are {NAMES}",
                )
            if name in found:
                raise BuildError(f"{self.path.name} has two files {name}")
            found[name] = info
        for name in found:
            above = posixpath.dirname(name)
            while above:
                if above in found:
                    raise BuildError(f"{self.path.name} has a file {above} and a file {name} below it")
                above = posixpath.dirname(above)
        if len(found) > MOST or sum(info.file_size for info in found.values()) > WHOLE:
            raise BuildError(f"{self.path.name} is too large to unpack")
        return found

    def _read(self, info: zipfile.ZipInfo, limit: int) -> bytes:
        """A file of the wheel, of at most limit bytes. Raises BuildError."""
        if info.file_size > limit:
            raise BuildError(f"{self.path.name} is too large to unpack: {info.filename!r} has {info.file_size} bytes")
        try:
            # It gives no more bytes than the archive says.
            return self._zip.read(info)
        except (OSError, *zips.BROKEN) as broken:
            raise BuildError(f"{self.path.name} cannot be unpacked: {info.filename!r}: {broken}") from None

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
        except (OSError, ValueError, *zips.BROKEN) as broken:
            raise BuildError(f"{self.path.name} is no wheel: {broken}") from None

    @cached_property
    def _names(self) -> list[str]:
        return self._zip.namelist()
