"""What the maintainer of a core in Go publishes for authors elsewhere, by relative path:

lock.toml       the driver's part of the lock, with what this architecture came to
plugins.toml    the maintainer's own plugins: imports, lines, needs, and their packages by hash; and the paths
                of the modules in proxy/
proxy/…         local modules of core and plugins, as the go command reads them (`go help goproxy`)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging_tool import toml
from packaging_tool.errors import InputError
from packaging_tool.golang import localmodule, lockfile
from packaging_tool.golang.build import PluginJob
from packaging_tool.golang.localmodule import LocalModule, escaped
from packaging_tool.golang.lockfile import GoLock
from packaging_tool.golang.spelling import IMPORT_PATH
from packaging_tool.package.content import Content

LOCK, PLUGINS, PROXY = "lock.toml", "plugins.toml", "proxy"
# Of a plugin, as project files have it.
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
REPAIR = "tell the maintainer of the core"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The maintainer's own plugins, in the server's order. brought: packages by plugin, with SHA-256. local: paths of
    modules in the proxy."""

    jobs: tuple[PluginJob, ...]
    brought: Mapping[str, Mapping[str, str]]
    local: tuple[str, ...]


def publish(
    lock: GoLock,
    table: str,
    architecture: str,
    plugins: Iterable[PluginJob],
    brought: Mapping[str, Mapping[str, str]],
    local: Sequence[LocalModule],
    proxy: Path,
) -> dict[str, Content | None]:
    """The files for authors. table: name of the driver. plugins: in the server's order. proxy: folder of local ones."""
    rows = {
        job.name: {
            "imports": job.imports,
            "lines": job.lines,
            "needs": job.needs,
            "package": brought[job.name],
        }
        for job in plugins
        if job.name in brought
    }
    said = {"local": sorted({module.path for module in local}), "plugin": rows}
    own = replace(lock, built={architecture: lock.built[architecture]}, unresolved={})
    found: dict[str, Content | None] = {
        LOCK: Content(lockfile.render(own, table).encode()),
        PLUGINS: Content(toml.dumps(said).encode()),
    }
    return found | {f"{PROXY}/{name}": Content(proxy / name) for module in local for name in _served(module)}


def planned(local: Sequence[LocalModule]) -> dict[str, Content | None]:
    """The names of the files for authors."""
    return dict.fromkeys((LOCK, PLUGINS, *(f"{PROXY}/{name}" for module in local for name in _served(module))))


def _served(module: LocalModule) -> list[str]:
    place = f"{escaped(module.path)}/@v"
    return [f"{place}/{name}" for name in ("list", *(f"{module.version}.{end}" for end in ("info", "mod", "zip")))]


def read(core: Path, table: str, architecture: str) -> tuple[GoLock, Published]:
    """What a maintainer published. Raises InputError."""
    text = _text(core / LOCK)
    told = "use a newer mkpkgs" if not lockfile.is_known(text, table) else REPAIR
    lock = lockfile.read(text, table, file=_named(core / LOCK), hint=told)
    if architecture not in lock.built:
        raise InputError(f"{_named(core / LOCK)}: {table}.built has nothing for {architecture}", hint=REPAIR)
    published = read_plugins(core)
    for path in published.local:
        # Of a module that gives the core nothing, the author's own requirements have the last word.
        try:
            localmodule.verify(core / PROXY, path, lock.modules.get(path, "").partition(" ")[0])
        except InputError as wrong:
            raise InputError(f"{_named(core / PLUGINS)}: local: {wrong.message}", hint=REPAIR) from None
    return lock, published


def read_plugins(core: Path) -> Published:
    """The maintainer's own plugins. Raises InputError."""
    file = _named(core / PLUGINS)
    try:
        raw = toml.loads(_text(core / PLUGINS))
        rows: Mapping[str, Any] = raw.get("plugin", {})
        jobs = [
            PluginJob(name=name, **{key: tuple(row.get(key, ())) for key in ("imports", "lines", "needs")})
            for name, row in rows.items()
        ]
        brought = {name: dict(row.get("package", {})) for name, row in rows.items()}
        published = Published(jobs=tuple(jobs), brought=brought, local=tuple(raw.get("local", ())))
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{file} cannot be read: {error}", hint=REPAIR) from None
    texts = [*published.local, *(text for job in jobs for text in (*job.imports, *job.lines, *job.needs))]
    texts += [text for row in brought.values() for text in row.values()]
    if not all(isinstance(text, str) for text in texts):
        raise InputError(f"{file}: something is not a text", hint=REPAIR)
    # Names become folders, import paths words of the go command.
    for job in jobs:
        wrong = [("needs", name) for name in job.needs if not NAME.fullmatch(name)]
        wrong += [("imports", path) for path in job.imports if not IMPORT_PATH.fullmatch(path)]
        wrong = [("", job.name)] if not NAME.fullmatch(job.name) else wrong
        if wrong:
            key, name = wrong[0]
            place = f"plugin.{job.name}.{key}" if key else "plugin"
            raise InputError(f"{file}: {place}: {name[:80]!r} is no name", hint=REPAIR)
    return published


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{_named(path)} cannot be read: {error}", hint=REPAIR) from None


def _named(path: Path) -> str:
    """A published file as its maintainer knows it: below `dev/CORE/`."""
    return "/".join(path.parts[-3:])
