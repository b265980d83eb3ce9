"""Writing the packages of a run: the small ones by processes, the others by threads, the largest first."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from packaging_tool import atomic, state, threads, workers
from packaging_tool.errors import BuildError
from packaging_tool.package import bodies

if TYPE_CHECKING:
    from packaging_tool.formats.base import Built, Format
    from packaging_tool.package.model import Package
    from packaging_tool.repos.base import Repository
    from packaging_tool.signing.keys import Ring

# Bytes of content below which a package is small: compressing them takes less time than all else.
SMALL = 128 << 10


class Place(NamedTuple):
    """Where new packages of a format go. prefix: of their names below the output directory."""

    format: Format
    folder: Path
    prefix: str


class Made(NamedTuple):
    """A package file. relative: its name below the output directory. mark: hash of its making.

    new: it was written now, else it was there and is still right.
    """

    family: str
    relative: str
    mark: str
    built: Built
    new: bool


def places(
    formats: Mapping[str, Format], repositories: Mapping[str, Repository], output: Path, project: str
) -> dict[str, Place]:
    """The places of formats, in the pools of their repositories, which are made."""
    made = {}
    for family, kind in formats.items():
        folder = repositories[family].pool(output, project)
        folder.mkdir(parents=True, exist_ok=True)
        made[family] = Place(kind, folder, f"{os.path.relpath(folder, output)}/")
    return made


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes packages in their formats. output: directory of the last run. known: what that one made.

    places: gives the places by format; not called before the first files are hashed, since formats take some 10 ms to
    import. record: is told of each file. Raises PackageError, SigningError, BuildError.
    """

    places: Callable[[], Mapping[str, Place]]
    output: Path
    ring: Ring
    known: state.State
    record: Callable[[Made], None]

    def write(self, packages: Sequence[Package], jobs: int) -> None:
        """Write every package in every format it is for, onto the disk. jobs: how many at a time."""
        new = []
        with _without_collector(), closing(self._written(packages, jobs)) as files:
            for made in files:
                self.record(made)
                if made.new:
                    new.append(made.built.path)
        try:
            atomic.sync_files(new)
        except OSError as failed:
            raise BuildError(f"cannot write the packages: {failed.strerror}") from failed

    def _written(self, packages: Sequence[Package], jobs: int) -> Generator[Made, None, None]:
        sizes = {id(package): _size(package) for package in packages}
        ordered = sorted(packages, key=lambda package: (-sizes[id(package)], package.name, package.architecture))
        small = [package for package in ordered if sizes[id(package)] < SMALL]
        if small:
            # Before the forks, so that it is done once.
            state.own_fingerprint()
            self.places()
        with closing(workers.spread(self._whole, small, jobs)) as found:
            for files in found:
                yield from files
        tasks = _tasks(ordered[: len(ordered) - len(small)])
        with closing(threads.each(self._some, tasks, jobs)) as made:
            yield from made

    def _whole(self, package: Package) -> list[Made]:
        """A package in all its formats."""
        return list(self._some((package, sorted(package.relations))))

    def _some(self, task: tuple[Package, Sequence[str]]) -> Iterator[Made]:
        """A package in some of its formats."""
        package, families = task
        fingerprint = state.fingerprint(package)
        for family in families:
            yield self._file(package, family, fingerprint)
        bodies.forget(package)

    def _file(self, package: Package, family: str, fingerprint: str) -> Made:
        place = self.places()[family]
        name = place.format.file_name(package)
        relative = place.prefix + name
        mark = state.digest([family, self.ring.fingerprint, state.own_fingerprint(), fingerprint])
        kept = self.known.reusable(self.output, relative, mark)
        if kept is not None:
            return Made(family, relative, mark, replace(kept, path=place.folder / name), new=False)
        try:
            built = place.format.write(package, place.folder, self.ring.package_signer)
        except OSError as failed:
            raise BuildError(f"cannot write {name}: {failed.strerror}") from failed
        return Made(family, relative, mark, built, new=True)


@contextmanager
def _without_collector() -> Iterator[None]:
    """What is made here has no cycles, and looking for some takes 3 % of the time of many packages."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _tasks(packages: Iterable[Package]) -> Iterator[tuple[Package, Sequence[str]]]:
    """What one thread does in a row: formats that share compressed files, since two would wait for the same file."""
    for package in packages:
        families = sorted(package.relations)
        if bodies.floor(package):
            yield package, families
        else:
            yield from ((package, [family]) for family in families)


def _size(package: Package) -> int:
    return sum(entry.content.size for entry in package.entries if entry.content is not None)
