"""What authors elsewhere get to know of a core's wheels, for one architecture:

    lock.toml     the driver's part of the lock, and `[python.core]`: versions of the core's distributions by name
    site.toml     [dist.NAME]      each distribution of core and plugins: `version`, `requires`, `extras`, and `files`
                  `core`           names of those that the core has
                  [plugin.NAME]    of the maintainer: `dists`, the names of those that it brings, and `needs`

An author needs no wheel of the core: what pip asks of one is its metadata.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging_tool import toml
from packaging_tool.errors import InputError
from packaging_tool.package.content import Content
from packaging_tool.wheels.wheel import NAME, Wheel, normal

LOCK, SITE = "lock.toml", "site.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dist:
    """A distribution. requires: as its metadata has them. files: below the site directory."""

    name: str
    version: str
    requires: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A plugin of the maintainer: what it brings, and which others it needs."""

    dists: tuple[str, ...]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """core: names of the core's distributions. dists: all, by name. plugins: of the maintainer, by name."""

    core: tuple[str, ...]
    dists: Mapping[str, Dist]
    plugins: Mapping[str, Plugin]

    def base(self, needs: Iterable[str]) -> dict[str, Dist]:
        """What is there before a plugin that needs these plugins: the core's, and theirs."""
        names, seen, waiting = list(self.core), set[str](), list(needs)
        while waiting:
            plugin = waiting.pop()
            if plugin in self.plugins and plugin not in seen:
                seen.add(plugin)
                names += self.plugins[plugin].dists
                waiting += self.plugins[plugin].needs
        return {name: self.dists[name] for name in names}


def dist(wheel: Wheel, files: Sequence[str]) -> Dist:
    """A wheel that was unpacked into these files."""
    extras = tuple(wheel.metadata.get("Provides-Extra", ()))
    return Dist(
        name=wheel.name, version=wheel.version, requires=tuple(wheel.requires), extras=extras, files=tuple(files)
    )


def publish(lock: str, site: Site) -> dict[str, Content | None]:
    """The files for authors. lock: the driver's part."""
    rows = {
        name: {"version": one.version, "requires": one.requires, "extras": one.extras, "files": one.files}
        for name, one in sorted(site.dists.items())
    }
    plugins = {name: {"dists": one.dists, "needs": one.needs} for name, one in sorted(site.plugins.items())}
    told = toml.dumps({"core": site.core, "dist": rows, "plugin": plugins})
    versions = {name: site.dists[name].version for name in site.core}
    return {
        LOCK: Content(f"{lock}\n{toml.dumps({'python': {'core': versions}})}".encode()),
        SITE: Content(told.encode()),
    }


def read(core: Path) -> Site:
    """What a maintainer published. Raises InputError."""
    file = "/".join((core / SITE).parts[-3:])
    try:
        raw = toml.loads((core / SITE).read_text(encoding="utf-8"))
        rows, plugins = raw.get("dist", {}), raw.get("plugin", {})
        site = Site(
            core=_texts(raw.get("core", [])),
            dists={name: _dist(name, row) for name, row in rows.items()},
            plugins={
                name: Plugin(dists=_texts(row.get("dists", [])), needs=_texts(row.get("needs", [])))
                for name, row in plugins.items()
            },
        )
        for name in (*site.core, *(name for plugin in site.plugins.values() for name in plugin.dists)):
            _ = site.dists[name]
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise InputError(
            f"{file} is damaged: {'there is no ' if isinstance(error, KeyError) else ''}{error}",
            hint="tell the maintainer of the core",
        ) from None
    return site


def _dist(name: str, row: Mapping[str, Any]) -> Dist:
    # Both become part of a file's name.
    if not NAME.fullmatch(name) or normal(name) != name:
        raise ValueError(f"dist: {name[:80]!r} is no distribution")
    if not NAME.fullmatch(row["version"]):
        raise ValueError(f"dist.{name}.version: {row['version'][:80]!r} is no version")
    lists = {key: _texts(row.get(key, [])) for key in ("requires", "extras", "files")}
    from packaging.requirements import Requirement
    from packaging.version import Version

    # Both say what is wrong by a ValueError.
    Version(row["version"])
    for text in lists["requires"]:
        if Requirement(text).url:
            # pip would build what lies there, and a core has its wheels from an index.
            raise ValueError(f"dist.{name}.requires: {text[:80]!r} names an address")
    if not all(re.fullmatch(r"[A-Za-z0-9._-]+", extra) for extra in lists["extras"]):
        raise ValueError(f"{name!r} has an extra that is none")
    return Dist(name=name, version=row["version"], **lists)


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) and "\n" not in text for text in value):
        raise TypeError("something is not a list of texts")
    return tuple(value)


def stubs(base: Mapping[str, Dist], place: Path) -> dict[str, Wheel]:
    """Wheels without a file, by name, that make pip and us find what is there already. What they require is there,
    too; only extras may need more."""
    place.mkdir(parents=True, exist_ok=True)
    found = {}
    for name, one in base.items():
        stem = f"{name.replace('-', '_')}-{one.version}"
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {one.version}"]
        lines += [f"Provides-Extra: {extra}" for extra in one.extras]
        lines += [f"Requires-Dist: {text}" for text in one.requires if "extra" in text.partition(";")[2]]
        path = place / f"{stem}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(f"{stem}.dist-info/METADATA", "\n".join(lines) + "\n")
            file.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            file.writestr(f"{stem}.dist-info/RECORD", "")
        found[name] = Wheel(path)
    return found


def part(text: str) -> dict[str, Any]:
    """The driver's part of a lock; empty if it is not of this form."""
    try:
        found = toml.loads(text).get("python", {})
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def changes(before: Mapping[str, Any], after: Mapping[str, Any], architecture: str) -> list[str]:
    """Distributions that differ between two parts of a lock, in words: those that went away first."""
    old, new = before.get("core"), after.get("core")
    if not (isinstance(old, dict) and isinstance(new, dict)):
        # Locks as they are in projects: of wheels of the index, whoever has them.
        old, new = _locked(before, architecture), _locked(after, architecture)
    found = [f"{name} {old[name]} went away" for name in sorted({*old} - {*new})]
    found += [f"{name}: {old[name]} became {new[name]}" for name in sorted({*old} & {*new}) if old[name] != new[name]]
    return found + [f"{name} {new[name]} is new" for name in sorted({*new} - {*old})]


def _locked(part: Mapping[str, Any], architecture: str) -> dict[str, str]:
    rows = part.get("wheel", [])
    return {
        row["name"]: row["version"]
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict) and {"name", "version", "architecture"} <= set(row)
        if architecture in ("", row["architecture"])
    }
