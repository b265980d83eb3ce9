"""Debian's package format (deb(5), Debian Policy), written without Debian's tools."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from packaging_tool import atomic
from packaging_tool.errors import PackageError
from packaging_tool.formats import _ar, _deb_control, _deb_lintian, _tar
from packaging_tool.formats.base import Built, Description
from packaging_tool.package import bodies, compress, manuals, templates, texts
from packaging_tool.package.content import Content
from packaging_tool.package.model import Alternatives, Change, Entry, Kinds, Package, Relations
from packaging_tool.package.shelf import Shelf, hashed
from packaging_tool.signing.base import Signer

SCRIPTS = ("postinst", "prerm", "postrm")
# Those that dpkg-maintscript-helper(1) has to be called in.
HELPED = ("preinst", "postinst", "postrm")
# Groups that each Debian has (base-passwd) and that a project may name.
STATIC = frozenset({"root", "adm"})
# Readable by every dpkg and lintian; the control archive is too small for another method to matter.
CONTROL_COMPRESSION = "gzip:6"
PIECE = 1 << 20


class Format:
    """The .deb."""

    name = "deb"
    suffix = ".deb"
    signs = False

    def file_name(self, package: Package) -> str:
        """`NAME_VERSION_ARCHITECTURE.deb`, the version without epoch."""
        version = _deb_control.version_in_file_name(package.version)
        return f"{package.name}_{version}_{package.architecture}.deb"

    def spell(self, alternatives: Alternatives) -> str:
        """One item of a relation field, e.g. `a (>= 1) | b`; a capability as `name-value`."""
        return _deb_control.spell(alternatives)

    def scripts(self, package: Package) -> Mapping[str, str]:
        """Maintainer scripts and the triggers file, of a package with a lifecycle, or for what dpkg cannot do alone."""
        lifecycle = package.lifecycle
        owned, helped, gone = [*_owned(package)], [*_helped(package)], [*_gone(package)]
        # Scripts by name with their templates.
        made = dict.fromkeys(HELPED if helped else ("postrm",) if gone else (), "helped")
        if lifecycle is not None:
            made |= dict(zip(SCRIPTS, SCRIPTS, strict=True))
        elif owned:
            made["postinst"] = "postinst-of-plugin"
        given = {"l": lifecycle, "owned": owned, "helped": helped, "gone": gone}
        for name, text in made.items():
            made[name] = templates.render(f"deb/{text}.j2", script=f"{name} of {package.name}", **given)
        if lifecycle is None:
            return made
        # noawait: a plugin is installed although its core has not yet taken it in (deb-triggers(5)).
        return made | {"triggers": f"interest-noawait {lifecycle.watched}\n"}

    def write(self, package: Package, directory: Path, signer: Signer | None) -> Built:
        """Write the package. A .deb has no signature of its own that apt would look at, so signer is not used.

        `Built.index`: `control`, the text of the control file.
        Raises PackageError, OSError; nothing is left behind then.
        """
        _deb_control.check(package)
        entries = _complete(package)
        lowest = bodies.floor(package)
        members = bodies.last(_members(entries), lowest)
        relations = package.relations.get("deb", Relations())
        extra = sum(member.kind == _tar.DIRECTORY for member in members)
        extra -= sum(entry.type == "directory" for entry in entries)
        control = _deb_control.control(package, relations, _deb_control.installed_size(entries, extra))
        name, pieces = _data(package, members, lowest, directory)
        data = Shelf(directory).put(pieces)
        head = b"".join(
            (
                _ar.MAGIC,
                _ar.member("debian-binary", b"2.0\n", package.time),
                _ar.member("control.tar.gz", self._control(package, control, entries), package.time),
                _ar.header(name, data.size, package.time),
            )
        )
        end = _ar.padding(data.size)
        path, sha256 = directory / self.file_name(package), hashlib.sha256()
        atomic.place(path, hashed(sha256, (head,), data.pieces(), (end,)))
        return Built(
            path=path,
            size=len(head) + data.size + len(end),
            sha256=sha256.hexdigest(),
            name=package.name,
            version=str(package.version),
            architecture=package.architecture,
            index={"control": control},
        )

    def index(self, path: Path) -> Built:
        """What `write` gave back for a .deb that lies in a pool. Raises InputError if it is none."""
        from packaging_tool.formats import _deb_reader

        control, fields = _deb_reader.control(path)
        with path.open("rb") as file:
            sha256 = _digest(file)
        return Built(
            path=path,
            size=path.stat().st_size,
            sha256=sha256,
            name=fields["Package"],
            version=fields["Version"],
            architecture=fields["Architecture"],
            index={"control": control},
        )

    def kinds(self, path: Path) -> Kinds:
        """What kinds of paths are in a .deb that lies in a pool. Raises InputError if it is none."""
        from packaging_tool.formats import _deb_reader

        return _deb_reader.kinds(path)

    def describe(self, path: Path) -> Description:
        """Read any .deb. Raises InputError if it is none."""
        from packaging_tool.formats import _deb_reader  # building packages needs no reader

        return _deb_reader.describe(path)

    def _control(self, package: Package, control: str, entries: Sequence[Entry]) -> bytes:
        """The compressed control archive (deb-control(5), deb-md5sums(5), deb-conffiles(5))."""
        files: dict[str, tuple[str, int]] = {"control": (control, 0o644)}
        conffiles = [entry.path for entry in entries if entry.type == "config"]
        # dpkg 1.20.6 and later read it, so all targets do.
        conffiles += [f"remove-on-upgrade {path}" for path in _gone(package)]
        if conffiles:
            files["conffiles"] = "".join(f"{line}\n" for line in conffiles), 0o644
        # As dh_md5sums(1): what the administrator may change is not listed.
        listed = (entry for entry in entries if entry.content is not None and entry.type != "config")
        if md5sums := "".join(f"{entry.content.md5}  {entry.path[1:]}\n" for entry in listed if entry.content):
            files["md5sums"] = md5sums, 0o644
        for name, text in self.scripts(package).items():
            files[name] = text, 0o644 if name == "triggers" else 0o755
        members = [_tar.Member(b"./", _tar.DIRECTORY, 0o755)]
        for name, (text, mode) in sorted(files.items()):
            content = Content(text.encode())
            members.append(_tar.Member(f"./{name}".encode(), _tar.FILE, mode, size=content.size, content=content))
        return b"".join(bodies.plain(_tar.stream(members, package.time), CONTROL_COMPRESSION))


def _owned(package: Package) -> Iterator[Entry]:
    """What belongs to a user or group that a system has only when the core is configured (Policy 9.2.1).

    What is in a directory comes before it: nothing is given away below what is somebody else's already.
    """
    for entry in sorted(package.entries_of("deb"), key=lambda entry: entry.path, reverse=True):
        foreign = entry.owner != "root" or entry.group not in STATIC
        if foreign and entry.path != package.watched and (entry.content is not None or entry.type == "directory"):
            # Manual pages lie in the package under another name.
            yield replace(entry, path=manuals.place(entry))


def _gone(package: Package) -> Iterator[str]:
    """Configuration files that the package has no more."""
    return (item.path for item in package.former.get("deb", ()) if item.now == "gone")


def _helped(package: Package) -> Iterator[tuple[str, ...]]:
    """Arguments of dpkg-maintscript-helper(1): where there is a directory or a link to one, dpkg lets it be.

    A directory that becomes a file, and all that a file becomes, it does by itself.
    """
    for item in package.former.get("deb", ()):
        if item.now == "symlink":
            yield "dir_to_symlink", item.path, item.target, f"{package.version}~"
        elif item.was == "symlink" and item.now == "directory":
            yield "symlink_to_dir", item.path, item.target, f"{package.version}~"


def _complete(package: Package) -> tuple[Entry, ...]:
    """All that the .deb holds, sorted: the package's entries, and documents that it does not bring itself."""
    own = package.entries_of("deb")
    entries = {entry.path: entry for entry in map(manuals.compressed, own) if entry.type != "ghost"}
    if len(entries) + sum(entry.type == "ghost" for entry in own) != len(own):
        raise PackageError(f"{package.name}: two files have the same path")
    docs = f"/usr/share/doc/{package.name}"
    if docs in entries and entries[docs].type == "symlink":
        # Policy 12.5: those of a package from the same source, which this one depends on, serve both.
        return tuple(entries[path] for path in sorted(entries))
    made = {
        f"{docs}/changelog.Debian.gz": _changelog(package.source, package.changelog),
        f"{docs}/copyright": texts.copyright_file(package),
    }
    if package.modules:
        made[f"{docs}/modules.cdx.json"] = texts.module_list(package)
    if silenced := _deb_lintian.overrides(package, tuple(entries.values())):
        made[f"/usr/share/lintian/overrides/{package.name}"] = silenced
    for path, data in made.items():
        entries.setdefault(path, Entry(path=path, type="doc", content=_shared(data)))
    return tuple(entries[path] for path in sorted(entries))


@lru_cache(maxsize=64)
def _shared(data: bytes) -> Content:
    """The same text in many packages is hashed once."""
    return Content(data)


@lru_cache(maxsize=64)
def _changelog(source: str, changes: tuple[Change, ...]) -> bytes:
    """The compressed changelog, which all packages of a release share."""
    return compress.gzip(texts.debian_changelog(source, changes))


def _members(entries: Iterable[Entry]) -> Iterator[_tar.Member]:
    """Tar members in order, each directory before what is in it: dpkg makes no parents itself."""
    yield _directory("")
    seen = {""}
    for entry in entries:
        missing = []
        parent = entry.path.rpartition("/")[0]
        while parent not in seen:
            missing.append(parent)
            parent = parent.rpartition("/")[0]
        seen.update(missing)
        for parent in reversed(missing):
            yield _directory(parent)
        name = f".{entry.path}".encode()
        if entry.type == "directory":
            seen.add(entry.path)
            yield _tar.Member(name + b"/", _tar.DIRECTORY, entry.mode, entry.owner, entry.group)
        elif entry.type == "symlink":
            yield _tar.Member(name, _tar.SYMLINK, 0o777, entry.owner, entry.group, target=entry.target.encode())
        elif entry.content is not None:
            size = entry.content.size
            yield _tar.Member(name, _tar.FILE, entry.mode, entry.owner, entry.group, size, entry.content)


@lru_cache(maxsize=1024)
def _directory(path: str) -> _tar.Member:
    """A parent that no entry describes."""
    return _tar.Member(f".{path}/".encode(), _tar.DIRECTORY, 0o755)


def _data(
    package: Package, members: Sequence[_tar.Member], lowest: int, directory: Path
) -> tuple[str, Iterable[compress.Bytes]]:
    """Name and compressed pieces of the data archive."""
    name = "data.tar" + compress.SUFFIXES[compress.parse(package.compression.get("deb", "gzip"))[0]]
    pieces = _tar.stream(members, package.time, lowest)
    size = _tar.length(members)
    return name, bodies.pack(pieces, package, "deb", directory, size, shared=lowest > 0, one_frame=True)


def _digest(file: BinaryIO) -> str:
    """SHA-256 of the whole file, whose pages are still in memory."""
    sha256 = hashlib.sha256()
    file.seek(0)
    while data := file.read(PIECE):
        sha256.update(data)
    return sha256.hexdigest()
