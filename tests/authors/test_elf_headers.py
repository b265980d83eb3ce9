"""What a plugin was compiled with is compared with what the core's ABI is made of; the judge is the server itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from packaging_tool.elf.abi import Abi, Place
from packaging_tool.elf.agreement import Agreement
from packaging_tool.elf.compiled import Unit
from packaging_tool.elf.published import Authors
from tests.authors.test_elf import MODULE, SAMPLE
from tests.authors.world import author, edit, said
from tests.workspace import Workspace, newest

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="shared objects of C need gcc")

TABLE = """
[plugin.{name}]
summary = "An author's plugin"
version = "2.0"

[plugin.{name}.elf]
source = "{name}"
{more}build = [{first}["gcc", "-g", "-fPIC", "-shared", "-o", "{name}.so", "{name}.c", {words}]]
objects = ["{name}.so"]
"""
# What `files` of the ABI counts lies in a folder of the server's source.
ABI = """abi = { version = "{version}", files = ["include/*.h"], commands = [["cat", "level"]], \
macros = ["CHIME_ABI"], headers = ["chime.h"], include = ["include"] }"""
# Plugins of the author: first commands, and words of the compiler.
PLUGINS = {
    "fine": ("", '"-I{core}/include"'),
    # Its headers are the author's own copy, of another version.
    "vendored": ("", '"-Ivendor/include"'),
    "placed": ("", '"-O1"'),
    "defined": ("", '"-DCHIME_ABI=3", "-I{core}/include"'),
    "touched": ('["sed", "-i", "s/In the server/In chime/", "{core}/include/chime.h"], ', '"-I{core}/include"'),
    # Libraries of the system: one that a plugin of the maintainer needs, too, a newer version of it, and another one.
    "zipped": ("", '"-I{core}/include", "-Wl,--no-as-needed", "-lz"'),
    "newer": ("", '"-I{core}/include", "-DNEWER", "-lz"'),
    "crypted": ("", '"-I{core}/include", "-Wl,--no-as-needed", "-lcrypt"'),
    # It has no header of the server at all.
    "bare": ("", '"-DBARE"'),
}
BARE = """\
#ifdef BARE
void chime_say(const char *);
struct chime_module { int abi; void (*ring)(void); };
#define CHIME_ABI 1
#else
#include "chime.h"
#endif
#ifdef NEWER
int inflateReset2(void *, int);
int newer(void) { return inflateReset2(0, 0); }
#endif
"""


@pytest.fixture(scope="module")
def chime(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The published server, whose ABI is made of a version, files, a command and a macro."""
    core = Workspace.create(SAMPLE, tmp_path_factory.mktemp("chime"))
    (core.root / "server/include").mkdir()
    (core.root / "server/chime.h").rename(core.root / "server/include/chime.h")
    edit(core, "server/include/chime.h", "#define CHIME_ABI 1", "#ifndef CHIME_ABI\n#define CHIME_ABI 1\n#endif")
    (core.root / "server/level").write_text("level 3\n")
    edit(core, "mkpkgs.toml", '["make", ', '["make", "CC=gcc -Iinclude", ')
    makefile = core.root / "server/Makefile"
    makefile.write_text(makefile.read_text().replace(" chime.h", " include/chime.h"))
    edit(core, "mkpkgs.toml", "-I{core}", '-I{core}/include", "-Wl,--no-as-needed", "-lz')
    text = (core.root / "mkpkgs.toml").read_text()
    before = next(line for line in text.splitlines() if line.startswith("abi = "))
    edit(core, "mkpkgs.toml", before, f'{ABI}\nauthors = {{ files = ["include"] }}')
    core.mkpkgs()
    return core


@pytest.fixture(scope="module")
def acme(chime: Workspace, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, str]:
    """The author's project with all plugins, and what `mkpkgs check` said."""
    place = tmp_path_factory.mktemp("acme")
    root = Workspace.at(place).root
    for name in PLUGINS:
        (root / name).mkdir(parents=True)
        code = MODULE.format(declared="", body=f'chime_say("{name}");').replace('#include "chime.h"\n', BARE)
        (root / name / f"{name}.c").write_text(code)
    for name in ("vendored", "placed"):
        header = root / name / "vendor/include/chime.h"
        shutil.copytree(chime.root / "server/include", header.parent)
        header.write_text(header.read_text().replace("CHIME_ABI 1", "CHIME_ABI 7"))
    more = {"placed": 'environment = { CPATH = "vendor/include" }\n'}
    tables = [
        TABLE.format(name=name, first=first, words=words, more=more.get(name, ""))
        for name, (first, words) in PLUGINS.items()
    ]
    shutil.copyfile(chime.root / ".mkpkgs/elf/amd64/core/source/bell.so", root / "given.so")
    tables.append('\n[plugin.given]\nsummary = "Comes as it is"\nversion = "2.0"\nelf.objects = ["given.so"]\n')
    made = author(place, "chime", chime.dist, "elf", "".join(tables))
    done = made.mkpkgs("check", "-q", check=False)
    assert done.returncode == 1, done.stdout
    return made, done.stdout


COMMAND = 'not checked: output of ["cat", "level"]: commands of the core\'s maintainer do not run here'
CHANGED = "repair: build with the files that the core's maintainer publishes, as they are"
VENDORED = [
    "macro CHIME_ABI is 7 here ({root}/.mkpkgs/…/source/vendor/include/chime.h), and 1 in chime",
    "repair: build with the core's own arguments and headers",
    (
        "file include/chime.h is another here ({root}/.mkpkgs/…/source/vendor/include/chime.h), "
        "and chime counts its bytes"
    ),
    CHANGED,
]


@pytest.mark.parametrize(
    ("plugin", "lines"),
    [
        ("fine", ["fits", COMMAND]),
        ("zipped", ["fits", COMMAND]),
        ("newer", ["fits", COMMAND, "not checked for el9: libz.so.1 (ZLIB_1.2.3.4)"]),
        ("crypted", ["fits", COMMAND, "not checked for el9: libcrypt.so.1"]),
        ("vendored", VENDORED),
        ("placed", VENDORED),
        (
            "defined",
            [
                "macro CHIME_ABI is 3 here, and 1 in chime",
                "repair: build with the core's own arguments and headers",
            ],
        ),
        ("touched", ["file include/chime.h was changed here, and chime counts its bytes", CHANGED]),
        (
            "bare",
            [
                "fits",
                "not checked: macro CHIME_ABI: no compiler that was called here read chime.h",
                "not checked: file include/*.h: no compiler that was called here read one of them",
                COMMAND,
                "not checked: version 1.0: no compiler that was called here read a file of it",
            ],
        ),
        ("given", ["fits", "not checked: what it was compiled with: it was not built here"]),
    ],
)
def test_check_compares_what_was_read_and_names_what_cannot_be_known(
    acme: tuple[Workspace, str], plugin: str, lines: list[str]
) -> None:
    root = str(acme[0].root)
    place = list(acme[0].root.glob(f".mkpkgs/elf/*/amd64/plugin-{plugin}"))
    told = [line.replace(str(place[0]) if place else "-", f"{root}/.mkpkgs/…") for line in said(acme, plugin)]
    assert told == [line.replace("{root}", root) for line in lines]


def test_libraries_that_all_targets_have_are_what_readelf_shows_of_the_maintainers_files(chime: Workspace) -> None:
    (path,) = chime.dist.glob("dev/chime/*/files/lock.toml")
    said = tomllib.loads(path.read_text())["elf"]["libraries"]
    assert said["targets"] == ["debian12", "el9"]
    needed: set[str] = set()
    for file in ("core/source/chime", "core/source/bell.so", "plugin-gong/source/gong.so"):
        built = chime.root / ".mkpkgs/elf/amd64" / file
        shown = subprocess.run(["readelf", "-dVW", built], capture_output=True, text=True, check=True).stdout
        needed |= set(re.findall(r"\(NEEDED\) +Shared library: \[(.+)\]", shown))
        library = ""
        for line in shown.partition("Version needs section")[2].splitlines():
            library = found[1] if (found := re.search(r"File: (\S+)", line)) else library
            needed |= {f"{library} {name}" for name in re.findall(r"Name: (\S+)", line)}
    assert "libz.so.1" in needed
    assert set(said["names"]) == needed


def test_the_server_refuses_what_was_compiled_with_other_headers(
    chime: Workspace, acme: tuple[Workspace, str], tmp_path: Path
) -> None:
    subprocess.run(["dpkg-deb", "-x", newest(chime.dist, "chime", "deb"), tmp_path], check=True)
    for plugin, status in (("fine", 0), ("vendored", 1), ("defined", 1)):
        (module,) = acme[0].root.rglob(f"plugin-{plugin}/source/{plugin}.so")
        (tmp_path / "modules").write_text(f"open {module}\n")
        program = tmp_path / "usr/lib/chime/bin/chime-core"
        assert subprocess.run([program, "--check", tmp_path / "modules"], capture_output=True).returncode == status


def test_whoever_is_given_no_headers_may_bring_his_own(tmp_path: Path) -> None:
    abi, place = Abi(macros=("ROPE",), headers=("nowhere/rope.h",)), Place("chime", "amd64", tmp_path, tmp_path, {})

    def agreement(given: Authors) -> Agreement:
        return Agreement(abi, ["macro ROPE 1"], given, place, None, tmp_path, [Unit((), frozenset())])

    assert list(agreement(Authors()).misfits()) == []
    assert list(agreement(Authors()).unchecked()) == [
        "macro ROPE: no compiler that was called here read nowhere/rope.h"
    ]
    (told,) = agreement(Authors(packages=("rope-dev",))).misfits()
    assert "nowhere/rope.h" in told.message
    assert told.repair == "install rope-dev"
