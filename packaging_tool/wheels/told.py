"""What pip said, in words of the project: a resolver's terms help nobody who does not call pip himself."""

from __future__ import annotations

import re
from collections.abc import Sequence

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
_WHY = re.compile(r"(?:\[Errno -?\d+\] |: )?([A-Z][A-Za-z ,.'-]+?)(?:\.?['\")]+)*$")
_UNFETCHED = re.compile(r"Could not fetch URL (\S+): (.+?)(?: - skipping)?$", re.MULTILINE)
_INDEX = re.compile(r"^Looking in (?:indexes|links): (\S.*)$", re.MULTILINE)
# What a backend printed, as pip frames it.
_FRAMED = re.compile(r"\[\d+ lines? of output\]\n(.*?)\n\s*\[end of output\]", re.DOTALL)


def plain(arguments: Sequence[str], told: str, output: str) -> tuple[str, str] | None:
    """What is wrong and what to do, None for what is not known here.

    arguments: of pip. told, output: what it printed on standard output, and on standard error.
    """
    python = next((text.partition("=")[2] for text in arguments if text.startswith("--python-version=")), "")
    whole = f"{told}\n{output}"
    # Not the folders that we named ourselves, where the core's wheels are described.
    own = [text.partition("=")[2] for text in arguments if text.startswith("--find-links=")]
    places = [place for line in _INDEX.findall(told) for place in line.split(", ") if place not in own]
    index = ", ".join(places) or "the index"
    if missing := _MISSING.search(output):
        if unreached := _unreached(output, index):
            return unreached
        # A `+` behind the version takes wheels for each later one.
        pure = not any(text.startswith("--abi=cp") for text in arguments)
        return _missing(missing, output, index, python, pure)
    if other := _OTHER_PYTHON.search(output):
        return f"{other[1]} needs Python {other[2]}, and the targets have {python}", _OTHER_VERSION
    if conflict := _CONFLICT.search(whole):
        return _conflicting(conflict[1])
    return None


_OTHER_VERSION = "choose another version in `requires`, or other `targets` and `python`"


def _unreached(output: str, index: str) -> tuple[str, str] | None:
    hint = "see the network, and pip's settings: index, proxy, certificates, logins"
    if broken := _BROKEN.search(output):
        why = _WHY.search(broken[1])
        return f"{index} cannot be reached: {why[1] if why else broken[1][:200]}", hint
    if unfetched := _UNFETCHED.search(output):
        return f"{unfetched[1]} cannot be read: {unfetched[2][:200]}", hint
    return None


def _missing(found: re.Match[str], output: str, index: str, python: str, pure: bool) -> tuple[str, str]:
    wanted, parent, known = found[1], found[2], found[3]
    who = f"{parent} needs {wanted}" if parent else f"{wanted} is wanted"
    newer = _NEWER.search(output)
    if newer and (one := _ONE_NEWER.findall(newer[1])):
        which = ", ".join(f"{version} needs Python {needed.strip()}" for version, needed in one[-3:])
        return f"{who}, but the targets have Python {python}: {which}", _OTHER_VERSION
    targets = f"Python {python}+, so without compiled code" if pure else f"Python {python}"
    if known == "none":
        what = f"{who}, and {index} has no wheel of it for the targets ({targets})"
        hint = "see how its name is spelled; what has no wheel, build into one, and name that file in `requires`"
        return what, hint + (f'; compiled ones need `python = "{python}"`' if pure else "")
    versions = known.split(", ")
    shown = ", ".join(["…", *versions[-8:]] if len(versions) > 8 else versions)
    return f"{who}, and {index} has wheels for the targets ({targets}) of {shown} only", _OTHER_VERSION


def _conflicting(causes: str) -> tuple[str, str]:
    lines = []
    for cause in map(_CAUSE.fullmatch, causes.splitlines()):
        if cause is not None and cause["said"]:
            lines.append(f"the project wants {cause['said'].removeprefix('(constraint) ')}")
        elif cause is not None:
            lines.append(f"{cause['who']} needs {cause['what']}")
    what = f"these do not go together: {'; '.join(dict.fromkeys(lines))}"
    return what, "core and plugins share their wheels: choose versions in `requires` that go together"


def framed(output: str) -> str:
    """What the backend of a project printed; all of the output if there is no frame."""
    found = _FRAMED.search(output)
    return "\n".join(line.removeprefix("      ") for line in (found[1] if found else output).splitlines()).strip("\n")
