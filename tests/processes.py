"""Processes of a test that nobody takes for another's: tests run beside each other, and see the same machine."""

from __future__ import annotations

import secrets
from pathlib import Path


def own_time() -> str:
    """Seconds for sleep(1), more than an hour, that no other process of this machine sleeps."""
    return f"4200.{secrets.randbelow(10**9):09}"


def sleeping(seconds: str) -> list[str]:
    """Ids of processes that sleep this time. One that has ended and was not waited for yet has no words any more."""
    return running(f"sleep\0{seconds}\0".encode())


def running(words: bytes) -> list[str]:
    """Ids of processes that have this in their command line."""
    return [place.name for place in Path("/proc").glob("[0-9]*") if words in _command_line(place)]


def _command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        # It ended meanwhile.
        return b""
