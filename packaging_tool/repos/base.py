"""What a repository kind must give. To add one: a module here with a class `Repository` that fulfils this protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from packaging_tool.formats.base import Built
    from packaging_tool.project.model import RepositorySpec
    from packaging_tool.signing.base import Signer


class Published(NamedTuple):
    """A package that a repository lists: what the publish check (`publish.py`) must know of it.

    architecture: Debian's word for it. provides: names as the format spells them. depends: likewise, first alternative
    only. pins: name and version where it depends on exactly one version. file: relative to `dist/`. sha256: of the
    file, hex.
    """

    name: str
    version: str
    architecture: str
    provides: tuple[str, ...]
    depends: tuple[str, ...]
    pins: tuple[tuple[str, str], ...]
    file: str
    sha256: str


class Vouched(NamedTuple):
    """What is known of a repository by signatures.

    files: SHA-256 of packages by file, relative to `dist/`. strange: files of indexes that nobody vouches for.
    """

    files: Mapping[str, str]
    strange: tuple[Path, ...]


class Repository(Protocol):
    """A kind of repository below `dist/`.

    name: `apt`, `yum`: also its folder. title: for administrators. format: the package format that it serves.
    """

    name: str
    title: str
    format: str

    def pool(self, directory: Path, core: str) -> Path:
        """The folder below directory where package files of this core lie."""
        ...

    def published(self, directory: Path) -> tuple[Published, ...]:
        """What the repository in directory lists now; empty if there is none."""
        ...

    def files(self, directory: Path) -> Iterator[Path]:
        """All package files that `write` would list."""
        ...

    def indexes(self, directory: Path) -> Iterator[Path]:
        """The files of the index that is there now, of which `write` and `published` believe what they say."""
        ...

    def vouched(self, directory: Path, accepts: Callable[[bytes, bytes], bool]) -> Vouched:
        """What signed indexes list. accepts: whether a detached signature over data is good. Raises InputError."""
        ...

    def dated(self, directory: Path) -> int:
        """The date of the index in directory, seconds since 1970; 0 if there is none. Raises InputError."""
        ...

    def write(
        self,
        directory: Path,
        built: Sequence[Built],
        spec: RepositorySpec,
        core: str,
        time: int,
        signer: Signer,
    ) -> None:
        """Index all package files of the pool, those in built from their own stanzas, and sign the index.

        time: seconds since 1970 for Release's Date and repomd's revision, which are never ahead of the clock. Raises
        SigningError, OSError.
        """
        ...

    def client_files(self, spec: RepositorySpec, core: str, signer: Signer) -> dict[str, bytes]:
        """Files an administrator installs to use the repository, by name relative to `dist/`: source file and key."""
        ...

    def instructions(self, spec: RepositorySpec, name: str, packages: Sequence[str], unit: str) -> str:
        """Shell commands for an administrator to paste: add the repository, install packages, start the unit.

        name: of the client files. unit: "" if there is none to start.
        """
        ...
