"""The ABI of a core made with go-link: what core, kit and plugins must agree on, to the byte.

SHA-256, in lower-case hex, of this text; every line ends with `\\n`, the lines after the first are sorted in C order:

    mkpkgs abi 1
    architecture ARCH               Debian's name
    archive SHA256 IMPORT-PATH      each compiled package of the core, as `go list -export` gives it
    build SETTING                   each `build` line of the core's build information
    compile-flag FLAG               each flag of compile
    core NAME
    driver go-link
    env NAME=VALUE                  GOAMD64 and the like
    go VERSION                      as `go env GOVERSION` says
    link-flag FLAG                  each flag of link
    main SHA256                     of head, mid and tail of the host main, with a zero byte between each
    tool SHA256 NAME                compile and link, for the architecture

Go's own fingerprints in the archives are not enough: they miss bodies that are not inlined, assembler and embedded
files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from packaging_tool.golang.buildinfo import BuildInfo
from packaging_tool.golang.lockfile import GoLock


def text(
    core: str,
    architecture: str,
    lock: GoLock,
    tools: Mapping[str, str],
    archives: Mapping[str, str],
    link_flags: str,
    info: BuildInfo,
) -> str:
    """The text that is hashed. link_flags: one per line, as in the kit."""
    main = "\0".join((lock.main.head, lock.main.mid, lock.main.tail))
    lines = [
        f"architecture {architecture}",
        f"core {core}",
        "driver go-link",
        f"go {lock.go}",
        f"main {hashlib.sha256(main.encode()).hexdigest()}",
        *(f"archive {sha256} {path}" for path, sha256 in archives.items()),
        *(f"build {line.removeprefix('build').strip()}" for line in info.tail.splitlines()),
        *(f"compile-flag {flag}" for flag in lock.compile_flags),
        *(f"env {name}={value}" for name, value in lock.settings.items()),
        *(f"link-flag {flag}" for flag in link_flags.splitlines()),
        *(f"tool {sha256} {name}" for name, sha256 in tools.items()),
    ]
    # C order: by bytes.
    ordered = sorted(lines, key=str.encode)
    return "".join(f"{line}\n" for line in ("mkpkgs abi 1", *ordered))


def identity(text: str) -> str:
    """The ABI that a text comes to: 64 lower-case hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()
