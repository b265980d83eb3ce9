"""Readers of what projects are made from: builder files of OpenTelemetry, command lines of xcaddy."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

from packaging_tool import toml
from packaging_tool.golang import hostmain, ocb, xcaddy
from packaging_tool.project.loader import load
from tests.fuzz.readers.files import ROOT, WRONG
from tests.fuzz.readers.target import Target, as_file, holds

ME = "Jo Doe <jo@example.org>"


def _read_builder(data: bytes) -> None:
    file = as_file("builder.yaml", data)
    config = ocb.read(file, file.parent)
    for core in (ocb.CORE, ("*",)):
        files = ocb.files(config, core, ME)
        project = toml.loads(files["mkpkgs.toml"])
        said = len(project.get("plugin", {})) + files["server/main.go"].count(".add(")
        holds(said == len(config.components), "components are lost")
        imports = hostmain.parse(files["server/main.go"]).imports
        holds(
            len({i.name for i in imports if i.name}) == len([i for i in imports if i.name]), "one name for two imports"
        )
        holds("\n//mkpkgs" not in files["server/main.go"], "the marker is not in components()")


def _builders() -> Iterator[bytes]:
    yield (ROOT / "examples/otelcol/builder-config.yaml").read_bytes()
    yield b"dist: {name: x y, build_tags: 'a,b'}\nreceivers:\n- gomod: go.opentelemetry.io/collector/a/b v0.165.0\n"
    yield b"a: &a [1]\nreceivers: [*a, *a]\nconf_resolver: {default_uri_scheme: env}\n"


def _read_command(data: bytes) -> None:
    file = as_file("mkpkgs.toml", data)
    wanted = xcaddy.parse([data.decode()], file.parent)
    if any(not plugin.module for plugin in wanted.plugins):
        # Somebody would have to be asked.
        return
    files = xcaddy.files(xcaddy.resolve(xcaddy.Command(caddy="v2.11.9", plugins=wanted.plugins), file.parent), ME)
    holds(len(tomllib.loads(files["mkpkgs.toml"]).get("plugin", {})) == len(wanted.plugins), "plugins are lost")
    file.write_text(files["mkpkgs.toml"])
    (file.parent / "Caddyfile").write_text(files["Caddyfile"])
    load(file)


def _commands() -> Iterator[bytes]:
    yield b"xcaddy build v2.11.9 --with github.com/mholt/caddy-l4@v0.1.2 --with=example.com/x/v2@v2.0.0-rc.1"
    yield b"GOARCH=arm64 CGO_ENABLED=0 xcaddy build --output 'x y' \\\n --with a.b/c@v1.0.0"


TARGETS = (
    Target("builder", _read_builder, _builders, words=(b"gomod: ", b"import: ", b"\n- ", b" v0.1.0\n"), errors=WRONG),
    Target("xcaddy", _read_command, _commands, words=(b" --with ", b" --replace ", b"@v1.0.0", b"=./"), errors=WRONG),
)
