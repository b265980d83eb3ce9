"""A repository for apt: pool, `Packages` by hash, signed `InRelease`.

apt-secure(8), sources.list(5), https://wiki.debian.org/DebianRepository/Format
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from shlex import join, quote
from typing import TYPE_CHECKING

from packaging_tool import registry
from packaging_tool.errors import InputError
from packaging_tool.formats.base import Built
from packaging_tool.package import compress, templates, texts
from packaging_tool.repos import _site
from packaging_tool.repos.base import Published, Vouched

if TYPE_CHECKING:
    from packaging_tool.project.model import RepositorySpec
    from packaging_tool.signing.base import Signer

# Every apt reads gzip. No xz beside it: most of an index is digests and it came out no smaller (1,000 packages).
COMPRESSIONS = {"": "none", ".gz": "gzip:6"}
FIELD = re.compile(r"^([A-Za-z0-9-]+):[ \t]*(.*)$", re.MULTILINE)
# Where a repository has only `all` packages. With a bare binary-all, `apt update` would talk each time of an index for
# the machine's architecture that it does not find.
EVERY = ["amd64", "arm64", "armhf", "i386", "ppc64el", "riscv64", "s390x"]
# One version of a package, and no alternative to it.
PIN = re.compile(r"(?:^|, *)([a-z0-9][a-z0-9+.-]*) \(= *([^ )]+)\)(?= *(?:,|$))")
# What an index adds to the fields of the control file.
OURS = ("Filename:", "Size:", "MD5sum:", "SHA256:")


class Repository:
    """The apt repository in `dist/apt`."""

    name = "apt"
    title = "Debian and Ubuntu (apt)"
    format = "deb"

    def pool(self, directory: Path, core: str) -> Path:
        """`apt/pool/main/c/core`, as Debian's own archive sorts it."""
        initial = core[:4] if core.startswith("lib") else core[:1]
        return directory / "apt" / "pool" / "main" / initial / core

    def published(self, directory: Path) -> tuple[Published, ...]:
        """What the indexes list; a package whose file was deleted from the pool is not listed any more."""
        root = directory / "apt"
        found = {}
        for index in _index_files(root):
            for stanza in _split(index):
                fields = _fields(index, stanza)
                if not (root / fields["Filename"]).is_file():
                    continue
                found[fields["Filename"]] = Published(
                    name=fields["Package"],
                    version=fields["Version"],
                    architecture=fields["Architecture"],
                    provides=_names(fields.get("Provides", "")),
                    depends=_names(fields.get("Depends", "")),
                    pins=tuple(PIN.findall(fields.get("Depends", ""))),
                    file=f"apt/{fields['Filename']}",
                    sha256=fields["SHA256"],
                )
        return tuple(found[name] for name in sorted(found))

    def files(self, directory: Path) -> Iterator[Path]:
        """The packages of the pool."""
        return _site.files(directory / "apt" / "pool", ".deb")

    def indexes(self, directory: Path) -> Iterator[Path]:
        """`Release` and `Packages` of all suites."""
        yield from sorted((directory / "apt" / "dists").glob("*/Release"))
        yield from _index_files(directory / "apt")

    def vouched(self, directory: Path, accepts: Callable[[bytes, bytes], bool]) -> Vouched:
        """What `Packages` list that a signed `Release` names by their hashes."""
        root, found, strange = directory / "apt", dict[str, str](), list[Path]()
        for suite in sorted({index.parents[2] for index in _index_files(root)} | _suites(root)):
            data = _site.content(suite / "Release")
            if not accepts(data, _site.content(suite / "Release.gpg")):
                strange.append(suite / "Release")
                continue
            hashes = _hashes(data.decode(errors="replace"))
            for index in sorted(suite.glob("*/binary-*/Packages")):
                if hashlib.sha256(index.read_bytes()).hexdigest() != hashes.get(_site.below(suite, index)):
                    strange.append(index)
                    continue
                rows = (_fields(index, stanza) for stanza in _split(index))
                found |= {f"apt/{row['Filename']}": row["SHA256"] for row in rows}
        return Vouched(found, tuple(strange))

    def dated(self, directory: Path) -> int:
        """The newest Date of the suites."""
        releases = (directory / "apt" / "dists").glob("*/Release")
        return max((_date(_site.text(path)) for path in releases), default=0)

    def write(
        self,
        directory: Path,
        built: Sequence[Built],
        spec: RepositorySpec,
        core: str,
        time: int,
        signer: Signer,
    ) -> None:
        """Write `dists/SUITE`: `Packages` per architecture, `Release`, `InRelease`, `Release.gpg`.

        `all` packages stand in the index of every architecture. The files by hash of the index before stay.
        For the Date of `Release` see `_site.dated`.
        Raises SigningError, OSError, and InputError for a file in the pool that is no .deb.
        """
        root = directory / "apt"
        suite = root / "dists" / spec.suite
        before = _site.text(suite / "Release")
        packages = _packages(root, built)
        files: dict[str, bytes] = {}
        architectures = sorted({item.architecture for item in packages} - {"all"}) or EVERY
        for architecture in architectures:
            text = "".join(_stanza(root, item) for item in packages if item.architecture in (architecture, "all"))
            packed = _compressed(text.encode())
            folder = f"{spec.component}/binary-{architecture}"
            files |= {f"{folder}/Packages{suffix}": data for suffix, data in packed.items()}
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        old = _hashes(before)
        # Nothing new: the generation that clients may still hold is the one before, which the last run kept.
        kept = set(old.values()) if old != hashes else None
        for folder in sorted({name.rpartition("/")[0] for name in files}):
            own = {name.rpartition("/")[2]: data for name, data in files.items() if name.startswith(f"{folder}/")}
            by_hash = {hashes[f"{folder}/{name}"]: data for name, data in own.items()}
            place = suite / folder / "by-hash" / "SHA256"
            _site.replace_files(place, by_hash, _names_in(place) if kept is None else kept)
            _site.replace_files(suite / folder, own, ())
        for gone in set(suite.glob("*/binary-*")) - {suite / name.rpartition("/")[0] for name in files}:
            import shutil  # seldom, and 2 ms that all others need not pay

            shutil.rmtree(gone)
        label = spec.label or _said(before, "Label") or core
        release = _release(spec, label, _site.dated(time, _date(before)), architectures, files, hashes).encode()
        signed = {"Release.gpg": signer.armored(release), "InRelease": signer.clear(release)}
        _site.write_changed(suite, {"Release": release} | signed)

    def client_files(self, spec: RepositorySpec, core: str, signer: Signer) -> dict[str, bytes]:
        """`CORE.sources` (deb822, sources.list(5)) and `CORE.asc`."""
        file = f"{_site.client_name(core)}.sources"
        sources = templates.render("repos/sources.j2", spec=spec, core=core, file=file, url=spec.url.rstrip("/"))
        return {file: sources.encode(), _site.key_file(core): signer.public_key()}

    def instructions(self, spec: RepositorySpec, name: str, packages: Sequence[str], unit: str) -> str:
        """Shell commands for root."""
        url, key = spec.url.rstrip("/"), f"/etc/apt/keyrings/{name}.asc"
        file = f"{_site.client_name(name)}.sources"
        sources = f"/etc/apt/sources.list.d/{file}"
        return (
            "install -d -m 0755 /etc/apt/keyrings\n"
            f"curl -fsSo {quote(key)} {quote(f'{url}/{_site.key_file(name)}')}\n"
            f"curl -fsSo {quote(sources)} {quote(f'{url}/{file}')}\n"
            # apt reads the key as a user of its own; root may have another umask than 022.
            f"chmod 0644 {quote(key)} {quote(sources)}\n"
            "apt update\n"
            f"apt install {join(packages)}\n"
        )


def _packages(root: Path, built: Sequence[Built]) -> list[Built]:
    """All packages of the pool, sorted by file."""
    pool = list(_site.files(root / "pool", ".deb"))
    fresh = {item.path for item in built}
    known = {} if fresh.issuperset(pool) else _known(root)
    reader = registry.load("formats", "deb").Format()
    return _site.gather(pool, built, known, reader.index)


def _known(root: Path) -> dict[Path, Built]:
    """Packages of the old indexes whose files were not touched since."""
    found = {}
    for index in _index_files(root):
        written = index.stat().st_mtime
        for stanza in _split(index):
            fields = _fields(index, stanza)
            path = root / fields["Filename"]
            if not path.is_file() or not _site.is_as_indexed(path, int(fields["Size"]), written):
                continue
            lines = (line for line in stanza.splitlines(keepends=True) if not line.startswith(OURS))
            found[path] = Built(
                path=path,
                size=int(fields["Size"]),
                sha256=fields["SHA256"],
                name=fields["Package"],
                version=fields["Version"],
                architecture=fields["Architecture"],
                index={"control": "".join(lines)},
            )
    return found


def _stanza(root: Path, item: Built) -> str:
    name = _site.below(root, item.path)
    if not _site.PLACE.fullmatch(name):
        raise InputError(f"{item.path}: its name cannot stand in an index", hint="rename it")
    # No MD5sum: no apt since 2016 trusts one, and it would cost more than all other digests of the file together.
    return f"{item.index['control']}Filename: {name}\nSize: {item.size}\nSHA256: {item.sha256}\n\n"


def _compressed(data: bytes) -> dict[str, bytes]:
    packed = {}
    for suffix, spec in COMPRESSIONS.items():
        packer = compress.compressor(spec, len(data))
        packed[suffix] = packer.update(data) + packer.finish()
    return packed


def _release(
    spec: RepositorySpec,
    label: str,
    time: int,
    architectures: Iterable[str],
    files: Mapping[str, bytes],
    hashes: Mapping[str, str],
) -> str:
    """The text of `Release`. No Valid-Until: a repository that is published once a year must not expire.

    label: apt asks people before it goes on where this changes, so the name of another project does not change it.
    """
    fields = {
        "Origin": spec.origin or label,
        "Label": label,
        "Suite": spec.suite,
        "Codename": spec.suite,
        "Date": texts.rfc5322(time).replace("+0000", "UTC"),
        "Acquire-By-Hash": "yes",
        "Architectures": " ".join(architectures),
        "Components": spec.component,
        "Description": f"{label} and its plugins",
    }
    head = "".join(f"{name}: {value}\n" for name, value in fields.items())
    return head + "SHA256:\n" + "".join(f" {hashes[n]} {len(files[n]):>9} {n}\n" for n in sorted(files))


def _hashes(release: str) -> dict[str, str]:
    """SHA-256 by name, of a `Release`."""
    return {name: digest for digest, name in re.findall(r"^ ([0-9a-f]{64}) +\d+ (\S+)$", release, re.MULTILINE)}


def _said(release: str, field: str) -> str:
    """The value of a field of a `Release`, "" if there is none."""
    found = re.search(rf"^{field}: (.*)$", release, re.MULTILINE)
    return found[1] if found else ""


def _date(release: str) -> int:
    """Seconds since 1970 of a `Release`'s Date, 0 if there is none."""
    from email.utils import parsedate_to_datetime  # slow to import, and a first publication has nothing to read

    found = re.search(r"^Date: (.*) UTC$", release, re.MULTILINE)
    try:
        return int(parsedate_to_datetime(f"{found[1]} +0000").timestamp()) if found else 0
    except (ValueError, TypeError, IndexError, OverflowError):
        raise InputError(f"the Date of the published Release cannot be read: {found and found[1][:80]!r}") from None


def _suites(root: Path) -> set[Path]:
    return {path.parent for path in (root / "dists").glob("*/Release")}


def _index_files(root: Path) -> list[Path]:
    return sorted((root / "dists").glob("*/*/binary-*/Packages"))


def _split(index: Path) -> list[str]:
    return [f"{stanza}\n" for stanza in _site.text(index).split("\n\n") if stanza.strip()]


def _fields(index: Path, stanza: str) -> dict[str, str]:
    """The fields of a stanza; those that we read are there and make sense. Raises InputError."""
    fields = {name: value.strip() for name, value in FIELD.findall(stanza)}
    wanted = {"Package": _site.NAME, "Version": _site.VERSION, "Architecture": _site.NAME}
    wanted |= {"Filename": _site.PLACE, "Size": _site.SIZE, "SHA256": _site.SHA256}
    _site.checked(index, {name: (pattern, fields.get(name, "")) for name, pattern in wanted.items()})
    return fields


def _names(relations: str) -> tuple[str, ...]:
    """Names in a relation field, of alternatives the first, without versions and architectures."""
    parts = (part.split("|")[0].split("(")[0].split("[")[0].strip() for part in relations.split(","))
    return tuple(part.partition(":")[0] for part in parts if part)


def _names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} if directory.is_dir() else set()
