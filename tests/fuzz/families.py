"""The words of apt and of dnf for the steps of a sequence: change, remove, reinstall, repair, and what is installed."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.fuzz.machine import FuzzMachine
from tests.fuzz.model import CORE, PLUGINS, Installed
from tests.fuzz.operations import Step

PLACE = "/srv/repo"
KIT = f"{CORE}-plugin-kit"


class Family(ABC):
    """A package manager on one machine. repository: what is to be installed from."""

    base: str

    def __init__(self, machine: FuzzMachine, repository: Path) -> None:
        self.machine, self.repository = machine, repository
        self.has_kit = any(KIT in path.name for path in repository.iterdir())

    def setup(self) -> None:
        """Make the repository known."""
        self.machine.put(self.repository, PLACE)

    def command(self, step: Step) -> list[str]:
        """The transaction that does a step."""
        if step.word in ("remove", "renew"):
            names = [f"{CORE}-plugin-{name}" for name in step.named]
            # The kit may be there still from a plugin that is gone.
            return self.remove(names or [name for name, _ in self.records()], direct=step.direct)
        if step.word == "reinstall":
            versions = step.before.versions
            return self.reinstall({f"{CORE}-plugin-{name}": versions[name] for name in step.named}, direct=step.direct)
        return self.change(self.packages(step.before), self.packages(step.after), direct=step.direct)

    def packages(self, state: Installed) -> dict[str, str]:
        """Version by package, with the kit where there is one and a plugin that needs it."""
        made = {CORE: state.core} if state.core else {}
        if state.plugins and self.has_kit:
            made[KIT] = state.core
        made.update((f"{CORE}-plugin-{name}", version) for name, version in state.plugins)
        return made

    def file(self, name: str, version: str) -> str:
        """Where a package lies in the machine."""
        (path,) = [
            path
            for path in self.repository.iterdir()
            if re.fullmatch(rf"{re.escape(name)}[-_]{re.escape(version)}-1[._][a-z0-9_]+\.(deb|rpm)", path.name)
        ]
        return f"{PLACE}/{path.name}"

    def installed(self) -> Installed:
        """What the package manager has on record as installed. Raises ValueError where it has two of one."""
        versions: dict[str, str] = {}
        for name, version in self.records():
            if versions.setdefault(name, version) != version:
                raise ValueError(f"{name} is installed twice: {versions[name]} and {version}")
        plugins = {name: versions[f"{CORE}-plugin-{name}"] for name in PLUGINS if f"{CORE}-plugin-{name}" in versions}
        return Installed.of(versions.get(CORE, ""), plugins)

    @abstractmethod
    def change(self, before: dict[str, str], after: dict[str, str], *, direct: bool) -> list[str]:
        """Bring the packages of after in, in these versions."""

    @abstractmethod
    def remove(self, names: Iterable[str], *, direct: bool) -> list[str]:
        """Remove packages."""

    @abstractmethod
    def reinstall(self, packages: dict[str, str], *, direct: bool) -> list[str]:
        """Install packages again in the same version."""

    @abstractmethod
    def repair(self) -> Iterator[tuple[list[str], bool]]:
        """What people type after a transaction that was cut off, one after the other; whether it must end with 0."""

    @abstractmethod
    def records(self) -> list[tuple[str, str]]:
        """Name and upstream version of the packages that are installed."""

    @abstractmethod
    def complaints(self) -> str:
        """What the package manager finds wrong with our packages; "" if nothing."""


class Apt(Family):
    """apt and dpkg."""

    base = "debian12-apt"
    apt = ("apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0", "--allow-downgrades")

    def setup(self) -> None:
        super().setup()
        for old in self.machine.path("/etc/apt/sources.list.d").glob("*"):
            old.unlink()
        self.machine.write("/etc/apt/sources.list", f"deb [trusted=yes] file:{PLACE} ./\n")
        self.machine.run(*self.apt, "update", "--error-on=any")

    def change(self, before: dict[str, str], after: dict[str, str], *, direct: bool) -> list[str]:
        if direct:
            changed = [self.file(*one) for one in after.items() if before.get(one[0]) != one[1]]
            return ["dpkg", "--force-downgrade", "-i", *changed]
        return [*self.apt, "install", *(f"{name}={version}-1" for name, version in after.items())]

    def remove(self, names: Iterable[str], *, direct: bool) -> list[str]:
        return ["dpkg", "-r", *names] if direct else [*self.apt, "remove", *names]

    def reinstall(self, packages: dict[str, str], *, direct: bool) -> list[str]:
        if direct:
            return ["dpkg", "-i", *(self.file(*one) for one in packages.items())]
        return [*self.apt, "install", "--reinstall", *(f"{name}={version}-1" for name, version in packages.items())]

    def repair(self) -> Iterator[tuple[list[str], bool]]:
        # It cannot finish what waits for packages that are not there yet.
        yield ["dpkg", "--configure", "-a"], False
        yield [*self.apt, "-f", "install"], not self._half_unpacked()
        # apt does not unpack the same version again by itself; `dpkg --audit` tells people to do so.
        if broken := self._half_unpacked():
            yield [*self.apt, "install", "--reinstall", *broken], True
            yield [*self.apt, "-f", "install"], True

    def _half_unpacked(self) -> list[str]:
        show = "${db:Status-Eflag} ${Package}=${Version}\n"
        shown = self.machine.run("dpkg-query", "-W", "-f", show, CORE, f"{CORE}-*", check=False).stdout
        return re.findall(r"(?m)^reinstreq (\S+)$", shown)

    def records(self) -> list[tuple[str, str]]:
        show = "${db:Status-Status} ${Package} ${Version}\n"
        shown = self.machine.run("dpkg-query", "-W", "-f", show, CORE, f"{CORE}-*", check=False).stdout
        # After a removal that was cut off, dpkg leaves the core with a trigger that only another transaction runs.
        return re.findall(r"(?m)^(?:installed|triggers-pending) (\S+) (\S+)-1$", shown)

    def complaints(self) -> str:
        names = [name for name, _ in self.records()]
        audit = self.machine.run("dpkg", "--audit", check=False).stdout
        return audit + (self.machine.run("dpkg", "-V", *names, check=False).stdout if names else "")


class Dnf(Family):
    """dnf and rpm."""

    base = "debian12-dnf"
    dnf = ("dnf", "-y", "-q", "--setopt=install_weak_deps=False")
    rpm = ("rpm", "--nosignature", "--force-debian")

    def setup(self) -> None:
        super().setup()
        self.machine.write(
            "/etc/yum.repos.d/parley.repo", f"[parley]\nname=parley\nbaseurl=file://{PLACE}\ngpgcheck=0\n"
        )

    def change(self, before: dict[str, str], after: dict[str, str], *, direct: bool) -> list[str]:
        if direct:
            changed = [self.file(*one) for one in after.items() if before.get(one[0]) != one[1]]
            # The kit may be there still from a plugin that is gone.
            return [*self.rpm, "-U", "--oldpackage", "--replacepkgs", *changed]
        return [*self.dnf, "install", *(f"{name}-{version}-1" for name, version in after.items())]

    def remove(self, names: Iterable[str], *, direct: bool) -> list[str]:
        return [*self.rpm, "-e", *names] if direct else [*self.dnf, "remove", *names]

    def reinstall(self, packages: dict[str, str], *, direct: bool) -> list[str]:
        if direct:
            return [*self.rpm, "-U", "--replacepkgs", *(self.file(*one) for one in packages.items())]
        return [*self.dnf, "reinstall", *(f"{name}-{version}-1" for name, version in packages.items())]

    def repair(self) -> Iterator[tuple[list[str], bool]]:
        names = [name for name, _ in self.records()]
        if len(set(names)) != len(names):
            yield [*self.dnf, "remove", "--duplicates"], True
        if changed := [name for name in sorted(set(names)) if self.machine.run("rpm", "-V", name, check=False).stdout]:
            yield [*self.dnf, "reinstall", *changed], True

    def records(self) -> list[tuple[str, str]]:
        shown = self.machine.run("rpm", "-qa", "--qf", "%{NAME} %{VERSION}\n", CORE, f"{CORE}-*").stdout
        return re.findall(r"(?m)^(\S+) (\S+)$", shown)

    def complaints(self) -> str:
        names = [name for name, _ in self.records()]
        return self.machine.run("rpm", "-V", *names, check=False).stdout if names else ""


FAMILIES: dict[str, type[Family]] = {"apt": Apt, "dnf": Dnf}
