"""Finds checks in shell that look as if they stopped a script under `set -e`, and do not.

POSIX, 2.8.1 (set -e): the failure of any command of an AND-OR list but the last is ignored. So `[ a ] && [ b ]` and
`check && use` go on after a failed check. A list that ends in `|| …`, or is the condition of `if`, `elif`, `while` or
`until`, says what happens; so does a list at the end of a group that is itself such a part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

TOKEN = re.compile(
    r"(?P<space>[ \t]+|\\\n)|(?P<comment>#[^\n]*)|(?P<newline>\n)|(?P<operator>&&|\|\||;;|[;&|(){}])(?P<rest>)"
)
CONDITIONS = {"if": "then", "elif": "then", "while": "do", "until": "do"}
# Words after which a command begins.
OPENING = {"then", "do", "else", "!", *CONDITIONS}


@dataclass
class _Group:
    """A list of statements within brackets, a branch of `case`, or the whole script. end: what closes it."""

    end: str
    line: int
    conditions: list[str] = field(default_factory=list)
    # Of the list that is being read: where its last `&&` was, while no `||` came after it.
    open_and: int = 0
    # Where the last finished list of the group had one: only that of the last list can be the group's own status.
    last: int = 0
    pattern: bool = False


def bare_checks(text: str) -> list[int]:
    """Numbers of the lines with such a check. text: shell, maybe with Jinja in it."""
    return sorted(set(_Reader(_without_jinja(text)).findings()))


def _without_jinja(text: str) -> str:
    raw = re.split(r"\{% raw %\}(.*?)\{% endraw %\}", text, flags=re.DOTALL)
    for index in range(0, len(raw), 2):
        part = re.sub(r"\{\{.*?\}\}", "X", raw[index], flags=re.DOTALL)
        raw[index] = re.sub(r"\{#.*?#\}|\{%.*?%\}", lambda found: "\n" * found[0].count("\n"), part, flags=re.DOTALL)
    return "".join(raw)


class _Reader:
    """Goes through the words once."""

    def __init__(self, text: str, line: int = 1) -> None:
        self.text, self.at, self.line = text, 0, line
        self.found: list[int] = []
        self.groups = [_Group("", line)]
        self.heredocs: list[str] = []

    def findings(self) -> list[int]:
        begins = True
        for word in self._words():
            group = self.groups[-1]
            if group.pattern:
                # `a | b)`; the list of a branch begins after it.
                if word == ")":
                    group.pattern = False
                    begins = True
                elif word == "esac":
                    self.groups.pop()
                continue
            begins = self._take(word, group, begins=begins)
        self._finish(self.groups[-1])
        return [*self.found, *([self.groups[-1].last] if self.groups[-1].last else [])]

    def _take(self, word: str, group: _Group, *, begins: bool) -> bool:
        """Whether a command begins after this word."""
        if begins and group.last and word not in ("\n", ";", "&&", "||", ")", "}", "esac", *group.conditions):
            self._leave(group)
        if word == "&&":
            group.open_and = self.line
        elif word == "||":
            group.open_and = group.last = 0
        elif word in ("\n", ";", "&", ";;"):
            self._finish(group)
            if word == ";;":
                self._leave(group)
                group.pattern = True
        elif word == "(" or (word == "{" and begins):
            self.groups.append(_Group({"(": ")", "{": "}"}[word], self.line))
        elif word in (")", "}") and word == group.end and (begins or word == ")"):
            self._close()
            return False
        elif begins and word in CONDITIONS:
            group.conditions.append(CONDITIONS[word])
        elif begins and group.conditions and word == group.conditions[-1]:
            group.open_and = group.last = 0
            group.conditions.pop()
        elif begins and word == "case":
            self.groups.append(_Group("esac", self.line, pattern=True))
        elif begins and word == "esac" and group.end == "esac":
            self._close()
            return False
        else:
            return begins and word in OPENING
        return True

    def _finish(self, group: _Group) -> None:
        """The end of a list."""
        if group.open_and:
            self._leave(group)
            group.last, group.open_and = group.open_and, 0

    def _leave(self, group: _Group) -> None:
        """Another list comes: that of before was not the last one."""
        if group.last and not group.conditions:
            self.found.append(group.last)
        group.last = 0

    def _close(self) -> None:
        """The end of a group: its last list is now part of the list around it."""
        group = self.groups.pop()
        self._finish(group)
        if group.last and not group.conditions:
            self.groups[-1].open_and = group.last

    def _words(self) -> Iterator[str]:
        """Operators, newlines and words; what stands in quotes is left out, but commands in it are read too."""
        while self.at < len(self.text):
            found = TOKEN.match(self.text, self.at)
            if found is None:
                yield self._word()
                continue
            self.at = found.end()
            kind = found.lastgroup
            if found["newline"]:
                yield "\n"
                self.line += 1
                self._skip_heredocs()
            elif found["operator"]:
                yield found["operator"]
            else:
                assert kind
                self.line += found[0].count("\n")

    def _word(self) -> str:
        start = self.at
        while self.at < len(self.text):
            here = self.text[self.at]
            if here == "\\":
                self.at += 2
            elif here == "'":
                self._jump(self.text.index("'", self.at + 1) + 1)
            elif here == '"':
                self._quoted()
            elif self.text.startswith("$((", self.at):
                self._jump(self.text.index("))", self.at) + 2)
            elif self.text.startswith("$(", self.at):
                self._command()
            elif self.text.startswith("${", self.at):
                self._parameter()
            elif document := re.compile(r"<<-?\s*(['\"]?)(\w+)\1").match(self.text, self.at):
                self.heredocs.append(document[2])
                self.at = document.end()
            elif redirection := re.compile(r"[<>]&[-0-9]?|>\||[<>]").match(self.text, self.at):
                self.at = redirection.end()
            elif here in " \t\n;&|(){}":
                break
            else:
                self.at += 1
        if self.at == start:
            self.at += 1
        return self.text[start : self.at]

    def _jump(self, at: int) -> None:
        self.line += self.text.count("\n", self.at, at)
        self.at = at

    def _quoted(self) -> None:
        self.at += 1
        while self.text[self.at] != '"':
            if self.text[self.at] == "\\":
                self.at += 2
            elif self.text.startswith("$((", self.at):
                self._jump(self.text.index("))", self.at) + 2)
            elif self.text.startswith("$(", self.at):
                self._command()
            elif self.text.startswith("${", self.at):
                self._parameter()
            else:
                self._jump(self.at + 1)
        self.at += 1

    def _parameter(self) -> None:
        self.at += 2
        while self.text[self.at] != "}":
            if self.text.startswith("${", self.at):
                self._parameter()
            elif self.text[self.at] == '"':
                self._quoted()
            else:
                self._jump(self.at + 1)
        self.at += 1

    def _command(self) -> None:
        """`$(…)`: its lists count as well."""
        inner = _Reader(self.text, self.line)
        inner.at = self.at + 2
        inner.groups.append(_Group(")", self.line))
        begins = True
        for word in inner._words():
            group = inner.groups[-1]
            if group.pattern:
                if word == ")":
                    group.pattern, begins = False, True
                continue
            begins = inner._take(word, group, begins=begins)
            if len(inner.groups) == 1:
                break
        # The status of the last list is that of the substitution, which set -e sees in an assignment only.
        inner._finish(inner.groups[0])
        self.found += [*inner.found, *([inner.groups[0].last] if inner.groups[0].last else [])]
        self.line = inner.line
        self.at = inner.at

    def _skip_heredocs(self) -> None:
        for end in self.heredocs:
            found = re.compile(rf"^\t*{end}$", re.MULTILINE).search(self.text, self.at)
            self._jump(found.end() if found else len(self.text))
        self.heredocs = []
