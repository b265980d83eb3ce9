"""Hostile words in packages, indexes and records of others: the real command shows them as text, or says what is wrong.

What it prints has no character that steers a terminal or changes the order of what is read, no command of a word runs,
and nothing outside of the output directory is written.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from packaging_tool.cli.main import run
from packaging_tool.formats import _ar, _rpm_header, _rpm_reader
from packaging_tool.formats import _rpm_tags as t
from tests.hostile import words
from tests.tiers import at_night
from tests.workspace import TINY, Workspace

ROOT = Path(__file__).parent.parent.parent
# Control, format (bidi, zero-width), surrogates, separators of lines and paragraphs.
STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The sample, published."""
    made = Workspace.create(TINY, tmp_path_factory.mktemp("hostile"))
    made.mkpkgs("-q")
    return made


def inspect(path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> tuple[int, bytes]:
    """Status and output of the command, in this process: a hundred new ones would take a minute."""
    status = run(["inspect", str(path)])
    shown = capfdbinary.readouterr()
    return status, shown.out + shown.err


def harmless(output: bytes) -> None:
    """Hold that nothing in an output steers a terminal, and that it is no traceback."""
    text = output.decode()
    assert {hex(ord(c)) for c in text if c not in "\n\t" and unicodedata.category(c) in STEERING} == set()
    assert "Traceback" not in text
    assert "bug in mkpkgs" not in text


def deb(path: Path, word: bytes) -> Path:
    """A .deb with the word wherever it may stand."""
    plain = word.replace(b"\0", b"")
    control = b"Package: foreign\nVersion: 1\nArchitecture: all\nMaintainer: %b\n%b: x\nDescription: %b\n" % (
        (word.replace(b"\n", b"\n "),) * 3
    )
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": gzip.compress(tar([("control", control), ("postinst", word)])),
        "data.tar": members(plain),
    }
    data = b"".join(_ar.header(n, len(d), 0) + d + b"\n" * (len(d) % 2) for n, d in parts.items())
    path.write_bytes(_ar.MAGIC + data)
    return path


def tar(files: list[tuple[str, bytes]]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def members(word: bytes) -> bytes:
    """A link whose name, target, owner and group are the word."""
    made = io.BytesIO()
    said = word.decode("utf-8", "surrogateescape")
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as archive:
        info = tarfile.TarInfo(f"./{said[:60000]}")
        info.type, info.linkname = tarfile.SYMTYPE, said[:60000]
        info.uname = info.gname = os.fsdecode(os.fsencode(said)[:31])
        archive.addfile(info)
    return made.getvalue()


def rpm(path: Path, word: bytes, published: Workspace) -> Path:
    """An .rpm of ours whose texts are the word: each text becomes a mark of its length, then the mark the word."""
    whole = next(published.dist.rglob("*.rpm")).read_bytes()
    found = _rpm_reader.parse(io.BytesIO(whole))
    word = word.replace(b"\0", b"") or b"x"
    mark = "\ue000" * ((len(word) + 2) // 3)
    tags = dict(found.header.tags)
    for tag in (t.NAME, t.VERSION, t.SUMMARY, t.DESCRIPTION, t.LICENSE, t.URL, t.VENDOR, t.PACKAGER, t.POSTIN):
        tags[tag] = mark
    for tag in (t.PROVIDENAME, t.REQUIRENAME, t.FILEUSERNAME, t.FILEGROUPNAME, t.FILELINKTOS, t.BASENAMES, t.DIRNAMES):
        if tag in tags:
            tags[tag] = (mark,) * len(found.header.texts(tag))
    header = _rpm_header.encode(t.HEADERIMMUTABLE, tags, t.TYPES)
    path.write_bytes(whole[: found.start] + header.replace(mark.encode(), word.ljust(len(mark.encode()), b"z")))
    return path


def test_words_in_packages_are_shown_as_text(
    published: Workspace, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    mark = tmp_path / "mark"
    shown = 0
    for name, word in words.raw(mark):
        for path in (deb(tmp_path / f"{name}.deb", word), rpm(tmp_path / f"{name}.rpm", word, published)):
            status, said = inspect(path, capfdbinary)
            harmless(said)
            assert status in (0, 2), path
            assert status == 0 or path.name.encode() in said
            shown += status == 0
    assert shown > len(words.WORDS)
    assert not mark.exists()


def test_words_as_names_of_packages_are_shown_as_text(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    for name, word in words.words(tmp_path / "mark"):
        path = tmp_path / f"x{word.replace('/', '_')[:200]}.deb"
        path.write_bytes(b"no package")
        status, said = inspect(path, capfdbinary)
        harmless(said)
        assert status == 2, name
    assert not (tmp_path / "mark").exists()


def test_a_long_name_of_a_field_widens_no_column(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Else 16 MB of control file become terabytes of blanks."""
    control = b"Package: x\nVersion: 1\nArchitecture: all\n" + b"X" * 100_000 + b": x\n" + b"a: x\n" * 1000
    parts = {"debian-binary": b"2.0\n", "control.tar": tar([("control", control)]), "data.tar": tar([])}
    path = tmp_path / "x.deb"
    path.write_bytes(
        _ar.MAGIC + b"".join(_ar.header(n, len(d), 0) + d + b"\n" * (len(d) % 2) for n, d in parts.items())
    )
    status, said = inspect(path, capfdbinary)
    assert status == 0
    assert len(said) < 200_000


def literal(pattern: str, new: str, text: str) -> str:
    """The text with the first line that fits the pattern replaced."""
    return re.sub(pattern, new.replace("\\", r"\\"), text, count=1, flags=re.M)


def changed(dist: Path, word: str) -> Iterator[tuple[str, Path, bytes]]:
    """What somebody may have written into the published directory or a record: its name, the file, the bytes."""
    packages = next(dist.rglob("Packages"))
    text = packages.read_text()
    for field in ("Package", "Version", "Architecture", "Depends", "Filename", "Size", "SHA256"):
        put = literal(f"^{field}: .*$", f"{field}: {word}", text)
        yield field, packages, put.encode(errors="surrogateescape")
    release = next(dist.rglob("Release"))
    yield "Date", release, re.sub("^Date: .*$", lambda _: f"Date: {word} UTC", release.read_text(), flags=re.M).encode()
    repomd = dist / "yum/repodata/repomd.xml"
    yield (
        "location",
        repomd,
        re.sub('href="repodata/[^"]*"', lambda _: f'href="repodata/{word}"', repomd.read_text()).encode(),
    )
    primary = next(repomd.parent.glob("*-primary.xml.gz"))
    listed = gzip.decompress(primary.read_bytes()).decode()
    for pattern in (
        "<name>[^<]*",
        '<location href="[^"]*',
        '<checksum type="sha256" pkgid="YES">[^<]*',
        '<version epoch="0" ver="[^"]*',
    ):
        head = re.match('(.*[>"])', pattern.replace("[^<]*", "").replace('[^"]*', ""))
        assert head is not None
        yield pattern, primary, gzip.compress(re.sub(pattern, lambda _, h=head[1]: h + word, listed, count=1).encode())
    state = dist.parent / ".mkpkgs/state.json"
    known = json.loads(state.read_text())
    known["packages"] = {f"../../{word}" if word else "..": item for item in known["packages"].values()}
    known["files"] = {f"../{word}": word for _ in known["files"]}
    yield "state", state, json.dumps(known).encode()
    lock = dist.parent / "mkpkgs.lock"
    for key in ("version", "driver", "time"):
        quoted = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
        yield (
            f"lock {key}",
            lock,
            literal(f"^{key} = .*$", f'{key} = "{quoted}"', lock.read_text()).encode(),
        )


# What leads out, steers, runs or breaks a format.
CHOSEN = (
    *("path-above", "title-of-terminal", "newline", "absolute", "right-to-left"),
    *("command", "json", "long", "empty", "zero-width"),
)


# In each turn each place gets another word: all words in all places take an hour.
@pytest.mark.parametrize(
    "turn", [0, pytest.param(1, marks=pytest.mark.acceptance), *map(at_night, range(2, len(CHOSEN)))]
)
def test_words_in_what_is_published_already_are_refused_or_replaced(
    turn: int, published: Workspace, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    known = dict(words.words(mark))
    project = published.copy(tmp_path / "copy")
    outside = {path for path in tmp_path.rglob("*") if project.root not in path.parents}
    for number in range(len(list(changed(project.dist, "x")))):
        word = known[CHOSEN[(number + turn) % len(CHOSEN)]]
        place, path, data = list(changed(project.dist, word))[number]
        before = path.read_bytes()
        path.write_bytes(data)
        (project.root / "plugins/hello/greeting").write_text(f"format 1\n{place}\n")
        command = [sys.executable, "-m", "packaging_tool"]
        done = subprocess.run(command, cwd=project.root, env=project.environment(), capture_output=True, timeout=120)
        harmless(done.stdout + done.stderr)
        assert done.returncode in (0, 1, 2), (place, done.stderr)
        if path.exists():
            path.write_bytes(before)
        shutil.rmtree(project.dist)
        shutil.copytree(published.dist, project.dist)
    assert {path for path in tmp_path.rglob("*") if project.root not in path.parents} == outside
    assert not mark.exists()


def peak(path: Path) -> tuple[int, bytes]:
    """Megabytes that inspecting a package takes, and what it says."""
    code = (
        "import re, sys; from packaging_tool.cli.main import run; run(['inspect', '-q', sys.argv[1]]);"
        "print(re.search('VmHWM:.*?([0-9]+)', open('/proc/self/status').read())[1], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, timeout=60)
    return int(done.stderr.split()[-1]) >> 10, done.stdout + done.stderr


def test_a_bomb_in_a_deb_ends_early_and_says_so(tmp_path: Path) -> None:
    packer = zstandard.ZstdCompressor().compressobj()
    info = tarfile.TarInfo("./x")
    info.size = 8 << 30
    data = packer.compress(info.tobuf(tarfile.GNU_FORMAT))
    data += b"".join(packer.compress(bytes(1 << 24)) for _ in range(160)) + packer.flush()
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar": tar([("control", b"Package: x\nVersion: 1\nArchitecture: all\n")]),
        "data.tar.zst": data,
    }
    path = tmp_path / "x.deb"
    path.write_bytes(
        _ar.MAGIC + b"".join(_ar.header(n, len(d), 0) + d + b"\n" * (len(d) % 2) for n, d in parts.items())
    )
    megabytes, said = peak(path)
    assert re.search(rb"data\.tar\.zst of \d+ bytes unpacks to more than 1\d{9}: no package does that", said)
    assert megabytes < 120


def test_what_nobody_reads_of_an_rpm_takes_its_own_size_and_no_more(published: Workspace, tmp_path: Path) -> None:
    whole = next(published.dist.rglob("*.rpm")).read_bytes()
    found = _rpm_reader.parse(io.BytesIO(whole))
    tags = {**found.header.tags, 9000: tuple(range(65536)) * 256}
    header = _rpm_header.encode(t.HEADERIMMUTABLE, tags, {**t.TYPES, 9000: t.INT16})
    path = tmp_path / "x.rpm"
    path.write_bytes(whole[: found.start] + header)
    megabytes, said = peak(path)
    assert b"Installed-Size" in said
    assert megabytes < 200
    tags = {**found.header.tags, t.BASENAMES: ("",) * 4_000_000}
    path.write_bytes(whole[: found.start] + _rpm_header.encode(t.HEADERIMMUTABLE, tags, t.TYPES))
    megabytes, said = peak(path)
    assert b"has 4000000 items, more than any package" in said
    assert megabytes < 200
