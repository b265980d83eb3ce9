"""What is measured: each function gives the rows of one part of the table."""

from __future__ import annotations

import os
import pickle
import secrets
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench import measure, peers, verify, workload
from tests.bench.measure import Contestant, Run

ROOT = Path(__file__).parent.parent.parent
CHILD = (sys.executable, "-S", "-m", "tests.bench.child")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. goal: what must hold, in words; met: whether it did, None if nothing must hold.

    ratios: how many times as long the peer took, run by run; empty without a peer.
    """

    what: str
    ours: Sequence[Run]
    peer: Sequence[Run] = ()
    ratios: Sequence[float] = ()
    goal: str = ""
    met: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """How large and how often. core, plugin, small, kit: bytes; the counts say how many; *_runs how often."""

    work: Path
    core: int = 50 * measure.MIB
    plugin: int = measure.MIB
    plugins: int = 100
    small: int = 32 << 10
    smalls: int = 1000
    kit: int = 460 * measure.MIB
    kit_files: int = 960
    runs: int = 3
    small_runs: int = 2
    kit_runs: int = 1
    index_runs: int = 9
    start_runs: int = 21
    link_runs: int = 5


def empty(path: Path) -> None:
    """Make an empty directory of this name. What was there lives on, without its data, until the bench ends.

    ext4 looks at every inode that was deleted within half a minute before it takes a new one (`recently_deleted` took
    most of the time of all contestants when the output of the run before was removed).
    """
    if path.exists():
        for file in path.rglob("*"):
            if file.is_file() and not file.is_symlink() and file.stat().st_size > measure.MIB:
                os.truncate(file, 0)
        path.rename(path.with_name(f".{path.name}.{secrets.token_hex(4)}"))
    path.mkdir(parents=True)


def _write(items: Path, spec: str, output: Path, *built: Path) -> Contestant:
    """Our writers as a process. items: pickled. built: where the answers of the writers go."""
    argv = (*CHILD, "write", str(items), spec, str(output), *map(str, built))
    return Contestant("mkpkgs", argv, lambda: empty(output), ROOT, _environment(), items.with_name("sync.log"))


def _environment() -> dict[str, str]:
    """As an installed program finds it: modules are compiled, and no finder of an editable installation runs (8 ms)."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    libraries = sysconfig.get_path("purelib")
    return kept | {"PYTHONPYCACHEPREFIX": str(peers.cache() / "bytecode"), "PYTHONPATH": libraries}


def _writers(plan: Plan, name: str, items: Sequence[workload.Item], spec: str, times: int, goal: float) -> Row:
    """Our writers against nfpm two at a time, both formats, the same method of compression, unsigned.

    Our time is that without the final sync, since nfpm syncs nothing.
    """
    base = plan.work / spec.partition(":")[0]
    empty(base)
    ours, theirs = base / "ours", base / "nfpm"
    (base / "items").write_bytes(pickle.dumps(items))
    arguments = workload.nfpm_arguments(items, spec, base / "configs", theirs)
    nfpm = ("xargs", "-a", str(arguments), "-P2", "-L1", str(peers.nfpm()), "package")
    # Modules are compiled in a run before.
    measure.once(_write(base / "items", spec, ours))
    whole, without, peer = [], [], []
    for _ in range(times):
        whole.append(measure.once(_write(base / "items", spec, ours)))
        synced = float((base / "sync.log").read_text())
        without.append(replace(whole[-1], seconds=whole[-1].seconds - synced))
        peer.append(measure.once(Contestant("nfpm", nfpm, lambda: empty(theirs))))
    sizes = [verify.packages(directory, items) / measure.MIB for directory in (ours, theirs)]
    empty(base)
    found = measure.ratios(without, peer)
    peak = max(run.peak for run in whole)
    return Row(
        f"{name}, {spec}",
        without,
        peer,
        found,
        f">= {goal:g} x nfpm, peak <= 200 MB",
        measure.median(found) >= goal and peak <= 200,
        f"processor time {measure.median(measure.ratios(whole, peer, cpu=True)):.1f} x, "
        f"with the final sync {measure.median([run.seconds for run in whole]):.3f} s, "
        f"packages {sizes[0]:.0f} MiB, nfpm's {sizes[1]:.0f} MiB",
    )


def large(plan: Plan) -> list[Row]:
    """A core and many plugins of middle size, with gzip and with zstd, for two kinds of compressible halves."""
    rows = []
    for text in workload.TEXTS:
        files = plan.work / f"large-{text}"
        items = workload.plugins(files, plan.plugins, plan.plugin, plan.core, text=text)
        name = f"core + {plan.plugins} plugins, {text}"
        rows += [_writers(plan, name, items, spec, plan.runs, 4) for spec in ("gzip", "zstd:3")]
        shutil.rmtree(files)
    return rows


def small(plan: Plan) -> list[Row]:
    """Very many small plugins, and then the repositories that list them."""
    items = workload.plugins(plan.work / "small", plan.smalls, plan.small)
    name = f"{plan.smalls} small plugins"
    rows = [_writers(plan, name, items, spec, plan.small_runs, 12) for spec in ("gzip", "zstd:3")]
    (plan.work / "items").write_bytes(pickle.dumps(items))
    built, output = plan.work / "built", plan.work / "repositories"
    measure.once(_write(plan.work / "items", "zstd:3", output, built))
    return [*rows, _apt(plan, output, built), _yum(plan, output, built)]


def _index_row(plan: Plan, kind: str, ours: Contestant, theirs: Contestant) -> Row:
    """Our time is that within a build, which runs anyway; the whole process with its start-up is in the note."""
    whole, within, peer = [], [], []
    assert ours.output is not None
    for _ in range(plan.index_runs):
        whole.append(measure.once(ours))
        within.append(replace(whole[-1], seconds=float(ours.output.read_text())))
        peer.append(measure.once(theirs))
    found = measure.ratios(within, peer)
    note = f"unsigned; {measure.median([run.seconds for run in whole]):.3f} s with start-up and reading what is listed"
    what = f"{kind} index of {plan.smalls} packages"
    return Row(what, within, peer, found, f"not slower than {theirs.name}", measure.median(found) >= 1, note)


def _apt(plan: Plan, output: Path, built: Path) -> Row:
    root = output / "apt"
    peer = output / "peer-apt"
    (peer / "dists/stable").mkdir(parents=True)
    (peer / "pool").symlink_to(root / "pool")
    script = (
        "set -e; apt-ftparchive packages pool/ >dists/stable/Packages; gzip -6kf dists/stable/Packages; "
        "apt-ftparchive release dists/stable >dists/stable/.Release; mv dists/stable/.Release dists/stable/Release"
    )
    row = _index_row(
        plan,
        "apt",
        Contestant(
            "mkpkgs",
            (*CHILD, "index", "apt", str(built), str(output)),
            lambda: shutil.rmtree(root / "dists", ignore_errors=True),
            ROOT,
            _environment(),
            output=plan.work / "apt.log",
        ),
        Contestant("apt-ftparchive", ("sh", "-c", script), cwd=peer),
    )
    verify.apt(root / "dists", plan.smalls)
    verify.apt(peer / "dists", plan.smalls)
    return row


def _yum(plan: Plan, output: Path, built: Path) -> Row:
    root = output / "yum"
    peer = output / "peer-yum"
    row = _index_row(
        plan,
        "yum",
        Contestant(
            "mkpkgs",
            (*CHILD, "index", "yum", str(built), str(output)),
            lambda: shutil.rmtree(root / "repodata", ignore_errors=True),
            ROOT,
            _environment(),
            output=plan.work / "yum.log",
        ),
        Contestant(
            "createrepo_c",
            ("createrepo_c", "--quiet", "--no-database", "--outputdir", str(peer), str(root)),
            lambda: empty(peer),
        ),
    )
    verify.yum(root / "repodata", plan.smalls)
    verify.yum(peer / "repodata", plan.smalls)
    return row


def kit(plan: Plan) -> list[Row]:
    """One package as large as the kit of Caddy: memory must not grow with it."""
    item = workload.kit(plan.work / "kit-files", plan.kit, plan.kit_files)
    (plan.work / "kit-items").write_bytes(pickle.dumps([item]))
    rows = []
    output = plan.work / "kit"
    for spec in ("gzip", "zstd:9"):
        runs = measure.in_turn([_write(plan.work / "kit-items", spec, output)], plan.kit_runs)[0]
        size = verify.packages(output, [item]) / measure.MIB
        met = max(run.peak for run in runs) <= 200
        what = f"kit, {plan.kit // measure.MIB} MiB in {plan.kit_files} files, {spec}"
        rows.append(Row(what, runs, goal="peak <= 200 MB", met=met, note=f"packages {size:.0f} MiB"))
        shutil.rmtree(output)
    shutil.rmtree(plan.work / "kit-files")
    return rows


def start(plan: Plan) -> list[Row]:
    """`mkpkgs --version`, the least that the command can do."""
    runs = measure.in_turn(
        [
            Contestant("mkpkgs", (sys.executable, "-m", "packaging_tool", "--version"), cwd=ROOT, env=_environment()),
            Contestant("python", (sys.executable, "-c", "pass"), cwd=ROOT),
        ],
        plan.start_runs,
    )
    middle = measure.median([run.seconds for run in runs[0]])
    note = f"python alone {measure.median([run.seconds for run in runs[1]]) * 1000:.0f} ms"
    return [Row("mkpkgs --version", runs[0], goal="<= 80 ms", met=middle <= 0.08, note=note)]


def relink(plan: Plan, folder: Path) -> list[Row]:
    """The assemble step of a core with six plugins against a bare link of the same archives.

    folder: with `kit/`, `plugins/` and the script `assemble`, as the driver go-link leaves them.
    """
    names = ("requestbody", "tracing", "files", "fastcgi", "acmeserver", "l4")
    kit, plugins, base = folder / "kit", folder / "plugins", plan.work / "relink"
    tools, kept = base / "tools", base / "kept"
    for path in (tools, kept, base / "temporary"):
        path.mkdir(parents=True)
    # A link that keeps what it was given, to run it again alone.
    (tools / "compile").symlink_to(kit / "compile")
    (tools / "link").write_text(
        f'#!/bin/sh\nset -eu\nkept={shlex.quote(str(kept))}\ncp -a . "$kept"\n'
        f'printf "%s\\n" "$@" >"$kept/arguments"\nexec {shlex.quote(str(kit / "link"))} "$@"\n'
    )
    (tools / "link").chmod(0o755)
    environment = {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C",
        "KIT": str(kit),
        "PLUGINS": str(plugins),
        "TMPDIR": str(base / "temporary"),
    }
    script = ("sh", str(folder / "assemble"), str(base / "program"), *names)
    measure.once(Contestant("prepare", script, env=environment | {"TOOLS": str(tools)}))
    program = verify.sha256(base / "program")
    arguments = (kept / "arguments").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in (kit / "env").read_text().split())
    runs = measure.in_turn(
        [
            Contestant("assemble", script, env=environment),
            Contestant(
                "link",
                (str(kit / "link"), *arguments),
                cwd=kept,
                env={"PATH": "/usr/bin:/bin", "TMPDIR": str(kept), "GOROOT": "", **settings},
            ),
        ],
        plan.link_runs,
    )
    if {verify.sha256(base / "program"), verify.sha256(kept / "program")} != {program}:
        raise measure.BenchError("assemble and the bare link made different programs")
    found = [theirs.seconds / own.seconds for own, theirs in zip(*runs, strict=True)]
    times = 1 / measure.median(found)
    return [
        Row("relink of Caddy, 6 plugins", runs[0], runs[1], found, "<= 2 x bare link", times <= 2, f"{times:.2f} x")
    ]
