"""Debian's source packages, with Debian's patches, fetched by apt and kept from run to run."""

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
            (making / "lists/partial").mkdir(parents=True)
            _fetch(name, suite, making)
            (tree,) = (path for path in making.iterdir() if path.is_dir() and path.name != "lists")
            tree.rename(place)
            shutil.rmtree(making)
    return place


def _fetch(name: str, suite: str, place: Path) -> None:
    # Of the release alone: mirrors of security updates may have lost what their index still names.
    mirrors = re.findall(rf"(?m)^deb (\S+) {suite} main$", roots.debian_sources(suite))
    entries = [f"deb-src {mirror} {suite} main\n" for mirror in mirrors or ["http://deb.debian.org/debian"]]
    (place / "sources.list").write_text("".join(entries))
    settings = (
        f'Dir::Etc::SourceList "{place}/sources.list";\nDir::Etc::SourceParts "/dev/null";\n'
        f'Dir::State::Lists "{place}/lists";\nDir::Cache "{place}";\nAPT::Sandbox::User "root";\n'
        # A mirror that stands still for a while is as good as another one for tests.
        'Acquire::Check-Valid-Until "false";\n'
    )
    (place / "apt.conf").write_text(settings)
    env = {**os.environ, "APT_CONFIG": str(place / "apt.conf"), "LC_ALL": "C"}
    for command in (["apt-get", "-q", "update"], ["apt-get", "-q", "source", name]):
        done = subprocess.run(command, cwd=place, env=env, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
