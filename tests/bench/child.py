"""Our side of a measurement, as a process of its own: `python -m tests.bench.child write|index ARGUMENT…`.

As in the command, nothing is imported before it is needed.
"""

from __future__ import annotations

import gc
import importlib
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from packaging_tool.__main__ import be_patient

if TYPE_CHECKING:
    from packaging_tool.formats.base import Built
    from packaging_tool.package.model import Package
    from packaging_tool.repos.base import Repository
    from packaging_tool.signing.base import Signer
    from packaging_tool.signing.keys import Ring
    from packaging_tool.writing import Made


class Unsigned:
    """Stands in for a signer where the peers do not sign either."""

    fingerprint = ""
    key_kind = ""

    def detached(self, data: bytes) -> bytes:
        """No signature."""
        return b""

    def armored(self, data: bytes) -> bytes:
        """No signature."""
        return b""

    def clear(self, text: bytes) -> bytes:
        """The text, not signed."""
        return text

    def public_key(self) -> bytes:
        """No key."""
        return b""


class UnsignedRing:
    """A ring without keys; the formats leave the signature away."""

    fingerprint = ""
    package_signer = None


def write(items: Path, compression: str, output: Path, built: Path | None = None) -> None:
    """Write all packages, by what a build has for it. items: pickled. built: where the writers' answers go, pickled.

    Prints how long the final sync to the disk took, which no peer does.
    """
    import pickle

    from packaging_tool import atomic, registry, writing
    from packaging_tool.state import State
    from tests.bench import workload

    packages: list[Package] = workload.packages(pickle.loads(items.read_bytes()), compression)  # noqa: S301 - ours
    formats = {name: registry.load("formats", name).Format() for name in ("deb", "rpm")}
    kinds = [registry.load("repos", name).Repository() for name in ("apt", "yum")]
    places = writing.places(formats, {kind.format: kind for kind in kinds}, output, "bench")
    made: dict[str, list[Built]] = {name: [] for name in formats}

    def record(one: Made) -> None:
        made[one.family].append(one.built)

    sync_files = atomic.sync_files

    def timed(paths: Iterable[Path]) -> None:
        began = time.perf_counter()
        sync_files(paths)
        print(f"{time.perf_counter() - began:.4f}")

    atomic.sync_files = timed
    writing.Writer(places, output, cast("Ring", UnsignedRing()), State(), record).write(packages, jobs=2)
    if built is not None:
        built.write_bytes(pickle.dumps(made))


def index(kind: str, built: Path, output: Path) -> None:
    """Write the index of one repository kind from what the writers said of its packages.

    Prints how long that took without start-up, imports and reading their answers: within a build all of it is there.
    """
    import pickle

    from packaging_tool import registry
    from packaging_tool.project.model import RepositorySpec
    from tests.bench import workload

    repository = cast("Repository", registry.load("repos", kind).Repository())
    made = pickle.loads(built.read_bytes())[repository.format]  # noqa: S301 - ours
    for module in (f"formats.{repository.format}", "package.templates"):
        importlib.import_module(f"packaging_tool.{module}")
    import jinja2  # noqa: F401 - the writers have rendered scripts with it before

    began = time.perf_counter()
    repository.write(output, made, RepositorySpec(), "bench", workload.TIME, cast("Signer", Unsigned()))
    print(f"{time.perf_counter() - began:.4f}")


def main(arguments: list[str]) -> None:
    """Run one of the functions above, in a process that begins and ends as that of the command does."""
    be_patient()
    if arguments[0] == "write":
        write(Path(arguments[1]), arguments[2], Path(arguments[3]), *map(Path, arguments[4:]))
    else:
        index(arguments[1], Path(arguments[2]), Path(arguments[3]))
    gc.freeze()


if __name__ == "__main__":
    main(sys.argv[1:])
