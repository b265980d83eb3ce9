"""Readers of what is published for authors of plugins elsewhere: index, descriptions, other authors' plugins."""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from collections.abc import Iterator

from packaging_tool.authors import core as described
from packaging_tool.authors import neighbours
from packaging_tool.elf import abi, lockfile
from packaging_tool.elf import published as offered
from packaging_tool.golang import published
from packaging_tool.wheels import licenses
from packaging_tool.wheels import published as wheels
from packaging_tool.wheels.wheel import Wheel
from tests.fuzz.readers.target import Target, holds, scratch

ABI = "0123456789abcdef" * 4
CORE = f"""\
mkpkgs-dev = 1
abi = "{ABI}"
architecture = "amd64"
kit = true
paths = ["/usr/bin/greet"]

[core]
name = "greet"
version = "1.0"
release = "1"
epoch = 0
summary = "Greets"
license = "MIT"
homepage = "https://example.org"
maintainer = "Jo Doe <jo@example.org>"
targets = ["debian12"]
driver = "files"
trust = "signature"

[core.service]
check = "--check"

[core.files]
format = "1"

[plugin.moon]
version = "1:2.0+1.0-1"
needs = ["bye"]
clashes = ["sun"]
paths = ["/usr/share/greet/plugins/moon.manifest"]

[file]
"lock.toml" = "{ABI}"
"""
INDEX = f"""\
mkpkgs-dev = 1
core = "greet"

[abi.{ABI}-amd64]
sha256 = "{ABI}"
architecture = "amd64"
version = "1.0-1"
"""
OTHERS = f"""\
mkpkgs-dev = 1
core = "greet"

[author.acme-greet.{ABI}.dusk]
version = "2.0+1.0-1"
paths = ["/usr/share/doc/dusk"]

[author.acme-greet.{ABI}.dusk.modules]
"example.com/x" = "v1.0.0"
"""
PLUGINS = """\
local = ["example.com/host"]

[plugin.bell]
imports = ["example.com/bell"]
lines = ["x()"]
needs = ["rope"]

[plugin.bell.package]
"example.com/bell" = "00"
"""
ELF = f"""\
[elf]
format = 1
epoch = 1700000000
compiler = "cc"

[elf.built.amd64]
abi = "{ABI}"
lines = ["mkpkgs abi 1", "macro X 1", "command [\\"x\\"]", "output 1", "file a b", "export f FUNC"]

[elf.offers.chime]
needs = ["libc.so.6"]
symbols = ["f", "f@V1"]

[elf.brings.bell]
symbols = ["g"]
"""
SITE = """\
core = ["paper"]

[dist.paper]
version = "1.0"
requires = ["dye; extra == 'ink'"]
extras = ["ink"]
files = ["paper.py"]

[plugin.atlas]
dists = ["paper"]
needs = ["novel"]
"""


def _read_core(data: bytes) -> None:
    found = described.parse(data, "core.toml")
    # Both become names of files.
    holds(re.fullmatch(r"[0-9a-f]{64}", found.abi) is not None, "an ABI that leads somewhere")
    for name in found.files:
        holds(not name.startswith("/") and not {"", ".", ".."} & set(name.split("/")), f"{name!r} leads somewhere")


def _read_index(data: bytes) -> None:
    _, listed = described.parse_index(data, "index.toml")
    holds(all(re.fullmatch(r"[0-9a-f]{64}-[a-z0-9]+", name) for name in listed), "a folder that leads somewhere")


def _read_others(data: bytes) -> None:
    for found in neighbours.parse(data, "plugins.toml", "me"):
        holds(bool(re.fullmatch(r"[a-z0-9-]+", found.name)), "a name that is none")


def _read_go(data: bytes) -> None:
    place = scratch() / "core"
    place.mkdir(exist_ok=True)
    (place / published.PLUGINS).write_bytes(data)
    (place / published.LOCK).write_text("")
    published.read_plugins(place)


def _read_elf(data: bytes) -> None:
    path = scratch() / "lock.toml"
    path.write_bytes(data)
    found = lockfile.published(path, "amd64")
    offered.parse(found)
    tuple(abi.changes(found["built"]["amd64"]["lines"], ["mkpkgs abi 1"]))


def _read_wheels(data: bytes) -> None:
    place, stubs = scratch() / "site", scratch() / "stubs"
    place.mkdir(exist_ok=True)
    (place / wheels.SITE).write_bytes(data)
    found = wheels.read(place)
    for wheel in wheels.stubs(found.base(found.plugins), stubs).values():
        holds(wheel.path.parent == stubs, "a wheel that leads somewhere")


def _read_wheel(data: bytes) -> None:
    place = scratch() / "wheel"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    (place / "served-1.0-py3-none-any.whl").write_bytes(data)
    found = Wheel(place / "served-1.0-py3-none-any.whl")
    for text in (found.name, found.version, licenses.of(found).id, *found.requires):
        holds(text.isprintable(), f"{text!r} is not for a terminal")
    _ = found.entry_points
    names = found.unpack(place / "site")
    written = {path.relative_to(place / "site").as_posix() for path in (place / "site").rglob("*") if path.is_file()}
    holds(set(names) == written and len(names) == len(written), "other files than it says")
    holds({path.name for path in place.iterdir()} <= {"served-1.0-py3-none-any.whl", "site"}, "a file leads elsewhere")


def _wheels() -> Iterator[bytes]:
    """A wheel that is stored, since random bytes seldom unpack, and one that is packed."""
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", method) as file:
            file.writestr("served/__init__.py", "x = 1\n")
            file.writestr("served-1.0.data/purelib/other.py", "")
            file.writestr(
                "served-1.0.dist-info/METADATA", "Name: served\nVersion: 1.0\nRequires-Dist: flask>=2; extra == 'web'\n"
            )
            file.writestr("served-1.0.dist-info/entry_points.txt", "[served.plugins]\na = served:x\n")
        yield packed.getvalue()


def _texts(text: str) -> Iterator[bytes]:
    yield text.encode()


WORDS = (b"[core]\n", b"[file]\n", b'"', b" = ", b"[]", b"{}", b"../", b"true", b"1")
TARGETS = (
    Target("authors-core", _read_core, lambda: _texts(CORE), words=WORDS),
    Target("authors-index", _read_index, lambda: _texts(INDEX), words=WORDS),
    Target("authors-others", _read_others, lambda: _texts(OTHERS), words=WORDS),
    Target("authors-elf", _read_elf, lambda: _texts(ELF), words=WORDS),
    Target("authors-wheels", _read_wheels, lambda: _texts(SITE), words=WORDS),
    Target(
        "authors-wheel", _read_wheel, _wheels, words=(b"../", b"Name: ", b"Requires-Dist: ", b" @ https://x/y", b"PK")
    ),
    Target("authors-go", _read_go, lambda: _texts(PLUGINS), words=WORDS),
)
