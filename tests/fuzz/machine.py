"""A booted machine whose processes can be seen and killed from outside, and whose power can be cut."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.model import CORE
from tests.fuzz.operations import Kill
from tests.fuzz.servers import PORT
from tests.machine import ENVIRONMENT, Machine, MachineError

# Between two looks at the processes, in seconds.
PAUSE = 0.004
# Where dpkg keeps maintainer scripts, and where rpm puts scriptlets when it runs them.
SCRIPTS = ("/var/lib/dpkg/info/", "/var/tmp/rpm-tmp.")  # noqa: S108 # rpm's own name
WORKING = frozenset({"manager", "dpkg", "script", "apply", "assemble", "linker", "try"})


@dataclass(frozen=True, slots=True)
class Process:
    """A process of the machine, by its number on this one."""

    pid: int
    parent: int
    argv: tuple[str, ...]

    @property
    def program(self) -> str:
        """The program's name; of a script, the script's."""
        first = self.argv[0].rpartition("/")[2]
        if len(self.argv) > 1 and first in ("sh", "dash", "bash", "perl", "python3", "platform-python"):
            return next((word for word in self.argv[1:] if not word.startswith("-")), first).rpartition("/")[2]
        return first

    def roles(self) -> set[str]:
        """Which victims it is."""
        made = set()
        program = self.program
        words = [word for word in self.argv if not word.startswith("-")]
        if program in ("apt-get", "dnf", "rpm", "dpkg"):
            made.add("manager")
        if program in ("dpkg", "dpkg-deb"):
            made.add("dpkg")
        if any(word.startswith(SCRIPTS) for word in words):
            made.add("script")
        if program == f"{CORE}-plugins" and "apply" in self.argv:
            made.add("apply")
        if program == "assemble":
            made.add("assemble")
        if self.argv[0].endswith(("/kit/link", "/kit/compile")):
            made |= {"assemble", "linker"}
        if self.argv[-1] == "check" and any(word.endswith(f"/{CORE}") for word in words):
            made.add("try")
        if self.argv[-1] == "run" and any(word.endswith(f"/{CORE}") for word in words):
            made.add("service")
        return made


class FuzzMachine(Machine):
    """A machine that is watched, and asked all the time what it serves."""

    def __init__(self, base: Path, directory: Path) -> None:
        super().__init__(base, directory)
        self.answers_file = directory.with_name(f"{directory.name}.answers")
        self._probe: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        super().start()
        self.wait_until_quiet()
        with self.answers_file.open("ab") as out:
            self._probe = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "TERM", "nsenter", "-t", str(self._leader()), "-n", "--"),
                    *(sys.executable, "-m", "tests.fuzz.probe", str(PORT)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.DEVNULL,
                cwd=Path(__file__).parent.parent.parent,
                start_new_session=True,
            )

    def stop(self) -> None:
        if self._probe is not None:
            self._probe.terminate()
            self._probe.wait()
            self._probe = None
        super().stop()

    def answers(self, skip: int) -> list[str]:
        """What the server answered, each change once, without the first ones."""
        lines = self.answers_file.read_text().splitlines() if self.answers_file.exists() else []
        return [line.partition(" ")[2] for line in lines[skip:]]

    def begin(self, argv: Sequence[str], output: Path) -> subprocess.Popen[bytes]:
        """Start a program inside. What it prints goes into output."""
        clean = [f"{key}={value}" for key, value in ENVIRONMENT.items()]
        with output.open("wb") as out:
            return subprocess.Popen(
                [*self._into(), "env", "-i", *clean, *argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def processes(self) -> list[Process]:
        """Processes inside, oldest first."""
        leader = self._leader()
        if leader is None:
            return []
        found = []
        try:
            ours = Path(f"/proc/{leader}/root/").stat()
        except OSError:
            return []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                root = (place / "root/.").stat()
                if (root.st_dev, root.st_ino) != (ours.st_dev, ours.st_ino):
                    continue
                argv = (place / "cmdline").read_bytes().split(b"\0")[:-1]
                parent = (place / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if argv:
                words = tuple(word.decode(errors="replace") for word in argv)
                found.append(Process(int(place.name), int(parent), words))
        return sorted(found, key=lambda process: process.pid)

    def wait_until_quiet(self, seconds: float = 120) -> None:
        """Wait until no package manager, script or apply is at work. Raises MachineError if they do not end."""
        end = time.monotonic() + seconds
        while busy := [process for process in self.processes() if process.roles() & WORKING]:
            if time.monotonic() > end:
                raise MachineError(f"still at work after {seconds} s: {[' '.join(one.argv) for one in busy]}")
            time.sleep(0.05)


class Killer(threading.Thread):
    """Kills what a Kill says as soon as it is due; `hit` then says what was killed."""

    def __init__(self, machine: FuzzMachine, kill: Kill) -> None:
        super().__init__(daemon=True)
        self.machine, self.kill = machine, kill
        self.hit = ""
        self._over = threading.Event()
        self._power: Callable[[], None] | None = None

    def run(self) -> None:
        began = time.monotonic()
        due = None
        while not self._over.is_set():
            now = time.monotonic()
            if self.kill.victim == "power":
                if now >= began + self.kill.delay:
                    self.hit = "the machine"
                    self.machine.cut_power()
                    return
                time.sleep(PAUSE)
                continue
            role = "manager" if self.kill.victim == "tree" else self.kill.victim
            processes = self.machine.processes()
            victims = [process for process in processes if role in process.roles()]
            if victims and due is None:
                due = now + self.kill.delay
            if victims and due is not None and now >= due:
                chosen = victims if self.kill.all else victims[:1]
                if self.kill.victim == "tree":
                    chosen = _with_children(victims[0], processes)
                for process in chosen:
                    try:
                        os.kill(process.pid, signal.SIGKILL)
                    except ProcessLookupError:
                        continue
                    self.hit = self.hit or " ".join(process.argv)[:100]
                if self.hit:
                    return
            time.sleep(PAUSE)

    def end(self) -> str:
        """Stop watching; what was killed, "" if nothing."""
        self._over.set()
        self.join()
        return self.hit


def _with_children(first: Process, processes: Sequence[Process]) -> list[Process]:
    """A process and all that it started. The first is killed first, so it cannot clean up after the others."""
    chosen = [first]
    for process in processes:
        if process.parent in {one.pid for one in chosen}:
            chosen.append(process)
    return chosen
