"""Reads any .rpm, also one that somebody made to hurt: nothing that it says of itself is believed unchecked."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from packaging_tool.errors import InputError
from packaging_tool.formats import _rpm_header, _rpm_package, _rpm_xml
from packaging_tool.formats import _rpm_tags as t
from packaging_tool.formats._rpm_header import Header
from packaging_tool.formats.base import Built, Description
from packaging_tool.package import limits
from packaging_tool.package.model import Kinds

LEAD = 96
PIECE = 1 << 20
LEAD_MAGIC = b"\xed\xab\xee\xdb"
# More than rpm takes in a name, a version or an architecture.
WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9+._~^-]{0,199}")
MARKS = (("config", t.CONFIG), ("doc", t.DOC), ("ghost", t.GHOST), ("license", t.LICENSE_FILE))
SCRIPTLETS = (
    ("%pretrans", t.PRETRANS, t.PRETRANSPROG),
    ("%pre", t.PREIN, t.PREINPROG),
    ("%post", t.POSTIN, t.POSTINPROG),
    ("%preun", t.PREUN, t.PREUNPROG),
    ("%postun", t.POSTUN, t.POSTUNPROG),
    ("%posttrans", t.POSTTRANS, t.POSTTRANSPROG),
    ("%preuntrans", t.PREUNTRANS, t.PREUNTRANSPROG),
    ("%postuntrans", t.POSTUNTRANS, t.POSTUNTRANSPROG),
    ("%verify", t.VERIFYSCRIPT, t.VERIFYSCRIPTPROG),
)
TRIGGERS = (
    ("trigger", t.TRIGGERSCRIPTS, t.TRIGGERSCRIPTPROG, t.TRIGGERNAME, t.TRIGGERINDEX, t.TRIGGERFLAGS),
    (
        "filetrigger",
        *(t.FILETRIGGERSCRIPTS, t.FILETRIGGERSCRIPTPROG, t.FILETRIGGERNAME, t.FILETRIGGERINDEX, t.FILETRIGGERFLAGS),
    ),
    (
        "transfiletrigger",
        *(t.TRANSFILETRIGGERSCRIPTS, t.TRANSFILETRIGGERSCRIPTPROG, t.TRANSFILETRIGGERNAME),
        *(t.TRANSFILETRIGGERINDEX, t.TRANSFILETRIGGERFLAGS),
    ),
)
EVENTS = (
    (t.SENSE_TRIGGERPREIN, "prein"),
    (t.SENSE_TRIGGERIN, "in"),
    (t.SENSE_TRIGGERUN, "un"),
    (t.SENSE_TRIGGERPOSTUN, "postun"),
)
SIGNATURES = (
    (t.RSAHEADER, "of the header, RSA"),
    (t.DSAHEADER, "of the header, EdDSA, ECDSA or DSA"),
    (t.OPENPGP, "of the header, OpenPGP"),
    (t.SIGPGP, "of header and payload, RSA"),
    (t.SIGGPG, "of header and payload, DSA"),
)
RELATIONS = (
    ("Provides", t.PROVIDENAME, t.PROVIDEFLAGS, t.PROVIDEVERSION),
    ("Requires", t.REQUIRENAME, t.REQUIREFLAGS, t.REQUIREVERSION),
    ("Recommends", t.RECOMMENDNAME, t.RECOMMENDFLAGS, t.RECOMMENDVERSION),
    ("Suggests", t.SUGGESTNAME, t.SUGGESTFLAGS, t.SUGGESTVERSION),
    ("Supplements", t.SUPPLEMENTNAME, t.SUPPLEMENTFLAGS, t.SUPPLEMENTVERSION),
    ("Enhances", t.ENHANCENAME, t.ENHANCEFLAGS, t.ENHANCEVERSION),
    ("Conflicts", t.CONFLICTNAME, t.CONFLICTFLAGS, t.CONFLICTVERSION),
    ("Obsoletes", t.OBSOLETENAME, t.OBSOLETEFLAGS, t.OBSOLETEVERSION),
)
SENSES = (
    (t.SENSE_PRE, "pre"),
    (t.SENSE_POST, "post"),
    (t.SENSE_PREUN, "preun"),
    (t.SENSE_POSTUN, "postun"),
    (t.SENSE_POSTTRANS, "posttrans"),
)
DEBIAN_NAMES = {rpm: debian for debian, rpm in _rpm_package.ARCHITECTURES.items()}


class Parsed(NamedTuple):
    """The two headers of a package. start, end: of the main header in the file. size: of the file."""

    signature: Header
    header: Header
    start: int
    end: int
    size: int


def index(path: Path) -> Built:
    """What the writer gave back for this file. Raises InputError if it is no package, or is cut off."""
    with _reading(path) as file:
        found = parse(file)
        size = found.signature.number(t.SIGSIZE, t.LONGSIGSIZE)
        if size and size != found.size - found.start:
            raise InputError("its length is not the one that it names: it was cut off")
        header = found.header
        for tag in (t.NAME, t.VERSION, t.RELEASE, t.ARCH):
            if not WORD.fullmatch(header.text(tag)):
                raise InputError("it does not say its name, version or architecture as an index can list them")
        file.seek(0)
        digest = _sha256(file)
        archive = found.signature.number(t.SIGPAYLOADSIZE, t.LONGARCHIVESIZE) or header.number(t.ARCHIVESIZE)
        facts = _rpm_xml.Facts(digest, (found.start, found.end), found.size, archive)
        architecture = _rpm_xml.architecture(header)
        return Built(
            path=path,
            size=found.size,
            sha256=digest,
            name=header.text(t.NAME),
            version=_version(header),
            architecture=DEBIAN_NAMES.get(architecture, architecture),
            index=_rpm_xml.stanzas(header, facts),
        )


def describe(path: Path) -> Description:
    """A page about an .rpm. Raises InputError if it is none."""
    with _reading(path) as file:
        found = parse(file)
        header = found.header
        name = header.text(t.NAME) or path.name
        return Description(
            title=_clean(f"{name} {_version(header)}".rstrip()),
            fields=tuple((label, _clean(value, keep="\n")) for label, value in _fields(found) if value),
            files=tuple(_lines(header)),
            scripts=tuple((_clean(label), _clean(text, keep="\n\t")) for label, text in _scripts(header)),
        )


def kinds(path: Path) -> Kinds:
    """What kinds of paths are in an .rpm. Raises InputError if it is none, or has a path that no package can have."""
    with _reading(path) as file:
        return Kinds.of(_kinds(parse(file).header))


def _kinds(header: Header) -> Iterator[tuple[str, str, str]]:
    paths = _rpm_xml.paths(header)
    modes, flags = (_column(header, tag, len(paths)) for tag in (t.FILEMODES, t.FILEFLAGS))
    links = header.texts(t.FILELINKTOS)
    for place, path in enumerate(paths):
        target = _at(links, place)
        limits.of_others(path, target)
        kind = {stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}.get(stat.S_IFMT(modes[place] & 0xFFFF), "file")
        marked = "ghost" if flags[place] & t.GHOST else "config" if flags[place] & t.CONFIG else kind
        yield path, marked if kind == "file" or marked == "ghost" else kind, target


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    """The open file; what makes reading fail becomes an InputError."""
    try:
        with path.open("rb") as file:
            yield file
    except InputError as error:
        raise InputError(f"{path} cannot be read as an .rpm: {error.message}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def parse(file: BinaryIO) -> Parsed:
    """Both headers of an open file. Raises InputError."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    lead = file.read(LEAD)
    if len(lead) < LEAD or not lead.startswith(LEAD_MAGIC):
        raise InputError("it does not begin as one")
    if lead[4] not in (3, 4):
        raise InputError(f"it has version {lead[4]} of the format")
    signature, data = _rpm_header.read(file, size - LEAD)
    start = LEAD + len(data)
    start += -start % 8
    file.seek(start)
    header, data = _rpm_header.read(file, size - start)
    return Parsed(signature, header, start, start + len(data), size)


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while data := file.read(PIECE):
        digest.update(data)
    return digest.hexdigest()


def _version(header: Header) -> str:
    epoch = header.number(t.EPOCH)
    text = "-".join(part for part in (header.text(t.VERSION), header.text(t.RELEASE)) if part)
    return f"{epoch}:{text}" if epoch else text


def _fields(found: Parsed) -> Iterator[tuple[str, str]]:
    header = found.header
    yield "Name", header.text(t.NAME)
    yield "Version", _version(header)
    yield "Architecture", _rpm_xml.architecture(header)
    for label, tag in (("Summary", t.SUMMARY), ("License", t.LICENSE), ("Group", t.GROUP), ("URL", t.URL)):
        yield label, header.text(tag)
    for label, tag in (("Vendor", t.VENDOR), ("Packager", t.PACKAGER), ("Source", t.SOURCERPM)):
        yield label, header.text(tag)
    for label, *numbers in RELATIONS:
        yield label, "\n".join(_relation(*item) for item in _rpm_xml.dependencies(header, *numbers))
    yield "Description", header.text(t.DESCRIPTION)
    if built := header.number(t.BUILDTIME):
        yield "Built", f"{_time(built)} on {header.text(t.BUILDHOST)}".removesuffix(" on ")
    signatures = [
        f"{text}, {_key_id(found.signature.tags[tag])}, not checked"
        for tag, text in SIGNATURES
        if tag in found.signature
    ]
    yield "Signature", "\n".join(signatures) or "none"
    compressor = " ".join((header.text(t.PAYLOADCOMPRESSOR) or "none", header.text(t.PAYLOADFLAGS))).rstrip()
    yield "Format", f"rpm, {header.text(t.PAYLOADFORMAT) or 'cpio'}, {compressor}"
    yield "Installed-Size", f"{header.number(t.SIZE, t.LONGSIZE)} bytes"
    yield "Size", f"{found.size} bytes"


def _key_id(value: object) -> str:
    """The key that an OpenPGP signature names, for people to read; nothing is checked (RFC 4880, 4.2 and 5.2.3)."""
    data = value if isinstance(value, bytes) else b""
    if len(data) < 8 or not data[0] & 0x80:
        return "key unknown"
    # The packet's length takes one to four bytes in the old form, one, two or five in the new one.
    size = 1 << (data[0] & 3) if not data[0] & 0x40 else 1 if data[1] < 192 else 2 if data[1] < 255 else 5
    body = data[1 + size :]
    position = 4
    while body[:1] == b"\x04" and position + 2 <= len(body):
        length = int.from_bytes(body[position : position + 2], "big")
        for kind, text in _subpackets(body[position + 2 : position + 2 + length]):
            # Issuer, or the fingerprint of the issuer, whose end is the same.
            if kind in (16, 33) and len(text) >= 8:
                return f"key {text[-8:].hex()}"
        # After the hashed subpackets the others follow, and nothing that looks like these.
        position = position + 2 + length if position == 4 else len(body)
    return "key unknown"


def _subpackets(area: bytes) -> Iterator[tuple[int, bytes]]:
    """Types and bodies of signature subpackets (RFC 4880, 5.2.3.1); those longer than 191 bytes end the list."""
    while len(area) >= 2 and 1 <= area[0] < 192:
        yield area[1] & 0x7F, area[2 : 1 + area[0]]
        area = area[1 + area[0] :]


def _relation(name: str, flags: int, version: str) -> str:
    signs = (("<", t.LESS), (">", t.GREATER), ("=", t.EQUAL))
    sign = "".join(text for text, flag in signs if flags & flag)
    when = ",".join(text for flag, text in SENSES if flags & flag)
    return f"{name}{f' {sign} {version}' if sign else ''}{f' ({when})' if when else ''}"


def _lines(header: Header) -> Iterator[str]:
    """The files as `ls -l` shows them."""
    paths = _rpm_xml.paths(header)
    number = len(paths)
    modes, flags = _column(header, t.FILEMODES, number), _column(header, t.FILEFLAGS, number)
    sizes = _column(header, t.LONGFILESIZES if t.LONGFILESIZES in header else t.FILESIZES, number)
    times = _column(header, t.FILEMTIMES, number)
    users, groups, links = (header.texts(tag) for tag in (t.FILEUSERNAME, t.FILEGROUPNAME, t.FILELINKTOS))
    for place, path in enumerate(paths):
        owner = f"{_at(users, place)}/{_at(groups, place)}"
        link = f" -> {target}" if (target := _at(links, place)) else ""
        marks = [word for word, flag in MARKS if flags[place] & flag]
        mark = f" ({', '.join(marks)})" if marks else ""
        # Other types of numbers are wider than a mode.
        mode = stat.filemode(modes[place] & 0xFFFF)
        yield _clean(f"{mode} {owner} {sizes[place]:>12} {_time(times[place])} {path}{link}{mark}")


def _column(header: Header, tag: int, number: int) -> Sequence[int]:
    found = header.numbers(tag)
    return found if len(found) == number else (0,) * number


def _at(texts: Sequence[str], place: int) -> str:
    return texts[place] if place < len(texts) else ""


def _scripts(header: Header) -> Iterator[tuple[str, str]]:
    for name, text, program in SCRIPTLETS:
        if text in header or program in header:
            yield _headed(name, " ".join(header.texts(program))), header.text(text)
    for kind, text, program, names, index_, flags in TRIGGERS:
        programs, prefixes, events = header.texts(program), header.texts(names), header.numbers(flags)
        places: dict[int, list[int]] = {}
        for place, number in enumerate(header.numbers(index_)):
            places.setdefault(number, []).append(place)
        for number, script in enumerate(header.texts(text)):
            own = places.get(number, [])
            flag = events[own[0]] if own and own[0] < len(events) else 0
            event = next((word for bit, word in EVENTS if flag & bit), "")
            watched = " ".join(_at(prefixes, place) for place in own)
            yield _headed(f"%{kind}{event} -- {watched}", _at(programs, number)), script


def _headed(name: str, program: str) -> str:
    return name if program in ("", "/bin/sh") else f"{name} ({program})"


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(min(seconds, 1 << 35), UTC).strftime("%Y-%m-%d %H:%M")


def _clean(text: str, keep: str = "") -> str:
    """A text that cannot reach the terminal with control characters."""
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)
