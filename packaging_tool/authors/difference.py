"""What an update of a core does to plugins: whether they must be rebuilt, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from packaging_tool import lock as locking
from packaging_tool import registry, toml
from packaging_tool.authors import core as described
from packaging_tool.authors import places
from packaging_tool.authors.core import LOCK, Core
from packaging_tool.drivers.base import Authoring, Noting
from packaging_tool.errors import InputError


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two. name: for people. driver, lock: its part of the lock. core: None where there is a lock alone."""

    name: str
    driver: str
    lock: str
    core: Core | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs. reasons: none if the ABI is the same. rebuild: plugins of the maintainer that need a new build,
    each with the reason; all others of anybody need one too if there are reasons and not `taken`. notes: what changed
    for plugins though the ABI is the same. taken: the new core takes plugins of the old one's ABI. dropped: of the
    older ABIs that the old core took, it does not take all."""

    architecture: str
    before: str
    after: str
    reasons: tuple[str, ...]
    rebuild: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()
    taken: bool = False
    dropped: bool = False


def read(text: str, core: str, cache: Path) -> dict[str, Side]:
    """A lock file, a directory with the files for authors of one ABI, or a place that publishes: by architecture.

    core: name of the core where only a place is named, "" if nobody said it. Of a place, the newest version counts.
    Raises InputError, SigningError, BuildError.
    """
    path = Path(text)
    if path.exists() and not path.is_dir():
        found = locking.read(path)
        if found is None:
            raise InputError(f"{path} is gone")
        if "plugin-of" in toml.loads(found.part.text):
            raise InputError(
                f"{path} is of plugins for somebody else's core",
                hint="name places that publish that core, or its locks",
            )
        return {"": Side(f"{path} ({found.version})", found.driver, found.part.text)}
    if (path / described.DESCRIPTION).is_file():
        data = (path / described.DESCRIPTION).read_bytes()
        one = described.parse(data, str(path / described.DESCRIPTION))
        return {one.architecture: _side(one, path / "files")}
    offer = places.look(places.spec(core or _only(path), text), Path(), "")
    cores: dict[str, list[Core]] = {}
    for folder in offer.listed:
        one = places.fetch(offer, folder, cache)
        cores.setdefault(one.architecture, []).append(one)
    chosen = {architecture: described.newest(several) for architecture, several in cores.items()}
    return {name: _side(one, cache / one.folder / "files") for name, one in chosen.items()}


def _only(path: Path) -> str:
    """The one core that a directory is of."""
    names = sorted({found.parent.name for found in path.glob(f"dev/*/{described.INDEX}")})
    if len(names) != 1:
        what = f"has {', '.join(names)}" if names else "is neither a lock file nor a place with files for authors"
        raise InputError(f"{path} {what}", hint="name a file, a directory below dev/CORE, or the core by --core")
    return names[0]


def _side(core: Core, files: Path) -> Side:
    if LOCK not in core.files:
        raise InputError(f"{core}: its files for authors have no {LOCK}")
    return Side(str(core), core.spec.driver, (files / LOCK).read_text(encoding="utf-8"), core)


def compare(before: dict[str, Side], after: dict[str, Side]) -> tuple[Difference, ...]:
    """Compare both, an architecture each. Raises InputError if there is nothing to compare."""
    found = []
    names = sorted({*before, *after} - {""}) or [""]
    for name in names:
        old, new = before.get(name) or before.get(""), after.get(name) or after.get("")
        if old is None or new is None:
            continue
        if old.driver != new.driver:
            raise InputError(f"{old.name} is made by the driver {old.driver}, {new.name} by {new.driver}")
        driver = registry.load("drivers", old.driver).Driver()
        if not hasattr(driver, "changes"):
            raise InputError(f"the driver {old.driver} cannot compare two cores")
        reasons = cast(Authoring, driver).changes(old.lock, new.lock, name)
        notes = cast(Noting, driver).notes(old.lock, new.lock, name) if hasattr(driver, "notes") else ()
        taken, dropped = _range(old, new)
        rebuild = _rebuild(old, new, bool(reasons) and not taken)
        found.append(Difference(name, old.name, new.name, reasons, rebuild, notes, taken, dropped))
    if not found:
        raise InputError("the two have no architecture in common")
    return tuple(found)


def _range(old: Side, new: Side) -> tuple[bool, bool]:
    """Whether the new core takes plugins of the old one's ABI, and whether not all older ones any more."""
    if old.core is None or new.core is None:
        return False, False
    takes = {new.core.abi, *new.core.accepts}
    return old.core.abi in takes, not takes.issuperset(old.core.accepts)


def _rebuild(old: Side, new: Side, changed: bool) -> tuple[tuple[str, str], ...]:
    if old.core is None:
        return ()
    known = old.core.plugins
    now = new.core.plugins if new.core is not None else known
    if changed:
        return tuple((name, "the ABI is another one") for name in sorted(known))
    rows = []
    for name, plugin in sorted(known.items()):
        moved = [
            f"it needs {need}, {known[need].version} became {now[need].version}"
            for need in plugin.needs
            if need in known and need in now and known[need].version != now[need].version
        ]
        rows += [(name, "; ".join(moved))] if moved else []
    return tuple(rows)
