"""Command lines of xcaddy as projects."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from packaging_tool.errors import InputError
from packaging_tool.golang import localmodule, xcaddy

L4 = "github.com/mholt/caddy-l4@v0.1.2"


def project(tmp_path: Path, line: str) -> dict[str, Any]:
    """The project file; everything in the line is exact, so that nobody is asked."""
    command = xcaddy.resolve(xcaddy.parse([line], tmp_path), tmp_path)
    return tomllib.loads(xcaddy.files(command, "Jo Doe <jo@example.org>")["mkpkgs.toml"])


def test_with_is_a_plugin_each(tmp_path: Path) -> None:
    found = project(
        tmp_path, f"xcaddy build v2.11.9 --with {L4} \\\n --with=github.com/caddy-dns/cloudflare@v0.2.1 --output x"
    )
    assert found["core"]["version"] == "2.11.9"
    assert found["core"]["go"]["module"] == xcaddy.CADDY
    assert {name: plugin["go"] for name, plugin in found["plugin"].items()} == {
        "l4": {"module": L4},
        "dns-cloudflare": {"module": "github.com/caddy-dns/cloudflare@v0.2.1"},
    }


def test_variables_before_the_command_count(tmp_path: Path) -> None:
    found = project(tmp_path, "CADDY_VERSION=v2.11.9 GOARCH=arm64 CGO_ENABLED=0 xcaddy build")
    assert found["core"]["version"] == "2.11.9"
    assert found["core"]["architectures"] == ["arm64"]
    assert "plugin" not in found


def test_version_before_a_release_is_before_it_in_packages_too(tmp_path: Path) -> None:
    found = project(tmp_path, "v2.12.0-beta.1")
    assert found["core"]["version"] == "2.12.0~beta.1"
    assert found["core"]["go"]["module"] == f"{xcaddy.CADDY}@v2.12.0-beta.1"


def test_folders_are_local_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, module in (("mine", "example.com/mine"), ("caddy", xcaddy.CADDY)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "go.mod").write_text(f"module {module}\n")
    found = project(tmp_path, f"build v2.11.9 --with example.com/mine=./mine --replace {xcaddy.CADDY}=./caddy")
    assert found["plugin"]["mine"]["go"] == {"module": "./mine"}
    assert found["core"]["go"]["module"] == "./caddy"
    assert "outside" not in found["core"]
    (tmp_path / "project").mkdir()
    found = project(tmp_path / "project", "build v2.11.9 --with example.com/mine=./mine")
    assert found["plugin"]["mine"]["go"] == {"module": "../mine"}
    assert found["core"]["outside"]


def test_the_fork_of_xcaddys_manual_is_the_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """github.com/caddyserver/xcaddy, README: "to replace Caddy itself with a fork"."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-caddy-fork").mkdir()
    (tmp_path / "my-caddy-fork/go.mod").write_text(f"module {xcaddy.CADDY}\n")
    found = project(tmp_path, f"xcaddy build v2.11.9 --with {xcaddy.CADDY}=./my-caddy-fork")
    assert found["core"]["go"]["module"] == "./my-caddy-fork"
    assert "plugin" not in found


@pytest.mark.parametrize(
    "line",
    [
        f"xcaddy build --with {xcaddy.CADDY}@v2.11.9 --with {L4}",
        f"xcaddy build --with {xcaddy.CADDY}={xcaddy.CADDY}@v2.11.9 --with github.com/mholt/caddy-l4={L4}",
        f"xcaddy build v2.11.9 --replace {xcaddy.CADDY}={xcaddy.CADDY}@v2.11.9 --with {L4}",
        # As Dockerfiles and scripts have it.
        f"RUN xcaddy build v2.11.9 \\\n    --with {L4} && mv caddy /usr/bin/",
        f"RUN --mount=type=cache,target=/go env GOOS=linux xcaddy build v2.11.9 --with {L4}; rm -r /go",
        f"cd /tmp && /go/bin/xcaddy build v2.11.9 --with {L4} > log 2>&1",
        f"# a server\nxcaddy build v2.11.9 --with {L4} # layer 4\n",
    ],
)
def test_the_same_may_be_said_in_many_ways(tmp_path: Path, line: str) -> None:
    found = project(tmp_path, line)
    assert found["core"]["version"] == "2.11.9"
    assert {name: plugin["go"] for name, plugin in found["plugin"].items()} == {"l4": {"module": L4}}


def test_libraries_in_other_versions_and_folders_are_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net").mkdir()
    (tmp_path / "net/go.mod").write_text("module golang.org/x/net\n")
    line = "v2.11.9 --replace golang.org/x/crypto=golang.org/x/crypto@v0.56.0 --replace golang.org/x/net=./net"
    found = project(tmp_path, line)
    assert found["core"]["go"]["require"] == ["golang.org/x/crypto@v0.56.0", "./net"]


def test_build_flags_become_tags(tmp_path: Path) -> None:
    flags = "-tags=nobadger,nomysql -trimpath -ldflags '-w -s'"
    found = project(tmp_path, f'XCADDY_GO_BUILD_FLAGS="{flags}" xcaddy build v2.11.9')
    assert found["core"]["go"]["tags"] == ["nobadger", "nomysql"]


def test_plugins_of_one_name_get_the_owner_too(tmp_path: Path) -> None:
    found = project(tmp_path, "v2.11.9 --with example.com/one/caddy-git@v1.0.0 --with example.com/two/caddy-git@v1.0.0")
    assert list(found["plugin"]) == ["git", "two-git"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"v2.11.9 --with {L4} --with {L4}", "stands twice"),
        ("v2.11.9 v2.11.8", "is a second version of Caddy"),
        ("v2.11.9 --with", "--with has no value"),
        ("v2.11.9 --with '../../x y'", "is no module path"),
        ("v2.11.9 --with a.b/c=d.e/f@v1.0.0", "a module in the place of another one has no equivalent"),
        ("v2.11.9 --with a.b/c=./nothing", "there is no such folder"),
        ("v2.11.9 --replace a.b/c=./d", "d: there is no such folder"),
        ("v2.11.9 --replace a.b/c=d.e/f@v1.0.0", "--replace a.b/c=d.e/f@v1.0.0 has no equivalent, since what authors"),
        ("v2.11.9 --replace a.b/c=a.b/c@main", "main is no version"),
        (f"v2.11.9 --with {xcaddy.CADDY}@v2.11.8", "is another version of Caddy than v2.11.9"),
        (f"v2.11.9 --with {xcaddy.CADDY}=example.com/fork@v1.0.0", "into a folder and write --with github.com/caddy"),
        ("xcaddy build ${CADDY_VERSION}", "${CADDY_VERSION} has the variable CADDY_VERSION"),
        ("xcaddy build --with a.b/c@$V", "a.b/c@$V has the variable V"),
        ("GOOS=windows xcaddy build v2.11.9", "GOOS=windows: packages are for Linux"),
        ("XCADDY_GO_BUILD_FLAGS=-race xcaddy build", "has -race, which has no equivalent"),
        ("xcaddy build v2.11.9 && xcaddy build v2.11.8", "these are several commands of xcaddy"),
        ("v2.11.9 --embed ./files", "--embed ./files has no equivalent"),
        ("v2.11.9 --race", "--race is no option of xcaddy build"),
        ("XCADDY_RACE_DETECTOR=1 xcaddy build", "XCADDY_RACE_DETECTOR=1 has no equivalent"),
        (
            "CGO_ENABLED=1 xcaddy build",
            "are pure Go leave it out if no plugin needs C; if one does, take the driver go-",
        ),
        ("GOARCH=wasm xcaddy build", "is no architecture that packages are made for use amd64, arm64, arm, 386"),
        ("--with 'a", "cannot be read"),
    ],
)
def test_what_has_no_equivalent_is_refused(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        xcaddy.parse([line], tmp_path)
    assert said in f"{raised.value.message} {raised.value.hint}"


def test_newest_version_and_module_of_a_package_are_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the go command, from a folder that is a proxy (`go help goproxy`)."""
    (tmp_path / "source/sub").mkdir(parents=True)
    (tmp_path / "source/go.mod").write_text("module example.com/caddy-thing\n\ngo 1.21\n")
    (tmp_path / "source/sub/sub.go").write_text("package sub\n")
    module = localmodule.scan(tmp_path / "source", "1.2.3")
    for version in ("v1.0.0", "v1.2.3"):
        localmodule.publish(replace(module, version=version), tmp_path / "proxy")
    (tmp_path / "proxy/example.com/caddy-thing/@v/list").write_text("v1.0.0\nv1.2.3\n")
    monkeypatch.setenv("GOPROXY", (tmp_path / "proxy").as_uri())
    found = project(tmp_path, "v2.11.9 --with example.com/caddy-thing --with example.com/caddy-thing/sub@v1.0")
    assert {name: plugin["go"] for name, plugin in found["plugin"].items()} == {
        "thing": {"module": "example.com/caddy-thing@v1.2.3"},
        "example-com-thing": {
            "module": "example.com/caddy-thing@v1.0.0",
            "packages": ["example.com/caddy-thing/sub"],
        },
    }
    with pytest.raises(InputError, match=r"--with example\.com/other"):
        project(tmp_path, "v2.11.9 --with example.com/other")
