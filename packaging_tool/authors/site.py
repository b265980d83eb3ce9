"""The files for authors as a repository serves them: what the packages have, and the signed index over it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from packaging_tool import atomic
from packaging_tool.authors import core as described
from packaging_tool.authors import neighbours
from packaging_tool.authors.core import Core
from packaging_tool.package.model import Package
from packaging_tool.project.model import Project
from packaging_tool.repos.base import Published

Sign = Callable[[bytes, bytes], bytes]


def lay_out(project: Project, packages: Sequence[Package], staging: Path) -> Iterator[str]:
    """Put what the packages for authors have below /usr/share/CORE/dev into `dev/CORE` of the repository.

    Of an author, say there what the plugins are. Files of an ABI that do not belong to it any more go. Gives the names
    of descriptions, relative to staging. Raises OSError.
    """
    core = project.core.name
    if project.plugin_of is not None:
        neighbours.write(project, packages, staging)
    root = f"/usr/share/{core}/dev/"
    for package in (one for one in packages if one.kind == "authors"):
        place = staging / "dev" / core
        entries = {entry.path.removeprefix(root): entry.content for entry in package.entries if entry.content}
        for name, content in entries.items():
            target = place / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if content is not None and not (target.is_file() and target.read_bytes() == content.read()):
                atomic.write(target, content.read())
        folders = {name.partition("/")[0] for name in entries if "/" in name}
        for path in [path for folder in folders for path in (place / folder).rglob("*")]:
            if path.is_file() and path.relative_to(place).as_posix() not in entries:
                path.unlink()
        yield from (f"dev/{core}/{name}" for name in entries if name.endswith(f"/{described.DESCRIPTION}"))


def descriptions(staging: Path) -> Iterator[Path]:
    """Those of all cores that are there."""
    yield from sorted((staging / "dev").glob(f"*/*/{described.DESCRIPTION}"))


def listed(staging: Path, accepts: Callable[[bytes, bytes], bool]) -> dict[str, str]:
    """SHA-256 of descriptions by name, relative to staging, as signed indexes list them. accepts: a signature."""
    found: dict[str, str] = {}
    for index in sorted((staging / "dev").glob(f"*/{described.INDEX}")):
        signature = index.with_name(described.SIGNATURE)
        data = index.read_bytes()
        if signature.is_file() and accepts(data, signature.read_bytes()):
            rows = described.parse_index(data, str(index))[1]
            place = index.parent.relative_to(staging)
            found |= {f"{place}/{name}/{described.DESCRIPTION}": row.sha256 for name, row in rows.items()}
    return found


def write_index(core: str, staging: Path, published: Sequence[Published], sign: Sign) -> None:
    """List the ABIs whose core is in the repository, sign the list, and remove the others.

    published: all packages of the repositories. sign: gives the signature over data, told the one that is there.
    Raises SigningError, OSError, InputError for a damaged description.
    """
    place = staging / "dev" / core
    if not place.is_dir():
        return
    served = {
        described.folder(name[-65:].strip("()-"), item.architecture)
        for item in published
        if item.name == core
        for name in item.provides
    }
    found: dict[str, tuple[bytes, Core]] = {}
    for path in sorted(place.glob(f"*/{described.DESCRIPTION}")):
        if path.parent.name in served:
            data = path.read_bytes()
            found[path.parent.name] = (data, described.parse(data, str(path)))
        else:
            shutil.rmtree(path.parent)
    data = described.index(core, found, published)
    before = place / described.SIGNATURE
    signature = sign(data, before.read_bytes() if before.is_file() else b"")
    for name, text in ((described.INDEX, data), (described.SIGNATURE, signature)):
        target = place / name
        if not target.is_file() or target.read_bytes() != text:
            atomic.write(target, text)
