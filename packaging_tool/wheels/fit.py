"""Whether the wheels of an author's plugin fit a published core: its Python, machine, distributions and modules."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from packaging_tool.package.model import Module
from packaging_tool.project.model import PluginSpec
from packaging_tool.wheels.closure import environment
from packaging_tool.wheels.pip import Platform
from packaging_tool.wheels.published import Dist, Plugin, Site
from packaging_tool.wheels.wheel import Wheel, normal

# What helps a plugin of which nothing is left.
NOTHING = "there is nothing to package: take the plugin out, or require what the core has not"


class Misfit(NamedTuple):
    """Why a plugin does not fit a core. repair: the smallest change that helps."""

    message: str
    repair: str


def wheel(made: Wheel, platform: Platform, pythons: Iterable[str]) -> Iterator[Misfit]:
    """What a wheel of the author's asks of Python and the machine. pythons: versions on the targets."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    said = made.metadata.get("Requires-Python", [""])[0]
    try:
        wrong = [version for version in pythons if version not in SpecifierSet(said)]
        tags = parse_wheel_filename(made.path.name)[3]
    except (InvalidSpecifier, InvalidWheelFilename) as error:
        yield Misfit(f"{made.path.name} is no wheel that can be judged: {error}", "build it anew")
        return
    if wrong:
        yield Misfit(
            f"{made.name} requires Python {said}, and the core runs on {', '.join(wrong)}",
            f"lower requires-python of {made.name}, or leave this core out by `versions` in [plugin-of]",
        )
    if not tags & platform.tags():
        if platform.architecture == "all":
            takes = "wheels of every machine alone: py3-none-any"
        else:
            takes = f"{platform.tag} or abi3, {platform.machine}, and at most glibc {platform.glibc}"
        yield Misfit(
            f"{made.path.name} is for {', '.join(sorted(map(str, tags)))}, and the core takes {takes}",
            "build it for that, or without compiled code",
        )


def versions(
    name: str,
    requires: Sequence[str],
    found: Mapping[str, tuple[str, Sequence[str]]],
    base: Mapping[str, Dist],
    platform: Platform,
) -> Iterator[Misfit]:
    """Requirements that the core's versions do not meet, each with the way to it.

    name: of the plugin. found: version and requirements of distributions that are not the core's, by name.
    """
    from packaging.requirements import Requirement

    known = environment(platform)
    seen: set[tuple[str, str]] = set()
    waiting: list[tuple[tuple[str, ...], str, str]] = [((name,), "", text) for text in requires]
    while waiting:
        way, extra, text = waiting.pop(0)
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({**known, "extra": extra}):
            continue
        there = base.get(normal(wanted.name))
        if there is not None:
            if not wanted.specifier.contains(there.version, prereleases=True):
                bare = f"{wanted.name}{wanted.specifier}"
                yield Misfit(
                    f"the core has {there}: {' needs '.join((*way, bare))}",
                    f"let {way[-1]} take {there}" if len(way) < 3 else f"use another {way[-1]}, that takes {there}",
                )
        elif normal(wanted.name) in found:
            version, more = found[normal(wanted.name)]
            for one in ("", *sorted(wanted.extras)):
                if (normal(wanted.name), one) not in seen:
                    seen.add((normal(wanted.name), one))
                    waiting += [((*way, f"{normal(wanted.name)} {version}"), one, text) for text in more]


def others(own: Mapping[str, Dist], site: Site, base: Mapping[str, Dist], clashes: Sequence[str]) -> Iterator[Misfit]:
    """What own distributions and the maintainer's plugins have both. clashes: plugins that never come with it."""
    for plugin, row in _beside(site, base, clashes):
        for name in row.dists:
            if name in own and own[name].version != site.dists[name].version:
                yield Misfit(
                    f"brings {own[name]}, and plugin {plugin} brings {site.dists[name]}: they cannot be in one server",
                    f'require {name}=={site.dists[name].version}, or write clashes = ["{plugin}"]',
                )


def siblings(plugin: PluginSpec, brought: Sequence[Module], before: Mapping[str, Sequence[Module]]) -> Iterator[Misfit]:
    """What a plugin and others of the same author have both, in two versions. before: what those bring, by name."""
    for other, modules in before.items():
        known = {module.path: module.version for module in modules}
        for one in brought if other not in plugin.clashes else ():
            version, name = known.get(one.path, one.version), one.path
            if version != one.version:
                yield Misfit(
                    f"brings {name} {one.version}, and plugin {other} brings {name} {version}: they cannot be in one"
                    " server",
                    f'let both take one version of {name}, or write clashes = ["{other}"]',
                )


def modules(own: Mapping[str, Dist], site: Site, base: Mapping[str, Dist], clashes: Sequence[str]) -> Iterator[Misfit]:
    """Modules that the core or another plugin has, too: the first on the path would be found, whoever asks."""
    owners = {module: f"{one} of the core" for one in base.values() for module in _modules(one)}
    for plugin, row in _beside(site, base, clashes):
        for name in row.dists:
            if name not in own:
                owners |= dict.fromkeys(_modules(site.dists[name]), f"{site.dists[name]} of plugin {plugin}")
    for one in own.values():
        for module in sorted(_modules(one) & set(owners)):
            yield Misfit(
                f"{module} of {one} is in {owners[module]}, too, and one of them would hide the other",
                f"give the module another name, or require {owners[module].partition(' ')[0]} in place of it",
            )


def entry_points(own: Iterable[Wheel], there: Iterable[Dist]) -> Iterator[Misfit]:
    """Entry points of a plugin that the server could not load. there: all that can be imported, own ones too."""
    files = [file for one in there for file in one.files]
    for made in own:
        for group, name, module in made.entry_points:
            path = module.replace(".", "/")
            # Programs are left out, and Python's own modules are in no wheel.
            if group in ("console_scripts", "gui_scripts") or module.partition(".")[0] in sys.stdlib_module_names:
                continue
            if not any(file.startswith((f"{path}.", f"{path}/")) for file in files):
                yield Misfit(
                    f"the entry point {name} ({group}) of {made.name} names the module {module}, which is in no wheel",
                    f"put {module} into the wheel, or name one that is there",
                )


def _beside(site: Site, base: Mapping[str, Dist], clashes: Sequence[str]) -> Iterator[tuple[str, Plugin]]:
    for plugin, row in sorted(site.plugins.items()):
        if plugin not in clashes and not all(name in base for name in row.dists):
            yield plugin, row


def _modules(one: Dist) -> set[str]:
    """What hides all others of its name: packages and modules; of namespace packages (PEP 420), the files."""
    tops = {name.partition("/")[0] for name in one.files if name.count("/") == 1 and name.endswith("/__init__.py")}
    found = set(tops)
    for name in one.files:
        top, _, below = name.partition("/")
        if not below and "." in top and not top.endswith(".pth"):
            found.add(top.partition(".")[0])
        elif below and top not in tops and not top.endswith((".dist-info", ".data")):
            found.add(name)
    return found
