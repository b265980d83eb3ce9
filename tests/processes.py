"""Processes of a test that nobody takes for another's: tests run beside each other, and see the same machine."""

from __future__ import annotations

import secrets
from pathlib import Path


def own_time() -> str:
    """Seconds for sleep(1), more than an hour, that no other process of this machine sleeps."""
    return f"4200.{secrets.randbelow(10**9):09}"


def sleeping(seconds: str) -> list[str]:
    """Ids of processes that sleep this time. One that has ended and was not waited for yet has no words any more."""
    return [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if _sleeps(path, seconds)]


def _sleeps(cmdline: Path, seconds: str) -> bool:
    try:
        return cmdline.read_bytes() == f"sleep\0{seconds}\0".encode()
    except OSError:
        # It ended meanwhile.
        return False
