"""Installs plugins with which the server dies a while after its start, on a loaded machine: each set must be put back.

`python -m tests.fuzz deaths` prints a line for each that was not. It takes them in turn by each policy, after each time
and in each way; most die at once, since that is a race with whoever looks whether the server runs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import cycle, islice
from pathlib import Path

from packaging_tool.drivers.base import Target
from tests import roots
from tests.machine import Machine
from tests.target import packages
from tests.target.machine import Key
from tests.target.server import PLUGINS, Server

ROOTS = {"deb": "debian12-apt", "rpm": "debian12-dnf"}
# systemd takes a service of this type for started before its own code has run.
UNIT = {"Type": "exec", "ExecReload": '/bin/sh -c "kill -HUP $MAINPID"'}
COMMAND = "/usr/local/sbin/drain"
POLICIES = ("auto", COMMAND, "reload")
WAYS = ("exit 3", "kill -9 $$", "exit 0")
LATER = (1, 4, 20, 50)
# Whoever watches looks each second, and a loaded machine takes its time.
PATIENCE = 30.0
PUT_BACK = "grep -q '^rolled-back$' /usr/lib/demo/bin/failed-set 2>/dev/null"


def dies(seconds: float, how: str = "exit 3") -> str:
    """A plugin with which the server is well until it has served for a while."""
    later = f"trap '{how}' USR1; ( sleep {seconds}; kill -USR1 $$ ) &" if seconds else how
    # The server sources it within a function, which has arguments of its own.
    serves = "tr '\\000' ' ' </proc/$$/cmdline | grep -q ' run '"
    return f'plugins="$plugins dies"\nif {serves}; then {later}\nfi\n'


def build(server: Server, version: str = "1.0", **more: str) -> dict[str, str]:
    """The packages of a server that opens its plugins itself. more: code of further plugins by name."""
    program = packages.TREE.encode()
    target = Target(tree=True)
    return server.build(version=version, plugins={**PLUGINS, **more}, unit=UNIT, program=program, target=target)


def prepare(server: Server) -> None:
    """A command that restarts the server."""
    server.machine.write(COMMAND, '#!/bin/sh\nexec systemctl restart "$UNIT"\n', 0o755)


def rounds(server: Server, deaths: Iterable[tuple[str, float, str]]) -> Iterator[str]:
    """Install such a plugin for each policy, time and way, and take it away again. Gives the faults."""
    for number, (policy, seconds, how) in enumerate(deaths):
        place = f"{server.family} {number}, {policy}, after {seconds} s, {how}"
        server.machine.write("/etc/demo/plugins.conf", f"restart = {policy}\n")
        plugin = build(server, dies=dies(seconds, how))["demo-plugin-dies"]
        said = server.install(plugin)
        end = time.monotonic() + seconds + PATIENCE
        while server.machine.run("sh", "-c", PUT_BACK, check=False).returncode:
            if time.monotonic() > end:
                yield f"{place}: not put back\n{said}"
                break
            time.sleep(0.5)
        # The service starts a moment later.
        while server.state() != "active" and time.monotonic() < end + PATIENCE:
            time.sleep(0.5)
        told = server.machine.run("demo-plugins", "status", check=False)
        if server.state() != "active" or "working: demo with git 1.0-1\n" not in told.stdout:
            yield f"{place}: {server.state()}, {told.stdout}"
        if told.returncode != 1 or "new in this set: dies 1.0-1" not in told.stdout:
            yield f"{place}: status ends with {told.returncode}: {told.stdout}"
        server.remove("demo-plugin-dies")
        if server.status():
            yield f"{place}: status is bad after the removal: {told.stdout}"


def load(server: Server, processes: int) -> None:
    """Keep the machine's processors busy until it ends."""
    busy = ("systemd-run", "--quiet", "--collect", "sh", "-c", "while :; do :; done")
    for _ in range(processes):
        server.machine.run(*busy)


def plan(count: int) -> Iterator[tuple[str, float, str]]:
    """So many that die at once, then one for each later time and policy."""
    for policy, how in islice(zip(cycle(POLICIES), cycle((*WAYS, *WAYS[1:])), strict=False), count):
        yield policy, 0, how
    for seconds in LATER:
        for policy, how in zip(POLICIES, WAYS, strict=True):
            yield policy, seconds, how


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--count", type=int, default=30, help="how many that die at once, on each family")
    parser.add_argument("--load", type=int, default=6, help="processes that keep the machine busy")
    parser.add_argument("--family", choices=sorted(ROOTS), help="one of them")


def main(options: argparse.Namespace) -> int:
    """Run, and say what was found. 0 if nothing was."""
    count = 0
    for family in [options.family] if options.family else sorted(ROOTS):
        with (
            tempfile.TemporaryDirectory() as directory,
            Machine(roots.root(ROOTS[family]), Path(directory) / "root") as machine,
        ):
            server = Server(machine, Key(Path(directory), "trusted"), Path(directory) / "packages", family)
            built = build(server)
            server.install(built["demo"], built["demo-plugin-git"])
            prepare(server)
            load(server, options.load)
            for fault in rounds(server, plan(options.count)):
                count += 1
                print(fault, flush=True)
        print(f"{family}: {options.count} that die at once, {len(LATER) * len(POLICIES)} later", flush=True)
    return 1 if count else 0
