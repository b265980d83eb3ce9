"""Whole processes, measured from outside: wall clock, processor time and peak memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20


class BenchError(Exception):
    """A program is missing or failed, or what it made is wrong."""


@dataclass(frozen=True, slots=True)
class Run:
    """One process with all that it waited for. seconds: wall clock. cpu: seconds. peak: MiB of its largest process."""

    seconds: float
    cpu: float
    peak: float


@dataclass(frozen=True, slots=True)
class Contestant:
    """A command to measure. prepare: called before each run, not measured. output: where its standard output goes."""

    name: str
    argv: Sequence[str]
    prepare: Callable[[], None] = lambda: None
    cwd: Path | None = None
    env: Mapping[str, str] | None = None
    output: Path | None = None


def once(contestant: Contestant) -> Run:
    """Run it and take its figures from wait4(2). Raises BenchError if it does not end with status 0."""
    contestant.prepare()
    with open(contestant.output or os.devnull, "wb") as output:  # noqa: PTH123 - devnull is no path of ours
        began = time.perf_counter()
        process = subprocess.Popen(
            contestant.argv,
            cwd=contestant.cwd,
            env=contestant.env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        said = process.stderr.read().decode(errors="replace")
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.stderr.close()
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise BenchError(f"{' '.join(contestant.argv[:6])}: status {process.returncode}\n{said}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def in_turn(contestants: Sequence[Contestant], times: int) -> list[list[Run]]:
    """Runs of each contestant, measured A B A B, so that a slow minute of the machine hits all of them."""
    runs: list[list[Run]] = [[] for _ in contestants]
    for _ in range(times):
        for contestant, measured in zip(contestants, runs, strict=True):
            measured.append(once(contestant))
    return runs


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def ratios(ours: Sequence[Run], peer: Sequence[Run], *, cpu: bool = False) -> list[float]:
    """How many times as long the peer took, run by run: more than 1 means that we are faster.

    cpu: compare processor time, which tells more than the wall clock on a busy machine.
    """
    pairs = zip(ours, peer, strict=True)
    return [theirs.cpu / own.cpu if cpu else theirs.seconds / own.seconds for own, theirs in pairs]
