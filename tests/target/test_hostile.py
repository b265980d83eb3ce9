"""Words from outside are words: nothing runs, no control character is printed, JSON stays valid, nothing hangs.

Each test feeds the corpus of hostile words to one entry of the target tool. See tests/hostile.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from packaging_tool.target.hooks import values
from packaging_tool.target.runtime import lifecycle
from tests.hostile.words import raw
from tests.target.conftest import SHELLS, machine_of
from tests.target.machine import AWKS, Key, Machine, spec
from tests.target.market import (
    MARK,
    PROGRAMS,
    Call,
    harmless,
    harmless_all,
    has,
    hostile_index,
    market_of,
    sell,
    stanza,
)
from tests.target.test_hook import CONFIGURED, NEW_CORE, NO_GIT, transaction

WORDS = dict(raw(MARK))
# A name of a file can be no longer than this, and has neither of these bytes.
NAMES = {key: word for key, word in WORDS.items() if 0 < len(word) < 200 and not set(word) & set(b"/\0")}
# An argument or a variable ends at its first NUL.
ARGUMENTS = {key: word for key, word in WORDS.items() if b"\0" not in word}
QUESTIONS = (
    *(["list"], ["list", "--available"], ["list", "--available", "--json"], ["status"], ["status", "--json"]),
    *(["why", "git"], ["why", "git", "--json"], ["verify"], ["verify", "--json"], ["doctor", "--dry-run"], ["freeze"]),
    *(["install", "nosuch", "--dry-run"], ["sync", "/wanted", "--dry-run"], ["apply", "--dry-run"]),
)


@pytest.fixture(scope="session")
def market(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    missing = [program for program in PROGRAMS if not has(program)]
    if missing:
        pytest.skip(f"{missing[0]} is not installed")
    root = tmp_path_factory.mktemp("market") / "root"
    market_of(base, root)
    return root


@pytest.fixture(scope="session")
def index(market: Path, key: Key, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    machine = machine_of(market, key, tmp_path_factory.mktemp("index"), ["dash"])
    index = hostile_index(machine) + stanza(b"fake-plugin-cors") + stanza(b"fake-plugin-git", b"3.0\x1b[31m-1")
    assert index.count(b"Package:") > 100
    return index


@pytest.fixture
def customer(market: Path, key: Key, tmp_path: Path, shell: list[str]) -> Iterator[Machine]:
    """A machine that serves with the plugin git and has apt: with dash and mawk, and with bash and gawk."""
    machine = machine_of(market, key, tmp_path, shell)
    for name in ("etc/apt", "var/lib/apt", "var/cache/apt"):
        shutil.rmtree(machine.root / name)
        subprocess.run(["cp", "-a", market / name, machine.root / name], check=True)
    machine.install("git")
    assert machine.tool("apply").returncode == 0
    (machine.root / "wanted").write_text("git\ncors\n")
    yield machine
    shutil.rmtree(machine.root)


@pytest.fixture
def served_by(base: Path, key: Key, tmp_path: Path, shell: list[str]) -> Iterator[Machine]:
    """The same with an apt that says anything and does nothing."""
    machine = machine_of(base, key, tmp_path, shell)
    machine.install("git")
    assert machine.tool("apply").returncode == 0
    (machine.root / "wanted").write_text("git\ncors\n")
    (machine.root / "anything").write_bytes(b"\n".join(word[:1000] for word in WORDS.values()))
    for name in ("apt-get", "apt-cache"):
        program = machine.root / "usr/bin" / name
        program.write_text("#!/bin/sh\ncat /anything\ncat /anything >&2\nexit 100\n")
        program.chmod(0o755)
    yield machine
    shutil.rmtree(machine.root)


DRY = tuple([command, "git", "--dry-run"] for command in ("disable", "enable", "remove"))


def ask_everything(machine: Machine, *more: Sequence[str]) -> None:
    harmless_all(machine, [Call(words) for words in (*QUESTIONS, *more, ["apply"])])
    assert machine.serves()[0] == "core"


# --- an index ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("priority", [-1, 500])
def test_an_index_says_what_it_likes(customer: Machine, index: bytes, priority: int) -> None:
    """Whoever writes the index of any configured repository, also one from which nothing may be installed."""
    sell(customer, index, priority)
    ask_everything(customer)
    offered = harmless(customer, "list", "--available").stdout
    assert (b"cors" in offered) is (priority > 0)
    assert harmless(customer, "list", "--available", user="visitor").returncode == 0
    names = ("cors", "git")
    harmless_all(customer, [Call([word, name, "--dry-run"]) for word in ("remove", "install") for name in names])


def test_names_that_are_options_of_apt_reach_it_as_nothing(customer: Machine) -> None:
    """apt runs the program that an option names, to learn the architectures."""
    options = "-o=Dir::Bin::dpkg=/bin/sh -o=DPkg::Options::=-c -o=DPkg::Options::="
    sell(customer, stanza(f"fake-plugin-zz {options}touch${{IFS}}{MARK}".encode()), -1)
    names = ("list", "why", "install", "doctor", "sync")
    harmless_all(customer, [Call(words) for words in QUESTIONS if words[0] in names])


# --- files ------------------------------------------------------------------------------------------------------------


NAMED = (
    *("usr/share/fake/plugins/{}.manifest", "usr/share/fake/plugins/{}.manifest.sig", "usr/share/fake/keys/{}.pub"),
    *("usr/lib/fake/plugins/{}/code", "usr/lib/fake/plugins/git/{}", "etc/fake/keys.d/{}.pub"),
    *("etc/fake/plugins.d/{}", "usr/lib/fake/bin/sets/{}"),
)


def test_files_have_any_name(served_by: Machine) -> None:
    """All places at once for all questions; each by itself for what tells the first fault only."""
    made: list[Path] = []
    for place in NAMED:
        for path in made:
            path.unlink()
        made = name_files(served_by, place)
        harmless_all(served_by, [Call(["verify"]), Call(["doctor", "--dry-run"])])
    for place in NAMED:
        name_files(served_by, place)
    ask_everything(served_by, *DRY)


def name_files(machine: Machine, place: str) -> list[Path]:
    """Files with all hostile names in a place."""
    made = []
    for word in NAMES.values():
        path = machine.root / place.format(os.fsdecode(word))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"needs " + word + b"\n")
        made.append(path)
    return made


def test_a_file_says_anything(served_by: Machine) -> None:
    """One word after the other where the first one that means nothing is told; elsewhere all at once."""
    root = served_by.root
    (root / "words").mkdir()
    for number, word in enumerate(WORDS.values()):
        (root / f"words/{number}").write_bytes(word[:30000] + b"\n")
    disabled = "/etc/fake/plugins.d/disabled"
    copies = [f"cp /words/{number} {disabled}" for number in range(len(WORDS))]
    harmless_all(served_by, [Call(["enable", "git", "--dry-run"], before=copy) for copy in copies])
    words = [word[:30000] for word in WORDS.values()]
    (root / disabled.lstrip("/")).write_bytes(b"\n".join(words))
    (root / "wanted").write_bytes(b"".join(b"%s\ngit # x\n" % word for word in words))
    (root / "run/fake-plugins.failed").write_bytes(b"\n".join(words))
    reasons = b"".join(b"reason %s\nreason   repair: now\n" % word for word in words)
    (root / "usr/lib/fake/bin/failed-set").write_bytes(b"mkpkgs-failed-set 1\n" + reasons)
    ask_everything(served_by, ["apply", "--boot"], ["sync", "/wanted", "--dry-run"])
    # Whoever holds the lock has just failed: what is on record is shown.
    with (root / "run/fake-plugins.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (root / "run/fake-plugins.failed").write_bytes(b"\n".join(words))
        assert b"zz?]0;owned?" in harmless(served_by, "apply", "--boot").stdout


LISTS = (
    *("etc/fake/plugins.conf", "etc/fake/plugins.d/disabled", "etc/fake/keys.d/revoked", "etc/fake/keys.d/more.pub"),
    *("usr/share/fake/keys/fake.pub", "usr/share/fake/abi", "usr/share/fake/trust"),
)


def test_files_of_many_lines_say_anything(served_by: Machine) -> None:
    """Each by itself, as other files may stop what would read it; then all at once for all questions."""
    lines = [word[:1000] for word in WORDS.values()]
    all_lines = b"\n".join(lines)
    settings = b"".join(b"\n%s = x\nremoval = %s" % (line, line) for line in lines)
    said = {place: b"untrusted comment: " + all_lines if place.endswith(".pub") else all_lines for place in LISTS}
    said["etc/fake/plugins.conf"] += settings
    before = {place: (served_by.root / place).read_bytes() for place in LISTS if (served_by.root / place).exists()}
    hook = Call(["hook"], transaction(NO_GIT, NEW_CORE, CONFIGURED).encode())
    for place, data in said.items():
        (served_by.root / place).write_bytes(data)
        harmless_all(served_by, [Call(["apply"]), *([hook] if place == "etc/fake/plugins.conf" else [])])
        (served_by.root / place).unlink()
        if place in before:
            (served_by.root / place).write_bytes(before[place])
    assert harmless(served_by, "apply").returncode == 0
    for place, data in said.items():
        (served_by.root / place).write_bytes(data)
    ask_everything(served_by)
    harmless_all(served_by, [hook])


def test_manifests_and_signatures_say_anything(served_by: Machine) -> None:
    for number, word in enumerate(WORDS.values()):
        form = b"mkpkgs-manifest 1\ncore %s\nabi %s\nplugin %s\npackage %s 1.0-1\nneeds %s\nfile %s  %s\n"
        served_by.manifest(f"m{number}").write_bytes(form.replace(b"%s", word[:9000]))
        served_by.manifest(f"m{number}").with_suffix(".manifest.sig").write_bytes(b"untrusted comment: " + word)
        served_by.install(f"s{number}")
        served_by.manifest(f"s{number}").with_suffix(".manifest.sig").write_bytes(b"untrusted comment: x\n" + word)
    ask_everything(served_by, *DRY)


# Files, and the commands beside all questions that open them.
PIPES: dict[str, Sequence[Call]] = {
    "etc/fake/plugins.conf": (Call(["hook"], transaction(NO_GIT, NEW_CORE, CONFIGURED).encode()),),
    "etc/fake/plugins.d/disabled": tuple(map(Call, (*DRY, ["freeze"]))),
    "usr/lib/fake/bin/failed-set": (Call(["doctor", "--dry-run"]), Call(["status"])),
    "usr/share/fake/plugins/git.manifest": tuple(map(Call, DRY)),
    "usr/lib/fake/plugins/git/code": (Call(["verify"]),),
    **dict.fromkeys(
        (
            *("usr/share/fake/plugins/git.manifest.sig", "usr/share/fake/trust", "usr/share/fake/abi"),
            *("etc/fake/keys.d/revoked", "etc/fake/keys.d/zz.pub", "usr/share/fake/plugins/zz.manifest"),
            "usr/lib/fake/plugins/zz",
        ),
        (),
    ),
}


def test_nobody_waits_for_the_end_of_a_pipe(served_by: Machine) -> None:
    """Each by itself, as another may stop what would open it; then all of them for all questions."""
    for place, calls in PIPES.items():
        path = served_by.root / place
        before = path.read_bytes() if path.exists() else None
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        harmless_all(served_by, [*calls, Call(["apply"])])
        path.unlink(missing_ok=True)
        if before is not None:
            path.write_bytes(before)
    for place in PIPES:
        path = served_by.root / place
        path.unlink(missing_ok=True)
        os.mkfifo(path)
    ask_everything(served_by, *DRY, ["apply", "--boot"])


# --- who calls --------------------------------------------------------------------------------------------------------


def test_arguments_are_words(served_by: Machine, share: slice) -> None:
    calls = []
    for word in list(ARGUMENTS.values())[share]:
        if len(word) > 131000:
            continue
        calls += [Call([word]), Call(["list", word]), Call(["why", word]), Call([b"--" + word])]
        calls += [Call(["apply", "--after", word])]
        for command in ("disable", "install", "remove", "sync"):
            calls += [Call([command, "--dry-run", "--", word]), Call([command, "--dry-run", b"fake-plugin-" + word])]
    assert len(calls) > 150
    harmless_all(served_by, calls, once=True)


# Not LC_ALL and OPTIND: of these shells complain before they have read a line.
VARIABLES = (
    *("APT_CONFIG", "AWKLIBPATH", "AWKPATH", "BASH_ENV", "CDPATH", "COLUMNS", "CONFIG", "CORE", "DPKG_ADMINDIR"),
    *("DPKG_ROOT", "ENV", "FILE", "GREP_COLORS", "GREP_OPTIONS", "HOME", "IFS", "INSTALL", "JOURNAL_STREAM"),
    *("NAMES", "OPENSSL_CONF", "OPENSSL_MODULES", "PATH", "POSIXLY_CORRECT", "PS4"),
    *("RPM_CONFIGDIR", "SHARE", "TABSIZE", "TAR_OPTIONS", "TERM", "TIME_STYLE", "TMPDIR", "TROUBLE", "TZ", "W"),
    *("XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "_POSIX2_VERSION", "EXTRA"),
)


def test_the_environment_changes_no_answer(served_by: Machine, share: slice) -> None:
    """As with `sudo -E`, or where a maintainer script or a hook of apt calls."""
    expected = harmless(served_by, "verify", "--json").stdout
    surroundings = [dict.fromkeys(VARIABLES, word[:1000]) for word in list(ARGUMENTS.values())[share]]
    for done in harmless_all(served_by, [Call(["verify", "--json"], b"", around) for around in surroundings]):
        assert done.stdout == expected
    for key in ("awk-statement", "command-without-blanks", "backslash", "newline"):
        around = dict.fromkeys(VARIABLES, WORDS[key])
        assert harmless(served_by, "apply", "--quiet", environment=around).returncode == 0


def test_what_apt_and_tools_read_is_not_chosen_by_the_caller(customer: Machine) -> None:
    """Each variable by itself, as it would be used."""
    root = customer.root
    (root / "apt.conf").write_text(
        f'Dir::Bin::dpkg "/bin/sh";\nDPkg::Options {{ "-c"; "touch {MARK}"; }};\nAPT::Architectures "";\n'
    )
    (root / "elsewhere").mkdir()
    (root / "elsewhere/status").touch()
    (root / "openssl.cnf").write_text("openssl_conf = x\n[x]\nproviders = y\n[y]\nz = z\n[z]\nactivate = 1\n")
    (root / "env.sh").write_text(f"touch {MARK}\n")
    sell(customer, stanza(b"fake-plugin-cors"))
    expected = harmless(customer, "list", "--available").stdout
    assert b"cors" in expected
    removal = values(lifecycle(spec()))["removal_variable"]
    for variables in (
        {"APT_CONFIG": "/apt.conf"},
        {"DPKG_ADMINDIR": "/elsewhere"},
        {"DPKG_ROOT": "/elsewhere"},
        {"OPENSSL_CONF": "/openssl.cnf"},
        {"ENV": "/env.sh", "BASH_ENV": "/env.sh"},
        {"TMPDIR": "/nowhere\\n"},
        {"GREP_OPTIONS": "-v", "POSIXLY_CORRECT": "1", "IFS": "/"},
        {"AWKPATH": "/elsewhere", "AWKLIBPATH": "/elsewhere"},
        {"TROUBLE": "forged", "W": "/etc", "YES": "yes", "DRY": "yes", str(removal): "allow"},
    ):
        done = harmless(customer, "list", "--available", environment=variables)
        assert (done.returncode, done.stdout) == (0, expected), variables
        assert harmless(customer, "apply", environment=variables).returncode == 0, variables


# --- programs ---------------------------------------------------------------------------------------------------------


def test_a_plugin_says_anything_when_it_is_tried(serving: Machine, share: slice) -> None:
    (serving.root / "said").mkdir()
    said = list(WORDS.values())[share]
    for number, word in enumerate(said):
        (serving.root / f"said/{number}").write_bytes(word)
    serving.install("loud", files={"code": "cat /said/now >&2; exit 1\n"})
    copies = [f"cp /said/{number} /said/now" for number in range(len(said))]
    for done in harmless_all(serving, [Call(["apply"], before=copy) for copy in copies]):
        assert done.returncode == 1
    harmless_all(serving, [Call(["status", "--json"]), Call(["doctor", "--dry-run"])])


def test_package_managers_tell_a_hook_anything(served_by: Machine, share: slice) -> None:
    """In one transaction all that keeps its form; by itself what may break it."""
    removal = str(values(lifecycle(spec()))["removal_variable"])
    texts = [os.fsdecode(word) for word in WORDS.values()]
    calls = [asked_by_apt(*texts), asked_by_dnf(*texts)]
    for text in texts[share]:
        calls.append(asked_by_dnf(text))
        variable = {removal: text.replace("\0", "")[:1000]}
        calls.append(asked_by_apt(text)._replace(environment=variable))
    harmless_all(served_by, calls)


def asked_by_apt(*texts: str) -> Call:
    """What apt tells of a transaction, with these words in each place."""
    lines = [NO_GIT]
    for text in texts:
        lines += [
            NO_GIT.replace("git", f"git{text}"),
            NEW_CORE.replace("2.0-1", text),
            NEW_CORE.replace("fake ", f"fake-plugin-{text} ").replace("/fake_", f"/{text}"),
        ]
    command = f"apt-get install {' '.join(texts)}"
    return Call(["hook"], os.fsencode(transaction(*lines, CONFIGURED, command=command)))


def asked_by_dnf(*texts: str) -> Call:
    """What dnf tells of a transaction, likewise."""
    rows = ['{"name":"fake-plugin-git","action":"E","direction":"OUT","evr":"1"}']
    for text in texts:
        rows += [
            f'{{"name":"fake","action":"O","direction":"OUT","evr":"{text}"}}',
            f'{{"name":"fake","action":"U","direction":"IN","evr":"2{text}"}}',
            f'{{"name":"fake-plugin-{text}","action":"E","direction":"OUT","evr":"1"}}',
        ]
    return Call(["hook-dnf"], os.fsencode(f'{{"status":"OK","return":{{"trans_packages":[{",".join(rows)}]}}}}\n'))


def test_both_awks_are_here() -> None:
    """Else one of the two kinds of machine is not shown."""
    assert len(AWKS) == len(SHELLS)
