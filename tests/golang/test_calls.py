"""What the go command gets and finds, in each call of a run: a program in its place looks, and then calls it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from packaging_tool import confine
from packaging_tool.golang import calls
from packaging_tool.golang.toolchain import Toolchain
from tests.authors.world import author
from tests.test_confine import path_without
from tests.tiers import at_night
from tests.workspace import Workspace

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="no go here")

SAMPLE = Path(__file__).parent.parent / "samples/go-host"
# What each call saw is a file in GOCACHE, the only place that most of them may write to.
LOOKS = r"""#!/bin/sh
case $1 in env) exec {go} "$@" ;; esac
found=$GOCACHE/{looked}
mkdir -p "$found"
{{
    echo "call $*"
    env | sed 's/=.*//; s/^/variable /'
    ls -A {home} 2>/dev/null | sed 's/^/home /'
    cat {keys}/*.key 2>/dev/null | sed 's/^/key /'
    if ( : </dev/tty ) 2>/dev/null; then echo terminal; fi
    if [ "$(ls /sys/class/net)" != lo ] && ! grep -q : /proc/net/route; then
        [ "$(wc -l </proc/net/route)" = 1 ] || echo network
    fi
}} >"$found/$$-$(date +%N)"
exec {go} "$@"
"""
ALLOWED = {"PATH", "HOME", "LC_ALL", "NETRC", "PWD", "SHLVL", "_", "XDG_CACHE_HOME", *confine.PROXIES}
ALLOWED |= {*confine.CERTIFICATES}


class Looks:
    """A go command that looks, in a home directory with things that it has no business with."""

    def __init__(self, place: Path, patch: pytest.MonkeyPatch, path: str) -> None:
        self.home, self.keys = place / "home", place / "keys"
        # The machine's own cache: all that is compiled anew would take minutes.
        said = subprocess.run(["go", "env", "GOCACHE"], capture_output=True, text=True, check=True).stdout
        self.looked = Path(said.strip()) / f"mkpkgs-test-{os.getpid()}"
        for name in (".ssh/id", ".gitconfig", ".netrc", "private"):
            (self.home / name).parent.mkdir(parents=True, exist_ok=True)
            (self.home / name).write_text("")
        real = str(Path(shutil.which("go") or "").resolve())
        # What lies beside a `bin` of PATH is shown.
        (bin_ := place / "tools/bin").mkdir(parents=True)
        (bin_ / "go").write_text(LOOKS.format(go=real, home=self.home, keys=self.keys, looked=self.looked.name))
        (bin_ / "go").chmod(0o755)
        for name, value in {
            "PATH": f"{bin_}:{path}",
            "HOME": str(self.home),
            "GOCACHE": str(self.looked.parent),
            "GOMODCACHE": str(place / "go-mod"),
            "GOPROXY": "off",
            "SECRET_TOKEN": "token-of-ci",
            "GITHUB_TOKEN": "token",
            "LD_PRELOAD": "",
            "SSH_AUTH_SOCK": "/nothing",
            "GOFLAGS": "-x",
            "CGO_CFLAGS": "-g",
        }.items():
            patch.setenv(name, value)

    def found(self) -> dict[str, set[str]]:
        """What was seen, by the words of a call."""
        rows: dict[str, set[str]] = {}
        for file in self.looked.iterdir():
            first, *lines = file.read_text().splitlines()
            rows[first] = {*lines, *rows.get(first, ())}
        return rows


@pytest.fixture(params=["bwrap", at_night("plain")])
def looks(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Looks]:
    path = os.environ["PATH"] if request.param == "bwrap" else path_without("bwrap", tmp_path / "programs")
    made = Looks(tmp_path, monkeypatch, path)
    yield made
    shutil.rmtree(made.looked, ignore_errors=True)
    # Go makes what it unpacks unwritable.
    subprocess.run(["chmod", "-R", "u+w", tmp_path / "go-mod"], check=False, capture_output=True)


def test_no_call_of_go_finds_more_than_it_needs(looks: Looks, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    core = Workspace.create(SAMPLE, tmp_path / "core")
    core.keys.rename(looks.keys)
    looks.keys.joinpath("x").touch()
    core.keys.symlink_to(looks.keys)
    said = core.mkpkgs().stdout
    folder = Workspace.at(tmp_path / "author").root / "wave"
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text("module example.org/wave\n\ngo 1.21\n\nrequire example.com/host v0.1.0\n")
    (folder / "wave.go").write_text('package wave\n\nimport _ "example.com/host/registry"\n')
    table = '[plugin.wave]\nsummary = "Waves"\nversion = "1.0"\ngo-link.module = "./wave"\n'
    author(tmp_path / "author", "host", core.dist, "go-link", table).mkpkgs("check")
    found = looks.found()
    kinds = {words.split()[1] for words in found}
    assert {"get", "list", "build"} <= kinds
    plain = request.node.callspec.params["looks"] == "plain"
    assert ("run with all that you may do" in said) == plain
    for words, lines in found.items():
        names = {line.split()[1] for line in lines if line.startswith("variable ")}
        strange = {name for name in names - ALLOWED if not name.startswith("GO")} - {"CGO_ENABLED", "OLDPWD"}
        assert not strange, words
        assert "terminal" not in lines
        if not plain:
            assert not [line for line in lines if line.startswith("key ")], words
            seen = {line.split()[1] for line in lines if line.startswith("home ")}
            # Beside logins, directories of go's own.
            assert seen <= {".netrc", ".cache", ".config", "go"}, words
            if words.split()[1] == "build":
                assert ".netrc" not in seen


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ({"GOPROXY": "https://proxy.example,direct"}, "private:all,public:off"),
        (
            {"GOPROXY": "https://a.example|direct", "GONOPROXY": "git.example,*.in"},
            "git.example:all,*.in:all,private:all,public:off",
        ),
        ({"GOPROXY": "direct"}, ""),
        ({"GOPROXY": "https://proxy.example,direct", "GOVCS": "public:git"}, "public:git"),
    ],
)
def test_public_modules_come_by_a_proxy(said: dict[str, str], rule: str) -> None:
    assert calls.version_control(said) == rule


@pytest.mark.parametrize("private", [False, True])
def test_git_runs_for_modules_alone_that_the_user_calls_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private: bool
) -> None:
    """A module of somebody's requirements that no proxy has."""
    (tmp_path / "proxy").mkdir()
    (bin_ := tmp_path / "tools/bin").mkdir(parents=True)
    (bin_ / "git").write_text('#!/bin/sh\n: >"$GOCACHE/git"\nls -A "$HOME" >>"$GOCACHE/git"\nexit 1\n')
    (bin_ / "git").chmod(0o755)
    (home := tmp_path / "home").mkdir()
    (home / ".gitconfig").write_text("")
    (home / "private").write_text("")
    cache = tmp_path / "go-build"
    for name, value in {
        "PATH": f"{bin_}:{os.environ['PATH']}",
        "HOME": str(home),
        "GOCACHE": str(cache),
        "GOMODCACHE": str(tmp_path / "go-mod"),
        "GOPROXY": f"{(tmp_path / 'proxy').as_uri()},direct",
        "GOPRIVATE": "evil.example" if private else "",
    }.items():
        monkeypatch.setenv(name, value)
    (folder := tmp_path / "work").mkdir()
    (folder / "go.mod").write_text("module work\n\ngo 1.21\n")
    go = Toolchain.find("", tmp_path / "workdir")
    status, _, error = go.run(
        ["get", "evil.example/x.git@v1.0.0"], cwd=folder, architecture="amd64", settings={}, check=False
    )
    assert status != 0
    assert (cache / "git").exists() == private
    if private:
        assert set((cache / "git").read_text().split()) - {".config", "go"} == {".gitconfig"}
    else:
        assert "GOVCS disallows using git for public evil.example/x.git" in error


def test_a_file_of_the_checkout_is_no_setting_of_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of `go env -w` count; a go.work above, or a `toolchain` line, does not."""
    (tmp_path / "config/go").mkdir(parents=True)
    (tmp_path / "config/go/env").write_text("GOPROXY=https://proxy.example\nGOFLAGS=-toolexec=/bin/false\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("GOPROXY", raising=False)
    (tmp_path / "go.work").write_text("go 1.999\n")
    (tmp_path / "go.mod").write_text("module x\n\ngo 1.21\n\ntoolchain go1.999.0\n")
    go = Toolchain.find("", tmp_path / "work")
    assert go.env["GOPROXY"] == "https://proxy.example"
    assert go.env["GOFLAGS"] == ""
    assert go.env["GOENV"] == "off"
    assert go.env["GOTOOLCHAIN"] == "local"
    assert go.version.startswith("go1.")
    assert sys.platform == "linux"
