"""Progress, told to whoever listens: the command line draws it, tests collect it, a server streams it."""

from __future__ import annotations

from typing import Protocol


class Listener(Protocol):
    """Receives progress. Calls may come from several threads."""

    def step(self, text: str) -> None:
        """Say that a step begins, e.g. `build caddy for amd64`."""

    def progress(self, task: str, done: int, total: int) -> None:
        """Say how far a long task is; `done == total` ends it. Units are the task's own (files, packages)."""

    def note(self, text: str) -> None:
        """Pass on a detail that only `--verbose` shows."""

    def warn(self, text: str) -> None:
        """Pass on something that the user should know although the run goes on."""


class Silent:
    """A listener that ignores everything."""

    def step(self, text: str) -> None: ...

    def progress(self, task: str, done: int, total: int) -> None: ...

    def note(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...
