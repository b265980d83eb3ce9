"""The files of an .rpm: what the package gets beside its own entries, the header's file tags, the archive's members."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Sequence
from functools import lru_cache

from packaging_tool.errors import PackageError
from packaging_tool.formats import _cpio, _rpm_classes
from packaging_tool.formats import _rpm_tags as t
from packaging_tool.formats._rpm_header import Value
from packaging_tool.package import limits, manuals, texts
from packaging_tool.package.content import Content
from packaging_tool.package.model import Entry, Package

LICENSES = "/usr/share/licenses"
DOCS = "/usr/share/doc"
# What rpmbuild marks as documentation by its place.
DOC_ROOTS = (f"{DOCS}/", "/usr/share/man/", "/usr/share/info/")
TRANSLATED = ("/usr/share/locale/", "/usr/share/man/")
LANGUAGE = re.compile(r"/usr/share/(?:locale|man)/([a-z]{2,3}(?:_[A-Z]{2})?(?:[.@][\w-]+)?)/")
FLAGS = {"config": t.CONFIG | t.NOREPLACE, "doc": t.DOC, "ghost": t.GHOST}
# rpm unpacks `NAME;HASH` beside the file.
SUFFIX = len(";12345678")
INT32 = 1 << 32


def complete(package: Package) -> tuple[Entry, ...]:
    """All that the .rpm holds, sorted: the package's entries, its license text and the list of compiled-in modules.

    Raises PackageError for entries that an .rpm cannot carry.
    """
    entries = {}
    own = package.entries_of("rpm")
    for entry in map(manuals.compressed, own):
        limits.check(package.name, entry, manager="rpm", suffix=SUFFIX)
        entries[entry.path] = entry
    if len(entries) != len(own):
        raise PackageError(f"{package.name}: two files have the same path")
    licenses, docs = f"{LICENSES}/{package.name}", f"{DOCS}/{package.name}"
    entries.setdefault(licenses, Entry(path=licenses, type="directory", mode=0o755))
    text = texts.copyright_file(package, common_licenses=False)
    entries.setdefault(f"{licenses}/copyright", Entry(path=f"{licenses}/copyright", type="doc", content=_shared(text)))
    if package.modules:
        path = f"{docs}/modules.cdx.json"
        entries.setdefault(docs, Entry(path=docs, type="directory", mode=0o755))
        entries.setdefault(path, Entry(path=path, type="doc", content=Content(texts.module_list(package))))
    return tuple(entries[path] for path in sorted(entries))


@lru_cache(maxsize=64)
def _shared(data: bytes) -> Content:
    """The same text in many packages is hashed once."""
    return Content(data)


def members(entries: Sequence[Entry]) -> tuple[_cpio.Member, ...]:
    """The archive's members; a ghost is in the header only."""
    made = []
    for index, entry in enumerate(entries):
        if entry.type == "ghost":
            continue
        name = f".{entry.path}".encode()
        mode = _mode(entry)
        if entry.type == "symlink":
            target = entry.target.encode()
            made.append(_cpio.Member(index, name, mode, len(target), None, target))
        elif entry.content is not None:
            made.append(_cpio.Member(index, name, mode, entry.content.size, entry.content))
        else:
            made.append(_cpio.Member(index, name, mode))
    return tuple(made)


def _mode(entry: Entry) -> int:
    if entry.type == "directory":
        return stat.S_IFDIR | entry.mode
    return stat.S_IFLNK | 0o777 if entry.type == "symlink" else stat.S_IFREG | entry.mode


def _flags(entry: Entry) -> int:
    if entry.path.startswith(f"{LICENSES}/") and entry.type in ("file", "doc"):
        return t.LICENSE_FILE
    if entry.type != "directory" and entry.path.startswith(DOC_ROOTS):
        return FLAGS.get(entry.type, 0) | t.DOC
    return FLAGS.get(entry.type, 0)


def _language(path: str) -> str:
    """What `%lang` says of a translation: who installs without that language does not get it."""
    found = LANGUAGE.match(path) if path.startswith(TRANSLATED) else None
    return found[1] if found else ""


def tags(entries: Sequence[Entry], time: int) -> dict[int, Value]:
    """All file tags of the header, and the sum of the sizes."""
    number = len(entries)
    if not number:
        return {t.SIZE: (0,)}
    directories: dict[str, int] = {}
    places, names = [], []
    for entry in entries:
        parent, _, name = entry.path.rpartition("/")
        places.append(directories.setdefault(f"{parent}/", len(directories)))
        names.append(name)
    sizes = tuple([len(entry.target.encode()) if entry.content is None else entry.content.size for entry in entries])
    made = _classes(entries)
    if max(sizes) < INT32:
        made[t.FILESIZES] = sizes
    else:
        made[t.LONGFILESIZES] = sizes
    made[t.SIZE if sum(sizes) < INT32 else t.LONGSIZE] = (sum(sizes),)
    return made | {
        t.FILEMODES: tuple(map(_mode, entries)),
        t.FILERDEVS: (0,) * number,
        t.FILEMTIMES: (time,) * number,
        t.FILEDIGESTS: tuple([entry.content.sha256 if entry.content else "" for entry in entries]),
        t.FILELINKTOS: tuple([entry.target for entry in entries]),
        t.FILEFLAGS: tuple(map(_flags, entries)),
        t.FILEUSERNAME: tuple([entry.owner for entry in entries]),
        t.FILEGROUPNAME: tuple([entry.group for entry in entries]),
        t.FILEVERIFYFLAGS: tuple([t.VERIFY_GHOST if e.type == "ghost" else t.VERIFY_ALL for e in entries]),
        t.FILEDEVICES: (1,) * number,
        t.FILEINODES: tuple(range(1, number + 1)),
        t.FILELANGS: tuple([_language(entry.path) for entry in entries]),
        t.DIRINDEXES: tuple(places),
        t.BASENAMES: tuple(names),
        t.DIRNAMES: tuple(directories),
        t.FILEDIGESTALGO: (t.SHA256,),
    }


def _classes(entries: Iterable[Entry]) -> dict[int, Value]:
    numbers: dict[str, int] = {}
    classes, colors = [], []
    for entry in entries:
        text, color = _rpm_classes.classify(entry)
        classes.append(numbers.setdefault(text, len(numbers)))
        colors.append(color)
    return {t.FILECLASS: tuple(classes), t.CLASSDICT: tuple(numbers), t.FILECOLORS: tuple(colors)}
