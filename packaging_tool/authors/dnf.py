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
from urllib.parse import unquote

from packaging_tool.authors.room import INBOX, Room
from packaging_tool.errors import BuildError
from packaging_tool.run import run
from packaging_tool.target import runtime

OS_RELEASE = Path("/etc/os-release")
# Where dnf looks for repositories (dnf.conf(5), reposdir).
REPOSITORIES = ("/etc/yum.repos.d", "/etc/distro.repos.d", "/usr/share/dnf5/repos.d")
# What dnf says of relations, and rpm of files.
REASONS = (r"- (?!conflicting requests)", r".* conflicts with |Problem", r"Error|error: ")
# In a root that is made.
DATABASE = "/mkpkgs-rpmdb"
_PACKAGES = ("dnf", "rpm", *runtime.DEPENDS["rpm"])
_SETTINGS = ("install_weak_deps=False", "tsflags=nodocs", "keepcache=True", "gpgcheck=True")
_OPTIONS = ("-y", *(f"--setopt={setting}" for setting in _SETTINGS))
_LOCAL = ("--disablerepo=*",)
# What is fetched is fetched anew, and devices are of a room.
_LEFT_OUT = (
    "--exclude=./dev/*",
    "--exclude=./mkpkgs",
    "--exclude=./var/cache/dnf/*",
    "--exclude=./var/cache/libdnf5/*",
)
# rpm is not to set owner and mode of what is mounted, and each has its database elsewhere. Its release says which of
# these files it reads.
_SETTLED = r"""
mkdir -p sys mkpkgs "$HOME/.config/rpm"
printf '%%%s\n' '_netsharedpath /dev:/proc:/sys:/mkpkgs' '_dbpath @DATABASE@' |
    tee "$HOME/.rpmmacros" >"$HOME/.config/rpm/macros"
exec "$@"
""".replace("@DATABASE@", DATABASE)
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
        repositories.chmod(0o755)
        for file in sources.files:
            shutil.copyfile(file, repositories / file.name)
            (repositories / file.name).chmod(0o644)
        release = ["--releasever", sources.release] if sources.release else []
        here = ["--use-host-config"] if run(["dnf", "--version"], check=False).stdout.startswith(b"dnf5") else []
        settings = [f"--setopt=reposdir={repositories}", "--setopt=plugins=False"]
        program = shutil.which("dnf") or "dnf"
        words = [
            program,
            *_OPTIONS,
            "--installroot",
            str(place.root),
            *here,
            *release,
            *settings,
            "install",
            *_PACKAGES,
        ]
        home = place.directory / "home"
        said = place.make(
            *("sh", "-ec", _SETTLED, "sh", *words),
            made=[home],
            shown=[repositories, *_local(sources)],
            furnished=True,
            HOME=str(home),
        )
        if said.status != 0:
            hint = f"it needs repositories of {target} with {', '.join(_PACKAGES)}"
            raise BuildError(f"dnf failed: {_reason(said.text)}", hint=hint)
        if not _is(target, place.run("cat", "/usr/lib/os-release").text):
            raise BuildError(f"what is in the repositories is not {target}", hint=f"see {sources.files[0]}")
        _own_database(place)
        _own_repositories(place, sources)
        packed = place.make(
            "tar", "--create", "--numeric-owner", "--one-file-system", *_LEFT_OUT, ".", output=place.tar
        )
        if packed.status != 0:
            raise BuildError(f"the root cannot be packed: {_reason(packed.text)}", hint="make room")
        place.remove()

    def settle(self, place: Room) -> None:
        """Nothing: systemctl starts no service in a root that systemd does not run."""

    def fetch(self, place: Room, groups: Sequence[Collection[Path]]) -> None:
        for files in groups:
            names = [f"{INBOX}/{file.name}" for file in files]
            planned = place.run("dnf", *_OPTIONS, *_LOCAL, "install", "--downloadonly", *names)
            if planned.status == 0 or "nothing provides" not in planned.text:
                continue
            fetched = place.run("dnf", *_OPTIONS, _EACH, "install", "--downloadonly", *names, online=True)
            if fetched.status != 0 and not re.search("(?m)^ *Problem", fetched.text):
                raise BuildError(f"packages of the distribution cannot be fetched: {_reason(fetched.text)}")

    def install(self, place: Room, files: Collection[Path]) -> None:
        place.shut()
        names = [f"{INBOX}/{file.name}" for file in files]
        # Most need nothing that is not there, and nothing was fetched then.
        done = place.run("dnf", *_OPTIONS, *_LOCAL, "install", *names)
        if "nothing provides" in done.text:
            done = place.run("dnf", *_OPTIONS, "--cacheonly", "install", *names)
        done.demand(*REASONS)

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


def _local(sources: _Sources) -> list[Path]:
    """Directories of this machine that repositories name."""
    text = "".join(file.read_text(errors="replace") for file in sources.files)
    # Behind a variable of dnf's, nobody knows here.
    paths = [Path(unquote(path.partition("$")[0])) for path in re.findall(r"file://(/[^\s,]*)", text)]
    return [path if path.is_dir() else path.parent for path in paths]


def _own_database(place: Room) -> None:
    """Let the root's own rpm know its packages: this machine's has its database elsewhere, maybe in another form."""
    script = 'rpmdb --root "$PWD" --define "_dbpath $1" --exportdb >packages'
    said = place.make("sh", "-c", script, "sh", DATABASE)
    if said.status == 0:
        script = 'rpmdb --importdb </packages; rm -r /packages "$1"; rpm -q --whatprovides rpm'
        said = place.run("sh", "-c", script, "sh", DATABASE)
    if said.status != 0:
        raise BuildError(f"rpm of the root cannot take what this machine's wrote: {_reason(said.text)}")


def _own_repositories(place: Room, sources: _Sources) -> None:
    """Let the root's dnf know the repositories, and no other ones."""
    place.put(sources.files)
    folder = "/etc/yum.repos.d"
    names = [f"{INBOX}/{file.name}" for file in sources.files]
    said = place.run("sh", "-ec", 'rm -rf "$1"; mkdir -p "$1"; cp -t "$@"', "sh", folder, *names)
    if said.status != 0:
        raise BuildError(f"{folder} of the root cannot be written: {said.last}")


def _reason(said: str) -> str:
    """The line that says why: the last one, as repositories that may be skipped come before."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    found = [line for line in lines if re.match(r"- nothing provides|Error: \S|error: |Failed to ", line)]
    return (found or lines or ["it said nothing"])[-1]
