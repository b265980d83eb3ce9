"""A throw-away machine: a copy of a root directory, booted with systemd-nspawn where that works, else a chroot."""

from __future__ import annotations

import functools
import hashlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

Done = subprocess.CompletedProcess[str]

ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "TERM": "dumb",
    "DEBIAN_FRONTEND": "noninteractive",
}
# Moves itself into the cgroup $1, then becomes the rest of its arguments, which end when the tests end.
ENTER_CGROUP = """
g=$1; shift
for h in {}; do
  [ -e "$h/cgroup.procs" ] && mkdir -p "$h/$g" && echo $$ >"$h/$g/cgroup.procs"
done
exec setpriv --pdeathsig TERM "$@"
"""
HIERARCHIES = ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")


class MachineError(Exception):
    """A command in a machine failed, or the machine did not boot. The text holds all that was printed."""


class Machine:
    """One machine, as a context manager: made and booted on entry, stopped and removed on exit, whatever happens.

    base: root directory to start from; it stays as it is. directory: the machine's root; it must not exist. boot:
    False for a chroot, as an image build has it: no systemd, no network of its own.
    """

    # systemd from 258 on boots on cgroup v2 only. Elsewhere the machine gets what the host has, with its controllers.
    cgroup_v2 = False
    # Whether the root may be an overlay; some things are done in another way on a plain file system.
    layered = True
    # More words for systemd-nspawn.
    options: tuple[str, ...] = ()

    def __init__(self, base: Path, directory: Path, *, boot: bool = True) -> None:
        self.base = base
        self.root = directory
        self.booted = boot
        digest = hashlib.sha256(str(directory.absolute()).encode()).hexdigest()
        # Short: the kernel limits host names to 64 bytes, and it names the cgroup too.
        self.name = f"mkpkgs-{digest[:12]}"
        self.log = directory.with_name(f"{directory.name}.console")
        self._layers = (directory.with_name(f"{directory.name}.upper"), directory.with_name(f"{directory.name}.work"))
        self._mounted = False
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._servers: list[subprocess.Popen[bytes]] = []
        self._served: list[Path] = []

    def __enter__(self) -> Self:
        self.root.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._copy()
            if self.booted:
                self.start()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def start(self) -> None:
        """Boot. Raises MachineError with the console's last lines if that does not work within 60 seconds."""
        command = [
            *("systemd-nspawn", "--quiet", "--directory", str(self.root), "--boot"),
            # There is no machined to register with, and without --keep-unit nspawn asks the host's systemd for a scope.
            *("--register=no", "--keep-unit", "--private-network", "--link-journal=no"),
            *(f"--machine={self.name}", f"--hostname={self.name}", *self.options),
        ]
        # nspawn uses the cgroup that it is started in, and two machines in one would share their units' groups. So the
        # shell first moves itself into a group of its own.
        script = ENTER_CGROUP.format(" ".join(HIERARCHIES))
        with self.log.open("wb") as console:
            self._nspawn = subprocess.Popen(
                ["sh", "-c", script, "sh", self.name, *command],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"} if self.cgroup_v2 else None,
                # Ctrl-C is for the tests; they stop the machine in order.
                start_new_session=True,
            )
        self.booted = True
        _wait(self._is_up, 60, self._boot_failure)
        state = self.run("systemctl", "is-system-running", "--wait", check=False).stdout.strip()
        if state not in ("running", "degraded"):
            raise MachineError(f"{self.name} came up {state!r}\n{self._console()}")

    def stop(self) -> None:
        """Power off and wait; the root stays. start() boots it again: that is how to test a reboot."""
        self.stop_serving()
        if self._nspawn is None:
            return
        if self._leader() is not None:
            self.run("systemctl", "poweroff", check=False)
        for last_words in (None, signal.SIGTERM, signal.SIGKILL):
            if last_words is not None:
                self._nspawn.send_signal(last_words)
            try:
                self._nspawn.wait(20)
                break
            except subprocess.TimeoutExpired:
                continue
        self._nspawn = None
        for hierarchy in HIERARCHIES:
            group = Path(hierarchy) / self.name
            for path in sorted([group, *group.rglob("*")], reverse=True) if group.is_dir() else ():
                if path.is_dir():
                    path.rmdir()

    def cut_power(self) -> None:
        """End everything in the machine at once. What programs wrote is kept, since this machine's kernel goes on."""
        leader = self._leader()
        if leader is not None:
            os.kill(leader, signal.SIGKILL)
        self.stop()

    def run(
        self,
        *argv: str | Path,
        check: bool = True,
        stdin: str = "",
        env: dict[str, str] | None = None,
        timeout: float = 300,
    ) -> Done:
        """Run a program inside as root, with a clean environment; stderr is in stdout, in order.

        Raises MachineError if it ends with another status than 0, unless check is False.
        """
        clean = [f"{key}={value}" for key, value in {**ENVIRONMENT, **(env or {})}.items()]
        command = [*self._into(), "env", "-i", *clean, *map(str, argv)]
        done = subprocess.run(
            command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout
        )
        if check and done.returncode != 0:
            raise MachineError(f"{shlex.join(map(str, argv))}: status {done.returncode}\n{done.stdout}")
        return done

    def sh(self, script: str, *, check: bool = True, timeout: float = 300) -> str:
        """Run shell text inside with `set -e`; returns what it printed."""
        return self.run("sh", "-ec", script, check=check, timeout=timeout).stdout

    def path(self, inside: str) -> Path:
        """Where a file of the machine lies on this one. Not for paths through absolute links, /run and /proc."""
        return self.root / inside.lstrip("/")

    def write(self, inside: str, text: str | bytes, mode: int = 0o644) -> None:
        """Make a file inside, with its directories."""
        target = self.path(inside)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode() if isinstance(text, str) else text)
        target.chmod(mode)

    def put(self, source: Path, inside: str) -> None:
        """Copy a file or a directory into the machine."""
        target = self.path(inside)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy2(source, target)

    def serve(self, directory: Path) -> str:
        """Serve a directory over HTTP to this machine; returns the address. It ends with the machine."""
        port = 8000 if self._nspawn else _free_port()
        command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(directory), str(port)]
        network = ["nsenter", "-t", str(self._leader()), "-n", "--"] if self._nspawn else []
        # Its log would fill a pipe that nobody reads.
        server = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *network, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._servers.append(server)
        self._served.append(directory)
        address = f"http://127.0.0.1:{port}/"
        _wait(
            lambda: self.run("curl", "-sfo", "/dev/null", address, check=False).returncode == 0,
            20,
            lambda: f"no HTTP server at {address} in {self.name}",
        )
        return address

    def stop_serving(self) -> None:
        """End what serve() began."""
        for server in self._servers:
            server.terminate()
            server.wait()
        self._servers.clear()
        self._served.clear()

    def _copy(self) -> None:
        """Make the root: an overlay over the base where the kernel gives one, since that takes no time; else a copy."""
        upper, work = self._layers
        for path in (self.root, upper, work):
            path.mkdir()
        if self.layered:
            layers = f"lowerdir={self.base},upperdir={upper},workdir={work}"
            mount = ["mount", "-t", "overlay", "-o", layers, "overlay", str(self.root)]
            self._mounted = subprocess.run(mount, capture_output=True).returncode == 0
        if not self._mounted:
            subprocess.run(["cp", "-a", "--reflink=auto", f"{self.base}/.", str(self.root)], check=True)

    def _into(self) -> list[str]:
        """The command prefix that gets inside."""
        if self._nspawn is None:
            mounts = 'r=$1; shift; mount -t proc proc "$r/proc"; mount --rbind /dev "$r/dev"; exec chroot "$r" "$@"'
            if may_mount():
                return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", mounts, "sh", str(self.root)]
            return ["chroot", str(self.root)]
        leader = self._leader()
        if leader is None:
            raise MachineError(f"{self.name} is gone\n{self._console()}")
        return ["nsenter", "-t", str(leader), "-a", "--"]

    def _leader(self) -> int | None:
        """The machine's process 1 as this one sees it: nspawn's only child. None before and after its life."""
        if self._nspawn is None or self._nspawn.poll() is not None:
            return None
        pid = self._nspawn.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            if children and Path(f"/proc/{children[0]}/comm").read_text().strip() == "systemd":
                return int(children[0])
        except OSError:
            pass
        return None

    def _is_up(self) -> bool:
        leader = self._leader()
        return leader is not None and Path(f"/proc/{leader}/root/run/systemd/private").is_socket()

    def _boot_failure(self) -> str:
        return f"{self.name} does not boot\n{self._console()}"

    def _console(self) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-15:])

    def _leave(self) -> None:
        try:
            # Nobody looks at it any more.
            self.cut_power()
        finally:
            if self._mounted:
                subprocess.run(["umount", "--lazy", str(self.root)], check=True)
            for path in (self.root, *self._layers):
                shutil.rmtree(path, ignore_errors=True)
            self.log.unlink(missing_ok=True)


@functools.cache
def may_mount() -> bool:
    """Whether this process may make mounts: not so in a plain container."""
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0


def why_no_boot(base: Path, directory: Path) -> str:
    """Why no machine can be booted here, "" if one can: it is tried."""
    for program in ("systemd-nspawn", "nsenter", "setpriv"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if os.geteuid() != 0:
        return "not root"
    if not may_mount():
        return "this machine does not let us mount (a plain container?)"
    try:
        with Machine(base, directory):
            return ""
    except MachineError as failed:
        return " ".join(str(failed).splitlines()[-1:]) or "systemd-nspawn cannot boot a system here"


def _wait(condition: Callable[[], bool], seconds: float, failure: Callable[[], str]) -> None:
    """Wait until the condition holds. Raises MachineError with the failure's text."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise MachineError(failure())
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def lines(text: str) -> list[str]:
    """Lines that are not empty, without spaces at their ends."""
    return [line.strip() for line in text.splitlines() if line.strip()]
