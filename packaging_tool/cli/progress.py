"""Progress on stderr: one live line with a bar when a person looks, plain lines otherwise."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from typing import TextIO

import click

from packaging_tool.cli.errors import colour
from packaging_tool.cli.text import printable

# Seconds between two drawings of the bar.
PAUSE = 0.08
WIDTH = 24


class Console:
    """A listener for people. Safe to call from several threads. Texts may have any characters.

    quiet: only warnings are dropped to nothing too, errors are not told here. verbose: notes as well.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False, stream: TextIO | None = None) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._lock = threading.Lock()
        self._drawn = False
        self._last = 0.0

    def step(self, text: str) -> None:
        """A line for each step."""
        self._line(_clean(text))

    def progress(self, task: str, done: int, total: int) -> None:
        """A bar that is gone when the task ends; without a terminal one line at the end."""
        if self.quiet or total <= 0:
            return
        task = printable(task)
        if not self._live:
            if done >= total:
                self._line(f"{task}: {total}")
            return
        now = time.monotonic()
        with self._lock:
            if done >= total:
                self._clear()
                self._stream.write(f"{task}: {total}\n")
            elif now - self._last >= PAUSE:
                self._last = now
                filled = WIDTH * done // total
                bar = (
                    "█" * filled + "░" * (WIDTH - filled)
                    if _unicode(self._stream)
                    else "#" * filled + "-" * (WIDTH - filled)
                )
                text = f"{task} {bar} {done}/{total}"
                columns = shutil.get_terminal_size().columns
                self._stream.write(f"\r\x1b[K{text[: columns - 1]}")
                self._drawn = True
            self._stream.flush()

    def note(self, text: str) -> None:
        """A detail, with --verbose only."""
        if self.verbose:
            self._line(_clean(text))

    def warn(self, text: str) -> None:
        """Something to know."""
        self._line(f"mkpkgs: {click.style('warning:', fg='yellow', bold=True)} {_clean(text)}")

    def close(self) -> None:
        """Remove what is left of a bar, so that an error begins on a line of its own."""
        with self._lock:
            self._clear()
            self._stream.flush()

    def _line(self, text: str) -> None:
        if self.quiet:
            return
        with self._lock:
            self._clear()
            click.echo(text, file=self._stream, color=colour())

    def _clear(self) -> None:
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._drawn = False


def _clean(text: str) -> str:
    """What is told may be words of a server, of a program or of somebody else's file, and steer a terminal."""
    return printable(text, keep="\n\t")


def _unicode(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().replace("-", "") == "utf8"
