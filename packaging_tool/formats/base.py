"""What a package format must give. To add one: a module here with a class `Format` that fulfils this protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from packaging_tool.package.model import Alternatives, Kinds, Package
from packaging_tool.signing.base import Signer


@dataclass(frozen=True, slots=True)
class Built:
    """A package file that was written.

    path: of the file. size: bytes. sha256: of the whole file, hex. index: what the format's
    repository kind needs to list it without opening the file again, in its own words (deb: the control fields as
    text; rpm: the three XML stanzas).
    """

    path: Path
    size: int
    sha256: str
    name: str
    version: str
    architecture: str
    index: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Description:
    """A page about any package file, for `mkpkgs inspect`.

    fields: (label, value) rows. files: lines as `ls -l` shows them. scripts: (name, text)."""

    title: str
    fields: tuple[tuple[str, str], ...]
    files: tuple[str, ...]
    scripts: tuple[tuple[str, str], ...]


class Format(Protocol):
    """A package format.

    suffix: of file names. signs: whether a package file carries a signature of its own.
    """

    name: str
    suffix: str
    signs: bool

    def file_name(self, package: Package) -> str:
        """The usual name of the package's file (Debian Policy 5.6.x; rpm's NVRA)."""
        ...

    def spell(self, alternatives: Alternatives) -> str:
        """One relation in the format's syntax."""
        ...

    def scripts(self, package: Package) -> Mapping[str, str]:
        """Maintainer scripts, scriptlets and triggers by the format's names, for `mkpkgs plan`."""
        ...

    def write(self, package: Package, directory: Path, signer: Signer | None) -> Built:
        """Write the package into directory under its file name: beside, then rename. The caller syncs it.

        Raises PackageError if the format cannot carry the package; nothing is left behind then.
        """
        ...

    def index(self, path: Path) -> Built:
        """What `write` gave back for a file that lies in a repository's pool. Raises InputError if it is none."""
        ...

    def kinds(self, path: Path) -> Kinds:
        """What kinds of paths are in a file that lies in a repository's pool. Raises InputError if it is none."""
        ...

    def describe(self, path: Path) -> Description:
        """Read any file of this format, also one that others made. Raises InputError if it is none."""
        ...
