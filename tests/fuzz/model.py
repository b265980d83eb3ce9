"""What the fuzzed server is: its versions and plugins, and which of them must serve when a set of them is installed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

CORE = "parley"
# Version of core and plugins, and the format that stands for the ABI: 1.0 and 1.1 fit each other, 2.0 fits only itself.
FORMATS: Mapping[str, str] = {"1.0": "1", "1.1": "1", "2.0": "2"}
VERSIONS = tuple(FORMATS)


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin of the fuzzed server.

    crashes: versions that end the program as soon as it starts, so in the try. sulks: versions that end it only when it
    serves. optional, needs: as in the project file.
    """

    crashes: frozenset[str] = frozenset()
    sulks: frozenset[str] = frozenset()
    optional: bool = False
    needs: tuple[str, ...] = ()


PLUGINS: Mapping[str, Plugin] = {
    "auth": Plugin(),
    "base": Plugin(),
    "child": Plugin(needs=("base",)),
    "frail": Plugin(crashes=frozenset({"1.1"})),
    "spare": Plugin(optional=True, crashes=frozenset({"1.1"})),
    "sulky": Plugin(sulks=frozenset({"2.0"})),
}


@dataclass(frozen=True, slots=True)
class Installed:
    """Core and plugins by version. core: "" if it is not installed."""

    core: str = ""
    plugins: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, core: str, plugins: Mapping[str, str]) -> Installed:
        """The same from a mapping."""
        return cls(core, tuple(sorted(plugins.items())))

    @property
    def versions(self) -> dict[str, str]:
        """Version by plugin."""
        return dict(self.plugins)

    def breaks(self) -> list[str]:
        """The plugins for whose sake this set cannot serve."""
        return [name for name, version in self.plugins if version in PLUGINS[name].crashes | PLUGINS[name].sulks]

    def serves(self) -> list[Installed]:
        """The sets that may serve when this one is installed and applied; none if it cannot work.

        A set without its broken optional plugins is not what the administrator installed, but it may serve.
        """
        broken = self.breaks()
        if not broken:
            return [self]
        if all(PLUGINS[name].optional for name in broken):
            return [self.without(broken)]
        return []

    def without(self, names: Iterable[str]) -> Installed:
        """This set without some plugins."""
        gone = set(names)
        return Installed(self.core, tuple((name, version) for name, version in self.plugins if name not in gone))

    def __str__(self) -> str:
        if not self.core:
            return "nothing"
        return " ".join([self.core, *(f"{name}={version}" for name, version in self.plugins)])


NOTHING = Installed()


def between(served: Installed, before: Installed, after: Installed) -> str:
    """Why a set may not serve while, or after, a transaction was cut off: "" if it may.

    What was and what is to be are both good, and so is a step between them whose every part is of one of both; but
    never one that lacks a plugin that stands in both and is not optional.
    """
    if served in (before, after):
        return ""
    if served.core not in (before.core, after.core):
        return f"its core is {served.core}"
    for name, version in served.plugins:
        if version not in (before.versions.get(name), after.versions.get(name)):
            return f"{name} {version} is in neither set"
        if FORMATS[version] != FORMATS[served.core]:
            return f"{name} {version} is not for core {served.core}"
    for name in before.versions.keys() & after.versions.keys():
        if name not in served.versions and not PLUGINS[name].optional:
            return f"{name} is missing, which is in both sets"
    return ""
