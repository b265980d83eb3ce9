"""Plugins of several authors for one core: what each publishes of its own, and what cannot live together.

In an author's repository, `dev/CORE/plugins.toml` has for each ABI the author's plugins: their files outside of their
own folders, and the modules that are compiled into them. It is advice, so nobody signs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging_tool import atomic, toml
from packaging_tool.authors import core as described
from packaging_tool.authors import places
from packaging_tool.authors.core import FORMAT, Core
from packaging_tool.drivers.base import Failure, Outcome
from packaging_tool.errors import BuildError, InputError, Problem
from packaging_tool.listener import Listener
from packaging_tool.package.model import Capability, Package
from packaging_tool.project import contents
from packaging_tool.project.model import Project

FILE = "plugins.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A plugin of another author. abi: that it was built for. modules: versions of what is compiled in, by path."""

    author: str
    abi: str
    name: str
    paths: tuple[str, ...]
    modules: Mapping[str, str]


def write(project: Project, packages: Iterable[Package], staging: Path) -> None:
    """Say in an author's repository what its plugins are. packages: those that were made now. Raises OSError."""
    core, place = project.core.name, staging / "dev" / project.core.name / FILE
    before = place.read_bytes() if place.is_file() else b""
    authors: dict[str, Any] = {}
    if before:
        authors = described.load(before, str(place)).get("author", {})
    own = authors.setdefault(project.name, {})
    names = {plugin.name for plugin in project.plugins}
    for abi, plugins in own.items():
        own[abi] = {name: row for name, row in plugins.items() if name in names}
    for package in packages:
        name = package.name.removeprefix(f"{core}-plugin-")
        if package.kind == "plugin" and name in names:
            folder = f"{project.plugins_directory}/{name}/"
            own.setdefault(_abi(package, core), {})[name] = {
                "version": str(package.version),
                "paths": [e.path for e in package.entries if e.type != "directory" and not e.path.startswith(folder)],
                "modules": {module.path: module.version for module in package.modules},
            }
    data = toml.dumps({"mkpkgs-dev": FORMAT, "core": core, "author": authors}).encode()
    if data != before:
        place.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(place, data)


def _abi(package: Package, core: str) -> str:
    relations = next(iter(package.relations.values()))
    found = [one.value for one, *_ in relations.depends if isinstance(one, Capability) and one.name == f"{core}-abi"]
    return found[0]


def read(project: Project, listener: Listener) -> tuple[Neighbour, ...]:
    """The plugins of the authors that the project names. One that cannot be asked is only told of."""
    spec = described.author(project)
    found: list[Neighbour] = []
    for at in spec.beside:
        place = places.beside(at, spec.core, project.root)
        try:
            data = place.read(FILE)
            found += parse(data, f"{place}/{FILE}", spec.name)
        except FileNotFoundError:
            listener.warn(f"{place} has no {FILE}: is it the repository of an author of plugins for {spec.core}?")
        except (BuildError, InputError) as failed:
            listener.warn(f"whether plugins of {at} can live beside these is not known: {failed.message}")
    return tuple(found)


def parse(data: bytes, name: str, own: str) -> Iterator[Neighbour]:
    """The plugins in a file of that form, but those of the author own. Raises InputError."""
    raw = described.load(data, name)
    try:
        for author, abis in raw.get("author", {}).items():
            for abi, plugins in abis.items():
                for plugin, row in plugins.items():
                    paths, modules = tuple(row.get("paths", ())), dict(row.get("modules", {}))
                    texts = [author, abi, plugin, *paths, *modules, *modules.values()]
                    if not all(isinstance(text, str) for text in texts):
                        raise ValueError("something is not a text")
                    if author != own and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", plugin):
                        yield Neighbour(author=author, abi=abi, name=plugin, paths=paths, modules=modules)
    except (TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{name} is damaged: {error}") from None


def conflicts(project: Project, core: Core, others: Sequence[Neighbour]) -> Iterator[Problem]:
    """What shows before anything is built: names and files."""
    file = str(project.file)
    for plugin in project.plugins:
        key = f"plugin.{plugin.name}"
        places_ = {entry.path for entry in contents.expand(project.root, plugin.files) if entry.type != "directory"}
        for other in others:
            if other.abi not in (core.abi, *core.accepts):
                continue
            if other.name == plugin.name:
                what = f"{other.author} has a plugin {plugin.name}, and both would be the same package"
                yield Problem(file, 0, key, what, "choose another name")
            elif other.name not in plugin.clashes:
                for path in sorted(places_.intersection(other.paths)):
                    what = f"{path} is a file of {core.spec.name}-plugin-{other.name} of {other.author}"
                    instead = f'choose another place, or write clashes = ["{other.name}"]'
                    yield Problem(file, 0, f"{key}.files", what, instead)


def apart(
    project: Project, core: Core, others: Sequence[Neighbour], modules: Mapping[str, Mapping[str, str]]
) -> tuple[Failure, ...]:
    """Plugins that bring a module which another author's plugin brings in another version.

    modules: versions by path, by plugin.
    """
    failures = []
    for plugin in project.plugins:
        for other in others:
            if other.name in plugin.clashes or other.abi not in (core.abi, *core.accepts):
                continue
            found = _differing(modules.get(plugin.name, {}), other)
            if found is not None:
                path, version = found
                what = (
                    f"brings {path} {modules[plugin.name][path]}, and plugin {other.name} of {other.author} brings"
                    f" {version}: they cannot be in one server"
                )
                repair = f'use {path} {version}, or write clashes = ["{other.name}"]'
                failures.append(Failure(plugin.name, "", what, repair))
                break
    return tuple(failures)


def _differing(modules: Mapping[str, str], other: Neighbour) -> tuple[str, str] | None:
    """A module that the other has in another version, and that version."""
    for path, version in modules.items():
        if other.modules.get(path, version) != version:
            return path, other.modules[path]
    return None


def sift(outcome: Outcome, project: Project, core: Core, others: Sequence[Neighbour]) -> Outcome:
    """Leave out plugins that cannot live beside another author's, where it shows in what was built only."""
    modules = {
        name: {module.path: module.version for module in payload.modules} for name, payload in outcome.plugins.items()
    }
    failures = apart(project, core, others, modules)
    wrong = {failure.plugin for failure in failures}
    plugins = {name: payload for name, payload in outcome.plugins.items() if name not in wrong}
    return replace(outcome, plugins=plugins, failures=(*outcome.failures, *failures))
