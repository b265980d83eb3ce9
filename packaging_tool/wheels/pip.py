"""Calls pip: which wheels a set of requirements comes to on a target, and the wheels themselves."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import stat
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from packaging_tool.errors import BuildError, CommandError, InputError, PackageError
from packaging_tool.package.content import Content
from packaging_tool.project import contents, unread
from packaging_tool.wheels import caller, told
from packaging_tool.wheels.wheel import normal

if TYPE_CHECKING:
    from packaging.tags import Tag

# Debian's names of architectures, and those of wheels.
MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "i386": "i686", "ppc64el": "ppc64le", "s390x": "s390x"}
# What a pin may have in it: PEP 503, PEP 440 and PEP 427.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*\.whl")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# The tags of wheels before they named the C library's version (PEP 513, 571, 599).
OLD_TAGS = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}


@dataclass(frozen=True, slots=True)
class Platform:
    """Where wheels must run.

    python: `3.11`, or `3.9+` for that version and newer ones. architecture: Debian's name. glibc: the oldest one.
    """

    python: str
    architecture: str
    glibc: str

    @property
    def version(self) -> str:
        """The oldest version of Python."""
        return self.python.rstrip("+")

    @property
    def tag(self) -> str:
        """The tag of Python that compiled wheels must have; `py3` where only those of no version fit."""
        return "py3" if self.python.endswith("+") else f"cp{self.version.replace('.', '')}"

    @property
    def machine(self) -> str:
        """The processor as Python names it."""
        return MACHINES.get(self.architecture, self.architecture)

    def options(self) -> Iterator[str]:
        """Options that make pip choose wheels for this platform."""
        yield from ("--only-binary=:all:", "--implementation=cp", f"--python-version={self.version}")
        if self.tag != "py3":
            yield f"--abi={self.tag}"
        yield from ("--abi=abi3", "--abi=none", "--platform=any")
        yield from (f"--platform={name}" for name in self.machines())

    def machines(self) -> Iterator[str]:
        """Tags of machines that run here, but `any`, the best first."""
        if self.architecture != "all":
            for minor in range(int(self.glibc.partition(".")[2]), 4, -1):
                yield f"manylinux_2_{minor}_{self.machine}"
                if minor in OLD_TAGS:
                    yield f"{OLD_TAGS[minor]}_{self.machine}"

    def tags(self) -> frozenset[Tag]:
        """All tags of wheels that run here."""
        from packaging.tags import compatible_tags, cpython_tags

        version = [int(part) for part in self.version.split(".")]
        abis = ["abi3", "none"] if self.tag == "py3" else [self.tag, "abi3", "none"]
        machines = list(self.machines())
        compiled = cpython_tags(version, abis, machines) if machines else ()
        return frozenset([*compiled, *compatible_tags(version, f"cp{version[0]}{version[1]}", machines or ["any"])])


@dataclass(frozen=True, slots=True, order=True)
class Pin:
    """A wheel of an index. name: as pip compares names. file: its name."""

    name: str
    version: str
    file: str
    sha256: str

    @classmethod
    def of(cls, file: str, sha256: str) -> Pin:
        """The pin of a file. Raises InputError for a name that no wheel can have."""
        from packaging.utils import InvalidWheelFilename, parse_wheel_filename

        try:
            name, version, *_ = parse_wheel_filename(file)
        except InvalidWheelFilename as error:
            raise InputError(f"mkpkgs.lock is damaged: {error}", hint="take it back from version control") from None
        return cls(name, str(version), file, sha256).checked()

    def checked(self) -> Pin:
        """The same. Raises InputError for what would be more than a pin in a list for pip, or in a path."""
        patterns = ((_NAME, self.name), (_VERSION, self.version), (_FILE, self.file), (_SHA256, self.sha256))
        for pattern, text in patterns:
            if not isinstance(text, str) or (text and not pattern.fullmatch(text)):
                what = f"mkpkgs.lock is damaged: {str(text)[:80]!r} is of no wheel"
                raise InputError(what, hint="take it back from version control")
        return self


def resolve(
    requirements: Sequence[str],
    platform: Platform,
    there: Path | None = None,
    pinned: Mapping[str, str] | None = None,
    wanted: Mapping[str, str] | None = None,
) -> list[Pin]:
    """The wheels that requirements come to, from the index that pip is set up for; files among them are left out.

    there: a folder with wheels beside the index. pinned: versions by name that alone may be taken, and are left out.
    wanted: versions by name that are to be taken where they are needed.
    """
    pins = []
    for item in _report(requirements, platform, there, {**(wanted or {}), **(pinned or {})}):
        if normal(item["metadata"]["name"]) in (pinned or {}):
            continue
        info, url = item["metadata"], urlsplit(item["download_info"]["url"])
        target = unquote(url.path)
        if url.scheme == "file" and target in requirements:
            continue
        sha256 = item["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256", "")
        if url.scheme == "file":
            # A folder in place of an index, of which pip tells no hashes.
            sha256 = Content(Path(target)).sha256
        pins.append(Pin(normal(info["name"]), info["version"], target.rpartition("/")[2], sha256))
    return sorted(pins)


def explore(
    requirements: Sequence[str], platform: Platform, there: Path | None = None
) -> dict[str, tuple[str, Sequence[str]]]:
    """Version and requirements, by name, of what requirements come to where nothing is pinned. Raises BuildError."""
    found = (item["metadata"] for item in _report(requirements, platform, there, {}))
    return {normal(one["name"]): (one["version"], one.get("requires_dist", [])) for one in found}


def _report(
    requirements: Sequence[str], platform: Platform, there: Path | None, pinned: Mapping[str, str]
) -> list[dict[str, Any]]:
    with _scratch() as place:
        report, only = place / "report.json", place / "constraints.txt"
        only.write_text("".join(f"{name}=={version}\n" for name, version in pinned.items()))
        local = [Path(text) for text in requirements if text.startswith("/")]
        # Not --quiet: what it was at when it had to stop is told.
        caller.ask(
            *("install", "--dry-run", "--ignore-installed", f"--target={place}", f"--report={report}"),
            f"--constraint={only}",
            *((f"--find-links={there}",) if there else ()),
            *platform.options(),
            *requirements,
            scratch=place,
            readable=[*local, *((there,) if there else ())],
        )
        found: list[dict[str, Any]] = json.loads(report.read_bytes())["install"]
    for item in found:
        # A wheel by its address, where nothing is built. No index has its versions and its sums.
        url = item["download_info"]["url"]
        if item.get("is_direct") and unquote(urlsplit(url).path) not in requirements:
            raise caller.addressed(f"{item['metadata']['name']} @ {url}", None)
    return found


def fetch(pins: Sequence[Pin], platform: Platform, cache: Path) -> list[Path]:
    """Wheel files of pins, in their order: from cache, or by pip, which checks their hashes."""
    cache.mkdir(parents=True, exist_ok=True)
    missing = [pin for pin in pins if not _is_there(cache / pin.file, pin.sha256)]
    if missing:
        with _scratch() as place:
            wanted = place / "requirements.txt"
            wanted.write_text("".join(f"{pin.name}=={pin.version} --hash=sha256:{pin.sha256}\n" for pin in missing))
            options = ("--no-deps", "--quiet", "--require-hashes", f"--dest={place}", *platform.options())
            try:
                caller.ask("download", *options, f"--requirement={wanted}", scratch=place)
            except CommandError as failed:
                raise _changed(missing, failed.output) or failed from None
            for pin in missing:
                if not (place / pin.file).is_file():
                    raise BuildError(f"pip did not bring {pin.file}", hint="mkpkgs lock resolves anew")
                shutil.move(place / pin.file, cache / pin.file)
    return [cache / pin.file for pin in pins]


def _changed(pins: Sequence[Pin], told: str) -> BuildError | None:
    """What pip said of a file that has not the hash of its pin, if it is that."""
    for pin in pins:
        if found := re.search(rf"Expected sha256 {pin.sha256}\s+Got\s+([0-9a-f]{{64}})", told):
            return BuildError(
                f"{pin.file} has the sum {found[1]} now, and {pin.sha256} in mkpkgs.lock",
                hint=f"what was published as {pin.name} {pin.version} was changed: ask its author",
            )
    return None


def build(folder: Path, cache: Path, within: Path | None, *, isolated: bool) -> Path:
    """The wheel of a local project, made anew if a file of it changed.

    within: as of tree_digest. isolated: with a backend from the index.
    """
    place = cache / tree_digest(folder, within)
    known = list(place.glob("*.whl"))
    if known:
        return known[0]
    place.parent.mkdir(parents=True, exist_ok=True)
    with _scratch() as scratch:
        # Backends write into the folder that they build.
        copy = scratch / "source"
        shutil.copytree(folder, copy, ignore=_ignored)
        (tools := scratch / "tools").mkdir()
        options = ("--no-index", f"--find-links={tools}") if isolated else ("--no-build-isolation",)
        if isolated:
            with _scratch() as fetched:
                caller.ask("download", "--only-binary=:all:", f"--dest={fetched}", *_backend(folder), scratch=fetched)
                for file in fetched.glob("*.whl"):
                    shutil.move(file, tools / file.name)
        said = ("wheel", "--no-deps", "--quiet", *options, f"--wheel-dir={scratch / 'made'}", str(copy))
        # The backend is whatever the project names.
        try:
            caller.build(*said, scratch=scratch)
        except CommandError as failed:
            printed = told.framed(failed.output)
            last = next((line for line in reversed(printed.splitlines()) if line.strip()), "")
            last = last or failed.message.removeprefix("pip wheel: ")
            raise CommandError(
                f"{folder} does not build into a wheel: {last.strip()}", returncode=failed.returncode, output=printed
            ) from None
        made = [path for path in (scratch / "made").glob("*.whl") if stat.S_ISREG(path.lstat().st_mode)]
        if len(made) != 1 or not made[0].name.endswith("-any.whl"):
            raise BuildError(
                f"{folder}: it does not build into one wheel without compiled code",
                hint="build a wheel for the targets, and name its file instead of the folder",
            )
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        shutil.copyfile(made[0], place / made[0].name)
    return place / made[0].name


def _ignored(place: str, names: list[str]) -> set[str]:
    """Names of a local project that are not copied: what earlier builds left, and what is no source."""
    left = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")(place, names)
    return left | unread.ignored(place, names, follows=True)


def _backend(folder: Path) -> list[str]:
    """What a project needs to be built (PEP 518), and what setuptools asks for in addition when it is asked (PEP 517).

    Raises BuildError for a pyproject.toml that cannot be read.
    """
    file = folder / "pyproject.toml"
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except ValueError as error:
        raise BuildError(f"{file}: {error}") from None
    system = found.get("build-system", {})
    wanted = system.get("requires", ["setuptools>=40.8.0"]) if isinstance(system, dict) else []
    if not isinstance(wanted, list) or not all(isinstance(item, str) for item in wanted):
        raise BuildError(f"{file}: build-system.requires is not a list of requirements")
    if strange := [item for item in wanted if item.startswith("-") or "@" in item or "/" in item]:
        raise BuildError(
            f"{file}: build-system.requires names {strange[0]!r}",
            hint="write the name of a project in the index; what is elsewhere would be built with your rights",
        )
    return [*wanted, "wheel"]


def tree_digest(folder: Path, within: Path | None) -> str:
    """SHA-256 over names and contents of a local project.

    within: where links must stay, since the copy that is built has what they lead to. Raises BuildError.
    """
    digest = hashlib.sha256()
    try:
        found = sorted(contents.walk(folder, ("build", "__pycache__"), within))
    except PackageError as circle:
        raise BuildError(circle.message, hint=circle.hint) from None
    for name, path in found:
        if within is not None and contents.strays_from(within, path):
            raise BuildError(f"{path} leads out of {within}", hint="copy the file there instead")
        if path.is_file() and not any(part.endswith(".egg-info") for part in name.split("/")):
            digest.update(f"{name} {Content(path).sha256}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _is_there(path: Path, sha256: str) -> bool:
    return path.is_file() and Content(path).sha256 == sha256 and zipfile.is_zipfile(path)


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mkpkgs-") as name:
        yield Path(name)
