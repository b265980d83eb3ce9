"""Plain Debian root directories that tests copy and boot; made once, kept in a cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

# After this many seconds without use a root is swept when another one is made.
UNUSED = 7 * 86400
COMMON = ("systemd", "systemd-sysv", "dbus", "curl", "ca-certificates", "openssl", "git", "util-linux")
# Suites with which a machine's own apt sources can begin; any of them names a mirror that has the others too.
SUITES = ("bookworm", "trixie", "forky", "sid")


@dataclass(frozen=True, slots=True)
class Definition:
    """What is in a root.

    suite: of Debian. packages: from it. capabilities: what a stub rpm stands for, empty for none. files, directories,
    links (path and what it points to): more of them. older: a suite before it, for packages that it has no more.
    """

    suite: str
    packages: tuple[str, ...]
    capabilities: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    directories: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    older: str = field(default="", repr=False)


# Every installed Debian has it; a bare root has not, and servers look up localhost.
HOSTS = {"etc/hosts": "127.0.0.1 localhost\n::1 localhost\n"}
# What packages of servers ask for and a Debian system has without an rpm that says so.
BASE = (
    "/bin/sh",
    "/usr/bin/sh",
    "bash",
    "coreutils",
    "findutils",
    "gawk",
    "git",
    "git-core",
    "grep",
    "openssl",
    "perl",
    "sed",
    "shadow-utils",
    "system-release",
    "system-release(releasever) = 9",
    "systemd",
    "util-linux",
    "util-linux-core",
)
# Of glibc's symbol versions those that Debian 12 has, as rpm names them.
GLIBC = tuple(f"libc.so.6({word})(64bit)" for word in ("", "GLIBC_2.2.5", *(f"GLIBC_2.{n}" for n in range(3, 37))))
DNF_FILES = {
    **HOSTS,
    # Debian's rpm keeps its database in the home directory; a system that lives on rpm does not.
    "etc/rpm/macros": "%_dbpath /var/lib/rpm\n",
    # As Fedora and EL have it. Debian's own file says best=False and goes on without a broken repository.
    "etc/dnf/dnf.conf": (
        "[main]\ngpgcheck=1\ninstallonly_limit=3\nclean_requirements_on_remove=True\nbest=True\n"
        "skip_if_unavailable=False\n"
    ),
}
# Of packages that every such system has, so no package of ours owns them.
DNF_DIRECTORIES = ("usr/share/licenses", "usr/share/man/man8", "etc/yum.repos.d")
# Debian lets dnf5 copy all it installed into a repository of its own; Fedora does not.
DNF5_FILES = {**DNF_FILES, "etc/dnf/libdnf5-plugins/local.conf": "[main]\nname = local\nenabled = 0\n"}


def _dnf(suite: str, *packages: str, capabilities: tuple[str, ...] = ()) -> Definition:
    """dnf and rpm on Debian's system. rpm's database knows none of it, so a stub provides what is really there."""
    return Definition(suite, (*COMMON, "rpm", *packages), (*BASE, *capabilities), DNF_FILES, DNF_DIRECTORIES)


DEFINITIONS: Mapping[str, Definition] = {
    # What the others of a suite begin with: installing it anew for each takes most of the time of making them.
    **{f"bare-{suite}": Definition(suite, COMMON) for suite in ("bookworm", "trixie", "sid")},
    "debian12-apt": Definition("bookworm", (*COMMON, "debsums"), files=HOSTS),
    "debian12-dnf": _dnf("bookworm", "dnf"),
    "debian12-python": Definition("bookworm", (*COMMON, "debsums", "python3"), files=HOSTS),
    # With what an rpm system has of Python and its C library, by the names that packages ask for.
    "debian12-dnf-libraries": _dnf("bookworm", "dnf", capabilities=("python(abi) = 3.11", "python3 = 3.11", *GLIBC)),
    # What upgrades machines by itself, and what says which services are to be restarted.
    "debian12-upgrades": Definition("bookworm", (*COMMON, "needrestart", "unattended-upgrades"), files=HOSTS),
    # A server that is the distribution's own.
    "debian12-postgresql": Definition("bookworm", (*COMMON, "postgresql-15"), files=HOSTS),
    # As after an upgrade of the whole machine, which leaves the old major beside the new one.
    "debian13-postgresql": Definition(
        "trixie", (*COMMON, "postgresql-15", "postgresql-17"), files=HOSTS, older="bookworm"
    ),
    "debian13-apt": Definition("trixie", (*COMMON, "debsums"), files=HOSTS),
    "debian13-dnf": _dnf("trixie", "dnf"),
    # Debian's systemd no longer depends on mount, without which it is degraded.
    "sid-apt": Definition("sid", (*COMMON, "mount", "debsums"), files=HOSTS),
    "sid-dnf": Definition(
        "sid",
        (*COMMON, "mount", "passwd", "rpm", "dnf5"),
        BASE,
        DNF5_FILES,
        DNF_DIRECTORIES,
        # As on Fedora since dnf is dnf5 there.
        {"usr/bin/dnf": "dnf5"},
    ),
}


def cache_directory() -> Path:
    """Where roots are kept: $MKPKGS_TEST_CACHE, else mkpkgs-tests below the user's cache directory."""
    if said := os.environ.get("MKPKGS_TEST_CACHE"):
        return Path(said)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mkpkgs-tests"


def root(name: str) -> Path:
    """The base root of this name, made now if it is missing or its definition changed. Never change what is in it."""
    definition = DEFINITIONS[name]
    suites = filter(None, (definition.suite, definition.older))
    sources = "\n".join(debian_sources(suite) for suite in suites)
    mark = hashlib.sha256(f"{definition}\n{sources}".encode()).hexdigest()[:16]
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"{name}-{mark}"
    with locked(cache / f"{name}.lock"):
        if path.exists():
            os.utime(path)
            return path
        making, bare = cache / f"{name}-making", f"bare-{definition.suite}"
        shutil.rmtree(making, ignore_errors=True)
        # Names of other roots begin like this one's.
        for old in cache.glob(f"{name}-{'[0-9a-f]' * 16}"):
            # Another checkout may use another definition at the same time.
            if time.time() - old.stat().st_mtime > UNUSED:
                shutil.rmtree(old)
        _bootstrap(making, definition, sources, root(bare) if name != bare else None)
        for relative in definition.directories:
            (making / relative).mkdir(parents=True, exist_ok=True)
        for relative, text in definition.files.items():
            (making / relative).parent.mkdir(parents=True, exist_ok=True)
            (making / relative).write_text(text)
        for relative, pointed in definition.links.items():
            (making / relative).symlink_to(pointed)
        if definition.capabilities:
            _install_stub(making, definition.capabilities)
        making.rename(path)
        os.utime(path)
    return path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock between processes: pytest's workers and several runs share what is slow to make."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def once(place: Path) -> Iterator[bool]:
    """Whether a directory is still to be made: by one process, others wait. It is when this ends without an error."""
    with locked(place.with_name(f"{place.name}.lock")):
        missing = not (place / "done").exists()
        if missing:
            shutil.rmtree(place, ignore_errors=True)
        yield missing
        if missing:
            (place / "done").touch()


def debian_sources(suite: str) -> str:
    """One-line apt entries for a suite from the mirrors that this machine uses, "" if it uses none of Debian's.

    mmdebstrap then takes its own default.
    """
    wanted = [suite] if suite == "sid" else [suite, f"{suite}-updates", f"{suite}-security"]
    mirrors: dict[str, list[str]] = {}
    for uri, found in _entries(Path("/etc/apt")):
        base, _, kind = found.partition("-")
        if base in SUITES:
            mirrors.setdefault(kind, []).append(uri)
    # Without the suite itself (Ubuntu) the rest is of no use.
    if "" not in mirrors:
        return ""
    lines = [f"deb {uri} {name} main" for name in wanted for uri in mirrors.get(name.partition("-")[2], [])]
    return "\n".join(dict.fromkeys(lines))


def _entries(apt: Path) -> Iterator[tuple[str, str]]:
    """Address and suite of all binary sources with the component main below /etc/apt, in both of its formats."""
    for file in sorted([apt / "sources.list", *apt.glob("sources.list.d/*.list")]):
        if file.exists():
            for line in file.read_text().splitlines():
                found = re.fullmatch(r"deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)", line.strip())
                if found and "main" in found[3].split():
                    yield found[1], found[2]
    for file in sorted(apt.glob("sources.list.d/*.sources")):
        for stanza in re.split(r"\n\s*\n", file.read_text()):
            fields = {
                key.lower(): value.split()
                for key, value in re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.MULTILINE)
            }
            if "deb" in fields.get("types", []) and "main" in fields.get("components", []):
                for uri in fields.get("uris", []):
                    yield from ((uri, suite) for suite in fields.get("suites", []))


def _bootstrap(path: Path, definition: Definition, sources: str, bare: Path | None) -> None:
    """Make a root. bare: one to begin with, else nothing is there."""
    begin = [f"--setup-hook=tar -C {shlex.quote(str(bare))} --exclude='./dev/*' -c . | tar -C $1 -x"]
    command = [
        "mmdebstrap",
        "--quiet",
        *(["--variant=custom", *begin] if bare else ["--variant=apt"]),
        f"--include={','.join(definition.packages)}",
        # Manuals and translations are half of the copying time and no test reads them.
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        # A mirror that stands still for a while is as good as another one for tests.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        # Packages under test are to be installed whole.
        "--customize-hook=rm -f $1/etc/dpkg/dpkg.cfg.d/99mmdebstrap",
        "--customize-hook=rm -f $1/etc/hostname $1/etc/apt/sources.list $1/etc/apt/sources.list.d/*",
        "--customize-hook=rm -f $1/etc/apt/apt.conf.d/99mmdebstrap",
        definition.suite,
        str(path),
        *(["-"] if sources else []),
    ]
    subprocess.run(command, input=sources, text=True, check=True, timeout=900)
    machine_id = path / "etc/machine-id"
    machine_id.unlink(missing_ok=True)
    # Empty, not missing: systemd then makes one at boot, a different one in every copy.
    machine_id.touch()


def stub_rpm(build: Path, name: str, capabilities: Iterable[str], requires: Iterable[str] = ()) -> Path:
    """An empty rpm that provides and requires capabilities. It is made with rpmbuild, which does not know our writer.

    build: a directory to come.
    """
    build.mkdir()
    provides = "".join(f"Provides: {capability}\n" for capability in capabilities)
    provides += "".join(f"Requires: {capability}\n" for capability in requires)
    (build / "stub.spec").write_text(
        f"Name: {name}\nVersion: 1\nRelease: 1\nSummary: Stands for what is there without an rpm\nLicense: MIT\n"
        f"BuildArch: noarch\n{provides}%description\n%{{summary}}.\n%files\n"
    )
    command = ["rpmbuild", "--quiet", "-bb", "--define", f"_topdir {build}", str(build / "stub.spec")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return build / f"RPMS/noarch/{name}-1-1.noarch.rpm"


# Of a root that becomes an rpm: what rpm or dpkg keep themselves, and what no test needs.
LEFT_OUT = (
    *("boot/*", "dev/*", "var/lib/rpm/*", "var/lib/dpkg/*", "var/lib/apt/*", "var/cache/*/*"),
    *("usr/lib/git-core", "usr/lib/udev", "usr/share/perl", "usr/lib/*/perl", "usr/lib/*/gconv"),
)
MACHINE = """\
%define debug_package %{{nil}}
%define __os_install_post %{{nil}}
%define _binaries_in_noarch_packages_terminate_build 0
%define _binary_payload w0.gzdio
Name: machine
Version: 1
Release: 1
Summary: All of a small system
License: MIT
BuildArch: noarch
AutoReqProv: no
{provides}
%description
%{{summary}}.
%install
mkdir -p %{{buildroot}}
cd {root}
cpio -pdl --quiet %{{buildroot}} <%{{_topdir}}/paths
cd %{{buildroot}}
rm usr/lib/os-release
cp %{{_topdir}}/os-release usr/lib
%files -f %{{_topdir}}/files
"""


def rpm_distribution() -> Path:
    """A repository for dnf whose one package is all of a small system that says it is like EL 9."""
    base = root("debian12-dnf")
    path = base.with_name(f"machine-{base.name.rpartition('-')[2]}")
    with locked(path.with_name("machine.lock")):
        if path.exists():
            return path
        for old in path.parent.glob("machine-*"):
            shutil.rmtree(old)
        making = path.with_name("machine-making")
        making.mkdir()
        skipped = [word for pattern in LEFT_OUT for word in ("-path", f"./{pattern}", "-o")][:-1]
        find = ["find", ".", "-mindepth", "1", "(", *skipped, ")", "-prune", "-o"]
        paths = subprocess.run([*find, "-print"], cwd=base, check=True, capture_output=True).stdout
        (making / "paths").write_bytes(paths)
        form = ["-type", "d", "-printf", r'%%dir "/%P"\n', "-o", "-printf", r'"/%P"\n']
        listed = subprocess.run([*find, "(", *form, ")"], cwd=base, check=True, capture_output=True).stdout
        (making / "files").write_bytes(listed)
        provides = "\n".join(
            f"Provides: {word}" for word in ("dnf", "rpm", *DEFINITIONS["debian12-dnf-libraries"].capabilities)
        )
        (making / "os-release").write_text('ID=pebble\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n')
        (making / "machine.spec").write_text(MACHINE.format(provides=provides, root=base))
        command = ["rpmbuild", "--quiet", "-bb", "--define", f"_topdir {making}", str(making / "machine.spec")]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        (making / "repository").mkdir()
        (making / "RPMS/noarch/machine-1-1.noarch.rpm").rename(making / "repository/machine.rpm")
        subprocess.run(["createrepo_c", "--quiet", making / "repository"], check=True, timeout=60)
        (making / "repository").rename(path)
        shutil.rmtree(making)
    return path


def _install_stub(path: Path, capabilities: tuple[str, ...]) -> None:
    build = path / "root/stub"
    inside = f"/{stub_rpm(build, 'base-stub', capabilities).relative_to(path)}"
    subprocess.run(["chroot", str(path), "rpm", "-i", "--nosignature", inside], check=True, timeout=60)
    shutil.rmtree(build)
