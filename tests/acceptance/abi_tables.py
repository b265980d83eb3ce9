"""What package managers do with a core whose plugins are not all built for it: the expected tables, as data.

`python -m tests.acceptance.abi_tables` writes them into docs/upgrades.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.abi_world import CORE, OTHER

PAGE = Path(__file__).parent.parent.parent / "docs/upgrades.md"
# What the pages of the manual call the core.
SHOWN = "caddy"
# By the family of the package manager: the systems, and what the page calls them.
SYSTEMS: Mapping[str, Mapping[str, str]] = {
    "apt": {"debian12-apt": "apt 2.6", "debian13-apt": "apt 3.0", "sid-apt": "apt 3.3"},
    "dnf": {"debian12-dnf": "dnf 4.14", "debian13-dnf": "dnf 4.23", "sid-dnf": "dnf 5.4"},
}

ALL = "core 2.0, all plugins along"
WAITS = "core waits, the rest goes on"
NOTHING = "nothing changes"
ERROR = "error, nothing changes"
HOOK = "stopped by our hook, nothing changes"
CORS = "core 2.0, cors removed"
SEVEN = "core 2.0, 7 plugins removed"
BACK = "core 1.0, all plugins along"
BACK_ALONE = "core 1.0, cors and git removed"
OLD_CORS = "core 1.0, cors installed"


@dataclass(frozen=True, slots=True)
class Row:
    """One command. outcome: in the words of outcome(), one for all systems or one for each."""

    command: str
    outcome: str | tuple[str, str, str]

    def expected(self, system: str) -> str:
        """The outcome on a system."""
        if isinstance(self.outcome, str):
            return self.outcome
        return self.outcome[list(SYSTEMS[system.rpartition("-")[2]]).index(system)]


@dataclass(frozen=True, slots=True)
class Situation:
    """Commands that all begin with the same.

    machine: what is installed: `pair` (core 1.0, git, cors), `eight` (core 1.0, eight plugins), `newest` (core 2.0,
    git, cors) or `new` (nothing). repository: of abi_world. before: commands that come first. hook: whether our hook
    in the package manager is asked.
    """

    text: str
    rows: Sequence[Row]
    machine: str = "pair"
    repository: str = "partial"
    before: tuple[str, ...] = ()
    hook: bool = False


APT = (
    Situation(
        "cors has no build for core 2.0",
        (
            Row("apt upgrade", WAITS),
            Row("apt-get upgrade", WAITS),
            Row("apt full-upgrade", (CORS, CORS, WAITS)),
            Row("apt --solver 3.0 full-upgrade", (ERROR, WAITS, WAITS)),
            Row("apt --no-remove full-upgrade", (ERROR, ERROR, WAITS)),
            Row("apt install greet", CORS),
            Row("apt install greet=2.0-1", CORS),
            Row("apt install greet-plugin-git", CORS),
            Row("apt install greet greet-plugin-cors", ERROR),
        ),
    ),
    Situation(
        "the same, with the hook of the core package as it is delivered",
        (
            Row("apt upgrade", WAITS),
            Row("apt full-upgrade", (HOOK, HOOK, WAITS)),
            Row("apt install greet", HOOK),
        ),
        hook=True,
    ),
    Situation(
        "the same, cors on hold",
        (Row("apt full-upgrade", WAITS), Row("apt install greet", ERROR)),
        before=("apt-mark hold greet-plugin-cors",),
    ),
    Situation(
        "the same, cors marked as automatically installed",
        (Row("apt full-upgrade", CORS),),
        before=("apt-mark auto greet-plugin-cors",),
    ),
    Situation(
        "the same, cors with `Protected: yes`",
        (
            Row("apt full-upgrade", WAITS),
            Row("apt install greet", ERROR),
            Row("apt remove greet-plugin-cors", ERROR),
        ),
        before=("dpkg -i /srv/tables/protected.deb",),
    ),
    Situation(
        "the same, core 1.0 is gone from the repository",
        (Row("apt upgrade", WAITS), Row("apt full-upgrade", (CORS, CORS, WAITS))),
        repository="dropped",
    ),
    Situation(
        "eight plugins are installed, one of them has a build",
        (
            Row("apt upgrade", WAITS),
            Row("apt full-upgrade", (SEVEN, SEVEN, WAITS)),
            Row("apt install greet", SEVEN),
        ),
        "eight",
        "one",
    ),
    Situation(
        "eight plugins are installed, seven of them have a build",
        (Row("apt upgrade", WAITS), Row("apt full-upgrade", (CORS, CORS, WAITS))),
        "eight",
    ),
    Situation(
        "cors is retired by `repository.retired`: an empty package for core 2.0",
        (Row("apt upgrade", ALL),),
        repository="retired",
        hook=True,
    ),
    Situation(
        "core 2.0 says `Breaks: greet-plugin-cors (<< 2.0)` instead",
        (Row("apt upgrade", WAITS), Row("apt full-upgrade", (CORS, CORS, WAITS))),
        repository="replaced",
    ),
    Situation(
        "all plugins have a build",
        (Row("apt upgrade", ALL),),
        repository="complete",
        hook=True,
    ),
    Situation(
        "the same, the core on hold",
        (Row("apt full-upgrade", WAITS),),
        repository="complete",
        before=("apt-mark hold greet",),
    ),
    Situation(
        "new machine, cors has no build for core 2.0",
        (
            Row("apt install greet-plugin-cors", ERROR),
            Row("apt install greet greet-plugin-cors", ERROR),
            Row("apt install greet=1.0-1 greet-plugin-cors", OLD_CORS),
        ),
        "new",
    ),
    Situation(
        "core 2.0 is installed, back to 1.0",
        (
            Row("apt install --allow-downgrades greet=1.0-1", BACK_ALONE),
            Row(
                "apt install --allow-downgrades greet=1.0-1 greet-plugin-git=1.0-1 greet-plugin-cors=1.0-1",
                BACK,
            ),
        ),
        "newest",
        "complete",
    ),
)

DNF = (
    Situation(
        "cors has no build for core 2.0; `best=True`, as Fedora and Enterprise Linux have it",
        (
            Row("dnf upgrade", ERROR),
            Row("dnf upgrade --nobest", WAITS),
            Row("dnf upgrade --exclude=greet-plugin-cors", ERROR),
            Row("dnf upgrade --exclude=greet*", WAITS),
            Row("dnf upgrade --allowerasing", CORS),
            Row("dnf upgrade greet", ERROR),
            Row("dnf upgrade --nobest greet", NOTHING),
            Row("dnf upgrade greet-plugin-git", ERROR),
            Row("dnf install greet", ERROR),
            Row("dnf install --nobest greet", NOTHING),
            Row("dnf install greet-2.0", ERROR),
            Row("dnf install --allowerasing greet-2.0", CORS),
            Row("dnf install greet greet-plugin-cors", ERROR),
            Row("dnf distro-sync", ERROR),
            Row("dnf distro-sync --nobest", WAITS),
            Row("dnf distro-sync --allowerasing", CORS),
        ),
    ),
    Situation(
        "the same, with the hook of the core package as it is delivered",
        (Row("dnf upgrade --allowerasing", (CORS, CORS, HOOK)),),
        hook=True,
    ),
    Situation(
        "the same, `best=False`, as Debian's dnf has it",
        (Row("dnf upgrade", WAITS), Row("dnf upgrade greet", NOTHING), Row("dnf install greet", NOTHING)),
        before=("sed -i s/best=True/best=False/ /etc/dnf/dnf.conf",),
    ),
    Situation(
        "the same, core 1.0 is gone from the repository",
        (Row("dnf upgrade", ERROR), Row("dnf upgrade --nobest", WAITS)),
        repository="dropped",
    ),
    Situation(
        "eight plugins are installed, one of them has a build",
        (
            Row("dnf upgrade", ERROR),
            Row("dnf upgrade --nobest", WAITS),
            Row("dnf upgrade --allowerasing", SEVEN),
        ),
        "eight",
        "one",
    ),
    Situation(
        "eight plugins are installed, seven of them have a build",
        (Row("dnf upgrade", ERROR), Row("dnf upgrade --allowerasing", CORS)),
        "eight",
    ),
    Situation(
        "cors is retired by `repository.retired`: the core says `Obsoletes`",
        (Row("dnf upgrade", CORS),),
        repository="retired",
        hook=True,
    ),
    Situation(
        "core 2.0 says `Obsoletes: greet-plugin-cors < 2.0`, and there is no empty package",
        (Row("dnf upgrade", CORS),),
        repository="replaced",
        hook=True,
    ),
    Situation(
        "all plugins have a build",
        (Row("dnf upgrade", ALL),),
        repository="complete",
        hook=True,
    ),
    Situation(
        "new machine, cors has no build for core 2.0",
        (
            Row("dnf install greet-plugin-cors", OLD_CORS),
            Row("dnf install greet greet-plugin-cors", ERROR),
            Row("dnf install --nobest greet greet-plugin-cors", OLD_CORS),
            Row("dnf install greet-plugin-git greet-plugin-cors", ERROR),
        ),
        "new",
    ),
    Situation(
        "core 2.0 is installed, back to 1.0",
        (Row("dnf downgrade greet", BACK),),
        "newest",
        "complete",
        hook=True,
    ),
)
TABLES: Mapping[str, Sequence[Situation]] = {"apt": APT, "dnf": DNF}


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction on a running server. commands: of apt and of dnf. starts: how often that starts the service."""

    text: str
    repository: str
    commands: tuple[str, str]
    starts: int = 1


# What is installed after the steps.
LEFT = (CORE, *(f"{CORE}-plugin-{name}" for name in ("auth", "cors", "git", "jwt")))
UPGRADE = ("apt-get upgrade", "dnf upgrade")
STEPS = (
    Step(
        "one plugin more",
        "old",
        ("apt-get install greet-plugin-auth", "dnf install greet-plugin-auth"),
    ),
    Step(
        "two plugins more",
        "old",
        (
            "apt-get install greet-plugin-cache greet-plugin-gzip",
            "dnf install greet-plugin-cache greet-plugin-gzip",
        ),
    ),
    Step("a plugin removed", "old", ("apt-get remove greet-plugin-cache", "dnf remove greet-plugin-cache")),
    Step(
        "one plugin added, one removed",
        "old",
        ("apt-get install greet-plugin-jwt greet-plugin-gzip-", "dnf swap greet-plugin-gzip greet-plugin-jwt"),
    ),
    Step("plugins upgraded, core not", "plugins", UPGRADE),
    Step("core upgraded, plugins not", "core", UPGRADE),
    Step("core and plugins upgraded, same ABI", "both", UPGRADE),
    Step("core and plugins upgraded, new ABI", "abi", UPGRADE),
    Step("the core installed again", "abi", ("apt-get install --reinstall greet", "dnf reinstall greet"), 0),
    Step(
        "all of them back to the old ABI",
        "abi",
        (
            "apt-get install --allow-downgrades " + " ".join(f"{name}=1.2-1" for name in LEFT),
            "dnf downgrade greet",
        ),
    ),
)


def outcome(status: int, before: Mapping[str, str], after: Mapping[str, str], said: str) -> str:
    """What a command did, in few words. before, after: versions by short name, as abi_world.installed() gives them.

    said: what it printed; our hook has a sentence of its own.
    """
    removed, added = (sorted({*one} - {*other} - {CORE, OTHER}) for one, other in ((before, after), (after, before)))
    was, now = before.get(CORE), after.get(CORE)
    if before == after:
        what = NOTHING
    elif was == now and not removed and not added:
        what = WAITS
    elif removed:
        what = f"core {now}, {' and '.join(removed) if len(removed) < 3 else f'{len(removed)} plugins'} removed"
    else:
        what = f"core {now}, {' and '.join(added)} installed" if added else f"core {now}, all plugins along"
    if status != 0:
        what = f"{'stopped by our hook' if 'stopped before any change' in said else 'error'}, {what}"
    return what


def table(family: str) -> str:
    """The table of apt or of dnf in Markdown: commands of one situation with one outcome share a line.

    Where the systems differ, the outcome is bold and names them.
    """
    lines = ["| situation | commands | outcome |", "|---|---|---|"]
    for situation in TABLES[family]:
        commands: dict[tuple[str, ...], list[str]] = {}
        for row in situation.rows:
            outcomes = tuple(map(row.expected, SYSTEMS[family]))
            commands.setdefault(outcomes, []).append(f"`{row.command}`")
        for number, (outcomes, same) in enumerate(commands.items()):
            text = situation.text if number == 0 else ""
            lines.append(f"| {text} | {', '.join(same)} | {_cell(family, outcomes)} |")
    return _shown(lines)


def _cell(family: str, outcomes: Sequence[str]) -> str:
    by_outcome: dict[str, list[str]] = {}
    for name, found in zip(SYSTEMS[family].values(), outcomes, strict=True):
        by_outcome.setdefault(found, []).append(name)
    if len(by_outcome) == 1:
        return outcomes[0]
    return "; ".join(f"**{', '.join(names)}: {found}**" for found, names in by_outcome.items())


def starts() -> str:
    """The table of restarts in Markdown."""
    lines = ["| one transaction on a running server | starts |", "|---|---|"]
    return _shown([*lines, *(f"| {step.text} | {step.starts} |" for step in STEPS)])


def page(text: str) -> str:
    """A page with the tables in their places, each between `<!-- NAME -->` and `<!-- end -->`."""
    for name, made in _tables():
        head, mark, rest = text.partition(f"<!-- {name} -->\n")
        _, end, tail = rest.partition("<!-- end -->\n")
        assert mark, f"no place for {name}"
        assert end, f"no end of {name}"
        text = head + mark + made + end + tail
    return text


def _tables() -> Iterator[tuple[str, str]]:
    yield from ((family, table(family)) for family in TABLES)
    yield "starts", starts()


def _shown(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines).replace(CORE, SHOWN)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
