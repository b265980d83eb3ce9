"""Writing the packages of a run: the small ones by processes, the others by threads, the largest first."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from packaging_tool import state, workers
from packaging_tool.errors import BuildError
from packaging_tool.formats.base import Built, Format
from packaging_tool.package import bodies
from packaging_tool.package.model import Package
from packaging_tool.signing.keys import Ring

# Bytes of content below which a package is small: compressing them takes less time than all else.
SMALL = 128 << 10


class Pool(NamedTuple):
    """Where new packages of a format go. place: of the folder below the output directory."""

    folder: Path
    place: str


class Made(NamedTuple):
    """A package file. relative: its place below the output directory, as the path in built. mark: hash of its making.

    new: it was written now, else it was there and is still right.
    """

    family: str
    relative: str
    mark: str
    built: Built
    new: bool


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes packages in their formats. output: directory of the last run. known: what that one made.

    record: is told of each file, from several threads. Raises PackageError, SigningError, BuildError.
    """

    formats: Mapping[str, Format]
    pools: Mapping[str, Pool]
    output: Path
    ring: Ring
    known: state.State
    record: Callable[[Made], None]

    def write(self, packages: Iterable[Package], jobs: int) -> None:
        """Write every package in every format it is for. jobs: how many at a time."""
        with _without_collector():
            self._write(packages, jobs)

    def _write(self, packages: Iterable[Package], jobs: int) -> None:
        ordered = sorted(packages, key=lambda package: (-_size(package), package.name, package.architecture))
        small = [package for package in ordered if _size(package) < SMALL]
        # Before the forks, so that it is done once.
        state.own_fingerprint()
        with closing(workers.spread(self._whole, small, jobs)) as found:
            for files in found:
                for made in files:
                    self.record(made)
        self._threads(ordered[: len(ordered) - len(small)], jobs)

    def _threads(self, packages: Iterable[Package], jobs: int) -> None:
        stop = threading.Event()

        def write(package: Package, families: Sequence[str]) -> None:
            fingerprint = state.fingerprint(package)
            for family in families:
                if stop.is_set():
                    return
                self.record(self._file(package, family, fingerprint))
            bodies.forget(package)

        with ThreadPoolExecutor(jobs) as pool:
            waiting = [pool.submit(write, *task) for task in _tasks(packages)]
            try:
                for future in as_completed(waiting):
                    future.result()
            except BaseException:
                stop.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _whole(self, package: Package) -> list[Made]:
        """A package in all its formats."""
        fingerprint = state.fingerprint(package)
        made = [self._file(package, family, fingerprint) for family in sorted(package.relations)]
        bodies.forget(package)
        return made

    def _file(self, package: Package, family: str, fingerprint: str) -> Made:
        writer, pool = self.formats[family], self.pools[family]
        relative = f"{pool.place}/{writer.file_name(package)}"
        mark = state.digest([family, self.ring.fingerprint, state.own_fingerprint(), fingerprint])
        kept = self.known.reusable(self.output, relative, mark)
        if kept is not None:
            return Made(family, relative, mark, kept, new=False)
        try:
            built = writer.write(package, pool.folder, self.ring.package_signer)
        except OSError as failed:
            raise BuildError(f"cannot write {writer.file_name(package)}: {failed.strerror}") from failed
        return Made(family, relative, mark, replace(built, path=Path(relative)), new=True)


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
