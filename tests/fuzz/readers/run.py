"""Fuzzes the readers of foreign files, one after the other, each in a process of its own.

A fault ends its target; the input is left in tests/fuzz/corpus, where the tests find it from then on.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.readers.every import TARGETS
from tests.fuzz.readers.target import CORPUS

ROOT = Path(__file__).parent.parent.parent.parent
# Megabytes of a whole process: Python, the instrumented code and the fuzzer's own tables take a fifth of it.
MEMORY = 1024
# Seconds of the clock after which libFuzzer ends a process that is stuck: no fault of the machine's other work.
STUCK = 20
STATUS = re.compile(r"^#(\d+)\s+\w+ *cov: (\d+) ft: (\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Result:
    """inputs: how many were tried. edges: how many of the code were reached. fault: the traceback, or ""."""

    inputs: int
    edges: int
    fault: str
    input: Path | None = None


def available() -> bool:
    """Whether the fuzzer is installed: its wheels are for Linux on x86-64."""
    return importlib.util.find_spec("atheris") is not None


def fuzz(names: Sequence[str], seed: int, *, seconds: int = 0, inputs: int = -1) -> Iterator[tuple[str, Result]]:
    """Fuzz targets for some seconds each or for a number of inputs. The same seed and number try the same inputs."""
    # In memory where the system has such a place: each input is a file.
    memory = Path("/dev/shm")  # noqa: S108 # mkdtemp makes it private
    with tempfile.TemporaryDirectory(prefix="mkpkgs-fuzz-", dir=memory if memory.is_dir() else None) as made:
        options = [f"-seed={seed + 1}", f"-runs={inputs}", f"-timeout={STUCK}", f"-rss_limit_mb={MEMORY}"]
        options += [f"-max_total_time={seconds}", "-print_final_stats=1"]
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.readers.child", made, ",".join(names), *options],
            cwd=ROOT,
            # libFuzzer ends a process without tidying up, so what it leaves lies in our folder.
            env={**os.environ, "PYTHONHASHSEED": "0", "TMPDIR": made},
            capture_output=True,
            check=False,
        )
        for name in names:
            yield name, _result(Path(made, name), done.stderr.decode(errors="replace"))


def _result(folder: Path, otherwise: str) -> Result:
    """What is left of a target; otherwise: the reason if there is nothing."""
    if not (folder / "status").exists():
        return Result(0, 0, otherwise or "it was not tried")
    told = (folder / "log").read_text(errors="replace")
    counted = re.search(r"stat::number_of_executed_units: (\d+)", told)
    edges = max((int(found[2]) for found in STATUS.finditer(told)), default=0)
    tried = int(counted[1]) if counted else 0
    if (folder / "status").read_text() == "0":
        return Result(tried, edges, "")
    return Result(tried, edges, told, _keep(folder))


def _keep(folder: Path) -> Path | None:
    """Put the input that was a fault where the tests find it."""
    for path in folder.glob("*-*"):
        kept = CORPUS / folder.name / path.name
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(path.read_bytes())
        return kept
    return None


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m tests.fuzz readers`."""
    parser.add_argument("--seconds", type=int, default=20, help="for each target")
    parser.add_argument("--only", choices=sorted(TARGETS), action="append", help="a target; default all")
    parser.add_argument("--seed", type=int, default=0, help="of the fuzzer")


def main(options: argparse.Namespace) -> int:
    """Fuzz; 0 if no target shows a fault."""
    if not available():
        print("atheris is not installed", file=sys.stderr)
        return 2
    faults = 0
    for wanted in options.only or TARGETS:
        # One at a time, so that each is told when it is done.
        ((name, result),) = fuzz([wanted], options.seed, seconds=options.seconds)
        verdict = f"fault: {result.input}" if result.fault else "ok"
        print(f"{name:12} {result.inputs:>9} inputs {result.edges:>6} edges  {verdict}", flush=True)
        if result.fault:
            faults += 1
            print(result.fault, file=sys.stderr)
    return 1 if faults else 0
