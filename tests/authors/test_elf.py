"""Shared objects for somebody else's server; the judges are the server itself, readelf and the compiler."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.authors.world import author, edit, said
from tests.workspace import Workspace, newest

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="shared objects of C need gcc")

SAMPLE = Path(__file__).parent.parent / "samples/tiny-elf"
# A library of the core with versions, of which there is a newer one elsewhere.
TONE = '[["sh", "-c", "echo \'int tone(void) {{ return 1; }}\' >tone.c && echo \'TONE_{} {{ tone; }};\' >tone.map"], '
LINK = (
    '["gcc", "-shared", "-fPIC", "-Wl,-soname,libtone.so.1,--version-script=tone.map", "-o", "libtone.so.1", "tone.c"]'
)
MODULE = """\
#include "chime.h"
{declared}
static void ring(void) {{ {body} }}
const struct chime_module chime_module = {{CHIME_ABI, ring}};
"""
# Plugins of the author: what is declared, what they do, and words of the compiler beside the usual ones.
PLUGINS = {
    "fine": ("", 'chime_say("fine");', ""),
    "zipped": ("const char *zlibVersion(void);", "chime_say(zlibVersion());", ""),
    "typo": ("void chime_says(const char *);", 'chime_says("la");', ""),
    "eager": ("void bell_swing(void);", "bell_swing();", ""),
    "tidy": ("void bell_swing(void);", "bell_swing();", ""),
    "fresh": ("unsigned arc4random(void);", "arc4random();", ""),
    "leaning": ("int lean(void);", "lean();", '"-Wl,--no-as-needed", "liblean.so.3", '),
    "toned": ("int tone(void);", "tone();", '"libtone.so.1", '),
}
TABLE = """
[plugin.{name}]
summary = "An author's plugin"
version = "2.0"
{more}
[plugin.{name}.elf]
source = "{name}"
build = [{first}["gcc", "-g", "-fPIC", "-shared", "-I{{core}}", "-o", "{name}.so", "{name}.c", {words}]]
objects = ["{name}.so"]
"""
FIRST = {
    "leaning": '["sh", "-c", "echo \'int lean(void) { return 1; }\' >lean.c"], '
    '["gcc", "-shared", "-fPIC", "-Wl,-soname,liblean.so.3", "-o", "liblean.so.3", "lean.c"], ',
    "toned": f"{TONE.format(2)[1:]}{LINK}, ",
    "changed": '["sed", "-i", "s/CHIME_ABI 1/CHIME_ABI 7/", "{core}/chime.h"], ',
}


def write(root: Path, name: str, declared: str, body: str, words: str) -> str:
    """A plugin's source below root, and its table."""
    (root / name).mkdir(parents=True)
    (root / name / f"{name}.c").write_text(MODULE.format(declared=declared, body=body))
    more = 'needs = ["bell"]\n' if name == "tidy" else ""
    return TABLE.format(name=name, more=more, first=FIRST.get(name, ""), words=words)


@pytest.fixture(scope="module")
def chime(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The published server, with a header for authors and a library of its own."""
    core = Workspace.create(SAMPLE, tmp_path_factory.mktemp("chime"))
    edit(core, "server/bell.c", "static void ring", 'void bell_swing(void) { chime_say("swing"); }\n\nstatic void ring')
    edit(core, "mkpkgs.toml", 'build = [["make"', f'build = {TONE.format(1)}{LINK}, ["make"')
    files = 'files = [{ source = "libtone.so.1", path = "/usr/lib/chime/" }]'
    edit(
        core,
        "mkpkgs.toml",
        "loader = {",
        f'authors = {{ files = ["*.h"], symbols = ["{zlib()}"] }}\n{files}\nloader = {{',
    )
    core.mkpkgs()
    return core


@pytest.fixture(scope="module")
def acme(chime: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, str]]:
    """The author's project with all plugins, and what `mkpkgs check` said."""
    place = tmp_path_factory.mktemp("acme")
    root = Workspace.at(place).root
    tables = [write(root, name, *row) for name, row in PLUGINS.items()]
    tables.append(write(root, "changed", "", 'chime_say("changed");', ""))
    foreign = bytearray((next((chime.root / ".mkpkgs/elf/amd64/core/source").glob("bell.so"))).read_bytes())
    foreign[18:20] = (183).to_bytes(2, "little")
    (root / "foreign.so").write_bytes(foreign)
    tables.append('\n[plugin.foreign]\nsummary = "Of another machine"\nversion = "2.0"\nelf.objects = ["foreign.so"]\n')
    made = author(place, "chime", chime.dist, "elf", "".join(tables))
    done = made.mkpkgs("check", "-q", check=False)
    assert done.returncode == 1, done.stdout
    yield made, done.stdout


def zlib() -> str:
    """A library that stands for a program whose symbols plugins use, which is not of the core."""
    found = subprocess.run(["gcc", "-print-file-name=libz.so.1"], capture_output=True, text=True, check=True).stdout
    return found.strip()


def lock(project: Workspace) -> dict[str, dict[str, dict[str, list[str]]]]:
    """What the published core offers."""
    (path,) = (project.dist / "dev/chime").glob("*/files/lock.toml")
    found: dict[str, dict[str, dict[str, list[str]]]] = tomllib.loads(path.read_text())["elf"]
    return found


def test_what_the_core_offers_is_what_readelf_shows(chime: Workspace) -> None:
    program = chime.root / ".mkpkgs/elf/amd64/core/source/chime"
    shown = subprocess.run(["readelf", "--dyn-syms", "--wide", program], capture_output=True, text=True, check=True)
    rows = [line.split() for line in shown.stdout.splitlines()]
    defined = {
        row[7].partition("@")[0] for row in rows if len(row) > 7 and row[4] in ("GLOBAL", "WEAK") and row[6] != "UND"
    }
    offers = lock(chime)["offers"]
    assert {"chime_say", "chime_strikes"} <= set(offers["chime-core"]["symbols"]) == defined
    assert offers["chime-core"]["needs"] == ["libc.so.6"]
    assert {"tone", "tone@TONE_1"} <= set(offers["libtone.so.1"]["symbols"])
    assert "bell_swing" in lock(chime)["brings"]["bell"]["symbols"]


def test_an_author_gets_the_files_that_the_maintainer_names(chime: Workspace, tmp_path: Path) -> None:
    package = newest(chime.dist, "chime-plugin-dev", "deb")
    subprocess.run(["dpkg-deb", "-x", package, tmp_path], check=True)
    (archive,) = tmp_path.glob("usr/share/chime/dev/*/files/core.tar")
    listed = subprocess.run(["tar", "-tf", archive], capture_output=True, text=True, check=True).stdout
    assert listed.split() == ["core/chime.h"]


def test_a_plugin_that_fits_is_opened_by_the_server(
    chime: Workspace, acme: tuple[Workspace, str], tmp_path: Path
) -> None:
    assert said(acme, "fine") == ["fits"]
    assert said(acme, "tidy") == ["fits"]
    assert said(acme, "zipped") == ["fits"]
    project = acme[0].copy(tmp_path / "copy")
    assert project.mkpkgs(check=False).returncode == 1
    assert {path.name.split("_")[0] for path in project.dist.rglob("*.deb") if "dbgsym" not in path.name} == {
        "chime-plugin-fine",
        "chime-plugin-tidy",
        "chime-plugin-zipped",
    }
    for package in (newest(chime.dist, "chime", "deb"), newest(project.dist, "chime-plugin-fine", "deb")):
        subprocess.run(["dpkg-deb", "-x", package, tmp_path], check=True)
    (tmp_path / "modules").write_text(f"open {tmp_path}/usr/lib/chime/plugins/fine/fine.so\n")
    program = tmp_path / "usr/lib/chime/bin/chime-core"
    told = subprocess.run([program, "--check", tmp_path / "modules"], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == ["fine", "chime as built in chime.c"]
    tidy = newest(project.dist, "chime-plugin-tidy", "deb")
    depends = subprocess.run(["dpkg-deb", "-f", tidy, "Depends"], capture_output=True, text=True, check=True).stdout
    assert "chime-plugin-bell (= 1.0-1)" in depends
    folder = next(path.name for path in (chime.dist / "dev/chime").iterdir() if path.is_dir())
    assert f"chime-abi-{folder.partition('-')[0]}" in depends


@pytest.mark.parametrize(
    ("plugin", "lines"),
    [
        (
            "typo",
            [
                "typo.so needs chime_says, which neither chime nor any library of it offers",
                "repair: did you mean chime_say?",
            ],
        ),
        ("eager", ["eager.so needs bell_swing, which is in plugin bell", 'repair: write needs = ["bell"]']),
        (
            "fresh",
            [
                "fresh.so needs GLIBC_2.36 (arc4random@GLIBC_2.36), but el9 has glibc 2.34",
                "repair: build on el9 or an older system, or name `targets` without it in [plugin-of]",
            ],
        ),
        (
            "leaning",
            [
                "leaning.so needs liblean.so.3, which neither chime nor this system has",
                (
                    "repair: link it statically, list it in `objects`, or say whose it is: "
                    'libraries = { "liblean.so.3" = "PACKAGE >= VERSION" }'
                ),
            ],
        ),
        (
            "toned",
            [
                "toned.so needs tone@TONE_2 of libtone.so.1, and that of chime has it as TONE_1",
                "repair: build against what this core publishes, or leave it out by `versions` in [plugin-of]",
            ],
        ),
        (
            "foreign",
            [
                "foreign.so is for arm64, and this core for amd64",
                (
                    "repair: name the cross compiler with {triplet} in the commands, or leave this core out by "
                    "`architectures` in [plugin-of]"
                ),
            ],
        ),
        (
            "changed",
            [
                "macro CHIME_ABI is 7 here, and 1 in chime",
                "repair: build with the core's own arguments and headers",
            ],
        ),
    ],
)
def test_check_names_what_does_not_fit_and_the_repair(
    acme: tuple[Workspace, str], plugin: str, lines: list[str]
) -> None:
    assert said(acme, plugin) == lines


def test_a_symbol_that_is_called_missing_stops_the_server(
    chime: Workspace, acme: tuple[Workspace, str], tmp_path: Path
) -> None:
    """What check says of `typo`, the server would say, too."""
    subprocess.run(["dpkg-deb", "-x", newest(chime.dist, "chime", "deb"), tmp_path], check=True)
    (module,) = acme[0].root.rglob("plugin-typo/source/typo.so")
    (tmp_path / "modules").write_text(f"open {module}\n")
    program = tmp_path / "usr/lib/chime/bin/chime-core"
    done = subprocess.run([program, "--check", tmp_path / "modules"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "undefined symbol: chime_says" in done.stderr


def test_headers_of_the_system_and_names_in_one_place_must_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    core = Workspace.create(SAMPLE, tmp_path / "core")
    header = tmp_path / "rope/rope.h"
    monkeypatch.setenv("MKPKGS_SHOW", str(header.parent))
    header.parent.mkdir()
    header.write_text("#define ROPE 1\n")
    macros = f'macros = ["ROPE"], headers = ["rope.h"], include = ["{header.parent}"]'
    edit(core, "mkpkgs.toml", 'macros = ["CHIME_ABI", "CHIME_SIGNATURE"], headers = ["chime.h"]', macros)
    edit(core, "mkpkgs.toml", "loader = {", 'authors = { packages = ["rope-dev"] }\nloader = { place = "flat",')
    core.mkpkgs()
    source = tmp_path / "acme/project/fine"
    source.mkdir(parents=True)
    (source / "fine.c").write_text('#include "rope.h"\nint rope = ROPE;\n')
    table = TABLE.format(name="fine", more="", first="", words=f'"-I{header.parent}"').replace('"-I{core}", ', "")
    project = author(tmp_path / "acme", "chime", core.dist, "elf", table)
    assert project.mkpkgs("check", "-q").stdout == "chime 1.0-1 (amd64)\n  fine: fits\n"
    # The server looks for all modules in one place.
    same = table.replace('"fine.so"', '"gong.so"')
    edit(project, "mkpkgs.toml", table, same)
    told = project.mkpkgs("check", "-q", check=False).stdout.splitlines()
    assert told[1:] == [
        "  fine: plugin gong has a gong.so, too, and the server looks for both in one place",
        '    repair: give yours another name, or write clashes = ["gong"]',
    ]
    edit(project, "mkpkgs.toml", same, table)
    header.write_text("#define ROPE 2\n")
    told = project.mkpkgs("check", "-q", check=False).stdout.splitlines()
    assert told[1:] == ["  fine: macro ROPE is 2 here, and 1 in chime", "    repair: install rope-dev"]
    header.unlink()
    shutil.rmtree(project.root / ".mkpkgs")
    told = project.mkpkgs("check", "-q", check=False).stdout.splitlines()
    assert any("fatal error: rope.h: No such file or directory" in line for line in told)
    assert told[-1] == "    repair: install rope-dev"


def test_abi_diff_names_lines_of_the_abi_and_symbols_that_went_away(chime: Workspace, tmp_path: Path) -> None:
    newer = chime.copy(tmp_path / "newer")
    edit(newer, "server/chime.h", "CHIME_ABI 1", "CHIME_ABI 2")
    edit(newer, "server/chime.c", "int chime_strikes = 1;", "long chime_strikes = 1;\nint chime_hours;")
    edit(newer, "server/chime.h", "extern int chime_strikes", "extern long chime_strikes")
    edit(newer, "mkpkgs.toml", "echo 'int tone(", "echo 'int tune(")
    edit(newer, "mkpkgs.toml", "{ tone; }", "{ tune; }")
    newer.replace("mkpkgs.toml", version="1.1")
    newer.mkpkgs()
    done = chime.mkpkgs("abi", "diff", str(chime.dist), str(newer.dist), check=False)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "chime 1.0-1 (amd64) → chime 1.1-1 (amd64)",
        "  macro CHIME_ABI: 1 became 2",
        "  symbol chime_strikes: OBJECT 4 became OBJECT 8",
        "  symbol chime_hours is new",
        "  symbol tone went away",
        "  another ABI: every plugin must be rebuilt: bell, gong",
    ]
    locks = [str(project.root / "mkpkgs.lock") for project in (chime, newer)]
    assert "  macro CHIME_ABI: 1 became 2\n" in chime.mkpkgs("abi", "diff", *locks, check=False).stdout


def test_abi_diff_tells_of_symbols_that_an_abi_does_not_count(chime: Workspace, tmp_path: Path) -> None:
    newer = chime.copy(tmp_path / "newer")
    edit(newer, "mkpkgs.toml", "echo 'int tone(", "echo 'int tune(")
    edit(newer, "mkpkgs.toml", "{ tone; }", "{ tune; }")
    newer.replace("mkpkgs.toml", version="1.1")
    newer.mkpkgs()
    done = chime.mkpkgs("abi", "diff", str(chime.dist), str(newer.dist))
    assert done.stdout.splitlines()[1:] == [
        "  the same ABI: no plugin needs a new build",
        "  what the ABI does not say: symbol tone went away",
    ]


@pytest.mark.skipif(shutil.which("aarch64-linux-gnu-gcc") is None, reason="it needs a compiler for arm64")
def test_one_plugin_is_packaged_for_each_machine_of_the_core(tmp_path: Path) -> None:
    """Compiled by the author's commands, and made before."""
    core = Workspace.create(SAMPLE, tmp_path / "chime")
    edit(core, "mkpkgs.toml", 'driver = "elf"', 'driver = "elf"\narchitectures = ["amd64", "arm64"]')
    edit(core, "mkpkgs.toml", '"-j{jobs}"', '"CC={triplet}-gcc"')
    (core.root / "mkpkgs.toml").write_text((core.root / "mkpkgs.toml").read_text().partition("[plugin.gong]")[0])
    edit(core, "mkpkgs.toml", "loader = {", 'authors = { files = ["*.h"] }\nloader = {')
    core.mkpkgs()
    root = Workspace.at(tmp_path / "acme").root
    table = write(root, "fine", "", 'chime_say("fine");', "").replace('"gcc"', '"{triplet}-gcc"')
    machines = {"amd64": ("x86_64", "X86-64"), "arm64": ("aarch64", "AArch64")}
    for architecture, (machine, _) in machines.items():
        compiler, made = f"{machine}-linux-gnu-gcc", root / f"made-{architecture}.so"
        run(compiler, "-fPIC", "-shared", f"-I{core.root / 'server'}", "-o", made, root / "fine/fine.c")
    table += '\n[plugin.made]\nsummary = "Made before"\nversion = "2.0"\nelf.objects = ["made-{architecture}.so"]\n'
    project = author(tmp_path / "acme", "chime", core.dist, "elf", table)
    project.mkpkgs()
    for architecture, (machine, word) in machines.items():
        for name, file in (("fine", "fine.so"), ("made", f"made-{architecture}.so")):
            (deb,) = project.dist.rglob(f"chime-plugin-{name}_*_{architecture}.deb")
            (rpm,) = project.dist.rglob(f"chime-plugin-{name}-2*.{machine}.rpm")
            assert run("dpkg-deb", "-f", deb, "Architecture") == f"{architecture}\n"
            assert run("rpm", "-qp", "--nosignature", "--qf", "%{ARCH}", rpm) == machine
            subprocess.run(["dpkg-deb", "-x", deb, tmp_path / architecture], check=True)
            header = run("readelf", "-h", tmp_path / architecture / f"usr/lib/chime/plugins/{name}/{file}")
            assert re.search(rf"Machine: .*{word}", header)


def run(*words: str | Path) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout
