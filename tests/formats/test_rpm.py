"""A .rpm of ours is a .rpm for rpm, rpm2cpio, cpio and rpmlint."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from packaging_tool.errors import PackageError
from packaging_tool.formats.rpm import Format
from packaging_tool.package.content import Content
from packaging_tool.package.model import (
    Alternatives,
    Capability,
    Change,
    Entry,
    Module,
    Package,
    Relation,
    Version,
)
from tests.formats import samples
from tests.formats.rpms import COMPRESSIONS, Root, build, core, needs, new_signer, output, plugin, query, related

ROOT = Path(__file__).parents[2]
pytestmark = needs("rpm")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="rpm --root needs chroot(2)")


def payload(tmp_path: Path) -> tuple[Entry, ...]:
    """Files, directories and links of every size and kind."""
    big = tmp_path / "big"
    big.write_bytes(os.urandom(300_000) + bytes(5_000_001))
    return (
        samples.directory("/usr/lib/x"),
        samples.file("/usr/lib/x/empty", b""),
        samples.file("/usr/lib/x/ünïcode 名 file", "text"),
        samples.file("/usr/lib/x/same", "twice the same bytes"),
        samples.file("/usr/lib/x/same too", "twice the same bytes"),
        samples.file("/usr/lib/x/setuid", b"#!/bin/sh\n", mode=0o4755),
        samples.directory("/usr/lib/x/sticky", 0o1777),
        samples.symlink("/usr/lib/x/link", "../" * 40 + "usr/lib/x/empty"),
        samples.symlink("/usr/lib/x/dangling", "/nowhere"),
        *(samples.directory("/".join(["/usr/lib/x", *["d" * 120] * depth])) for depth in (1, 2, 3, 4)),
        samples.file("/".join(["/usr/lib/x", *["d" * 120] * 4, "f" * 240]), "a long path"),
        Entry(path="/usr/lib/x/big", content=Content(big)),
        Entry(path="/usr/lib/x/made-later", type="ghost"),
    )


@needs("rpm2cpio", "cpio")
@pytest.mark.parametrize("spec", COMPRESSIONS)
def test_rpm2cpio_and_cpio_unpack_what_went_in(spec: str, tmp_path: Path) -> None:
    entries = payload(tmp_path)
    built = build(plugin(entries=entries, compression={"rpm": spec}), tmp_path)
    assert output("rpm", "-K", built.path).strip() == f"{built.path}: digests OK"
    root = tmp_path / "unpacked"
    root.mkdir()
    archive = subprocess.run(["rpm2cpio", built.path], capture_output=True, check=True).stdout
    subprocess.run(["cpio", "-id", "--quiet", "--no-absolute-filenames"], cwd=root, input=archive, check=True)
    for entry in entries:
        path = root / entry.path[1:]
        if entry.content is not None:
            assert path.read_bytes() == entry.content.read()
            assert path.stat().st_mode & 0o7777 == entry.mode
            assert path.stat().st_nlink == 1, "equal files must not become one"
        elif entry.type == "symlink":
            assert os.readlink(path) == entry.target  # noqa: PTH115 # as it stands, without normalising
        else:
            assert path.is_dir() == (entry.type == "directory")


@needs_root
@pytest.mark.parametrize("spec", COMPRESSIONS)
def test_what_rpm_installs_passes_its_verification(spec: str, tmp_path: Path) -> None:
    root = Root(tmp_path / "root")
    built = build(plugin(entries=payload(tmp_path), compression={"rpm": spec}), tmp_path)
    assert root.rpm("-i", "--nodeps", built.path) == ""
    assert root.rpm("-V", "--nodeps", "tiny-plugin-git") == ""
    (root.path / "usr/lib/x/same").write_text("changed")
    assert root.rpm("-V", "--nodeps", "tiny-plugin-git", check=False).split() == ["S.5....T.", "/usr/lib/x/same"]
    assert root.rpm("-e", "tiny-plugin-git") == ""
    assert not (root.path / "usr/lib/x").exists()


def logging_core() -> Package:
    """The core with a target tool that writes down how it was called."""
    tool = samples.file("/usr/bin/tiny-plugins", '#!/bin/sh\necho "$@" >>/log\n', mode=0o755)
    package = core(version=Version("1.2.0", "1"))
    return replace(package, entries=tuple(tool if e.path == tool.path else e for e in package.entries))


@needs_root
def test_apply_runs_once_when_plugins_come_or_go(tmp_path: Path) -> None:
    root = Root(tmp_path / "root")
    log = root.path / "log"
    server = build(logging_core(), tmp_path).path
    git, cors = (build(plugin(name), tmp_path).path for name in ("git", "cors"))

    def calls(*arguments: str | Path) -> list[str]:
        log.unlink(missing_ok=True)
        root.rpm(*arguments)
        return [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []

    # %posttrans and the trigger: a core that came back needs the first, and the second finds nothing to do.
    assert calls("-i", "--nodeps", server, git) == ["apply", "apply"]
    assert calls("-i", "--nodeps", cors) == ["apply"]
    assert calls("-e", "--nodeps", "tiny-plugin-git", "tiny-plugin-cors") == ["apply"]
    made = [root.path / path[1:] for path in samples.LIFECYCLE.made]
    for path in made:
        path.write_text("apply made this")
    assert calls("-e", "--nodeps", "tiny") == []
    assert not any(path.exists() for path in made)


@needs_root
def test_a_changed_configuration_file_survives_an_upgrade(tmp_path: Path) -> None:
    root = Root(tmp_path / "root")
    package = core()
    root.rpm("-i", "--nodeps", "--noscripts", "--notriggers", build(package, tmp_path).path)
    conf = root.path / "etc/tiny/tiny.conf"
    conf.write_text("port = 8080\n")
    other = samples.file("/etc/tiny/tiny.conf", "port = 81\n", type="config")
    entries = tuple(other if e.path == other.path else e for e in package.entries)
    newer = replace(package, entries=entries, version=Version("2.12.0", "1", 1))
    root.rpm("-U", "--nodeps", "--noscripts", "--notriggers", build(newer, tmp_path).path)
    assert conf.read_text() == "port = 8080\n"
    assert conf.with_name("tiny.conf.rpmnew").read_text() == "port = 81\n"


@pytest.mark.parametrize("kind", ["ed25519", "rsa4096"])
def test_rpm_accepts_the_signature_only_with_the_key_and_unchanged(kind: str, tmp_path: Path) -> None:
    with new_signer(kind) as (signer, public):
        built = build(plugin(), tmp_path, signer)
        data = built.path.read_bytes()
        assert build(plugin(), tmp_path, signer).path.read_bytes() == data
    (tmp_path / "key.asc").write_bytes(public)
    database = tmp_path / "db"
    assert "SIGNATURES NOT OK" in _checked(built.path, database)
    output("rpm", "--dbpath", database, "--import", tmp_path / "key.asc")
    assert _checked(built.path, database) == "digests signatures OK"
    start = data.index(b"\x8e\xad\xe8", 100)
    for place in (start + 2000, len(data) - 20):
        broken = bytearray(data)
        broken[place] ^= 1
        (tmp_path / "broken.rpm").write_bytes(broken)
        assert "NOT OK" in _checked(tmp_path / "broken.rpm", database)


def _checked(path: Path, database: Path) -> str:
    done = subprocess.run(["rpm", "--dbpath", database, "-K", path], capture_output=True, text=True, check=False)
    return done.stdout.strip().removeprefix(f"{path}: ")


def test_relations_come_out_as_rpm_words_them(tmp_path: Path) -> None:
    path = build(core(), tmp_path).path
    requires = query(path, "--requires")
    assert {"coreutils", "openssl >= 3.0", "(sudo or doas > 6.8)", "config(tiny) = 1:2.11.9-1"} <= set(requires)
    assert {"rpmlib(PayloadIsZstd) <= 5.4.18-1", "rpmlib(RichDependencies) <= 4.12.0-1"} <= set(requires)
    assert query(path, "--provides") == [
        "config(tiny) = 1:2.11.9-1",
        "group(tiny)",
        "tiny = 1:2.11.9-1",
        "tiny(x86-64) = 1:2.11.9-1",
        f"tiny-abi({samples.ABI})",
        "tinyd = 1.2.0-1",
        "user(_tiny-try)",
        "user(tiny)",
        "webserver",
    ]
    assert query(path, "--recommends") == ["logrotate"]
    assert query(path, "--suggests") == ["tiny-doc"]
    assert query(path, "--conflicts") == ["small < 1:3"]
    assert query(path, "--obsoletes") == ["tinyd <= 0.9-4"]


def test_what_scriptlets_call_is_there_before_they_run(tmp_path: Path) -> None:
    path = build(core(), tmp_path).path
    wanted = query(path, "--qf", "[%{REQUIRENAME} %{REQUIREFLAGS:deptype}\\n]")
    assert {line for line in wanted if line.startswith(("/bin/sh ", "shadow-utils ", "systemd "))} == {
        "/bin/sh interp",
        "/bin/sh pre,interp",
        "/bin/sh post,interp",
        "/bin/sh preun,interp",
        "/bin/sh postun,interp",
        "/bin/sh interp,posttrans",
        "shadow-utils pre",
        "systemd post,preun,postun",
    }


def test_triggers_watch_the_plugins_directory_after_those_of_systemd(tmp_path: Path) -> None:
    path = build(core(), tmp_path).path
    tags = "%{TRANSFILETRIGGERNAME} %{TRANSFILETRIGGERTYPE} %{TRANSFILETRIGGERPRIORITIES} %{TRANSFILETRIGGERSCRIPTPROG}"
    assert query(path, "--qf", f"[{tags}\\n]") == [
        f"{samples.PLUGINS} in 100 /bin/sh",
        f"{samples.PLUGINS} postun 100 /bin/sh",
    ]
    shown = "\n".join(query(path, "--scripts", "--filetriggers"))
    for text in Format().scripts(core()).values():
        assert text.strip() in shown
    assert query(build(plugin(), tmp_path).path, "--scripts", "--filetriggers") == []


@pytest.mark.parametrize(
    ("version", "spelled"),
    [
        ("v0.50.0", " = 0.50.0"),
        ("v0.0.0-20240101120000-abcdefabcdef", " = 0.0.0~20240101120000~abcdefabcdef"),
        ("v1.0.0+incompatible", " = 1.0.0+incompatible"),
        ("(devel)", ""),
        ("", ""),
    ],
)
def test_compiled_in_modules_are_bundled_provides(version: str, spelled: str, tmp_path: Path) -> None:
    package = plugin(modules=(Module("golang.org/x/net", version, "BSD-3-Clause"),))
    path = build(package, tmp_path).path
    assert f"bundled(golang(golang.org/x/net)){spelled}" in query(path, "--provides")
    assert ("rpmlib(TildeInVersions) <= 4.10.0-1" in query(path, "--requires")) == ("~" in spelled)
    assert "/usr/share/doc/tiny-plugin-git/modules.cdx.json" in query(path, "--docfiles")


@pytest.mark.parametrize(
    ("version", "spelled"),
    [
        ("8.1.7", "8.1.7"),
        ("23.2.0", "23.2"),
        ("0", "0"),
        ("2.0rc1", "2~rc1"),
        ("2.0.dev3", "2~~dev3"),
        ("1!2.1+local.1", "1:2.1"),
        ("2.0.1.post2", "2.0.1.post2"),
    ],
)
def test_a_wheel_is_bundled_by_name_and_version_that_pythons_packages_have(
    version: str, spelled: str, tmp_path: Path
) -> None:
    path = build(plugin(modules=(Module("click", version, "BSD-3-Clause", ecosystem="pypi"),)), tmp_path).path
    assert f"bundled(python3dist(click)) = {spelled}" in query(path, "--provides")


def test_file_flags_tell_configuration_documents_licenses_and_ghosts(tmp_path: Path) -> None:
    package = core()
    page = samples.file("/usr/share/man/de/man8/tiny.8", ".TH TINY 8\n")
    path = build(replace(package, entries=(*package.entries, page)), tmp_path).path
    lines = query(path, "--qf", "[%{FILENAMES} %{FILEFLAGS:fflags} %{FILELANGS}\\n]")
    flags = dict(line.rstrip().split(" ", 1) for line in lines if len(line.split()) > 1)
    assert flags == {
        "/etc/tiny/tiny.conf": "cn",
        "/usr/lib/tiny/bin/tiny": "g",
        "/usr/share/licenses/tiny/copyright": "l",
        "/usr/share/man/de/man8/tiny.8.gz": "d de",
        "/usr/share/man/man8/tiny-plugins.8.gz": "d",
        "/usr/share/man/man8/tiny.8.gz": "d",
    }


@pytest.mark.parametrize(
    ("ours", "theirs"), [("amd64", "x86_64"), ("arm64", "aarch64"), ("all", "noarch"), ("riscv64", "riscv64")]
)
def test_architectures_have_rpm_names(ours: str, theirs: str, tmp_path: Path) -> None:
    built = build(plugin(architecture=ours), tmp_path)
    assert built.path.name == f"tiny-plugin-git-1.2.0-1.{theirs}.rpm"
    assert query(built.path, "--qf", "%{ARCH} %{OS}") == [f"{theirs} linux"]
    assert built.architecture == ours


@needs("rpmlint")
def test_rpmlint_finds_nothing(tmp_path: Path) -> None:
    with new_signer("ed25519") as (signer, public):
        packages = [core(), plugin(), plugin("cors", modules=(Module("example.org/cors", "v1.0.0", "MIT"),))]
        # rpmlint warns of an obsoleted name that is provided in no newer version.
        paths = [build(package, tmp_path, signer).path for package in packages]
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home)}
    (tmp_path / "key.asc").write_bytes(public)
    output("rpm", "--import", tmp_path / "key.asc", env=environment)
    shown = output("rpmlint", "-c", ROOT / "docs/rpmlint.toml", *paths, env=environment)
    assert "3 packages and 0 specfiles checked; 0 errors, 0 warnings" in shown, shown


PROGRAM = """
import os, sys, pathlib
sys.path.insert(0, sys.argv[1])
from packaging_tool.package.content import Content
from tests.formats import rpms
from tests.formats.rpms import build, core
os.umask(int(sys.argv[3], 8))
out = pathlib.Path(sys.argv[2])
big = rpms.samples.file("/usr/lib/tiny/big", b"0123456789abcdef" * 1_100_000)
print(build(core(entries=tuple(sorted((*core().entries, big), key=lambda e: e.path))), out).sha256)
"""


def test_same_package_same_bytes_whatever_the_surroundings(tmp_path: Path) -> None:
    made = set()
    surroundings = [
        ("022", "UTC", "C", "1", "0,1"),
        ("077", "Asia/Tokyo", "de_DE.UTF-8", "2", "0"),
        ("000", "America/Lima", "C.UTF-8", "3", "0,1"),
    ]
    for number, (umask, zone, locale, seed, processors) in enumerate(surroundings):
        out = tmp_path / str(number)
        out.mkdir()
        taskset = ["taskset", "-c", processors] if shutil.which("taskset") and (os.cpu_count() or 1) > 1 else []
        made.add(
            output(
                *(*taskset, sys.executable, "-c", PROGRAM, str(ROOT), str(out), umask),
                cwd=out,
                env={**os.environ, "TZ": zone, "LC_ALL": locale, "PYTHONHASHSEED": seed},
            )
        )
        (path,) = out.iterdir()
        assert path.stat().st_mode & 0o777 == 0o644
        made.add(output("sha256sum", path).split()[0] + "\n")
    assert len(made) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "tiny plugin"}, "package name"),
        ({"version": Version("1.0-2", "1")}, "version '1.0-2'"),
        ({"version": Version("1.0", "1-1")}, "release '1-1'"),
        ({"architecture": "../x"}, "architecture"),
        ({"summary": "two\nlines"}, "line break"),
        ({"summary": " "}, "summary is empty"),
        ({"license": ""}, "license is empty"),
        ({"homepage": "https://\udcff"}, "UTF-8"),
        ({"time": -1}, "time"),
        ({"time": 1 << 32}, "time"),
        ({"changelog": (Change("1\n2", 0, "x", ("y",)),)}, "control character"),
        ({"compression": {"rpm": "zip"}}, "compression method"),
        ({"entries": (samples.file("/a", ""), samples.file("/a", ""))}, "same path"),
        ({"entries": (samples.file("/a/../b", ""),)}, "normalised"),
        ({"entries": (samples.file("relative", ""),)}, "absolute"),
        ({"entries": (samples.file("/" + "n" * 250, ""),)}, "too long"),
        ({"entries": (samples.file("/a\nb", ""),)}, "control character"),
        ({"entries": (Entry(path="/a"),)}, "not been built"),
        ({"entries": (samples.symlink("/a", ""),)}, "leads nowhere"),
        ({"entries": (samples.file("/a", "", owner="a b"),)}, "no name of a user"),
        ({"entries": (samples.file("/a", "", mode=0o100644),)}, "permission bits"),
    ],
)
def test_what_no_rpm_can_carry_is_refused_and_leaves_nothing(
    changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(PackageError, match=reason):
        build(plugin(**changes), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "package",
    [
        related(depends=[(Relation("a b"),)]),
        related(depends=[(Relation("rpmlib(X)"),)]),
        related(depends=[(Relation("a", "=", "1-2-3"),)]),
        related(depends=[(Relation("(a"),)]),
        related(provides=[(Relation("a"), Relation("b"))]),
        related(conflicts=[(Relation("a"), Relation("b"))]),
    ],
)
def test_relations_that_rpm_cannot_say_are_refused(package: Package, tmp_path: Path) -> None:
    with pytest.raises(PackageError):
        build(package, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("alternatives", "text"),
    [
        ((Relation("a"),), "a"),
        ((Relation("perl(Foo::Bar)", ">=", "1:2.0-3"),), "perl(Foo::Bar) >= 1:2.0-3"),
        ((Relation("/usr/bin/git"),), "/usr/bin/git"),
        ((Relation("libc.so.6()(64bit)"),), "libc.so.6()(64bit)"),
        ((Capability("tiny-abi", "abc"),), "tiny-abi(abc)"),
        ((Relation("a"), Capability("b", "c"), Relation("d", "<", "2")), "(a or b(c) or d < 2)"),
    ],
)
def test_relations_are_spelled_as_in_a_spec_file(alternatives: Alternatives, text: str) -> None:
    assert Format().spell(alternatives) == text


@pytest.mark.parametrize("size", [100, 6 << 20])
def test_a_file_that_changes_meanwhile_is_noticed(size: int, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"a" * size)
    content = Content(source)
    assert content.sha256
    source.write_bytes(b"b" * size)
    with pytest.raises(PackageError, match="changed while"):
        build(plugin(entries=(Entry(path="/usr/lib/x", content=content),)), tmp_path)
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("size", [1000, 6 << 20])
def test_an_interrupted_write_leaves_nothing(size: int, tmp_path: Path) -> None:
    class Unwilling:
        fingerprint, key_kind = "0", "ed25519"

        def detached(self, data: bytes) -> bytes:
            raise KeyboardInterrupt

        armored = clear = detached

        def public_key(self) -> bytes:
            return b""

    with pytest.raises(KeyboardInterrupt):
        build(plugin(entries=(samples.file("/usr/lib/x", os.urandom(size)),)), tmp_path, Unwilling())
    assert list(tmp_path.iterdir()) == []


FULL_DISK = """
import os, resource, sys, pathlib
sys.path.insert(0, sys.argv[1])
from tests.formats import rpms, samples
package = rpms.plugin(entries=(samples.file("/usr/lib/x", os.urandom(int(sys.argv[3]))),))
resource.setrlimit(resource.RLIMIT_FSIZE, (64_000, 64_000))
try:
    rpms.build(package, pathlib.Path(sys.argv[2]))
except OSError as error:
    print(error.strerror)
"""


@pytest.mark.parametrize("size", ["1000000", "6000000"])
def test_a_disk_that_is_full_leaves_nothing(size: str, tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: the kernel stops the write in the same way."""
    shown = output(sys.executable, "-c", FULL_DISK, str(ROOT), str(tmp_path), size)
    assert shown.strip() == "File too large"
    assert list(tmp_path.iterdir()) == []


@needs("rpmsign")
def test_rpmsign_can_take_our_signature_off(tmp_path: Path) -> None:
    """So the signature header is one that rpm itself can write anew."""
    with new_signer("ed25519") as (signer, _):
        path = build(plugin(), tmp_path, signer).path
    output("rpmsign", "--delsign", path)
    assert output("rpm", "-K", path).strip() == f"{path}: digests OK"
    assert query(path, "--qf", "%{RSAHEADER} %{DSAHEADER}") == ["(none) (none)"]


def test_a_description_keeps_its_lists(tmp_path: Path) -> None:
    text = "What it\ndoes:\n1. one\n   goes on\n  - below\n• " + "word " * 20 + "\n\n    code  here"
    built = build(plugin(description=text), tmp_path)
    assert query(built.path, "--qf", "%{DESCRIPTION}") == [
        "What it does:",
        "1. one goes on",
        "  - below",
        "• " + "word " * 14 + "word",
        "  " + "word " * 4 + "word",
        "",
        "    code  here",
    ]
