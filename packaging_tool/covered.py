"""Whether what lies in an output directory is ours, before it is listed, signed and published once more.

A checkout may bring a `dist/` of somebody else: a fork's author put packages there, or an index that says what he likes
of them. So a file counts as published only if one of these is so:

- a run of this machine wrote the repositories over it, and nobody touched it since (`state`),
- this machine built it from this project,
- an index lists it by its hash, and that is signed by the repository key, or, of descriptions for authors, by a key of
  manifests; also by one that was it before, whose public key lies in the directory of the keys.

All else is named and refused.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging_tool import state
from packaging_tool.authors import site
from packaging_tool.errors import PublishError
from packaging_tool.package.content import Content
from packaging_tool.repos.base import Repository
from packaging_tool.signing.keys import Ring

# Files that are named.
TOLD = 5


@dataclass(frozen=True, slots=True)
class Covered:
    """A copy of the output directory. output: the name that is told. known: what the last run left.

    made: files that this run wrote into it, relative to it.
    """

    staging: Path
    output: Path
    known: state.State
    made: Collection[str]

    def check(self, kinds: Sequence[Repository], ring: Ring) -> None:
        """Raises PublishError with the names of all files that nobody vouches for, SigningError, InputError."""
        strange = list(dict.fromkeys([*self._of_repositories(kinds, ring), *self._of_authors(ring)]))
        if not strange:
            return
        told = [f"  {self.output / name}" for name in strange[:TOLD]]
        told += [f"  and {len(strange) - TOLD} more"] if len(strange) > TOLD else []
        what = "files that were not built here, and that no index lists which your keys signed:"
        raise PublishError(
            "\n".join([f"nothing was published: {self.output} has {what}", *told]),
            hint="remove them, or name a directory by -o that no checkout brought; if they are yours and the repository"
            f" key is a new one, keep its predecessor's public key as NAME.asc in {ring.directory}; if they are yours,"
            " of another machine or of keys that you do not have any more, run once with --adopt",
        )

    def _of_repositories(self, kinds: Sequence[Repository], ring: Ring) -> Iterator[str]:
        packages = {kind.name: [*self._strangers(kind.files(self.staging))] for kind in kinds}
        indexes = {kind.name: [*self._strangers(kind.indexes(self.staging))] for kind in kinds}
        if not any(packages.values()) and not any(indexes.values()):
            return
        with ring.verifying() as accepts:
            signed = {kind.name: kind.vouched(self.staging, accepts) for kind in kinds}
        # First what lists the others.
        for kind in kinds:
            yield from (name for name in map(self._name, signed[kind.name].strange) if name in indexes[kind.name])
        for name, files in ((name, signed[kind.name].files) for kind in kinds for name in packages[kind.name]):
            own, sha256 = self.known.packages.get(name), Content(self.staging / name).sha256
            if sha256 != files.get(name) and (own is None or own[1].sha256 != sha256):
                yield name

    def _of_authors(self, ring: Ring) -> Iterator[str]:
        strangers = [*self._strangers(site.descriptions(self.staging))]
        listed = site.listed(self.staging, ring.signed_manifest) if strangers else {}
        for name in strangers:
            sha256 = Content(self.staging / name).sha256
            if sha256 not in (listed.get(name), self.known.descriptions.get(name)):
                yield name

    def _strangers(self, paths: Iterator[Path]) -> Iterator[str]:
        """Names of the files that neither this run nor the last one that published left as they are."""
        known = self.known.files if self.known.published else {}
        for path in paths:
            name = self._name(path)
            if name not in self.made and known.get(name) != state.stamp(path):
                yield name

    def _name(self, path: Path) -> str:
        return os.path.relpath(path, self.staging)
