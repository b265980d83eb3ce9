"""Repositories whose plugins are not all built for the newest core, and machines that are to upgrade from them.

The packages are mkpkgs' own. It refuses to publish such repositories, so apt-ftparchive and createrepo_c make them.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.systems import System
from tests.workspace import TINY, Workspace, raise_tiny

CORE = "greet"
# Two that every machine has, and six more for those with eight.
PAIR = ("git", "cors")
PLUGINS = (*PAIR, "auth", "cache", "gzip", "jwt", "proxy", "rate")
BUILT = tuple(name for name in PLUGINS if name != "cors")
# Of no concern to the core: it shows whether the rest of a system goes on.
OTHER = "other"
# What package managers do by themselves is the first question, not what our hook in them says.
NO_HOOK = {"GREET_PLUGINS_REMOVAL": "allow"}
# Name and version of each package.
Content = Sequence[tuple[str, str]]
# Versions with the format of each, from which the ABI follows.
FORMATS = (("1.0", "1"), ("1.1", "1"), ("1.2", "1"), ("2.0", "2"))


def plugins(version: str, *names: str) -> list[tuple[str, str]]:
    """Packages of plugins in one version."""
    return [(f"{CORE}-plugin-{name}", version) for name in names]


OLD = [(CORE, "1.0"), *plugins("1.0", *PLUGINS), (OTHER, "1.0")]
NEW = [(CORE, "2.0"), (OTHER, "2.0")]
# By name: the variant of the build that takes the place of the plain one for 2.0, and what the repository holds.
REPOSITORIES: dict[str, tuple[str, Content]] = {
    "old": ("", OLD),
    "partial": ("", [*OLD, *NEW, *plugins("2.0", *BUILT)]),
    "one": ("", [*OLD, *NEW, *plugins("2.0", "git")]),
    "dropped": ("", [*NEW, *plugins("2.0", *BUILT), *plugins("1.0", "cors")]),
    "complete": ("", [*OLD, *NEW, *plugins("2.0", *PLUGINS)]),
    "retired": ("retired", [*OLD, *NEW, *plugins("2.0", *PLUGINS)]),
    "replaced": ("replaced", [*OLD, *NEW, *plugins("2.0", *BUILT)]),
    # One upgrade after the other, for counting starts.
    "plugins": ("", [(CORE, "1.0"), *plugins("1.1", *PLUGINS)]),
    "core": ("", [(CORE, "1.1"), *plugins("1.1", *PLUGINS)]),
    "both": ("", [(CORE, "1.2"), *plugins("1.2", *PLUGINS)]),
    "abi": ("", [(CORE, "1.2"), *plugins("1.2", *PLUGINS), (CORE, "2.0"), *plugins("2.0", *PLUGINS)]),
}


@dataclass(frozen=True, slots=True)
class World:
    """Repositories `apt/NAME` and `yum/NAME` below directory; `protected.deb`: cors 1.0 with a field that ours lack."""

    directory: Path

    @classmethod
    def make(cls, directory: Path) -> Self:
        """Build all packages and put them together."""
        world = cls(directory)
        build = directory / "build"
        plain = _project(build / "plain", PLUGINS)
        for version, number in FORMATS:
            raise_tiny(plain, version, number)
            plain.mkpkgs()
        retired = _project(build / "retired", BUILT, keys=plain.keys, repository='retired = ["cors"]')
        replaced = _project(build / "replaced", BUILT, keys=plain.keys, core='replaces = ["greet-plugin-cors < 2.0"]')
        variants = {"": plain, "retired": retired, "replaced": replaced}
        for made in (retired, replaced):
            raise_tiny(made, *FORMATS[-1])
            made.mkpkgs()
        for version in ("1.0", "2.0"):
            _other(build / "other", version)
        for name, (variant, content) in REPOSITORIES.items():
            pools = [variants[variant].dist, plain.dist, build / "other"]
            world._publish(name, pools, content)
        _protect(next((directory / "apt/old").glob("*-cors_*.deb")), build / "protected", directory / "protected.deb")
        shutil.rmtree(build)
        return world

    def _publish(self, name: str, pools: Sequence[Path], content: Content) -> None:
        """Copy packages, each from the first of the pools that has it, and index them."""
        apt, yum = self.directory / "apt" / name, self.directory / "yum" / name
        for place, pattern in ((apt, "{}_{}-1_all.deb"), (yum, "{}-{}-1.noarch.rpm")):
            place.mkdir(parents=True)
            for package in content:
                file = pattern.format(*package)
                shutil.copy(next(found for pool in pools for found in pool.rglob(file)), place)
        for kind, index in (("packages", "Packages"), ("release", "Release")):
            done = subprocess.run(["apt-ftparchive", kind, "."], cwd=apt, check=True, capture_output=True)
            (apt / index).write_bytes(done.stdout)
        subprocess.run(["createrepo_c", "--quiet", "--no-database", "."], cwd=yum, check=True, timeout=60)


def _project(
    directory: Path, names: Sequence[str], *, keys: Path | None = None, core: str = "", repository: str = ""
) -> Workspace:
    """The sample server with other plugins. core, repository: lines for these tables."""
    made = Workspace.create(TINY, directory, keys=keys)
    head, _, tail = (TINY / "mkpkgs.toml").read_text().partition("[plugin.hello]")
    end = tail[tail.index("[repository]") :]
    shutil.rmtree(made.root / "plugins")
    tables = ""
    for name in names:
        (made.root / "plugins" / name).mkdir(parents=True)
        (made.root / "plugins" / name / "greeting").write_text(f"format 1\nI am {name}\n")
        tables += f'[plugin.{name}]\nsummary = "Greets as {name}"\nfiles = {{ source = "plugins/{name}" }}\n\n'
    text = head.replace("[core]\n", f"[core]\n{core}\n", 1) + tables + f"{end}\n{repository}\n"
    (made.root / "mkpkgs.toml").write_text(text)
    return made


def _other(directory: Path, version: str) -> None:
    """An empty package that has nothing to do with the server, as .deb and .rpm."""
    control = directory / f"deb-{version}/DEBIAN/control"
    control.parent.mkdir(parents=True)
    control.write_text(
        f"Package: {OTHER}\nVersion: {version}-1\nArchitecture: all\nMaintainer: Jo Doe <jo@example.org>\n"
        "Description: Something else\n"
    )
    spec = directory / f"{OTHER}.spec"
    spec.write_text(
        f"Name: {OTHER}\nVersion: {version}\nRelease: 1\nSummary: Something else\nLicense: MIT\nBuildArch: noarch\n"
        "%description\n%{summary}.\n%files\n"
    )
    package = directory / f"{OTHER}_{version}-1_all.deb"
    for command in (
        ["dpkg-deb", "--root-owner-group", "-b", str(control.parent.parent), str(package)],
        ["rpmbuild", "--quiet", "-bb", "--define", f"_topdir {directory}", str(spec)],
    ):
        subprocess.run(command, check=True, capture_output=True, timeout=60)


def _protect(package: Path, unpacked: Path, protected: Path) -> None:
    subprocess.run(["dpkg-deb", "-R", package, unpacked], check=True, timeout=60)
    with (unpacked / "DEBIAN/control").open("a") as control:
        control.write("Protected: yes\n")
    subprocess.run(["dpkg-deb", "-b", unpacked, protected], check=True, capture_output=True, timeout=60)


def equip(system: System, world: World) -> None:
    """Put all repositories into a machine, and let its package manager read all of them."""
    system.put(world.directory, "/srv/tables")
    if system.suffix == "deb":
        system.write("/etc/apt/sources.list", "".join(map(_source, REPOSITORIES)))
        system.run("apt-get", "-q", "update", "--error-on=any")
    else:
        system.write(
            "/etc/yum.repos.d/tables.repo",
            "".join(
                f"[{name}]\nname={name}\nbaseurl=file:///srv/tables/yum/{name}\nenabled=0\ngpgcheck=0\n"
                "metadata_expire=never\n"
                for name in REPOSITORIES
            ),
        )
        system.run("dnf", "-y", "--enablerepo=*", "makecache")


def manage(system: System, repository: str, command: str, *, hook: bool = False) -> tuple[int, str]:
    """Run a command of the package manager without questions and with one repository; its status and what it said.

    hook: whether ours in it may stop it.
    """
    program, *arguments = command.split()
    if system.suffix == "deb":
        system.write("/etc/apt/sources.list", _source(repository))
        options = ["-y", "-q", "-o", "Dpkg::Use-Pty=0"]
    else:
        options = ["-y", f"--repo={repository}"]
    done = system.run(program, *options, *arguments, env={} if hook else NO_HOOK, check=False)
    return done.returncode, done.stdout


def installed(system: System) -> dict[str, str]:
    """Upstream versions of the core, its plugins and the other package, by short name."""
    if system.suffix == "deb":
        query = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n"]
    else:
        query = ["rpm", "-qa", "--qf", "installed %{NAME} %{VERSION}-%{RELEASE}\n"]
    found = {}
    for line in system.run(*query, f"{CORE}*", OTHER, check=False).stdout.splitlines():
        if line.startswith("installed "):
            _, name, version = line.split()
            found[name.removeprefix(f"{CORE}-plugin-")] = version.removesuffix("-1")
    return found


def _source(repository: str) -> str:
    return f"deb [trusted=yes] file:/srv/tables/apt/{repository} ./\n"
