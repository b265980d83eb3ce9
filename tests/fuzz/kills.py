"""Kills whole runs of mkpkgs at random times, with all signals, and looks at what is published after each.

`python -m tests.fuzz kills --kills 100` prints a line for each fault. The seed fixes signals and delays; what a kill
meets is still a race.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import random
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.workspace import TINY, Workspace

PLUGINS = 50
# Signal, and whether the whole group gets it, as a terminal's Ctrl-C.
WAYS = (
    (signal.SIGKILL, False),
    (signal.SIGKILL, True),
    (signal.SIGINT, False),
    (signal.SIGINT, True),
    (signal.SIGTERM, False),
    (signal.SIGHUP, False),
)
# Loaded by Python at its start: a kernel or file system that cannot exchange two names (a flag that no kernel knows).
RENAMES = "from packaging_tool import atomic\natomic.RENAME_EXCHANGE = 1 << 20\n"


def project(directory: Path, plugins: int = PLUGINS) -> Workspace:
    """A published project of many small plugins."""
    made = Workspace.at(directory)
    shutil.copytree(TINY, made.root)
    more = "".join(
        f'\n[plugin.p{number}]\nsummary = "Greets"\nfiles = {{ source = "p" }}\n' for number in range(plugins)
    )
    file = made.root / "mkpkgs.toml"
    file.write_text(file.read_text() + more)
    change(made, 0)
    made.mkpkgs("key", "new")
    made.mkpkgs()
    return made


def change(made: Workspace, number: int) -> None:
    """Change all plugins but those of the sample."""
    (made.root / "p").mkdir(exist_ok=True)
    (made.root / "p/greeting").write_text(
        f"format 1\nHello {number} {hashlib.sha512(b'%d' % number).hexdigest() * 40}\n"
    )


def without_exchange(made: Workspace, directory: Path) -> Workspace:
    """The project where no two names can be exchanged."""
    return made.patched(directory, RENAMES)


def killed(made: Workspace, number: signal.Signals, delay: float, *, group: bool) -> int:
    """Run mkpkgs and send a signal after so many seconds. Gives its status."""
    process = made.start("-q", "-j3")
    time.sleep(delay)
    if group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    return process.wait(120)


def faults(dist: Path) -> Iterator[str]:
    """What of a published directory does not fit together."""
    for path in dist.rglob("*"):
        if path.is_file() and path.name.startswith("."):
            yield f"{path} is a part of a file"
    root = dist / "apt"
    suite = root / "dists/stable"
    release = (suite / "Release").read_text()
    if release not in (suite / "InRelease").read_text():
        yield "InRelease is of another Release"
    for digest, size, name in re.findall(r"^ ([0-9a-f]{64}) +(\d+) (\S+)$", release, re.M):
        yield from _differs(suite / name, digest, int(size))
        yield from _differs((suite / name).parent / "by-hash/SHA256" / digest, digest, int(size))
    for index in suite.glob("*/*/Packages"):
        for name, size, digest in re.findall(r"^Filename: (.*)\nSize: (\d+)\nSHA256: (.*)$", index.read_text(), re.M):
            yield from _differs(root / name, digest, int(size))
    root = dist / "yum"
    repomd = (root / "repodata/repomd.xml").read_text()
    for name in re.findall(r'href="(repodata/(\w+)-\w+\.xml\.gz)"', repomd):
        yield from _differs(root / name[0], name[1])
        if "-primary" in name[0]:
            text = gzip.decompress((root / name[0]).read_bytes()).decode()
            for digest, href in re.findall(r'pkgid="YES">(\w+)</checksum>.*?<location href="([^"]*)"', text, re.S):
                yield from _differs(root / href, digest)


def _differs(path: Path, digest: str, size: int | None = None) -> Iterator[str]:
    if not path.is_file():
        yield f"{path} is missing"
    elif hashlib.sha256(data := path.read_bytes()).hexdigest() != digest or size not in (None, len(data)):
        yield f"{path} is not what is listed"


def leftovers(made: Workspace) -> list[str]:
    """What a run left beside the output directory."""
    return sorted(path.name for path in made.root.iterdir() if path.name.startswith(".dist"))


def sequence(made: Workspace, kills: int, seed: int, *, gap: bool = False) -> Iterator[str]:
    """Kill so many runs, each with all plugins changed, and finish each by a further run. Gives the faults.

    gap: the file system cannot exchange, so that a kill may leave no output directory until the next run.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    began = time.monotonic()
    change(made, seed)
    made.mkpkgs("-q")
    whole = time.monotonic() - began
    for number in range(1, kills + 1):
        change(made, seed + number)
        way, group = chance.choice(WAYS)
        delay = chance.uniform(0.05, whole * 1.1)
        status = killed(made, way, delay, group=group)
        place = f"seed {seed}, kill {number}: {way.name}{' of the group' if group else ''} after {delay:.2f} s: "
        if made.dist.exists():
            yield from (place + fault for fault in faults(made.dist))
        elif not (gap and [*made.root.glob(".dist.*.new")]):
            yield f"{place}dist is gone"
        done = made.mkpkgs("-q", check=False)
        if done.returncode:
            yield f"{place}status {status}, and the next run fails: {done.stdout}"
        yield from (f"{place}after the next run, {fault}" for fault in faults(made.dist))
        if left := leftovers(made):
            yield f"{place}the next run leaves {left}"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--kills", type=int, default=100, help="how many, on each kind of file system")
    parser.add_argument("--seed", type=int, default=1)


def main(options: argparse.Namespace) -> int:
    """Run, and say what was found. 0 if nothing was."""
    count = 0
    for gap in (False, True):
        with tempfile.TemporaryDirectory() as directory:
            made = project(Path(directory))
            made = without_exchange(made, Path(directory, "start")) if gap else made
            for fault in sequence(made, options.kills, options.seed, gap=gap):
                count += 1
                print(fault, flush=True)
        print(f"{options.kills} runs killed, where names can{'not' if gap else ''} be exchanged", flush=True)
    return 1 if count else 0
