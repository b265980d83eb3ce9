"""What a target is, and what makes an input a fault."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from packaging_tool.errors import MkpkgsError

# Seconds of processor time that one input may take; other work on the machine does not count.
SLOWEST = 1.0
CORPUS = Path(__file__).parent.parent / "corpus"


class FaultError(Exception):
    """A reader did what it must not do."""


@dataclass(frozen=True, slots=True)
class Target:
    """A reader of foreign bytes.

    read: gives it the bytes and checks what must hold of the answer. seeds: real inputs. words: what the fuzzer may put
    in. errors: what read may raise beside MkpkgsError. longest: bytes of an input.
    """

    name: str
    read: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    words: tuple[bytes, ...] = ()
    errors: tuple[type[Exception], ...] = ()
    longest: int = 4096

    def judge(self, data: bytes) -> bool:
        """Read one input: whether it was taken, not refused. Raises FaultError, or what read must not raise."""
        expected: tuple[type[Exception], ...] = (MkpkgsError, *self.errors)
        start = time.thread_time()
        try:
            self.read(data)
            taken = True
        except expected as error:
            if not str(error).strip():
                raise FaultError(f"{self.name}: {type(error).__name__} without a word") from error
            taken = False
        if (spent := time.thread_time() - start) > SLOWEST:
            raise FaultError(f"{self.name}: {spent:.1f} s for {len(data)} bytes")
        return taken

    def judge_quietly(self, data: bytes) -> None:
        """The same for a fuzzer, which wants no answer."""
        self.judge(data)

    def kept(self) -> dict[str, bytes]:
        """Inputs that were a fault once, by file name."""
        return {path.name: path.read_bytes() for path in sorted((CORPUS / self.name).glob("*"))}


def holds(condition: bool, what: str) -> None:
    """Say that something of an answer is not so."""
    if not condition:
        raise FaultError(what)


@cache
def scratch() -> Path:
    """A folder of this process."""
    folder = tempfile.TemporaryDirectory(prefix="mkpkgs-fuzz-")
    _folders.append(folder)
    return Path(folder.name)


_folders: list[tempfile.TemporaryDirectory[str]] = []


def as_file(name: str, data: bytes) -> Path:
    """The bytes in a file of the scratch folder; the next input replaces it."""
    path = scratch() / name
    path.write_bytes(data)
    return path
