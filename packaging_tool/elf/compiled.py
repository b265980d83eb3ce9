"""What a build was compiled with: the files that its compilers read, found by asking them again.

A build that records (`tree.Recipe.record`) leaves a file for each process below `compiled/`: for each call of a
compiler the number of arguments, the compiler, the directory and the arguments, each with a zero byte behind it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging_tool import confine
from packaging_tool.errors import CommandError

# As gcc takes files for sources by their names (gcc(1), "Overall Options").
_SOURCE = re.compile(r".*\.(c|cc|cp|cxx|cpp|CPP|c\+\+|C)")
# Options that say what a source becomes, with an argument of their own or without one.
_OUTPUT = {"-o": 1, "-MF": 1, "-MT": 1, "-MQ": 1, "-c": 0, "-S": 0, "-E": 0, "-MD": 0, "-MMD": 0, "-MP": 0, "-MG": 0}
# Options that change what the preprocessor makes of a header. Paths of the first are relative to the directory.
_PLACES = ("-isystem", "-iquote", "-idirafter", "-include", "-imacros", "-I")
_WORDS = ("-D", "-U")


@dataclass(frozen=True, slots=True)
class Unit:
    """A call of a compiler with sources. flags: what counts for the preprocessor. read: all files, absolute."""

    flags: tuple[str, ...]
    read: frozenset[Path]


def units(records: Path, environment: Mapping[str, str]) -> tuple[Unit, ...]:
    """The calls whose sources are still there; those of a configuration's own tests are not.

    records: the folder. environment: what the project said, such as CPATH.
    """
    found: dict[Unit, None] = {}
    # Commands could leave something else there than our compilers do.
    written = [path for path in sorted(records.glob("*")) if stat.S_ISREG(path.lstat().st_mode)]
    calls = [call for path in written for call in _calls(path.read_bytes())]
    for compiler, place, arguments in dict.fromkeys(calls):
        sources = [text for text in arguments if _SOURCE.fullmatch(text)]
        if not sources or not all((Path(place) / text).is_file() for text in sources):
            continue
        if (read := _read(records, compiler, place, arguments, environment)) is not None:
            found[Unit(_flags(place, arguments), read)] = None
    return tuple(found)


def _calls(data: bytes) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    words = [os.fsdecode(word) for word in data.split(b"\0")]
    at = 0
    while at + 2 < len(words):
        if not words[at].isdecimal():
            return
        end = at + 3 + int(words[at])
        yield words[at + 1], words[at + 2], tuple(words[at + 3 : end])
        at = end


def _read(
    records: Path, compiler: str, place: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> frozenset[Path] | None:
    """What a call reads; None if the compiler does not say."""
    left = iter(arguments)
    asked = []
    for argument in left:
        skipped = _OUTPUT.get(argument)
        if skipped is None and not argument.startswith("-Wp,-M"):
            asked.append(argument)
        for _ in range(skipped or 0):
            next(left, None)
    env = {**confine.environment(Path(place), 0), **environment}
    try:
        # What it says is a compiler is so by the word of the plugin's commands.
        said = confine.run_confined([compiler, "-M", *asked], cwd=Path(place), env=env, readable=[records.parent])
    except (CommandError, OSError):
        return None
    rules = os.fsdecode(said.stdout).replace("\\\n", " ").splitlines()
    names = (name for rule in rules for name in re.findall(r"(?:\\.|[^\s\\])+", rule.partition(": ")[2]))
    return frozenset(Path(place, re.sub(r"\\(.)", r"\1", name).replace("$$", "$")).resolve() for name in names)


def _flags(place: str, arguments: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    left = iter(arguments)
    for argument in left:
        option = next((name for name in (*_PLACES, *_WORDS) if argument.startswith(name)), "")
        if option:
            value = argument.removeprefix(option) or next(left, "")
            path = Path(place, value)
            found += [option, str(path) if option in _PLACES and path.exists() else value]
        elif argument.startswith(("-m", "--sysroot=")):
            found.append(argument)
    return tuple(found)
