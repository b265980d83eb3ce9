"""`python -m tests.bench`: measure, check what was made, and print a table.

Ends with another status than 0 if a peer is missing or something that was made is wrong; never because of a time.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench import go_drivers, measure, peers, scenarios, target, whole
from tests.bench.measure import BenchError
from tests.bench.scenarios import Plan, Row

PARTS: dict[str, Callable[[Plan], list[Row]]] = {
    "start": scenarios.start,
    "large": scenarios.large,
    "small": scenarios.small,
    "kit": scenarios.kit,
    "whole": whole.whole,
    "verify": target.verify,
}
# These take the example; all but `go` want it built.
BUILT: dict[str, Callable[[Plan, Path], list[Row]]] = {
    "go": go_drivers.go,
    "relink": lambda plan, caddy: scenarios.relink(plan, caddy / ".mkpkgs/go-link/amd64"),
    "install": lambda plan, caddy: target.install(plan, caddy / "dist"),
}


def main() -> int:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join([*PARTS, *BUILT])}; all if none is given")
    parser.add_argument("--quick", action="store_true", help="a tenth of the data, fewer runs; the goals do not apply")
    parser.add_argument("--directory", type=Path, help="where the data lies meanwhile, 3 GB; default $TMPDIR or /tmp")
    parser.add_argument(
        "--caddy",
        type=Path,
        default=scenarios.ROOT / "examples/caddy",
        help=f"project of a built Caddy, for {' and '.join(BUILT)}; default the example",
    )
    options = parser.parse_args()
    wanted = options.parts or [*PARTS, *BUILT]
    if unknown := set(wanted) - {*PARTS, *BUILT}:
        parser.error(f"no part {', '.join(sorted(unknown))}")
    began = time.monotonic()
    try:
        peers.require()
        peers.nfpm()
        with tempfile.TemporaryDirectory(prefix="mkpkgs-bench-", dir=options.directory) as work:
            plan = _plan(Path(work), quick=options.quick)
            print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}")
            print(HEAD, flush=True)
            for part in wanted:
                for row in _rows(part, plan, options.caddy):
                    print(_line(row, judge=not options.quick), flush=True)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(f"{time.monotonic() - began:.0f} s in all")
    return 0


def _plan(work: Path, *, quick: bool) -> Plan:
    if not quick:
        return Plan(work)
    return Plan(
        work,
        core=5 * measure.MIB,
        plugins=10,
        smalls=100,
        kit=46 * measure.MIB,
        kit_files=96,
        runs=2,
        small_runs=2,
        kit_runs=1,
        index_runs=3,
        start_runs=7,
        link_runs=2,
    )


def _rows(part: str, plan: Plan, caddy: Path) -> list[Row]:
    if part in PARTS:
        return PARTS[part](plan)
    if part != "go" and not (caddy / "dist").is_dir():
        print(f"{part}: not measured, {caddy} is not built; run mkpkgs there before")
        return []
    return BUILT[part](plan, caddy)


HEAD = f"{'':34} {'mkpkgs s':>20} {'peak MB':>7} {'peer s':>20} {'peak MB':>7} {'ratio':>17}"


def _line(row: Row, *, judge: bool) -> str:
    ours = [run.seconds for run in row.ours]
    text = f"{row.what:34} {_spread(ours, 3):>20} {_peak(row.ours):>7}"
    if row.peer:
        text += (
            f" {_spread([run.seconds for run in row.peer], 3):>20} {_peak(row.peer):>7} {_spread(row.ratios, 1):>17}"
        )
    if row.goal and judge:
        text += f"\n    {'holds' if row.met else 'MISSED'}: {row.goal}"
    if row.note:
        text += f"{'; ' if row.goal and judge else chr(10) + '    '}{row.note}"
    return text


def _spread(values: Sequence[float], digits: int) -> str:
    """Median, and in brackets the least and the most."""
    return f"{measure.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def _peak(runs: Sequence[measure.Run]) -> str:
    return f"{max(run.peak for run in runs):.0f}"


if __name__ == "__main__":
    sys.exit(main())
