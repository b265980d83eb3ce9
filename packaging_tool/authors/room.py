"""A clean root of a distribution, in which packages are installed and run without a trace on this machine.

A family of distributions (`apt.py`, `dnf.py`) makes the root, as a tar file below the user's cache directory, anew
each month; each use unpacks its own copy and removes it. Programs in it see nothing else of this machine, and their
users are nobody outside of it (`cell.py`). No service starts there.

A room has two times. First it has only what the distribution signed, and may have the network: all that will be
installed is fetched. Then foreign code may run, and there is no network any more. Nothing that was written in the
second time is read outside, and the whole room is removed at its end.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from packaging_tool import atomic
from packaging_tool.authors import cell
from packaging_tool.authors.cell import Order
from packaging_tool.elf import machines
from packaging_tool.errors import BuildError
from packaging_tool.listener import Listener
from packaging_tool.run import run

# Where files that are put into a root lie.
INBOX = "/mkpkgs"
# Seconds that one program may take, so that a plugin that hangs ends.
PATIENCE = 900
# Seconds that a root and a fetched package are kept.
UNUSED = 31 * 86400
PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")
# Where programs of a root are.
INSIDE = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}
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
    def last(self) -> str:
        """The last line that says something."""
        return next((line.strip() for line in reversed(self.text.splitlines()) if line.strip()), "it said nothing")

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
    """A root in use, or in the making. directory: of all of it. fetched: packages of the distribution that are kept."""

    directory: Path
    fetched: Path

    @property
    def root(self) -> Path:
        """The files of the room's users: nothing outside may read or write there but by `cell.py`."""
        return self.directory / "root"

    @property
    def inbox(self) -> Path:
        """What is at INBOX in the room, where nobody can write to it."""
        return self.directory / "inbox"

    @property
    def outbox(self) -> Path:
        """What is at INBOX/out in the room as long as it has the network, for what it fetched."""
        return self.directory / "outbox"

    @property
    def tar(self) -> Path:
        """Where a root is packed that was made."""
        return self.directory / "root.tar"

    @property
    def _shut(self) -> Path:
        return self.directory / "shut"

    def shut(self) -> None:
        """Say that foreign code comes now: from here on there is no network."""
        self._shut.touch()

    def put(self, files: Sequence[Path]) -> None:
        """Copy files to INBOX."""
        for file in files:
            shutil.copyfile(file, self.inbox / file.name)
            (self.inbox / file.name).chmod(0o644)

    def run(self, *argv: str, online: bool = False) -> Said:
        """Run a program inside as root. online: with the network of this machine; never after `shut`."""
        if online and self._shut.exists():
            raise ValueError("foreign code may have run in the room")
        environment = {**INSIDE, **(proxies() if online else {})}
        order = Order(
            "inside",
            str(self.root),
            argv,
            environment,
            online=online,
            inbox=str(self.inbox),
            place=INBOX,
            outbox=str(self.outbox) if online else "",
            seconds=PATIENCE,
        )
        return give(order)

    def make(
        self,
        *argv: str,
        source: Path | None = None,
        output: Path | None = None,
        made: Sequence[Path] = (),
        shown: Sequence[Path] = (),
        furnished: bool = False,
        **environment: str,
    ) -> Said:
        """Run a program of this machine that fills or reads the root, in which it starts. See cell.Order."""
        # What it calls itself is the system's: another Python of the user's may be where nobody else can read it.
        program = shutil.which(argv[0]) or argv[0]
        path = os.pathsep.join((INSIDE["PATH"], os.environ.get("PATH", "")))
        folders = [folder for folder in map(Path, path.split(os.pathsep)) if folder.is_absolute()]
        order = Order(
            "outside",
            str(self.root),
            [program, *argv[1:]],
            {"PATH": path, "HOME": "/", "LC_ALL": "C.UTF-8", **proxies(), **environment},
            source=str(source or ""),
            output=str(output or ""),
            made=[str(path) for path in made],
            shown=[str(folder) for folder in (*folders, *shown) if folder.is_dir()],
            furnished=furnished,
        )
        return give(order)

    def remove(self) -> Said:
        """Remove the root."""
        return give(Order("remove", str(self.root)))


def proxies() -> dict[str, str]:
    """What says how this machine reaches the network."""
    return {name: os.environ[name] for name in PROXIES if name in os.environ}


def give(order: Order) -> Said:
    """Have an order carried out."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
    words = [sys.executable, "-I", cell.__file__]
    done = run(words, env=environment, stdin=json.dumps(asdict(order)).encode(), check=False)
    return Said(done.returncode, (done.stdout + done.stderr).decode(errors="replace"))


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

    def fetch(self, place: Room, groups: Sequence[Collection[Path]]) -> None:
        """Fetch what groups of packages in the inbox depend on of the distribution, with the network.

        Before anything else is in the root. A group that cannot be installed is passed over: install says why. Raises
        BuildError.
        """
        ...

    def install(self, place: Room, files: Collection[Path]) -> None:
        """Install packages that were put into the room, without a network. Raises UnfitError."""
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
    fetched = cache / f"archives-{target}"
    for folder in (cache, fetched):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # What older versions left there was for all to see.
        folder.chmod(0o700)
    _sweep(cache)
    place = Room(Path(tempfile.mkdtemp(prefix="room-", dir=cache)), fetched)
    for folder, mode in ((place.inbox, 0o755), (place.inbox / "out", 0o755), (place.outbox, 0o777)):
        # Whatever the umask, the room's users must get there.
        folder.mkdir()
        folder.chmod(mode)
    with (place.directory / "busy").open("w") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)
        try:
            _probe(place)
            tar = _tar(target, family, recipe, place, listener)
            unpack = f"mkdir .{INBOX}; exec tar --extract --numeric-owner --exclude='./dev/*'"
            said = place.make("sh", "-ec", unpack, source=tar)
            if said.status != 0:
                raise BuildError(f"{tar} cannot be unpacked: {said.last}", hint="remove it, then call again")
            write(place, "/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
            family.settle(place)
            yield place
        finally:
            _remove(place)


def write(place: Room, path: str, text: str, mode: str = "0644") -> None:
    """Write a file in a root that was unpacked. Raises BuildError."""
    said = place.run("sh", "-ec", 'rm -f "$1"; printf %s "$2" >"$1"; chmod "$3" "$1"', "sh", path, text, mode)
    if said.status != 0:
        raise BuildError(f"{path} of the root cannot be written: {said.last}")


def require(target: str, family: Family) -> str:
    """The recipe of a target's root. Raises BuildError with a hint if it cannot be made here."""
    for program, package in (*family.programs, ("tar", "tar")):
        if shutil.which(program) is None:
            raise BuildError(f"{program} is not here", hint=f"install {package}")
    if os.geteuid() != 0 and shutil.which("newuidmap") is None:
        raise BuildError("newuidmap is not here, and this user is not root", hint="install uidmap")
    return family.recipe(target)


def _probe(place: Room) -> None:
    """See whether this machine lets us, before a root is made for nothing."""
    said = place.make("true")
    if said.status != 0:
        hint = "allow user namespaces; a user other than root needs a line in /etc/subuid and /etc/subgid"
        raise BuildError(f"there is no user namespace for this user: {said.last}", hint=hint)
    place.remove()


def _remove(place: Room) -> None:
    # Only the namespace may remove what belongs to its users. Where it was interrupted, its programs are just ending.
    for _ in range(3):
        if place.root.exists():
            place.remove()
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
    said = f"{recipe} {Path(cell.__file__).read_text()} {time.strftime('%Y-%m')}"
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


@dataclass(frozen=True, slots=True)
class Fetched:
    """A package as the signed index of a distribution names it."""

    name: str
    size: int
    sha256: str


def keep(files: Collection[Fetched], source: Path, target: Path, *, mode: int = 0o600) -> None:
    """Copy packages that are what the index says. What else has their name is left where it is."""
    for file in files:
        with suppress(OSError):
            # Links, and what is no file, are not opened: somebody else may have written the directory.
            with open(os.open(source / file.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as opened:  # noqa: PTH123 - of a descriptor
                status = os.fstat(opened.fileno())
                if not stat.S_ISREG(status.st_mode) or status.st_size != file.size:
                    continue
                data = opened.read(file.size + 1)
            if hashlib.sha256(data).hexdigest() == file.sha256:
                atomic.write(target / file.name, data, mode=mode)
