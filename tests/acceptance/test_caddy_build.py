"""The Caddy example, built for real: the judges are `go build` and the programs themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import pytest

from packaging_tool.drivers.base import Lock, Outcome
from packaging_tool.drivers.go_link import Driver
from packaging_tool.golang.build import FLAGS
from packaging_tool.listener import Silent
from packaging_tool.project.loader import load
from tests.acceptance.caddy import Caddy
from tests.drivers.sample import emulate

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "caddy"
PLUGINS = ("acmeserver", "cors", "fastcgi", "files", "git", "l4", "requestbody", "tracing")
TAGS = "nobadger,nomysql,nopgx"
# What each plugin brings into `caddy list-modules`, as far as it is known by name.
BRINGS = {
    "acmeserver": "http.handlers.acme_server",
    "cors": "http.handlers.cors",
    "fastcgi": "http.reverse_proxy.transport.fastcgi",
    "files": "http.handlers.templates",
    "git": "git",
    "l4": "layer4.handlers.echo",
    "requestbody": "http.handlers.request_body",
    "tracing": "http.handlers.tracing",
}

pytestmark = pytest.mark.acceptance


@dataclass
class Built:
    """The example, built for some architectures below one folder."""

    root: Path
    workdir: Path
    outcomes: dict[str, Outcome]
    lock: Lock

    @property
    def locked(self) -> dict[str, Any]:
        found: dict[str, Any] = tomllib.loads(self.lock.text)["go-link"]
        return found

    def build(self, architecture: str) -> Self:
        """The same, and for one more architecture."""
        project = load(self.root / "mkpkgs.toml")
        outcome, lock = Driver().build(project, self.lock, architecture, self.workdir, Silent())
        assert outcome.failures == ()
        return replace(self, outcomes={**self.outcomes, architecture: outcome}, lock=lock)

    def link(self, architecture: str, *names: str, kit: Path | None = None) -> Path:
        """Run the assemble step as the target tool does."""
        folder = self.workdir / architecture
        scratch = self.workdir / "scratch"
        scratch.mkdir(exist_ok=True)
        script = self.workdir / "assemble"
        script.write_text(Driver().target(load(self.root / "mkpkgs.toml")).assemble)
        output = self.workdir / f"caddy-{architecture}"
        env = {
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C",
            "KIT": str(kit or folder / "kit"),
            "PLUGINS": str(folder / "plugins"),
            "TMPDIR": str(scratch),
        }
        subprocess.run(["dash", script, output, *names], env=env, check=True)
        return output


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    root = tmp_path_factory.mktemp("caddy")
    shutil.copytree(EXAMPLE, root / "project")
    work = root / "work"
    lock = Driver().lock(load(root / "project/mkpkgs.toml"), None, work, Silent())
    yield Built(root / "project", work, {}, lock).build("amd64")
    # Some GB, which pytest would keep for three runs.
    shutil.rmtree(root)


def modules(program: Path, *options: str) -> list[str]:
    done = subprocess.run([program, "list-modules", *options], capture_output=True, text=True, check=True)
    return done.stdout.split("\n")


def test_program_has_exactly_the_installed_plugins(built: Built) -> None:
    for names in ((), ("tracing",), ("cors", "git"), PLUGINS):
        listed = modules(built.link("amd64", *names))
        assert {name for name, module in BRINGS.items() if module in listed} == set(names)


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_linked_program_is_byte_for_byte_what_go_build_makes(built: Built, architecture: str, tmp_path: Path) -> None:
    if architecture not in built.outcomes:
        built = built.build(architecture)
    names = ("cors", "files", "l4")
    standard = "github.com/caddyserver/caddy/v2/modules/caddyhttp"
    files = [f"{standard}/fileserver", f"{standard}/templates"]
    packages = ["example.com/caddy-cors", *files, "github.com/mholt/caddy-l4"]
    imports = "".join(f'\t_ "{package}"\n' for package in packages)
    main = built.locked["main"]
    (tmp_path / "main.go").write_text(main["head"] + imports + main["mid"] + main["tail"])
    (tmp_path / "go.mod").write_text(built.locked["go-mod"])
    (tmp_path / "go.sum").write_text(built.locked["go-sum"])
    usual = subprocess.run(["go", "env", "GOPROXY"], capture_output=True, text=True, check=True).stdout.strip()
    proxy = f"{(built.workdir / 'proxy').as_uri()},{usual}"
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOARCH": architecture, "GOPROXY": proxy}
    env["GONOSUMDB"] = "example.com"
    argv = ["go", "build", *FLAGS, f"-tags={TAGS}", "-ldflags=-s -w -buildid=", "-o", "judge", "."]
    subprocess.run(argv, cwd=tmp_path, env=env, check=True)
    kit = built.workdir / architecture / "kit"
    if architecture != "amd64":
        kit = shutil.copytree(kit, built.root / f"kit-{architecture}", copy_function=os.link)
        emulate(kit)
    linked = built.link(architecture, *names, kit=kit)
    assert linked.read_bytes() == (tmp_path / "judge").read_bytes()


def test_versions_of_plugins_are_shown_by_caddy_and_by_go(built: Built) -> None:
    program = built.link("amd64", *PLUGINS)
    versions = {module.path: module for name in PLUGINS for module in built.outcomes["amd64"].plugins[name].modules}
    listed = modules(program, "--versions")
    assert "layer4.handlers.echo v0.1.2" in listed
    assert f"http.handlers.cors {versions['example.com/caddy-cors'].version}" in listed
    shown = subprocess.run(["go", "version", "-m", program], capture_output=True, text=True, check=True).stdout
    for path in ("example.com/caddy-git", "example.com/caddy-cors", "github.com/mholt/caddy-l4"):
        assert f"\tdep\t{path}\t{versions[path].version}\t{versions[path].sum}\n" in shown
    version = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout
    assert version.startswith("v2.11.9 h1:")


def test_licenses_of_all_modules_are_known(built: Built) -> None:
    for outcome in built.outcomes.values():
        for payload in (outcome.core, *outcome.plugins.values()):
            assert [module.path for module in payload.modules if not module.license] == []


def test_no_path_of_this_machine_is_in_the_program(built: Built) -> None:
    content = built.link("amd64", *PLUGINS).read_bytes()
    for path in (built.root, built.workdir, Path.home() / "go", EXAMPLE):
        assert str(path).encode() not in content


def test_another_checkout_gives_the_same_lock_and_the_same_bytes(built: Built, caddy: Caddy) -> None:
    # It was built by the command line, upgraded from another version, below another folder.
    root = caddy.newer.parent
    again = replace(built, root=root, workdir=root / ".mkpkgs/go-link")
    locked = tomllib.loads((root / "mkpkgs.lock").read_text())["go-link"]
    assert locked["go-mod"] == built.locked["go-mod"]
    assert locked["built"]["amd64"]["abi"] == built.outcomes["amd64"].abi
    assert again.link("amd64", *PLUGINS).read_bytes() == built.link("amd64", *PLUGINS).read_bytes()


def test_core_of_the_version_before_has_all_plugins(built: Built, caddy: Caddy, tmp_path: Path) -> None:
    for package in caddy.older.rglob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, tmp_path], check=True)
    (tmp_path / "amd64").symlink_to(tmp_path / "usr/lib/caddy")
    abi = (tmp_path / "usr/share/caddy/abi").read_text().split()[0]
    assert len(abi) == 64 and abi != built.outcomes["amd64"].abi
    program = replace(built, workdir=tmp_path).link("amd64", *PLUGINS)
    assert set(BRINGS.values()) <= set(modules(program))
    version = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout
    assert version.startswith("v2.11.8 h1:")


@pytest.mark.parametrize("name", ["cors", "git"])
def test_plugins_of_the_example_pass_their_own_tests(name: str, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE / name, tmp_path / name)
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": ""}
    # With the flags of the build, Go has compiled all of Caddy already; go test would vet once more.
    for command in (["go", "vet"], ["go", "test", "-count=1", "-vet=off"]):
        subprocess.run([*command, *FLAGS, f"-tags={TAGS}", "."], cwd=tmp_path / name, env=env, check=True)
    # It names what it changes, and finds a gofmt that is not in PATH.
    done = subprocess.run(["go", "fmt", "."], cwd=tmp_path / name, capture_output=True, text=True, check=True)
    assert done.stdout == ""
