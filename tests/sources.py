"""Debian's source packages with its patches, and files of its packages; fetched by apt and kept from run to run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests import roots


def debian_source(name: str, suite: str = "bookworm") -> Path:
    """The unpacked source of a package. Never change what is in it."""
    cache = roots.cache_directory() / "sources"
    place = cache / f"{suite}-{name}"
    with roots.locked(cache / f"{suite}-{name}.lock"):
        if not place.exists():
            making = cache / f"{suite}-{name}-making"
            shutil.rmtree(making, ignore_errors=True)
            _apt(making, suite, "source", name)
            (tree,) = (path for path in making.iterdir() if path.is_dir() and path.name not in ("lists", "archives"))
            tree.rename(place)
            shutil.rmtree(making)
    return place


def debian_files(name: str, suite: str = "bookworm") -> Path:
    """What a package brings, unpacked; nothing is installed. Never change what is in it."""
    cache = roots.cache_directory() / "sources"
    place = cache / f"{suite}-{name}-files"
    with roots.locked(cache / f"{suite}-{name}-files.lock"):
        if not place.exists():
            making = cache / f"{suite}-{name}-files-making"
            shutil.rmtree(making, ignore_errors=True)
            _apt(making, suite, "download", name)
            (package,) = making.glob("*.deb")
            subprocess.run(["dpkg-deb", "-x", package, making / "files"], check=True)
            (making / "files").rename(place)
            shutil.rmtree(making)
    return place


def _apt(place: Path, suite: str, *command: str) -> None:
    """Run apt-get in a new directory, with records of its own."""
    (place / "lists/partial").mkdir(parents=True)
    (place / "archives/partial").mkdir(parents=True)
    (place / "status").touch()
    # Of the release alone: mirrors of security updates may have lost what their index still names.
    mirrors = re.findall(rf"(?m)^deb (\S+) {suite} main$", roots.debian_sources(suite))
    entries = [
        f"{kind} {mirror} {suite} main\n"
        for mirror in mirrors or ["http://deb.debian.org/debian"]
        for kind in ("deb", "deb-src")
    ]
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
