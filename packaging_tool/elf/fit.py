"""Whether the objects of an author's plugin fit a published core and its targets, without starting anything."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from packaging_tool import targets
from packaging_tool.elf import facts, libraries, machines
from packaging_tool.elf.facts import Want
from packaging_tool.elf.libraries import Object
from packaging_tool.elf.published import Interface, Offer

# Symbols of one object that are told.
TOLD = 5


class Misfit(NamedTuple):
    """Why a plugin does not fit a core. repair: the smallest change that helps."""

    message: str
    repair: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A plugin as it was built.

    names: of its objects on the target. needs, clashes: names of the maintainer's plugins that come with it, and that
    never do. libraries: sonames whose packages are named.
    """

    objects: tuple[Object, ...]
    names: tuple[str, ...]
    needs: tuple[str, ...]
    clashes: tuple[str, ...]
    libraries: Collection[str]


@dataclass(frozen=True, slots=True)
class Judge:
    """A published core for one architecture.

    core: its name. targets: those of the author. flat: whether the server looks for all objects in one place.
    """

    core: str
    architecture: str
    targets: Sequence[str]
    published: Interface
    flat: bool
    here: dict[str, Offer | None] = field(default_factory=dict)

    def misfits(self, plugin: Plugin) -> Iterator[Misfit]:
        """Each difference, the gravest first."""
        for one in plugin.objects:
            if one.facts.architecture != self.architecture:
                yield Misfit(
                    f"{one.path.name} is for {one.facts.architecture}, and this core for {self.architecture}",
                    "name the cross compiler with {triplet} in the commands, or leave this core out by `architectures` "
                    "in [plugin-of]",
                )
                return
        for other, offer in sorted(self.published.brings.items() if self.flat else ()):
            for name in plugin.names if other not in plugin.clashes else ():
                if name in offer.objects:
                    yield Misfit(
                        f"plugin {other} has a {name}, too, and the server looks for both in one place",
                        f'give yours another name, or write clashes = ["{other}"]',
                    )
        yield from self._symbols(plugin)
        yield from self._needed(plugin)
        for one in plugin.objects:
            for said, target in libraries.too_new(one.path.name, [one], self.targets):
                yield Misfit(said, f"build on {target} or an older system, or name `targets` without it in [plugin-of]")

    def _symbols(self, plugin: Plugin) -> Iterator[Misfit]:
        offers = self.published.offers
        with_it = [self.published.brings[name] for name in self._closure(plugin.needs)]
        own = [facts.offers(one.path) for one in plugin.objects]
        known = frozenset[str]().union(*(offer.symbols for offer in (*offers.values(), *with_it)), *own)
        for one in plugin.objects:
            missing = [want for want in facts.wants(one.path) if not self._is_offered(want, known)]
            if any(not want.version for want in missing):
                missing = self._without_libraries(missing, one, plugin)
            for want in missing[:TOLD]:
                yield self._missing(one.path.name, want)
            if len(missing) > TOLD:
                yield Misfit(f"{one.path.name} needs {len(missing) - TOLD} more symbols that nothing offers", "")

    def _is_offered(self, want: Want, known: frozenset[str]) -> bool:
        if not want.version:
            return want.name in known
        # Of a library that is not the core's, versions are the affair of the target.
        offer = self.published.offers.get(want.library)
        return offer is None or str(want) in offer.symbols

    def _without_libraries(self, missing: Sequence[Want], one: Object, plugin: Plugin) -> list[Want]:
        """Those that no library of the system offers. One that is not here could offer anything."""
        versioned = [want for want in missing if want.version]
        if not self.published.offers:
            # A core that is no program of its own, and nobody said whose symbols plugins use.
            return versioned
        known: set[str] = set()
        for soname in self._system(one.facts.needed, plugin):
            found = self._library(soname)
            if found is None:
                return versioned
            known |= found.symbols
        for soname in self._system((s for offer in self.published.offers.values() for s in offer.needs), plugin):
            found = self._library(soname)
            known |= found.symbols if found else frozenset()
        return [want for want in missing if want.version or want.name not in known]

    def _missing(self, name: str, want: Want) -> Misfit:
        for plugin, offer in sorted(self.published.brings.items()):
            if want.name in offer.symbols:
                return Misfit(f"{name} needs {want}, which is in plugin {plugin}", f'write needs = ["{plugin}"]')
        if want.version:
            versions = sorted(
                text.partition("@")[2]
                for text in self.published.offers[want.library].symbols
                if text.startswith(f"{want.name}@")
            )
            has = f"has it as {', '.join(versions)}" if versions else "has it not"
            return Misfit(f"{name} needs {want} of {want.library}, and that of {self.core} {has}", _BUILD)
        symbols = {text for offer in self.published.offers.values() for text in offer.symbols if "@" not in text}
        near = get_close_matches(want.name, symbols, n=1, cutoff=0.8)
        return Misfit(
            f"{name} needs {want}, which neither {self.core} nor any library of it offers",
            f"did you mean {near[0]}?"
            if near
            else f"use what {self.core} offers, or link what has {want.name} into it",
        )

    def _needed(self, plugin: Plugin) -> Iterator[Misfit]:
        for one in plugin.objects:
            for soname in self._system(one.facts.needed, plugin):
                if libraries.is_runtime(soname) or soname in plugin.libraries or self._library(soname):
                    continue
                if self.architecture == machines.own():
                    yield Misfit(
                        f"{one.path.name} needs {soname}, which neither {self.core} nor this system has",
                        "link it statically, list it in `objects`, or say whose it is: "
                        f'libraries = {{ "{soname}" = "PACKAGE >= VERSION" }}',
                    )

    def unknown(self, plugin: Plugin) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Libraries, and versions of their symbols, of which nobody knows that a target has them."""
        found: dict[str, list[str]] = {}
        for one in plugin.objects:
            for soname in self._system(one.facts.needed, plugin):
                if libraries.is_runtime(soname):
                    continue
                versions = [version for library, version in one.facts.versions if library == soname]
                for target in self.targets:
                    for text in self._lacking(target, soname, versions):
                        if target not in found.setdefault(text, []):
                            found[text].append(target)
        by_targets: dict[tuple[str, ...], list[str]] = {}
        for text, names in found.items():
            by_targets.setdefault(tuple(names), []).append(text)
        yield from ((", ".join(texts), names) for names, texts in by_targets.items())

    def _lacking(self, target: str, soname: str, versions: Iterable[str]) -> list[str]:
        if target == targets.here() and self._library(soname) is not None:
            return []
        # What the maintainer's packages need is there, or they could not be installed.
        known = self.published.libraries if target in self.published.targets else ()
        if soname not in known:
            return [soname]
        return [f"{soname} ({version})" for version in versions if f"{soname} {version}" not in known]

    def _system(self, sonames: Iterable[str], plugin: Plugin) -> Iterator[str]:
        """Those that are neither the core's nor the plugin's own."""
        own = {one.facts.soname or one.path.name for one in plugin.objects} | {one.path.name for one in plugin.objects}
        return (soname for soname in dict.fromkeys(sonames) if soname not in own | set(self.published.offers))

    def _library(self, soname: str) -> Offer | None:
        """A library of this system with those that it needs; None if it is not here for this architecture."""
        if soname not in self.here:
            self.here[soname] = None
            if (path := _find(soname, self.architecture)) is not None:
                needed = facts.read(path).needed
                more = [found.symbols for one in needed if (found := self._library(one)) is not None]
                self.here[soname] = Offer(facts.offers(path).union(*more), needed)
        return self.here[soname]

    def _closure(self, needs: Sequence[str]) -> list[str]:
        found: list[str] = []
        waiting = list(needs)
        while waiting:
            name = waiting.pop()
            if name in self.published.brings and name not in found:
                found.append(name)
                waiting += self.published.brings[name].needs
        return found


_BUILD = "build against what this core publishes, or leave it out by `versions` in [plugin-of]"


def _find(soname: str, architecture: str) -> Path | None:
    triplet = machines.TRIPLETS[architecture]
    places = (f"/lib/{triplet}", f"/usr/lib/{triplet}", f"/usr/{triplet}/lib", "/lib64", "/usr/lib64")
    for folder in (*places, "/usr/local/lib", "/lib", "/usr/lib"):
        path = Path(folder, soname)
        # Linkers keep texts of their own under such names.
        is_library = "/" not in soname and path.is_file() and facts.is_elf(path)
        if is_library and facts.read(path).architecture == architecture:
            return path
    return None
