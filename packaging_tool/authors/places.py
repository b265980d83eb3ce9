"""Where the files of a core for authors come from, and that they are the core's: signed, or of a trusted package."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit

from packaging_tool import atomic
from packaging_tool.authors import core as described
from packaging_tool.authors.core import Core, Listed
from packaging_tool.errors import BuildError, InputError, MkpkgsError, SigningError
from packaging_tool.project.model import PluginOfSpec
from packaging_tool.signing import signify

# Bytes that files on a web server may have: before anybody vouches for them, and where their hash is known.
SMALL = 64 << 20
LARGEST = 1 << 30


class Place(Protocol):
    """A directory, here or on a web server."""

    def read(self, name: str, largest: int = SMALL) -> bytes:
        """The bytes of a file. largest: of a web server. Raises FileNotFoundError, BuildError."""
        ...

    def repository(self) -> Place:
        """The repository that this place, `dev/CORE`, is in."""
        ...


@dataclass(frozen=True, slots=True)
class _Directory:
    root: Path

    def __str__(self) -> str:
        return str(self.root)

    def read(self, name: str, largest: int = SMALL) -> bytes:
        del largest
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            raise
        except OSError as failed:
            raise BuildError(f"cannot read {self.root / name}: {failed.strerror}") from None

    def repository(self) -> _Directory:
        return _Directory(self.root.parent.parent)


@dataclass(frozen=True, slots=True)
class _Web:
    address: str

    def __str__(self) -> str:
        return self.address

    def read(self, name: str, largest: int = SMALL) -> bytes:
        # Slow to import, and every build imports this module.
        from packaging_tool.authors import web

        return web.read(f"{self.address}/{quote(name, safe='/!@~+')}", largest)

    @property
    def protected(self) -> bool:
        """Whether nobody else than the server can answer: it proves who it is, or is this machine."""
        parts = urlsplit(self.address)
        return parts.scheme == "https" or parts.hostname in ("localhost", "127.0.0.1", "::1")

    def repository(self) -> _Web:
        return _Web(self.address.rsplit("/", 2)[0])


def spec(core: str, at: str, key: str = "") -> PluginOfSpec:
    """What says where a core is published, outside of a project."""
    return PluginOfSpec(name="", core=core, license="", homepage="", maintainer="", at=at, key=key)


def beside(at: str, core: str, root: Path) -> Place:
    """The files of another author for a core. root: directory of the project."""
    if at.startswith(("http://", "https://")):
        return _Web(f"{at.rstrip('/')}/dev/{core}")
    folder = Path(unquote(urlsplit(at).path)) if at.startswith("file://") else root / at
    return _Directory(folder / "dev" / core)


def find(spec: PluginOfSpec, root: Path) -> Place:
    """The place that a project names. root: directory of the project. Raises InputError if there is nothing."""
    at, below = spec.at, f"dev/{spec.core}"
    if at.startswith(("http://", "https://")):
        return _Web(f"{at.rstrip('/')}/{below}")
    folder = Path(unquote(urlsplit(at).path)) if at.startswith("file://") else root / at
    if not at:
        folder = Path(f"/usr/share/{spec.core}/dev")
        hint = f"install {spec.core}-plugin-dev (.deb) or {spec.core}-plugin-devel (.rpm), or write `at` in [plugin-of]"
    else:
        hint = "name a directory that has dev/ in it, or the address of the repository"
    for place in (folder / below, folder):
        if any(place.glob(f"*/{described.DESCRIPTION}")):
            return _Directory(place)
    raise InputError(f"there are no files of {spec.core} for authors in {folder}", hint=hint)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a place offers of a core.

    core: its name. key: second line of the public key that signed it, "" for a directory without an index.
    """

    core: str
    place: Place
    key: str
    listed: dict[str, Listed]


def look(spec: PluginOfSpec, root: Path, known: str) -> Offer:
    """Read and verify the index of a place.

    known: key that signed it the last time, "" at the first time. Raises InputError, SigningError, BuildError.
    """
    place = find(spec, root)
    if isinstance(place, _Web) and not (spec.key or known or place.protected):
        raise InputError(
            f"{place}: anybody on the way could answer in the place of the maintainer of {spec.core}",
            hint="write an https address, or the maintainer's `key` in [plugin-of]",
        )
    try:
        data = place.read(described.INDEX)
    except FileNotFoundError:
        if isinstance(place, _Directory):
            return Offer(spec.core, place, "", _unsigned(place))
        hint = f"is it the repository of {spec.core}, and does its mkpkgs publish files for authors?"
        raise InputError(f"there is no {place}/{described.INDEX}", hint=hint) from None
    key = _verify(place, data, spec.key or known, pinned=bool(spec.key))
    name, listed = described.parse_index(data, f"{place}/{described.INDEX}")
    if name != spec.core:
        raise InputError(f"{place} is of {name}, not of {spec.core}", hint="see `core` and `at` in [plugin-of]")
    return Offer(spec.core, place, key, listed)


def _unsigned(place: _Directory) -> dict[str, Listed]:
    """What lies in a directory of this machine without an index: an installed package, or files that somebody gave."""
    found = {}
    for path in sorted(place.root.glob(f"*/{described.DESCRIPTION}")):
        data = path.read_bytes()
        core = described.parse(data, str(path))
        found[core.folder] = Listed(
            sha256=hashlib.sha256(data).hexdigest(), architecture=core.architecture, version=core.version
        )
    return found


def _verify(place: Place, data: bytes, known: str, *, pinned: bool) -> str:
    """Check the signature of an index; the key's second line. known: what it must be, or "" to take what is there."""
    try:
        text, signature = place.read(described.KEY), place.read(described.SIGNATURE)
    except FileNotFoundError as missing:
        raise SigningError(f"{place}: the index is not signed: there is no {missing}") from None
    said = signify.parse_public(text, f"{place}/{described.KEY}")
    line = text.split(b"\n")[1].decode()
    if known and line != known:
        where = "`key` in [plugin-of]" if pinned else "mkpkgs.lock"
        raise SigningError(
            f"{place}: signed by the key {said.id.hex()}, not by that of {where}",
            hint=f'ask the maintainer; if the key was changed on purpose, write key = "{line}" in [plugin-of]',
        )
    if said.expired():
        raise SigningError(f"{place}: its key {said.id.hex()} expired on {said.expires}")
    said.verify(data, signature)
    return line


def fetch(offer: Offer, name: str, cache: Path) -> Core:
    """One described core with its files, which then lie in cache/NAME/files. name: of its folder.

    What is there already and fits is not read again. Raises InputError, BuildError.
    """
    folder, listed = cache / name, offer.listed[name]
    data = _get(offer.place, f"{name}/{described.DESCRIPTION}", listed.sha256, folder / described.DESCRIPTION)
    core = described.parse(data, f"{offer.place}/{name}/{described.DESCRIPTION}")
    if (core.folder, core.architecture, core.version) != (name, listed.architecture, listed.version):
        raise InputError(f"{offer.place}: the description of {name[:12]} is of another core than its index says")
    if core.spec.name != offer.core:
        raise InputError(
            f"{offer.place}: the description of {name[:12]} is of {core.spec.name}, not of {offer.core}",
            hint="see `core` and `at` in [plugin-of], or ask the maintainer",
        )
    for file, sha256 in core.files.items():
        _get(offer.place, f"{name}/files/{file}", sha256, folder / "files" / file)
    keep = {folder / "files" / file for file in core.files}
    for path in (folder / "files").rglob("*"):
        if path.is_file() and path not in keep:
            path.unlink()
    return core


def _get(place: Place, name: str, sha256: str, target: Path, changed: MkpkgsError | None = None) -> bytes:
    if target.is_file():
        data = target.read_bytes()
        if hashlib.sha256(data).hexdigest() == sha256:
            return data
    try:
        data = place.read(name, LARGEST)
    except FileNotFoundError:
        raise BuildError(f"{place} has no {name}", hint="it may have been published anew: run mkpkgs lock") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise changed or InputError(
            f"{place}/{name} is not what it was when it was locked, or was damaged",
            hint="if it was published anew: run mkpkgs lock",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(target, data)
    return data


def package_of(file: str) -> str:
    """The name of the package in a file of that name: NAME_VERSION_ARCHITECTURE.deb, NAME-VERSION-RELEASE.ARCH.rpm."""
    return file.rsplit("-", 2)[0] if file.endswith(".rpm") else file.partition("_")[0]


def packages(offer: Offer, core: Core, names: Collection[str], suffix: str, folder: Path) -> tuple[Path, ...]:
    """Files of the maintainer's packages, which then lie in folder. names: of packages, in the index or not at all.

    suffix: of the format. Raises BuildError, SigningError for a file that the index does not mean.
    """
    place, listed = offer.place.repository(), offer.listed.get(core.folder)
    found = []
    folder.mkdir(parents=True, exist_ok=True)
    for file, sha256 in listed.packages.items() if listed is not None else ():
        base = file.rpartition("/")[2]
        if package_of(base) in names and base.endswith(f".{suffix}"):
            changed = SigningError(
                f"{place}/{file} is not the package of the signed index",
                hint=f"tell the maintainer of {core.spec.name}",
            )
            _get(place, file, sha256, folder / base, changed)
            found.append(folder / base)
    for path in folder.iterdir():
        if path not in found:
            path.unlink()
    return tuple(found)
