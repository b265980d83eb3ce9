"""Any .rpm can be looked at, also one that somebody damaged or made to hurt."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from packaging_tool.errors import InputError
from packaging_tool.formats import _rpm_header, _rpm_reader
from packaging_tool.formats import _rpm_tags as t
from packaging_tool.formats.rpm import Format
from tests.formats import samples
from tests.formats.rpms import build, core, needs, new_signer, output, plugin

SPEC = """Name: foreign
Version: 1
Release: 2%{?none}
Summary: Made by rpmbuild
License: MIT
BuildArch: noarch
Requires(pre): shadow-utils
%description
Text.
%pre -p <lua>
print("hello")
%triggerin -- other > 1
echo trigger
%filetriggerin -- /usr/share/x /usr/share/y
cat
%install
mkdir -p %{buildroot}/usr/share/foreign
echo a > %{buildroot}/usr/share/foreign/a
ln %{buildroot}/usr/share/foreign/a %{buildroot}/usr/share/foreign/b
%files
/usr/share/foreign
"""


@needs("rpmbuild")
def test_a_package_of_rpmbuild_is_described(tmp_path: Path) -> None:
    (tmp_path / "foreign.spec").write_text(SPEC)
    output("rpmbuild", "-ba", "--quiet", "--define", f"_topdir {tmp_path}", tmp_path / "foreign.spec")
    page = Format().describe(tmp_path / "RPMS/noarch/foreign-1-2.noarch.rpm")
    assert page.title == "foreign 1-2"
    fields = dict(page.fields)
    assert fields["Architecture"] == "noarch"
    assert "shadow-utils (pre)" in fields["Requires"].split("\n")
    assert fields["Signature"] == "none"
    assert [line.split()[-1] for line in page.files] == [f"/usr/share/foreign{end}" for end in ("", "/a", "/b")]
    assert dict(page.scripts) == {
        "%pre (<lua>)": 'print("hello")',
        "%triggerin -- other": "echo trigger",
        "%filetriggerin -- /usr/share/x /usr/share/y": "cat",
    }
    source = Format().describe(next((tmp_path / "SRPMS").iterdir()))
    assert dict(source.fields)["Architecture"] == "src"


def test_our_own_package_is_described(tmp_path: Path) -> None:
    with new_signer("ed25519") as (signer, _):
        page = Format().describe(build(core(), tmp_path, signer).path)
        key = signer.fingerprint[-16:].lower()
    fields = dict(page.fields)
    assert page.title == "tiny 1:2.11.9-1"
    assert fields["Signature"] == f"of the header, EdDSA, ECDSA or DSA, key {key}, not checked"
    assert fields["Format"] == "rpm, cpio, zstd 3"
    assert "(sudo or doas > 6.8)" in fields["Requires"]
    assert [name.split()[0] for name, _ in page.scripts] == [name.split()[0] for name in Format().scripts(core())]
    lines = {line.split("2026-09-21 ")[1][6:]: line for line in page.files}
    assert lines["/usr/bin/tiny -> ../lib/tiny/bin/tiny"].startswith("lrwxrwxrwx root/root")
    assert lines[samples.PLUGINS].startswith("drwxr-x--- root/tiny")
    assert "/etc/tiny/tiny.conf (config)" in lines


def test_no_damage_makes_reading_fail_in_another_way_than_a_clear_error(tmp_path: Path) -> None:
    data = build(core(), tmp_path).path.read_bytes()
    start = data.index(_rpm_header.MAGIC, 200)
    broken = tmp_path / "broken.rpm"
    chance = random.Random(1)  # noqa: S311 # the same damage each time
    for _ in range(500):
        made = bytearray(data)
        for _ in range(chance.randrange(1, 6)):
            made[chance.randrange(start + 5000 if chance.random() < 0.8 else len(made))] = chance.randrange(256)
        if chance.random() < 0.2:
            del made[chance.randrange(len(made)) :]
        broken.write_bytes(made)
        for look in (Format().describe, Format().index):
            try:
                look(broken)
            except InputError as error:
                assert str(broken) in error.message


def package_of(tmp_path: Path, signature: bytes, header: bytes) -> Path:
    path = tmp_path / "made.rpm"
    lead = b"\xed\xab\xee\xdb\x03\x00" + bytes(90)
    path.write_bytes(lead + signature + bytes(-len(signature) % 8) + header)
    return path


def raw(*entries: tuple[int, int, int, int], data: bytes = b"", count: int = -1, size: int = -1) -> bytes:
    """A header of these (tag, type, offset, count) entries that may say wrong numbers of itself."""
    index = b"".join(struct.pack(">IIiI", *entry) for entry in entries)
    sizes = struct.pack(">II", len(entries) if count < 0 else count, len(data) if size < 0 else size)
    return _rpm_header.MAGIC + sizes + index + data


EMPTY = _rpm_header.encode(t.HEADERSIGNATURES, {}, {})


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"", "missing"),
        (raw(count=0), "longer than it can be"),
        (raw(count=0xFFFFFFFF), "longer than it can be"),
        (raw((t.NAME, t.STRING, 0, 1), size=0x7FFFFFFF), "longer than it can be"),
        (raw((t.NAME, t.STRING, 0, 1), data=b"no end"), "does not end"),
        (raw((t.NAME, t.STRING, -1, 1), data=b"x\0"), "outside"),
        (raw((t.NAME, t.STRING, 7, 1), data=b"x\0"), "outside"),
        (raw((t.FILESIZES, t.INT32, 0, 0x40000000), data=bytes(8)), "outside"),
        (raw((t.FILESIZES, t.INT32, 4, 2), data=bytes(8)), "outside"),
        (raw((t.SIGMD5, t.BIN, 4, 8), data=bytes(8)), "outside"),
        (raw((t.BASENAMES, t.STRING_ARRAY, 0, 3), data=b"a\0b\0"), "does not end"),
        (raw((t.NAME, 77, 0, 1), data=b"x\0"), "unknown type"),
    ],
)
def test_a_header_that_lies_is_refused(header: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=reason):
        Format().describe(package_of(tmp_path, EMPTY, header))


def test_tags_of_the_wrong_type_or_length_are_as_good_as_empty(tmp_path: Path) -> None:
    tags: dict[int, _rpm_header.Value] = {
        t.NAME: "x",
        t.VERSION: (1, 2),
        t.BASENAMES: ("a", "b"),
        t.DIRNAMES: ("/",),
        t.DIRINDEXES: (0, 9),
        t.FILEMODES: (1,),
        t.REQUIRENAME: ("a", "b"),
        t.REQUIREFLAGS: (8,),
        t.PREIN: (4,),
        t.CHANGELOGTIME: (0xFFFFFFFF,),
    }
    header = _rpm_header.encode(t.HEADERIMMUTABLE, tags, {**t.TYPES, t.VERSION: t.INT32, t.PREIN: t.INT32})
    page = Format().describe(package_of(tmp_path, EMPTY, header))
    assert page.title == "x"
    assert [line.split()[-1] for line in page.files] == ["/a"]
    assert dict(page.fields)["Requires"] == "a\nb"


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    tags: dict[int, _rpm_header.Value] = {t.NAME: "x\x1b[2J", t.SUMMARY: ("\x9b31m",), t.PREIN: "a\x07\nb"}
    page = Format().describe(package_of(tmp_path, EMPTY, _rpm_header.encode(t.HEADERIMMUTABLE, tags, t.TYPES)))
    shown = "".join((page.title, *(value for _, value in page.fields), *(text for _, text in page.scripts)))
    assert all(character.isprintable() or character == "\n" for character in shown)


def test_a_package_that_is_cut_off_cannot_be_indexed(tmp_path: Path) -> None:
    path = build(plugin(), tmp_path).path
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="cut off"):
        Format().index(path)


@pytest.mark.parametrize("data", [b"", b"\xed\xab\xee\xdb", b"!<arch>\n" + bytes(200), bytes(96)])
def test_what_is_no_rpm_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.rpm"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"x\.rpm"):
        Format().describe(path)
    with pytest.raises(InputError, match="cannot be read"):
        Format().describe(tmp_path / "missing.rpm")


def test_both_headers_are_found_where_they_stand(tmp_path: Path) -> None:
    path = build(core(), tmp_path).path
    with path.open("rb") as file:
        found = _rpm_reader.parse(file)
    data = path.read_bytes()
    assert found.start % 8 == 0
    assert data[found.start :].startswith(_rpm_header.MAGIC)
    assert found.header.text(t.NAME) == "tiny"
    assert found.signature.number(t.SIGSIZE) == len(data) - found.start
