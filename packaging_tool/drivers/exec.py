"""Driver `exec`: plugins are programs that the server starts and talks to, over pipes, sockets or HTTP.

Core and plugin agree on a protocol and on nothing else. The ABI is the SHA-256 of the text
`mkpkgs abi 1\\ndriver exec\\ncore NAME\\nprotocol VERSION\\n`. A core that still speaks older versions provides their
ABIs too, and a plugin asks for the version that it speaks.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging_tool import atomic, commands, confine, toml
from packaging_tool.drivers import _layout, _programs
from packaging_tool.drivers.base import Failure, Lock, Outcome, Payload, Source, Target
from packaging_tool.elf import tree
from packaging_tool.errors import BuildError, CommandError, Problem
from packaging_tool.listener import Listener
from packaging_tool.package.content import Content
from packaging_tool.package.model import Alternatives
from packaging_tool.package.templates import render
from packaging_tool.project import contents, unread
from packaging_tool.project.model import Project

# The file for authors.
LOCK = "lock.toml"
# What no build reads, whatever the folder.
IGNORED = (*sorted(unread.NAMES), "dist", "__pycache__")
# SOURCE_DATE_EPOCH of commands where neither variable nor changelog says one: 1980, which zip files can have, too.
EPOCH = 315532800
# The folder that `{output}` stands for, for scripts: a shell would take a path with blanks for several words.
OUTPUT = "MKPKGS_OUTPUT"
# What no command changes in the folder in which it runs: it would count for another one, or for who works there.
KEPT = (".mkpkgs", ".git", ".hg", "mkpkgs.toml", "mkpkgs.lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreOptions:
    """Settings of `[core.exec]`.

    protocol: version of the protocol that the server speaks; raise it when the protocol changes.
    accepts: other versions that the server still speaks, so plugins of those need no new build.
    source: folder in which the commands of core and plugins run; `core.program` is used if there is no command.
    build: command that builds the server, as a list of words; `{output}` is the folder in which it leaves a program
        with the name of the core, `{architecture}` Debian's name of the architecture. In the script of a shell, write
        `"$MKPKGS_OUTPUT"` for the folder.
    environment: variables for all commands, with the same words in braces, e.g. `{ GOARCH = "{architecture}" }`. Of
        ours they see PATH only; HOME is a directory of their own, kept for the next build.
    network: whether the commands of core and plugins may use the network.
    reload: whether a reload of the service (`service.reload`) suffices for other plugins.
    """

    protocol: str
    accepts: tuple[str, ...] = ()
    source: str = "."
    build: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    network: bool = False
    reload: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginOptions:
    """Settings of `[plugin.NAME.exec]`.

    files: a program, or a folder with programs and what they read; `{architecture}` stands for Debian's name.
    build: command that builds the plugin instead, as a list of words; all that it leaves in `{output}` is the plugin.
    source: folder in which the command runs; default the core's.
    protocol: that the plugin speaks; default the core's newest.
    network: whether the command may use the network; default the core's.
    """

    files: str = ""
    build: tuple[str, ...] = ()
    source: str = ""
    protocol: str = ""
    network: bool = False


class Driver:
    """Packages programs as they are, or as a command builds them."""

    name = "exec"
    loads = False

    def check(self, project: Project) -> list[Problem]:
        """Problems of versions, and of sources that are missing."""
        return [Problem(str(project.file), 0, key, what, instead) for key, what, instead in _findings(project)]

    def sources(self, project: Project) -> Iterator[Source]:
        """Files that are packaged, and folders in which commands run, by their keys."""
        core, own = project.core_options, sorted(project.plugin_options.items())
        if project.plugin_of is None:
            used = core.build or any(options.build and not options.source for _, options in own)
            yield Source("core.exec.source", core.source, bool(used), IGNORED)
        for name, options in own:
            yield Source(f"plugin.{name}.exec.files", options.files, True, IGNORED)
            place = options.source or ("." if project.plugin_of is not None else "")
            yield Source(f"plugin.{name}.exec.source", place, bool(options.build), IGNORED)

    def lock(self, project: Project, previous: Lock | None, workdir: Path, listener: Listener) -> Lock:
        """The protocol and its ABI; what else the commands read is theirs to lock."""
        version = project.core_options.protocol
        return Lock(f'[exec]\nprotocol = {toml.string(version)}\nabi = "{_abi(project, version)}"\n')

    def fingerprint(self, project: Project, plugin: str | None) -> str:
        """Hash of names, modes and bytes of all that is packaged, or that stands in the folder of a command."""
        digest = hashlib.sha256()
        if project.plugin_of is None:
            digest.update(_abi(project, project.core_options.protocol).encode())
        elif plugin is None:
            return ""
        for architecture in project.core.architectures:
            for name, path in _layout.sources(project, _source(project, plugin, architecture), IGNORED):
                digest.update(
                    f"{name} {path.stat().st_mode:o} {Content(path).sha256}\n".encode(errors="surrogateescape")
                )
        return digest.hexdigest()

    def outline(self, project: Project, lock: Lock, architecture: str, workdir: Path) -> Outcome:
        """What commands build is known if they have run once."""
        place = _Place(project, architecture, workdir)
        plugins = {}
        for spec in project.plugins:
            found = place.known(spec.name)
            files = place.files(spec.name, found) if found else ()
            plugins[spec.name] = Payload(_layout.plugin(project, spec.name, files), abi=_abi_of(project, spec.name))
        program = place.known(None)
        core = Payload((_layout.program(project, Content(program) if program else None),))
        made = self._outcome(project, core, plugins, ())
        return replace(made, authors={LOCK: Content(lock.text.encode())})

    def build(
        self, project: Project, lock: Lock, architecture: str, workdir: Path, listener: Listener
    ) -> tuple[Outcome, Lock]:
        """Run the commands and collect the files."""
        place = _Place(project, architecture, workdir)
        program = place.made(None)
        needs = place.needs(f"the server {program.name}", [program])
        core = Payload((_layout.program(project, _pin(Content(program))),), depends=needs)
        plugins, failures = self._plugins(project, place, listener)
        made = self._outcome(project, core, plugins, failures)
        return replace(made, authors={LOCK: Content(lock.text.encode())}), lock

    def against(self, project: Project, core: Path, architecture: str, workdir: Path, listener: Listener) -> Outcome:
        """Run the commands of an author's plugins, and see that the core speaks their protocol."""
        known = (project.core_options.protocol, *project.core_options.accepts)
        strangers = tuple(
            Failure(
                name,
                "",
                f"it speaks the protocol {options.protocol}, and the core {', '.join(known)}",
                f"let it speak {known[0]}, or leave this core out by `versions` in [plugin-of]",
            )
            for name, options in sorted(project.plugin_options.items())
            if options.protocol and options.protocol not in known
        )
        wrong = {failure.plugin for failure in strangers}
        fitting = replace(project, plugins=tuple(spec for spec in project.plugins if spec.name not in wrong))
        plugins, failures = self._plugins(fitting, _Place(project, architecture, workdir), listener)
        return self._outcome(project, Payload(()), plugins, strangers + failures)

    def changes(self, before: str, after: str, architecture: str) -> tuple[str, ...]:
        """The protocol, if it changed."""
        old, new = (str(toml.table(text, self.name).get("protocol", "?")) for text in (before, after))
        return () if old == new else (f"protocol: {old} became {new}",)

    def _plugins(
        self, project: Project, place: _Place, listener: Listener
    ) -> tuple[dict[str, Payload], tuple[Failure, ...]]:
        plugins, failures = {}, []
        for spec in project.plugins:
            listener.step(f"collect plugin {spec.name}")
            try:
                files = place.files(spec.name, place.made(spec.name))
                executable = [path for _, path in files if path.stat().st_mode & stat.S_IXUSR]
                if not executable:
                    raise BuildError("there is no program among its files", hint="chmod +x the program")
                needs = place.needs(f"plugin {spec.name}", executable)
                entries = _layout.plugin(project, spec.name, files)
                for entry in entries:
                    _pin(entry.content)
                plugins[spec.name] = Payload(entries, depends=needs, abi=_abi_of(project, spec.name))
            except CommandError as failed:
                failures.append(Failure(spec.name, "", failed.output or failed.message, failed.hint))
            except BuildError as failed:
                failures.append(Failure(spec.name, "", failed.message, failed.hint))
        return plugins, tuple(failures)

    def _outcome(
        self, project: Project, core: Payload, plugins: Mapping[str, Payload], failures: tuple[Failure, ...]
    ) -> Outcome:
        options = project.core_options
        accepts = tuple(_abi(project, version) for version in options.accepts)
        return Outcome(_abi(project, options.protocol), core, None, plugins, failures, accepts=accepts)

    def target(self, project: Project) -> Target:
        """The server finds the programs of plugins among the verified copies, whose names `loader/plugins` has."""
        return Target(tree=True, arrange=render("loader/list.sh"), reload=project.core_options.reload)


def _pin(content: Content | None) -> Content | None:
    """Let the bytes of a file count as they are now.

    The command of another part may put something else in its place, also a link to what it cannot read itself; the
    packages are written when all have run, and say that it changed.
    """
    if content is not None:
        _ = content.sha256
    return content


@dataclass(frozen=True, slots=True)
class _Place:
    """Builds for one architecture, in folders of their own."""

    project: Project
    architecture: str
    workdir: Path

    def made(self, plugin: str | None) -> Path:
        """The server's program, or the file or folder of a plugin."""
        options = self.project.core_options if plugin is None else self.project.plugin_options[plugin]
        if not options.build:
            return _source(self.project, plugin, self.architecture)
        source = _source(self.project, plugin, self.architecture)
        # An author says it, or the maintainer of the core: whose project it is.
        core = self.project.core_options
        network = options.network or (self.project.plugin_of is None and core.network)
        self._run(options.build, source, self._output(plugin), network=network)
        found = self.known(plugin)
        if found is not None and plugin is None:
            # A link would put a file of this machine into the package.
            [*_layout.files(found)]
        if found is None:
            raise BuildError(f"core.exec.build left no program {self.project.core.name} in its output folder")
        return found

    def known(self, plugin: str | None) -> Path | None:
        """The same without a build: what the last one left, None if there is none."""
        options = self.project.core_options if plugin is None else self.project.plugin_options[plugin]
        if not options.build:
            return _source(self.project, plugin, self.architecture)
        output = self._output(plugin)
        found = output / self.project.core.name if plugin is None else output
        return found if found.exists() else None

    def files(self, plugin: str, found: Path) -> tuple[tuple[str, Path], ...]:
        """Names and paths of all that a plugin is; a link that a command left is refused.

        found: as made and known give it.
        """
        if self.project.plugin_options[plugin].build:
            return tuple(_layout.files(found, IGNORED))
        return tuple(_layout.sources(self.project, found, IGNORED))

    def _output(self, plugin: str | None) -> Path:
        return self.workdir / self.architecture / ("core" if plugin is None else f"plugin-{plugin}")

    def _run(self, command: Sequence[str], source: Path, output: Path, *, network: bool) -> None:
        """Let a command fill a folder. It is made beside, so that half a build is none."""
        output.parent.mkdir(parents=True, exist_ok=True)
        home = self._home(output.name)
        making = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
        try:
            words = {"output": str(making), "architecture": self.architecture}
            # What the maintainer's commands need is nothing for an author's machine.
            own = self.project.core_options.environment if self.project.plugin_of is None else {}
            variables = {OUTPUT: str(making), **{key: commands.fill([text], words)[0] for key, text in own.items()}}
            # The project's own directory has what other parts are built of, and what its maintainer runs.
            own_folder = () if self.project.root.resolve().is_relative_to(source.resolve()) else (source,)
            confine.run_confined(
                commands.fill(command, words, {"output": OUTPUT}),
                cwd=source,
                env={**confine.environment(home, tree.epoch(self.project, EPOCH), network=network), **variables},
                writable=[making, home, *own_folder],
                readable=[self.project.root],
                fixed=[place / name for place in (source, self.project.root) for name in KEPT],
                network=network,
            )
            atomic.remove(output)
            making.rename(output)
        finally:
            atomic.remove(making)

    def _home(self, part: str) -> Path:
        """A builder's downloads and caches, each part's own: what one plugin leaves there, another need not trust.

        They begin with what the server's command left, for another architecture too: a plugin runs in that server.
        """
        home = self.workdir / self.architecture / "home" / part
        if home.is_dir():
            return home
        home.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        architectures = dict.fromkeys((self.architecture, *self.project.core.architectures))
        places = (self.workdir / architecture / "home/core" for architecture in architectures)
        first = next((place for place in places if place != home and place.is_dir()), None)
        making = home.with_name(f".{part}.making")
        atomic.remove(making)
        if first is None:
            making.mkdir(mode=0o700)
        else:
            try:
                shutil.copytree(first, making, symlinks=True)
            except RecursionError:
                raise BuildError(f"{first} has folders that lie too deep", hint="remove it") from None
        making.rename(home)
        return home

    def needs(self, what: str, found: Sequence[Path]) -> dict[str, tuple[Alternatives, ...]]:
        """Relations of programs. Raises BuildError for what does not run on the targets."""
        return _programs.needs(self.project.core.targets, self.architecture, what, found)


def _findings(project: Project) -> Iterator[tuple[str, str, str]]:
    if project.plugin_of is not None:
        yield from _plugin_findings(project, ())
        return
    options = project.core_options
    if not options.build and not project.core.program:
        yield "core.program", "is missing", "name the file of the server's program, or a command in core.exec.build"
    elif project.core.program and options.build:
        yield "core.program", "stands beside core.exec.build", "keep one"
    if options.reload and not (project.core.service and project.core.service.reload):
        yield "core.exec.reload", "the service has no reload", "write the arguments in core.service.reload"
    for architecture in project.core.architectures:
        program = _source(project, None, architecture)
        question = Path.is_dir if options.build else Path.is_file
        if (options.build or project.core.program) and not contents.holds(question, program):
            key = "core.exec.source" if options.build else "core.program"
            yield key, f"there is no {program}", "build the server first"
        elif project.core.program and not options.build and (wrong := _programs.fault(program, architecture)):
            yield "core.program", f"{program}: {wrong}", _programs.hint(architecture)
    yield from _plugin_findings(project, (options.protocol, *options.accepts))


def _plugin_findings(project: Project, known: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """known: protocols of the core, none if that is said later."""
    for name, own in sorted(project.plugin_options.items()):
        key = f"plugin.{name}.exec"
        if bool(own.files) == bool(own.build):
            what = "both files and build are there" if own.files else "files is missing"
            yield f"{key}.files", what, "name a program, a folder, or a command in build"
            continue
        if own.protocol and known and own.protocol not in known:
            accepted = ", ".join(f'"{version}"' for version in known)
            yield f"{key}.protocol", f"the core does not speak {own.protocol!r}", f"write one of {accepted}"
        for architecture in project.core.architectures:
            source = _source(project, name, architecture)
            if not contents.holds(Path.is_dir if own.build else Path.exists, source):
                yield f"{key}.{'source' if own.build else 'files'}", f"there is no {source}", "name what is there"
            elif not own.build and (empty := contents.empty_folders(source, IGNORED)):
                what = f"there is nothing in {source / empty[0]}, and a plugin has no empty folders"
                yield f"{key}.files", what, "remove it, or put a file into it"


def _abi(project: Project, version: str) -> str:
    text = f"mkpkgs abi 1\ndriver exec\ncore {project.core.name}\nprotocol {version}\n"
    return hashlib.sha256(text.encode()).hexdigest()


def _abi_of(project: Project, plugin: str) -> str:
    return _abi(project, project.plugin_options[plugin].protocol or project.core_options.protocol)


def _source(project: Project, plugin: str | None, architecture: str) -> Path:
    """The file or folder that is packaged, or the folder in which the command runs."""
    options = project.core_options if plugin is None else project.plugin_options[plugin]
    # An author's project has no folder of the core.
    folder = project.core_options.source if project.plugin_of is None else "."
    place = (options.source or folder) if options.build else ""
    return project.root / (place or (project.core.program if plugin is None else options.files)).replace(
        "{architecture}", architecture
    )
