"""Caddy with both drivers of Go: the same project, built twice; peer is the program that go-link makes."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench import measure
from tests.bench.measure import BenchError, Contestant, Run
from tests.bench.scenarios import Plan, Row
from tests.workspace import Workspace, newest

PLUGINS = ("cors", "git", "requestbody", "tracing", "l4", "files", "fastcgi", "acmeserver")
CONNECTIONS = 8
SITE = """
{
	admin off
	auto_https off
	persist_config off
}
http://127.0.0.1:%d {
	cors * *
	respond "hello"
}
"""


def go(plan: Plan, caddy: Path) -> list[Row]:
    """Sizes, starts with 0, 1, 4 and 8 plugins, and requests through a plugin."""
    opened = Workspace.create(caddy, plan.work / "opened")
    linked = Workspace.create(caddy, plan.work / "linked", keys=opened.keys)
    opened.replace("mkpkgs.toml", driver="go-plugin")
    for project in (opened, linked):
        project.mkpkgs("--arch", "amd64")
    trial = opened.root / ".mkpkgs/go-plugin/amd64/trial"
    rows = []
    for count in (0, 1, 4, 8):
        rows.append(_start(plan, trial, linked, PLUGINS[:count], _sizes(opened, linked) if count == 0 else ""))
    return [*rows, _requests(plan, trial, linked)]


def _sizes(opened: Workspace, linked: Workspace) -> str:
    """Sizes of .deb files and programs."""

    def size(project: Workspace, name: str) -> str:
        return f"{newest(project.dist, name, 'deb').stat().st_size / 1e6:.1f}"

    plugins = [
        f"{name} {size(opened, f'caddy-plugin-{name}')}/{size(linked, f'caddy-plugin-{name}')}" for name in PLUGINS
    ]
    kit = f"core {size(opened, 'caddy')}/{size(linked, 'caddy')}, kit -/{size(linked, 'caddy-plugin-kit')}"
    return f"MB of .deb: {kit}, {', '.join(plugins)}"


def _directory(plan: Plan, trial: Path, names: Sequence[str]) -> Path:
    """A plugins directory with these."""
    place = plan.work / f"plugins-{len(names)}"
    if not place.exists():
        place.mkdir()
        for name in names:
            shutil.copytree(trial / "plugins" / name, place / name)
            for suffix in (".manifest", ".manifest.sig"):
                shutil.copyfile(trial / f"plugins/{name}{suffix}", place / f"{name}{suffix}")
        for path in (plan.work, place, *place.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
    return place


def _program(plan: Plan, linked: Workspace, names: Sequence[str]) -> Path:
    """The program with these plugins, as apply makes it."""
    folder = linked.root / ".mkpkgs/go-link/amd64"
    program = plan.work / f"program-{len(names)}"
    if not program.exists():
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "KIT": str(folder / "kit"), "TMPDIR": str(plan.work)}
        environment["PLUGINS"] = str(folder / "plugins")
        measure.once(Contestant("assemble", ("sh", str(folder / "assemble"), str(program), *names), env=environment))
    return program


def _start(plan: Plan, trial: Path, linked: Workspace, names: Sequence[str], note: str) -> Row:
    ours = (str(trial / "caddy"), "--pluginsdir", str(_directory(plan, trial, names)), "version")
    peer = (str(_program(plan, linked, names)), "version")
    runs = measure.in_turn([Contestant("opened", ours), Contestant("linked", peer)], plan.start_runs)
    cpu = measure.median([run.cpu for run in runs[0]]) - measure.median([run.cpu for run in runs[1]])
    if names:
        wall = measure.median([run.seconds for run in runs[0]]) - measure.median([run.seconds for run in runs[1]])
        note = f"a plugin takes {wall / len(names) * 1e3:.0f} ms, {cpu / len(names) * 1e3:.0f} ms of processor"
    return Row(
        f"start with {len(names)} plugins opened, peer linked",
        runs[0],
        runs[1],
        measure.ratios(*runs),
        goal="at most 60 ms a plugin" if names else "",
        met=wall / len(names) <= 0.060 if names else None,
        note=note,
    )


def _requests(plan: Plan, trial: Path, linked: Workspace) -> Row:
    requests = 20_000 if plan.start_runs > 10 else 2_000
    load = plan.work / "load"
    source = Path(__file__).with_name("load.go")
    subprocess.run(
        ["go", "build", "-o", load, source], check=True, cwd=plan.work, env={**os.environ, "GO111MODULE": "off"}
    )
    opened = (str(trial / "caddy"), "--pluginsdir", str(_directory(plan, trial, PLUGINS)))
    commands = (opened, (str(_program(plan, linked, PLUGINS)),))
    runs: tuple[list[Run], list[Run]] = ([], [])
    for _ in range(plan.link_runs):
        for command, measured in zip(commands, runs, strict=True):
            measured.append(_serve(plan, command, load, requests))
    ours, peer = (requests / measure.median([run.seconds for run in found]) for found in runs)
    cpu = [measure.median([run.cpu for run in found]) / requests * 1e6 for found in runs]
    note = f"{ours:.0f} a second opened, {peer:.0f} linked; {cpu[0]:.1f} and {cpu[1]:.1f} µs of processor each"
    return Row(f"{requests} requests through a plugin", runs[0], runs[1], measure.ratios(*runs), note=note)


def _serve(plan: Plan, command: Sequence[str], load: Path, requests: int) -> Run:
    """One server under load. cpu: of the server, for the requests alone. peak: its memory then."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = plan.work / "Caddyfile"
    config.write_text(SITE % port)
    with _running([*command, "run", "--config", str(config), "--adapter", "caddyfile"], port, plan.work) as pid:
        before = _cpu(pid)
        done = subprocess.run(
            [load, f"http://127.0.0.1:{port}/", str(requests), str(CONNECTIONS)],
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode != 0:
            raise BenchError(f"{load}: {done.stderr}")
        status = Path(f"/proc/{pid}/status").read_text()
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        return Run(float(done.stdout), _cpu(pid) - before, peak / 1024)


@contextmanager
def _running(command: Sequence[str], port: int, home: Path) -> Iterator[int]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "XDG_DATA_HOME": str(home / "data")}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(200):
                if server.poll() is not None:
                    raise BenchError(f"{' '.join(command)}: status {server.returncode}")
                with socket.socket() as client:
                    if client.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield server.pid
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()


def _cpu(pid: int) -> float:
    """Seconds of processor so far (proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
