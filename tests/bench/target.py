"""What the target tool costs on the installed machine."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from pathlib import Path

from tests.bench import measure
from tests.bench.measure import BenchError, Contestant, Run
from tests.bench.scenarios import Plan, Row
from tests.systems import Apt
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


class Installed(Apt):
    """A machine as people install it: on a plain file system."""

    layered = False


def install(plan: Plan, dist: Path) -> list[Row]:
    """`apt-get install` of one plugin of Caddy until it is live, against the same without a trigger.

    dist: the repositories of the built example, for this machine.
    """
    package = "caddy-plugin-cors"
    with Installed(dist, plan.work / "machine", "caddy") as machine:
        machine.use()
        machine.install("caddy", "caddy-plugin-files")

        def take(*arguments: str) -> Run:
            began = time.monotonic()
            machine.apt(*arguments, package)
            return Run(seconds=time.monotonic() - began, cpu=0, peak=0)

        ours, peer = [], []
        for _ in range(plan.link_runs):
            ours.append(take("install"))
            if "http.handlers.cors" not in machine.run("caddy", "list-modules").stdout:
                raise BenchError("the plugin was not live when apt had ended")
            take("remove")
            machine.sh("mv /usr/bin/caddy-plugins /root/kept; ln -s /bin/true /usr/bin/caddy-plugins")
            peer.append(take("install"))
            take("remove")
            machine.sh("mv -f /root/kept /usr/bin/caddy-plugins; caddy-plugins apply --quiet")
    more = measure.median([own.seconds - other.seconds for own, other in zip(ours, peer, strict=True)])
    note = f"{more:.2f} s more: verify, link, try, check of the configuration, restart"
    goal = "<= 2 s above no trigger"
    return [Row("apt install of a Caddy plugin", ours, peer, measure.ratios(ours, peer), goal, more <= 2, note)]


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
