"""The driver go-plugin on a tiny server that really opens its plugins; judges: the go command, readelf, the server."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from packaging_tool import targets
from packaging_tool.drivers.base import Lock, Outcome
from packaging_tool.drivers.go_plugin import Driver
from packaging_tool.elf import libraries
from packaging_tool.errors import BuildError, CommandError, ProjectError
from packaging_tool.golang import pieces
from packaging_tool.listener import Silent
from packaging_tool.package.manifest import File, Manifest
from packaging_tool.package.templates import render
from packaging_tool.project.loader import load
from packaging_tool.signing import signify
from tests.drivers.sample import Sample
from tests.vectors import make

SAMPLE = Path(__file__).parent.parent / "samples" / "tiny-loader"
MANIFESTS = make.FOLDER.parent / "manifest"

pytestmark = pytest.mark.skipif(
    shutil.which("go") is None or shutil.which("gcc") is None, reason="go-plugin needs go and gcc"
)


class Bench(Sample):
    def build(self) -> tuple[Outcome, Lock]:
        lock = Driver().lock(self.project, None, self.workdir, Silent())
        return Driver().build(self.project, lock, "amd64", self.workdir, Silent())


class Installed:
    """What apply lays down, but below a folder of its own: the trial program of the build looks there."""

    def __init__(self, bench: Bench, outcome: Outcome) -> None:
        self.trial = bench.workdir / "amd64/trial"
        self.plugins = self.trial / "plugins"
        self.abi = outcome.abi
        self.key = signify.generate("ed25519")
        self.outcome = outcome
        self.lay_down()

    def lay_down(self) -> None:
        shutil.rmtree(self.plugins, ignore_errors=True)
        shutil.rmtree(self.trial / "share/keys")
        (self.trial / "share/keys").mkdir()
        self.trust(self.key.public)
        for name, payload in self.outcome.plugins.items():
            (self.plugins / name).mkdir(parents=True)
            for entry in payload.entries:
                assert entry.content is not None
                (self.plugins / name / Path(entry.path).name).write_bytes(entry.content.read())
            self.vouch(self.manifest(name))

    def trust(self, key: signify.PublicKey) -> None:
        (self.trial / "share/keys/maker.pub").write_bytes(key.render("maker"))

    def manifest(self, name: str, **other: object) -> Manifest:
        files = sorted((self.plugins / name).iterdir())
        made = Manifest(
            core="host",
            abi=self.abi,
            plugin=name,
            package=f"host-plugin-{name}",
            version="1-1",
            order=sorted(self.outcome.plugins).index(name),
            needs=("bell",) if name == "echo" else (),
            optional=name == "shout",
            files=tuple(File(hashlib.sha256(file.read_bytes()).hexdigest(), file.name) for file in files),
        )
        return replace(made, **other)  # type: ignore[arg-type]  # the names are those of the fields

    def put(self, name: str, data: bytes) -> None:
        """Another shared object, as if the build had made it."""
        object_ = self.plugins / name / f"{name}.so"
        object_.write_bytes(data)
        pieces.write(object_)
        self.vouch(self.manifest(name))

    def vouch(self, manifest: Manifest, key: signify.SecretKey | None = None) -> None:
        text = manifest.render()
        (self.plugins / f"{manifest.plugin}.manifest").write_bytes(text)
        (self.plugins / f"{manifest.plugin}.manifest.sig").write_bytes((key or self.key).sign(text, "test"))

    def start(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        argv: list[str | Path] = [
            self.trial / "host",
            *([] if env else ["--pluginsdir", str(self.plugins)]),
            *arguments,
        ]
        return subprocess.run(argv, env=env or {}, capture_output=True, text=True, check=False, timeout=60)

    def refusal(self) -> str:
        """What the server says when it does not start."""
        done = self.start()
        assert done.returncode == 1
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        assert lines[-1] == "host: does not start without a plugin that is installed"
        assert all(line.startswith("  repair: ") for line in lines[1:-1:2])
        return lines[0]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Outcome, Lock]]:
    """The unchanged sample, built."""
    # The linker is told of a file below it.
    root = tmp_path_factory.mktemp("whole") / "a folder, with spaces"
    shutil.copytree(SAMPLE, root / "project")
    bench = Bench(root / "project", root / "work")
    outcome, lock = bench.build()
    assert not outcome.failures
    yield bench, outcome, lock


@pytest.fixture
def bench(tmp_path: Path, whole: tuple[Bench, Outcome, Lock]) -> Bench:
    shutil.copytree(SAMPLE, tmp_path / "project")
    return Bench(tmp_path / "project", tmp_path / "work")


@pytest.fixture
def installed(whole: tuple[Bench, Outcome, Lock]) -> Installed:
    return Installed(whole[0], whole[1])


def test_server_opens_every_plugin_before_its_main_begins(installed: Installed) -> None:
    done = installed.start()
    assert done.stdout.splitlines() == ["bell ding", "echo dingding", "greet", "shout"]
    assert done.stderr == ""


def test_server_without_plugins_is_upstreams(installed: Installed) -> None:
    done = subprocess.run([installed.trial / "host"], env={}, capture_output=True, text=True, check=True)
    assert done.stdout == "greet\n"
    assert done.stderr == ""


def test_directory_is_an_argument_that_the_server_never_sees_or_a_variable(installed: Installed) -> None:
    assert installed.start("arguments", "a", "b").stdout == "[a b]\n"
    joined: list[str | Path] = [installed.trial / "host", "arguments", "a", f"--pluginsdir={installed.plugins}"]
    assert subprocess.run(joined, env={}, capture_output=True, text=True).stdout == "[a]\n"
    kept: list[str | Path] = [installed.trial / "host", "arguments", "--", "--pluginsdir", "x"]
    assert subprocess.run(kept, env={}, capture_output=True, text=True).stdout == "[-- --pluginsdir x]\n"
    assert "bell ding" in installed.start(env={"HOST_PLUGINSDIR": str(installed.plugins)}).stdout


def test_garbage_collector_runs_as_the_administrator_said_once_plugins_are_open(installed: Installed) -> None:
    assert installed.start("collector").stdout == "100\n"
    env = {"GOGC": "50", "HOST_PLUGINSDIR": str(installed.plugins)}
    assert installed.start("collector", env=env).stdout == "50\n"


@pytest.mark.parametrize("trust", ["signature", "distribution"])
def test_set_that_apply_made_has_its_own_manifests(installed: Installed, trust: str) -> None:
    trial = installed.trial
    (trial / "manifests").mkdir()
    try:
        for path in installed.plugins.glob("*.manifest*"):
            if trust == "signature" or path.suffix == ".manifest":
                path.rename(trial / "manifests" / path.name)
            else:
                path.unlink()
        installed.plugins.rename(trial / "none")
        (trial / "share/trust").write_text(f"{trust}\n")
        done = subprocess.run([trial / "host"], env={}, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines() == ["bell ding", "echo dingding", "greet", "shout"]
        (trial / "none/bell/bell.so").write_bytes(b"")
        done = subprocess.run([trial / "host"], env={}, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "bell.so: is not what the manifest says" in done.stderr
    finally:
        (trial / "share/trust").write_text("signature\n")
        for place in ("manifests", "none"):
            shutil.rmtree(trial / place, ignore_errors=True)


def test_plugin_that_apply_did_not_lay_down_is_missed_unless_it_is_disabled(installed: Installed) -> None:
    trial = installed.trial
    (trial / "share/plugins").mkdir()
    try:
        for path in installed.plugins.glob("bell.manifest*"):
            shutil.copyfile(path, trial / "share/plugins" / path.name)
        done = subprocess.run([trial / "host"], env={}, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "host: plugin bell: " in done.stderr
        (trial / "etc/plugins.d").mkdir(parents=True)
        (trial / "etc/plugins.d/disabled").write_text("bell\n")
        assert subprocess.run([trial / "host"], env={}, capture_output=True, text=True).stdout == "greet\n"
    finally:
        for place in ("share/plugins", "etc"):
            shutil.rmtree(trial / place, ignore_errors=True)


def test_directory_that_is_missing_is_refused(installed: Installed) -> None:
    shutil.rmtree(installed.plugins)
    assert f"{installed.plugins}: " in installed.refusal()


def test_tampered_shared_object_is_refused(installed: Installed) -> None:
    with (installed.plugins / "bell/bell.so").open("ab") as file:
        file.write(b"x")
    assert installed.refusal().endswith("/bell/bell.so: is not what the manifest says")
    # All that is wrong is said at once.
    (installed.plugins / "shout/shout.so").write_bytes(b"")
    assert "/shout/shout.so: is not what the manifest says" in installed.start().stderr


@pytest.fixture
def loud(tmp_path: Path) -> Path:
    """A shared object that says so as soon as the dynamic loader has it."""
    return shared_object(
        tmp_path / "loud.so", '__attribute__((constructor)) void run(void) { puts("ran"); fflush(0); }'
    )


def shared_object(path: Path, code: str) -> Path:
    head = "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <stdio.h>\n#include <string.h>\n#include <unistd.h>\n"
    source = path.with_suffix(".c")
    source.write_text(head + code)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", path, source], check=True)
    return path


def test_nothing_of_a_tampered_file_runs(installed: Installed, loud: Path) -> None:
    shutil.copyfile(loud, installed.plugins / "bell/bell.so")
    assert installed.refusal().endswith("/bell/bell.so: is not what the manifest says")
    # It would have been seen: this is what happens where a manifest vouches for it.
    installed.put("bell", loud.read_bytes())
    assert "ran\n" in installed.start().stdout


def large(installed: Installed) -> tuple[Path, bytes]:
    """A plugin of three pieces: the loader does not care what stands behind its own part of a file."""
    object_ = installed.plugins / "bell/bell.so"
    data = object_.read_bytes()
    data += bytes(range(251)) * ((2 * pieces.SIZE + 1000 - len(data)) // 251 + 1)
    installed.put("bell", data)
    assert installed.start().returncode == 0
    return object_, data


def test_every_byte_of_every_piece_counts(installed: Installed) -> None:
    object_, data = large(installed)
    assert 2 * pieces.SIZE < len(data) < 3 * pieces.SIZE
    first, second, third = (data[at : at + pieces.SIZE] for at in range(0, len(data), pieces.SIZE))
    other = bytes([second[0] ^ 1])
    for tampered in (
        bytes([first[0] ^ 1]) + data[1:],
        first[:-1] + bytes([first[-1] ^ 1]) + second + third,
        first + other + second[1:] + third,
        data[:-1] + bytes([data[-1] ^ 1]),
        data[:-1],
        data + b"x",
        first + second,
        first + third,
        second + first + third,
        data + third,
        b"",
    ):
        object_.write_bytes(tampered)
        assert installed.refusal().endswith("/bell/bell.so: is not what the manifest says")
    object_.write_bytes(data)
    assert installed.start().returncode == 0


def test_hashes_of_pieces_of_another_file_are_refused(installed: Installed) -> None:
    told = installed.plugins / "bell/bell.so.pieces"
    shutil.copyfile(installed.plugins / "echo/echo.so.pieces", told)
    assert installed.refusal().endswith("/bell/bell.so.pieces: is not what the manifest says")
    # A manifest may lie as well: its hash of the whole is right, and still nothing is opened.
    installed.vouch(installed.manifest("bell"))
    assert installed.refusal().endswith("/bell/bell.so: is not what the manifest says")
    told.unlink()
    installed.vouch(installed.manifest("bell"))
    assert installed.refusal().endswith("/bell.manifest: names no bell.so.pieces")


def test_packages_have_the_hashes_of_pieces_that_split_and_sha256sum_make(
    whole: tuple[Bench, Outcome, Lock], tmp_path: Path
) -> None:
    for name, payload in whole[1].plugins.items():
        object_, told = (entry.content for entry in payload.entries)
        assert object_ is not None and told is not None
        assert [Path(entry.path).name for entry in payload.entries] == [f"{name}.so", f"{name}.so.pieces"]
        command = ["split", "-b", str(pieces.SIZE), "--filter=sha256sum", "-"]
        done = subprocess.run(command, input=object_.read(), capture_output=True, check=True).stdout.decode()
        hashes = [line.split()[0] for line in done.splitlines()]
        assert told.read().decode().splitlines() == ["mkpkgs-pieces 1", f"size {len(object_.read())}", *hashes]


def test_file_that_is_replaced_after_it_was_hashed_does_not_run(
    installed: Installed, loud: Path, tmp_path: Path
) -> None:
    # All is hashed long before echo is opened; then, while bell is, another file takes the place of echo's.
    other = installed.plugins / "echo/echo.so"
    hook = shared_object(
        tmp_path / "hook.so",
        f"""void *dlopen(const char *path, int flags) {{
            void *(*real)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");
            if (path && strstr(path, "/bell.so")) {{ sleep(1); rename("{loud}", "{other}"); }}
            return real(path, flags);
        }}""",
    )
    env = {"LD_PRELOAD": str(hook), "HOST_PLUGINSDIR": str(installed.plugins)}
    done = installed.start(env=env)
    assert not loud.exists()
    assert done.returncode == 1
    assert done.stdout == ""
    assert "/echo/echo.so: is not what the manifest says" in done.stderr


def test_plugin_for_another_abi_is_refused(installed: Installed) -> None:
    installed.vouch(installed.manifest("bell", abi="0" * 64))
    assert f"is for the ABI {'0' * 12}, this host has {installed.abi[:12]}" in installed.refusal()


def test_plugin_of_another_core_is_refused(installed: Installed) -> None:
    installed.vouch(installed.manifest("bell", core="other"))
    assert "is for the core other" in installed.refusal()


def test_manifest_of_another_plugin_is_refused(installed: Installed) -> None:
    for end in (".manifest", ".manifest.sig"):
        shutil.copyfile(installed.plugins / f"bell{end}", installed.plugins / f"echo{end}")
    assert "is not of the plugin echo" in installed.refusal()


def test_unsigned_plugin_is_refused(installed: Installed) -> None:
    (installed.plugins / "bell.manifest.sig").unlink()
    assert "bell.manifest.sig: is missing" in installed.refusal()


def test_unknown_and_expired_keys_are_refused(installed: Installed) -> None:
    other = signify.generate("ecdsa-p256")
    installed.vouch(installed.manifest("bell"), other)
    assert f"is of the unknown key {other.public.id.hex()}" in installed.refusal()
    installed.lay_down()
    text = installed.key.public.render("maker, expires 2001-01-01")
    (installed.trial / "share/keys/maker.pub").write_bytes(text)
    assert "which expired on 2001-01-01" in installed.refusal()


def test_server_starts_without_plugins_of_a_revoked_key_and_what_needs_them(installed: Installed) -> None:
    """As apply would make the set. echo needs bell."""
    lost = signify.generate("ed25519")
    keys = installed.trial / "share/keys"
    (keys / "lost.pub").write_bytes(lost.public.render("lost"))
    installed.vouch(installed.manifest("bell"), lost)
    assert installed.start().returncode == 0
    (keys / "revoked").write_text(f"{lost.public.id.hex()}\n")
    done = installed.start()
    assert done.returncode == 0, done.stderr
    assert not {"bell ding", "echo dingding"} & set(done.stdout.splitlines())
    assert "plugin bell: " in done.stderr and "which is revoked" in done.stderr
    assert "  repair: host-plugins disable bell" in done.stderr
    assert "plugin echo: echo: needs the plugin bell, whose key is revoked" in done.stderr
    assert done.stderr.count("starts without the plugin") == 2
    # A changed plugin still stops it, and so does a good one that is missed.
    (installed.plugins / "shout.manifest").write_text(installed.manifest("shout", optional=False).render().decode())
    assert installed.start().returncode == 1


def test_directory_behind_a_link_is_the_one_that_was_looked_at(installed: Installed, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(installed.plugins)
    done = subprocess.run([installed.trial / "host", "--pluginsdir", link], env={}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (installed.plugins / "bell/bell.so").write_bytes(b"nonsense")
    done = subprocess.run([installed.trial / "host", "--pluginsdir", link], env={}, capture_output=True, text=True)
    assert f"plugin bell: {installed.plugins.resolve()}/bell/bell.so: " in done.stderr


def test_ecdsa_keys_count_and_those_of_the_administrator(installed: Installed) -> None:
    other = signify.generate("ecdsa-p256")
    installed.vouch(installed.manifest("bell"), other)
    keys = installed.trial / "etc/keys.d"
    keys.mkdir(parents=True)
    (keys / "own.pub").write_bytes(other.public.render("own"))
    try:
        assert installed.start().returncode == 0
    finally:
        shutil.rmtree(keys)


def test_file_that_no_manifest_names_is_refused(installed: Installed) -> None:
    (installed.plugins / "bell/more.so").write_bytes(b"")
    assert "/bell/more.so: is in no manifest" in installed.refusal()
    installed.lay_down()
    (installed.plugins / "stray").mkdir()
    assert "stray.manifest: is missing" in installed.refusal()


def test_plugin_whose_files_are_gone_is_missed(installed: Installed) -> None:
    shutil.rmtree(installed.plugins / "bell")
    assert installed.refusal().startswith("host: plugin bell: ")


def test_plugin_that_others_can_change_is_refused(installed: Installed) -> None:
    (installed.plugins / "bell/bell.so").chmod(0o666)
    assert "can be written by others than its owner" in installed.refusal()
    installed.lay_down()
    installed.plugins.chmod(0o777)
    assert "can be written by others than its owner" in installed.refusal()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_plugin_of_somebody_else_is_refused(installed: Installed) -> None:
    os.chown(installed.plugins / "bell/bell.so", 65534, 65534)
    assert "belongs neither to root nor to the user of this process" in installed.refusal()


def test_link_in_place_of_a_plugin_is_refused(installed: Installed) -> None:
    file = installed.plugins / "bell/bell.so"
    file.rename(installed.trial / "elsewhere.so")
    file.symlink_to(installed.trial / "elsewhere.so")
    assert "is neither a file nor a directory" in installed.refusal()


def test_plugin_that_is_needed_is_missed(installed: Installed) -> None:
    for path in ("bell.manifest", "bell.manifest.sig"):
        (installed.plugins / path).unlink()
    shutil.rmtree(installed.plugins / "bell")
    assert "needs the plugin bell, which is not there or refused" in installed.refusal()


def test_server_starts_without_an_optional_plugin_that_is_refused(installed: Installed) -> None:
    (installed.plugins / "shout/shout.so").write_bytes(b"nonsense")
    done = installed.start()
    assert done.stdout.splitlines() == ["bell ding", "echo dingding", "greet"]
    assert "plugin shout: " in done.stderr and "starts without the optional plugin shout" in done.stderr


def test_optional_is_what_a_trusted_manifest_says(installed: Installed) -> None:
    file = installed.plugins / "bell.manifest"
    file.write_text(file.read_text().replace("order 0\n", "order 0\noptional\n"))
    assert "does not fit: the manifest was changed" in installed.refusal()


def test_trust_in_the_distribution_ends_outside_of_its_directory(installed: Installed) -> None:
    trust = installed.trial / "share/trust"
    trust.write_text("distribution\n")
    try:
        assert "plugins from there need signatures" in installed.refusal()
    finally:
        trust.write_text("signature\n")


def test_gos_own_check_is_told_if_a_manifest_vouches_for_another_build(installed: Installed, bench: Bench) -> None:
    bench.edit("server/registry/registry.go", "func Add(name string)", "func Add(name string, _ ...int)")
    content = bench.build()[0].plugins["bell"].entries[0].content
    assert content is not None
    installed.put("bell", content.read())
    assert re.search(r"plugin was built with a different version of package example.com/", installed.refusal())


def test_another_body_of_a_function_is_another_abi(whole: tuple[Bench, Outcome, Lock], bench: Bench) -> None:
    # Go's own check does not see it.
    bench.edit("server/registry/registry.go", "sort.Strings(names)\n", 'sort.Strings(names)\n\tprintln("x")\n')
    assert bench.build()[0].abi != whole[1].abi


def test_abi_covers_what_opens_the_plugins(
    whole: tuple[Bench, Outcome, Lock], bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    archives = tomllib.loads(whole[2].text)["go-plugin"]["built"]["amd64"]["archives"]
    assert {"mkpkgs/host/opener", "plugin", "crypto/ed25519", "runtime/cgo"} <= archives.keys()

    def another(name: str, **variables: object) -> str:
        text = render(name, **variables)
        return text.replace("starts without the", "begins without the")

    monkeypatch.setattr("packaging_tool.golang.plugin.render", another)
    assert bench.build()[0].abi != whole[1].abi


def test_changed_plugin_does_not_change_the_abi(whole: tuple[Bench, Outcome, Lock], bench: Bench) -> None:
    (bench.root / "bell/sound.txt").write_text("dong\n")
    assert bench.build()[0].abi == whole[1].abi


def test_files_are_stripped_and_ask_for_no_more_than_the_relations_say(whole: tuple[Bench, Outcome, Lock]) -> None:
    for name, payload in {"core": whole[1].core, **whole[1].plugins}.items():
        content = payload.entries[0].content
        assert content is not None
        path = whole[0].workdir / "judged"
        path.write_bytes(content.read())
        said = subprocess.run(["readelf", "-V", "-S", "-W", path], capture_output=True, text=True, check=True).stdout
        asked = re.findall(r"GLIBC_(2\.[0-9.]+)", said)
        newest = max(asked, key=libraries.number)
        assert [str(item.version) for item in payload.depends["deb"][0]] == [newest], name  # type: ignore[union-attr]  # relations only
        assert payload.depends["rpm"][0][0].name == f"libc.so.6(GLIBC_{newest})(64bit)"
        assert ".symtab" not in said and ".debug_info" not in said


def test_loader_sees_types_and_data_but_no_functions_that_the_core_has(whole: tuple[Bench, Outcome, Lock]) -> None:
    seen: dict[str, dict[str, str]] = {}
    for name, payload in {"core": whole[1].core, "bell": whole[1].plugins["bell"]}.items():
        content = payload.entries[0].content
        assert content is not None
        path = whole[0].workdir / "judged"
        path.write_bytes(content.read())
        done = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True, check=True)
        seen[name] = {line.split(maxsplit=2)[2]: line.split(maxsplit=2)[1] for line in done.stdout.splitlines()}
        assert {"type:string", "runtime.sched", "example.com/host/registry.names", "crosscall2"} <= seen[name].keys()
        assert {"runtime.mallocgc", "example.com/host/registry.Add"}.isdisjoint(seen[name])
    assert [name for name, kind in seen["core"].items() if kind == "T" and "." in name] == []
    # What the plugin alone has is few.
    assert seen["bell"]["example.com/bell.Ring"] == "T"


def test_loader_looks_names_up_in_the_order_of_its_tables(whole: tuple[Bench, Outcome, Lock]) -> None:
    content = whole[1].plugins["bell"].entries[0].content
    assert content is not None
    path = whole[0].workdir / "judged"
    path.write_bytes(content.read())

    said = subprocess.run(["readelf", "-r", "-W", path], capture_output=True, check=True).stdout
    # Place, and the number of the symbol with the kind.
    asked = [int(found, 16) >> 32 for found in re.findall(rb"^[0-9a-f]{16}  ([0-9a-f]{16}) R_X86_64_64 ", said, re.M)]
    assert len(set(asked)) > 1000
    assert asked == sorted(asked)


def test_target_with_an_older_c_library_is_refused_with_a_symbol(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    old = {**targets.TARGETS, "debian12": replace(targets.TARGETS["debian12"], glibc="2.28")}
    monkeypatch.setattr(targets, "TARGETS", old)
    with pytest.raises(BuildError, match=r"needs GLIBC_2\.\d+ \(\w+@GLIBC_2\.\d+\), but debian12 has glibc 2\.28"):
        bench.build()


def test_assembler_that_cannot_be_in_a_plugin_is_told_with_the_tag(bench: Bench) -> None:
    # As in github.com/cespare/xxhash v1.1.0: R15 is used across a reference to data.
    (bench.root / "bell/sum_amd64.s").write_text(
        '#include "textflag.h"\n\nDATA ·seed(SB)/8, $1\nGLOBL ·seed(SB), RODATA, $8\n\n'
        "TEXT ·sum(SB), NOSPLIT, $0-8\n\tMOVQ $3, R15\n\tADDQ ·seed(SB), R15\n\tMOVQ R15, ret+0(FP)\n\tRET\n"
    )
    (bench.root / "bell/sum.go").write_text("package bell\n\nfunc sum() int\n\nvar Sum = sum()\n")
    outcome, _ = bench.build()
    assert sorted(outcome.plugins) == ["shout"]
    told = {failure.plugin: failure.message for failure in outcome.failures}
    assert "R15 is clobbered" in told["bell"] and 'write tags = ["purego"]' in told["bell"]


def test_plugin_that_does_not_compile_is_named_while_others_build(bench: Bench) -> None:
    bench.edit("bell/bell.go", "strings.TrimSpace(sound)", "strings.TrimSpace(loud)")
    outcome, _ = bench.build()
    assert sorted(outcome.plugins) == ["shout"]
    assert {failure.plugin for failure in outcome.failures} == {"bell", "echo"}


def test_plugin_that_breaks_the_start_is_found(bench: Bench) -> None:
    bench.edit("server/shout/shout.go", 'registry.Add("shout")', 'registry.Add("shout"); panic("too loud")')
    outcome, _ = bench.build()
    assert [failure.plugin for failure in outcome.failures] == ["shout"]
    assert "panic: too loud" in outcome.failures[0].message


def test_lines_of_main_are_refused(bench: Bench) -> None:
    bench.edit("mkpkgs.toml", 'go-plugin.module = "./bell"', 'go-plugin = { module = "./bell", lines = ["f()"] }')
    with pytest.raises(ProjectError) as refused:
        load(bench.root / "mkpkgs.toml")
    assert [(p.key, p.what) for p in refused.value.problems] == [
        ("plugin.bell.go-plugin.lines", "cannot be used: main is compiled before there are plugins")
    ]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judge")
    (folder / "opener").mkdir()
    (folder / "go.mod").write_text("module judge\n\ngo 1.21\n")
    (folder / "opener/verify.go").write_text(render("go-plugin/verify.go.j2"))
    shutil.copyfile(Path(__file__).with_name("go_plugin_vectors.go"), folder / "main.go")
    subprocess.run(["go", "vet", "./..."], cwd=folder, check=True)
    subprocess.run(["go", "build", "-o", "judge", "."], cwd=folder, check=True)
    return folder / "judge"


def verdicts(judge: Path, kind: str, cases: list[Path]) -> dict[str, str]:
    done = subprocess.run([judge, kind, *cases], capture_output=True, text=True, check=True).stdout
    return dict(line.split("\t") for line in done.splitlines())


def test_verifier_judges_manifests_as_all_readers_do(judge: Path) -> None:
    for folder in ("good", "bad"):
        cases = sorted((MANIFESTS / folder).iterdir())
        assert len(cases) > 5
        assert verdicts(judge, "manifest", cases) == {str(case): folder for case in cases}


def test_verifier_judges_signatures_as_all_readers_do(judge: Path) -> None:
    good = sorted((make.FOLDER / "good").iterdir())
    bad = sorted((make.FOLDER / "bad").iterdir())
    expected = {str(case): "good" for case in good}
    expected |= {str(case): (case / "reason").read_text().strip() for case in bad}
    for case in (*good, *bad):
        expected[str(case)] += "".join(f" {number}" for number in make.bad_lines_of(case))
    assert verdicts(judge, "signature", [*good, *bad]) == expected


def test_generated_go_is_formatted(whole: tuple[Bench, Outcome, Lock]) -> None:
    host = whole[0].workdir / "amd64/host"
    files = [host / "aa_mkpkgs.go", *host.glob("opener/*.go"), *host.glob("plugins/*/main.go")]
    root = subprocess.run(["go", "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip()
    done = subprocess.run([Path(root, "bin/gofmt"), "-l", *files], capture_output=True, text=True, check=True)
    assert done.stdout == ""


def test_compiler_that_is_missing_is_said_with_what_to_install(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    go = shutil.which("go")
    assert go is not None
    (bench.root / "bin").mkdir()
    (bench.root / "bin/go").symlink_to(go)
    monkeypatch.setenv("PATH", str(bench.root / "bin"))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(CommandError, match="gcc: not found") as missing:
        bench.build()
    assert "gcc and libc6-dev" in missing.value.hint


def test_lock_has_the_drivers_name(whole: tuple[Bench, Outcome, Lock]) -> None:
    assert list(tomllib.loads(whole[2].text)) == ["go-plugin"]
