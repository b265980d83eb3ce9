"""Clean roots of Debian and Ubuntu, made by mmdebstrap from the mirrors of this machine."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from packaging_tool.authors.room import INBOX, Fetched, Room, Said, keep, write
from packaging_tool.errors import BuildError, CommandError
from packaging_tool.run import run
from packaging_tool.targets import TARGETS

# Packages with the keys of archives.
KEYRINGS = {"debian": "debian-archive-keyring", "ubuntu": "ubuntu-keyring"}
# apt's progress comes before its reasons, which are relations that cannot be met, and what dpkg says.
REASONS = (r"\S+ : |(Pre)?Depends: |Conflicts: |dpkg: error|trying to ", r"E: ")
_HOOKS = (
    # Packages that come later are installed whole.
    'rm -f "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap" "$1/etc/apt/apt.conf.d/99mmdebstrap"',
)
ARCHIVES = "/var/cache/apt/archives"
_INSTALL = ("apt-get", "-q", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-unsafe-io")


class Apt:
    """See `room.Family`."""

    programs: tuple[tuple[str, str], ...] = (("mmdebstrap", "mmdebstrap"),)

    def recipe(self, target: str) -> str:
        return f"{_command(target)} {_sources(target)}"

    def make(self, target: str, place: Room) -> None:
        sources = _sources(target)
        local = [Path(path) for line in sources for path in re.findall(r"(?:file|copy):(?://)?(/\S+)", line)]
        words = [*_command(target), "--format=tar", "-", *sources]
        said = place.make(*words, output=place.tar, shown=local, TMPDIR=str(place.root))
        if said.status != 0:
            # The last lines say only that it ends.
            lines = [line[3:] for line in said.text.splitlines() if line.startswith("E: ")] or [f"status {said.status}"]
            hint = f"it needs a mirror of {target}, and keys: install {KEYRINGS[_family(target)]}"
            raise BuildError(f"mmdebstrap failed: {lines[0]}", hint=hint)
        place.remove()

    def settle(self, place: Room) -> None:
        # mmdebstrap takes its own one away. It forbids all services (invoke-rc.d(8)).
        write(place, "/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", "0755")

    def fetch(self, place: Room, groups: Sequence[Collection[Path]]) -> None:
        kept = place.inbox / "kept"
        kept.mkdir()
        kept.chmod(0o755)
        for files in groups:
            planned = _planned(place, files)
            if not planned:
                continue
            keep(planned, place.fetched, kept, mode=0o644)
            place.run("sh", "-c", f'cp "$@" {ARCHIVES}', "sh", *(f"{INBOX}/kept/{file.name}" for file in planned))
            if _download(place, files).status != 0:
                # The lists are as old as the root.
                place.run("apt-get", "-q", "update", online=True)
                planned = _planned(place, files)
                fetched = _download(place, files)
                if fetched.status != 0:
                    raise BuildError(f"packages of the distribution cannot be fetched: {fetched.first}")
            new = [file.name for file in planned if not (kept / file.name).exists()]
            place.run("sh", "-c", f'cd {ARCHIVES}; cp "$@" {INBOX}/out', "sh", *new, online=True)
            keep(planned, place.outbox, place.fetched)

    def install(self, place: Room, files: Collection[Path]) -> None:
        place.shut()
        names = [f"{INBOX}/{file.name}" for file in files]
        place.run(*_INSTALL, "-o", "Dpkg::Use-Pty=0", "install", *names).demand(*REASONS)

    def remove(self, place: Room, packages: Sequence[str]) -> None:
        place.run("dpkg", "--force-depends", "--force-remove-reinstreq", "--purge", *packages)


def _planned(place: Room, files: Collection[Path]) -> list[Fetched]:
    """What is to be fetched before packages can be installed; nothing if they cannot be."""
    words = [*_INSTALL, "-o", "Acquire::ForceHash=SHA256", "--print-uris", "install"]
    said = place.run(*words, *(f"{INBOX}/{file.name}" for file in files))
    rows = re.findall(r"(?m)^'[^']+' ([A-Za-z0-9][A-Za-z0-9.+~%_-]*\.deb) (\d+) SHA256:([0-9a-f]{64})$", said.text)
    return [Fetched(name, int(size), sha256) for name, size, sha256 in rows] if said.status == 0 else []


def _download(place: Room, files: Collection[Path]) -> Said:
    return place.run(*_INSTALL, "--download-only", "install", *(f"{INBOX}/{file.name}" for file in files), online=True)


def _command(target: str) -> list[str]:
    return [
        "mmdebstrap",
        # Of the namespace that it runs in.
        "--mode=root",
        "--variant=apt",
        # What each core depends on, and any system has.
        "--include=mount,openssl,systemd",
        "--skip=chroot/mount/sys",
        # So that packages can be fetched at once.
        "--skip=cleanup/apt/lists",
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "locale", "doc")),
        *(f"--customize-hook={hook}" for hook in _HOOKS),
        TARGETS[target].suite,
    ]


def _sources(target: str) -> list[str]:
    """Lines for apt with the mirrors that this machine uses itself; none if it has none of the target's distribution.

    mmdebstrap then takes its own default.
    """
    suites = {release.suite for name, release in TARGETS.items() if name.startswith(_family(target))}
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]
    try:
        rows = [line.split() for line in run(asked).stdout.decode().splitlines()]
    except CommandError:
        return []
    found = [
        f"deb {row[0]} {TARGETS[target].suite}{dash}{kind} {row[2]}"
        for row in rows
        if len(row) == 3
        for base, dash, kind in [row[1].partition("-")]
        if base in suites and row[2] in ("main", "universe")
    ]
    # Without the suite itself the rest is of no use.
    return list(dict.fromkeys(found)) if any(f" {TARGETS[target].suite} " in line for line in found) else []


def _family(target: str) -> str:
    return re.sub(r"[0-9.]+$", "", target)
