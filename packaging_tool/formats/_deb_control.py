"""The control file of a .deb (deb-control(5), Debian Policy 5): fields, relations, and what dpkg would not take."""

from __future__ import annotations

import re
from collections.abc import Iterable

from packaging_tool.errors import PackageError
from packaging_tool.package import limits, prose
from packaging_tool.package.model import Alternatives, Capability, Entry, Package, Relation, Relations, Version

# Policy 7.1: a condition with one angle bracket means something else in old files.
OPERATORS = {"<": "<<", "<=": "<=", "=": "=", ">=": ">=", ">": ">>"}
# In texts of several lines.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# Policy 5.6.1. dpkg folds upper case in names and apt does not, so such a name can never be installed cleanly.
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
# Policy 5.6.12; the release may have no hyphen, or it would end elsewhere.
UPSTREAM = re.compile(r"[0-9][A-Za-z0-9.+~-]*")
REVISION = re.compile(r"[A-Za-z0-9.+~]+")
VERSION = re.compile(r"(?:[0-9]+:)?[0-9][A-Za-z0-9.+~-]*")
ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]*")
# dpkg unpacks `NAME.dpkg-new` beside the file.
SUFFIX = len(".dpkg-new")


def check(package: Package) -> None:
    """Raise PackageError for what no .deb can carry."""
    for what, pattern, text in (
        ("package name", NAME, package.name),
        ("source name", NAME, package.source),
        ("upstream version", UPSTREAM, package.version.upstream),
        ("release", REVISION, package.version.release),
        ("architecture", ARCHITECTURE, package.architecture),
    ):
        if not pattern.fullmatch(text):
            raise PackageError(f"{package.name}: a .deb cannot have the {what} {text!r}")
    for what in ("summary", "maintainer", "homepage", "section", "priority"):
        if limits.CONTROL.search(getattr(package, what)):
            raise PackageError(f"{package.name}: the {what} has a line break or another control character")
    for what in ("summary", "maintainer"):
        if not getattr(package, what).strip():
            raise PackageError(f"{package.name}: the {what} is empty")
    if not 0 <= package.time < 1 << 33:
        raise PackageError(f"{package.name}: time {package.time} does not fit into a tar header")
    for entry in package.entries_of("deb"):
        limits.check(package.name, entry, manager="dpkg", suffix=SUFFIX)


def version_in_file_name(version: Version) -> str:
    """The version as it stands in names of files: without the epoch (Policy 5.6.12)."""
    return f"{version.upstream}-{version.release}"


def spell(alternatives: Alternatives) -> str:
    """One item of a relation field, e.g. `a (>= 1) | b`. Raises PackageError for a bad name or version."""
    return " | ".join(_spell_one(item) for item in alternatives)


def _spell_one(item: Relation | Capability) -> str:
    name = f"{item.name}-{item.value}" if isinstance(item, Capability) else item.name
    base, _, architecture = name.partition(":")
    if not NAME.fullmatch(base) or (architecture and not ARCHITECTURE.fullmatch(architecture)):
        raise PackageError(f"a .deb cannot relate to {name!r}", hint="names are two or more of a-z, 0-9, `+-.`")
    if isinstance(item, Capability) or not item.operator:
        return name
    if not VERSION.fullmatch(item.version):
        raise PackageError(f"a .deb cannot relate to version {item.version!r} of {name}")
    return f"{name} ({OPERATORS[item.operator]} {item.version})"


def relation_fields(relations: Relations) -> dict[str, str]:
    """All relation fields in dpkg's order.

    Replacing a whole package takes Conflicts and Replaces (Policy 7.6.2); a condition on earlier versions is a matter
    of Breaks (7.4), which lets dpkg order the upgrade. Raises PackageError for what the fields cannot say.
    """
    for alternatives in (*relations.provides, *relations.conflicts, *relations.replaces):
        if len(alternatives) != 1:
            raise PackageError(f"{spell(alternatives)!r}: only dependencies can have alternatives")
    for (item,) in relations.provides:
        if isinstance(item, Relation) and item.operator not in ("", "="):
            raise PackageError(f"{spell((item,))!r}: a package can only provide one exact version")
    away = (*relations.conflicts, *relations.replaces)
    fields = {
        "Depends": relations.depends,
        "Recommends": relations.recommends,
        "Suggests": relations.suggests,
        "Conflicts": [item for item in away if not _earlier(item)],
        "Breaks": [item for item in away if _earlier(item)],
        "Replaces": relations.replaces,
        "Provides": relations.provides,
    }
    spelled = {name: dict.fromkeys(spell(item) for item in items) for name, items in fields.items()}
    return {name: ", ".join(items) for name, items in spelled.items() if items}


def _earlier(alternatives: Alternatives) -> bool:
    item = alternatives[0]
    return isinstance(item, Relation) and item.operator in ("<", "<=")


def installed_size(entries: Iterable[Entry], directories: int) -> int:
    """Installed-Size in KiB as dpkg-gencontrol(1) counts it: files and links rounded up, 1 for anything else.

    directories: how many parents the package gets beside those in entries, the root among them.
    """
    total = directories
    for entry in entries:
        if entry.type == "directory":
            total += 1
        else:
            size = len(entry.target.encode()) if entry.content is None else entry.content.size
            total += -(-size // 1024)
    return total


def control(package: Package, relations: Relations, size: int) -> str:
    """The text of the control file. size: Installed-Size in KiB."""
    fields = {
        "Package": package.name,
        "Source": package.source if package.source != package.name else "",
        "Version": str(package.version),
        "Architecture": package.architecture,
        "Maintainer": package.maintainer,
        "Installed-Size": str(size),
        **relation_fields(relations),
        "Section": package.section,
        "Priority": package.priority,
        # What has no machine code serves packages of every architecture (deb-control(5)).
        "Multi-Arch": "foreign" if package.architecture == "all" else "",
        "Homepage": package.homepage,
        **_debug_fields(package),
        "Description": description(package),
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)


def _debug_fields(package: Package) -> dict[str, str]:
    """What marks a package of debug information, as dh_strip(1) and dpkg-gencontrol(1) write it."""
    if package.kind != "debug":
        return {}
    found = [entry.path.rsplit("/", 2)[1:] for entry in package.entries if entry.path.endswith(".debug")]
    ids = " ".join(sorted(folder + name.removesuffix(".debug") for folder, name in found))
    return {"Auto-Built-Package": "debug-symbols", "Build-Ids": ids}


def description(package: Package) -> str:
    """The value of Description (Policy 5.6.13 and 3.4): synopsis, then the paragraphs, wrapped.

    Items of lists and indented lines begin with two spaces, so that nobody wraps them again. Policy wants more than
    the synopsis and not the synopsis again, which is what a project gives that says nothing else.
    """
    synopsis = package.summary.strip()
    said = prose.paragraphs(CONTROL.sub("", package.description))
    if said and _plain(" ".join(piece.text for piece in said[0])) == _plain(synopsis):
        del said[0]
    if not said:
        said = prose.paragraphs(f"This package brings {package.name} {package.version.upstream}.")
    lines = [synopsis]
    for number, paragraph in enumerate(said):
        if number:
            lines.append(" .")
        # A dot as first character would mean a blank line, or something that Policy keeps for later.
        lines += [f"  {line}" if line.startswith(".") else f" {line}" for line in prose.lines(paragraph, 78, 1)]
    return "\n".join(lines)


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(".")
