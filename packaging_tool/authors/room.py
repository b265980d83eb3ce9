"""A clean root of a distribution, in which packages are installed and run without a trace on this machine.

The root comes from mmdebstrap, as a tar file below the user's cache directory, made anew each month; each use unpacks
its own copy and removes it. Programs in it see nothing else of this machine, have a network only to fetch packages, and
their root is root of a user namespace (`templates/authors/room.sh`). No service starts there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from packaging_tool.elf import machines
from packaging_tool.errors import BuildError, CommandError
from packaging_tool.listener import Listener
from packaging_tool.package import templates
from packaging_tool.run import run
from packaging_tool.targets import TARGETS

# Where files that are put into a root lie.
INBOX = "/mkpkgs"
# Seconds that one program may take, so that a plugin that hangs ends.
PATIENCE = 900
# Seconds that a root and a fetched package are kept.
UNUSED = 31 * 86400
# Packages with the keys of archives.
KEYRINGS = {"debian": "debian-archive-keyring", "ubuntu": "ubuntu-keyring"}
PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")
_HOOKS = (
    # Packages that come later are installed whole.
    'rm -f "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap" "$1/etc/apt/apt.conf.d/99mmdebstrap"',
    r'printf "127.0.0.1 localhost\n::1 localhost\n" >"$1/etc/hosts"',
)


@dataclass(frozen=True, slots=True)
class Said:
    """How a program in a room ended. text: stdout and stderr in order."""

    status: int
    text: str


@dataclass(frozen=True, slots=True)
class Room:
    """A root in use. directory: of everything. archives: packages of the distribution that were fetched before."""

    directory: Path
    archives: Path

    def put(self, files: Sequence[Path]) -> None:
        """Copy files to INBOX. Before anything is installed: what is installed may make a link of that."""
        place = self.directory / "root" / INBOX.lstrip("/")
        place.mkdir()
        for file in files:
            shutil.copyfile(file, place / file.name)

    def run(self, *argv: str, online: bool = False) -> Said:
        """Run a program inside as root. online: with the network of this machine."""
        words = [f"{name}={os.environ[name]}" for name in PROXIES if online and name in os.environ]
        limit = ["timeout", "-k", "10", str(PATIENCE)]
        root = str(self.directory / "root")
        how = "online" if online else "offline"
        done = _script(self.directory, how, root, str(self.archives), *words, *limit, *argv)
        return Said(done[0], done[1])


def cache_directory() -> Path:
    """Where the roots are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mkpkgs"


@contextmanager
def clean(target: str, listener: Listener) -> Iterator[Room]:
    """A new root of a target, gone at the end whatever happens. Raises BuildError with a hint if none can be made."""
    _require(target)
    cache = cache_directory()
    archives = cache / f"archives-{target}"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    _sweep(cache)
    directory = Path(tempfile.mkdtemp(prefix="room-", dir=cache))
    (directory / "room.sh").write_text(templates.render("authors/room.sh"))
    with (directory / "busy").open("w") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)
        try:
            _probe(directory)
            tar = _root(target, directory, listener)
            status, text = _script(directory, "unpack", str(directory / "root"), str(tar))
            if status != 0:
                raise BuildError(f"{tar} cannot be unpacked: {_last(text)}", hint="remove it, then call again")
            # mmdebstrap takes its own one away. It forbids all services (invoke-rc.d(8)).
            policy = directory / "root/usr/sbin/policy-rc.d"
            policy.write_text("#!/bin/sh\nexit 101\n")
            policy.chmod(0o755)
            yield Room(directory, archives)
        finally:
            _remove(directory)


def _require(target: str) -> None:
    if not TARGETS[target].suite:
        raise BuildError("such a root cannot be made", hint="only those of Debian and Ubuntu can")
    for program, package in (("mmdebstrap", "mmdebstrap"), ("unshare", "util-linux"), ("nsenter", "util-linux")):
        if shutil.which(program) is None:
            raise BuildError(f"{program} is not here", hint=f"install {package}")
    if os.geteuid() != 0 and shutil.which("newuidmap") is None:
        raise BuildError("newuidmap is not here, and this user is not root", hint="install uidmap")


def _probe(directory: Path) -> None:
    """See whether this machine lets us, before a root is made for nothing."""
    status, text = _script(directory, "remove", str(directory / "root"))
    if status != 0:
        hint = "allow user namespaces; a user other than root needs a line in /etc/subuid and /etc/subgid"
        raise BuildError(f"there is no user namespace for this user: {_last(text)}", hint=hint)


def _script(directory: Path, *arguments: str) -> tuple[int, str]:
    done = run(["sh", directory / "room.sh", *arguments], check=False)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]


def _remove(directory: Path) -> None:
    # Only the namespace may remove what belongs to its users.
    if (directory / "root").exists():
        _script(directory, "remove", str(directory / "root"))
    shutil.rmtree(directory, ignore_errors=True)


def _sweep(cache: Path) -> None:
    """Remove what runs left that were killed, and roots and packages that are old by now."""
    for path in [*cache.glob("*.tar"), *cache.glob("archives-*/*.deb")]:
        with suppress(OSError):
            # The other time is that of the mirror.
            if path.stat().st_ctime < time.time() - UNUSED:
                path.unlink()
    for directory in cache.glob("room-*"):
        with suppress(OSError), (directory / "busy").open("r") as busy:
            fcntl.flock(busy, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(directory)


def _root(target: str, directory: Path, listener: Listener) -> Path:
    """The tar file of a target's root. directory: of the room. Raises BuildError."""
    cache = directory.parent
    command = [
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
    sources = _sources(target)
    said = f"{command} {sources} {time.strftime('%Y-%m')}"
    stem = f"{target}-{machines.own()}"
    path = cache / f"{stem}-{hashlib.sha256(said.encode()).hexdigest()[:12]}.tar"
    with (cache / f"{stem}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            return path
        listener.step(f"make a clean {target} (once a month)")
        making, scratch = directory / "root.tar", directory / "root"
        scratch.mkdir()
        words = ["env", f"TMPDIR={scratch}", *command, "--format=tar", str(making), *sources]
        try:
            run(["sh", directory / "room.sh", "make", *words])
        except CommandError as failed:
            # The last lines say only that it ends.
            lines = [line[3:] for line in failed.output.splitlines() if line.startswith("E: ")] or [failed.message]
            hint = f"it needs a mirror of {target}, and keys: install {KEYRINGS[_family(target)]}"
            raise BuildError(f"mmdebstrap failed: {lines[0]}", hint=hint) from None
        for old in cache.glob(f"{stem}-*.tar"):
            old.unlink()
        making.rename(path)
        scratch.rmdir()
    return path


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
