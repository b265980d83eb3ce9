"""An apt repository of somebody else on the small installed machine, and what must hold of each answer of the tool."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.hostile.words import raw
from tests.target.machine import PATH, Machine, add_programs

# As the machine sees it: a command in a hostile word makes this file.
MARK = Path("/mark")
# All that apt-cache and apt-get's simulation call and read.
PROGRAMS = ("apt-cache", "apt-get", "dpkg")
# What each command prints may have nothing else.
CLEAN = re.compile(rb"[\n -~]*")
STUMBLED = re.compile(rb"/usr/bin/[a-z]+-plugins:|awk:")


def market_of(base: Path, root: Path) -> None:
    """A copy of the base machine that has apt too."""
    subprocess.run(["cp", "-al", base, root], check=True)
    add_programs(root, PROGRAMS)
    shutil.copytree("/usr/share/dpkg", root / "usr/share/dpkg")
    for directory in ("etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial"):
        (root / directory).mkdir(parents=True)


def sell(machine: Machine, index: bytes, priority: int = 500) -> None:
    """Put a repository's index where `apt-get update` leaves it. priority: of all its packages (apt_preferences(5))."""
    apt = machine.root / "etc/apt"
    (apt / "sources.list").write_text("deb [trusted=yes] file:/market ./\n")
    (apt / "preferences").write_text(f'Package: *\nPin: origin ""\nPin-Priority: {priority}\n')
    (machine.root / "var/lib/apt/lists/_market_._Packages").write_bytes(index)


def stanza(name: bytes, version: bytes = b"2.0-1", **fields: bytes) -> bytes:
    """A package of an index."""
    rows = {
        b"Package": name,
        b"Version": version,
        b"Architecture": b"all",
        **{key.replace("_", "-").encode(): value for key, value in fields.items()},
        b"Filename": b"./some.deb",
        b"Size": b"1",
        b"SHA256": b"0" * 64,
    }
    return b"".join(b"%s: %s\n" % row for row in rows.items()) + b"\n"


def hostile_stanzas(word: bytes) -> Iterator[bytes]:
    """A word in each place of an index."""
    number = b"%x" % (abs(hash(word)) % 1_000_000)
    yield stanza(b"fake-plugin-" + word)
    yield stanza(b"fake-plugin-" + word + b"-plugin", Maintainer=word)
    yield stanza(b"fake-plugin-v" + number, b"2" + word, Maintainer=word)
    yield stanza(b"fake-plugin-d" + number, Depends=b"fake-plugin-" + word, Description=word)
    yield stanza(b"fake-plugin-p" + number, Provides=b"fake-abi-" + word, Depends=b"fake-abi-" + word)


def hostile_index(machine: Machine) -> bytes:
    """All hostile words that apt takes; with one that it does not take, it would read nothing of an index."""

    def taken(texts: Sequence[bytes]) -> bytes:
        sell(machine, b"".join(texts))
        command: list[str | Path] = ["chroot", machine.root, "apt-cache", "pkgnames"]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        if done.returncode == 0 and b"E:" not in done.stderr:
            return b"".join(texts)
        half = len(texts) // 2
        return taken(texts[:half]) + taken(texts[half:]) if half else b""

    return taken([text for _, word in raw(MARK) for text in hostile_stanzas(word)])


def harmless(
    machine: Machine,
    *arguments: str | bytes,
    text: bytes = b"",
    environment: Mapping[str, bytes | str] | None = None,
    user: str = "root",
) -> subprocess.CompletedProcess[bytes]:
    """Call the tool with whatever words; what must hold in any case. text: for its standard input."""
    # chroot, and the shell in it, are looked for in a PATH that may be hostile.
    _, where, root, shell, *rest = machine.command(user=user)
    command = ["/usr/sbin/chroot", where, root, f"/usr/bin/{shell}", *rest, *(os.fsdecode(word) for word in arguments)]
    done = subprocess.run(
        command,
        input=text,
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, **{key: os.fsdecode(value) for key, value in (environment or {}).items()}},
    )
    judge(done, machine.root, arguments)
    return done


class Call(NamedTuple):
    """One call of the tool. text: its standard input. before: a line of shell that is run first."""

    arguments: Sequence[str | bytes]
    text: bytes = b""
    environment: Mapping[str, bytes | str] = {}
    before: str = ""


# Where the tool has set itself up, and begins to read its command line.
BEGIN = 'if [ "$(id -u)" -eq 0 ]; then ROOT=yes; fi\n'


def harmless_all(
    machine: Machine, calls: Sequence[Call], *, once: bool = False
) -> list[subprocess.CompletedProcess[bytes]]:
    """As harmless for each call, one after the other in one loop of a shell, which is several times as fast.

    once: whether the tool is read and sets itself up only once, for calls that differ in their arguments alone.
    """
    place = machine.root / "calls"
    place.mkdir()
    shell = f"/usr/bin/{' '.join(machine.shell)}"
    if once:
        head, _, tail = (machine.root / "usr/bin/fake-plugins").read_text().partition(BEGIN)
        (place / "head").write_text(head)
        (place / "tail").write_text(BEGIN + tail)
    with (place / "loop").open("wb") as loop:
        # What fails ends a call and not the loop, so `set -e` is for the calls.
        loop.write(b". ./head\nset +e\n" if once else b"")
        for number, call in enumerate(calls):
            (place / f"{number}.in").write_bytes(call.text)
            loop.write(call.before.encode() + b"\n(\n")
            for name, value in call.environment.items():
                loop.write(b"export %s=%s\n" % (name.encode(), _quoted(value)))
            words = b" ".join(_quoted(word) for word in call.arguments)
            run = b"set -e; set -- %s; . ./tail" if once else f"exec {shell} /usr/bin/fake-plugins %s".encode()
            files = f"<{number}.in >{number}.out 2>{number}.err".encode()
            loop.write(b"%s\n) %s\n" % (run % words, files))
            loop.write(b'echo "$?" >%d.status; [ ! -e %s ] || exit 1\n' % (number, os.fsencode(MARK)))
    command = f"cd /calls && exec {shell if once else '/usr/bin/dash'} -c '. ./loop' /usr/bin/fake-plugins"
    whole: list[str | Path] = ["chroot", machine.root, "/usr/bin/dash", "-c", command]
    subprocess.run(whole, check=False, timeout=60 + len(calls), stdin=subprocess.DEVNULL)
    answers = []
    for number, call in enumerate(calls):
        ended = place / f"{number}.status"
        assert ended.exists(), f"{call.arguments!r:.300} ended the loop"
        out, err = ((place / f"{number}.{which}").read_bytes() for which in ("out", "err"))
        answers.append(subprocess.CompletedProcess(call.arguments, int(ended.read_text()), out, err))
        judge(answers[-1], machine.root, call.arguments)
    shutil.rmtree(place)
    return answers


def _quoted(word: str | bytes) -> bytes:
    """A word of shell, whatever is in it."""
    return b"'" + os.fsencode(word).replace(b"'", b"'\\''") + b"'"


def judge(done: subprocess.CompletedProcess[bytes], root: Path, arguments: Sequence[str | bytes]) -> None:
    """What must hold of each answer of the tool. root: of the machine. arguments: of the tool."""
    said = f"{arguments!r:.300}: {done.stdout!r:.2000} {done.stderr!r:.2000}"
    assert CLEAN.fullmatch(done.stdout), said
    assert CLEAN.fullmatch(done.stderr), said
    assert not (root / MARK.name).exists(), said
    # 10: the hook stops apt.
    assert done.returncode in (0, 1, 2, 3, 10), said
    # A shell that stumbles names itself and the line.
    assert not STUMBLED.search(done.stderr), said
    if b"--json" in (os.fsencode(word) for word in arguments) and done.stdout:
        assert json.loads(done.stdout)["format"] == 1, said


def has(program: str) -> bool:
    return shutil.which(program, path=PATH) is not None
