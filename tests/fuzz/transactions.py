"""Runs random sequences of transactions in booted systems, kills what is at work, and judges what serves.

After each step, whatever was killed, the server answers with what served before or with what is installed now. After
the repair it serves exactly what is installed, or, where that cannot work, what served before, and `status` says so.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tests import roots
from tests.fuzz import operations, servers
from tests.fuzz.families import FAMILIES, Family
from tests.fuzz.machine import FuzzMachine, Killer
from tests.fuzz.model import CORE, NOTHING, VERSIONS, Installed, between
from tests.machine import MachineError

TOOL = f"/usr/bin/{CORE}-plugins"
# A service that was killed comes back after RestartSec, which is 1 s.
PATIENCE = 8.0
# Names of the sets that serve or may come back, each of which names the one before it.
IN_USE = f"""cd /usr/lib/{CORE}/bin 2>/dev/null || exit 0
for set in "$(readlink serving)" "$(sed -n 2p serving/restart-due 2>/dev/null)"; do
    while [ -n "$set" ]; do
        echo "${{set#sets/}}"
        set=$(cat "$set/unproven" "$set/watched" 2>/dev/null | head -n 1)
    done
done
"""


class FaultError(Exception):
    """The server, the tool or the package manager is not as it has to be."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one sequence. fault: "" if all held. log: all steps and what programs printed."""

    family: str
    seed: int
    kind: str
    steps: int
    kills: int
    seconds: float
    fault: str
    log: str


class Run:
    """One sequence in one machine."""

    def __init__(self, machine: FuzzMachine, family: Family, kind: servers.Kind, say: Callable[[str], None]) -> None:
        self.machine, self.family, self.kind, self.say = machine, family, kind, say
        # What served last, and the file for what programs print.
        self.good = NOTHING
        # What a repair chose to install: apt takes the newest version where the old one was half unpacked.
        self.chosen: list[Installed] = []
        self.output = machine.root.with_name(f"{machine.root.name}.output")
        self.kills = 0

    def step(self, step: operations.Step) -> None:
        """Do one step, cut off or not, repair it, and judge. Raises FaultError."""
        seen = len(self.machine.answers(0))
        before = self.good
        hit = ""
        self.chosen = []
        if step.word == "reboot":
            self.machine.stop()
            self.machine.start()
        else:
            # What cannot work says so.
            hit = self._do(self._command(step), step.kill, check=step.word not in ("apply", "restart"))
        if hit:
            self.kills += 1
            self.say(f"    killed: {hit}")
            self._after_kill(step)
            self._repair(step)
        actual = self._installed()
        if actual != step.after:
            raise FaultError(f"installed is {actual}, not {step.after}")
        self._enable(step)
        self._judge_answers(self.machine.answers(seen), before, step, cut=bool(hit))
        self._settled(actual)

    def _command(self, step: operations.Step) -> list[str]:
        if step.word == "apply":
            return [TOOL, "apply"]
        if step.word == "restart":
            return ["systemctl", "restart", CORE]
        return self.family.command(step)

    def _do(self, argv: Sequence[str], kill: operations.Kill | None = None, *, check: bool = True) -> str:
        """Run a program inside and kill what is to be killed; returns what was."""
        self.say(f"    $ {shlex.join(argv)}")
        began = time.monotonic()
        killer = Killer(self.machine, kill) if kill else None
        running = self.machine.begin(argv, self.output)
        if killer:
            killer.start()
        try:
            status = running.wait(200)
        except subprocess.TimeoutExpired:
            running.kill()
            raise FaultError(f"{argv[0]} does not end: {self._printed()}") from None
        hit = ""
        if killer:
            hit = killer.end()
        if hit != "the machine":
            self.machine.wait_until_quiet()
        self.say("".join(f"      {line}\n" for line in self._printed().splitlines()).rstrip())
        self.say(f"      status {status}, {time.monotonic() - began:.1f} s")
        if check and not hit and status != 0:
            raise FaultError(f"{shlex.join(argv)} ended with status {status}")
        return hit

    def _printed(self) -> str:
        return self.output.read_text(errors="replace")

    def _after_kill(self, step: operations.Step) -> None:
        """Boot if the power was cut; then the server answers with something that may serve."""
        assert step.kill is not None
        if step.kill.victim == "power":
            self.machine.start()
        self._still_serves(step, "after the kill")
        if step.repair == "boot" and step.kill.victim != "power":
            self.machine.stop()
            self.machine.start()
            self._still_serves(step, "after the kill and a reboot")

    def _still_serves(self, step: operations.Step, when: str) -> None:
        if not step.after.core:
            return
        if not self.good.core:
            # Nothing has to serve yet, but what serves from here on is what has to go on.
            answer = self._answer(lambda answer: True)
            if answer != "-":
                self.good = self._parse(answer)[0]
                self.chosen.append(self.good)
            return
        answer = self._answer(lambda answer: answer != "-")
        if answer == "-":
            raise FaultError(f"nobody answers {when}: {self._service()}")
        self._remember(answer, step, when)

    def _remember(self, answer: str, step: operations.Step, when: str) -> None:
        """Take what serves for what is good, if it may serve in the course of a step that was cut off."""
        reasons = []
        for candidate in self._parse(answer):
            if candidate == self.good:
                return
            why = between(candidate, step.before, step.after)
            if not why or candidate in self.chosen:
                self.good = candidate
                return
            reasons.append(why)
        raise FaultError(f"{when} serves {answer}: {'; '.join(reasons)}")

    def _repair(self, step: operations.Step) -> None:
        """As people do it: the package manager's repair, then the transaction once more."""
        for argv, must in self.family.repair():
            self._do(argv, check=must)
        with contextlib.suppress(ValueError):
            self.chosen += self.family.installed().serves()
        self._still_serves(step, "after the repair")
        if step.word in ("apply", "restart"):
            if step.repair != "boot":
                self._do([TOOL, "apply"], check=False)
            return
        actual = self._installed()
        if actual != step.after or step.word == "reinstall":
            done = operations.Step(step.word, actual, step.after, self._left(step, actual), None, "", False)
            if done.word not in ("remove", "renew") or done.named or actual.core:
                self._do(self.family.command(done))
        for argv, must in self.family.repair():
            self._do(argv, check=must)
        if step.after.core and (step.repair == "tool" or self._status()[0] != 0):
            if step.repair != "tool":
                self.say(f"    status after repair: {self._status()[1]}")
            self._do([TOOL, "apply"], check=False)

    @staticmethod
    def _left(step: operations.Step, actual: Installed) -> tuple[str, ...]:
        """Of the plugins that a step names, those that a second try must name."""
        if step.word == "remove":
            return tuple(name for name in step.named if name in actual.versions)
        return step.named

    def _enable(self, step: operations.Step) -> None:
        """Debian starts what it installs; elsewhere people do."""
        if step.after.core and not step.before.core and FAMILIES["dnf"] is type(self.family):
            self._do(["systemctl", "enable", "--now", CORE], check=False)
        elif step.after.core and not step.before.core and step.kill and step.kill.victim in ("assemble", "try"):
            # To dpkg this is a set that does not work: what people then do by hand starts nothing.
            self._do(["systemctl", "start", CORE], check=False)

    def _installed(self) -> Installed:
        try:
            return self.family.installed()
        except ValueError as error:
            raise FaultError(str(error)) from None

    def _judge_answers(self, answers: Sequence[str], before: Installed, step: operations.Step, *, cut: bool) -> None:
        """Not one request may have been answered by a set that was never good."""
        for answer in answers:
            if answer == "-":
                continue
            if cut and before == NOTHING:
                # A first installation that was cut off comes in pieces.
                continue
            for candidate in self._parse(answer):
                if candidate in (before, self.good, *step.after.serves(), *self.chosen):
                    break
                if cut and not between(candidate, step.before, step.after):
                    break
            else:
                raise FaultError(f"meanwhile a request was answered by {answer}; before: {before}")

    def _settled(self, actual: Installed) -> None:
        """The machine is at rest: what serves, what `status` says, and what lies about are as they have to be."""
        if not actual.core:
            answer = self._answer(lambda answer: answer == "-")
            if answer != "-":
                raise FaultError(f"{answer} is served, and the core is not installed")
            self.good = NOTHING
        else:
            self._serves(actual)
        if said := self.family.complaints():
            raise FaultError(f"the package manager finds something changed:\n{said}")
        if left := self._leftovers(actual):
            raise FaultError(f"left over: {' '.join(left)}")

    def _serves(self, actual: Installed) -> None:
        may = actual.serves()
        if may != [actual]:
            # A set may be left without its broken optional plugins, or the last good one goes on.
            may = [*may, self.good]
        wanted = [self._format(one) if one.core else "-" for one in may]
        answer = self._answer(lambda answer: answer in wanted)
        status, said = self._status()
        if answer not in wanted and not self.good.core and answer != "-":
            # A first installation that was cut off may have left a smaller set that works.
            smaller = [one for one in self._parse(answer) if not between(one, NOTHING, actual)]
            may += smaller
            wanted += [answer for _ in smaller]
        if answer not in wanted:
            raise FaultError(f"{answer} is served, wanted is {' or '.join(wanted)}: {self._service()}\n{said}")
        exact = answer == self._format(actual)
        # Between two starts of a service that fails again and again, systemd does not call it failed.
        end = time.monotonic() + PATIENCE
        while exact != (status == 0) and time.monotonic() < end:
            time.sleep(0.5)
            status, said = self._status()
        if exact != (status == 0):
            raise FaultError(f"status is {status}, and {answer} is served for {actual}:\n{said}")
        # Without a set that ever worked, systemd's own journal has the reason.
        named = (*actual.breaks(), *([] if self.good.core else [f"{CORE}.service has failed"]))
        if not exact and not any(name in said for name in named):
            raise FaultError(f"status does not name what breaks ({' '.join(actual.breaks())}):\n{said}")
        if answer != "-":
            self.good = next(one for one in may if self._format(one) == answer)

    def _leftovers(self, actual: Installed) -> list[str]:
        places = f"/usr/lib/{CORE} /usr/share/{CORE}"
        names = "-name '.apply.*' -o -name '*.dpkg-*' -o -name '*;*' -o -name '.*.??????'"
        found = self.machine.sh(f"find {places} {names} 2>/dev/null || :").split()
        # Until the service has stayed up with the new set, the old one is kept, which may be such a new one itself.
        sets = set(self.machine.sh(f"ls /usr/lib/{CORE}/bin/sets 2>/dev/null || :").split())
        used = set(self.machine.sh(IN_USE).split())
        found += sorted(sets - used)
        if not actual.core:
            found += self.machine.sh(f"find {places} 2>/dev/null || :").split()
        return found

    def _status(self) -> tuple[int, str]:
        done = self.machine.run(TOOL, "status", check=False)
        return done.returncode, done.stdout

    def _service(self) -> str:
        return self.machine.run("systemctl", "--no-pager", "status", CORE, check=False).stdout

    def _answer(self, good: Callable[[str], bool]) -> str:
        """What the server answers now; waits a while until that is good."""
        end = time.monotonic() + PATIENCE
        while True:
            answer = (self.machine.answers(0) or ["-"])[-1]
            if good(answer):
                # A stable answer, not the last words of one that goes.
                time.sleep(0.15)
                if (again := (self.machine.answers(0) or ["-"])[-1]) == answer:
                    return again
            elif time.monotonic() > end:
                return answer
            else:
                time.sleep(0.05)

    def _format(self, state: Installed) -> str:
        """What the server answers with when it is made of this."""
        return "|".join(
            [
                f"core {self.kind.core_says(state.core)}",
                *(f"plugin {name} {version}" for name, version in state.plugins),
            ]
        )

    def _parse(self, answer: str) -> list[Installed]:
        """The sets that answer so."""
        core, *plugins = answer.split("|")
        made = {}
        for line in plugins:
            _, name, version = line.split(" ")
            made[name] = version
        return [
            Installed.of(version, made) for version in VERSIONS if core == f"core {self.kind.core_says(version)}"
        ] or [Installed.of(core, made)]

    def evidence(self) -> str:
        """The state of the machine, for those who look into a fault."""
        try:
            return self.machine.sh(
                f"{TOOL} status 2>&1 || :; {TOOL} verify 2>&1 || :; "
                f"head -20 /usr/lib/{CORE}/bin/*-set 2>/dev/null || :; ls -laR /usr/lib/{CORE} 2>/dev/null || :; "
                f"dpkg -l '{CORE}*' 2>/dev/null || :; rpm -qa '{CORE}*' 2>/dev/null || :; "
                f"systemctl --no-pager --failed || :; journalctl --no-pager -o short-precise -n 100 || :"
            )
        except (MachineError, subprocess.SubprocessError) as error:
            return str(error)


def sequence(family: str, seed: int, steps: int, repositories: Path, directory: Path, kind: str = "") -> Result:
    """Run one sequence in a new machine below directory. kind: instead of the one that the seed says."""
    plan = operations.Sequence(family, seed, kind)
    lines: list[str] = []
    began = time.monotonic()
    fault, kills, done = "", 0, 0
    place = directory / f"{family}-{seed}-{os.getpid()}"
    base = roots.root(FAMILIES[family].base)
    with FuzzMachine(base, place / "root") as machine:
        manager = FAMILIES[family](machine, repositories / plan.kind / family)
        manager.setup()
        run = Run(machine, manager, servers.KINDS[plan.kind], lines.append)
        try:
            for number, step in enumerate(plan.steps(steps), 1):
                lines.append(f"{number}. {step}")
                run.step(step)
                done = number
                lines.append(f"    serves {run.good}")
        except (FaultError, MachineError, subprocess.SubprocessError) as error:
            fault = f"step {done + 1}: {error}"
            lines += [f"FAULT {error}", run.evidence()]
        except Exception:
            fault = f"step {done + 1}: {traceback.format_exc()}"
            lines += [fault, run.evidence()]
        kills = run.kills
    shutil.rmtree(place, ignore_errors=True)
    return Result(family, seed, plan.kind, done, kills, time.monotonic() - began, fault, "\n".join(lines))


def replay(family: str, seed: int, steps: int, kind: str = "") -> str:
    """The command that runs a sequence again."""
    more = f" --kind {kind}" if kind else ""
    return f"python -m tests.fuzz transactions --family {family} --seed {seed} --steps {steps}{more} --verbose"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m tests.fuzz transactions`."""
    parser.add_argument("--family", choices=sorted(FAMILIES), action="append", help="apt or dnf; default both")
    parser.add_argument("--seed", type=int, default=0, help="of the first sequence")
    parser.add_argument("--sequences", type=int, default=1, help="how many, each with the next seed")
    parser.add_argument("--steps", type=int, default=6, help="of each sequence")
    parser.add_argument("--kind", choices=sorted(servers.KINDS), default="", help="default: what the seed says")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="machines at the same time")
    parser.add_argument("--logs", type=Path, help="where to leave the log of each sequence; default: of failures, here")
    parser.add_argument("--packages", type=Path, help="where packages are kept from run to run; default: made anew")
    parser.add_argument("--verbose", action="store_true", help="print the log of each sequence")
    parser.add_argument("--plan", action="store_true", help="print the steps only")


def main(options: argparse.Namespace) -> int:
    """Run sequences; 0 if none shows a fault."""
    families = options.family or sorted(FAMILIES)
    wanted = [(family, seed) for seed in range(options.seed, options.seed + options.sequences) for family in families]
    if options.plan:
        for family, seed in wanted:
            plan = operations.Sequence(family, seed, options.kind)
            print(f"{family} {seed} {plan.kind}")
            for step in plan.steps(options.steps):
                print(f"  {step}")
        return 0
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mkpkgs-fuzz-")))
        repositories = (options.packages or directory) / servers.digest()
        kinds = {options.kind or operations.Sequence(family, seed).kind for family, seed in wanted}
        make_repositories(repositories, kinds, families)
        pool = stack.enter_context(ProcessPoolExecutor(min(options.jobs, len(wanted))))
        running = [
            pool.submit(sequence, family, seed, options.steps, repositories, directory, options.kind)
            for family, seed in wanted
        ]
        return _report((future.result() for future in as_completed(running)), options)


def _report(results: Iterable[Result], options: argparse.Namespace) -> int:
    """Print a line per sequence and the sum."""
    faults = steps = kills = count = 0
    seconds = 0.0
    for result in results:
        count, steps, kills, seconds = count + 1, steps + result.steps, kills + result.kills, seconds + result.seconds
        print(
            f"{result.family} {result.seed} {result.kind}: {result.steps} steps, {result.kills} kills, "
            f"{result.seconds:.1f} s{': FAULT in ' + result.fault.splitlines()[0] if result.fault else ''}",
            flush=True,
        )
        if options.verbose:
            print(result.log)
        if options.logs or result.fault:
            logs = options.logs or Path()
            logs.mkdir(parents=True, exist_ok=True)
            log = logs / f"fuzz-{result.family}-{result.seed}.log"
            log.write_text(result.log)
        if result.fault:
            faults += 1
            print(
                f"  log: {log}\n  again: {replay(result.family, result.seed, options.steps, options.kind)}", flush=True
            )
    print(
        f"{count} sequences, {steps} steps, {kills} kills, {faults} faults, {seconds / max(count, 1):.1f} s a sequence"
    )
    return 1 if faults else 0


def make_repositories(directory: Path, kinds: set[str], families: Sequence[str]) -> None:
    """Make the repositories that are not below directory yet."""
    with roots.locked(directory.with_name(f"{directory.name}.lock")):
        for kind in sorted(kinds):
            for family in families:
                if not (directory / kind / family).exists():
                    servers.repository(kind, family, directory)
    for family in families:
        roots.root(FAMILIES[family].base)
