"""Machines whose package manager reads one of our repositories: the same words for apt and for dnf."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from tests import roots
from tests.machine import Done, Machine

# Places where package managers, systemd and logs keep their own records, which stay.
RECORDS = (
    "/proc|/sys|/dev|/run|/tmp|/var/tmp|/var/log|/var/cache|/root|"
    "/var/lib/(dpkg|apt|dnf|rpm|systemd|private|dbus)|/usr/lib/sysimage|/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?|/etc/\\.pwd\\.lock"
)


class System(Machine, ABC):
    """A machine with one of our repositories as its only source of packages.

    dist: what mkpkgs left. core: name of the server's package and unit.
    """

    folder: str
    suffix: str
    base_name: str

    def __init__(self, dist: Path, directory: Path, core: str, *, boot: bool = True) -> None:
        super().__init__(roots.root(self.base_name), directory, boot=boot)
        self.dist = dist
        self.core = core

    def use(self, dist: Path | None = None) -> None:
        """Serve the repository and make it the only source, with the files that mkpkgs made for administrators."""
        self.dist = dist or self.dist
        self.stop_serving()
        self.configure(self.serve(self.dist).rstrip("/"))

    @abstractmethod
    def configure(self, address: str) -> None:
        """Install the client's files of `dist`, which is served at address."""

    @abstractmethod
    def install(self, *names: str, check: bool = True) -> Done:
        """Install packages with all they depend on, in one transaction, after reading the repository anew."""

    @abstractmethod
    def remove(self, *names: str) -> Done:
        """Remove packages, in one transaction."""

    @abstractmethod
    def upgrade(self) -> Done:
        """Upgrade everything, in one transaction."""

    @abstractmethod
    def purge(self) -> Done:
        """Remove the core, all that belongs to it, and its configuration."""

    @abstractmethod
    def force(self, package: Path, *, check: bool = True) -> Done:
        """Install a package file past all dependencies and repository signatures, as people do in a hurry."""

    @abstractmethod
    def installed(self) -> dict[str, str]:
        """Version by name of the installed packages of the core."""

    @abstractmethod
    def verify(self) -> str:
        """What differs on disk from what the packages of the core brought, but for configuration; "" if nothing."""

    def plugin(self, *names: str) -> list[str]:
        """Package names of plugins."""
        return [f"{self.core}-plugin-{name}" for name in names]

    def starts(self) -> int:
        """How often systemd has started the service."""
        self.run("journalctl", "--sync", check=False)
        journal = self.run("journalctl", "--unit", self.core, "--output", "cat", check=False).stdout
        return len(re.findall(rf"^Started {self.core}\.service", journal, re.MULTILINE))

    def is_active(self) -> bool:
        """Whether the service runs."""
        return self.run("systemctl", "is-active", "--quiet", self.core, check=False).returncode == 0

    def files(self) -> set[str]:
        """All paths of the machine but the records of package managers and the like."""
        found = self.sh(f"find / -xdev -regextype posix-extended -regex '{RECORDS}' -prune -o -print")
        return set(found.splitlines())

    def enable(self) -> None:
        """Start the service now and at boot: Debian does so on installation, rpm's distributions leave it to people."""
        self.run("systemctl", "enable", "--now", self.core)


class Apt(System):
    """Debian 12 with apt."""

    folder = "apt"
    suffix = "deb"
    base_name = "debian12-apt"
    _read: Sequence[object] = ()

    def configure(self, address: str) -> None:
        for old in (self.path("/etc/apt/sources.list"), *self.path("/etc/apt/sources.list.d").glob("*")):
            old.unlink(missing_ok=True)
        (sources,) = self.dist.rglob("*.sources")
        text = re.sub(r"(?m)^URIs: http://[^/\s]+", f"URIs: {address}", sources.read_text())
        self.write(f"/etc/apt/sources.list.d/{sources.name}", text)
        signed_by = re.findall(r"(?m)^Signed-By: *(/\S+)$", text)
        for place in signed_by:
            (key,) = self.dist.rglob(Path(place).name)
            self.put(key, place)

    def apt(self, *arguments: str, check: bool = True) -> Done:
        """Run apt-get without questions."""
        return self.run("apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0", *arguments, check=check)

    def install(self, *names: str, check: bool = True) -> Done:
        if (now := self._to_read()) != self._read or not [*self.path("/var/lib/apt/lists").glob("*_InRelease")]:
            updated = self.apt("update", "--error-on=any", check=check)
            if updated.returncode != 0:
                return updated
            self._read = now
        return self.apt("install", *names, check=check)

    def _to_read(self) -> Sequence[object]:
        """What decides whether `apt update` finds anything new: it takes a quarter of the time of an installation."""
        signed = [path for place in self._served for path in place.rglob("InRelease")]
        files = [*signed, *(path for path in self.path("/etc/apt").rglob("*") if path.is_file())]
        return [(path, path.stat().st_ino, path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(files)]

    def remove(self, *names: str) -> Done:
        return self.apt("remove", *names)

    def upgrade(self) -> Done:
        self.apt("update", "--error-on=any")
        return self.apt("upgrade")

    def purge(self) -> Done:
        return self.apt("purge", self.core, f"{self.core}-plugin-*")

    def force(self, package: Path, *, check: bool = True) -> Done:
        self.put(package, f"/root/{package.name}")
        done = self.run("dpkg", "--force-depends", "-i", f"/root/{package.name}", check=check)
        # apt takes dpkg's records of the same second and the same length for those that it knows.
        self.sh("rm -f /var/cache/apt/*pkgcache.bin")
        return done

    def installed(self) -> dict[str, str]:
        shown = self.run(
            "dpkg-query",
            "-W",
            "-f",
            "${db:Status-Status} ${Package} ${Version}\n",
            self.core,
            f"{self.core}-*",
            check=False,
        ).stdout
        return dict(re.findall(r"(?m)^installed (\S+) (\S+)$", shown))

    def verify(self) -> str:
        names = sorted(self.installed())
        return "".join(
            _without_configuration(self.run(*command, *names, check=False).stdout)
            for command in (("dpkg", "-V"), ("debsums", "-s"))
        )


class Dnf(System):
    """dnf and rpm, as Fedora and EL have them, on a Debian system that is hidden from rpm's database."""

    folder = "yum"
    suffix = "rpm"
    base_name = "debian12-dnf"

    def configure(self, address: str) -> None:
        for old in self.path("/etc/yum.repos.d").glob("*"):
            old.unlink()
        (repo,) = self.dist.rglob("*.repo")
        text = re.sub(r"http://[^/\s]+", address, repo.read_text())
        self.write(f"/etc/yum.repos.d/{repo.name}", text + "metadata_expire=0\n")
        for place in re.findall(r"(?m)^gpgkey=file://(/\S+)$", text):
            (key,) = self.dist.rglob(Path(place).name)
            self.put(key, place)

    def dnf(self, *arguments: str, check: bool = True) -> Done:
        """Run dnf without questions."""
        return self.run("dnf", "-y", *arguments, check=check)

    def install(self, *names: str, check: bool = True) -> Done:
        return self.dnf("install", *names, check=check)

    def remove(self, *names: str) -> Done:
        return self.dnf("remove", *names)

    def upgrade(self) -> Done:
        return self.dnf("upgrade")

    def purge(self) -> Done:
        return self.dnf("remove", self.core)

    def force(self, package: Path, *, check: bool = True) -> Done:
        self.put(package, f"/root/{package.name}")
        return self.run("rpm", "-U", "--nodeps", "--nosignature", f"/root/{package.name}", check=check)

    def installed(self) -> dict[str, str]:
        shown = self.run("rpm", "-qa", "--qf", "%{NAME} %{EVR}\n", self.core, f"{self.core}-*").stdout
        return dict(re.findall(r"(?m)^(\S+) (\S+)$", shown))

    def verify(self) -> str:
        return _without_configuration(self.run("rpm", "-V", *sorted(self.installed()), check=False).stdout)


def _without_configuration(said: str) -> str:
    """Lines of `dpkg -V` or `rpm -V`, without files that are marked as configuration: people change those."""
    return "".join(line for line in said.splitlines(keepends=True) if " c /" not in line)


class Debian13Apt(Apt):
    """Debian 13: apt 3.0, dpkg 1.22, systemd 257."""

    base_name = "debian13-apt"


class Debian13Dnf(Dnf):
    """dnf 4.23 and rpm 4.20."""

    base_name = "debian13-dnf"


class SidApt(Apt):
    """Debian unstable: apt 3.3 with its new solver, dpkg 1.23, systemd 262."""

    base_name = "sid-apt"
    cgroup_v2 = True


class SidDnf(Dnf):
    """dnf5 and rpm 6, as Fedora has them."""

    base_name = "sid-dnf"
    cgroup_v2 = True

    def configure(self, address: str) -> None:
        super().configure(address)
        # On Fedora an rpm has this directory too. Here none has, so an empty one would leave with a package of ours.
        self.write("/etc/dnf/libdnf5-plugins/actions.d/README", "")


# What most tests run on.
SYSTEMS: dict[str, type[System]] = {"apt": Apt, "dnf": Dnf}
ALL: dict[str, type[System]] = {kind.base_name: kind for kind in (Apt, Dnf, Debian13Apt, Debian13Dnf, SidApt, SidDnf)}


@contextmanager
def several(directory: Path) -> Iterator[Callable[[type[System], Path, str], System]]:
    """Make booted machines below directory: kind, repositories that they use, core. They end with the context."""
    numbers = count()
    with ExitStack() as stack:

        def make(kind: type[System], dist: Path, core: str) -> System:
            system = stack.enter_context(kind(dist, directory / f"machine{next(numbers)}", core))
            system.use()
            return system

        yield make
