"""From a file of OpenTelemetry's builder (ocb) to a project: what it calls components are core or plugins here.

The file's keys and defaults are those of go.opentelemetry.io/collector/cmd/builder (internal/builder/config.go).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from packaging_tool import toml
from packaging_tool.errors import BuildError, InputError
from packaging_tool.golang import localmodule
from packaging_tool.golang.spelling import MODULE_PATH, VERSION
from packaging_tool.golang.yamlfile import Reader, Value
from packaging_tool.package.templates import render
from packaging_tool.project import rules
from packaging_tool.project.faults import RuleError

# What the project of the collector itself maintains; all others are contributed.
CORE = ("go.opentelemetry.io/collector/*",)
KINDS = ("extensions", "receivers", "processors", "exporters", "connectors")
_COLLECTOR = "go.opentelemetry.io/collector/"
_TOP = ("dist", *KINDS, "providers", "converters", "telemetry", "replaces", "excludes", "conf_resolver")
_DIST = (
    *("module", "name", "go", "description", "output_path", "version", "build_tags", "debug_compilation"),
    *("cgo_enabled", "use_absolute_replace_paths", "resource", "otelcol_version"),
)
_PROVIDERS = ("env", "file", "http", "https", "yaml")
# From this minor version on, the stable modules have that minor version less 94.
_PAIRED, _BEHIND = 110, 94


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One entry of a list. module, version: of Go. package: its import path. folder: of a local module, else "".
    said: what the file calls it, or ""."""

    kind: str
    module: str
    version: str
    package: str
    folder: str
    at: Value
    said: str = ""

    @property
    def name(self) -> str:
        """As the file calls it, else the last part of the import path, which is nearly always the package's name."""
        if self.said:
            return self.said
        parts = self.package.split("/")
        return parts[-2] if re.fullmatch(r"v\d+", parts[-1]) else parts[-1]

    @property
    def spec(self) -> str:
        """As go.mod has it, and as the collector shows it."""
        return f"{self.module} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What the file says.

    collector: version of go.opentelemetry.io/collector/otelcol. replaces: modules, and what stands for them: a folder
    relative to the project, or `path version`. excludes: `path version` of modules.
    """

    path: Path
    name: str
    module: str
    description: str
    version: str
    tags: tuple[str, ...]
    scheme: str
    collector: str
    components: tuple[Component, ...]
    providers: tuple[Component, ...]
    converters: tuple[Component, ...]
    telemetry: Component
    replaces: tuple[tuple[str, str], ...] = ()
    excludes: tuple[str, ...] = ()


def read(path: Path, root: Path) -> Config:
    """Read a builder's file. root: directory of the project to come.

    Raises ProjectError with all that is wrong or has no equivalent, InputError, OSError.
    """
    reader = Reader(path)
    top = reader.table(reader.load(), _TOP)
    dist = reader.table(top.get("dist"), _DIST)
    _refuse(reader, dist)
    parse = _Modules(reader, root)
    parse.replaced(top.get("replaces"), reader.text(dist.get("output_path")))
    components = tuple(c for kind in KINDS for c in parse.all(kind, top.get(kind)))
    collector = _collector(reader, components, dist.get("otelcol_version"))
    stable = f"v1.{int(collector.split('.')[1]) - _BEHIND}.0" if collector else ""
    providers = tuple(parse.all("providers", top.get("providers")))
    if not providers and collector and int(collector.split(".")[1]) < _PAIRED:
        reader.add(Value(None, 1, "providers"), "is missing, and it is not known which belong to this collector")
    providers = providers or tuple(
        parse.own("providers", f"{_COLLECTOR}confmap/provider/{name}provider", stable) for name in _PROVIDERS
    )
    converters = tuple(parse.all("converters", top.get("converters")))
    said = top.get("telemetry")
    telemetry = parse.one("telemetry", said) if said is not None and said.raw is not None else None
    excludes = tuple(parse.excluded(top.get("excludes")))
    name, version, module = _distribution(reader, dist, collector)
    resolver = reader.table(top.get("conf_resolver"), ("default_uri_scheme",))
    config = Config(
        path=path,
        name=name,
        module=module,
        description=reader.text(dist.get("description")),
        version=version,
        tags=_tags(reader, dist.get("build_tags")),
        scheme=reader.text(resolver.get("default_uri_scheme")),
        collector=collector,
        components=components,
        providers=providers,
        converters=converters,
        telemetry=telemetry
        or parse.own(
            "telemetry", f"{_COLLECTOR}service", collector, f"{_COLLECTOR}service/telemetry/otelconftelemetry"
        ),
        replaces=tuple(parse.replaces.items()),
        excludes=excludes,
    )
    reader.stop()
    return config


def _uncommented(text: str) -> str:
    """A line of go.mod, which is what the builder makes of it, less its comment."""
    return " ".join(text.partition("//")[0].split())


def _words(text: str) -> int:
    return len(text.split())


def _refuse(reader: Reader, dist: dict[str, Value]) -> None:
    """What has no equivalent."""
    if reader.is_true(dist.get("cgo_enabled")):
        reader.add(
            dist["cgo_enabled"], "programs linked on the target are pure Go", "take it out if no component needs C"
        )
    if reader.is_true(dist.get("debug_compilation")):
        reader.add(dist["debug_compilation"], "packages have no debug data", "take it out")
    resource = dist.get("resource")
    if resource is not None and resource.raw:
        reader.add(resource, "has no equivalent", "write the tags omit_detector_NAME into build_tags")


def _tags(reader: Reader, value: Value | None) -> tuple[str, ...]:
    tags = tuple(filter(None, re.split(r"[ ,]+", reader.text(value))))
    for tag in tags:
        # Spec of the go command, "Build constraints".
        if value is not None and not re.fullmatch(r"[A-Za-z0-9_.]+", tag):
            reader.add(value, f"{tag!r} is no build tag")
    return tags


def _collector(reader: Reader, components: Sequence[Component], said: Value | None) -> str:
    """The version of the collector: that of its own components, the highest. said: by files of before 2024."""
    older = f"v{reader.text(said).removeprefix('v')}"
    found = [older] if VERSION.fullmatch(older) and older.startswith("v0.") else []
    found += [c.version for c in components if c.module.startswith(_COLLECTOR) and c.version.startswith("v0.")]
    if not found:
        what = f"names no module below {_COLLECTOR.rstrip('/')} at v0.…: the version of the collector is not known"
        reader.add(Value(None, 1, ""), what, f"add gomod: {_COLLECTOR}receiver/otlpreceiver v0.165.0 to receivers")
        return ""
    return max(found, key=lambda version: [int(number) for number in re.findall(r"\d+", version)])


def _distribution(reader: Reader, dist: dict[str, Value], collector: str) -> tuple[str, str, str]:
    """Name, version and module of the core."""
    name, version = reader.text(dist.get("name")), reader.text(dist.get("version")) or collector
    module = reader.text(dist.get("module")) or f"example.com/{name or 'otelcol'}"
    at = dist.get("name") or Value(None, 1, "dist.name")
    if not name:
        reader.add(at, "is missing", "write name: otelcol")
    package = re.sub(r"[^a-z0-9+.-]+", "-", name.lower())
    checks = ((at, rules.package_name, package or "otelcol"), (dist.get("version", at), rules.upstream_version, ""))
    version = version.removeprefix("v").replace("-", "~", 1).replace("-", ".")
    for value, rule, text in checks:
        try:
            rule(text or version or "0")
        except RuleError as error:
            reader.add(value, error.what, error.instead)
    if not MODULE_PATH.fullmatch(module) or module.startswith(_COLLECTOR) or module == _COLLECTOR.rstrip("/"):
        # A local module below the collector's own path would take the place of parts of the collector.
        module = f"example.com/{package or 'otelcol'}"
    return package, version, module


class _Modules:
    """Reads entries of lists of modules."""

    def __init__(self, reader: Reader, root: Path) -> None:
        self.reader = reader
        self.root = root
        # By module: a folder relative to the project, or `path version`.
        self.replaces: dict[str, str] = {}

    def replaced(self, value: Value | None, output: str) -> None:
        """The lines of `replaces`. output: the folder that the builder writes its go.mod to; paths begin there."""
        for item in self.reader.items(value):
            before, arrow, after = _uncommented(self.reader.text(item)).partition("=>")
            (module, version), (other, wanted) = ((*side.split(), "", "")[:2] for side in (before, after))
            if not arrow or not MODULE_PATH.fullmatch(module) or not other or max(map(_words, (before, after))) > 2:
                self.reader.add(item, "is no replacement", "write module/path => ./folder")
            elif other.startswith(("./", "../", "/")) or other in (".", ".."):
                if wanted:
                    self.reader.add(item, "is no replacement: a folder has no version", f"write {module} => {other}")
                    continue
                place = self.reader.path.parent
                folder = next(
                    (p for p in (place / output / other, place / other) if (p / "go.mod").exists()), place / other
                )
                if found := self._relative(item, folder, other, module):
                    self.replaces[module] = found
            elif other != module:
                self.reader.add(
                    item,
                    "a fork has no equivalent: what authors of plugins elsewhere build must be the same module",
                    f"fetch {' '.join((other, wanted)).strip()} into a folder and write {module} => ./folder",
                )
            elif not VERSION.fullmatch(wanted):
                self.reader.add(item, f"{wanted!r} is no version", f"write {module} => {module} v1.2.3")
            elif version:
                what = f"a replacement of {version} alone has no equivalent"
                self.reader.add(item, what, f"write {module} => {module} {wanted}")
            else:
                self.replaces[module] = f"{module} {wanted}"

    def excluded(self, value: Value | None) -> Iterator[str]:
        """The lines of `excludes`."""
        for item in self.reader.items(value):
            module, _, version = (text := _uncommented(self.reader.text(item))).partition(" ")
            if MODULE_PATH.fullmatch(module) and VERSION.fullmatch(version):
                yield text
            else:
                self.reader.add(item, f"{text!r} is no module with a version", "write module/path v1.2.3")

    def own(self, kind: str, module: str, version: str, package: str = "") -> Component:
        """One that the file leaves to the builder's default."""
        return Component(
            kind=kind, module=module, version=version, package=package or module, folder="", at=Value(None, 0, kind)
        )

    def all(self, kind: str, value: Value | None) -> list[Component]:
        """A list of them."""
        found: dict[str, Component] = {}
        for item in self.reader.items(value):
            component = self.one(kind, item)
            if component is not None and component.package in found:
                self.reader.add(component.at, f"{component.package} stands here twice", "keep one")
            elif component is not None:
                found[component.package] = component
        return list(found.values())

    def one(self, kind: str, value: Value) -> Component | None:
        """One of them, None if it is wrong."""
        entry = self.reader.table(value, ("name", "import", "gomod", "path"))
        gomod = _uncommented(self.reader.text(entry.get("gomod")))
        at = entry.get("gomod", value)
        module, _, version = gomod.partition(" ")
        version = version.strip()
        if not gomod:
            self.reader.add(value, "has no gomod", "write gomod: module/path v1.2.3")
            return None
        if not MODULE_PATH.fullmatch(module) or not VERSION.fullmatch(version):
            self.reader.add(at, f"{gomod!r} is no module with a version", "write module/path v1.2.3")
            return None
        package = self.reader.text(entry.get("import")) or module
        if not MODULE_PATH.fullmatch(package) or f"{package}/".find(f"{module}/") != 0:
            self.reader.add(entry["import"], f"{package!r} is no package of {module}")
            return None
        folder, said = self._folder(entry.get("path"), module), self.reader.text(entry.get("name"))
        if folder:
            self.replaces[module] = folder
        replaced = self.replaces.get(module, "")
        if replaced.startswith("."):
            folder = replaced
        elif replaced:
            version = replaced.partition(" ")[2]
        return Component(kind=kind, module=module, version=version, package=package, folder=folder, at=at, said=said)

    def _folder(self, value: Value | None, module: str) -> str:
        said = self.reader.text(value)
        if not said or value is None:
            return ""
        # The builder reads paths from the directory that it is called in; here that of the file, which is the usual.
        return self._relative(value, self.reader.path.parent / said, said, module)

    def _relative(self, value: Value, place: Path, said: str, module: str) -> str:
        """The folder of a module, relative to the project."""
        folder = place.resolve()
        try:
            if localmodule.module_path(folder) != module:
                self.reader.add(value, f"{said}/go.mod is of another module than {module}")
        except BuildError as error:
            self.reader.add(value, error.message, error.hint)
        relative = os.path.relpath(folder, self.root.resolve())
        return relative if relative.startswith("..") else f"./{relative}"


def files(
    config: Config, core: Sequence[str], maintainer: str, needs: Mapping[str, Sequence[str]] | None = None
) -> dict[str, str]:
    """The files of the project: name below its directory and text.

    core: patterns of import paths of components that become part of the core. needs: of plugins, by their names.
    Raises InputError.
    """
    inside = [c for c in config.components if any(fnmatchcase(c.package, pattern) for pattern in core)]
    outside = [c for c in config.components if c not in inside]
    for pattern in core:
        if pattern not in CORE and not any(fnmatchcase(c.package, pattern) for c in config.components):
            raise InputError(f"--core {pattern}: no component has such an import path")
    wanted = [*config.providers, *config.converters, config.telemetry, *inside]
    aliases = _aliases(wanted)
    names = _names(outside)
    lines = [f"\t{c.kind}.add({_go(c.spec)}, {aliases[(c.kind, c.package)]}.NewFactory())" for c in inside]
    shown = {c.package.rpartition("/")[2] for c in inside}
    sample = {"otlpreceiver", "debugexporter"} <= shown
    main = render(
        "go-link/collector.go.j2",
        config=config,
        imports=sorted({(aliases[(c.kind, c.package)], c.package) for c in wanted}, key=lambda pair: pair[1]),
        aliases=aliases,
        lines=lines,
        version=_go(config.version),
        command=_go(config.name),
        description=_go(config.description or "OpenTelemetry Collector"),
        scheme=_go(config.scheme),
        go=_go,
    )
    found = {
        "server/go.mod": _go_mod(config, wanted, outside),
        "server/main.go": main,
        "mkpkgs.toml": render(
            "go-link/collector.toml.j2",
            config=config,
            maintainer=maintainer,
            summary=_summary(config),
            plugins=[(name, c) for name, c in zip(names, outside, strict=True)],
            outside=any(other.startswith("..") for _, other in config.replaces),
            package_version=package_version,
            sample=sample,
            needs=needs or {},
            text=toml.string,
        ),
    }
    return found | ({"config.yaml": render("go-link/collector.yaml.j2", core=config.name)} if sample else {})


def _go_mod(config: Config, wanted: Sequence[Component], outside: Sequence[Component]) -> str:
    """The core's go.mod. wanted: of the core. outside: plugins."""
    # Plugins name their folders themselves; all other modules are the core's, also those that nobody names.
    plugins = {c.module for c in outside} - {c.module for c in wanted}
    replaces = [
        (module, f"../{other.removeprefix('./')}" if other.startswith(".") else other)
        for module, other in config.replaces
        if module not in plugins
    ]
    modules = sorted({(c.module, c.version) for c in wanted} | {(f"{_COLLECTOR}otelcol", config.collector)})
    return render(
        "go-link/collector.mod.j2",
        module=config.module,
        modules=modules,
        replaces=replaces,
        excludes=config.excludes,
    )


def _aliases(components: Sequence[Component]) -> dict[tuple[str, str], str]:
    """Names of imports in main.go, each once."""
    found: dict[tuple[str, str], str] = {}
    for component in components:
        base = re.sub(r"\W", "_", component.name)
        name = base if base not in KINDS and not base[0].isdigit() else f"_{base}"
        number = 1
        while name in found.values() and found.get((component.kind, component.package)) != name:
            number += 1
            name = f"{base}{number}"
        found[(component.kind, component.package)] = name
    return found


def _names(components: Sequence[Component]) -> list[str]:
    """Names of plugins, each once: the last part of the import path, else the last two."""
    last = [re.sub(r"[^a-z0-9]+", "-", c.name.lower()).strip("-")[:64] for c in components]
    found: list[str] = []
    for name, component in zip(last, components, strict=True):
        parts = component.package.lower().split("/")
        longer = re.sub(r"[^a-z0-9]+", "-", "-".join(parts[-2:])).strip("-")[:64]
        chosen = name if last.count(name) == 1 else longer
        if chosen in found:
            raise InputError(f"two components would be the plugin {chosen}: {component.package} is the second")
        found.append(chosen)
    return found


def package_version(version: str) -> str:
    """A version of Go's as packages have it: v1.2.0-rc.1 is before 1.2.0 there too."""
    return version.removeprefix("v").removesuffix("+incompatible").replace("-", "~", 1).replace("-", ".")


def _summary(config: Config) -> str:
    text = " ".join(config.description.split()).rstrip(".")
    return text if 0 < len(text) <= 80 else "OpenTelemetry Collector with components as packages"


def _go(text: str) -> str:
    """A string literal of Go: for printable texts, those of JSON are."""
    import json

    return json.dumps(text)
