"""All errors that mkpkgs raises on purpose.

    MkpkgsError                 something the user can act on; the command line prints it without a traceback
    ├── InputError              exit 2: what was given is wrong
    │   └── ProjectError        one or many problems of a project file
    ├── BuildError              exit 1: a build step failed
    │   └── CommandError        a program that mkpkgs started failed or is missing
    ├── PackageError            exit 1: a package cannot be written
    ├── SigningError            exit 1: a key is missing, locked, or of the wrong kind
    └── PublishError            exit 1: a repository refuses the new packages

Only `cli` prints and exits; everything below it raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class MkpkgsError(Exception):
    """A failure with a message for the user.

    message: what failed, in one line. hint: what to do next, or "". exit_code: of the process.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(MkpkgsError):
    """What the user gave (an option, a file, a key) is wrong."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a project file.

    file: as the user wrote it. line: 1-based, 0 if unknown. key: dotted path, e.g. `plugin.git.order`.
    what: what is wrong. instead: what to write instead, or "".
    """

    file: str
    line: int
    key: str
    what: str
    instead: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        key = f" {self.key}:" if self.key else ""
        instead = f"; {self.instead}" if self.instead else ""
        return f"{place}:{key} {self.what}{instead}"


class ProjectError(InputError):
    """All problems of a project file at once, in the order of their lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.file, p.line, p.key)))
        super().__init__("\n".join(str(p) for p in self.problems))


class BuildError(MkpkgsError):
    """A build step failed."""


class CommandError(BuildError):
    """A program ended with an error or could not be started.

    returncode: its exit status, 127 if it could not be started. output: the end of what it printed.
    """

    def __init__(self, message: str, *, returncode: int, output: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.returncode = returncode
        self.output = output


class PackageError(MkpkgsError):
    """A package cannot be written as asked."""


class SigningError(MkpkgsError):
    """A key is missing, locked, or of a kind that a target cannot read."""


class PublishError(MkpkgsError):
    """Publishing would leave a repository from which some installed system cannot upgrade."""
