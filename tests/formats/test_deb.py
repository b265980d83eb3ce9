"""A .deb of ours is a .deb for dpkg, apt, lintian, python-debian, ar and tar."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from debian.deb822 import Deb822
from debian.debfile import DebFile

from packaging_tool.errors import PackageError
from packaging_tool.formats.base import Built
from packaging_tool.formats.deb import Format
from packaging_tool.package.content import Content
from packaging_tool.package.model import (
    Alternatives,
    Capability,
    Change,
    Entry,
    Package,
    Relation,
    Relations,
    Version,
)
from tests.formats import samples

PATH = {"PATH": os.environ["PATH"]}
COMPRESSIONS = ["gzip", "gzip:1", "xz:1", "zstd:3", "none"]
needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg is not installed")
needs_lintian = pytest.mark.skipif(shutil.which("lintian") is None, reason="lintian is not installed")


def output(*argv: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def build(package: Package, directory: Path) -> Built:
    return Format().write(package, directory, None)


def fields(package: Package, directory: Path) -> Deb822:
    return Deb822(build(package, directory).index["control"])


def related(**relations: Sequence[Alternatives]) -> Package:
    return samples.plugin(relations={"deb": Relations(**{k: tuple(v) for k, v in relations.items()})})


@needs_dpkg
@pytest.mark.parametrize("spec", COMPRESSIONS)
def test_dpkg_unpacks_what_went_in(spec: str, tmp_path: Path) -> None:
    big = os.urandom(700_000) + bytes(700_000)
    source = tmp_path / "big"
    source.write_bytes(big)
    entries = (
        samples.file("/usr/lib/x/empty", b""),
        samples.file("/usr/lib/x/ünïcode 名 file", "text"),
        samples.file("/usr/lib/x/setuid", b"#!/bin/sh\n", mode=0o4755),
        samples.directory("/usr/lib/x/sticky", 0o1777),
        samples.symlink("/usr/lib/x/link", "../" * 40 + "usr/lib/x/empty"),
        samples.file("/usr/lib/x/" + "n" * 100, "100 bytes of name"),
        samples.file("/" + "/".join(["usr", "lib", "x", *["d" * 120] * 4, "f" * 246]), "a long path"),
        Entry(path="/usr/lib/x/big", content=Content(source)),
    )
    built = build(samples.plugin(entries=entries, compression={"deb": spec}), tmp_path)
    root = tmp_path / "root"
    output("dpkg-deb", "-x", built.path, root)
    for entry in entries:
        path = root / entry.path[1:]
        if entry.content is not None:
            assert path.read_bytes() == entry.content.read()
        if entry.type == "symlink":
            assert str(path.readlink()) == entry.target
        else:
            assert path.stat().st_mode & 0o7777 == entry.mode
        assert path.lstat().st_mtime == samples.TIME


@needs_dpkg
def test_dpkg_reads_the_control_file_that_the_repository_gets(tmp_path: Path) -> None:
    built = build(samples.git_plugin(), tmp_path)
    assert output("dpkg-deb", "-f", built.path) == built.index["control"]
    assert built.path.name == "tiny-plugin-git_1.2.0-1_amd64.deb"
    assert (built.name, built.version, built.architecture) == ("tiny-plugin-git", "1.2.0-1", "amd64")


def test_digests_and_size_are_those_of_the_file(tmp_path: Path) -> None:
    for spec, data in (("gzip:1", b"little"), ("none", os.urandom(5 << 20))):
        package = samples.plugin(entries=[samples.file("/usr/lib/x", data)], compression={"deb": spec})
        built = build(package, tmp_path)
        whole = built.path.read_bytes()
        assert built.size == len(whole)
        assert built.sha256 == hashlib.sha256(whole).hexdigest()


@pytest.mark.skipif(shutil.which("ar") is None, reason="binutils is not installed")
@pytest.mark.parametrize(("spec", "suffix"), [("gzip", ".gz"), ("xz:0", ".xz"), ("zstd", ".zst"), ("none", "")])
def test_ar_and_tar_read_it(spec: str, suffix: str, tmp_path: Path) -> None:
    built = build(samples.git_plugin(compression={"deb": spec}), tmp_path)
    assert output("ar", "t", built.path).split() == ["debian-binary", "control.tar.gz", f"data.tar{suffix}"]
    output("ar", "x", built.path, cwd=tmp_path)
    assert (tmp_path / "debian-binary").read_bytes() == b"2.0\n"
    listed = output("tar", "-tvf", f"data.tar{suffix}", "--numeric-owner", cwd=tmp_path).splitlines()
    assert {line.split()[1] for line in listed} == {"0/0"}
    assert listed[0].endswith(" ./")


@needs_dpkg
@pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt is not installed")
def test_apt_reads_its_relations(tmp_path: Path) -> None:
    built = build(samples.core(Content(b"x")), tmp_path)
    nothing = ["-o", "Dir::State::status=/dev/null", "-o", "Debug::NoLocking=1", "-o", f"Dir::State={tmp_path}"]
    done = subprocess.run(
        ["apt-get", "-s", *nothing, "install", built.path], capture_output=True, check=False, env={"LC_ALL": "C"} | PATH
    )
    said = (done.stdout + done.stderr).decode()
    assert "tiny : Depends: openssl (>= 3.0)" in said
    assert "Depends: systemd" in said


def test_python_debian_finds_control_and_md5sums_right(tmp_path: Path) -> None:
    package = samples.core(Content(b"program"))
    with DebFile(str(build(package, tmp_path).path)) as deb:
        sums = {name.decode(): value for name, value in deb.md5sums().items()}
        for name, value in sums.items():
            data = deb.data.get_content(name)
            assert hashlib.md5(data or b"", usedforsecurity=False).hexdigest() == value
        assert "etc/tiny/tiny.conf" not in sums
        assert "usr/lib/tiny/bin/tiny" not in sums
        names = {name.removeprefix("./") for name in deb.control.tgz().getnames()}
        assert names == {".", "control", "conffiles", "md5sums", "postinst", "postrm", "prerm", "triggers"}
        assert deb.control.get_content("conffiles") == b"/etc/tiny/tiny.conf\n"
        assert deb.control.get_content("triggers") == f"interest-noawait {samples.PLUGINS}\n".encode()


@needs_dpkg
def test_a_plugin_has_no_scripts_and_no_triggers(tmp_path: Path) -> None:
    built = build(samples.git_plugin(), tmp_path)
    names = output("dpkg-deb", "--ctrl-tarfile", built.path)
    assert Format().scripts(samples.git_plugin()) == {}
    assert not {"postinst", "prerm", "postrm", "triggers"} & set(names.split("\0"))


@needs_dpkg
def test_ghosts_are_left_out_and_parents_come_first(tmp_path: Path) -> None:
    built = build(samples.core(Content(b"program")), tmp_path)
    listed = [line.split()[5] for line in output("dpkg-deb", "-c", built.path).splitlines()]
    assert "./usr/lib/tiny/bin/tiny" not in listed
    assert len(listed) == len(set(listed))
    for name in listed[1:]:
        parent = name.rstrip("/").rpartition("/")[0] + "/"
        assert listed.index(parent) < listed.index(name)


@needs_dpkg
def test_owner_and_group_travel_as_names(tmp_path: Path) -> None:
    built = build(samples.git_plugin(), tmp_path)
    line = next(line for line in output("dpkg-deb", "-c", built.path).splitlines() if line.endswith("/plugins/"))
    assert line.startswith("drwxr-x--- root/tiny ")


@pytest.mark.skipif(shutil.which("dpkg-gencontrol") is None, reason="dpkg-dev is not installed")
def test_installed_size_is_what_dpkg_gencontrol_counts(tmp_path: Path) -> None:
    extra = [samples.file("/usr/lib/x/a", bytes(1024)), samples.file("/usr/lib/x/b", bytes(1025))]
    built = build(samples.core(Content(bytes(5000)), extra), tmp_path)
    tree, debian = tmp_path / "tree", tmp_path / "debian"
    output("dpkg-deb", "-x", built.path, tree)
    debian.mkdir()
    (debian / "control").write_text(
        "Source: tiny\nMaintainer: A <a@example.org>\n\nPackage: tiny\nArchitecture: amd64\nDescription: x\n y\n"
    )
    (debian / "changelog").write_text(
        "tiny (1-1) unstable; urgency=low\n\n  * x\n\n -- A <a@example.org>  Tue, 14 Nov 2023 22:13:20 +0000\n"
    )
    made = output("dpkg-gencontrol", f"-P{tree}", "-O", cwd=tmp_path)
    assert Deb822(made)["Installed-Size"] == Deb822(built.index["control"])["Installed-Size"]


def test_fields_stand_in_the_order_of_dpkg(tmp_path: Path) -> None:
    known = ["Package", "Source", "Version", "Architecture", "Maintainer", "Installed-Size"]
    known += ["Depends", "Recommends", "Suggests", "Conflicts", "Breaks", "Replaces", "Provides"]
    known += ["Section", "Priority", "Multi-Arch", "Homepage", "Description"]
    one: tuple[Alternatives, ...] = ((Relation("one"),),)
    package = samples.plugin(
        architecture="all",
        version=Version("1.2.0", "1", 3),
        relations={
            "deb": Relations(
                depends=one,
                recommends=one,
                suggests=one,
                conflicts=one,
                replaces=((Relation("old", "<", "2"),),),
                provides=one,
            )
        },
    )
    found = fields(package, tmp_path)
    assert list(found) == known
    assert found["Version"] == "3:1.2.0-1"
    assert (tmp_path / "tiny-plugin-git_1.2.0-1_all.deb").exists()


def dpkg(root: Path, *arguments: str | Path) -> str:
    """dpkg on a root of its own, where nothing else is installed."""
    (root / "var/lib/dpkg/updates").mkdir(parents=True, exist_ok=True)
    (root / "var/lib/dpkg/info").mkdir(exist_ok=True)
    (root / "var/lib/dpkg/status").touch()
    options = ("--force-not-root", "--force-depends", "--force-bad-path", "--force-confold", "--log=/dev/null")
    return output("dpkg", f"--root={root}", *options, *arguments)


@needs_dpkg
def test_dpkg_installs_verifies_and_purges_it(tmp_path: Path) -> None:
    root = tmp_path / "root"
    long = "/usr/lib/x/" + "/".join(["d" * 120] * 3 + ["n" * 246])
    entries = [
        samples.file("/etc/x.conf", "a", type="config"),
        samples.file(long, "x"),
        samples.directory("/usr/lib/x"),
    ]
    built = build(samples.plugin("xx", entries), tmp_path)
    dpkg(root, "-i", built.path)
    assert (root / long[1:]).read_text() == "x"
    assert dpkg(root, "-V", "xx") == ""
    (root / long[1:]).write_text("broken")
    verified = subprocess.run(["dpkg", f"--root={root}", "-V", "xx"], capture_output=True, check=False)
    assert verified.stdout.decode().split() == ["??5??????", long]
    dpkg(root, "-P", "xx")
    assert not (root / "usr").exists()
    assert not (root / "etc").exists()


@needs_dpkg
def test_a_config_file_survives_upgrade_and_removal_but_not_purge(tmp_path: Path) -> None:
    root = tmp_path / "root"
    config = root / "etc/xx.conf"
    for number, ours in (("1", "first"), ("2", "second")):
        entry = samples.file("/etc/xx.conf", ours, type="config")
        dpkg(root, "-i", build(samples.plugin("xx", [entry], version=Version("1", number)), tmp_path).path)
        if number == "1":
            config.write_text("mine")
    assert config.read_text() == "mine"
    assert (root / "etc/xx.conf.dpkg-dist").read_text() == "second"
    dpkg(root, "-r", "xx")
    assert config.read_text() == "mine"
    dpkg(root, "-P", "xx")
    assert not config.exists()


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ["This package brings tiny-plugin-git 1.2.0."]),
        ("\n\n", ["This package brings tiny-plugin-git 1.2.0."]),
        ("Keeps a checked-out\nrepository up to date.", ["This package brings tiny-plugin-git 1.2.0."]),
        ("Keeps a checked-out repository up to date.\n\nMore.", ["More."]),
        ("one\nparagraph\n\n\n\nand\ttwo", ["one paragraph", ".", "and two"]),
        ("Features:\n * one\n - two", ["Features:", " * one", " - two"]),
        ("Steps:\n1. one\n2) two\n10. ten", ["Steps:", " 1. one", " 2) two", " 10. ten"]),
        ("• one\n+ two\n* three", [" • one", " + two", " * three"]),
        ("* one\n  - below\n  more\n* two", [" * one", "   - below", "   more", " * two"]),
        ("* one\n  goes on\nand text", [" * one goes on", "and text"]),
        ("An item\n* " + "word " * 20, ["An item", " * " + "word " * 14 + "word", "   " + "word " * 4 + "word"]),
        ("Code:\n    a\n      b  c", ["Code:", " a", "   b  c"]),
        (".dot\n  one indented", [" .dot", " one indented"]),
        (".dot first\n\n. alone", [" .dot first", ".", " . alone"]),
        ("ends\r\nlike Windows", ["ends like Windows"]),
        ("Evil: field\n\nPackage: other", ["Evil: field", ".", "Package: other"]),
        ("bell\x07 and\u2028separator", ["bell and separator"]),
        ("w" * 200, ["w" * 200]),
    ],
)
def test_a_description_keeps_its_paragraphs_and_stays_one_field(text: str, lines: list[str], tmp_path: Path) -> None:
    found = fields(samples.plugin(description=text), tmp_path)
    synopsis, *rest = found["Description"].split("\n")
    assert synopsis == "keeps a checked-out repository up to date"
    assert [line[1:] for line in rest] == lines
    assert "Evil" not in found
    assert found["Package"] == "tiny-plugin-git"


def test_source_is_only_named_where_it_differs(tmp_path: Path) -> None:
    assert "Source" not in fields(samples.core(Content(b"x")), tmp_path)
    assert fields(samples.git_plugin(), tmp_path)["Source"] == "tiny"


def test_relations_are_spelled_as_debian_does(tmp_path: Path) -> None:
    found = fields(
        related(
            depends=[
                (Capability("tiny-abi", samples.ABI),),
                (Relation("mailx", ">", "1:2.0~rc1-3"), Relation("s-nail")),
                (Relation("python3:any", "<=", "4"),),
            ],
            provides=[(Relation("httpd"),), (Relation("tiny-api", "=", "3"),)],
        ),
        tmp_path,
    )
    assert found["Depends"] == f"tiny-abi-{samples.ABI}, mailx (>> 1:2.0~rc1-3) | s-nail, python3:any (<= 4)"
    assert found["Provides"] == "httpd, tiny-api (= 3)"


def test_taking_over_a_package_conflicts_and_taking_over_old_versions_breaks(tmp_path: Path) -> None:
    found = fields(
        related(replaces=[(Relation("old-tiny"),), (Relation("tiny-git", "<", "2"),)], conflicts=[(Relation("foe"),)]),
        tmp_path,
    )
    assert found["Conflicts"] == "foe, old-tiny"
    assert found["Breaks"] == "tiny-git (<< 2)"
    assert found["Replaces"] == "old-tiny, tiny-git (<< 2)"


@pytest.mark.parametrize(
    "relations",
    [
        {"depends": [(Capability("tiny-abi", "ABCDEF"),)]},
        {"depends": [(Relation("a b"),)]},
        {"depends": [(Relation("ok", ">=", "1) , evil (= 1"),)]},
        {"depends": [(Relation("ok\nInjected: yes"),)]},
        {"provides": [(Relation("aa", ">=", "1"),)]},
        {"provides": [(Relation("aa"), Relation("bb"))]},
    ],
)
def test_a_relation_that_debian_cannot_say_is_refused(relations: dict[str, list[Alternatives]], tmp_path: Path) -> None:
    with pytest.raises(PackageError):
        build(related(**relations), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Tiny"},
        {"name": "x"},
        {"name": "../evil"},
        {"version": Version("v1.2", "1")},
        {"version": Version("1.2", "1-2")},
        {"version": Version("1.2\nEvil: 1", "1")},
        {"architecture": "x86_64"},
        {"summary": "two\nlines"},
        {"summary": " "},
        {"maintainer": "A <a@b>\nEvil: yes"},
        {"compression": {"deb": "brotli"}},
        {"compression": {"deb": "gzip:99"}},
        {"time": -1},
    ],
)
def test_a_field_that_debian_does_not_take_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(PackageError):
        build(samples.plugin(**changes), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "entry",
    [
        samples.file("relative", b""),
        samples.file("/usr/../etc/passwd", b""),
        samples.file("/usr//lib/x", b""),
        samples.file("/usr/lib/x/", b""),
        samples.file("/", b""),
        samples.file("/usr/lib/new\nline", b""),
        samples.file("/usr/lib/nul\0", b""),
        samples.file("/usr/lib/\udcff", b""),
        samples.file("/usr/lib/" + "n" * 247, b""),
        samples.file("/usr" + "/d" * 3000, b""),
        samples.file("/usr/lib/x", b"", mode=0o100644),
        samples.file("/usr/lib/x", b"", owner="bad name"),
        samples.file("/usr/lib/x", b"", group="g" * 33),
        samples.symlink("/usr/lib/x", ""),
        samples.symlink("/usr/lib/x", "a\nb"),
        samples.symlink("/usr/lib/x", "t" * 5000),
        Entry(path="/usr/lib/not-built"),
    ],
    ids=lambda entry: repr(entry.path)[:30],
)
def test_an_entry_that_dpkg_cannot_unpack_is_refused(entry: Entry, tmp_path: Path) -> None:
    with pytest.raises(PackageError):
        build(samples.plugin(entries=[entry]), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_same_path_twice_is_refused(tmp_path: Path) -> None:
    twice = [samples.file("/usr/lib/x", b"1"), samples.file("/usr/lib/x", b"2")]
    with pytest.raises(PackageError, match="same path"):
        build(samples.plugin(entries=twice), tmp_path)


@pytest.mark.parametrize("change", ["grows", "shrinks", "other bytes"])
@pytest.mark.parametrize("size", [1000, 3 << 20])
def test_a_file_that_changes_meanwhile_is_noticed(change: str, size: int, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"a" * size)
    content = Content(source)
    assert content.size == size
    assert content.sha256
    source.write_bytes({"grows": b"a" * (size + 9), "shrinks": b"a" * (size - 9), "other bytes": b"b" * size}[change])
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(PackageError, match="changed while it was packaged"):
        build(samples.plugin(entries=[Entry(path="/usr/lib/x", content=content)]), target)
    assert list(target.iterdir()) == []


def test_an_error_leaves_the_old_package_in_place(tmp_path: Path) -> None:
    built = build(samples.plugin(), tmp_path)
    before = built.path.read_bytes()
    missing = Entry(path="/usr/lib/x", content=Content(tmp_path / "missing"))
    with pytest.raises(OSError, match="missing"):
        build(samples.plugin(entries=[missing]), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [built.path.name]
    assert built.path.read_bytes() == before


REBUILD = """
import os, sys, time
from pathlib import Path
from packaging_tool.formats.deb import Format
from packaging_tool.package.content import Content
from tests.formats import samples
os.umask(int(sys.argv[3], 8))
extra = [samples.file(f"/usr/lib/x/{n}", str(n) * 9999) for n in range(50)]
for package in (samples.core(Content(Path(sys.argv[1])), extra), samples.git_plugin()):
    for spec in ("gzip:6", "zstd:3", "xz:0"):
        import dataclasses
        package = dataclasses.replace(package, compression={"deb": spec})
        print(spec, Format().write(package, Path(sys.argv[2]), None).sha256)
"""


def test_the_same_package_is_the_same_bytes_everywhere(tmp_path: Path) -> None:
    """Another clock zone, locale, umask, directory, hash seed, number of threads and time of the sources."""
    made = set()
    worlds = (
        {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
        {"TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "77", "LANG": "de_DE.UTF-8"},
    )
    payload = b"".join(hashlib.sha256(bytes([n % 251])).digest() * 4 for n in range(40_000))
    for number, (world, umask) in enumerate(zip(worlds, ("000", "077"), strict=True)):
        place = tmp_path / f"place{number}"
        (place / "out").mkdir(parents=True)
        source = place / "program"
        source.write_bytes(payload)
        os.utime(source, (number * 10**8, number * 10**8))
        root = Path(__file__).parent.parent.parent
        argv = [sys.executable, "-c", REBUILD, str(source), str(place / "out"), umask]
        if number and shutil.which("taskset"):
            argv = ["taskset", "-c", "0", *argv]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(root), **world}
        done = subprocess.run(argv, cwd=place, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        assert len(done.stdout.splitlines()) == 6
        made.add(done.stdout)
        assert {oct(path.stat().st_mode & 0o777) for path in (place / "out").iterdir()} == {"0o644"}
    assert len(made) == 1


def test_manual_pages_are_compressed_and_links_to_them_follow(tmp_path: Path) -> None:
    with DebFile(str(build(samples.core(Content(b"x")), tmp_path).path)) as deb:
        assert (
            b".SH NAME"
            in subprocess.run(
                ["gzip", "-dc"],
                input=deb.data.get_content("usr/share/man/man8/tiny.8.gz"),
                capture_output=True,
                check=True,
            ).stdout
        )
        link = deb.data.tgz().getmember("./usr/share/man/man8/tiny-plugins.8.gz")
        assert link.linkname == "tiny.8.gz"


def test_a_manual_page_of_a_user_gets_its_owner_under_the_name_that_it_has_in_the_package(tmp_path: Path) -> None:
    page = Entry(path="/usr/share/man/man5/tiny.5", content=Content(b".TH"), owner="tiny", group="adm")
    core = samples.core(Content(b"x"))
    with DebFile(str(build(replace(core, entries=(*core.entries, page)), tmp_path).path)) as deb:
        script = deb.control.get_content("postinst") or b""
        assert deb.data.has_file("./usr/share/man/man5/tiny.5.gz")
    assert b"own /usr/share/man/man5/tiny.5.gz tiny adm\n" in script


@pytest.mark.parametrize("pack", [lzma.compress, bz2.compress], ids=["xz", "bz2"])
def test_a_manual_page_in_another_compression_gets_the_usual_one(
    pack: Callable[[bytes], bytes], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    suffix = request.node.callspec.id
    place = "/usr/share/man/man5"
    entries = [
        samples.file(f"{place}/tiny.conf.5.{suffix}", pack(b".SH NAME\n")),
        samples.symlink(f"{place}/tinyrc.5.{suffix}", f"tiny.conf.5.{suffix}"),
    ]
    with DebFile(str(build(samples.plugin(entries=entries), tmp_path).path)) as deb:
        assert gzip.decompress(deb.data.get_content(f"{place[1:]}/tiny.conf.5.gz") or b"") == b".SH NAME\n"
        assert deb.data.tgz().getmember(f".{place}/tinyrc.5.gz").linkname == "tiny.conf.5.gz"
    with pytest.raises(PackageError, match=f"tiny.conf.5.{suffix} cannot be unpacked"):
        build(samples.plugin(entries=[samples.file(entries[0].path, "no such thing")]), tmp_path)


def test_a_document_that_the_project_brings_itself_is_kept(tmp_path: Path) -> None:
    path = "/usr/share/doc/tiny-plugin-git/copyright"
    with DebFile(str(build(samples.plugin(entries=[samples.file(path, "mine")]), tmp_path).path)) as deb:
        assert deb.data.get_content(path[1:]) == b"mine"


@needs_lintian
def test_lintian_has_nothing_to_say(tmp_path: Path) -> None:
    """A real static program, Go archives, a plugin, a retired plugin; later versions of the package as well."""
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    program, archive = go_files(tmp_path)
    later = (
        Change("1.2.0-2", samples.TIME, samples.MAINTAINER, ("A change. " * 20,)),
        Change("1.2.0-1", samples.TIME - 86400, samples.MAINTAINER, ("Package tiny 1.2.0.",)),
    )
    kit = [
        *(samples.file(f"/usr/lib/tiny/kit/pkg/{n}.a", archive.read_bytes()) for n in range(6)),
        Entry(path="/usr/lib/tiny/kit/tool/link", mode=0o755, content=Content(program)),
    ]
    gone = "This is a transitional package. The plugin old does not exist any more; the package can be removed."
    packages = (
        samples.core(Content(program)),
        samples.core(Content(program), version=Version("1.2.0", "2"), changelog=later),
        samples.git_plugin(),
        samples.plugin("tiny-plugin-kit", kit, kind="kit"),
        samples.plugin("tiny-plugin-old", kind="retired", section="oldlibs", description=gone),
        samples.plugin("tiny-plugin-data", [samples.file("/usr/share/tiny/x", "x")], architecture="all"),
    )
    paths = [build(package, tmp_path).path for package in packages]
    done = subprocess.run(["lintian", "--allow-root", *paths], capture_output=True, check=False)
    assert (done.stdout.decode(), done.returncode) == ("", 0)


@needs_lintian
def test_each_lintian_override_hides_something_and_has_its_reason(tmp_path: Path) -> None:
    built = build(samples.git_plugin(), tmp_path)
    shown = output("lintian", "--allow-root", "--show-overrides", "--info", "--display-info", built.path)
    assert "unused-override" not in shown
    with DebFile(str(built.path)) as deb:
        text = (deb.data.get_content("usr/share/lintian/overrides/tiny-plugin-git") or b"").decode()
    lines = text.splitlines()
    assert [line.split()[:2] for line in lines if not line.startswith("#")] == [
        ["tiny-plugin-git:", "initial-upload-closes-no-bugs"],
        ["tiny-plugin-git:", "non-standard-dir-perm"],
    ]
    assert [line.startswith("#") for line in lines] == [True, False] * 2


def go_files(directory: Path) -> tuple[Path, Path]:
    """A static Go program, stripped, and the archive of a Go package."""
    (directory / "go.mod").write_text("module example.org/tiny\n\ngo 1.21\n")
    (directory / "main.go").write_text("package main\n\nfunc main() { println(1) }\n")
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-trimpath", "GOTOOLCHAIN": "local"}
    for argv in (
        ["go", "build", "-ldflags=-s -w -buildid=", "-o", "program", "."],
        ["go", "build", "-o", "archive.a", "errors"],
    ):
        subprocess.run(argv, cwd=directory, env=environment, check=True, capture_output=True)
    return directory / "program", directory / "archive.a"
