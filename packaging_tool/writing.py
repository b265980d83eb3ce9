"""Writing the packages of a run, by a process for each processor, the largest first."""

from __future__ import annotations

import gc
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from packaging_tool import atomic, state, workers
from packaging_tool.errors import BuildError
from packaging_tool.package import bodies

if TYPE_CHECKING:
    from packaging_tool.formats.base import Built, Format
    from packaging_tool.package.model import Package
    from packaging_tool.repos.base import Repository
    from packaging_tool.signing.keys import Ring

# What a package file costs beside its content, in bytes of content that cost as much; and what a process is worth.
OWN = 128 << 10
LEAST = 1 << 20
# What a process does in a row: a package in some of its formats.
Task = tuple["Package", Sequence[str]]


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

    places: by format. record: is told of each file. Raises PackageError, SigningError, BuildError.
    """

    places: Mapping[str, Place]
    output: Path
    ring: Ring
    known: state.State
    record: Callable[[Made], None]

    def write(self, packages: Sequence[Package], jobs: int) -> None:
        """Write every package in every format it is for, onto the disk. jobs: how many at a time."""
        new = []
        tasks = sorted(_tasks(packages), key=lambda task: (-_cost(task), task[0].name, task[0].architecture, task[1]))
        # Before the forks, so that it is done once.
        state.own_fingerprint()
        # A fork costs something, too.
        jobs = min(jobs, sum(map(_cost, tasks)) // LEAST)
        with _without_collector(), closing(workers.spread(self._files, tasks, jobs)) as found:
            for made in itertools.chain.from_iterable(found):
                self.record(made)
                if made.new:
                    new.append(made.built.path)
        try:
            atomic.sync_files(new)
        except OSError as failed:
            raise BuildError(f"cannot write the packages: {failed.strerror}") from failed

    def _files(self, task: Task) -> list[Made]:
        package, families = task
        # Asked as late as can be: files of which nothing is known yet are hashed on their way into the package.
        fingerprint = cache(lambda: state.fingerprint(package))
        made = [self._file(package, family, fingerprint) for family in families]
        bodies.forget(package)
        return made

    def _file(self, package: Package, family: str, fingerprint: Callable[[], str]) -> Made:
        place = self.places[family]
        name = place.format.file_name(package)
        relative = place.prefix + name
        if relative in self.known.packages:
            mark = self._mark(family, fingerprint())
            kept = self.known.reusable(self.output, relative, mark)
            if kept is not None:
                return Made(family, relative, mark, replace(kept, path=place.folder / name), new=False)
        try:
            signer = self.ring.package_signer if place.format.signs else None
            built = place.format.write(package, place.folder, signer)
        except OSError as failed:
            raise BuildError(f"cannot write {name}: {failed.strerror}") from failed
        return Made(family, relative, self._mark(family, fingerprint()), built, new=True)

    def _mark(self, family: str, fingerprint: str) -> str:
        return state.digest([family, self.ring.fingerprint, state.own_fingerprint(), fingerprint])


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


def _tasks(packages: Iterable[Package]) -> Iterator[Task]:
    """Formats that share compressed files are one task, and so are those of small packages."""
    for package in packages:
        families = sorted(package.relations)
        if bodies.floor(package) or _size(package) < OWN:
            yield package, families
        else:
            yield from ((package, [family]) for family in families)


def _cost(task: Task) -> int:
    package, families = task
    return OWN * len(families) + _size(package)


def _size(package: Package) -> int:
    return sum(entry.content.size for entry in package.entries if entry.content is not None)
