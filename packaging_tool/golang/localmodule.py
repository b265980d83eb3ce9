"""Modules of the project itself, served to the go command from a folder (`go help goproxy`).

Such a module gets a version that names its content, `v1.0.1-0.h3f2a9c…`: a version after v1.0.0 of which the hash is
over names and bytes. So no path of this machine gets into a program, two checkouts give the same bytes, and Go's
module cache, which never looks twice at a version, is right.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging_tool.errors import BuildError, InputError
from packaging_tool.golang.spelling import CONTENT_VERSION
from packaging_tool.package import zips
from packaging_tool.project import contents, unread

_MODULE = re.compile(r'^module\s+"?([^\s"]+)"?', re.MULTILINE)
# golang.org/ref/mod, "go.mod file: Lexical elements" and "Module paths": no part begins or ends with a dot.
_PATH = re.compile(r"(?=.{1,255}$)(?!\.)[A-Za-z0-9_~.-]+(?<!\.)(/(?!\.)[A-Za-z0-9_~.-]+(?<!\.))*")
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
# golang.org/ref/mod, "File path and size constraints".
_LARGEST = 500 << 20
# golang.org/ref/mod, "Major version suffixes".
_MAJOR = re.compile(r"(?:/|^gopkg\.in/.*\.)v(\d+)$")
# In the place of a version: of a folder that stands for a module whatever version of that anybody requires.
ABOVE_ALL = "above all"


@dataclass(frozen=True, slots=True)
class LocalModule:
    """A module in a folder of the project. version: made from its content."""

    folder: Path
    path: str
    version: str
    files: tuple[str, ...]

    @property
    def cached(self) -> str:
        """Its place below GOMODCACHE."""
        return f"{escaped(self.path)}@{self.version}"


def module_path(folder: Path) -> str:
    """The module path that go.mod of this folder names. Raises BuildError."""
    try:
        found = _MODULE.search((folder / "go.mod").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # Also a name that no file can have, and bytes that are no text.
        found = None
    if found is None and not contents.holds(Path.is_dir, folder):
        raise BuildError(f"{folder}: there is no such folder", hint="name the one that go.mod is in")
    if found is None:
        raise BuildError(f"{folder} has no go.mod with a module line", hint="run `go mod init` there")
    if not _PATH.fullmatch(found[1]):
        # It becomes a path below the folder that the go command reads.
        raise BuildError(f"{folder}/go.mod: {found[1]!r} is no module path", hint="write module example.com/name")
    return found[1]


def scan(folder: Path, declared: str) -> LocalModule:
    """Look at a local module. declared: its version in the project file, "", ABOVE_ALL. Raises BuildError, OSError."""
    path = module_path(folder)
    files = tuple(sorted(_files(folder)))
    digest = _digest((name, (folder / name).read_bytes()) for name in files)
    major = int(found[1]) if (found := _MAJOR.search(path)) else None
    numbers = _VERSION.fullmatch(declared)
    if declared == ABOVE_ALL:
        base = f"v{1 if major is None else major}.999999.0"
    elif numbers is None or (int(numbers[1]) != major if major is not None else int(numbers[1]) > 1):
        base = f"v{major or 0}.0.1"
    else:
        base = f"v{numbers[1]}.{numbers[2]}.{int(numbers[3]) + 1}"
    return LocalModule(folder, path, f"{base}-0.h{digest}", files)


def _digest(files: Iterable[tuple[str, bytes]]) -> str:
    """16 hex digits over names and bytes; names are sorted."""
    digest = hashlib.sha256()
    for name, data in files:
        digest.update(f"{hashlib.sha256(data).hexdigest()}  {name}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def verify(proxy: Path, path: str, version: str) -> None:
    """See that a published module is what its version says. Raises InputError.

    proxy: as `publish` fills it. The go command keeps what it reads there for all projects of this machine, so nothing
    but a name of its own content may name it.
    """
    folder = proxy / escaped(path) / "@v" if _PATH.fullmatch(path) else None
    if folder is None or not CONTENT_VERSION.fullmatch(version):
        raise InputError(f"{path[:80]}@{version[:80]} of the core is not named by its content")
    names = {f"{version}.{end}" for end in ("info", "mod", "zip")}
    if not folder.is_dir() or {file.name for file in folder.iterdir()} != {"list", *names}:
        raise InputError(f"{path}@{version} of the core is published in another form than mkpkgs writes")
    start = f"{path}@{version}/"
    try:
        with zipfile.ZipFile(folder / f"{version}.zip") as archive:
            rows = archive.infolist()
            if sum(row.file_size for row in rows) > _LARGEST or not all(row.filename.startswith(start) for row in rows):
                raise InputError(f"{path}@{version} of the core is no module of a size that Go takes")
            # A name that is there twice has two digests, so that no one can be shown in place of the other.
            found = sorted((row.filename.removeprefix(start), archive.read(row)) for row in rows)
        told = json.loads((folder / f"{version}.info").read_bytes())
        good = (
            _digest(found) == version[-16:]
            and (folder / "list").read_text() == f"{version}\n"
            and told == {"Version": version}
            and dict(found).get("go.mod") == (folder / f"{version}.mod").read_bytes()
        )
    except (OSError, ValueError, *zips.BROKEN) as error:
        raise InputError(f"{path}@{version} of the core cannot be read: {type(error).__name__} {error}") from None
    if not good:
        raise InputError(f"{path}@{version} of the core has another content than its version says")


def publish(module: LocalModule, proxy: Path) -> None:
    """Put the module into the folder of a file-system proxy. Raises OSError."""
    folder = proxy / escaped(module.path) / "@v"
    folder.mkdir(parents=True, exist_ok=True)
    # Without a list go asks the next proxy, and then the site itself, whether the version was retracted.
    (folder / "list").write_text(f"{module.version}\n")
    archive = folder / f"{module.version}.zip"
    if archive.exists():
        return
    (folder / f"{module.version}.info").write_text(json.dumps({"Version": module.version}))
    (folder / f"{module.version}.mod").write_bytes((module.folder / "go.mod").read_bytes())
    temporary = archive.with_suffix(".new")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as out:
        for name in module.files:
            entry = zipfile.ZipInfo(f"{module.path}@{module.version}/{name}", (1980, 1, 1, 0, 0, 0))
            out.writestr(entry, (module.folder / name).read_bytes(), zipfile.ZIP_DEFLATED)
    temporary.rename(archive)


def _files(folder: Path) -> list[str]:
    """What belongs to the module (golang.org/ref/mod, "File path and size constraints") and to a build of it.

    Not: other modules below it, vendor, version control, what mkpkgs makes, links. Tests and go.sum are left out as
    well: nobody who imports a module compiles or reads them, and a change of them must not rebuild a plugin.
    """
    found: list[str] = []
    paths = [*folder.iterdir()]
    own = unread.ignored(str(folder), [path.name for path in paths], follows=False)
    for path in paths:
        if path.is_symlink() or path.name in ("vendor", "go.sum", *own):
            continue
        if path.is_dir():
            if not (path / "go.mod").exists():
                found.extend(f"{path.name}/{name}" for name in _files(path))
        elif path.is_file() and not path.name.endswith("_test.go"):
            found.append(path.name)
    return found


def escaped(path: str) -> str:
    """A module path as the go command spells it in names of folders."""
    # Upper-case letters are `!` and the lower-case letter (golang.org/ref/mod, "Module proxy").
    return re.sub(r"[A-Z]", lambda letter: "!" + letter[0].lower(), path)
