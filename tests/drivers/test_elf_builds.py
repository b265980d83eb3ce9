"""Plugins that meson, cmake and cargo build, and whole projects for another machine; the server itself opens them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from packaging_tool import plan
from packaging_tool.drivers.base import Outcome
from packaging_tool.drivers.elf import Driver
from packaging_tool.errors import BuildError
from packaging_tool.formats.deb import Format as Deb
from packaging_tool.formats.rpm import Format as Rpm
from packaging_tool.package.model import Package
from tests.drivers.test_elf import SAMPLE, Bench, arranged, file, run

IN_C = """
#include "chime.h"
static void ring(void) { chime_say("tin"); }
const struct chime_module chime_module = {CHIME_ABI, ring};
"""
IN_RUST = """
#[repr(C)]
pub struct Module { abi: i32, ring: extern "C" fn() }
unsafe impl Sync for Module {}
extern "C" { fn chime_say(word: *const u8); }
extern "C" fn ring() { unsafe { chime_say(b"tin\\0".as_ptr()) } }
#[no_mangle]
pub static chime_module: Module = Module { abi: 1, ring };
"""
# By build system, which docs/elf.md says how to call: the files of the source, and where the object is then.
BUILDS = {
    "make": (
        {"Makefile": "tin.so: tin.c\n\t$(CC) $(CFLAGS) $(LDFLAGS) -shared -o $@ $<\n", "tin.c": IN_C},
        "tin.so",
    ),
    "meson": (
        {"meson.build": "project('tin', 'c')\nshared_module('tin', 'tin.c', name_prefix: '')\n", "tin.c": IN_C},
        "build/tin.so",
    ),
    "cmake": (
        {
            "CMakeLists.txt": "cmake_minimum_required(VERSION 3.13)\nproject(tin C)\nadd_library(tin MODULE tin.c)\n",
            "tin.c": IN_C,
        },
        "build/libtin.so",
    ),
    "cargo": (
        {
            "Cargo.toml": '[package]\nname = "tin"\nversion = "1.0.0"\nedition = "2021"\n[lib]\n'
            'crate-type = ["cdylib"]\n[profile.release]\ndebug = true\n',
            "src/lib.rs": IN_RUST,
        },
        "target/release/libtin.so",
    ),
}
DOCUMENTED = Path(__file__).parent.parent.parent / "docs/elf.md"
ARM = "aarch64-linux-gnu"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """The sample without its plugin in C++."""
    shutil.copytree(SAMPLE, tmp_path / "project")
    made = Bench(tmp_path / "project", tmp_path / "work", [])
    manifest = made.root / "mkpkgs.toml"
    manifest.write_text(manifest.read_text().partition("[plugin.gong]")[0])
    return made


def documented(system: str) -> list[list[str]]:
    """The commands that docs/elf.md names for a build system."""
    (commands,) = re.findall(rf"(?m)^\| {system} \| `(\[\[.*?\]\])`", DOCUMENTED.read_text())
    found: list[list[str]] = json.loads(commands)
    return found


def add(bench: Bench, files: dict[str, str], build: list[list[str]], made: str) -> None:
    """A plugin `tin` to the project."""
    for name, text in files.items():
        (bench.root / "tin" / name).parent.mkdir(parents=True, exist_ok=True)
        (bench.root / "tin" / name).write_text(text)
    with (bench.root / "mkpkgs.toml").open("a") as manifest:
        manifest.write(
            '\n[plugin.tin]\nsummary = "Beats tin"\norder = 5\n'
            f'[plugin.tin.elf]\nsource = "tin"\nbuild = {build}\nobjects = ["{made}"]\n'
        )


@pytest.mark.parametrize("system", BUILDS)
def test_a_plugin_of_any_build_system_is_opened_and_the_same_in_every_place(
    bench: Bench, tmp_path: Path, system: str
) -> None:
    files, place = BUILDS[system]
    add(bench, files, documented(system), place)
    outcome = bench.build()
    assert not outcome.failures
    loader = arranged(outcome, bench.project, tmp_path / "set", "tin", "bell")
    assert run(file(outcome.core, "-core"), "--check", loader).splitlines()[:2] == ["tin", "ding"]
    made = file(outcome.plugins["tin"], "tin.so")
    (debug,) = outcome.plugins["tin"].debug
    assert debug.content is not None and isinstance(debug.content.source, Path)
    places = run("readelf", "--debug-dump=info", debug.content.source)
    assert "/usr/src/chime-plugin-tin" in places
    assert str(bench.workdir) not in places
    other = Bench(bench.root, tmp_path / "another/place", []).build()
    assert file(other.plugins["tin"], "tin.so").read_bytes() == made.read_bytes()


@pytest.mark.parametrize("system", ["make", "meson", "cmake"])
def test_the_same_commands_build_for_another_machine(bench: Bench, tmp_path: Path, system: str) -> None:
    files, place = BUILDS[system]
    bench.edit("mkpkgs.toml", 'driver = "elf"', 'driver = "elf"\narchitectures = ["amd64", "arm64"]')
    bench.edit("mkpkgs.toml", '"-j{jobs}"', '"CC={triplet}-gcc"')
    add(bench, files, documented(system), place)
    outcome = bench.build("arm64")
    assert not outcome.failures
    loader = arranged(outcome, bench.project, tmp_path / "arm64", "tin", "bell")
    emulated = ("qemu-aarch64-static", "-L", f"/usr/{ARM}", file(outcome.core, "-core"))
    assert run(*emulated, "--check", loader).splitlines()[:2] == ["tin", "ding"]
    # The debug information names no place of the build either.
    (debug,) = outcome.plugins["tin"].debug
    assert debug.content is not None and isinstance(debug.content.source, Path)
    assert "/usr/src/chime-plugin-tin" in run("readelf", "--debug-dump=info", debug.content.source)
    assert bench.said == []


@pytest.fixture
def for_arm(bench: Bench) -> Bench:
    """The same for two machines."""
    bench.edit("mkpkgs.toml", 'driver = "elf"', 'driver = "elf"\narchitectures = ["amd64", "arm64"]')
    bench.edit("mkpkgs.toml", '"-j{jobs}"', '"CC={triplet}-gcc"')
    flags = ["-g", "-O2", "-fPIC", "-shared", "-I{core}"]
    add(bench, {"tin.c": IN_C}, [["{triplet}-gcc", *flags, "-o", "tin.so", "tin.c"]], "tin.so")
    return bench


def test_one_project_builds_for_another_machine(for_arm: Bench, tmp_path: Path) -> None:
    outcomes = {architecture: for_arm.build(architecture) for architecture in ("amd64", "arm64")}
    outcome = outcomes["arm64"]
    assert not outcome.failures
    loader = arranged(outcome, for_arm.project, tmp_path / "arm64", "tin", "bell")
    emulated = ("qemu-aarch64-static", "-L", f"/usr/{ARM}", file(outcome.core, "-core"))
    assert run(*emulated, "--check", loader).splitlines()[:2] == ["tin", "ding"]
    loader = arranged(outcomes["amd64"], for_arm.project, tmp_path / "amd64", "tin", "bell")
    assert run(file(outcomes["amd64"].core, "-core"), "--check", loader).splitlines()[:2] == ["tin", "ding"]


def test_debug_information_of_another_machine_goes_apart_by_its_own_tools(for_arm: Bench) -> None:
    outcome = for_arm.build("arm64")
    for payload, end in ((outcome.core, "-core"), (outcome.plugins["bell"], "bell.so")):
        stripped = file(payload, end)
        assert "Machine: AArch64" in re.sub(r" +", " ", run("readelf", "-h", stripped))
        assert ".debug_info" not in run("readelf", "-SW", stripped)
        (entry,) = payload.debug
        build_id = re.findall(r"Build ID: ([0-9a-f]+)", run("readelf", "-n", stripped))[0]
        assert entry.path == f"/usr/lib/debug/.build-id/{build_id[:2]}/{build_id[2:]}.debug"
        assert entry.content is not None and isinstance(entry.content.source, Path)
        # That of this machine does not know such files.
        assert "file format elf64-littleaarch64" in run(f"{ARM}-objdump", "-f", entry.content.source)
        assert "DW_TAG_compile_unit" in run("readelf", "--debug-dump=info", entry.content.source)
    assert for_arm.said == []


def packages(bench: Bench, outcome: Outcome, architecture: str) -> dict[str, Package]:
    trust = plan.Trust(keys={}, sign=lambda text: b"signature")
    target = Driver().target(bench.project)
    made = plan.packages(bench.project, outcome, architecture, target, trust, 1_790_000_000)
    return {package.name: package for package in made}


def test_packages_for_another_machine_ask_for_its_libraries(for_arm: Bench, tmp_path: Path) -> None:
    outcome = for_arm.build("arm64")
    core = packages(for_arm, outcome, "arm64")["chime"]
    deb, rpm = Deb().write(core, tmp_path, None).path, Rpm().write(core, tmp_path, None).path
    assert run("dpkg-deb", "-f", deb, "Architecture").strip() == "arm64"
    assert run("rpm", "-qp", "--nosignature", "--qf", "%{ARCH}", rpm) == "aarch64"
    program = file(outcome.core, "-core")
    program.chmod(0o755)
    # rpm's generator reads what is for any machine.
    judged = subprocess.run(
        ["/usr/lib/rpm/elfdeps", "--requires"], input=f"{program}\n", capture_output=True, text=True, check=True
    )
    asked = set(run("rpm", "-qp", "--nosignature", "--requires", rpm).splitlines())
    assert set(judged.stdout.split()) - {"rtld(GNU_HASH)"} <= asked
    # The first of this machine's C library; that of amd64 begins with 2.2.5.
    assert "libc.so.6(GLIBC_2.17)(64bit)" in asked
    # Debian's cross packages have no symbols files, from which dpkg-shlibdeps would know more than the release.
    newest = max(int(number) for number in re.findall(r"GLIBC_2\.(\d+)", run("readelf", "-VW", program)))
    assert newest == 34
    assert {Deb().spell(relation) for relation in outcome.core.depends["deb"]} == {"libc6 (>= 2.34)"}
    assert "libc6 (>= 2.34)" in run("dpkg-deb", "-f", deb, "Depends").strip().split(", ")


def test_what_this_machines_compiler_made_is_not_for_another(for_arm: Bench) -> None:
    for_arm.edit("mkpkgs.toml", "'{triplet}-gcc', '-g'", "'gcc', '-g'")
    (failure,) = for_arm.build("arm64").failures
    assert failure.plugin == "tin"
    assert "tin.so is for amd64, not arm64" in failure.message
    assert "name the cross compiler with {triplet}" in failure.repair
    for_arm.edit("mkpkgs.toml", '"CC={triplet}-gcc"', '"CC=gcc"')
    with pytest.raises(BuildError, match="chime is for amd64, not arm64"):
        for_arm.build("arm64")
