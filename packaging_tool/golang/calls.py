"""Where the go command runs: one place for what reads and fetches modules, one for what compiles.

Both see no key and no home directory (`confine`), and get an environment of which every word is named here. What reads
modules may ask for them, since it runs nobody's code: cgo is off, and public modules come from a proxy, never by git or
another program over somebody's repository, unless GOVCS says so or there is no proxy. What compiles has no network, and
only reads what was fetched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging_tool import confine
from packaging_tool.run import Done

# Where modules come from and where caches lie: taken over from `go env`, as they do not change what is built.
KEPT = (
    "GOPROXY",
    "GOMODCACHE",
    "GOCACHE",
    "GOSUMDB",
    "GONOSUMDB",
    "GOPRIVATE",
    "GONOPROXY",
    "GOINSECURE",
    "GOAUTH",
    "GOVCS",
    "GOPATH",
)
# The same, and how much of the machine is used.
_SAID = ("GOCACHEPROG", "GOMAXPROCS", "GOTMPDIR", *KEPT)
# What a compile over other people's sources gets: compilers read any file that a source names, as `.incbin` does.
_COMPILING = re.compile(
    r"(GO|CGO_|PKG_CONFIG|PATH$|LC_ALL$|(CC|CXX|FC|AR|CPATH|C_INCLUDE_PATH|CPLUS_INCLUDE_PATH|(LD_)?LIBRARY_PATH)$)"
)
_FETCHING = re.compile(r"GO|(PATH|LC_ALL|HOME|NETRC|XDG_CACHE_HOME)$")
# How git and ssh log in.
_LOGGING_IN = re.compile(r"GIT_|SSH_|XDG_CONFIG_HOME$|XDG_RUNTIME_DIR$")
_OF_GIT = (".gitconfig", ".git-credentials", ".config/git", ".ssh")


def environment() -> dict[str, str]:
    """What of our environment the go command may get; its own settings come in addition."""
    known = (*confine.PROXIES, *confine.CERTIFICATES)
    patterns = (_COMPILING, _FETCHING, _LOGGING_IN)
    env = {
        name: text
        for name, text in os.environ.items()
        if (name in known or any(pattern.match(name) for pattern in patterns))
        and not name.startswith(("GO", "CGO_", "LC_"))
    }
    env |= {name: os.environ[name] for name in _SAID if name in os.environ}
    return env | {"LC_ALL": "C", "GO111MODULE": "on", "GOWORK": "off", "GOFLAGS": "", "GOTOOLCHAIN": "local"}


def version_control(said: Mapping[str, str]) -> str:
    """GOVCS where it is not set: a program for version control only where the user trusts who has the repository.

    said: what `go env` says. Such a program reads what somebody else made of a repository, and faults of git and hg in
    that ran commands. Where no proxy is set, there is no other way.
    """
    proxies = [text for text in re.split(r"[,|]", said.get("GOPROXY", "")) if text not in ("", "direct", "off")]
    if said.get("GOVCS") or not proxies:
        return said.get("GOVCS", "")
    private = [f"{pattern}:all" for pattern in said.get("GONOPROXY", "").split(",") if pattern]
    return ",".join([*private, "private:all", "public:off"])


def ask(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Done:
    """Run a go command that tells its settings, also those of `go env -w`: without network. Raises CommandError."""
    own = confine.of_go()
    given = {**_of(env, _FETCHING), "GOENV": str(own) if os.access(own, os.R_OK) else "off"}
    return confine.run_confined(argv, cwd=cwd, env=given, readable=[*_programs(argv), own])


def fetch(argv: Sequence[str], cwd: Path, env: Mapping[str, str], root: Path | None) -> Done:
    """Run a go command that reads modules, and gets those that are not here. root: of Go, as far as it is known."""
    caches = [Path(env[name]) for name in ("GOMODCACHE", "GOCACHE") if env.get(name)]
    # What of the checksum database was seen, so that nobody is shown another one later.
    caches += [Path(place) / "pkg/sumdb" for place in env.get("GOPATH", "").split(":")[:1] if place]
    for place in caches:
        with suppress(OSError):
            place.mkdir(parents=True, exist_ok=True)
    known = (*confine.PROXIES, *confine.CERTIFICATES)
    given = {**_of(env, _FETCHING), **{name: env[name] for name in known if name in env}}
    network = env.get("GOPROXY", "").rpartition(",")[2] != "off"
    lent = confine.logins() if network else []
    if network and _is_private(env):
        given |= _of(env, _LOGGING_IN)
        lent += _of_version_control()
    return confine.run_confined(
        argv,
        cwd=cwd,
        env=given,
        writable=[cwd, *caches, *_temporary(env)],
        readable=[*_programs(argv), *_folders(env), *([root] if root is not None else [])],
        lent=lent,
        network=network,
        check=False,
    )


def compile_(argv: Sequence[str], cwd: Path, env: Mapping[str, str], root: Path) -> Done:
    """Run a go command that compiles, with what is fetched already."""
    cache = Path(env["GOCACHE"])
    cache.mkdir(parents=True, exist_ok=True)
    return confine.run_confined(
        argv,
        cwd=cwd,
        env={**_of(env, _COMPILING), "GOPROXY": "off", "HOME": str(cwd)},
        writable=[cwd.parent, cache, *_temporary(env)],
        readable=[cwd.parent.parent, root, *_programs(argv), Path(env["GOMODCACHE"])],
        check=False,
    )


def _of(env: Mapping[str, str], pattern: re.Pattern[str]) -> dict[str, str]:
    return {name: text for name, text in env.items() if pattern.match(name)}


def _programs(argv: Sequence[str]) -> Iterator[Path]:
    if argv[0].startswith("/"):
        yield Path(argv[0]).parent


def _folders(env: Mapping[str, str]) -> Iterator[Path]:
    """Folders in place of a proxy."""
    for place in re.split(r"[,|]", env.get("GOPROXY", "")):
        if place.startswith("file:"):
            yield Path(unquote(urlsplit(place).path))


def _temporary(env: Mapping[str, str]) -> Iterator[Path]:
    if env.get("GOTMPDIR", "").startswith("/"):
        yield Path(env["GOTMPDIR"])


def _is_private(env: Mapping[str, str]) -> bool:
    """Whether the user has modules that come by git, for which it may have to log in."""
    return bool(env.get("GOPRIVATE") or env.get("GONOPROXY")) or "public:off" not in env.get("GOVCS", "")


def _of_version_control() -> list[Path]:
    home = Path(os.environ.get("HOME") or "/nonexistent")
    named = [os.environ[name] for name in ("SSH_AUTH_SOCK", "GIT_CONFIG_GLOBAL") if os.environ.get(name)]
    return [*(home / name for name in _OF_GIT), *map(Path, named)]
