"""What the server's own go.mod says to the module that is built alone: done as `go build` does it there, or refused by
its line."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from packaging_tool.drivers.base import Outcome
from packaging_tool.drivers.go_link import Driver
from packaging_tool.errors import BuildError, ProjectError
from packaging_tool.golang import localmodule
from packaging_tool.listener import Silent
from packaging_tool.project.loader import load
from tests.drivers.test_go_link import Ears

PROJECT = """\
[core]
name = "lamp"
version = "1.0.0"
summary = "Says what its library says"
license = "Apache-2.0"
homepage = "https://lamp.example.org/"
maintainer = "Jo Doe <jo@example.org>"
architectures = ["amd64"]
driver = "go-link"

[core.go-link]
module = "./server"

[repository]
url = "http://127.0.0.1:8000"
"""
MAIN = """\
package main

import (
\t"fmt"

\t"example.com/lib"
)

func main() { fmt.Println(lib.Says) }
"""


class Lamp:
    """A server with a library, and a folder that is a proxy with v1.0.0 and v1.1.0 of that."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("mkpkgs.toml", PROJECT)
        self.write("server/main.go", MAIN)
        self.require("example.com/lib v1.0.0")
        for version in ("v1.0.0", "v1.1.0"):
            self.publish("example.com/lib", version)

    def write(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def require(self, module: str, *more: str) -> None:
        self.write(
            "server/go.mod", "\n".join(["module example.com/lamp", "", "go 1.21", f"require {module}", *more, ""])
        )

    def publish(self, path: str, version: str) -> None:
        folder = self.root / "sources" / path / version
        self.library(f"sources/{path}/{version}", path, version)
        module = replace(localmodule.scan(folder, ""), version=version)
        localmodule.publish(module, self.root / "proxy")

    def library(self, folder: str, path: str, says: str) -> None:
        self.write(f"{folder}/go.mod", f"module {path}\n\ngo 1.21\n")
        self.write(f"{folder}/lib.go", f'package lib\n\nconst Says = "{says}"\n')

    def lock(self) -> str:
        return Driver().lock(load(self.root / "mkpkgs.toml"), None, self.root / ".mkpkgs", Silent()).text

    def build(self) -> Outcome:
        project, workdir = load(self.root / "mkpkgs.toml"), self.root / ".mkpkgs"
        lock = Driver().lock(project, None, workdir, Silent())
        return Driver().build(project, lock, "amd64", workdir, Silent())[0]

    def problems(self) -> list[str]:
        with pytest.raises(ProjectError) as raised:
            load(self.root / "mkpkgs.toml")
        return [str(problem).replace(f"{self.root}/", "") for problem in raised.value.problems]


@pytest.fixture
def lamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lamp:
    monkeypatch.setenv("GOPROXY", (tmp_path / "proxy").as_uri())
    monkeypatch.setenv("GONOSUMDB", "example.com")
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    monkeypatch.setenv("GOFLAGS", "-modcacherw -mod=mod")
    return Lamp(tmp_path)


def shown(outcome: Outcome, root: Path) -> str:
    """What the packaged program says."""
    (entry,) = outcome.core.entries
    assert entry.content is not None
    (program := root / "program").write_bytes(entry.content.read())
    program.chmod(0o755)
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout


def test_a_folder_that_go_mod_puts_in_the_place_of_a_module_is_built_in(lamp: Lamp) -> None:
    lamp.require("example.com/lib v1.0.0", "replace (", "\texample.com/lib => ../lib // ours", ")")
    lamp.library("lib", "example.com/lib", "a folder")
    outcome = lamp.build()
    own = subprocess.run(["go", "run", "."], cwd=lamp.root / "server", capture_output=True, text=True, check=True)
    assert shown(outcome, lamp.root) == own.stdout == "a folder\n"
    # Authors elsewhere get it too.
    assert any(name.startswith("proxy/example.com/lib/@v/v1.999999.0-0.h") for name in outcome.authors)
    lamp.library("lib", "example.com/lib", "a changed one")
    assert shown(lamp.build(), lamp.root) == "a changed one\n"


def test_a_version_that_go_mod_puts_in_the_place_of_another_is_the_one(lamp: Lamp) -> None:
    lamp.require("example.com/lib v1.0.0", "replace example.com/lib => example.com/lib v1.1.0")
    assert '"example.com/lib" = "v1.1.0 h1:' in lamp.lock()
    lamp.require("example.com/lib v1.1.0", "replace example.com/lib => example.com/lib v1.0.0")
    with pytest.raises(BuildError, match=r"server/go\.mod:5: example.com/lib is wanted at v1.0.0, but the others need"):
        lamp.lock()


def test_the_project_file_requires_versions_and_folders_too(lamp: Lamp) -> None:
    lamp.write("mkpkgs.toml", PROJECT.replace('"./server"', '"./server"\nrequire = ["example.com/lib@v1.1.0"]'))
    assert '"example.com/lib" = "v1.1.0 h1:' in lamp.lock()
    lamp.require("example.com/lib v1.1.0")
    lamp.write("mkpkgs.toml", PROJECT.replace('"./server"', '"./server"\nrequire = ["example.com/lib@v1.0.0"]'))
    assert '"example.com/lib" = "v1.1.0 h1:' in lamp.lock()
    lamp.library("lib", "example.com/lib", "a folder")
    lamp.write("mkpkgs.toml", PROJECT.replace('"./server"', '"./server"\nrequire = ["./lib"]'))
    assert '"example.com/lib" = "v1.999999.0-0.h' in lamp.lock()


def test_what_has_no_equal_is_refused_by_its_line(lamp: Lamp, tmp_path: Path) -> None:
    lamp.library("other", "example.com/other", "")
    lamp.require(
        "example.com/lib v1.0.0",
        "replace example.com/lib => example.com/fork v1.0.0",
        "replace example.com/lib v1.0.0 => ../lib",
        "replace example.com/seven => ../nothing",
        "replace example.com/eight => ../other",
        "godebug panicnil=1",
    )
    found = lamp.problems()
    assert [problem.partition(": ")[0] for problem in found] == [f"server/go.mod:{line}" for line in range(5, 10)]
    for problem, said in zip(
        found,
        (
            "the same module; fetch example.com/fork into a folder of the project and write example.com/lib => that",
            "replaces example.com/lib v1.0.0 by ../lib, one version alone; write it without the version",
            "replaces example.com/seven by ../nothing: server/../nothing: there is no such folder",
            "replaces example.com/eight by ../other, whose go.mod is of example.com/other; write module",
            "godebug panicnil=1 has no effect in a dependency, which the core is; write //go:debug panicnil=1 above",
        ),
        strict=True,
    ):
        assert said in problem
    beside = f"{tmp_path.name}-lib"
    lamp.library(f"../{beside}", "example.com/lib", "")
    for folder in (str(tmp_path.parent / beside), f"../../{beside}"):
        lamp.require("example.com/lib v1.0.0", "", f"replace example.com/lib => {folder}")
        (problem,) = lamp.problems()
        assert problem.startswith(f"server/go.mod:6: {folder!r} leads out of the project; copy it into the project, or")
    lamp.library(".mkpkgs/lib", "example.com/lib", "")
    lamp.require("example.com/lib v1.0.0", "replace example.com/lib => ../.mkpkgs/lib")
    assert [problem.partition(" is ")[0] for problem in lamp.problems()] == ["server/go.mod:5: '../.mkpkgs/lib'"]


def test_a_module_of_two_lines_is_refused_with_both(lamp: Lamp) -> None:
    lamp.library("lib", "example.com/lib", "a folder")
    lamp.library("other", "example.com/lib", "another folder")
    lamp.require("example.com/lib v1.0.0", "replace example.com/lib => ../lib")
    for required, words in (
        ("example.com/lib@v1.1.0", "server/go.mod:5 replaces it by something else"),
        ("./other", "server/go.mod:5 replaces it by something else"),
        ("example.com/lamp@v1.0.0", "the server itself"),
    ):
        lamp.write("mkpkgs.toml", PROJECT.replace('"./server"', f'"./server"\nrequire = [\n    "{required}",\n]'))
        (problem,) = lamp.problems()
        assert problem.startswith(f"mkpkgs.toml:14: core.go-link.require[0]: '{required}' is example.com/l")
        assert words in problem
    # The same folder, however it is written.
    lamp.write("mkpkgs.toml", PROJECT.replace('"./server"', '"./server"\nrequire = ["./server/../lib"]'))
    assert '"example.com/lib" = "v1.999999.0-0.h' in lamp.lock()
    lamp.require("example.com/lib v1.0.0")
    twice = '"./server"\nrequire = ["example.com/lib@v1.0.0", "example.com/lib@v1.1.0"]'
    lamp.write("mkpkgs.toml", PROJECT.replace('"./server"', twice))
    (problem,) = lamp.problems()
    assert "require[1]: 'example.com/lib@v1.1.0' is example.com/lib, and core.go-link.require[0] requires it" in problem


def test_two_replacements_of_one_module_are_refused_as_by_go_build(lamp: Lamp) -> None:
    lamp.write("mkpkgs.toml", PROJECT)
    for folder in ("lib", "other"):
        lamp.library(folder, "example.com/lib", folder)
    for second, refused in (("../other", True), ("../lib", False)):
        rows = ("replace example.com/lib => ../lib", f"replace example.com/lib => {second}")
        lamp.require("example.com/lib v1.0.0", *rows)
        done = subprocess.run(["go", "build", "."], cwd=lamp.root / "server", capture_output=True, text=True)
        assert ("conflicting replacements for example.com/lib" in done.stderr) == refused
        if refused:
            (problem,) = lamp.problems()
            assert problem.startswith(
                "server/go.mod:6: replaces example.com/lib, and server/go.mod:5 does so otherwise"
            )
        else:
            lamp.build()


def test_what_go_build_cannot_read_is_refused_by_its_line(lamp: Lamp) -> None:
    """The go command itself reads go.mod of a dependency laxly."""
    wrong = ["replace foo", "blargh foo", "replace example.com/lib => ../a b c", "require (", "example.com/x", ")"]
    lamp.require("example.com/lib v1.0.0", *wrong)
    done = subprocess.run(["go", "mod", "edit", "-json"], cwd=lamp.root / "server", capture_output=True, text=True)
    said = [problem.partition(": ")[0] for problem in lamp.problems()]
    assert said == [f"server/go.mod:{line}" for line in (5, 6, 7, 9)]
    assert set(re.findall(r"go\.mod:([0-9]+)", done.stderr)) == {"5", "6", "7", "9"}
    right = [
        "retract [v0.1.0, v0.2.0]",
        "retract v0.3.0 // why",
        "toolchain go1.21.0",
        "tool (",
        "\texample.com/lib/x",
        ")",
    ]
    lamp.require("example.com/lib v1.0.0 // indirect", *right)
    subprocess.run(["go", "mod", "edit", "-json"], cwd=lamp.root / "server", check=True, capture_output=True)
    load(lamp.root / "mkpkgs.toml")


def test_a_replace_that_a_plugin_cannot_have_is_told(lamp: Lamp) -> None:
    lamp.library("more", "example.com/more", "more")
    rows = ("example.com/lib => ../lib", "example.com/lamp => ../server")
    lamp.write(
        "more/go.mod", "\n".join(["module example.com/more", "", "go 1.21", *(f"replace {row}" for row in rows), ""])
    )
    plugin = '[plugin.more]\nsummary = "More"\ngo-link = { module = "./more" }\n'
    lamp.write("mkpkgs.toml", PROJECT.replace("[repository]", f"{plugin}[repository]"))
    ears = Ears()
    Driver().lock(load(lamp.root / "mkpkgs.toml"), None, lamp.root / ".mkpkgs", ears)
    (warning,) = ears.warnings
    assert warning.endswith(
        "more/go.mod:4: replace of example.com/lib has no effect in a plugin: if the server is to have it, "
        "name the version or folder in `require` of the core"
    )


def test_an_excluded_version_that_would_be_taken_is_refused(lamp: Lamp) -> None:
    lamp.require("example.com/lib v1.0.0", "exclude example.com/lib v1.1.0")
    assert '"example.com/lib" = "v1.0.0 h1:' in lamp.lock()
    lamp.write("mkpkgs.toml", PROJECT.replace('"./server"', '"./server"\nrequire = ["example.com/lib@v1.1.0"]'))
    with pytest.raises(BuildError, match=r"^server/go\.mod:5: example.com/lib v1.1.0 is excluded, and the core"):
        lamp.lock()


def test_a_requirement_that_go_mod_lacks_is_told_as_go_build_tells_it(lamp: Lamp) -> None:
    lamp.write("server/go.mod", "module example.com/lamp\n\ngo 1.21\n")
    with pytest.raises(BuildError) as raised:
        lamp.lock()
    main = lamp.root / "server/main.go"
    assert raised.value.message == (
        f"{main}:6: example.com/lib is imported, and no go.mod requires its module example.com/lib"
    )
    assert raised.value.hint == f"run `go mod tidy` in {main.parent}, or require example.com/lib v1.1.0"
    # As said; and where no proxy has it.
    subprocess.run(["go", "mod", "tidy"], cwd=main.parent, check=True, capture_output=True)
    lamp.lock()
    lamp.write("server/go.mod", "module example.com/lamp\n\ngo 1.21\n")
    lamp.write("server/main.go", MAIN.replace("example.com/lib", "example.com/none"))
    with pytest.raises(BuildError, match=r"core: example\.com/lamp imports example\.com/none, and no module"):
        lamp.lock()


def test_a_library_with_a_go_mod_that_lacks_one_is_told_of(lamp: Lamp) -> None:
    lamp.library("sources/x", "example.com/x", "x")
    lamp.write("sources/x/lib.go", 'package lib\n\nimport lib "example.com/lib"\n\nconst Says = lib.Says\n')
    localmodule.publish(replace(localmodule.scan(lamp.root / "sources/x", ""), version="v1.0.0"), lamp.root / "proxy")
    lamp.require("example.com/x v1.0.0")
    lamp.write("server/main.go", MAIN.replace("example.com/lib", "example.com/x"))
    ears = Ears()
    Driver().lock(load(lamp.root / "mkpkgs.toml"), None, lamp.root / ".mkpkgs", ears)
    (warning,) = ears.warnings
    assert warning.startswith("example.com/x/lib.go:3: example.com/lib is imported, and no go.mod requires its module")
    assert warning.endswith("its newest version v1.1.0 is taken")


def test_a_file_with_cgo_that_the_core_would_lose_is_refused_by_its_line(lamp: Lamp) -> None:
    lamp.write("server/more/more.go", 'package more\n\nvar Name = "plain"\n')
    lamp.write("server/more/c.go", 'package more\n\nimport "C"\n\nfunc init() { Name = "C" }\n')
    lamp.write("server/main.go", MAIN.replace('"example.com/lib"', '"example.com/lib"\n\t_ "example.com/lamp/more"'))
    with pytest.raises(BuildError, match=r"server/more/c\.go:3: .*cgo"):
        lamp.lock()
    # Who says so in the file means it to be left out.
    lamp.write("server/more/c.go", '//go:build cgo\n\npackage more\n\nimport "C"\n\nfunc init() { Name = "C" }\n')
    lamp.lock()


def test_a_package_of_the_core_that_is_nothing_without_cgo_is_refused_by_its_line(lamp: Lamp) -> None:
    """As in the main package: before anything is compiled, wherever main imports it from."""
    lamp.write("server/more/c.go", 'package more\n\n// int one(void);\nimport "C"\n\nvar Name = "C"\n')
    lamp.write("server/main.go", MAIN.replace('"example.com/lib"', '"example.com/lib"\n\t_ "example.com/lamp/deep"'))
    lamp.write("server/deep/deep.go", 'package deep\n\nimport _ "example.com/lamp/more"\n')
    with pytest.raises(BuildError) as raised:
        lamp.lock()
    assert raised.value.message == (
        f"{lamp.root}/server/more/c.go:4: needs cgo, but programs that are linked on the target are pure Go"
    )
    assert "go-plugin" in raised.value.hint
    # With a constraint it is no package at all, and go build says the same.
    lamp.write("server/more/c.go", '//go:build cgo\n\npackage more\n\nimport "C"\n\nvar Name = "C"\n')
    with pytest.raises(BuildError, match=r"server/more/c\.go:5: needs cgo"):
        lamp.lock()
    own = {**os.environ, "CGO_ENABLED": "0"}
    done = subprocess.run(["go", "build", "."], cwd=lamp.root / "server", capture_output=True, text=True, env=own)
    assert "build constraints exclude all Go files" in done.stderr
    # A library's, by its import path.
    lamp.write("server/main.go", MAIN.replace('"example.com/lib"', '"example.com/lib"\n\t_ "example.com/c"'))
    lamp.write("sources/c/go.mod", "module example.com/c\n\ngo 1.21\n")
    lamp.write("sources/c/c.go", 'package c\n\nimport "C"\n')
    localmodule.publish(replace(localmodule.scan(lamp.root / "sources/c", ""), version="v1.0.0"), lamp.root / "proxy")
    lamp.require("example.com/lib v1.0.0", "require example.com/c v1.0.0")
    with pytest.raises(BuildError, match=r"^example\.com/c/c\.go:3: needs cgo"):
        lamp.lock()


def test_a_plugin_of_a_folder_that_stands_for_a_module_of_the_core_is_of_that(lamp: Lamp) -> None:
    lamp.library("lib", "example.com/lib", "a folder")
    lamp.write("lib/more/more.go", "package more\n")
    lamp.require("example.com/lib v1.0.0", "replace example.com/lib => ../lib")
    plugin = '[plugin.more]\nsummary = "More"\ngo-link = { module = "./lib", packages = ["example.com/lib/more"] }\n'
    lamp.write("mkpkgs.toml", PROJECT.replace("[repository]", f"{plugin}[repository]"))
    assert '"example.com/lib" = "v1.999999.0-0.h' in (text := lamp.lock())
    assert "unresolved" not in text


@pytest.mark.parametrize("version", ["v1.2.3", "v0.0.0"])
def test_a_plugin_that_requires_a_version_of_its_server_gets_the_folder_as_by_go_build(
    lamp: Lamp, version: str
) -> None:
    """Go heeds no version of the module that it builds. Nobody has published one."""
    lamp.write("server/says/says.go", 'package says\n\nvar Word = "the folder"\n')
    lamp.write(
        "server/main.go",
        MAIN.replace("lib.Says", "lib.Says, says.Word").replace(
            '"example.com/lib"', '"example.com/lib"\n\t"example.com/lamp/says"'
        ),
    )
    lamp.write("more/go.mod", f"module example.com/more\n\ngo 1.21\n\nrequire example.com/lamp {version} // ours\n")
    lamp.write("more/more.go", 'package more\n\nimport "example.com/lamp/says"\n\nfunc init() { says.Word = "more" }\n')
    plugin = '[plugin.more]\nsummary = "More"\ngo-link = { module = "./more" }\n'
    lamp.write("mkpkgs.toml", PROJECT.replace("[repository]", f"{plugin}[repository]"))
    ears = Ears()
    lock = Driver().lock(load(lamp.root / "mkpkgs.toml"), None, lamp.root / ".mkpkgs", ears)
    assert "unresolved" not in lock.text
    newer = f"{lamp.root}/more/go.mod:5: example.com/lamp v1.2.3 is required, and {lamp.root}/server stands for it"
    assert ears.warnings == ([f"{newer}, whatever its version"] if version == "v1.2.3" else [])
    outcome = lamp.build()
    assert (sorted(outcome.plugins), outcome.failures) == (["more"], ())
    assert shown(outcome, lamp.root) == "v1.0.0 the folder\n"
    # What the go command makes of the same in the server's module.
    lamp.write("server/plugins.go", 'package main\n\nimport _ "example.com/more"\n')
    lamp.require("example.com/lib v1.0.0", "require example.com/more v0.0.0", "replace example.com/more => ../more")
    own = subprocess.run(["go", "run", "."], cwd=lamp.root / "server", capture_output=True, text=True, check=True)
    assert own.stdout == "v1.0.0 more\n"


def test_a_folder_stands_for_a_version_that_nobody_published(lamp: Lamp) -> None:
    """Many write v0.0.0 where a folder stands for the module."""
    lamp.require("example.com/own v0.0.0", "replace example.com/own => ../lib")
    lamp.library("lib", "example.com/own", "a folder")
    lamp.write("server/main.go", MAIN.replace("example.com/lib", "example.com/own"))
    own = subprocess.run(["go", "run", "."], cwd=lamp.root / "server", capture_output=True, text=True, check=True)
    assert shown(lamp.build(), lamp.root) == own.stdout == "a folder\n"
