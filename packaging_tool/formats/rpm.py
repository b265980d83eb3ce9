"""rpm's package format, version 4, written without rpm's tools (RPM File Format; rpm's format_v4 manual)."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from packaging_tool import atomic
from packaging_tool.formats import _cpio, _rpm_files, _rpm_header, _rpm_package, _rpm_relations, _rpm_xml
from packaging_tool.formats import _rpm_tags as t
from packaging_tool.formats.base import Built, Description
from packaging_tool.package import bodies, compress
from packaging_tool.package.model import Alternatives, Kinds, Package
from packaging_tool.package.shelf import Packed, Shelf, hashed
from packaging_tool.signing.base import Signer

LEAD = struct.Struct(">4sBBHH66sHH16x")
LEAD_MAGIC = b"\xed\xab\xee\xdb"
# Nothing reads these numbers any more (rpmrc's arch_canon); file(1) shows them.
LEAD_ARCHITECTURES = {"x86_64": 1, "noarch": 1, "aarch64": 19}
INT32 = 1 << 32


class Format:
    """The .rpm."""

    name = "rpm"
    suffix = ".rpm"
    signs = True

    def file_name(self, package: Package) -> str:
        """`NAME-VERSION-RELEASE.ARCHITECTURE.rpm`, without epoch."""
        version = f"{package.version.upstream}-{package.version.release}"
        return f"{package.name}-{version}.{_rpm_package.architecture(package)}.rpm"

    def spell(self, alternatives: Alternatives) -> str:
        """One relation, e.g. `a >= 1`, alternatives as `(a or b)`, a capability as `name(value)`."""
        return _rpm_relations.spell(alternatives)

    def scripts(self, package: Package) -> Mapping[str, str]:
        """Scriptlets and file triggers by their heads in a spec file; only a package with a lifecycle has any."""
        return _rpm_package.scripts(package)

    def write(self, package: Package, directory: Path, signer: Signer | None) -> Built:
        """Write the package. signer: signs the header, which has the digest of the payload; None leaves it unsigned.

        `Built.index`: the stanzas `primary`, `filelists` and `other` of a yum repository, with `{href}` for the place.
        Raises PackageError, SigningError, OSError; nothing is left behind then.
        """
        _rpm_package.check(package)
        entries = _rpm_files.complete(package)
        lowest = bodies.floor(package)
        members = bodies.last(_rpm_files.members(entries), lowest)
        large = any(member.size >= _cpio.LARGE for member in members)
        tags = _rpm_package.tags(package, entries, large=large)
        size = _cpio.length(members, large)
        archive = _cpio.stream(members, package.time, large, lowest)
        pieces = bodies.pack(archive, package, "rpm", directory, size, shared=lowest > 0, one_frame=False)
        packed = hashlib.sha256()
        data = Shelf(directory).put(hashed(packed, pieces))
        payload = _Payload(data, packed.hexdigest(), size)
        tags |= payload.tags(package.compression.get("rpm", "gzip"))
        header = _rpm_header.encode(t.HEADERIMMUTABLE, tags, t.TYPES)
        before = _lead(package) + _signature(header, payload, signer)
        path, digest = directory / self.file_name(package), hashlib.sha256()
        atomic.place(path, hashed(digest, (before, header), payload.packed.pieces()))
        start, end = len(before), len(before) + len(header)
        facts = _rpm_xml.Facts(digest.hexdigest(), (start, end), end + payload.size, payload.unpacked_size)
        return Built(
            path=path,
            size=facts.size,
            sha256=facts.sha256,
            name=package.name,
            version=str(package.version),
            architecture=package.architecture,
            index=_rpm_xml.stanzas(_rpm_header.Header(tags), facts),
        )

    def index(self, path: Path) -> Built:
        """What `write` gave back for an .rpm that lies in a pool. Raises InputError if it is none, or is cut off."""
        from packaging_tool.formats import _rpm_reader  # building packages needs no reader

        return _rpm_reader.index(path)

    def kinds(self, path: Path) -> Kinds:
        """What kinds of paths are in an .rpm that lies in a pool. Raises InputError if it is none."""
        from packaging_tool.formats import _rpm_reader

        return _rpm_reader.kinds(path)

    def describe(self, path: Path) -> Description:
        """Read any .rpm. Raises InputError if it is none."""
        from packaging_tool.formats import _rpm_reader

        return _rpm_reader.describe(path)


class _Payload(NamedTuple):
    """The archive as it stands in the package, its SHA-256, and its size unpacked."""

    packed: Packed
    sha256: str
    unpacked_size: int

    @property
    def size(self) -> int:
        """Bytes in the package."""
        return self.packed.size

    def tags(self, compression: str) -> dict[int, _rpm_header.Value]:
        """What the main header says about it; no compressor means that it is not compressed, as rpmbuild has it."""
        made: dict[int, _rpm_header.Value] = {
            t.PAYLOADFORMAT: "cpio",
            t.PAYLOADDIGEST: (self.sha256,),
            t.PAYLOADDIGESTALGO: (t.SHA256,),
        }
        method, level = compress.parse(compression)
        if method != "none":
            made |= {t.PAYLOADCOMPRESSOR: method, t.PAYLOADFLAGS: str(level)}
        return made


def _lead(package: Package) -> bytes:
    """The lead. Only its magic counts today; the name is cut to the place that it has."""
    name = f"{package.name}-{package.version}".encode()[:65]
    number = LEAD_ARCHITECTURES.get(_rpm_package.architecture(package), 0)
    return LEAD.pack(LEAD_MAGIC, 3, 0, 0, number, name, 1, 5)


def _signature(header: bytes, payload: _Payload, signer: Signer | None) -> bytes:
    """The signature header, padded so that the main header begins at a multiple of 8.

    No MD5 over header and payload: rpm since 4.14 goes by the digests of the two, and it would cost as much as all
    other digests together. SHA-1 of the header is there for tools that show it.
    """
    size = len(header) + payload.size
    tags: dict[int, _rpm_header.Value] = {
        t.SHA1HEADER: hashlib.sha1(header, usedforsecurity=False).hexdigest(),
        t.SHA256HEADER: hashlib.sha256(header).hexdigest(),
        t.SIGSIZE if size < INT32 else t.LONGSIGSIZE: (size,),
        t.SIGPAYLOADSIZE if payload.unpacked_size < INT32 else t.LONGARCHIVESIZE: (payload.unpacked_size,),
    }
    if signer is not None:
        tags[t.RSAHEADER if signer.key_kind.startswith("rsa") else t.DSAHEADER] = signer.detached(header)
    made = _rpm_header.encode(t.HEADERSIGNATURES, tags, t.SIGNATURE_TYPES)
    return made + bytes(-len(made) % 8)
