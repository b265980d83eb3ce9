"""Packs random projects, installs them by dpkg, apt, rpm or dnf, and looks whether each file is what the project says.

`python -m tests.fuzz packed` prints a line for each project of which not all that was packed came through: another
owner, mode, kind or content, words of `dpkg -V` or `rpm -V`, a status that is not 0, something left after a purge.
What mkpkgs refuses is counted; it must say why in words.
"""

from __future__ import annotations

import argparse
import gzip
import os
import posixpath
import stat
import tempfile
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import roots
from tests.fuzz.drawn import Drawing, Drawn, Wanted
from tests.machine import Done, Machine
from tests.workspace import Workspace, tiny

# Projects for one machine: users of servers stay, and there are numbers for some hundred.
LIFE = 100
INBOX = "/root/packages"
# What other programs write meanwhile, and what package managers, systemd and sysusers.d keep.
RECORDS = tuple(
    f"/var/{place}"
    for place in (
        *("cache/apt", "cache/debconf", "cache/dnf", "cache/ldconfig", "cache/man", "lib/apt", "lib/dpkg", "lib/dnf"),
        *("lib/rpm", "lib/systemd", "lib/private", "lib/dbus", "log/journal", "log/apt", "log/dpkg.log", "log/wtmp"),
        *(
            "log/alternatives.log",
            "log/dnf",
            "log/hawkey.log",
            "log/btmp",
            "log/lastlog",
            "log/faillog",
            "log/private",
            "cache/private",
        ),
    )
) + tuple(f"/etc/{name}" for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid", ".pwd.lock"))
PLACES = ("etc", "usr", "var/lib", "var/log", "var/cache", "var/spool")
# Packages of each of these systems own them; here, a package of ours would be the only one.
SYSTEMS = (
    *("/etc/cron.d", "/etc/default", "/etc/logrotate.d", "/etc/xdg", "/usr/libexec", "/usr/share/applications"),
    *("/usr/share/man/man1", "/usr/share/man/de/man5", "/usr/lib/python3/dist-packages", "/var/spool"),
)
KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}


class RefusedError(Exception):
    """mkpkgs does not take a project. The text is what it says."""


class Taker(ABC):
    """A machine that takes packages. known: what lies on it without any of ours."""

    base: str
    suffix: str

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.known = self.listing()

    @abstractmethod
    def install(self, files: Sequence[str], *, directly: bool) -> list[str]:
        """The command that installs package files. directly: without what looks for dependencies."""

    @abstractmethod
    def purge(self, names: Sequence[str], *, directly: bool) -> list[str]:
        """The command that takes packages away, with their configuration."""

    def may_stay(self, path: str, drawn: Drawn) -> bool:
        """Whether a path may be left: the home of the service is its user's, and what a ghost lies in the server's."""
        return any(f"{place}/".startswith(f"{path}/") for place in (drawn.home, *map(posixpath.dirname, drawn.ghosts)))

    @abstractmethod
    def verify(self, names: Sequence[str]) -> list[str]:
        """The command that says what differs."""

    def listing(self) -> dict[str, str]:
        """Kind, mode and numbers of owners by path of all that lies where packages may put files."""
        found = {}
        for place in PLACES:
            for folder, folders, names in os.walk(self.machine.path(f"/{place}")):
                inside = f"/{os.path.relpath(folder, self.machine.root)}"
                folders[:] = [name for name in folders if f"{inside}/{name}" not in RECORDS]
                for name in [*folders, *names]:
                    if not (path := f"{inside}/{name}").startswith(RECORDS):
                        seen = os.lstat(f"{folder}/{name}")
                        found[path] = f"{seen.st_mode:o} {seen.st_uid}:{seen.st_gid}"
        return found

    def run(self, mask: int, command: Sequence[str]) -> Done:
        """Run a command under a umask."""
        return self.machine.run("sh", "-c", f'umask {mask:o}; cd {INBOX}; exec "$@"', "sh", *command, check=False)

    def accounts(self, file: str) -> dict[int, str]:
        """Names of users or groups by their numbers."""
        rows = [line.split(":") for line in self.machine.path(f"/etc/{file}").read_text().splitlines()]
        return {int(row[2]): row[0] for row in rows}


class Deb(Taker):
    """dpkg and apt."""

    base = "debian12-apt"
    suffix = "deb"

    def install(self, files: Sequence[str], *, directly: bool) -> list[str]:
        if directly:
            return ["dpkg", "-i", *files]
        return ["apt-get", "-qy", "-o", "APT::Sandbox::User=root", "install", *(f"./{file}" for file in files)]

    def purge(self, names: Sequence[str], *, directly: bool) -> list[str]:
        return ["dpkg", "-P", *names] if directly else ["apt-get", "-qy", "purge", *names]

    def verify(self, names: Sequence[str]) -> list[str]:
        return ["sh", "-c", 'dpkg --audit; dpkg -V "$@"; debsums -s "$@"', "sh", *names]

    def may_stay(self, path: str, drawn: Drawn) -> bool:
        """A .deb has no ghosts, so they are nobody's."""
        return super().may_stay(path, drawn) or path in drawn.ghosts


class Rpm(Taker):
    """rpm and dnf."""

    base = "debian12-dnf"
    suffix = "rpm"

    def install(self, files: Sequence[str], *, directly: bool) -> list[str]:
        if directly:
            return ["rpm", "-U", "--nosignature", "--force-debian", *files]
        return ["dnf", "-yq", "--disablerepo=*", "install", *(f"./{file}" for file in files)]

    def purge(self, names: Sequence[str], *, directly: bool) -> list[str]:
        return ["rpm", "-e", "--force-debian", *names] if directly else ["dnf", "-yq", "remove", *names]

    def verify(self, names: Sequence[str]) -> list[str]:
        return ["rpm", "-V", *names]

    def may_stay(self, path: str, drawn: Drawn) -> bool:
        """As in any rpm, a directory that the project does not list and that is not named after it."""
        is_directory = stat.S_ISDIR(self.machine.path(path).lstat().st_mode)
        unlisted = path not in drawn.wanted and drawn.name not in path.split("/")
        return super().may_stay(path, drawn) or (is_directory and unlisted)


TAKERS: dict[str, type[Taker]] = {"apt": Deb, "dnf": Rpm}


def pack(seed: int, directory: Path, keys: Path) -> tuple[Drawn, Path]:
    """Draw a project below directory and run mkpkgs; gives the output directory. Raises RefusedError, or fails."""
    drawn = Drawing(seed, directory / "project").draw()
    workspace = Workspace(directory / "project", keys)
    before = os.umask(drawn.masks[0])
    try:
        done = workspace.mkpkgs(check=False)
    finally:
        os.umask(before)
    if done.returncode in (1, 2) and "mkpkgs: error: " in done.stdout and " is damaged" not in done.stdout:
        raise RefusedError(done.stdout)
    assert done.returncode == 0, f"mkpkgs ends with {done.returncode}: {done.stdout}"
    return drawn, workspace.dist


def take(taker: Taker, drawn: Drawn, dist: Path) -> Iterator[str]:
    """Install the packages of a project, look, purge them, look. Gives what is wrong."""
    machine = taker.machine
    authors = f"{drawn.name}-plugin-dev"
    files = [path for path in dist.rglob(f"*.{taker.suffix}") if not path.name.startswith(authors)]
    for file in files:
        machine.put(file, f"{INBOX}/{file.name}")
    names = [drawn.name, *(f"{drawn.name}-plugin-{name}" for name in drawn.plugins)]
    mask = drawn.masks[1]
    done = taker.run(mask, taker.install(sorted(path.name for path in files), directly=drawn.directly))
    if done.returncode:
        yield f"the installation ends with {done.returncode}: {done.stdout}"
    told = machine.run(f"{drawn.name}-plugins", "status", check=False)
    if told.returncode:
        yield f"status ends with {told.returncode}: {told.stdout}{done.stdout}"
    yield from _served(machine, drawn)
    yield from _differences(taker, drawn)
    if complaints := taker.run(mask, taker.verify(names)).stdout:
        yield f"verification says: {complaints}"
    for path, ghost in drawn.ghosts.items():
        # As the server does: in a directory that is there.
        if machine.path(path).parent.is_dir():
            machine.write(path, b"written", ghost.mode)
    gone = taker.run(mask, taker.purge(names[::-1], directly=drawn.directly))
    if gone.returncode:
        yield f"the removal ends with {gone.returncode}: {gone.stdout}"
    for file in files:
        machine.path(f"{INBOX}/{file.name}").unlink()
    yield from _left(taker, drawn)


def _left(taker: Taker, drawn: Drawn) -> Iterator[str]:
    """What the removal has left or taken that it should not."""
    now = taker.listing()
    for path in sorted(taker.known.keys() | now.keys()):
        if taker.known.get(path) == now.get(path):
            continue
        was, stays = taker.known.get(path, "nothing"), now.get(path, "nothing")
        if was != "nothing" or not taker.may_stay(path, drawn):
            yield f"after the removal {path!r} is {stays}, before it was {was}"
    # So that the next project is told apart.
    for path in sorted(now.keys() - taker.known.keys(), reverse=True):
        place = taker.machine.path(path)
        place.rmdir() if stat.S_ISDIR(place.lstat().st_mode) else place.unlink()


def _served(machine: Machine, drawn: Drawn) -> Iterator[str]:
    """What the server is to read: all plugins in their order, with their files."""
    serving = f"/usr/lib/{drawn.name}/bin/serving"
    listed = machine.run("cat", f"{serving}/loader/plugins", check=False).stdout.split()
    if listed != drawn.plugins:
        yield f"the server gets the plugins {listed}, not {drawn.plugins}"
    root = drawn.raw["core"].get("plugins-directory") or f"/usr/lib/{drawn.name}/plugins"
    real = machine.run("readlink", "-f", serving, check=False).stdout.strip()
    for path, wanted in drawn.wanted.items():
        if path.startswith(f"{root}/"):
            copy = machine.path(f"{real}/plugins/{path.removeprefix(f'{root}/')}")
            if not copy.is_file() or copy.read_bytes() != wanted.what:
                yield f"the server gets no or another {path!r}"


def _differences(taker: Taker, drawn: Drawn) -> Iterator[str]:
    """What lies on the machine otherwise than the project says."""
    users, groups = taker.accounts("passwd"), taker.accounts("group")
    for path, wanted in drawn.wanted.items():
        place = taker.machine.path(path)
        packed = path.startswith("/usr/share/man/") and wanted.kind != "directory"
        if packed:
            place = place.with_name(f"{place.name}.gz")
        try:
            seen = place.lstat()
        except OSError as error:
            yield f"{path!r}: {error.strerror}"
            continue
        kind = KINDS.get(stat.S_IFMT(seen.st_mode), "?")
        what = str(place.readlink()).encode() if kind == "symlink" else place.read_bytes() if kind == "file" else b""
        if packed:
            what = gzip.decompress(what) if kind == "file" else what.removesuffix(b".gz")
        mode = 0 if kind == "symlink" else stat.S_IMODE(seen.st_mode)
        found = Wanted(kind, what, mode, users.get(seen.st_uid, "?"), groups.get(seen.st_gid, "?"))
        if found != wanted:
            yield f"{path!r} is {_told(found)}, not {_told(wanted)}"


def _told(one: Wanted) -> str:
    return f"a {one.kind} {one.mode:04o} {one.owner}:{one.group} of {len(one.what)} bytes {one.what[:40]!r}"


def replay(one: Tried) -> str:
    """The command that does the same again."""
    family = f" --family {one.family}" if one.family else ""
    return f"python -m tests.fuzz packed{family} --seed {one.seed}"


@contextmanager
def taking(family: str, directory: Path) -> Iterator[Taker]:
    """A booted machine of a family, in directory, which must not exist."""
    kind = TAKERS[family]
    with Machine(roots.root(kind.base), directory) as machine:
        for place in (INBOX, *(SYSTEMS if kind is Rpm else ())):
            machine.path(place).mkdir(parents=True, exist_ok=True)
        yield kind(machine)


@dataclass(frozen=True, slots=True)
class Tried:
    """A project. family: "" if mkpkgs itself made the fault. refusal: what mkpkgs says. faults: none if all is well."""

    seed: int
    family: str = ""
    refusal: str = ""
    faults: tuple[str, ...] = ()


def tried(families: Sequence[str], seeds: Iterable[int], directory: Path) -> Iterator[Tried]:
    """Projects, one after the other, on each family. A machine with a fault is left for a new one.

    directory: for machines, must not exist.
    """
    directory.mkdir()
    keys = tiny(directory / "keys-of").keys
    with ExitStack() as stack:
        machines: dict[str, tuple[ExitStack, Taker]] = {}
        for number, seed in enumerate(seeds):
            with tempfile.TemporaryDirectory(dir=directory) as place:
                try:
                    drawn, dist = pack(seed, Path(place), keys)
                except RefusedError as said:
                    yield Tried(seed, refusal=str(said))
                    continue
                except AssertionError as fault:
                    yield Tried(seed, faults=(str(fault),))
                    continue
                for family in families:
                    if family not in machines:
                        own = stack.enter_context(ExitStack())
                        machines[family] = own, own.enter_context(taking(family, directory / f"{family}-{seed}"))
                    faults = tuple(take(machines[family][1], drawn, dist))
                    yield Tried(seed, family, faults=faults)
                    if faults or number % LIFE == LIFE - 1:
                        machines.pop(family)[0].close()


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--projects", type=int, default=1, help="how many, each with the next seed")
    parser.add_argument("--seed", type=int, default=0, help="of the first one")
    parser.add_argument("--family", choices=sorted(TAKERS), help="default: both")
    parser.add_argument("--verbose", action="store_true", help="say why mkpkgs refuses what it refuses")


def main(options: argparse.Namespace) -> int:
    """Run, and say what was found. 0 if nothing was."""
    families = [options.family] if options.family else sorted(TAKERS)
    seeds = range(options.seed, options.seed + options.projects)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="mkpkgs-packed-") as directory:
        for one in tried(families, seeds, Path(directory) / "work"):
            counts["refused" if one.refusal else "faults" if one.faults else "taken"] += 1
            if one.refusal and options.verbose:
                print(f"{one.seed} refused: {one.refusal}", flush=True)
            if one.faults:
                told = "\n  ".join(one.faults)
                print(f"{one.family} {one.seed}: {told}\n  again: {replay(one)}", flush=True)
    print(
        f"{options.projects} projects: {counts['taken']} taken, {counts['refused']} refused, {counts['faults']} faults"
    )
    return 1 if counts["faults"] else 0
