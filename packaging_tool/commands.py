"""Commands of a project: lists of words, in which a name in braces stands for a path or another word."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from packaging_tool.errors import BuildError

SHELLS = frozenset({"ash", "bash", "dash", "ksh", "mksh", "sh", "zsh"})


def fill(command: Sequence[str], words: Mapping[str, str], variables: Mapping[str, str] | None = None) -> list[str]:
    """A command with the words of words for `{name}`; what was filled in is not looked at again.

    No shell reads the command, unless it starts one: in the script of `sh -c`, a word that a shell would take for more
    than a word raises BuildError. variables: names of words that the command finds in its environment, too.
    """
    found = re.compile("|".join(rf"\{{({re.escape(name)})\}}" for name in words) or r"(?!)")

    def of(match: re.Match[str]) -> str:
        return words[match[0][1:-1]]

    for place, argument in enumerate(command):
        if _is_script(command, place):
            for match in found.finditer(argument):
                _check(match[0][1:-1], of(match), variables or {})
    return [found.sub(of, argument) for argument in command]


def _is_script(command: Sequence[str], place: int) -> bool:
    """Whether this argument is a script that a shell gets by `-c`."""
    before = command[: max(place - 1, 0)]
    return place > 1 and bool(
        re.fullmatch(r"-[a-z]*c[a-z]*", command[place - 1]) and any(PurePath(word).name in SHELLS for word in before)
    )


def _check(name: str, value: str, variables: Mapping[str, str]) -> None:
    if shlex.quote(value) == value:
        return
    what = f"{{{name}}} in the script of a shell is {value!r} here, of which a shell makes other words"
    if name in variables:
        raise BuildError(what, hint=f'write "${variables[name]}" in its place, with the quotes')
    hint = f'write "$1" in its place, and the word behind the script: ["sh", "-c", "…", "sh", "{{{name}}}"]'
    raise BuildError(what, hint=hint)
