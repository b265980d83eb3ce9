"""Any .deb can be described, and none can hurt: not by bombs, not by lies about sizes, not by control characters."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
import zstandard

from packaging_tool.errors import InputError
from packaging_tool.formats import _ar, _deb_reader
from packaging_tool.formats.base import Description
from packaging_tool.formats.deb import Format
from packaging_tool.package.content import Content
from tests.formats import samples

CONTROL = b"Package: foreign\nVersion: 1\nArchitecture: all\nDescription: short\n long\n .\n end\n"


def describe(path: Path) -> Description:
    return Format().describe(path)


def tar(files: dict[str, bytes], style: int = tarfile.GNU_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=style) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def ar(members: dict[str, bytes]) -> bytes:
    parts = [_ar.MAGIC]
    for name, data in members.items():
        parts += [_ar.header(name, len(data), 0), data, b"\n" * (len(data) % 2)]
    return b"".join(parts)


def foreign(path: Path, **members: bytes) -> Path:
    """A .deb from parts; names of members with `_` for `.`."""
    standard = {"debian-binary": b"2.0\n", "control.tar.gz": gzip.compress(tar({"./control": CONTROL}))}
    given = {name.replace("_", "."): data for name, data in members.items()}
    if any(name.startswith("control") for name in given):
        del standard["control.tar.gz"]
    if not any(name.startswith("data") for name in given):
        given["data.tar"] = tar({"./usr/x": b"x"})
    path.write_bytes(ar(standard | given))
    return path


def test_our_own_package_is_described(tmp_path: Path) -> None:
    built = Format().write(samples.core(Content(b"program" * 99)), tmp_path, None)
    page = describe(built.path)
    assert page.title == "tiny 1.2.0-1"
    assert ("Depends", "openssl (>= 3.0), systemd") in page.fields
    assert dict(page.scripts)["triggers"] == f"interest-noawait {samples.PLUGINS}\n"
    assert any(
        line.startswith("drwxr-x--- root/tiny") and line.endswith(" /usr/lib/tiny/plugins/") for line in page.files
    )
    assert any(line.endswith(" /usr/bin/tiny -> ../lib/tiny/bin/tiny") for line in page.files)


def test_only_the_control_file_can_be_read(tmp_path: Path) -> None:
    built = Format().write(samples.git_plugin(), tmp_path, None)
    assert _deb_reader.control(built.path)[0] == built.index["control"]


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg is not installed")
@pytest.mark.parametrize("method", ["gzip", "xz", "zstd", "none"])
def test_packages_of_dpkg_deb_are_described(method: str, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    long = "d" * 150 + "/" + "f" * 150
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_bytes(CONTROL + b"Maintainer: A <a@example.org>\n")
    (tree / long).parent.mkdir()
    (tree / long).write_text("x")
    (tree / "hard").hardlink_to(tree / long)
    path = tmp_path / "made.deb"
    subprocess.run(["dpkg-deb", f"-Z{method}", "-b", tree, path], check=True, capture_output=True)
    page = describe(path)
    assert page.title == "foreign 1"
    assert any(line.endswith(f" /{long}") for line in page.files)
    assert any(" link to " in line for line in page.files)


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        (".gz", gzip.compress),
        (".xz", lzma.compress),
        (".lzma", lambda data: lzma.compress(data, lzma.FORMAT_ALONE)),
        (".bz2", bz2.compress),
        (".zst", lambda data: zstandard.ZstdCompressor().compress(data)),
        ("", bytes),
    ],
)
@pytest.mark.parametrize("style", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_compression_and_kind_of_tar_is_read(suffix: str, pack: object, style: int, tmp_path: Path) -> None:
    assert callable(pack)
    name = "./" + "d" * 90 + "/" + "f" * 60
    data = pack(tar({name: b"x" * 600, "./last": b""}, style))
    page = describe(foreign(tmp_path / "x.deb", **{f"data_tar{suffix.replace('.', '_')}": data}))
    assert [line.split()[-1] for line in page.files] == [name[1:], "/last"]


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    evil = "\x1b]0;evil\x07\u202e"
    control = CONTROL + f"Homepage: {evil}\n".encode()
    path = foreign(
        tmp_path / "x.deb",
        control_tar=tar({"control": control, "postinst": evil.encode()}),
        data_tar=tar({f"./{evil}": b""}),
    )
    page = describe(path)
    text = repr(page.title) + "".join(page.files) + "".join(v for row in (*page.fields, *page.scripts) for v in row)
    assert all(char.isprintable() or char in "\n\t" for char in text)


def bomb(size: int) -> bytes:
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    return b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)), packer.flush()])


def huge_name() -> bytes:
    """A header that promises a long name of 8 GiB."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, (8 << 30) - 1
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(4096)


WRONG = {
    "empty": b"",
    "text": b"hello\n" * 100,
    "only the magic": _ar.MAGIC,
    "no debian-binary": ar({"control.tar": tar({"control": CONTROL})}),
    "version 3": ar({"debian-binary": b"3.0\n"}),
    "no control archive": ar({"debian-binary": b"2.0\n", "data.tar": tar({})}),
    "no data archive": ar({"debian-binary": b"2.0\n", "control.tar": tar({"control": CONTROL})}),
    "no control file": ar({"debian-binary": b"2.0\n", "control.tar": tar({"x": b""}), "data.tar": tar({})}),
    "unknown compression": ar({"debian-binary": b"2.0\n", "control.tar.br": b"x", "data.tar": b""}),
    "rubbish in gzip": ar({"debian-binary": b"2.0\n", "control.tar.gz": b"rubbish", "data.tar": b""}),
    "rubbish in xz": ar({"debian-binary": b"2.0\n", "control.tar.xz": b"rubbish", "data.tar": b""}),
    "rubbish in zstd": ar({"debian-binary": b"2.0\n", "control.tar.zst": b"rubbish", "data.tar": b""}),
    "rubbish in tar": ar({"debian-binary": b"2.0\n", "control.tar": b"r" * 2000, "data.tar": b""}),
    "a bomb as control": ar({"debian-binary": b"2.0\n", "control.tar.zst": bomb(64 << 20), "data.tar": b""}),
    "a huge name": ar({"debian-binary": b"2.0\n", "control.tar": huge_name(), "data.tar": b""}),
    "many members": ar({"debian-binary": b"2.0\n", **{str(n): b"" for n in range(100)}}),
    "a negative size": _ar.MAGIC + _ar.header("debian-binary", 4, 0).replace(b"4         ", b"-4        ") + b"2.0\n",
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_package_is_refused(what: str, tmp_path: Path) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(WRONG[what])
    with pytest.raises(InputError, match=r"x\.deb cannot be read as a \.deb: .+"):
        describe(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing"):
        describe(tmp_path / "missing.deb")


@pytest.mark.parametrize("suffix", ["gz", "xz", "zst"])
def test_damaged_packages_end_with_an_input_error(suffix: str, tmp_path: Path) -> None:
    """Cut at every length and with bytes changed: described, or refused with a clear error, and nothing else."""
    method = {"gz": "gzip", "xz": "xz:0", "zst": "zstd:1"}[suffix]
    package = samples.plugin(entries=[samples.file("/usr/lib/x", b"x" * 99)], compression={"deb": method})
    whole = Format().write(package, tmp_path, None).path.read_bytes()
    rng = random.Random(suffix)  # noqa: S311 - test data, no secret
    path = tmp_path / "x.deb"
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole[: rng.randrange(len(whole))] if rng.random() < 0.3 else whole)
        for _ in range(rng.randrange(1, 4)):
            if damaged:
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            describe(path)
        except InputError:
            refused += 1
    assert refused > 75
