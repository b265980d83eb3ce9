"""Debian's source packages with its patches, and files of its packages; fetched by apt and kept from run to run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests import roots


def debian_source(name: str, suite: str = "bookworm") -> Path:
    """The unpacked source of a package. Never change what is in it."""

    def unpacked(making: Path) -> Path:
        _apt(making, suite, "source", name)
        (tree,) = (path for path in making.iterdir() if path.is_dir() and path.name not in ("lists", "archives"))
        return tree

    return _kept(f"{suite}-{name}", unpacked)


def debian_files(name: str, suite: str = "bookworm") -> Path:
    """What a package brings, unpacked; nothing is installed. Never change what is in it."""

    def unpacked(making: Path) -> Path:
        _apt(making, suite, "download", name)
        (package,) = making.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", package, making / "files"], check=True)
        return making / "files"

    return _kept(f"{suite}-{name}-files", unpacked)


def _kept(name: str, make: Callable[[Path], Path]) -> Path:
    """A directory of the cache, made if it is missing. make: fills a directory and says which one below it counts."""
    cache = roots.cache_directory() / "sources"
    place, making = cache / name, cache / f"{name}-making"
    with roots.locked(cache / f"{name}.lock"):
        if not place.exists():
            shutil.rmtree(making, ignore_errors=True)
            make(making).rename(place)
            shutil.rmtree(making)
    return place


def _apt(place: Path, suite: str, *command: str) -> None:
    """Run apt-get in a new directory, with records of its own."""
    (place / "lists/partial").mkdir(parents=True)
    (place / "archives/partial").mkdir(parents=True)
    (place / "status").touch()
    # Of the release alone: mirrors of security updates may have lost what their index still names.
    mirrors = re.findall(rf"(?m)^deb (\S+) {suite} main$", roots.debian_sources(suite))
    assert mirrors, f"no mirror of Debian's {suite} is known from /etc/apt"
    entries = [f"{kind} {mirror} {suite} main\n" for mirror in mirrors for kind in ("deb", "deb-src")]
    (place / "sources.list").write_text("".join(entries))
    settings = (
        f'Dir::Etc::SourceList "{place}/sources.list";\nDir::Etc::SourceParts "/dev/null";\n'
        f'Dir::State::Lists "{place}/lists";\nDir::State::Status "{place}/status";\nDir::Cache "{place}";\n'
        'APT::Sandbox::User "root";\n'
        # A mirror that stands still for a while is as good as another one for tests.
        'Acquire::Check-Valid-Until "false";\n'
    )
    (place / "apt.conf").write_text(settings)
    env = {**os.environ, "APT_CONFIG": str(place / "apt.conf"), "LC_ALL": "C"}
    for arguments in (("update",), command):
        done = subprocess.run(
            ["apt-get", "-q", *arguments], cwd=place, env=env, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr
