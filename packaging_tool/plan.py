"""Project and payloads in, packages out: which packages there are and all that stands in them. It writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from packaging_tool import targets
from packaging_tool.authors import core as described
from packaging_tool.drivers.base import Outcome, Payload, Target
from packaging_tool.errors import PackageError
from packaging_tool.package.content import Content
from packaging_tool.package.manifest import FORMAT, File, Manifest
from packaging_tool.package.model import (
    Alternatives,
    Capability,
    Change,
    Entry,
    Kind,
    Module,
    Package,
    Relation,
    Relations,
    Version,
)
from packaging_tool.project import contents, dates, relations
from packaging_tool.project.model import CoreSpec, PluginSpec, Project
from packaging_tool.target import hooks, runtime
from packaging_tool.target import payload as payloads

# What comes behind `CORE-plugin-` in the name of the package for authors, as each family of distributions has it.
AUTHORS = {"deb": "dev", "rpm": "devel"}


@dataclass(frozen=True, slots=True)
class Trust:
    """How manifests are signed. keys: public key files by name. sign: manifest to signature file; None in a plan."""

    keys: Mapping[str, bytes]
    sign: Callable[[bytes], bytes] | None


def packages(
    project: Project, outcome: Outcome, architecture: str, target: Target, trust: Trust, time: int
) -> tuple[Package, ...]:
    """All packages of one architecture: the core, its kit, a package per plugin that was built, one per retired plugin,
    and the files for authors. Where the core is somebody else's, the plugins alone.

    Each is followed by one per format with its debug information, if there is any. time: SOURCE_DATE_EPOCH for
    everything. Raises PackageError for doubles and missing sources, InputError for names that no manifest can have.
    """
    draft = _Draft(project, outcome, architecture, target, trust, time)
    plugins: list[Package] = []
    for spec in project.plugins:
        if (payload := outcome.plugins.get(spec.name)) is not None:
            plugin = draft.plugin(spec, payload)
            plugins += [plugin, *draft.debug(plugin.name, plugin.version, payload)]
    if project.plugin_of is not None:
        return tuple(plugins)
    made = [draft.core(), *draft.debug(project.core.name, draft.version, outcome.core)]
    if outcome.kit is not None:
        made.append(draft.kit(outcome.kit))
    made += plugins
    if outcome.authors:
        made += tuple(draft.authors(made))
    made += draft.former()
    return tuple(made)


def plugin_version(core: CoreSpec, own: str, release: str = "") -> Version:
    """Version of a plugin's package; see `PluginSpec.version`. own, release: the plugin's, "" for the core's."""
    return Version(f"{own}+{core.version}" if own else core.version, release or core.release, core.epoch)


@dataclass(frozen=True, slots=True)
class _Draft:
    """One architecture's packages in the making."""

    project: Project
    outcome: Outcome
    architecture: str
    target: Target
    trust: Trust
    time: int

    @property
    def spec(self) -> CoreSpec:
        return self.project.core

    @property
    def version(self) -> Version:
        return Version(self.spec.version, self.spec.release, self.spec.epoch)

    def core(self) -> Package:
        spec = self.spec
        name = spec.name
        parts = (
            self.outcome.core.entries,
            runtime.core_entries(self.project, self.target, self.outcome.abis, self.trust.keys),
            contents.expand(self.project.root, spec.files),
        )
        lifecycle = runtime.lifecycle(self.project)
        private = (f"/usr/lib/{name}", f"/usr/share/{name}", lifecycle.config_directory)
        all_ = [entry for part in parts for entry in part]
        owned = contents.owned_directories(all_, private)
        provides = (*((Capability(f"{name}-abi", abi),) for abi in self.outcome.abis), self._reads(FORMAT))
        depends = {
            family: (
                *_parse((*self.target.depends, *runtime.DEPENDS.get(family, ()))),
                *self.outcome.core.depends.get(family, ()),
            )
            for family in self._formats()
        }
        made = self._relations(spec, depends, provides)
        for family in made:
            made[family] = _extend(made[family], recommends=_parse(hooks.RECOMMENDS.get(family, ())))
            if family == "rpm" and self.project.repository.retired:
                # dnf drops a plugin that the new core obsoletes; apt needs the empty package of `retired`.
                made[family] = _extend(made[family], replaces=self._obsoleted())
        return self._package(
            "core",
            name,
            self.version,
            summary=spec.summary,
            description=spec.description or spec.summary,
            entries=contents.merge(name, owned, self._named(all_), *parts),
            relations=made,
            modules=self.outcome.core.modules,
        )

    def kit(self, payload: Payload) -> Package:
        name = f"{self.spec.name}-plugin-kit"
        root = f"/usr/lib/{self.spec.name}/kit"
        manifest = Manifest(
            core=self.spec.name,
            abi=self.outcome.abi,
            plugin=None,
            package=name,
            version=str(self.version),
            files=self._files(payload.entries, root),
        )
        signed = self._manifest(manifest, payload.entries, f"/usr/share/{self.spec.name}/kit.manifest")
        depends: list[Alternatives] = [(Capability(f"{self.spec.name}-abi", self.outcome.abi),), *self._read(manifest)]
        provides: tuple[Alternatives, ...] = ((Capability(f"{name}-abi", self.outcome.abi),),)
        return self._package(
            "kit",
            name,
            self.version,
            summary=f"Links plugins into {self.spec.name}",
            description=(
                f"Compiled packages of {self.spec.name} and the compiler and linker that join them with plugins. "
                "The first plugin pulls this package in; nothing of it runs while the server runs."
            ),
            entries=contents.merge(name, contents.owned_directories(payload.entries, (root,)), payload.entries, signed),
            relations={family: Relations(depends=tuple(depends), provides=provides) for family in self._formats()},
            modules=payload.modules,
        )

    def plugin(self, spec: PluginSpec, payload: Payload) -> Package:
        core = self.spec.name
        name = f"{core}-plugin-{spec.name}"
        version = plugin_version(self.spec, spec.version, spec.release)
        root = f"{self.project.plugins_directory}/{spec.name}"
        abi = payload.abi or self.outcome.abi
        if abi not in self.outcome.abis:
            raise PackageError(f"plugin {spec.name} is built for the ABI {abi}, which {core} does not take")
        whole = self.trust.sign is not None
        payloads.check(spec.name, payload.entries, root, self.project.root, whole=whole)
        manifest = Manifest(
            core=core,
            abi=abi,
            plugin=spec.name,
            package=name,
            version=str(version),
            order=spec.order,
            optional=spec.optional,
            needs=tuple(sorted(spec.needs)),
            files=self._files(payload.entries, root),
        )
        signed = self._manifest(manifest, payload.entries, f"/usr/share/{core}/plugins/{spec.name}.manifest")
        depends: list[Alternatives] = [(Capability(f"{core}-abi", abi),), *self._read(manifest)]
        if self.outcome.kit is not None:
            depends.append((Capability(f"{core}-plugin-kit-abi", self.outcome.abi),))
        for needed in spec.needs:
            wanted = self.project.published.get(needed)
            if wanted is None:
                other = self.project.plugin(needed)
                wanted = str(plugin_version(self.spec, other.version, other.release))
            depends.append((Relation(f"{core}-plugin-{needed}", "=", wanted),))
        clashes = tuple((Relation(f"{core}-plugin-{clash}"),) for clash in spec.clashes)
        needed_by = {family: (*depends, *payload.depends.get(family, ())) for family in self._formats()}
        made = self._relations(spec, needed_by, ())
        # What an author says is of all plugins, what the maintainer of a core says, of the core.
        author = self.project.plugin_of is not None
        former = self._relations_to_former(spec.name)
        more = contents.expand(self.project.root, spec.files)
        return self._package(
            "plugin",
            name,
            version,
            summary=spec.summary,
            description=spec.description
            or f"This package adds the plugin {spec.name} to {core} ({self.spec.summary}).",
            entries=contents.merge(
                name,
                contents.owned_directories(payload.entries, (root,)),
                (runtime.plugins_directory(self.project),),
                payload.entries,
                self._named(more),
                more,
                signed,
            ),
            relations={family: _extend(value, conflicts=clashes, **former[family]) for family, value in made.items()},
            modules=payload.modules,
            license_=spec.license or ("" if author else payload.itself.license),
            copyright_=spec.copyright or (self.spec.copyright if author else "") or "\n".join(payload.itself.copyright),
            homepage=spec.homepage,
        )

    def authors(self, packages: Sequence[Package]) -> Iterator[Package]:
        """What authors elsewhere need, in a package for each format, since each has its own word for such packages."""
        name = self.spec.name
        root = f"/usr/share/{name}/dev"
        place = f"{root}/{described.folder(self.outcome.abi, self.architecture)}"
        files = self.outcome.authors
        known = all(content is not None for content in files.values())
        text = described.describe(self.project, self.outcome, self.architecture, packages) if known else None
        key = self.trust.keys.get("manifest.pub", b"")
        example = described.example(self.project, key.decode().split("\n")[1] if key else "")
        entries = [
            Entry(path=f"{place}/{described.DESCRIPTION}", content=Content(text) if text is not None else None),
            Entry(path=f"{root}/{described.EXAMPLE}", content=Content(example)),
            *(Entry(path=f"{place}/files/{path}", content=content) for path, content in files.items()),
        ]
        if "manifest.pub" in self.trust.keys:
            entries.append(Entry(path=f"{root}/{described.KEY}", content=Content(key) if key else None))
        for family in self._formats():
            made = self._package(
                "authors",
                f"{name}-plugin-{AUTHORS[family]}",
                self.version,
                summary=f"Files to build plugins for {name}",
                description=(
                    f"What authors of plugins for {name} need to build them as packages that fit this version. It "
                    "has the inputs of its build, the key that signs it, and an example of a project file for mkpkgs."
                ),
                entries=contents.merge(name, contents.owned_directories(entries, (f"/usr/share/{name}",)), entries),
                relations={family: Relations()},
                modules=(),
            )
            yield replace(made, section="libdevel", group="Development/Libraries", priority="optional")

    def former(self) -> Iterator[Package]:
        """The empty packages by which apt ends plugins, or follows them to their new names; rpm has Obsoletes for both.

        dpkg knows no obsolete packages, so Debian has transitional ones for this, in the section oldlibs: apt's first
        upgrade to one marks what it depends on as wished in its place (APT::Move-Autobit-Sections).
        """
        repository = self.project.repository
        for name, own in repository.retired_versions.items():
            yield self._empty(
                name,
                plugin_version(self.spec, own),
                f"{name} ended with this {self.spec.name}",
                f"The plugin {name} does not exist for this version of {self.spec.name}",
            )
        for name, (_, new) in repository.successors.items():
            if new in self.outcome.plugins:
                yield self._empty(
                    name,
                    self._version_of_former(name),
                    f"{name} is {new} now",
                    f"The plugin {name} of {self.spec.name} is called {new} now",
                    (Relation(f"{self.spec.name}-plugin-{new}"),),
                )

    def _empty(self, plugin: str, version: Version, summary: str, what: str, *depends: Alternatives) -> Package:
        name = f"{self.spec.name}-plugin-{plugin}"
        needed: Alternatives = (Capability(f"{self.spec.name}-abi", self.outcome.abi),)
        made = self._package(
            "retired",
            name,
            version,
            summary=f"Transitional package: {summary}",
            description=f"This is a transitional package. {what}; the package is empty and can be removed.",
            entries=(),
            relations={family: Relations(depends=(needed, *depends)) for family in self._formats() if family != "rpm"},
            modules=(),
        )
        return replace(made, section="oldlibs", priority="optional")

    def _version_of_former(self, name: str) -> Version:
        """The first version with which a renamed plugin is no plugin any more."""
        own, new = self.project.repository.successors[name]
        successor = self.project.plugin(new)
        return plugin_version(self.spec, own or successor.version, "" if own else successor.release)

    def _relations_to_former(self, plugin: str) -> dict[str, dict[str, tuple[Alternatives, ...]]]:
        """What a plugin says, by format, of those that are called like it now: it takes their places."""
        versions = {
            f"{self.spec.name}-plugin-{name}": str(self._version_of_former(name))
            for name, (_, new) in self.project.repository.successors.items()
            if new == plugin
        }
        gone: tuple[Alternatives, ...] = tuple((Relation(name, "<", version),) for name, version in versions.items())
        # Who asks for the old name gets this one; of apt's packages it gets the empty one.
        same: tuple[Alternatives, ...] = tuple((Relation(name, "=", version),) for name, version in versions.items())
        return {family: {"replaces": gone, "provides": same if family == "rpm" else ()} for family in self._formats()}

    def debug(self, name: str, version: Version, payload: Payload) -> Iterator[Package]:
        """What debuggers want to know of a package's files. name, version: of that package."""
        for family in self._formats() if payload.debug else ():
            own = f"{name}{targets.DEBUG_SUFFIXES[family]}"
            private = contents.owned_directories(payload.debug, ("/usr/lib/debug",)) if family == "rpm" else ()
            # As debhelper does it: what the package itself says in its directory holds for this one, too.
            docs = Entry(path=f"/usr/share/doc/{own}", type="symlink", mode=0o777, target=name, only="deb")
            made = self._package(
                "debug",
                own,
                version,
                summary=f"Debug information of {name}",
                description=f"Debuggers find in this package what they want to know of the files of {name}.",
                entries=contents.merge(own, private, payload.debug, (docs,)),
                relations={family: Relations(depends=((Relation(name, "=", str(version)),),))},
                modules=(),
            )
            yield replace(made, section="debug", group="Development/Debug", priority="optional")

    def _package(
        self,
        kind: Kind,
        name: str,
        version: Version,
        *,
        summary: str,
        description: str,
        entries: tuple[Entry, ...],
        relations: Mapping[str, Relations],
        modules: tuple[Module, ...],
        license_: str = "",
        copyright_: str = "",
        homepage: str = "",
    ) -> Package:
        spec = self.spec
        vendor = spec.vendor or spec.maintainer.partition("<")[0].strip()
        return Package(
            kind=kind,
            name=name,
            # apt upgrades what is of one source together, and each of several cores is to be upgraded on its own.
            source=spec.name if self.project.plugin_of is None else self.project.name,
            version=version,
            architecture=self.architecture,
            summary=summary,
            description=description,
            license=license_ or spec.license,
            # Not who makes the packages: that says nothing of who wrote what is in them.
            copyright=copyright_ or spec.copyright or "\n".join(self.outcome.core.itself.copyright) or spec.vendor,
            homepage=homepage or spec.homepage,
            maintainer=spec.maintainer,
            vendor=vendor,
            section=spec.section,
            group=spec.group,
            priority=spec.priority,
            entries=entries,
            time=self.time,
            relations=dict(relations),
            changelog=self._changelog(version),
            compression={
                family: spec.compression.get(family) or targets.default_compression(family, spec.targets)
                for family in relations
            },
            modules=modules,
            lifecycle=runtime.lifecycle(self.project, self.target) if kind == "core" else None,
            watched=self.project.plugins_directory,
        )

    def _named(self, entries: Sequence[Entry]) -> tuple[Entry, ...]:
        """Directories above files of the project that are its own: rpm takes away only what a package lists."""
        project = self.project
        name = self.spec.name if project.plugin_of is None else project.plugin_of.name
        listed = (project.core.files, *(plugin.files for plugin in project.plugins))
        folders = (file for files in listed for file in files if file.type == "directory")
        said = {entry.path: entry for entry in contents.expand(project.root, tuple(folders))}
        life = runtime.lifecycle(project)
        return contents.named_directories(entries, name, life.home if life.unit else "", said)

    def _formats(self) -> tuple[str, ...]:
        return targets.formats(self.spec.targets)

    def _obsoleted(self) -> tuple[Alternatives, ...]:
        """What the core takes off a machine with rpm: the retired plugins in all versions before this core's."""
        retired = sorted(self.project.repository.retired_versions.items())
        return tuple(
            (Relation(f"{self.spec.name}-plugin-{name}", "<", str(plugin_version(self.spec, own))),)
            for name, own in retired
        )

    def _files(self, entries: Sequence[Entry], root: str) -> tuple[File, ...]:
        return tuple(
            File(entry.content.sha256, entry.path.removeprefix(f"{root}/"))
            for entry in sorted(entries, key=lambda entry: entry.path)
            if entry.content is not None and entry.path.startswith(f"{root}/")
        )

    def _reads(self, format_: int) -> Alternatives:
        return (Capability(f"{self.spec.name}-manifest", str(format_)),)

    def _read(self, manifest: Manifest) -> tuple[Alternatives, ...]:
        """What a manifest asks of the target's tool: of the first format nothing, since each core reads it."""
        return () if manifest.format == 1 else (self._reads(manifest.format),)

    def _manifest(self, manifest: Manifest, entries: Sequence[Entry], path: str) -> tuple[Entry, ...]:
        """The manifest and its signature; without content while the payload is only planned."""
        known = self.trust.sign is not None and all(e.content for e in entries if e.type == "file")
        text = manifest.render() if known else None
        if self.spec.trust == "distribution":
            return (Entry(path=path, content=Content(text) if text is not None else None),)
        signature = self.trust.sign(text) if text is not None and self.trust.sign is not None else None
        return (
            Entry(path=path, content=Content(text) if text is not None else None),
            Entry(path=f"{path}.sig", content=Content(signature) if signature is not None else None),
        )

    def _relations(
        self,
        spec: CoreSpec | PluginSpec,
        depends: Mapping[str, tuple[Alternatives, ...]],
        provides: tuple[Alternatives, ...],
    ) -> dict[str, Relations]:
        """Relations per format: what the project says, plus ours. `deb` and `rpm` tables replace field by field."""
        made = {}
        for family in self._formats():
            own = getattr(spec, family, None)
            said = {field: _parse(relations.of(spec, own, field)) for field in relations.FIELDS}
            base = Relations(**said)
            made[family] = _extend(base, depends=depends.get(family, ()), provides=provides)
        return made

    def _changelog(self, version: Version) -> tuple[Change, ...]:
        """The project's entries; a version that they do not begin with gets one of its own on top."""
        spec = self.spec
        said = tuple(
            Change(change.version, dates.seconds(change.date), change.author or spec.maintainer, change.changes)
            for change in spec.changelog
        )
        if said and said[0].version == str(version):
            return said
        text = f"Package {spec.name} {spec.version}."
        return (Change(str(version), self.time, spec.maintainer, (text,)), *said)


def _parse(texts: Sequence[str]) -> tuple[Alternatives, ...]:
    return tuple(relations.parse(text) for text in texts)


def _extend(base: Relations, **more: tuple[Alternatives, ...]) -> Relations:
    joined = {field: (*getattr(base, field), *more.get(field, ())) for field in relations.FIELDS}
    return Relations(**{field: tuple(dict.fromkeys(items)) for field, items in joined.items()})
