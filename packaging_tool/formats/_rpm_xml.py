"""What a yum repository lists about a package, in the words of createrepo_c; made from the header alone."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from packaging_tool.errors import InputError
from packaging_tool.formats import _rpm_tags as t
from packaging_tool.formats._rpm_header import Header

OPERATORS = {
    t.LESS: "LT",
    t.GREATER: "GT",
    t.EQUAL: "EQ",
    t.LESS | t.EQUAL: "LE",
    t.GREATER | t.EQUAL: "GE",
}
RELATIONS = (
    ("provides", t.PROVIDENAME, t.PROVIDEFLAGS, t.PROVIDEVERSION),
    ("requires", t.REQUIRENAME, t.REQUIREFLAGS, t.REQUIREVERSION),
    ("conflicts", t.CONFLICTNAME, t.CONFLICTFLAGS, t.CONFLICTVERSION),
    ("obsoletes", t.OBSOLETENAME, t.OBSOLETEFLAGS, t.OBSOLETEVERSION),
    ("suggests", t.SUGGESTNAME, t.SUGGESTFLAGS, t.SUGGESTVERSION),
    ("enhances", t.ENHANCENAME, t.ENHANCEFLAGS, t.ENHANCEVERSION),
    ("recommends", t.RECOMMENDNAME, t.RECOMMENDFLAGS, t.RECOMMENDVERSION),
    ("supplements", t.SUPPLEMENTNAME, t.SUPPLEMENTFLAGS, t.SUPPLEMENTVERSION),
)
CHANGELOGS = 10
# Characters of all paths of a package; the largest of Fedora have 20 million.
MAX_LIST = 64 << 20
# What XML 1.0 has no way to write.
FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
SPECIAL = re.compile(r"[&<>\"\r\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
GLIBC = re.compile(r"libc\.so\.6\(GLIBC_([0-9.]+)\)")


class File(NamedTuple):
    """A file of a package in the words of the index. kind: `dir`, `ghost` or ""."""

    path: str
    kind: str


class Facts(NamedTuple):
    """What the header does not say. sha256: of the file. header: where it starts and ends. size, archive: in bytes."""

    sha256: str
    header: tuple[int, int]
    size: int
    archive: int


def stanzas(header: Header, facts: Facts) -> dict[str, str]:
    """The stanzas `primary`, `filelists` and `other`. The package's place in the repository is written as `{href}`."""
    files = tuple(_files(header))
    name, arch = _escape(header.text(t.NAME)), architecture(header)
    version = (
        f'  <version epoch="{header.number(t.EPOCH)}" ver="{_escape(header.text(t.VERSION))}" '
        f'rel="{_escape(header.text(t.RELEASE))}"/>\n'
    )
    head = f'<package pkgid="{facts.sha256}" name="{name}" arch="{_escape(arch)}">\n{version}'
    return {
        "primary": _primary(header, facts, version, files),
        "filelists": f"{head}{''.join(map(_file, files))}</package>\n",
        "other": f"{head}{_changelog(header)}</package>\n",
    }


def architecture(header: Header) -> str:
    """rpm's word, `src` for a source package."""
    return "src" if t.SOURCERPM not in header else header.text(t.ARCH)


def _primary(header: Header, facts: Facts, version: str, files: Sequence[File]) -> str:
    time = header.number(t.BUILDTIME)
    listed = "".join(["  " + _file(file) for file in files if _is_primary(file.path)])
    return (
        '<package type="rpm">\n'
        f"  <name>{_escape(header.text(t.NAME))}</name>\n"
        f"  <arch>{_escape(architecture(header))}</arch>\n"
        f"{version}"
        f'  <checksum type="sha256" pkgid="YES">{facts.sha256}</checksum>\n'
        f"  <summary>{_escape(header.text(t.SUMMARY))}</summary>\n"
        f"  <description>{_escape(header.text(t.DESCRIPTION))}</description>\n"
        f"{_element('packager', header.text(t.PACKAGER))}"
        f"{_element('url', header.text(t.URL))}"
        f'  <time file="{time}" build="{time}"/>\n'
        f'  <size package="{facts.size}" installed="{header.number(t.SIZE, t.LONGSIZE)}" archive="{facts.archive}"/>\n'
        '  <location href="{href}"/>\n'
        "  <format>\n"
        f"  {_element('rpm:license', header.text(t.LICENSE))}"
        f"  {_element('rpm:vendor', header.text(t.VENDOR))}"
        f"  {_element('rpm:group', header.text(t.GROUP))}"
        f"  {_element('rpm:buildhost', header.text(t.BUILDHOST))}"
        f"  {_element('rpm:sourcerpm', header.text(t.SOURCERPM))}"
        f'    <rpm:header-range start="{facts.header[0]}" end="{facts.header[1]}"/>\n'
        f"{_relations(header, {file.path for file in files})}"
        f"{listed}"
        "  </format>\n"
        "</package>\n"
    )


def _element(name: str, text: str) -> str:
    return f"  <{name}>{_escape(text)}</{name}>\n" if text else f"  <{name}/>\n"


def _escape(text: str) -> str:
    if not SPECIAL.search(text):
        return text
    text = FORBIDDEN.sub("?", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;").replace("\r", "&#13;")


def paths(header: Header) -> tuple[str, ...]:
    """The full names of all files. Raises InputError if a short header makes very many characters of them."""
    names = header.texts(t.BASENAMES)
    if not names:
        return header.texts(t.OLDFILENAMES)
    directories = header.texts(t.DIRNAMES)
    places = header.numbers(t.DIRINDEXES)
    known = len(directories)
    if len(places) != len(names):
        return ()
    listed = [(directories[place], name) for place, name in zip(places, names, strict=True) if place < known]
    if sum(len(directory) for directory, _ in listed) > MAX_LIST:
        raise InputError("its list of files is too long")
    return tuple([directory + name for directory, name in listed])


def _files(header: Header) -> Iterator[File]:
    modes, flags = header.numbers(t.FILEMODES), header.numbers(t.FILEFLAGS)
    names = paths(header)
    if not len(names) == len(modes) == len(flags):
        modes = flags = (0,) * len(names)
    for path, mode, flag in zip(names, modes, flags, strict=True):
        yield File(path, "dir" if stat.S_ISDIR(mode) else "ghost" if flag & t.GHOST else "")


def _file(file: File) -> str:
    kind = f' type="{file.kind}"' if file.kind else ""
    return f"  <file{kind}>{_escape(file.path)}</file>\n"


def _is_primary(path: str) -> bool:
    """Files that dnf finds without the long list: what other packages may require by their path."""
    return "bin/" in path or path.startswith("/etc/") or path == "/usr/lib/sendmail"


def _relations(header: Header, files: set[str]) -> str:
    made = []
    provided: set[tuple[str, int, str]] = set()
    for kind, names, flags, versions in RELATIONS:
        if names not in header:
            continue
        entries = list(dependencies(header, names, flags, versions))
        if kind == "provides":
            provided = {(name, flag & 0xF, version) for name, flag, version in entries}
        elif kind == "requires":
            entries = _required(entries, provided, files)
        if entries:
            lines = "".join([_entry(*entry, before=kind == "requires") for entry in entries])
            made.append(f"    <rpm:{kind}>\n{lines}    </rpm:{kind}>\n")
    return "".join(made)


def dependencies(header: Header, names: int, flags: int, versions: int) -> Iterator[tuple[str, int, str]]:
    """Name, flags and version of each entry of a relation."""
    found = header.texts(names)
    number = len(found)
    flag, version = header.numbers(flags), header.texts(versions)
    return zip(
        found,
        flag if len(flag) == number else (0,) * number,
        version if len(version) == number else ("",) * number,
        strict=True,
    )


def _required(
    entries: Sequence[tuple[str, int, str]], provided: set[tuple[str, int, str]], files: set[str]
) -> list[tuple[str, int, str]]:
    """What must come from elsewhere: not from rpm itself or this package, nothing twice in a row, one glibc."""
    made = []
    last: dict[str, tuple[int, str, bool]] = {}
    glibc: tuple[str, int, str] | None = None
    for name, flag, version in entries:
        if name.startswith("rpmlib(") or name in files or (name, flag & 0xF, version) in provided:
            continue
        key = (flag & 0xF, version, _is_before(flag))
        if last.get(name) == key:
            continue
        last[name] = key
        if name.startswith("libc.so.6"):
            if glibc is None or _glibc(name) > _glibc(glibc[0]):
                glibc = name, flag, version
        else:
            made.append((name, flag, version))
    return [*made, glibc] if glibc else made


def _glibc(name: str) -> tuple[int, ...]:
    found = GLIBC.match(name)
    return tuple(int(part) for part in found[1].split(".") if part) if found else ()


def _is_before(flag: int) -> bool:
    """Whether the dependency must be there before the package is installed."""
    return bool(flag & (t.SENSE_PREREQ | t.SENSE_PRE | t.SENSE_POST))


def _entry(name: str, flag: int, text: str, *, before: bool) -> str:
    operator = ""
    if text and (sign := OPERATORS.get(flag & 0xF)):
        epoch, _, rest = text.rpartition(":")
        version, _, release = rest.partition("-")
        operator = f' flags="{sign}" epoch="{_escape(epoch or "0")}" ver="{_escape(version)}"'
        if release:
            operator += f' rel="{_escape(release)}"'
    pre = ' pre="1"' if before and _is_before(flag) else ""
    return f'      <rpm:entry name="{_escape(name)}"{operator}{pre}/>\n'


def _changelog(header: Header) -> str:
    """The newest entries, oldest first."""
    times, names, texts = (
        header.numbers(t.CHANGELOGTIME),
        header.texts(t.CHANGELOGNAME),
        header.texts(t.CHANGELOGTEXT),
    )
    rows = list(zip(times, names, texts, strict=False))[:CHANGELOGS]
    return "".join(
        [f'  <changelog author="{_escape(a)}" date="{time}">{_escape(x)}</changelog>\n' for time, a, x in rows[::-1]]
    )
