"""The driver elf on a tiny server in C with a plugin in C and one in C++; judges: readelf, dpkg, rpm, the server."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from packaging_tool import confine, plan, toml
from packaging_tool.drivers.base import Outcome, Payload
from packaging_tool.drivers.elf import Driver
from packaging_tool.elf import facts, libraries
from packaging_tool.errors import BuildError, ProjectError
from packaging_tool.formats.deb import Format as Deb
from packaging_tool.formats.rpm import Format as Rpm
from packaging_tool.listener import Silent
from packaging_tool.project.loader import load
from packaging_tool.project.model import Project
from tests.drivers.sample import Sample

SAMPLE = Path(__file__).parent.parent / "samples" / "tiny-elf"
PLUGINS = "/usr/lib/chime/plugins"
ABI = 'abi = { macros = ["CHIME_ABI", "CHIME_SIGNATURE"], headers = ["chime.h"], exports = ["program"] }'
LOADER = 'loader = { line = "open {path}" }'
BELL = '["{core}/bell.so"]'

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="shared objects of C need gcc")


@dataclass
class Bench(Sample):
    """said: warnings."""

    said: list[str]

    def build(self, architecture: str = "amd64") -> Outcome:
        bench = self

        class Told(Silent):
            def warn(self, message: str) -> None:
                bench.said.append(message)

        project, driver = self.project, Driver()
        lock = driver.lock(project, None, self.workdir, Told())
        if (self.root / "lock").exists():
            lock = driver.lock(project, type(lock)((self.root / "lock").read_text()), self.workdir, Told())
        outcome, lock = driver.build(project, lock, architecture, self.workdir, Told())
        (self.root / "lock").write_text(lock.text)
        return outcome

    def lines(self) -> list[str]:
        """What the ABI is the hash of, as the lock has it."""
        found: list[str] = tomllib.loads((self.root / "lock").read_text())["elf"]["built"]["amd64"]["lines"]
        return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, Outcome]:
    """The sample, built once."""
    place = tmp_path_factory.mktemp("elf")
    shutil.copytree(SAMPLE, place / "project")
    bench = Bench(place / "project", place / "work", [])
    return bench, bench.build()


@pytest.fixture
def bench(made: tuple[Bench, Outcome], tmp_path: Path) -> Bench:
    """A copy of the built sample."""
    shutil.copytree(made[0].root, tmp_path / "project")
    # What is built is found by its content, so that a copy of it is as good.
    shutil.copytree(made[0].workdir, tmp_path / "work", symlinks=True)
    return Bench(tmp_path / "project", tmp_path / "work", [])


def file(payload: Payload, end: str) -> Path:
    """The file of a payload whose path ends so."""
    (source,) = (e.content.source for e in payload.entries if e.content is not None and e.path.endswith(end))
    assert isinstance(source, Path)
    return source


def run(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def arranged(outcome: Outcome, project: Project, place: Path, *names: str) -> Path:
    """What apply lays down and calls, below a place of the test's; gives the loader file."""
    for name in names:
        for entry in outcome.plugins[name].entries:
            path = place / entry.path.removeprefix("/usr/lib/chime/")
            path.parent.mkdir(parents=True, exist_ok=True)
            assert entry.content is not None
            path.write_bytes(entry.content.read())
    (place / "loader").mkdir(parents=True)
    script = place / "arrange"
    script.write_text(Driver().target(project).arrange)
    subprocess.run(["dash", script, place, *names], check=True)
    loader = place / "loader/modules.conf"
    loader.write_text(loader.read_text().replace("/usr/lib/chime/bin/serving", str(place)))
    return loader


def test_the_server_opens_the_plugins_in_their_order(made: tuple[Bench, Outcome], tmp_path: Path) -> None:
    bench, outcome = made
    loader = arranged(outcome, bench.project, tmp_path / "set", "gong", "bell")
    said = run(file(outcome.core, "chime-core"), "--check", loader).splitlines()
    assert said == ["gong at gong.cc", "ding", "chime as built in chime.c"]


def test_the_loader_script_is_clean_shell_for_every_kind(bench: Bench) -> None:
    for kind in ("nginx", "lighttpd", "postgresql"):
        bench.edit("mkpkgs.toml", LOADER, f'loader = {{ kind = "{kind}" }}')
        script = Driver().target(bench.project).arrange
        subprocess.run(["shellcheck", "--shell=sh", "-"], input=script.encode(), check=True)
        bench.edit("mkpkgs.toml", f'loader = {{ kind = "{kind}" }}', LOADER)


@pytest.mark.parametrize(
    ("loader", "expected"),
    [
        (
            'kind = "nginx"',
            "load_module SERVING/loader/modules/DIGEST/gong.so;\nload_module SERVING/loader/modules/DIGEST/bell.so;\n",
        ),
        ('kind = "lighttpd"', 'server.modules += ( "gong", "bell" )\n'),
        (
            'kind = "postgresql", file = "modules.conf"',
            "shared_preload_libraries = 'SERVING/plugins/gong/gong.so,SERVING/plugins/bell/bell.so'\n",
        ),
        (
            'line = "{name} of {plugin} $x \'{path}\'", tail = "end"',
            "gong of gong $x 'SERVING/plugins/gong/gong.so'\nbell of bell $x 'SERVING/plugins/bell/bell.so'end\n",
        ),
    ],
)
def test_each_loader_gets_its_own_words(bench: Bench, tmp_path: Path, loader: str, expected: str) -> None:
    outcome = bench.build()
    bench.edit("mkpkgs.toml", LOADER, f"loader = {{ {loader} }}")
    place = tmp_path / "set"
    text = arranged(outcome, bench.project, place, "gong", "bell").read_text().replace(str(place), "SERVING")
    for path in re.findall(r"SERVING/([a-z0-9/]+\.so)", text):
        assert (place / path).is_file()
    assert re.sub(r"[0-9a-f]{32}", "DIGEST", text) == expected


@pytest.mark.parametrize("kind", ["nginx", "lighttpd", "postgresql"])
@pytest.mark.parametrize("hostile", ["../bell/bell.so", "/etc/passwd", "a;b.so", "a'b.so", "..", "a b.so", ""])
def test_a_list_that_leads_elsewhere_is_refused(bench: Bench, tmp_path: Path, kind: str, hostile: str) -> None:
    """Apply calls the script as root, and who signs a plugin is not who keeps the machine."""
    bench.edit("mkpkgs.toml", LOADER, f'loader = {{ kind = "{kind}" }}')
    script = tmp_path / "arrange"
    script.write_text(Driver().target(bench.project).arrange)
    (tmp_path / "set/plugins/gong").mkdir(parents=True)
    (tmp_path / "set/plugins/bell").mkdir()
    (tmp_path / "set/plugins/bell/bell.so").touch()
    (tmp_path / "set/loader").mkdir()
    if "/" not in hostile and hostile.strip("."):
        (tmp_path / "set/plugins/gong" / hostile).touch()
    (tmp_path / "set/plugins/gong/loader").write_text(f"{hostile}\n")
    done = subprocess.run(["dash", script, tmp_path / "set", "gong"], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"plugin gong: '{hostile}' is not the name of an object" in done.stderr
    assert not list((tmp_path / "set/loader").rglob("*.so"))


def test_a_changed_module_gets_another_path_where_the_loader_wants_it(bench: Bench, tmp_path: Path) -> None:
    bench.edit("mkpkgs.toml", LOADER, 'loader = { kind = "nginx" }')
    before = arranged(bench.build(), bench.project, tmp_path / "one", "bell").read_text()
    bench.edit("server/bell.c", '"ding"', '"dong"')
    after = arranged(bench.build(), bench.project, tmp_path / "one/two", "bell").read_text()
    assert before.rpartition("/loader/")[2] != after.rpartition("/loader/")[2]


def test_the_abi_is_the_hash_of_the_lines_in_the_lock(made: tuple[Bench, Outcome]) -> None:
    bench, outcome = made
    lines = bench.lines()
    assert hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest() == outcome.abi
    assert lines == [
        "mkpkgs abi 1",
        "driver elf",
        "core chime",
        "architecture amd64",
        "macro CHIME_ABI 1",
        'macro CHIME_SIGNATURE "words=" "utf8"',
        "export chime_say FUNC",
        "export chime_strikes OBJECT 4",
    ]


@pytest.mark.parametrize(
    ("file", "old", "new", "same"),
    [
        ("server/chime.c", "for ABI %d", "for the ABI %d", True),
        ("server/bell.c", '"ding"', '"dong"', True),
        ("server/chime.h", "CHIME_ABI 1", "CHIME_ABI 2", False),
        ("server/chime.h", '"utf8"', '"ascii"', False),
        ("server/chime.c", "int main(", "int chime_more(void) {\n    return 1;\n}\n\nint main(", False),
        ("server/chime.c", "int chime_strikes = 1;", "int chime_strikes = 1;\nlong chime_hours[12];", False),
    ],
)
def test_the_abi_changes_with_what_plugins_see(bench: Bench, file: str, old: str, new: str, same: bool) -> None:
    before = bench.build().abi
    bench.edit(file, old, new)
    assert (bench.build().abi == before) == same
    assert any("the ABI is not the one of the lock" in text for text in bench.said) != same


def test_the_abi_can_be_made_of_anything(bench: Bench) -> None:
    bench.edit(
        "mkpkgs.toml",
        'exports = ["program"]',
        'version = "of {version}", pkg-config = ["zlib"], commands = [["cat", "chime.h"]], files = ["*.h"]',
    )
    zlib = run("pkg-config", "--modversion", "zlib").strip()
    bench.build()
    lines = bench.lines()
    header = (bench.root / "server/chime.h").read_bytes()
    assert "version of 1.0" in lines
    assert f"pkg-config zlib {zlib}" in lines
    assert lines.index('command ["cat", "chime.h"]') + 1 == lines.index("output /* What plugins of chime include. */")
    assert lines[-1].startswith("file chime.h ")
    assert len(header) and len(lines[-1].split()[2]) == 64


def test_a_macro_that_no_header_defines_is_an_error(bench: Bench) -> None:
    bench.edit("mkpkgs.toml", '"CHIME_ABI"', '"CHIME_ABBI"')
    with pytest.raises(BuildError, match="no header of the ABI defines CHIME_ABBI"):
        bench.build()


def test_exports_are_those_that_readelf_shows(made: tuple[Bench, Outcome]) -> None:
    library = Path(run("gcc", "-print-file-name=libz.so.1").strip()).resolve()
    shown = set()
    for line in run("readelf", "--dyn-syms", "--wide", library).splitlines():
        fields = line.split()
        if len(fields) == 8 and fields[4] != "LOCAL" and fields[6] != "UND" and fields[3] in ("FUNC", "OBJECT"):
            size = f" {int(fields[2], 0)}" if fields[3] == "OBJECT" else ""
            shown.add(f"{fields[7].replace('@@', '@')} {fields[3]}{size}")
    # readelf shows each version itself as an object at no place.
    shown = {text for text in shown if not re.fullmatch(r"ZLIB_\S+ OBJECT 0", text)}
    assert {text for text in facts.exports(library) if not text.startswith("ZLIB_")} == shown


def test_what_is_built_already_is_not_built_again(bench: Bench) -> None:
    bench.build()
    before = {path: path.stat().st_mtime_ns for path in bench.workdir.rglob("*.so")}
    bench.build()
    assert {path: path.stat().st_mtime_ns for path in bench.workdir.rglob("*.so")} == before
    bench.edit("gong/gong.cc", "ng at", "ng in")
    bench.build()
    after = {path: path.stat().st_mtime_ns for path in bench.workdir.rglob("*.so")}
    assert {path.parent.parent.name for path in before if after.get(path) != before[path]} == {"plugin-gong"}


def test_commands_see_no_environment_but_what_is_documented(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CFLAGS", "-DSECRET")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    bench.edit("mkpkgs.toml", 'build = [["make", "-j{jobs}"]]', 'build = [["sh", "-c", "env >seen"], ["make"]]')
    bench.edit("mkpkgs.toml", 'program = "chime"', 'program = "chime"\nenvironment = { CHIME = "yes" }')
    bench.build()
    text = (bench.workdir / "amd64/core/source/seen").read_text()
    seen = dict(line.split("=", 1) for line in text.splitlines())
    # RUSTUP_HOME only where there is one.
    assert set(seen) - {"PWD", "OLDPWD", "SHLVL", "_", "RUSTUP_HOME"} == {
        *("PATH", "HOME", "LC_ALL", "TZ", "SOURCE_DATE_EPOCH", "DESTDIR", "RUSTC_WRAPPER", "CHIME")
    }
    assert (seen["LC_ALL"], seen["TZ"], seen["SOURCE_DATE_EPOCH"]) == ("C", "UTC", "1700000000")
    assert list(Path(seen["DESTDIR"]).iterdir()) == []


def test_a_tarball_is_as_good_as_its_directory(bench: Bench) -> None:
    plain = bench.build()
    subprocess.run(["tar", "-C", bench.root, "-czf", bench.root / "server-1.0.tar.gz", "server"], check=True)
    bench.edit("mkpkgs.toml", 'source = "server"', 'source = "server-1.0.tar.gz"')
    packed = bench.build()
    assert file(packed.core, "-core").read_bytes() == file(plain.core, "-core").read_bytes()
    locked = tomllib.loads((bench.root / "lock").read_text())["elf"]["sources"]
    assert set(locked) == {"core"}


def test_a_tarball_with_a_device_is_refused(bench: Bench) -> None:
    subprocess.run(["mknod", bench.root / "server/disk", "b", "8", "0"], check=True)
    subprocess.run(["tar", "-C", bench.root, "-czf", bench.root / "server-1.0.tar.gz", "server"], check=True)
    bench.edit("mkpkgs.toml", 'source = "server"', 'source = "server-1.0.tar.gz"')
    with pytest.raises(BuildError, match=r"server-1\.0\.tar\.gz: tar: server/disk: Cannot mknod"):
        bench.build()
    assert not list(bench.workdir.rglob("disk"))


def test_programs_that_read_archives_and_objects_find_no_key(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They read what somebody else wrote; here they are ones that look for more."""
    key = tmp_path / "keys/manifest.key"
    key.parent.mkdir()
    key.write_text("SECRET KEY\n")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("tar", "objcopy", "dpkg-shlibdeps"):
        tool = tools / name
        script = f'cat {key} >&2 && exit 1\n: >{key}.{name}\nexec {shutil.which(name)} "$@"\n'
        tool.write_text(f"#!/bin/sh\n{script}")
        tool.chmod(0o755)
    (tmp_path / "z.c").write_text("const char *zlibVersion(void); const char *v(void) { return zlibVersion(); }")
    run("gcc", "-shared", "-fPIC", "-o", tmp_path / "z.so", tmp_path / "z.c", "-lz")
    subprocess.run(["tar", "-C", bench.root, "-czf", bench.root / "server-1.0.tar.gz", "server"], check=True)
    bench.edit("mkpkgs.toml", 'source = "server"', 'source = "server-1.0.tar.gz"')
    shutil.rmtree(bench.workdir)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    with confine.guarding([key.parent]):
        assert bench.build().failures == ()
        assert libraries.deb("z", libraries.objects([tmp_path / "z.so"]), {})
    assert bench.said == []
    assert [path.name for path in key.parent.iterdir()] == ["manifest.key"]


def test_a_plugin_that_does_not_build_is_told_with_the_compilers_words(bench: Bench) -> None:
    bench.edit("gong/gong.cc", "CHIME_ABI, ring", "CHIME_ABI, rang")
    outcome = bench.build()
    (failure,) = outcome.failures
    assert failure.plugin == "gong"
    assert "'rang' was not declared" in failure.message
    assert set(outcome.plugins) == {"bell"}


def test_a_core_that_does_not_build_is_an_error_with_a_log(bench: Bench) -> None:
    bench.edit("server/chime.c", "printf", "printg")
    with pytest.raises(BuildError, match="make -j") as caught:
        bench.build()
    log = Path(caught.value.hint.rpartition(" ")[2])
    assert "printg" in log.read_text()


def test_debug_information_goes_apart_and_names_no_place_of_the_build(made: tuple[Bench, Outcome]) -> None:
    _, outcome = made
    for payload, end in ((outcome.core, "-core"), (outcome.plugins["gong"], "gong.so")):
        stripped = file(payload, end)
        assert ".debug_info" not in run("readelf", "-SW", stripped)
        (entry,) = payload.debug
        build_id = re.findall(r"Build ID: ([0-9a-f]+)", run("readelf", "-n", stripped))[0]
        assert entry.path == f"/usr/lib/debug/.build-id/{build_id[:2]}/{build_id[2:]}.debug"
        assert entry.content is not None and isinstance(entry.content.source, Path)
        places = run("readelf", "--debug-dump=info", entry.content.source)
        assert "/usr/src/chime" in places
        assert str(made[0].workdir) not in places
        assert f"{build_id[2:]}.debug" in run("readelf", "--debug-dump=links", stripped)


def test_debug_information_is_a_package_as_each_format_has_it(made: tuple[Bench, Outcome], tmp_path: Path) -> None:
    bench, outcome = made
    trust = plan.Trust(keys={}, sign=lambda text: b"signature")
    packages = plan.packages(bench.project, outcome, "amd64", Driver().target(bench.project), trust, 1_790_000_000)
    apart = {package.name: package for package in packages if package.kind == "debug"}
    names = ("chime", "chime-plugin-bell", "chime-plugin-gong")
    assert set(apart) == {f"{name}{end}" for name in names for end in ("-dbgsym", "-debuginfo")}
    deb = Deb().write(apart["chime-plugin-gong-dbgsym"], tmp_path, None).path
    shown = run("dpkg-deb", "-f", deb, "Auto-Built-Package", "Section", "Depends", "Build-Ids")
    (entry,) = outcome.plugins["gong"].debug
    build_id = "".join(entry.path.removesuffix(".debug").split("/")[-2:])
    assert shown.splitlines() == [
        "Auto-Built-Package: debug-symbols",
        "Section: debug",
        "Depends: chime-plugin-gong (= 1.0-1)",
        f"Build-Ids: {build_id}",
    ]
    rpm = Rpm().write(apart["chime-plugin-gong-debuginfo"], tmp_path, None).path
    assert "chime-plugin-gong = 1.0-1" in run("rpm", "-qp", "--requires", rpm).splitlines()
    assert entry.path in run("rpm", "-qpl", rpm).splitlines()


def test_relations_for_rpm_are_those_of_rpms_generator(made: tuple[Bench, Outcome]) -> None:
    elfdeps = Path("/usr/lib/rpm/elfdeps")
    for payload, end in ((made[1].core, "-core"), (made[1].plugins["gong"], "gong.so")):
        path = file(payload, end)
        path.chmod(0o755)
        judged = subprocess.run([elfdeps, "--requires"], input=f"{path}\n", capture_output=True, text=True, check=True)
        ours = {Rpm().spell(relation) for relation in payload.depends["rpm"]}
        assert ours == set(judged.stdout.split()) - {"rtld(GNU_HASH)"}


@pytest.mark.parametrize(("name", "end"), [("core", "-core"), ("gong", "gong.so"), ("z", "z.so")])
def test_relations_for_debian_are_those_of_dpkg_shlibdeps(
    made: tuple[Bench, Outcome], tmp_path: Path, name: str, end: str
) -> None:
    if name == "z":
        # A library that only dpkg knows.
        (tmp_path / "z.c").write_text("const char *zlibVersion(void); const char *v(void) { return zlibVersion(); }")
        path = tmp_path / end
        run("gcc", "-shared", "-fPIC", "-o", path, tmp_path / "z.c", "-lz")
        ours = libraries.deb("z", libraries.objects([path]), {})
    else:
        payload = made[1].core if name == "core" else made[1].plugins[name]
        path, ours = file(payload, end), payload.depends["deb"]
    (tmp_path / "debian").mkdir()
    (tmp_path / "debian/control").write_text("Source: x\n\nPackage: x\nArchitecture: any\n")
    judged = subprocess.run(["dpkg-shlibdeps", "-O", path], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert {Deb().spell(relation) for relation in ours} == set(judged.stdout.strip().partition("=")[2].split(", "))


def test_a_library_that_nobody_knows_is_an_error_that_says_what_to_write(bench: Bench) -> None:
    (bench.root / "gong/deep.c").write_text("int deep(void) { return 1; }\n")
    bench.edit(
        "mkpkgs.toml",
        'build = [["g++"',
        'build = [["gcc", "-shared", "-fPIC", "-Wl,-soname,libdeep.so.7", "-o", "libdeep.so.7", "deep.c"], ["g++"',
    )
    bench.edit("mkpkgs.toml", '"gong.cc"]', '"-Wl,--no-as-needed", "gong.cc", "libdeep.so.7"]')
    (failure,) = bench.build().failures
    assert 'libraries = { "libdeep.so.7" = "PACKAGE >= VERSION" }' in failure.repair
    bench.edit(
        "mkpkgs.toml", 'program = "chime"', 'program = "chime"\nlibraries = { "libdeep.so.7" = "libdeep7 >= 7.1" }'
    )
    relations = bench.build().plugins["gong"].depends
    assert "libdeep7 (>= 7.1)" in {Deb().spell(relation) for relation in relations["deb"]}
    assert "libdeep.so.7()(64bit)" in {Rpm().spell(relation) for relation in relations["rpm"]}
    # A library in the same package needs no other.
    bench.edit("mkpkgs.toml", 'objects = ["gong.so"]', 'objects = ["gong.so", "libdeep.so.7"]\nload = ["gong.so"]')
    outcome = bench.build()
    relations = outcome.plugins["gong"].depends
    assert not any("deep" in str(relation) for family in ("deb", "rpm") for relation in relations[family])


def test_a_target_with_an_older_c_library_is_refused(bench: Bench) -> None:
    bench.edit("mkpkgs.toml", '["debian12", "el9"]', '["debian12", "el8"]')
    with pytest.raises(
        BuildError, match=r"chime needs GLIBC_2\.34 \(\S+@GLIBC_2\.34\), but el8 has glibc 2\.28"
    ) as caught:
        bench.build()
    assert "take el8 out of core.targets" in caught.value.hint


def test_an_object_of_another_architecture_is_refused(bench: Bench) -> None:
    bench.build()
    shutil.copy(file(bench.build().plugins["bell"], "bell.so"), bench.root / "bell.so")
    bench.edit("mkpkgs.toml", "{core}/bell.so", "bell.so")
    assert not bench.build().failures
    data = bytearray((bench.root / "bell.so").read_bytes())
    data[18:20] = (183).to_bytes(2, "little")
    (bench.root / "bell.so").write_bytes(data)
    (failure,) = bench.build().failures
    assert "bell.so is for arm64, not amd64" in failure.message


def test_a_damaged_object_is_an_error_not_a_traceback(bench: Bench, tmp_path: Path) -> None:
    good = file(bench.build().plugins["gong"], "gong.so").read_bytes()
    path = tmp_path / "damaged.so"
    told = 0
    for cut in (5, 20, 63, 64, 500, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:cut])
        try:
            facts.read(path)
        except BuildError as error:
            told += "no ELF file that can be read" in error.message
    for at in range(16, 64):
        path.write_bytes(good[:at] + b"\xff" + good[at + 1 :])
        try:
            facts.read(path)
        except BuildError:
            told += 1
    assert told > 6


def test_a_prebuilt_server_needs_no_compiler(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = bench.build()
    shutil.copy(file(outcome.core, "-core"), bench.root / "chime-amd64")
    shutil.copy(file(outcome.plugins["bell"], "bell.so"), bench.root / "bell-amd64.so")
    text = (bench.root / "mkpkgs.toml").read_text()
    text = re.sub(
        r'source = "server"\nbuild = .*\nprogram = "chime"\nabi = .*', 'abi = { exports = ["program"] }', text
    )
    text = text.replace('driver = "elf"', 'driver = "elf"\nprogram = "chime-{architecture}"')
    text = text.replace("{core}/bell.so", "bell-{architecture}.so")
    (bench.root / "mkpkgs.toml").write_text(text.partition("[plugin.gong]")[0])
    monkeypatch.setenv("PATH", "/nonexistent")
    found = bench.build()
    assert [entry.path for entry in found.plugins["bell"].entries] == [
        f"{PLUGINS}/bell/bell-amd64.so",
        f"{PLUGINS}/bell/loader",
    ]
    assert bench.lines()[-2:] == ["export chime_say FUNC", "export chime_strikes OBJECT 4"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('source = "server"', 'source = "sever"', "core.elf.source: there is no sever; name a directory or a tarball"),
        (
            '"-j{jobs}"',
            '"{job}"',
            "core.elf.build: {job} stands for nothing; known: architecture, cmake, destdir, jobs",
        ),
        (ABI, "abi = {}", "core.elf.abi: names nothing to agree on; write for example"),
        ('headers = ["chime.h"], ', "", "core.elf.abi.headers: is missing"),
        (LOADER, 'loader = { file = "x" }', "core.elf.loader.line: is missing; write it, or a kind: lighttpd, nginx"),
        (LOADER, 'loader = { kind = "apache" }', 'core.elf.loader.kind: "apache" is not one of'),
        ('program = "chime"\n', "", "core.elf.program: is missing; name the program that the build gives"),
        (BELL, '["bell.so"]', "plugin.bell.elf.objects: there is no file bell.so"),
        (BELL, '["{core}/bell so"]', "'bell so' cannot be the name of an object"),
        (BELL, f'{BELL}, load = ["gong.so"]', "bell.elf.load: 'gong.so' is none of the objects; objects: bell.so"),
        (BELL, "[]", "plugin.bell.elf.objects: is empty"),
        ('source = "gong"\n', "", "plugin.gong.elf.build: has nothing to build; name a source"),
        ('driver = "elf"', 'driver = "elf"\narchitectures = ["all"]', "'all' has no shared objects"),
    ],
)
def test_wrong_settings_are_told_with_key_and_remedy(bench: Bench, old: str, new: str, expected: str) -> None:
    bench.edit("mkpkgs.toml", old, new)
    with pytest.raises(ProjectError) as caught:
        load(bench.root / "mkpkgs.toml")
    assert expected in str(caught.value)


def test_commands_and_compilers_see_no_key_and_change_nothing_that_is_used_outside(
    bench: Bench, tmp_path: Path
) -> None:
    """`.incbin` reads any file that the compiler may read; the log is written by mkpkgs itself."""
    key = tmp_path / "keys/manifest.key"
    key.parent.mkdir()
    key.write_text("SECRET KEY\n")
    gong = (bench.root / "gong/gong.cc").read_text()
    (bench.root / "gong/gong.cc").write_text(f'{gong}\n__asm__(".incbin \\"{key}\\"");\n')
    with confine.guarding([key.parent]):
        outcome = bench.build()
    assert [failure.plugin for failure in outcome.failures] == ["gong"]
    assert "file not found" in outcome.failures[0].message
    (bench.root / "gong/gong.cc").write_text(gong)
    victim = tmp_path / "victim"
    tricks = f"ln -sf {victim} ../log; echo evil >../tools/gcc; ln -s {victim} ../compiled; ln -s {key} x.so"
    bench.edit("mkpkgs.toml", '[["g++", "-g"', f'[["sh", "-c", "{tricks}; exit 0"], ["g++", "-g"')
    bench.edit("mkpkgs.toml", 'objects = ["gong.so"]', 'objects = ["gong.so", "x.so"]')
    with confine.guarding([key.parent]):
        outcome = bench.build()
    assert "there is no file x.so" in outcome.failures[0].message
    assert not victim.exists()
    log = bench.workdir / "amd64/plugin-gong/log"
    assert not log.is_symlink()
    assert "Read-only file system" in log.read_text()


def test_patterns_of_built_files_leave_nothing_out_unseen(bench: Bench) -> None:
    """As those of plain sources do: what is built has folders, too."""
    made = 'mkdir -p doc/more; echo a > doc/a.txt; echo b > "doc/[b].txt"; echo c > doc/more/c.txt'
    command = f'["sh", "-c", {toml.string(made)}]'
    bench.edit("mkpkgs.toml", LOADER, f'files = [{{ source = "doc/*", path = "/usr/share/chime/doc/" }}]\n{LOADER}')
    bench.edit("mkpkgs.toml", "build = [", f"build = [{command}, ")
    with pytest.raises(BuildError) as caught:
        bench.build()
    assert caught.value.message.startswith("core.elf.files[1].source: 'doc/*' finds the folder 'doc/more'")
    assert 'source = "doc/more/*" and path = "/usr/share/chime/doc/more/"' in caught.value.hint
    bench.edit("mkpkgs.toml", '"doc/*"', '"doc/[b].txt"')
    with pytest.raises(BuildError, match="is read as a pattern, which finds nothing") as caught:
        bench.build()
    assert caught.value.hint == 'write "doc/[[]b].txt"'
    bench.edit("mkpkgs.toml", 'source = "doc/[b].txt"', 'source = "doc/[z].txt"')
    with pytest.raises(BuildError, match=r"^core\.elf\.files\[1\]\.source: doc/\[z\]\.txt: no such file below"):
        bench.build()
    bench.edit("mkpkgs.toml", 'source = "doc/[z].txt"', 'source = "doc/*.txt"')
    assert {posixpath.basename(entry.path) for entry in bench.build().core.entries} >= {"a.txt", "[b].txt"}
    # A plugin's, which fails alone.
    own = 'files = [{ source = "own/*", path = "/usr/share/chime/own/" }]'
    bench.edit("mkpkgs.toml", f"objects = {BELL}", f"objects = {BELL}, {own}")
    outcome = bench.build()
    assert "plugin.bell.elf.files[1].source: " in outcome.failures[0].message
