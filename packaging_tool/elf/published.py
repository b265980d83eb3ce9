"""What plugins of authors elsewhere are built against and what they may call, as the core's maintainer publishes it.

By relative path, for one architecture:

    lock.toml     the driver's part of the lock, and in it
                  [elf.offers.NAME]    a program or library of the core, or one that the project names: its `symbols`,
                                       as `NAME` or `NAME@VERSION`, and the sonames of the libraries that it `needs`
                  [elf.brings.NAME]    a plugin of the maintainer: its `objects`, their `symbols`, and the plugins that
                                       it `needs`
                  [elf.libraries]      `names` of libraries that the maintainer's packages need, as `SONAME` and
                                       `SONAME VERSION`, and the `targets` that therefore have them
    core.tar      the files of `authors.files`; what `{core}` stands for in commands of an author
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging_tool import atomic, toml
from packaging_tool.elf import facts, inside
from packaging_tool.elf.libraries import Object
from packaging_tool.errors import BuildError, InputError
from packaging_tool.package.content import Content
from packaging_tool.project import contents

LOCK, TREE = "lock.toml", "core.tar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authors:
    """What authors elsewhere build their plugins against.

    files: globs of files in the core's built tree, or in the project if nothing is built; a directory stands for all
        that is in it. `{core}` in an author's commands is a copy of them, e.g. `["src/**/*.h", "config.h"]`.
    packages: of distributions, that an author needs beside them, e.g. `["postgresql-server-dev-15"]`.
    symbols: files beside the core's own whose symbols plugins use, such as a server that the core does not bring.
    """

    files: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """What a file or a plugin has for others.

    symbols: `NAME` and `NAME@VERSION`. needs: sonames, or names of plugins. objects: of a plugin, names of its files.
    """

    symbols: frozenset[str]
    needs: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Interface:
    """offers: of the core, by soname or name of the file. brings: of the maintainer's plugins, by name.

    targets, libraries: releases that have these libraries, as `SONAME` and `SONAME VERSION`.
    """

    offers: Mapping[str, Offer] = field(default_factory=dict)
    brings: Mapping[str, Offer] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    libraries: frozenset[str] = frozenset()


def offers(found: Iterable[tuple[str, Object]]) -> dict[str, Offer]:
    """What files of the core have for plugins. found: with their names. Raises BuildError for damaged ones."""
    return {
        one.facts.soname or name: Offer(facts.offers(one.path), tuple(sorted(one.facts.needed))) for name, one in found
    }


def brings(found: Sequence[tuple[str, Object]], needs: Sequence[str]) -> Offer:
    """What the objects of a plugin have for others. found: with their names. needs: the plugins that come with it."""
    symbols = frozenset[str]().union(*(facts.offers(one.path) for _, one in found))
    return Offer(symbols, tuple(needs), tuple(name for name, _ in found))


def needed(found: Iterable[Object]) -> frozenset[str]:
    """The libraries that files need, as `SONAME` and `SONAME VERSION`; also those that come with the core."""
    facts_of = [one.facts for one in found]
    return frozenset(
        [
            *(name for one in facts_of for name in one.needed),
            *(" ".join(both) for one in facts_of for both in one.versions),
        ]
    )


def render(interface: Interface) -> str:
    """The tables of the lock."""
    tables: dict[str, dict[str, Any]] = {
        kind: {name: _row(offer) for name, offer in rows.items()}
        for kind, rows in (("offers", interface.offers), ("brings", interface.brings))
    }
    if interface.libraries:
        tables["libraries"] = {"targets": interface.targets, "names": tuple(sorted(interface.libraries))}
    return "\n" + toml.dumps({"elf": {kind: rows for kind, rows in tables.items() if rows}})


def _row(offer: Offer) -> dict[str, tuple[str, ...]]:
    return {"needs": offer.needs, "objects": offer.objects, "symbols": tuple(sorted(offer.symbols))}


def gone(before: Interface, after: Interface) -> list[str]:
    """Symbols of the core that went away. Empty where one of the two says nothing of them."""
    if not (before.offers and after.offers):
        return []
    old, new = (frozenset[str]().union(*(offer.symbols for offer in one.offers.values())) for one in (before, after))
    return sorted(name for name in old - new if "@" not in name or name.partition("@")[0] in new)


def parse(part: Mapping[str, Any]) -> Interface:
    """The interface in the driver's part of a lock; empty where there is none. Raises InputError."""
    try:
        offers, brings = ({name: _offer(row) for name, row in part.get(kind, {}).items()} for kind in _KINDS)
        row = part.get("libraries", {})
        return Interface(offers, brings, tuple(row.get("targets", ())), frozenset(row.get("names", ())))
    except (AttributeError, KeyError, TypeError) as error:
        what = f"lock.toml of the core: elf.offers or elf.brings cannot be read: {type(error).__name__} {error}"
        raise InputError(what, hint="tell the maintainer of the core") from None


_KINDS = ("offers", "brings")


def _offer(row: Mapping[str, Any]) -> Offer:
    symbols, needs, objects = (row.get(key, []) for key in ("symbols", "needs", "objects"))
    if not all(isinstance(text, str) for text in (*symbols, *needs, *objects)):
        raise TypeError("something is not a text")
    return Offer(frozenset(symbols), tuple(needs), tuple(objects))


def pack(patterns: Sequence[str], root: Path, epoch: int, target: Path) -> Content:
    """An archive of files, the same bytes wherever root lies. epoch: their time. Raises BuildError."""
    buffer = io.BytesIO()
    # Not compressed: packages are, and the bytes would be those of one version of a library.
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, path in sorted(_chosen(patterns, root).items()):
            data = path.read_bytes()
            # Below one directory, as of a release, which who unpacks it leaves out.
            info = tarfile.TarInfo(f"core/{name}")
            info.size, info.mtime = len(data), epoch
            info.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            archive.addfile(info, io.BytesIO(data))
    target.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(target, buffer.getvalue())
    return Content(target)


def _chosen(patterns: Sequence[str], root: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for pattern in patterns:
        files = {path.relative_to(root).as_posix(): path for path in _files(pattern, root)}
        if not files:
            hint = contents.literal(root, pattern) or "does the build name it so?"
            raise BuildError(f"core.elf.authors.files: {root} has no {pattern}", hint=hint)
        found |= files
    return found


def _files(pattern: str, root: Path) -> Iterator[Path]:
    for path in inside.files(root, pattern):
        for one in inside.files(path, "**/*") if path.is_dir() else (path,):
            # What a link leads to must not come from elsewhere on this machine.
            if one.is_file() and one.resolve().is_relative_to(root.resolve()):
                yield one
