"""Readers of package files: .deb, .rpm, and the heads of programs that go into packages."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from xml.parsers import expat

from packaging_tool.errors import InputError
from packaging_tool.formats import _ar, _deb_lintian, _deb_reader, _rpm_classes, deb, rpm
from packaging_tool.formats.base import Built, Description, Format
from packaging_tool.package import compress
from packaging_tool.package.content import Content
from packaging_tool.package.model import Entry, Package
from packaging_tool.repos import apt, yum
from tests.formats import samples
from tests.fuzz.readers.target import FaultError, Target, as_file, holds

BLOCK = 512


def _written(format_: Format, package: Package) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return format_.write(package, Path(folder), None).path.read_bytes()


def _packages() -> Iterator[Package]:
    for compression in ("none", "gzip:1", "xz:0", "zstd:1"):
        yield samples.git_plugin(compression={"deb": compression, "rpm": compression})
    core = samples.core(Content(b"\x7fELF" + bytes(200)))
    yield replace(core, compression={"deb": "none", "rpm": "none"})
    long = samples.file(f"/usr/share/{'long/' * 30}name", "x")
    yield samples.plugin(entries=(long, samples.symlink("/usr/share/link", "y" * 200)), compression={"deb": "none"})


def _debs() -> Iterator[bytes]:
    for package in _packages():
        yield _written(deb.Format(), package)
    for suffix, data in _tars():
        yield _archive(f"control.tar{suffix}", data) + _member("data.tar", bytes(2 * BLOCK))


def _tars() -> Iterator[tuple[str, bytes]]:
    """The same control archive by the compressions that the writer does not have."""
    import bz2
    import lzma

    plain = _control()
    yield ".lzma", lzma.compress(plain, lzma.FORMAT_ALONE)
    yield ".bz2", bz2.compress(plain)


def _rpms() -> Iterator[bytes]:
    for package in _packages():
        yield _written(rpm.Format(), package)


def _member(name: str, data: bytes) -> bytes:
    return _ar.header(name, len(data), 0) + data + bytes(len(data) % 2)


def _archive(name: str, data: bytes) -> bytes:
    return _ar.MAGIC + _member("debian-binary", b"2.0\n") + _member(name, data)


def _control() -> bytes:
    """The control archive of a package, unpacked."""
    from packaging_tool.formats import _tar
    from packaging_tool.package import bodies

    text = Content(b"Package: tiny\nVersion: 1-1\nArchitecture: all\nDescription: a\n b\n")
    member = _tar.Member(b"./control", _tar.FILE, 0o644, size=text.size, content=text)
    return b"".join(bodies.plain(_tar.stream([member], 0), "none"))


def _data_tars() -> Iterator[bytes]:
    """Data archives out of packages whose compression is none, and a pax one of Python's."""
    import io
    import tarfile

    for package in _packages():
        data = _written(deb.Format(), package)
        path = as_file("seed.deb", data)
        with path.open("rb") as file:
            for member in _ar.members(file):
                if member.name == "data.tar":
                    yield data[member.start : member.start + member.size]
    with io.BytesIO() as made, tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("ü" * 60 + "/" + "b" * 120)
        entry.linkname, entry.type = "c" * 150, tarfile.SYMTYPE
        archive.addfile(entry)
        archive.close()
        yield made.getvalue()


def _summed(data: bytes) -> bytes:
    """The archive with right check sums wherever a header could be: no fuzzer finds them by itself."""
    blocks = [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]
    for place, block in enumerate(blocks):
        if len(block) == BLOCK and block[257:262] == b"ustar":
            total = sum(block) - sum(block[148:156]) + 8 * 32
            blocks[place] = block[:148] + b"%06o\0 " % total + block[156:]
    return b"".join(blocks)


def _is_clean(page: Description) -> None:
    """Nothing of a foreign package steers the terminal, and a list has a line for each file."""
    for text in chain((page.title,), page.files, *page.fields):
        holds(all(c.isprintable() or c == "\n" for c in text), f"a control character in {text!r}")
    holds(not any("\n" in line for line in page.files), "a file of two lines")
    for name, text in page.scripts:
        holds(all(c.isprintable() or c in "\n\t" for c in name + text), f"a control character in {name}")


def _read_deb(data: bytes) -> None:
    path = as_file("input.deb", data)
    _is_clean(deb.Format().describe(path))
    deb.Format().kinds(path)
    built = deb.Format().index(path)
    holds(built.size == len(data), "another size")
    _is_one_stanza(built)


def _is_one_stanza(built: Built) -> None:
    """What is listed in a signed index is this package and no other."""
    text = apt._stanza(built.path.parent, built)
    index = as_file("Packages", text.encode())
    stanzas = apt._split(index)
    holds(len(stanzas) == 1, "an index that lists more than the package")
    try:
        apt._fields(index, stanzas[0])
    except InputError as error:
        raise FaultError("the next run cannot read the index") from error
    found = apt.FIELD.findall(stanzas[0])
    names = [name for name, _ in found]
    for name, value in (("Package", built.name), ("Version", built.version), ("Architecture", built.architecture)):
        holds(names.count(name) == 1 and dict(found)[name].strip() == value, f"the index has another {name}")
    for name, value in (("Filename", built.path.name), ("Size", str(built.size)), ("SHA256", built.sha256)):
        holds(names.count(name) == 1 and dict(found)[name].strip() == value, f"the index has another {name}")


def _read_tar(data: bytes) -> None:
    """The data archive in a .deb without compression."""
    whole = _archive("control.tar", _control()) + _member("data.tar", _summed(data))
    _is_clean(_deb_reader.describe(as_file("input.deb", whole)))


def _read_rpm(data: bytes) -> None:
    path = as_file("input.rpm", data)
    _is_clean(rpm.Format().describe(path))
    rpm.Format().kinds(path)
    built = rpm.Format().index(path)
    for kind, head in yum.HEADS.items():
        # The parser that dnf's library has too.
        parser = expat.ParserCreate()
        parser.Parse(f"{yum.XML}{head % 1}{yum._stanza(path.parent, built, kind)}{yum.TAILS[kind]}".encode(), True)
    try:
        listed = yum._published(path.parent, yum._stanza(path.parent, built, "primary"))
    except InputError as error:
        raise FaultError("the next run cannot read the index") from error
    holds((listed.sha256, listed.file) == (built.sha256, f"yum/{path.name}"), "the index lists another file")


def _read_program(data: bytes) -> None:
    """What goes into the packages of a project is looked at too: class and colour for rpm, overrides for lintian."""
    entry = Entry(path="/usr/lib/tiny/bin/tiny", mode=0o755, content=Content(data))
    name, colour = _rpm_classes.classify(entry)
    holds(name.isprintable() and colour in (0, 1, 2), f"the class {name!r}")
    _deb_lintian.overrides(samples.plugin(entries=(entry,)), (entry,))


def _programs() -> Iterator[bytes]:
    import sys

    head = Path(sys.executable).resolve().read_bytes()[:4096]
    yield head
    # The same for 32 bits and for big-endian machines.
    yield head[:4] + b"\x01" + head[5:]
    yield head[:5] + b"\x02" + head[6:]
    static = bytearray(head)
    static[16:18] = b"\x02\x00"
    static[56:58] = b"\x01\x00"
    yield bytes(static)
    yield compress.gzip(b"page")
    yield b"#!/bin/sh\nexit 0\n" + b"#" * 128
    yield b"!<arch>\n__.PKGDEF       0           0     0     644     10        `\ngo object linux" + bytes(128)
    yield "#!/usr/bin/python3\n# é".encode()


TARGETS = (
    Target(
        "deb",
        _read_deb,
        _debs,
        words=(b"!<arch>\n", b"debian-binary   ", b"control.tar.xz  ", b"data.tar        ", b"`\n", b"ustar"),
        longest=1 << 15,
    ),
    Target("tar", _read_tar, _data_tars, words=(b"ustar  \0", b"ustar\00000", b"././@LongLink"), longest=1 << 14),
    Target("rpm", _read_rpm, _rpms, words=(b"\x8e\xad\xe8\x01", b"\xed\xab\xee\xdb\x03"), longest=1 << 14),
    Target("program", _read_program, _programs, words=(b"\x7fELF", b"#!", b"go object ")),
)
