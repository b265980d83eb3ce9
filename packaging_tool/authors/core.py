"""A core as authors of plugins elsewhere see it.

Its maintainer publishes it below `dev/CORE/` of the repository, and in the package CORE-plugin-dev (rpm: -devel) below
/usr/share/CORE/dev:

    index.toml, index.toml.sig, key.pub    in the repository only: the descriptions by their hashes, and the packages of
                                           the core, signed with the key of the manifests
    ABI-ARCHITECTURE/core.toml             the description: core, settings of its driver, the maintainer's own plugins,
                                           and the files by their hashes
    ABI-ARCHITECTURE/files/…               what the driver needs to build plugins for it
    mkpkgs.toml                            an example of a project file
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from packaging_tool import registry, toml
from packaging_tool.drivers.base import Outcome
from packaging_tool.errors import InputError
from packaging_tool.package.manifest import is_path
from packaging_tool.package.model import Package, Version
from packaging_tool.project import check, rules, schema
from packaging_tool.project.convert import Converter
from packaging_tool.project.faults import Faults, RuleError
from packaging_tool.project.model import CoreSpec, PluginOfSpec, Project
from packaging_tool.repos.base import Published
from packaging_tool.target import runtime

FORMAT = 1
# The driver's part of the lock, among its files.
LOCK = "lock.toml"
INDEX, SIGNATURE, KEY, DESCRIPTION, EXAMPLE = "index.toml", "index.toml.sig", "key.pub", "core.toml", "mkpkgs.toml"
_ABI = re.compile(r"[0-9a-f]{64}")
_FOLDER = re.compile(r"[0-9a-f]{64}-[a-z0-9]+")
# `!` and `@` are in names of the go command's own folders of modules.
_PATH = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))[A-Za-z0-9._+!@~-]+(?:/[A-Za-z0-9._+!@~-]+)*")
# Of a package in the repository; its version may have any of these.
_PACKAGE = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))[A-Za-z0-9._+~%^:-]+(?:/[A-Za-z0-9._+~%^:-]+)*")
_HEAD = "# Made by mkpkgs for authors of plugins: docs/plugin-authors.md\n"
# What of [core] a plugin's package depends on.
_KEYS = (
    "name",
    "version",
    "release",
    "epoch",
    "summary",
    "license",
    "copyright",
    "homepage",
    "maintainer",
    "targets",
    "driver",
    "config_directory",
    "plugins_directory",
    "trust",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPlugin:
    """A plugin of the core's maintainer. version: of its package. paths: of its files outside of its own folder."""

    version: str
    needs: tuple[str, ...] = ()
    clashes: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """A description.

    abi, accepts: lower-case hex. architecture: Debian's name. kit: whether plugins need the kit. paths: of the core's
    files. spec, options: of the core, as in its project file. plugins: by name. files: SHA-256 by path.
    """

    abi: str
    accepts: tuple[str, ...]
    architecture: str
    kit: bool
    paths: tuple[str, ...]
    spec: CoreSpec
    options: Any
    plugins: Mapping[str, OwnPlugin]
    files: Mapping[str, str]

    @property
    def version(self) -> str:
        """Of the core's package."""
        return str(Version(self.spec.version, self.spec.release, self.spec.epoch))

    @property
    def folder(self) -> str:
        """Where it lies below `dev/CORE/`, and its name in the index: several architectures may have one ABI."""
        return folder(self.abi, self.architecture)

    def __str__(self) -> str:
        return f"{self.spec.name} {self.version} ({self.architecture})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A line of the index.

    sha256: of the description. version: of the core's package. packages: SHA-256 by file, relative to the repository,
    of the core's package, its kit and the maintainer's plugins.
    """

    sha256: str
    architecture: str
    version: str
    packages: Mapping[str, str] = field(default_factory=dict)


def is_folder(name: str) -> bool:
    """Whether a name is that of a description's folder."""
    return _FOLDER.fullmatch(name) is not None


def is_sha256(text: str) -> bool:
    """Whether a text is a hash in lower-case hex."""
    return isinstance(text, str) and _ABI.fullmatch(text) is not None


def is_key(text: str) -> bool:
    """Whether a text is the second line of a public key."""
    try:
        rules.public_key(text)
    except RuleError:
        return False
    return True


def folder(abi: str, architecture: str) -> str:
    """The folder of a description."""
    return f"{abi}-{architecture}"


def describe(project: Project, outcome: Outcome, architecture: str, packages: Iterable[Package]) -> bytes:
    """The description of a core. packages: the core's and its plugins'."""
    spec, place = project.core, runtime.lifecycle(project)
    core: dict[str, Any] = {key.replace("_", "-"): getattr(spec, key) for key in _KEYS}
    if place.user != "root":
        core |= {"user": place.user, "user-group": place.group}
    core |= {"check": spec.trial, "readable": "all" if spec.for_all else "group"}
    core[spec.driver] = _raw(project.core_options)
    made = {package.name: package for package in packages if package.kind in ("core", "plugin")}
    plugins = {}
    for plugin in project.plugins:
        package = made.get(f"{spec.name}-plugin-{plugin.name}")
        if package is not None:
            own = f"{project.plugins_directory}/{plugin.name}"
            plugins[plugin.name] = {
                "version": str(package.version),
                "needs": plugin.needs,
                "clashes": plugin.clashes,
                "paths": _paths(package, own),
            }
    files = {path: content.sha256 for path, content in sorted(outcome.authors.items()) if content is not None}
    tree = {
        "mkpkgs-dev": FORMAT,
        "abi": outcome.abi,
        "accepts": outcome.accepts,
        "architecture": architecture,
        "kit": outcome.kit is not None,
        "paths": _paths(made[spec.name], ""),
        "core": core,
        "plugin": plugins,
        "file": files,
    }
    return (_HEAD + toml.dumps(tree)).encode()


def _raw(value: Any) -> Any:
    """Settings as the project file has them; what is not set is left out."""
    if is_dataclass(value):
        named = {field.name.replace("_", "-"): getattr(value, field.name) for field in fields(value)}
        return {key: _raw(item) for key, item in named.items() if item is not None}
    return tuple(map(_raw, value)) if isinstance(value, tuple) else value


def _paths(package: Package, own: str) -> tuple[str, ...]:
    """Paths of files that another package could have too."""
    return tuple(
        entry.path
        for entry in package.entries
        if entry.type != "directory" and not (own and entry.path.startswith(f"{own}/"))
    )


def parse(data: bytes, name: str) -> Core:
    """Read a description. name: of the file, for messages. Raises InputError."""
    raw = load(data, name)
    try:
        core, driver = dict(raw["core"]), raw["core"]["driver"]
        if driver not in registry.names("drivers"):
            raise InputError(f"{name}: this mkpkgs has no driver {driver!r}", hint="a newer one may have it")
        faults = Faults()
        converter = Converter(faults)
        options = converter.table(registry.load("drivers", driver).CoreOptions, core.pop(driver, {}), ("core", driver))
        spec = converter.table(CoreSpec, {**core, "architectures": [raw["architecture"]]}, ("core",))
        # Its directories stand in commands that the author's page shows to administrators.
        faults.found += check.directories(spec)
        if faults.found:
            path, what, _ = faults.found[0]
            raise _damaged(name, f"{'.'.join(map(str, path))} {what}")
        found = Core(
            abi=raw["abi"],
            accepts=tuple(raw.get("accepts", ())),
            architecture=raw["architecture"],
            kit=raw["kit"],
            paths=tuple(raw.get("paths", ())),
            spec=spec,
            options=options,
            plugins={key: _own_plugin(value) for key, value in raw.get("plugin", {}).items()},
            files=raw.get("file", {}),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _damaged(name, f"{type(error).__name__} {error}") from None
    _check(found, name)
    return found


def _own_plugin(raw: Mapping[str, Any]) -> OwnPlugin:
    lists = {key: tuple(raw.get(key, ())) for key in ("needs", "clashes", "paths")}
    return OwnPlugin(version=raw["version"], **lists)


def _check(core: Core, name: str) -> None:
    """Every name becomes part of a path or of a relation."""
    texts = [*core.paths, *core.plugins, *core.files, *core.files.values(), core.abi, *core.accepts, core.architecture]
    for plugin in core.plugins.values():
        texts += [plugin.version, *plugin.needs, *plugin.clashes, *plugin.paths]
    if not all(isinstance(text, str) for text in texts) or type(core.kit) is not bool:
        raise _damaged(name, "something is of another type")
    if not _ABI.fullmatch(core.abi):
        raise _damaged(name, "abi is not 64 hex digits")
    for path, sha256 in core.files.items():
        if not _PATH.fullmatch(path) or not _ABI.fullmatch(sha256):
            raise _damaged(name, f"{path[:80]!r} is not a file")
    for path in (*core.paths, *(path for plugin in core.plugins.values() for path in plugin.paths)):
        if not is_path(path.removeprefix("/")) or not path.startswith("/"):
            raise _damaged(name, f"{path[:80]!r} is not a path")
    for own in sorted({*core.plugins, *(other for p in core.plugins.values() for other in (*p.needs, *p.clashes))}):
        try:
            rules.plugin_name(own)
        except RuleError as wrong:
            raise _damaged(name, wrong.what[:200]) from None
    for plugin in core.plugins.values():
        if not re.fullmatch(r"(?:[0-9]+:)?[A-Za-z0-9.+~]+-[A-Za-z0-9.+~]+", plugin.version):
            raise _damaged(name, f"{plugin.version[:80]!r} is not a version")


def index(core: str, described: Mapping[str, tuple[bytes, Core]], published: Sequence[Published]) -> bytes:
    """The index of descriptions, by folder. core: its name. published: all packages of the repositories."""
    rows = {
        name: {
            "sha256": _sha256(data),
            "architecture": found.architecture,
            "version": found.version,
            "packages": _packages(found, published),
        }
        for name, (data, found) in sorted(described.items())
    }
    return (_HEAD + toml.dumps({"mkpkgs-dev": FORMAT, "core": core, "abi": rows})).encode()


def _packages(core: Core, published: Sequence[Published]) -> dict[str, str]:
    name = core.spec.name
    wanted = {(name, core.version), (f"{name}-plugin-kit", core.version)}
    wanted |= {(f"{name}-plugin-{own}", plugin.version) for own, plugin in core.plugins.items()}
    return {
        item.file: item.sha256
        for item in sorted(published, key=lambda item: item.file)
        if (item.name, item.version) in wanted and item.architecture in (core.architecture, "all")
    }


def parse_index(data: bytes, name: str) -> tuple[str, dict[str, Listed]]:
    """Name of the core, and what is listed by folder. Raises InputError."""
    raw = load(data, name)
    try:
        found = {place: Listed(**row) for place, row in raw.get("abi", {}).items()}
        for place, row in found.items():
            fits = _FOLDER.fullmatch(place) and _ABI.fullmatch(row.sha256)
            if not fits or not isinstance(row.architecture + row.version, str):
                raise ValueError(place)
            for file, sha256 in row.packages.items():
                if not _PACKAGE.fullmatch(file) or not _ABI.fullmatch(sha256):
                    raise ValueError(file[:80])
        return str(raw["core"]), found
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _damaged(name, f"{type(error).__name__} {error}") from None


def load(data: bytes, name: str) -> dict[str, Any]:
    """The values of one of our files. Raises InputError."""
    try:
        raw = toml.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, toml.LimitError) as error:
        raise _damaged(name, str(error)) from None
    if raw.get("mkpkgs-dev") != FORMAT:
        raise InputError(f"{name}: form {raw.get('mkpkgs-dev')!r} is unknown; this mkpkgs reads {FORMAT}")
    return raw


def _sha256(data: bytes) -> str:
    from packaging_tool.package.content import Content

    return Content(data).sha256


def _damaged(name: str, what: str) -> InputError:
    return InputError(f"{name} is damaged: {what}", hint="tell the maintainer of the core")


def example(project: Project, key: str) -> bytes:
    """A project file for an author to begin with. key: the second line of the public key, or ""."""
    module = registry.load("drivers", project.core.driver)
    settings = schema.keys(module.PluginOptions).values()
    from packaging_tool.package import templates

    return templates.render(
        "authors/mkpkgs.toml.j2",
        core=project.core,
        url=project.repository.url.rstrip("/"),
        key=key,
        settings=[(item.name, item.required, item.doc, _placeholder(item.hint)) for item in settings],
    ).encode()


def _placeholder(hint: Any) -> str:
    """A value of a type that says nothing."""
    return {"text": '""', "table": "{}", "true or false": "false", "whole number": "0"}.get(schema.spell(hint), "[]")


def author(project: Project) -> PluginOfSpec:
    """What the project says of the author. Raises InputError if its core is its own."""
    if project.plugin_of is None:
        raise InputError(f"{project.file} has no [plugin-of]: its core is its own", hint="see docs/plugin-authors.md")
    return project.plugin_of


def settled(project: Project, core: Core) -> Project:
    """An author's project for one published core."""
    spec = author(project)
    made = replace(
        core.spec,
        maintainer=spec.maintainer,
        vendor=spec.vendor,
        license=spec.license,
        copyright=spec.copyright,
        homepage=spec.homepage,
        changelog=spec.changelog,
        targets=spec.targets or core.spec.targets,
    )
    published = {name: plugin.version for name, plugin in core.plugins.items()}
    return replace(project, core=made, core_options=core.options, published=published)


def newest(cores: Sequence[Core]) -> Core:
    """The one with the highest version."""
    from packaging_tool.package import versions

    return max(cores, key=lambda core: (versions.key(core.version), core.architecture))
