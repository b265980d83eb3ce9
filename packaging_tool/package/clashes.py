"""Whether packages that can be installed together leave each other's files alone."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from packaging_tool.errors import InputError
from packaging_tool.package.model import Package


def apart(made: Iterable[Package]) -> None:
    """Raises InputError where two packages that can be installed together have a file at one path, or one has a file
    below what is no directory in another one or in itself.

    Debug information of equal files is at one path, by its build id: that is nobody's fault.
    """
    known: dict[tuple[str, str], Package] = {}
    packages = [one for one in made if one.kind != "debug"]
    for package in packages:
        for family, entry in product(package.relations, package.entries):
            if entry.type == "directory":
                continue
            other = known.setdefault((family, entry.path), package)
            if other.name != package.name and not (_clash(other, package) or _clash(package, other)):
                raise InputError(
                    f"{entry.path} is in {other.name} and in {package.name}",
                    hint="give it another path in one of them; where a file stands for several cores, with {abi} in it",
                )

    for package in packages:
        for family, folder in product(package.relations, _folders(package)):
            at = known.get((family, folder))
            if at is not None and not (_clash(at, package) or _clash(package, at)):
                raise InputError(
                    f"{folder} is no directory in {at.name}, and {package.name} has something below it",
                    hint="dpkg would follow a link there, and rpm refuses it: give one of the two another path",
                )


def _folders(package: Package) -> set[str]:
    """All directories above what is in a package."""
    found: set[str] = set()
    for entry in package.entries:
        folder = entry.path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def _clash(one: Package, other: Package) -> bool:
    conflicts = (item for relations in one.relations.values() for item in relations.conflicts)
    return any(getattr(found, "name", "") == other.name for alternatives in conflicts for found in alternatives)
