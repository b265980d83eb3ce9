"""What the target tool costs on the installed machine."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

from tests.bench import measure
from tests.bench.measure import BenchError, Contestant, Run
from tests.bench.scenarios import Plan, Row
from tests.target.machine import Key, Machine, build_base

# A signature may cost this much, beside three times what it costs to hash the files.
SIGNATURE = 0.005


def verify(plan: Plan) -> list[Row]:
    """`C-plugins verify` of a set of plugins, against sha256sum of the same files."""
    rows = []
    for kind, words in (("Ed", "Ed25519"), ("EC", "ECDSA")):
        directory = Path(tempfile.mkdtemp(prefix="target-", dir=plan.work))
        try:
            machine = _machine(directory, Key(directory, "key", kind), plan)
            rows.append(_compare(machine, plan, f"verify {plan.plugins} plugins, {words}"))
        finally:
            shutil.rmtree(directory)
    return rows


def _machine(directory: Path, key: Key, plan: Plan) -> Machine:
    root = directory / "root"
    build_base(root)
    machine = Machine(root, key, ["dash"])
    noise = random.Random(1)  # noqa: S311 - no secret: it fills files
    for number in range(plan.plugins):
        machine.install(f"p{number:04}", files={"code": noise.randbytes(plan.plugin // 2).hex()})
    return machine


def _compare(machine: Machine, plan: Plan, what: str) -> Row:
    files = sorted(machine.plugins.rglob("code"))
    ours, peer = measure.in_turn(
        [
            Contestant("verify", tuple(map(str, machine.command("verify")))),
            Contestant("sha256sum", ("sha256sum", *map(str, files))),
        ],
        plan.link_runs,
    )
    # That it is fast must not mean that it looks away.
    files[-1].write_text(files[-1].read_text()[:-1] + "x")
    if "was changed" not in machine.tool("verify").stdout:
        raise BenchError("verify did not see a changed file")
    times = 1 / measure.median(measure.ratios(ours, peer, cpu=True))
    allowed = 3 * measure.median([run.cpu for run in peer]) + SIGNATURE * plan.plugins
    spent = measure.median([run.cpu for run in ours])
    note = f"processor: {spent:.2f} s, {_cpu(peer)} s for sha256sum ({times:.1f} x); allowed {allowed:.2f} s"
    goal = "processor <= 3 x sha256sum + 5 ms a signature"
    return Row(what, ours, peer, measure.ratios(ours, peer), goal, spent <= allowed, note)


def _cpu(runs: list[Run]) -> str:
    return f"{measure.median([run.cpu for run in runs]):.2f}"
