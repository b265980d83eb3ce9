"""What a go.mod says beside its requirements: Go heeds that in the module that is built, and nowhere else.

The core is built as a dependency of the host main, so what its own go.mod says here is taken over by `settings`, or
refused by its line. The grammar is that of golang.org/ref/mod, "go.mod files".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# How many words follow each of these; `replace` and `retract` have several forms.
_WORDS = {"module": 1, "go": 1, "toolchain": 1, "require": 2, "exclude": 2, "godebug": 1, "tool": 1, "ignore": 1}
_WORD = re.compile(r'"((?:\\.|[^"\\])*)"|`([^`]*)`|(=>|[()]|[^\s"`()]+)')


@dataclass(frozen=True, slots=True)
class Replace:
    """`replace path [version] => by [to]`. by: another path, or a folder."""

    line: int
    path: str
    version: str
    by: str
    to: str

    @property
    def is_folder(self) -> bool:
        """Whether sources of a folder stand for the module (a path that begins with a dot or a slash)."""
        return self.by.startswith(("./", "../", "/")) or self.by in (".", "..")


@dataclass(frozen=True, slots=True)
class Directive:
    """One that requires or excludes a version (`words` are path and version), or sets a GODEBUG (`words` is one,
    `key=value`)."""

    line: int
    verb: str
    words: tuple[str, ...]


def read(folder: Path) -> tuple[tuple[Replace, ...], tuple[Directive, ...]]:
    """Replacements, and `exclude` and `godebug`; for what cannot be read see `faults`. Raises OSError."""
    replaces, others = [], []
    text = (folder / "go.mod").read_text(encoding="utf-8", errors="replace")
    for line, verb, words in _directives(text):
        if verb == "replace" and "=>" in words:
            at = words.index("=>")
            before, after = (*words[:at], "")[:2], (*words[at + 1 :], "", "")[:2]
            if before[0] and after[0]:
                replaces.append(Replace(line, *before, *after))
        elif verb in ("exclude", "godebug"):
            others.append(Directive(line, verb, words))
    return tuple(replaces), tuple(others)


def requirements(folder: Path) -> tuple[Directive, ...]:
    """What go.mod requires; `words` are path and version. Raises OSError."""
    text = (folder / "go.mod").read_text(encoding="utf-8", errors="replace")
    return tuple(Directive(line, verb, words) for line, verb, words in _directives(text) if verb == "require")


def faults(folder: Path) -> list[tuple[int, str]]:
    """Number and words of lines that `go build` in the module refuses, and that it overlooks in a dependency.

    Raises OSError.
    """
    text = (folder / "go.mod").read_text(encoding="utf-8", errors="replace")
    found = []
    for line, verb, words in _directives(text):
        before, arrow, after = " ".join(words).partition("=>")
        if verb == "replace":
            right = bool(arrow) and len(before.split()) in (1, 2) and len(after.split()) in (1, 2)
        else:
            right = bool(words) if verb == "retract" else len(words) == _WORDS.get(verb)
        if not right:
            found.append((line, " ".join((verb, *words))))
    return found


def _directives(text: str) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Each with its line and words; those of a block have its verb."""
    block = ""
    for number, line in enumerate(text.splitlines(), 1):
        words = tuple(next(filter(None, found), "") for found in _WORD.findall(line.partition("//")[0]))
        if not words:
            continue
        if block:
            if words == (")",):
                block = ""
            else:
                yield number, block, words
        elif words[1:] == ("(",):
            block = words[0]
        else:
            yield number, words[0], words[1:]
