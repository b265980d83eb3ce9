"""Clean roots of Fedora, Red Hat Enterprise Linux and relatives, made by `dnf --installroot`.

Packages come from the repositories of this machine if it is of the target itself, else from those that the user names
in `~/.config/mkpkgs/TARGET.repo` (dnf.conf(5), REPO OPTIONS). In the root, its own dnf installs from the same ones.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging_tool.authors.room import INBOX, Room
from packaging_tool.errors import BuildError
from packaging_tool.run import run
from packaging_tool.target import runtime

OS_RELEASE = Path("/etc/os-release")
# Where dnf looks for repositories (dnf.conf(5), reposdir).
REPOSITORIES = ("/etc/yum.repos.d", "/etc/distro.repos.d", "/usr/share/dnf5/repos.d")
# What dnf says of relations, and rpm of files.
REASONS = (r"- (?!conflicting requests)", r".* conflicts with |Problem", r"Error|error: ")
# In a root that is made, and in room.sh.
DATABASE = "/mkpkgs-rpmdb"
_PACKAGES = ("dnf", "rpm", *runtime.DEPENDS["rpm"])
_SETTINGS = ("install_weak_deps=False", "tsflags=nodocs", "keepcache=True", "gpgcheck=True")
_OPTIONS = ("-y", *(f"--setopt={setting}" for setting in _SETTINGS))
# What a repository that cannot be read has is not what nobody has.
_EACH = "--setopt=*.skip_if_unavailable=False"


@dataclass(frozen=True, slots=True)
class _Sources:
    """Files of repositories, and what `$releasever` in them stands for, "" if nothing is known of it."""

    files: tuple[Path, ...]
    release: str


class Dnf:
    """See `room.Family`."""

    programs: tuple[tuple[str, str], ...] = (("dnf", "dnf"), ("rpmdb", "rpm"))

    def recipe(self, target: str) -> str:
        sources = _sources(target)
        return f"{_OPTIONS} {_PACKAGES} {sources.release} {[file.read_bytes() for file in sources.files]}"

    def make(self, target: str, place: Room) -> None:
        sources = _sources(target)
        repositories = place.directory / "repositories"
        repositories.mkdir()
        for file in sources.files:
            shutil.copyfile(file, repositories / file.name)
        release = ["--releasever", sources.release] if sources.release else []
        here = ["--use-host-config"] if run(["dnf", "--version"], check=False).stdout.startswith(b"dnf5") else []
        settings = [f"--setopt=reposdir={repositories}", "--setopt=plugins=False"]
        words = ["dnf", *_OPTIONS, "--installroot", str(place.root), *here, *release, *settings, "install", *_PACKAGES]
        status, said = place.script("build", str(place.root), str(place.archives), *words)
        if status != 0:
            hint = f"it needs repositories of {target} with {', '.join(_PACKAGES)}"
            raise BuildError(f"dnf failed: {_reason(said)}", hint=hint)
        found = place.root / "usr/lib/os-release"
        if not _is(target, found.read_text() if found.is_file() else ""):
            raise BuildError(f"what is in the repositories is not {target}", hint=f"see {sources.files[0]}")
        _own_database(place)
        kept = place.root / "etc/yum.repos.d"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(repositories, kept)
        status, said = place.script("pack", str(place.root), str(place.tar))
        if status != 0:
            raise BuildError(f"the root cannot be packed: {_reason(said)}", hint="make room")
        place.script("remove", str(place.root))

    def settle(self, place: Room) -> None:
        """Nothing: systemctl starts no service in a root that systemd does not run."""

    def install(self, place: Room, files: Collection[Path]) -> None:
        names = [f"{INBOX}/{file.name}" for file in files]
        # Most need nothing that is not there.
        how = [*_OPTIONS, "--disablerepo=*"]
        planned = place.run("dnf", *how, "install", "--downloadonly", *names)
        if planned.status != 0:
            if "nothing provides" not in planned.text:
                planned.demand(*REASONS)
            # What runs code has no network, so all comes before.
            fetched = place.run("dnf", *_OPTIONS, _EACH, "install", "--downloadonly", *names, online=True)
            if fetched.status != 0:
                if re.search("(?m)^ *Problem", fetched.text):
                    fetched.demand(*REASONS)
                raise BuildError(f"packages of the distribution cannot be fetched: {_reason(fetched.text)}")
            how = [*_OPTIONS, "--cacheonly"]
        place.run("dnf", *how, "install", *names).demand(*REASONS)

    def remove(self, place: Room, packages: Sequence[str]) -> None:
        script = (
            'for name; do shift; if rpm -q --quiet "$name"; then set -- "$@" "$name"; fi; done; rpm -e --nodeps "$@"'
        )
        place.run("sh", "-c", script, "sh", *packages)


def _sources(target: str) -> _Sources:
    """The repositories of a target. Raises BuildError with a hint if there are none."""
    number = target.removeprefix("el") if target.startswith("el") else ""
    named = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "mkpkgs" / f"{target}.repo"
    if named.is_file():
        return _Sources((named,), number)
    said = OS_RELEASE.read_text() if OS_RELEASE.is_file() else ""
    files = tuple(file for folder in REPOSITORIES for file in sorted(Path(folder).glob("*.repo")))
    if not _is(target, said) or not files:
        raise BuildError(
            f"no repositories of {target} are known here", hint=f"write them into {named}, as dnf reads them"
        )
    return _Sources(files, number or _fields(said).get("VERSION_ID", ""))


def _is(target: str, said: str) -> bool:
    """Whether os-release(5) tells of a target."""
    fields = _fields(said)
    if not target.startswith("el"):
        return fields.get("ID") == target
    words = {fields.get("ID", ""), *fields.get("ID_LIKE", "").split()}
    return bool(words & {"rhel", "centos"}) and fields.get("VERSION_ID", "").split(".")[0] == target.removeprefix("el")


def _fields(said: str) -> dict[str, str]:
    return {name: value.strip("\"'") for name, value in re.findall(r"(?m)^([A-Z_]+)=(.*)$", said)}


def _own_database(place: Room) -> None:
    """Let the root's own rpm know its packages: this machine's has its database elsewhere, maybe in another form."""
    script = 'rpmdb --root "$1" --define "_dbpath $2" --exportdb >"$1/packages"'
    status, said = place.script("make", "sh", "-c", script, "sh", str(place.root), DATABASE)
    if status == 0:
        script = 'rpmdb --importdb </packages; rm -r /packages "$1"; rpm -q --whatprovides rpm'
        status, said = place.script("offline", str(place.root), str(place.archives), "sh", "-c", script, "sh", DATABASE)
    if status != 0:
        raise BuildError(f"rpm of the root cannot take what this machine's wrote: {_reason(said)}")


def _reason(said: str) -> str:
    """The line that says why: the last one, as repositories that may be skipped come before."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    found = [line for line in lines if re.match(r"- nothing provides|Error: \S|error: |Failed to ", line)]
    return (found or lines or ["it said nothing"])[-1]
