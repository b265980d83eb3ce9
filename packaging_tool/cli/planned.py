"""Packages to come, as a tree for people and as JSON for programs."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from packaging_tool import registry
from packaging_tool.cli.text import printable, size
from packaging_tool.drivers.base import NO_ABI
from packaging_tool.formats.base import Format
from packaging_tool.package.model import Entry, Package
from packaging_tool.project.model import Project

# Version of the JSON; raised when something in it changes its meaning or goes away.
SCHEMA = 1
# A directory with more files below it than this is one line.
CROWDED = 40
RELATIONS = ("depends", "recommends", "suggests", "conflicts", "replaces", "provides")
_KINDS = {"directory": stat.S_IFDIR, "symlink": stat.S_IFLNK}


@dataclass(slots=True)
class Node:
    """A line of the tree and what hangs below it."""

    text: str
    below: list[Node] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """The node as text, drawn as tree(1) does."""
        yield self.text
        for index, node in enumerate(self.below):
            last = index == len(self.below) - 1
            for number, line in enumerate(node.lines()):
                yield (("└── " if last else "├── ") if number == 0 else ("    " if last else "│   ")) + line


def tree(packages: Sequence[Package], *, whole: bool = False) -> Iterator[str]:
    """Lines of a tree of packages. whole: with the text of the scripts and every file of large directories."""
    formats = _formats(packages)
    for index, package in enumerate(packages):
        if index:
            yield ""
        top = Node(f"{package.name} {package.version} {package.architecture} ({package.kind})")
        top.below.append(Node(printable(package.summary)))
        for family in package.relations:
            top.below.append(
                Node(f"{family}: {formats[family].file_name(package)}", _relations(package, formats[family]))
            )
        top.below.append(_files(package.entries, whole=whole))
        for family in package.relations:
            texts = formats[family].scripts(package)
            if texts:
                names = [_script(name, text, whole=whole) for name, text in texts.items()]
                top.below.append(Node(f"{family} scripts and triggers", names))
        yield from top.lines()


def _formats(packages: Sequence[Package]) -> dict[str, Format]:
    names = sorted({family for package in packages for family in package.relations})
    return {name: cast(Format, registry.load("formats", name).Format()) for name in names}


def _relations(package: Package, writer: Format) -> list[Node]:
    found = []
    for name, items in _spelled(package, writer).items():
        if items:
            found.append(Node(f"{name}: {', '.join(items)}"))
    return found


def _spelled(package: Package, writer: Format) -> Mapping[str, list[str]]:
    relations = package.relations[writer.name]
    return {name: [writer.spell(item).replace(NO_ABI, "?") for item in getattr(relations, name)] for name in RELATIONS}


def _files(entries: Sequence[Entry], *, whole: bool) -> Node:
    known = sum(entry.content.size for entry in entries if entry.content is not None)
    plain = [entry for entry in entries if entry.type not in ("directory", "symlink")]
    open_ = any(entry.content is None and entry.type != "ghost" for entry in plain)
    count = f"{len(plain)} file{'' if len(plain) == 1 else 's'}"
    rows = [
        (stat.filemode(_KINDS.get(e.type, stat.S_IFREG) | e.mode), f"{e.owner}:{e.group}", _size(e), _name(e))
        for e in entries
    ]
    wide = max((len(row[1]) for row in rows), default=0)
    lines, folded = [], "\0"
    for entry, (mode, owner, amount, name) in zip(entries, rows, strict=True):
        if entry.path.startswith(folded):
            continue
        below = sum(other.path.startswith(f"{entry.path}/") for other in plain) if entry.type == "directory" else 0
        if below > CROWDED and not whole:
            folded = f"{entry.path}/"
            name += f" and {below} files below it (-v shows them)"
        lines.append(Node(f"{mode} {owner:{wide}} {amount:>9} {name}"))
    return Node(f"{count}, {size(known)}{' and what the build adds' if open_ else ''}", lines)


def _size(entry: Entry) -> str:
    if entry.type in ("directory", "symlink", "ghost"):
        return "-"
    return size(entry.content.size) if entry.content is not None else "?"


def _name(entry: Entry) -> str:
    name = printable(entry.path)
    if entry.type == "symlink":
        name += f" -> {printable(entry.target)}"
    elif entry.type == "directory":
        name += "/"
    elif entry.type != "file":
        name += f" [{entry.type}]"
    return f"{name} [{entry.only} only]" if entry.only else name


def _script(name: str, text: str, *, whole: bool) -> Node:
    lines = text.rstrip("\n").split("\n")
    if len(lines) == 1:
        return Node(f"{name}: {printable(lines[0])}")
    if whole:
        return Node(name, [Node(printable(line)) for line in lines])
    return Node(f"{name} ({len(lines)} lines)")


def networked(project: Project) -> tuple[str, ...]:
    """The tables whose commands may use the network, as `core.exec` or `plugin.NAME.exec`."""
    found: dict[str, None] = {}
    for each in project.cores:
        named = [("core", each.core_options), *((f"plugin.{name}", own) for name, own in each.plugin_options.items())]
        found |= {f"{key}.{each.core.driver}": None for key, own in named if getattr(own, "network", False)}
    return tuple(found)


def as_json(packages: Sequence[Package]) -> str:
    """The packages as JSON: the same keys in the same order, whatever the project."""
    formats = _formats(packages)
    document = {"mkpkgs-plan": SCHEMA, "packages": [_package(package, formats) for package in packages]}
    text = json.dumps(document, indent=2, ensure_ascii=False)
    # The same words, but for what steers a terminal.
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def _package(package: Package, formats: Mapping[str, Format]) -> dict[str, Any]:
    return {
        "kind": package.kind,
        "name": package.name,
        "source": package.source,
        "version": str(package.version),
        "architecture": package.architecture,
        "summary": package.summary,
        "description": package.description,
        "license": package.license,
        "homepage": package.homepage,
        "maintainer": package.maintainer,
        "files": [_entry(entry) for entry in package.entries],
        "modules": [{"path": module.path, "version": module.version} for module in package.modules],
        "formats": {
            family: {
                "file": formats[family].file_name(package),
                "compression": package.compression.get(family, ""),
                "relations": _spelled(package, formats[family]),
                "scripts": dict(formats[family].scripts(package)),
            }
            for family in sorted(package.relations)
        },
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "path": entry.path,
        "type": entry.type,
        "mode": f"{entry.mode:04o}",
        "owner": entry.owner,
        "group": entry.group,
        "size": entry.content.size if entry.content is not None else None,
        "target": entry.target or None,
        "format": entry.only or None,
    }
