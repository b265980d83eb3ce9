"""A random sequence of transactions, made of nothing but a seed: the same seed is the same sequence on any machine."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from tests.fuzz.model import FORMATS, NOTHING, PLUGINS, VERSIONS, Installed

# Who is killed. `manager` with all that it started is `tree`; `power` is the whole machine at once.
VICTIMS = {
    "apt": ("manager", "tree", "dpkg", "script", "apply", "apply", "assemble", "try", "service", "power"),
    "dnf": ("manager", "tree", "manager", "script", "apply", "apply", "assemble", "try", "service", "power"),
}
# How long victims live, in seconds, a little more than most do; the others 0.3.
LONGEST = {"manager": 2, "tree": 2, "power": 2, "service": 2, "dpkg": 0.8, "script": 0.8, "apply": 0.8}
# How a cut-off transaction is repaired: by the package manager, by a boot, by the tool after the package manager.
REPAIRS = ("manager", "boot", "tool")


@dataclass(frozen=True, slots=True)
class Kill:
    """victim: of VICTIMS, or the linker where there is one. delay: seconds after the victim was first seen, or, of a
    power cut, after the start of the transaction.

    all: every process that fits is killed, not only the oldest.
    """

    victim: str
    delay: float
    all: bool

    def __str__(self) -> str:
        return f"kill -9 {'each ' if self.all else ''}{self.victim} after {self.delay:.3f} s"


@dataclass(frozen=True, slots=True)
class Step:
    """One step. word: what is done; before, after: what is installed before and after it, if nothing goes wrong.

    direct: by dpkg or rpm themselves where these can do it alone. repair: of REPAIRS, if something was killed.
    """

    word: str
    before: Installed
    after: Installed
    named: tuple[str, ...] = ()
    kill: Kill | None = None
    repair: str = "manager"
    direct: bool = False

    def __str__(self) -> str:
        how = " directly" if self.direct else ""
        named = f" {' '.join(self.named)}" if self.named else ""
        killed = f"; {self.kill}, repair by {self.repair}" if self.kill else ""
        return f"{self.word}{named}{how}: {self.before} -> {self.after}{killed}"


class Sequence:
    """Makes the steps of one seed."""

    def __init__(self, family: str, seed: int, kind: str = "") -> None:
        self.family = family
        # A string: the same on every version of Python, and no two families share a sequence.
        self.random = random.Random(f"{family} {seed}")  # noqa: S311 # a test case, no secret
        chosen = self.random.choices(("script", "go", "files"), (5, 2, 3))[0]
        self.kind = kind or chosen
        self.state = NOTHING

    def steps(self, count: int) -> list[Step]:
        """The first steps of the sequence: an installation, then anything."""
        made = [self._step("install")]
        weights = {
            "install": 5,
            "remove": 4,
            "upgrade": 5,
            "downgrade": 3,
            "mix": 3,
            "reinstall": 3,
            "renew": 1,
            "apply": 1,
            "reboot": 2,
            "restart": 1,
        }
        while len(made) < count:
            (word,) = self.random.choices(list(weights), list(weights.values()))
            step = self._step(word)
            if step is not None:
                made.append(step)
        return [step for step in made if step is not None]

    def _step(self, word: str) -> Step | None:
        before = self.state
        if before == NOTHING and word not in ("install", "reboot"):
            return None
        named: Iterable[str] = ()
        after = before
        if word == "install":
            after, named = self._install(before)
        elif word == "remove":
            after, named = self._remove(before)
        elif word in ("upgrade", "downgrade"):
            after = self._shift(before, up=word == "upgrade")
        elif word == "mix":
            after = self._mix(before)
        elif word == "reinstall":
            named = self._some([*before.versions])
        elif word == "renew":
            after = NOTHING
        if word == "reinstall" and not named:
            return None
        if before == after and word not in ("reinstall", "apply", "reboot", "restart"):
            return None
        kill = None
        if word != "reboot" and self.random.random() < 0.6:
            kill = self._kill(word)
        step = Step(
            word,
            before,
            after,
            tuple(sorted(named)),
            kill,
            self.random.choice(REPAIRS),
            # dpkg and rpm resolve nothing, so the whole of a change is named to them either way.
            self.random.random() < 0.3,
        )
        self.state = after
        return step

    def _install(self, before: Installed) -> tuple[Installed, Iterable[str]]:
        core = before.core or self.random.choice(VERSIONS)
        free = [name for name in PLUGINS if name not in before.versions]
        chosen = set(self._some(free))
        for name in list(chosen):
            chosen.update(PLUGINS[name].needs)
        versions = before.versions
        for name in sorted(chosen):
            versions.setdefault(name, self.random.choice([v for v in VERSIONS if FORMATS[v] == FORMATS[core]]))
        return Installed.of(core, _aligned(versions)), chosen

    def _remove(self, before: Installed) -> tuple[Installed, Iterable[str]]:
        chosen = set(self._some([*before.versions]))
        for name in before.versions:
            if chosen & set(PLUGINS[name].needs):
                chosen.add(name)
        return before.without(chosen), chosen

    def _shift(self, before: Installed, *, up: bool) -> Installed:
        others = [v for v in VERSIONS if (v > before.core) == up and v != before.core]
        if not others or not before.core:
            return before
        version = self.random.choice(others)
        return Installed.of(version, dict.fromkeys(before.versions, version))

    def _mix(self, before: Installed) -> Installed:
        """Other versions of the same ABI for some."""
        if FORMATS.get(before.core) != "1":
            return before
        versions = before.versions
        for name in self._some([*versions]):
            versions[name] = self.random.choice(("1.0", "1.1"))
        core = self.random.choice(("1.0", "1.1"))
        return Installed.of(core, _aligned(versions))

    def _some(self, names: list[str]) -> list[str]:
        if not names:
            return []
        return self.random.sample(names, self.random.randint(1, min(3, len(names))))

    def _kill(self, word: str) -> Kill:
        victims: tuple[str, ...] = VICTIMS[self.family]
        if word == "apply":
            victims = ("apply", "apply", "assemble", "try", "service", "power")
        elif word == "restart":
            victims = ("service", "power")
        victim = self.random.choice(victims)
        delay = round(self.random.uniform(0, LONGEST.get(victim, 0.3)), 3)
        if victim == "assemble" and self.kind == "go" and round(delay * 1000) % 2:
            victim = "linker"
        return Kill(victim, delay, self.random.random() < 0.3)


def _aligned(versions: dict[str, str]) -> dict[str, str]:
    """A plugin that needs others is of their version: its package says so."""
    made = dict(versions)
    for name in versions:
        for need in PLUGINS[name].needs:
            made[name] = made[need]
    return made
