"""A clean root of a distribution, in which packages are installed and run without a trace on this machine.

A family of distributions (`apt.py`, `dnf.py`) makes the root, as a tar file below the user's cache directory, anew
each month; each use unpacks its own copy and removes it. Programs in it see nothing else of this machine, have a
network only to fetch packages, and their root is root of a user namespace (`templates/authors/room.sh`). No service
starts there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from packaging_tool.elf import machines
from packaging_tool.errors import BuildError
from packaging_tool.listener import Listener
from packaging_tool.package import templates
from packaging_tool.run import run

# Where files that are put into a root lie.
INBOX = "/mkpkgs"
# Seconds that one program may take, so that a plugin that hangs ends.
PATIENCE = 900
# Seconds that a root and a fetched package are kept.
UNUSED = 31 * 86400
PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")
# Lines of a package manager's or a server's words that are told.
TOLD = 6
# What administrators are to do, and what they have, is not for authors.
_OTHERS = ("repair: ", "the old set goes on serving", "there is no working program yet")


class UnfitError(Exception):
    """A plugin does not work: what was said."""


@dataclass(frozen=True, slots=True)
class Said:
    """How a program in a room ended. text: stdout and stderr in order."""

    status: int
    text: str

    @property
    def first(self) -> str:
        """The first line that says something."""
        return next((line.strip() for line in self.text.splitlines() if line.strip()), "it said nothing")

    def demand(self, *reasons: str, tool: str = "") -> None:
        """Raise UnfitError with what was said unless it ended well.

        reasons: patterns of lines that say why, the best first. tool: whose name stands before each line.
        """
        if self.status == 0:
            return
        lines = [line.removeprefix(f"{tool}: ").strip() for line in self.text.splitlines() if line.strip()]
        for pattern in reasons:
            if chosen := [line for line in lines if re.match(pattern, line)]:
                lines = chosen
                break
        told = [line for line in lines if not line.startswith(_OTHERS)]
        raise UnfitError("\n".join(told[-TOLD:]) or f"it ended with status {self.status} and said nothing")


@dataclass(frozen=True, slots=True)
class Room:
    """A root in use, or in the making. directory: of everything. archives: what was fetched of the distribution."""

    directory: Path
    archives: Path

    @property
    def root(self) -> Path:
        return self.directory / "root"

    @property
    def tar(self) -> Path:
        """Where a root is packed that was made."""
        return self.directory / "root.tar"

    def put(self, files: Sequence[Path]) -> None:
        """Copy files to INBOX. Before anything is installed: what is installed may make a link of that."""
        place = self.root / INBOX.lstrip("/")
        place.mkdir()
        for file in files:
            shutil.copyfile(file, place / file.name)

    def run(self, *argv: str, online: bool = False) -> Said:
        """Run a program inside as root. online: with the network of this machine."""
        words = [f"{name}={os.environ[name]}" for name in PROXIES if online and name in os.environ]
        limit = ["timeout", "-k", "10", str(PATIENCE)]
        how = "online" if online else "offline"
        return Said(*self.script(how, str(self.root), str(self.archives), *words, *limit, *argv))

    def script(self, *arguments: str) -> tuple[int, str]:
        """Call room.sh: the status, and what was said."""
        done = run(["sh", self.directory / "room.sh", *arguments], check=False)
        return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


class Family(Protocol):
    """Distributions whose roots are made, and whose packages are installed, in one way.

    programs: what it calls on this machine, each with its package.
    """

    programs: tuple[tuple[str, str], ...]

    def recipe(self, target: str) -> str:
        """All that decides what is in the root of a target. Raises BuildError with a hint if none can be made."""
        ...

    def make(self, target: str, place: Room) -> None:
        """Make the root, pack it into place.tar and remove it. Raises BuildError."""
        ...

    def settle(self, place: Room) -> None:
        """Prepare a root that was unpacked."""
        ...

    def install(self, place: Room, files: Collection[Path]) -> None:
        """Install packages that were put into the room, with what they depend on of the distribution.

        Raises BuildError for the network, UnfitError.
        """
        ...

    def remove(self, place: Room, packages: Sequence[str]) -> None:
        """Remove those of the packages that are there, whatever depends on them."""
        ...


def cache_directory() -> Path:
    """Where the roots are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mkpkgs"


@contextmanager
def clean(target: str, family: Family, listener: Listener) -> Iterator[Room]:
    """A new root of a target, gone at the end whatever happens. Raises BuildError with a hint if none can be made."""
    recipe = require(target, family)
    cache = cache_directory()
    archives = cache / f"archives-{target}"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    _sweep(cache)
    place = Room(Path(tempfile.mkdtemp(prefix="room-", dir=cache)), archives)
    (place.directory / "room.sh").write_text(templates.render("authors/room.sh"))
    with (place.directory / "busy").open("w") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)
        try:
            _probe(place)
            tar = _tar(target, family, recipe, place, listener)
            status, text = place.script("unpack", str(place.root), str(tar))
            if status != 0:
                raise BuildError(f"{tar} cannot be unpacked: {_last(text)}", hint="remove it, then call again")
            (place.root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
            family.settle(place)
            yield place
        finally:
            _remove(place)


def require(target: str, family: Family) -> str:
    """The recipe of a target's root. Raises BuildError with a hint if it cannot be made here."""
    for program, package in (*family.programs, ("unshare", "util-linux"), ("nsenter", "util-linux")):
        if shutil.which(program) is None:
            raise BuildError(f"{program} is not here", hint=f"install {package}")
    if os.geteuid() != 0 and shutil.which("newuidmap") is None:
        raise BuildError("newuidmap is not here, and this user is not root", hint="install uidmap")
    return family.recipe(target)


def _probe(place: Room) -> None:
    """See whether this machine lets us, before a root is made for nothing."""
    status, text = place.script("remove", str(place.root))
    if status != 0:
        hint = "allow user namespaces; a user other than root needs a line in /etc/subuid and /etc/subgid"
        raise BuildError(f"there is no user namespace for this user: {_last(text)}", hint=hint)


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]


def _remove(place: Room) -> None:
    # Only the namespace may remove what belongs to its users.
    if place.root.exists():
        place.script("remove", str(place.root))
    shutil.rmtree(place.directory, ignore_errors=True)


def _sweep(cache: Path) -> None:
    """Remove what runs left that were killed, and roots and packages that are old by now."""
    for path in [*cache.glob("*.tar"), *cache.glob("archives-*/**/*")]:
        with suppress(OSError):
            # The other time is that of the mirror.
            if path.is_file() and path.stat().st_ctime < time.time() - UNUSED:
                path.unlink()
    for directory in cache.glob("room-*"):
        with suppress(OSError), (directory / "busy").open("r") as busy:
            fcntl.flock(busy, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(Room(directory, directory))


def _tar(target: str, family: Family, recipe: str, place: Room, listener: Listener) -> Path:
    """The tar file of a target's root. Raises BuildError."""
    cache = place.directory.parent
    said = f"{recipe} {templates.render('authors/room.sh')} {time.strftime('%Y-%m')}"
    stem = f"{target}-{machines.own()}"
    path = cache / f"{stem}-{hashlib.sha256(said.encode()).hexdigest()[:12]}.tar"
    with (cache / f"{stem}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            return path
        listener.step(f"make a clean {target} (once a month)")
        family.make(target, place)
        for old in cache.glob(f"{stem}-*.tar"):
            old.unlink()
        place.tar.rename(path)
    return path
