"""What no single value shows: the parts of a project file must fit each other, the disk and the targets."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import dropwhile, islice, product
from operator import ne
from typing import cast

from packaging_tool import registry, targets
from packaging_tool.drivers.base import Driver, Source, Sourcing
from packaging_tool.errors import MkpkgsError, PackageError, Problem
from packaging_tool.package import guarded
from packaging_tool.project import contents, dates, endings, guarding, paths, patterns, relations, unread
from packaging_tool.project.faults import Faults, Path, did_you_mean, similar
from packaging_tool.project.model import CoreSpec, FileSpec, PluginOfSpec, PluginSpec, Project

# Names below /usr/lib/NAME that mkpkgs uses for itself.
OWN_FOLDERS = ("", "bin", "kit", "assemble", "arrange")


# So many circles and contradictions are told, and so many near names looked for: each may take as long as the file has
# plugins, and who has that many faults mends some and looks again.
MOST = 100


def check(project: Project, faults: Faults) -> list[Problem]:
    """Note what does not fit in faults; gives the driver's own problems, which have keys but no lines.

    Values that faults already covers are left out: one mistake, one message.
    """
    known = Faults(list(faults.found), set(faults.names))
    for path, what, instead in _all(project, known):
        alias = tuple("file" if part == "files" and len(path) > 2 else part for part in path)
        if not known.covers(*path) and not known.covers(*alias):
            faults.add(path, what, instead)
    known_core = project.core_options is not None and not faults.covers("core", "architectures")
    if not known_core and (project.plugin_of is None or faults.covers("plugin-of", "driver")):
        return []
    driver = cast(Driver, registry.load("drivers", project.core.driver).Driver())
    problems = [*driver.check(project), *_outside(project, driver), *_unread(project, driver)]
    return [problem for problem in problems if not _covered(problem.key, faults)]


def _outside(project: Project, driver: Driver) -> Iterator[Problem]:
    """Sources that lead out of the project, which it does not allow."""
    if project.outside:
        return
    table = "plugin-of" if project.plugin_of is not None else "core"
    instead = f"copy it into the project, or write outside = true in [{table}]"
    for source in _named(project, driver):
        places = _spelled(project, source.place)
        if any(contents.leads_out(project.root, place) for place in places):
            yield _told(project, source, f"{source.words!r} leads out of the project", instead)
        elif source.follows and source.place:
            found = (contents.strays(project.root, place, source.ignored) for place in places)
            for stray in sorted({name for names in found for name in names}):
                yield _told(project, source, f"the link {stray!r} leads out of the project", instead)


def _told(project: Project, source: Source, what: str, instead: str) -> Problem:
    """A problem of a source, where it is named."""
    if source.said:
        return Problem(source.said.file, source.said.line, "", what, instead)
    return Problem(str(project.file), 0, source.key, what, instead)


def _named(project: Project, driver: Driver) -> list[Source]:
    """The server's program, and what the driver says that it reads."""
    named = [*cast(Sourcing, driver).sources(project)] if hasattr(driver, "sources") else []
    if project.plugin_of is None and project.core.program:
        named.insert(0, Source("core.program", project.core.program))
    return named


def _spelled(project: Project, text: str) -> set[str]:
    return {text.replace("{architecture}", architecture) for architecture in project.core.architectures}


def _unread(project: Project, driver: Driver) -> Iterator[Problem]:
    """Sources that are none; see `unread`."""
    for source in _named(project, driver):
        places = _spelled(project, source.place)
        if own := next((found for place in places if (found := unread.what(project.root, place))), ""):
            yield _told(project, source, f"{source.words!r} is {own}", contents.HINT)


def named(project: Project) -> set[str]:
    """Sources of the driver, relative to the project file."""
    driver = cast(Driver, registry.load("drivers", project.core.driver).Driver())
    return {place for source in _named(project, driver) for place in _spelled(project, source.place)}


def made(project: Project) -> tuple[Faults, list[Problem]]:
    """Sources that are none because this run makes them: where to, the project file does not say."""
    faults = Faults()
    packages: list[tuple[Path, Sequence[FileSpec]]] = [(("core",), project.core.files)]
    packages += [(("plugin", plugin.name), plugin.files) for plugin in project.plugins]
    for base, specs in packages:
        for index, spec in enumerate(specs):
            if spec.source and (own := unread.what(project.root, spec.source)):
                faults.add((*base, "files", index, "source"), f"{spec.source!r} is {own}", contents.HINT)
    driver = cast(Driver, registry.load("drivers", project.core.driver).Driver())
    return faults, [*_unread(project, driver)]


def _covered(key: str, faults: Faults) -> bool:
    return bool(key) and faults.covers(*key.split("."))


Finding = tuple[Path, str, str]


def _all(project: Project, known: Faults) -> Iterator[Finding]:
    if project.plugin_of is None:
        yield from _core(project.core)
        yield from _targets(project.core)
    else:
        yield from _plugin_of(project.plugin_of)
    yield from _plugins(project)
    yield from _relations(project, known)
    yield from endings.findings(project)
    yield from _files(project, known)


def _core(core: CoreSpec) -> Iterator[Finding]:
    if core.name and core.service and not core.user:
        if not _is_account(core.name):
            what = f"is missing: {core.name!r} cannot be the name of a user"
            yield ("core", "user"), what, f'write for example user = "{_account(core.name)}"'
        elif core.name in paths.ACCOUNTS:
            what = f"is missing: {core.name!r} is a user of each system already"
            yield ("core", "user"), what, f'write for example user = "{core.name}-server"'
    if "+" in core.name and core.service is not None:
        # systemd.unit(5) names the characters.
        what = f"{core.name!r} has a `+`, which no unit can have, and the service is called like the core"
        yield ("core", "name"), what, f'write for example "{core.name.replace("+", "-").strip("-")}"'
    for key in ("check", "check_seconds"):
        if getattr(core, key) is not None and getattr(core.service, key, None) is not None:
            yield ("core", "service", key.replace("_", "-")), "is there in [core], too", "keep that one"
    yield from directories(core)
    if not core.architectures:
        yield ("core", "architectures"), "is empty", 'write ["amd64"]'
    if "all" in core.architectures and len(core.architectures) > 1:
        yield ("core", "architectures"), '"all" stands beside others', 'write ["all"], or leave "all" out'
    for key in ("architectures", "targets", "revoked_keys"):
        yield from _doubles(getattr(core, key), ("core", key.replace("_", "-")))
    if core.changelog:
        newest = core.changelog[0].version.rpartition(":")[2]
        if newest and core.version and newest != f"{core.version}-{core.release}":
            what = f"the newest entry is for {newest}, the package is {core.version}-{core.release}"
            yield ("core", "changelog", 0, "version"), what, "add an entry on top"
    for number, change in enumerate(core.changelog):
        if not change.changes:
            yield ("core", "changelog", number, "changes"), "is empty", "say what changed"
    yield from dates.outside(core.changelog, ("core", "changelog"))
    yield from dates.rising(core.changelog, ("core", "changelog"))


def directories(core: CoreSpec) -> Iterator[Finding]:
    """Directories of the core, said or by default, that are not its own."""
    parent, _, last = core.plugins_directory.rpartition("/")
    if core.plugins_directory and core.name and (parent != f"/usr/lib/{core.name}" or last in OWN_FOLDERS):
        what = f"is not a free place directly below /usr/lib/{core.name}"
        yield ("core", "plugins-directory"), what, f'write for example "/usr/lib/{core.name}/modules"'
    place = core.config_directory or f"/etc/{core.name}"
    if core.name and paths.is_systems(place, core.name):
        shared = place if place.removeprefix("/etc/") in paths.SHARED else posixpath.dirname(place)
        what = f"{shared} is not this package's alone"
        better = f"/etc/{core.name}"
        free = better if not paths.is_systems(better, core.name) else f"{better}-server"
        yield ("core", "config-directory"), what, f'write "{free}"'
    if core.service and not core.service.home and core.name in paths.STATES:
        what = f"is missing: /var/lib/{core.name} is the system's"
        yield ("core", "service", "home"), what, f'write for example "/var/lib/{core.name}-server"'


def _plugin_of(spec: PluginOfSpec) -> Iterator[Finding]:
    for key in ("versions", "architectures", "targets"):
        yield from _doubles(getattr(spec, key), ("plugin-of", key))
    yield from dates.outside(spec.changelog, ("plugin-of", "changelog"))
    if spec.name and spec.name == spec.core:
        what = "is the server's own name, whose files for administrators have it already"
        yield ("plugin-of", "name"), what, f'write for example "{spec.core}-extras"'


def _account(name: str) -> str:
    """The name of a user that comes close to that of a core."""
    return re.sub(r"[.+]", "-", name).lstrip("0123456789-")[:31] or "server"


def _is_account(name: str) -> bool:
    return len(name) <= 31 and not set(name) & set("+.") and not name[:1].isdigit()


def _doubles(values: Sequence[str], path: Path) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value in seen:
            yield (*path, index), f"{value!r} is there twice", "keep one"
        seen.add(value)


def _targets(core: CoreSpec) -> Iterator[Finding]:
    """Each target must be able to carry what is asked."""
    if not core.targets:
        yield ("core", "targets"), "is empty", 'write for example ["debian12", "el9"]'
    chosen = list(dict.fromkeys(name for name in core.targets if name in targets.TARGETS))
    families = sorted({release.format for release in targets.TARGETS.values()})
    for family, text in core.compression.items():
        path = ("core", "compression", family)
        if family not in families:
            yield path, f"{family!r} is not a package format", did_you_mean(family, families)
            continue
        method, _, level = text.partition(":")
        if method not in targets.LIMITS:
            yield path, f"{method!r} is not a compression", did_you_mean(method, targets.LIMITS)
            continue
        low, high = targets.LIMITS[method]
        if level and not (re.fullmatch(r"[0-9]{1,3}", level) and low <= int(level) <= high):
            yield (
                path,
                f"{level!r} is not a level of {method}: {low} to {high}",
                f'write "{method}:{targets.LEVELS[method]}"',
            )
        for name in chosen:
            release = targets.TARGETS[name]
            if release.format == family and method not in release.compressions:
                yield path, f"{name} cannot read {method}", f'write "{release.compressions[0]}"'
    old = [name for name in chosen if targets.TARGETS[name].systemd < 253]
    if core.service is not None and core.service.type == "notify-reload" and old:
        yield ("core", "service", "type"), f"{', '.join(old)} cannot read it (systemd before 253)", 'write "notify"'
    for family in ("deb", "rpm"):
        asked = getattr(core, family) is not None
        if asked and chosen and all(targets.TARGETS[name].format != family for name in chosen):
            yield ("core", family), f"no target takes .{family} packages", "leave it out, or name a target"


def _plugins(project: Project) -> Iterator[Finding]:
    names = dict.fromkeys(plugin.name for plugin in project.plugins)
    needs = {plugin.name: [name for name in plugin.needs if name in names] for plugin in project.plugins}
    choice = names | dict.fromkeys(sorted(project.published))
    looked = 0
    # What else there is for somebody else's core shows when it is read.
    unknown = project.plugin_of is not None and project.core_options is None
    for plugin in project.plugins:
        for key in ("needs", "clashes"):
            for index, other in enumerate(getattr(plugin, key)):
                path = ("plugin", plugin.name, key, index)
                if other == plugin.name:
                    yield path, "names the plugin itself", "leave it out"
                elif other not in choice and not unknown and not (key == "clashes" and other in project.strangers):
                    looked += 1
                    close = similar(other, choice) if looked <= MOST else ""
                    yield (
                        path,
                        f"there is no plugin {other!r}",
                        f"did you mean {close!r}?" if close else _choice([*choice]),
                    )
            yield from _doubles(getattr(plugin, key), ("plugin", plugin.name, key))
    yield from islice(_cycles(needs), MOST)
    yield from islice(_contradictions(project.plugins, needs), MOST)


def _relations(project: Project, known: Faults) -> Iterator[Finding]:
    """Relations that a format cannot spell: `Perl` is a name for rpm, and none for dpkg."""
    packages: list[tuple[Path, CoreSpec | PluginSpec]] = [(("core",), project.core)]
    packages += [(("plugin", plugin.name), plugin) for plugin in project.plugins]
    chosen = targets.formats([name for name in project.core.targets if name in targets.TARGETS])
    formats = {family: registry.load("formats", family).Format() for family in chosen}
    for family, (base, spec) in product(chosen, packages):
        own = getattr(spec, family, None)
        for field in relations.FIELDS:
            replaced = getattr(own, field, None) is not None
            path = (*base, family, field) if replaced else (*base, field)
            for index, text in enumerate(relations.of(spec, own, field)):
                if known.covers(*path, index):
                    continue
                try:
                    formats[family].spell(relations.parse(text))
                except PackageError as error:
                    others = [name for name in chosen if name != family and not replaced]
                    tables = " or ".join(f"[{'.'.join(map(str, (*base, name)))}]" for name in others)
                    alone = f"write it into {tables}" if tables else ""
                    yield (*path, index), error.message, "; ".join(filter(None, (error.hint, alone)))


def _choice(names: Sequence[str]) -> str:
    return f"plugins: {', '.join(names)}" if len(names) <= 12 else f"the project has {len(names)} plugins"


def _cycles(needs: dict[str, list[str]]) -> Iterator[Finding]:
    """Each circle of needs once, told at its first plugin; not recursive, chains can be long."""
    done: set[str] = set()
    for start in needs:
        # In order; each of a long chain asks whether a name is in it.
        trail: dict[str, None] = {}
        stack: list[tuple[str, Iterator[str]]] = [(start, iter(needs[start]))] if start not in done else []
        trail |= {start: None} if stack else {}
        while stack:
            name, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                done.add(trail.popitem()[0])
            elif following in trail and following != name:
                circle = [*dropwhile(partial(ne, following), trail), following]
                yield ("plugin", following, "needs"), f"goes in a circle: {' → '.join(circle)}", "leave one of them out"
            elif following not in done and following != name:
                trail[following] = None
                stack.append((following, iter(needs[following])))


def _contradictions(plugins: Sequence[PluginSpec], needs: dict[str, list[str]]) -> Iterator[Finding]:
    """A plugin that can never be installed, because something it needs clashes with it or with something else."""
    clashes = sorted({(min(one.name, other), max(one.name, other)) for one in plugins for other in one.clashes})
    if not clashes:
        return
    wanted_by: dict[str, list[str]] = {}
    for name, wanted in needs.items():
        for other in wanted:
            wanted_by.setdefault(other, []).append(name)
    known = {plugin.name: plugin for plugin in plugins}
    for one, other in clashes:
        both = _all_of(one, wanted_by) & _all_of(other, wanted_by)
        for plugin in sorted((known[name] for name in both if name in known), key=lambda plugin: plugin.name):
            what = f"can never be met: {plugin.name} comes with {one} and {other}, which clash"
            yield ("plugin", plugin.name, "needs" if plugin.needs else "clashes"), what, "change needs or clashes"


def _all_of(name: str, next_to: Mapping[str, Sequence[str]]) -> set[str]:
    """The name, and all that is reached from it."""
    found, waiting = {name}, [name]
    while waiting:
        further = [other for other in next_to.get(waiting.pop(), ()) if other not in found]
        found.update(further)
        waiting += further
    return found


def _files(project: Project, known: Faults) -> Iterator[Finding]:
    """Sources that are missing, files that fit no rule together, and places that two packages claim."""
    # Without a service there is no user of its own, unless the project names one.
    user = project.core.user or (project.core.name if project.core.service else "root")
    owners = {"root", user}
    groups = {"root", "adm", project.core.user_group or user}
    taken = dict.fromkeys(_own_directories(project.core), ("the core", "0755 root:root"))
    packages: list[tuple[str, Path, Sequence[FileSpec]]] = [("the core", ("core",), project.core.files)]
    packages += [(f"plugin {p.name}", ("plugin", p.name), p.files) for p in project.plugins]
    for package, base, specs in packages:
        for index, spec in enumerate(specs):
            # The list has two names; the one in the file has a line.
            path = (*base, "files", index)
            yield from _one_file(project, spec, path, owners, groups)
            if known.covers(*path, "path") or known.covers(*base, "file", index, "path"):
                continue
            for place in _places(project, spec):
                yield from _claim(project, package, place, spec, path, taken)


def _one_file(project: Project, spec: FileSpec, path: Path, owners: set[str], groups: set[str]) -> Iterator[Finding]:
    made = spec.type in ("directory", "symlink", "ghost")
    if made and spec.source:
        yield (*path, "source"), f"a {spec.type} has no source", "leave it out"
    if not made and not spec.source:
        yield (*path, "source"), "is missing", "name the file to take, relative to the project file"
    if spec.type in ("directory", "symlink") and spec.path.rstrip("/") in paths.DIRECTORIES:
        yield (*path, "path"), f"{spec.path.rstrip('/')} belongs to the system", "name a place below it"
    if spec.type == "symlink" and not spec.target:
        yield (*path, "target"), "is missing", "say what the link points to"
    if spec.type != "symlink" and spec.target:
        yield (*path, "target"), f"a {spec.type} has no target", 'leave it out, or write type = "symlink"'
    if spec.type in ("symlink", "ghost") and spec.path.endswith("/"):
        yield (*path, "path"), f"{spec.path!r} ends with `/`", f'write "{spec.path.rstrip("/")}"'
    if spec.type == "symlink" and spec.mode:
        yield (*path, "mode"), "a symlink has no mode of its own", "leave it out"
    in_etc = spec.path.startswith("/etc/")
    if in_etc and spec.type in ("file", "doc"):
        yield (*path, "type"), f"{spec.path} is configuration (Debian Policy 10.7.2)", 'write type = "config"'
    if spec.type == "config" and not in_etc:
        yield (*path, "type"), f"{spec.path} is not below /etc (Debian Policy 10.7.2)", "move it below /etc"
    if spec.path.startswith("/var/") and not made:
        yield (
            (*path, "type"),
            f"{spec.path} would overwrite what the server wrote",
            'write type = "directory" or "ghost"',
        )
    if spec.owner not in owners:
        yield (*path, "owner"), f"no user {spec.owner!r} exists on a fresh system", _accounts(owners)
    if spec.group not in groups:
        yield (*path, "group"), f"no group {spec.group!r} exists on all targets", _accounts(groups)
    if not made and spec.source:
        yield from _sources(project, spec, path)


def _accounts(known: set[str]) -> str:
    return "write " + " or ".join(f'"{name}"' for name in sorted(known) if name)


def _sources(project: Project, spec: FileSpec, path: Path) -> Iterator[Finding]:
    try:
        found = contents.sources(project.root, spec.source)
    except MkpkgsError as error:
        if error.hint:
            yield (*path, "source"), error.message.replace(f"{project.root}/", ""), error.hint
        else:
            yield (*path, "source"), f"there is no file {spec.source!r}", "it is relative to the project file"
        return
    every = (file for files in (project.core.files, *(plugin.files for plugin in project.plugins)) for file in files)
    for what, instead in patterns.findings(project.root, spec, every):
        yield (*path, "source"), what, instead
    if len(found) > 1 and not spec.path.endswith("/"):
        what = f"{spec.source!r} finds {len(found)} files, which cannot all be {spec.path}"
        yield (*path, "path"), what, f'write "{spec.path}/"'
    odd = next((source.name for source in found if not source.name.isprintable()), "")
    if odd and spec.path.endswith("/"):
        what = f"{spec.source!r} finds {odd!a}, whose name has characters that no terminal shows"
        yield (*path, "source"), what, "rename the file, or name those to take"
    # Under umask 077 it means nothing that others cannot read a file.
    if not spec.mode and project.file.stat().st_mode & 0o004:
        closed = next((source for source in found if not source.stat().st_mode & 0o004), None)
        if closed is not None:
            what = (
                f"is missing: not everybody can read {closed.relative_to(project.root)}, but all could in the package"
            )
            yield (*path, "mode"), what, 'write "0640", with a group, or "0644" if all may'


def _places(project: Project, spec: FileSpec) -> list[str]:
    """Where the files of one entry go; a source that is missing goes nowhere."""
    if not spec.path.endswith("/") or spec.type not in ("file", "config", "doc"):
        return [posixpath.normpath(spec.path)]
    try:
        found = contents.sources(project.root, spec.source) if spec.source else []
    except MkpkgsError:
        return []
    return [posixpath.normpath(f"{spec.path}{source.name}") for source in found]


def _claim(
    project: Project, package: str, place: str, spec: FileSpec, path: Path, taken: dict[str, tuple[str, str]]
) -> Iterator[Finding]:
    """taken: by place, the package that claimed it, and mode and owners where it is a directory."""
    if owner := _reserved(project.core, place, spec.type):
        yield (*path, "path"), f"{place} is {owner}", "choose another place"
    else:
        yield from (((*path, key), what, instead) for key, what, instead in guarding.findings(project, spec, place))
    look = f"{(spec.mode or '755').zfill(4)} {spec.owner}:{spec.group}" if spec.type == "directory" else ""
    other, known = taken.get(place, ("", ""))
    if look and (not other or (known and other == package)):
        taken[place] = (package, look)
    elif not other:
        taken[place] = (package, "")
    elif not look or not known:
        what = f"{place} is also a {'directory' if known else 'file'} of {other}"
        what = what if other != package else f"{place} is there twice"
        yield (*path, "path"), what, "choose another place for one of them"
    elif look != known:
        # A directory may belong to many packages, but rpm installs no two that see it differently.
        yield (
            (*path, "mode"),
            f"{place} is {look} here and {known} in {other}",
            "give it the same mode and owners in both",
        )


def _own_directories(core: CoreSpec) -> tuple[str, ...]:
    """Directories that the core package lists anyway; the project may give them another mode there."""
    return (core.config_directory or f"/etc/{core.name}", f"/usr/lib/{core.name}", f"/usr/share/{core.name}")


def _reserved(core: CoreSpec, place: str, kind: str) -> str:
    """Whose a place is where mkpkgs puts files of its own, or ""."""
    name = core.name
    plugins = core.plugins_directory or f"/usr/lib/{name}/plugins"
    if place.startswith(f"{plugins}/"):
        return "in the plugins directory, where only the driver puts files"
    ours = guarded.places(name, plugins, "", guarded.OURS)
    if place != plugins and any(f"{place}/".startswith(f"{one}/") for one in ours):
        return "mkpkgs' own"
    own = {
        f"{core.config_directory or f'/etc/{name}'}/plugins.conf",
        f"/usr/bin/{name}",
        f"/usr/bin/{name}-plugins",
        f"/usr/lib/sysusers.d/{name}.conf",
        f"/usr/lib/tmpfiles.d/{name}.conf",
        f"/usr/share/bash-completion/completions/{name}-plugins",
        f"/usr/share/man/man8/{name}-plugins.8",
        f"/usr/share/man/man8/{name}-plugins.8.gz",
    }
    units = "/usr/lib/systemd/system"
    own |= {f"{units}/{guarded.stem(name)}-{part}" for part in guarded.UNITS}
    if core.service is not None:
        own.add(f"{units}/{name}.service")
    return "mkpkgs' own" if place in own and kind != "directory" else ""
