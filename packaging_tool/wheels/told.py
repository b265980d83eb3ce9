"""What pip said, in words of the project: a resolver's terms help nobody who does not call pip himself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packaging_tool.errors import CommandError

# Where pip looks if nobody says anything else, and then it does not say where.
DEFAULT = "pip's own index"

# pip 22.2 to 26: its own messages, which have no other form.
_MISSING = re.compile(
    r"Could not find a version that satisfies the requirement (\S.*?)(?: \(from ([^()]*?)(?:->[^()]*)?\))?"
    r" \(from versions: (.*?)\)"
)
_NEWER = re.compile(r"Ignored the following versions that require a different python version: (.*)")
_ONE_NEWER = re.compile(r"(\S+) Requires-Python ([^;]+)")
_OTHER_PYTHON = re.compile(r"Package '([^']+)' requires a different Python: \S+ not in '([^']+)'")
_CONFLICT = re.compile(r"The conflict is caused by:\n((?: +.*\n?)+)")
_CAUSE = re.compile(r" +(?:The user requested (?P<said>.*)|(?P<who>\S+ \S+)(?:\[.*?\])? depends on (?P<what>.*))")
_BROKEN = re.compile(r"after connection broken by '(.*)': (/\S*)")
# The end of what an index may have said; of as much as this takes little time to look at.
_WHY = re.compile(r"(?:\[Errno -?\d+\] |: )?([A-Z][A-Za-z ,.'-]+?)[.'\")]*$")
_LOOKED_AT = 200
_UNFETCHED = re.compile(r"Could not fetch URL (\S+): (.+?)(?: - skipping)?$", re.MULTILINE)
# What a backend printed, as pip frames it.
_FRAMED = re.compile(r"\[\d+ lines? of output\]\n(.*?)\n[ \t]*\[end of output\]", re.DOTALL)


class UnmetError(CommandError):
    """Requirements that cannot be met.

    causes: who needs it, "" for the project itself, and what. The message tells them between before and after.
    """

    def __init__(self, causes: Sequence[tuple[str, str]], before: str, after: str, hint: str) -> None:
        self.causes, self.before, self.after = tuple(dict.fromkeys(causes)), before, after
        super().__init__(self.told({}), returncode=1, hint=hint)

    def told(self, owners: Mapping[tuple[str, str], str]) -> str:
        """The message. owners: of causes, as far as they are known: the core, plugins."""
        return f"{self.before}{'; '.join(_cause(*one, owners.get(one, '')) for one in self.causes)}{self.after}"


def _cause(who: str, what: str, owner: str) -> str:
    if who:
        return f"{who}{owner and f' of {owner}'} needs {what}"
    return f"{owner or 'the project'} wants {what}"


@dataclass(frozen=True, slots=True)
class Places:
    """Where pip looked, in its own words: addresses of indexes, and folders or pages (`find-links`)."""

    indexes: tuple[str, ...]
    links: tuple[str, ...]

    @classmethod
    def of(cls, arguments: Sequence[str], told: str, has_index: bool) -> Places:
        # Not the folders that we named ourselves, where the core's wheels are described.
        own = [text.partition("=")[2] for text in arguments if text.startswith("--find-links=")]
        named = [
            [place for line in re.findall(rf"(?m)^Looking in {kind}: (\S.*)$", told) for place in line.split(", ")]
            for kind in ("indexes", "links")
        ]
        # pip names its own index only beside others.
        indexes = named[0] or ([DEFAULT] if has_index else [])
        return cls(tuple(indexes), tuple(place for place in named[1] if place not in own))

    def have(self, what: str) -> str:
        """That they have something, or have not. what: it."""
        places = (*self.indexes, *self.links)
        return f"{' and '.join(places)} {'has' if len(places) == 1 else 'have'} {what}"


def plain(arguments: Sequence[str], told: str, output: str, *, has_index: bool = True) -> CommandError | None:
    """What is wrong and what to do, None for what is not known here.

    arguments: of pip. told, output: what it printed on standard output, and on standard error. has_index: whether its
    settings let it ask an index.
    """
    python = next((text.partition("=")[2] for text in arguments if text.startswith("--python-version=")), "")
    places = Places.of(arguments, told, has_index)
    if missing := _MISSING.search(output):
        if unreached := _unreached(output, " and ".join(places.indexes)):
            return CommandError(unreached[0], returncode=1, hint=unreached[1])
        # A `+` behind the version takes wheels for each later one.
        pure = not any(text.startswith("--abi=cp") for text in arguments)
        return UnmetError([(missing[2] or "", missing[1])], "", *_missing(missing[3], output, places, python, pure))
    if other := _OTHER_PYTHON.search(output):
        what = f"{other[1]} needs Python {other[2]}, and the targets have {python}"
        return CommandError(what, returncode=1, hint=_OTHER_VERSION)
    if conflict := _CONFLICT.search(f"{told}\n{output}"):
        return _conflicting(conflict[1])
    return None


_OTHER_VERSION = "choose another version in `requires`, or other `targets` and `python`"


def _unreached(output: str, index: str) -> tuple[str, str] | None:
    hint = "see the network, and pip's settings: index, proxy, certificates, logins"
    if broken := _BROKEN.search(output):
        why = _WHY.search(broken[1][-_LOOKED_AT:])
        return f"{index} cannot be reached: {why[1] if why else broken[1][:_LOOKED_AT]}", hint
    if unfetched := _UNFETCHED.search(output):
        return f"{unfetched[1]} cannot be read: {unfetched[2][:200]}", hint
    return None


def _missing(known: str, output: str, places: Places, python: str, pure: bool) -> tuple[str, str]:
    """Why nobody has it, and what to do. known: versions that there are."""
    newer = _NEWER.search(output)
    if newer and (one := _ONE_NEWER.findall(newer[1])):
        which = ", ".join(f"{version} needs Python {needed.strip()}" for version, needed in one[-3:])
        return f", but the targets have Python {python}: {which}", _OTHER_VERSION
    if not places.indexes and not places.links:
        what = ", and pip is to look nowhere: its settings say no-index, and no find-links"
        return what, "name an index or a folder of wheels in pip's settings, e.g. PIP_FIND_LINKS"
    targets = f"Python {python}+, so without compiled code" if pure else f"Python {python}"
    if known == "none":
        what = f", and {places.have(f'no wheel of it for the targets ({targets})')}"
        hint = "see how its name is spelled; what has no wheel, build into one, and name that file in `requires`"
        return what, hint + (f'; compiled ones need `python = "{python}"`' if pure else "")
    versions = known.split(", ")
    shown = ", ".join(["…", *versions[-8:]] if len(versions) > 8 else versions)
    return f", and {places.have(f'wheels for the targets ({targets}) of {shown} only')}", _OTHER_VERSION


def _conflicting(causes: str) -> UnmetError:
    found = [
        ("", cause["said"].removeprefix("(constraint) ")) if cause["said"] else (cause["who"], cause["what"])
        for cause in map(_CAUSE.fullmatch, causes.splitlines())
        if cause is not None
    ]
    hint = "core and plugins share their wheels: choose versions in `requires` that go together"
    return UnmetError(found, "these do not go together: ", "", hint)


def framed(output: str) -> str:
    """What the backend of a project printed; all of the output if there is no frame."""
    found = _FRAMED.search(output)
    return "\n".join(line.removeprefix("      ") for line in (found[1] if found else output).splitlines()).strip("\n")
