"""What the tool calls a repair works to the letter, and each message has somebody who follows it.

What a package manager or a booted system must do stands in tests/acceptance/test_repairs.py.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.test_repairs import ROWS as BOOTED
from tests.target.machine import Key, Machine, add_programs
from tests.target.repairs import FOLLOWED, UNFOLLOWED, Row, letter, places, repair_of

P, S, C = "/usr/lib/fake/plugins", "/usr/share/fake", "/etc/fake"
CODE = f"{P}/git/code"
LOOK = "look at what {path} holds: if it is all yours, {close}; else remove it"
TRUST = f"cp /tmp/stranger.pub {C}/keys.d"


def stranger(machine: Machine, name: str) -> Key:
    """Have a plugin of another key beside git."""
    key = Key(machine.root / "tmp", "stranger")
    machine.install(name, key=key)
    return key


def with_key(machine: Machine, place: str, text: str = "") -> None:
    """Put the public key of a stranger, whose plugin is installed, somewhere."""
    key = stranger(machine, "evil")
    (machine.root / place.lstrip("/")).write_text(key.public.decode().replace("\n", f"{text}\n", 1))


def looked_at(path: str, shell: str = "") -> dict[str, str]:
    """What a person makes of a file that another one could write: closes it, or what shell says."""
    close = f"chown root {path}; chmod go-w,a-st {path}"
    return {LOOK.format(path=path, close=close): shell or close}


def without_plugin(name: str) -> str:
    """What removes a package, where no package manager is."""
    return (
        f"rm -r {P}/{name} {S}/plugins/{name}.manifest*; "
        f"sed -i '/^Package: fake-plugin-{name}$/,/^$/d' /var/lib/dpkg/status"
    )


def fails_when_tried(machine: Machine) -> None:
    machine.install("bad", files={"code": "exit 3\n"})


def fails_when_joined(machine: Machine) -> None:
    machine.install("bad", files={"code": "", "unlinkable": ""})


def capable(machine: Machine) -> None:
    os.setxattr(machine.root / CODE.lstrip("/"), "security.capability", bytes.fromhex("0100000200040000" + "00" * 12))


ROWS: dict[str, Row] = {
    "a name": Row(
        f"cp {CODE} \"$(printf '{P}/git/a\\001b')\"",
        "a name in",
        ("survey.awk: a name in",),
        {"remove it: ls -b": "rm", f"{P}/git": f"{P}/git/a?b"},
    ),
    "an owner": Row(f"chown 990 {CODE}", "does not belong to root", ('survey.awk: close_again($3, $2, "chown root',)),
    "an owner, and others write": Row(f"chown 990 {CODE}; chmod 4666 {CODE}", "does not belong to root", ()),
    "others write": Row(
        f"chmod 666 {CODE}", "can be written by others", ('survey.awk: close_again($3, $2, "chmod go-w',)
    ),
    "others write into the plugins": Row(f"chmod 777 {P}", "can be written by others", ()),
    "others write into /etc": Row(
        f"mkdir -p {C}/keys.d; touch {C}/keys.d/x; chmod 777 /etc", "can be written by others", ()
    ),
    "others write into /usr": Row("chmod 777 /usr", "can be written by others", ("apply.sh: chown root $place",)),
    "a setuid file": Row(f"chmod 4755 {CODE}", "is setuid", ('survey.awk: by_hand("chmod a-st',)),
    "a setuid file that others write": Row(f"chmod 4777 {CODE}", "can be written by others", ()),
    "a key of somebody else's": Row(
        f"echo x >{C}/keys.d/x.pub; chown 991 {C}/keys.d/x.pub",
        "x.pub does not belong to root",
        (),
        looked_at(f"{C}/keys.d/x.pub", f"rm {C}/keys.d/x.pub"),
    ),
    "a list of the administrator's that others write": Row(
        f"mkdir -p {C}/plugins.d; echo >{C}/plugins.d/disabled; chmod 666 {C}/plugins.d/disabled",
        "can be written by others",
        ("doctor.sh: administrator)",),
        looked_at(f"{C}/plugins.d/disabled"),
        asks="doctor",
    ),
    "a key of somebody else's in the place of the core's": Row(
        f"echo x >{S}/keys/x.pub; chown 991 {S}/keys/x.pub",
        "and no package brought it",
        ("doctor.sh: stray)",),
        {"remove it": f"rm {S}/keys/x.pub"},
        asks="doctor",
    ),
    "capabilities": Row(capable, "has capabilities", ("survey.awk: has capabilities",)),
    "a pipe beside": Row(
        f"mkfifo {C}/keys.d/pipe",
        "is neither a file nor",
        (),
        {"remove it": f"rm {C}/keys.d/pipe"},
    ),
    "a link to a list": Row(
        f"mkdir -p {C}/plugins.d; echo '# nothing' >{C}/list; ln -s ../list {C}/plugins.d/disabled",
        "plugins.d/disabled is a symbolic link",
        ("survey.awk: look at what it leads to",),
        {"look at what it leads to: if it is all yours, ": "", "; else remove it": ""},
    ),
    "a link to nothing": Row(
        f"ln -s nothing {C}/keys.d/k.pub",
        "keys.d/k.pub is a symbolic link",
        (),
        {"remove it": f"rm {C}/keys.d/k.pub"},
    ),
    "a name that no plugin has": Row(
        f"cd {S}/plugins; cp git.manifest Git.manifest; cp git.manifest.sig Git.manifest.sig",
        "no plugin can have this name",
        ("survey.awk: no plugin can have",),
        {"remove it": f"rm {S}/plugins/Git.manifest*"},
    ),
    "a huge key": Row(
        f"dd if=/dev/zero of={C}/keys.d/x.pub bs=1000 count=70",
        "larger than 64 kB",
        ('survey.awk: by_hand("remove or repair it',),
        {"remove or repair it": f"rm {C}/keys.d/x.pub"},
    ),
    "a broken key": Row(
        f"echo x >{C}/keys.d/x.pub",
        "x.pub line 1 is not",
        ("trust.awk: remove or repair it",),
        {"remove or repair it": f"rm {C}/keys.d/x.pub"},
    ),
    "a key in the place of the core's": Row(
        lambda m: with_key(m, f"{S}/keys/zz.pub"),
        "it belongs to no package",
        ("trust.sh: move it into",),
        {"move it into /etc/fake/keys.d if you trust it, else remove it": f"mv {S}/keys/zz.pub {C}/keys.d"},
    ),
    "a stray key that nobody trusts": Row(
        f"echo x >{S}/keys/zz.pub",
        "it belongs to no package",
        (),
        {"move it into /etc/fake/keys.d if you trust it, else remove it": f"rm {S}/keys/zz.pub"},
    ),
    "a stray list": Row(
        f"echo 0123456789abcdef >{S}/keys/revoked",
        "it belongs to no package",
        ("trust.sh: add its lines",),
        {"add its lines to /etc/fake/keys.d/revoked if you trust it, and remove it": f"mv {S}/keys/revoked {C}/keys.d"},
    ),
    "an unknown key": Row(
        lambda m: stranger(m, "evil"),
        "the unknown key",
        ("trust.sh: the unknown key", "trust.sh: put the key into"),
        {"put the key into /etc/fake/keys.d if you trust it, or remove the package": TRUST},
    ),
    "a plugin that nobody trusts": Row(
        lambda m: stranger(m, "evil"),
        "the unknown key",
        (),
        {"put the key into /etc/fake/keys.d if you trust it, or remove the package": without_plugin("evil")},
    ),
    "a key that expired": Row(
        lambda m: with_key(m, f"{C}/keys.d/x.pub", ", expires 2020-01-01"),
        "which expired on",
        ("trust.sh: which expired on", "trust.sh: upgrade the package"),
        {"upgrade the package, or put a newer key of its maker into /etc/fake/keys.d": f"{TRUST}/x.pub"},
    ),
    "a stray file": Row(
        f"echo >{P}/git/x",
        "is not in its manifest",
        ("compare.awk: is not in its manifest",),
        {"remove it": f"rm {P}/git/x"},
    ),
    "a file of no plugin": Row(
        f"mkdir {P}/x; echo >{P}/x/x",
        "no manifest names",
        ("compare.awk: no manifest names",),
        {"remove it, or install it as a package": f"rm {P}/x/x"},
    ),
    "another core": Row(
        lambda m: m.install("evil", core="nginx"),
        "for the core nginx",
        ("judge.awk: its manifest is for the core",),
        {"remove the package fake-plugin-evil": f"{without_plugin('evil')}; fake-plugins apply"},
    ),
    "no openssl": Row(
        "mv /usr/bin/openssl /tmp",
        "openssl is not installed",
        ("verify.sh: openssl is not installed",),
        {"apt-get install openssl": "mv /tmp/openssl /usr/bin/openssl"},
    ),
    "a line that disables nothing": Row(
        f"mkdir -p {C}/plugins.d; echo two words >{C}/plugins.d/disabled",
        "which no plugin can be",
        ("questions.sh: which no plugin can be",),
        {"remove this line": f"sed -i /two/d {C}/plugins.d/disabled"},
    ),
    "a plugin that needs a disabled one": Row(
        lambda m: (
            m.install("user", needs=["git"]),
            (m.root / "etc/fake/plugins.d").mkdir(exist_ok=True),
            (m.root / "etc/fake/plugins.d/disabled").write_text("git\n"),
        ),
        "which is disabled",
        ("resolve.awk: which is disabled",),
    ),
    "a plugin that needs a refused one": Row(
        lambda m: (m.install("user", needs=["evil"]), stranger(m, "evil")),
        "which is refused",
        ("resolve.awk: which is refused",),
        {"repair the plugin evil": TRUST},
    ),
    "a plugin that fails": Row(
        fails_when_tried,
        "ended with status 3 when it was tried",
        ("try.sh: when $STEP",),
        {"remove or downgrade the plugin that it names, or repair the configuration": without_plugin("bad")},
    ),
    "a core that fails": Row(
        lambda m: (m.install("git"), m.core.write_text("#!/bin/sh\nexit 3\n")),
        "fake ended with status 3 when it was tried, with git and with no plugins",
        ("try.sh: no plugin is the reason", "try.sh: with ${NAMES:+"),
        {
            "no plugin is the reason: repair the configuration, or ask who makes fake": (
                "printf '#!/bin/sh\\necho core\\n' >/usr/lib/fake/bin/fake-core"
            )
        },
    ),
    "a plugin that cannot be joined": Row(
        fails_when_joined,
        "making fake with bad, git failed",
        ("apply.sh: remove or upgrade the plugin that it names, or make room",),
        {"remove or upgrade the plugin that it names, or make room": without_plugin("bad")},
    ),
    "a link in the place of a directory of the machine": Row(
        "mv /etc/fake /etc/x; ln -s x /etc/fake; chown -h 990 /etc/fake",
        "/etc/fake is a symbolic link",
        ("doctor.sh: \\tremove it",),
        {"put a directory of root's into its place": "rm /etc/fake; mv /etc/x /etc/fake"},
        asks="doctor",
    ),
}


def follow(machine: Machine, row: Row) -> None:
    def sh(text: str) -> subprocess.CompletedProcess[str]:
        shell = ["chroot", str(machine.root), "dash", "-ec", text]
        return subprocess.run(shell, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)

    (machine.root / "etc/fake/keys.d").mkdir(exist_ok=True)
    before = machine.serves()
    if callable(row.fault):
        row.fault(machine)
    else:
        assert isinstance(row.fault, str)
        done = sh(row.fault)
        assert done.returncode == 0, done.stdout
    done = machine.tool(row.asks)
    assert done.returncode == 1, done.stdout
    repair = repair_of(done.stdout, row.says)
    done = sh(letter(repair, row.person))
    assert done.returncode == 0, f"{repair}: {done.stdout}"
    done = machine.tool("status")
    assert done.returncode == 0, f"{repair}: {done.stdout}"
    assert set(before) <= set(machine.serves())
    done = machine.tool("doctor")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("what", ROWS)
def test_the_repair_works_to_the_letter(serving: Machine, what: str) -> None:
    add_programs(serving.root, ["setcap"])
    follow(serving, ROWS[what])


def test_somebody_follows_each_repair() -> None:
    """A message comes with a row that follows it, or with the reason why nobody can."""
    rows = [*ROWS.values(), *BOOTED.values()]
    claims = [
        *(claim for row in rows for claim in row.places),
        *(c for found in FOLLOWED.values() for c in found),
        *UNFOLLOWED,
    ]
    made = places()
    assert len(made) > 100

    def claimed(place: str, claim: str) -> bool:
        file, _, words = claim.partition(": ")
        return place.startswith(f"{file}: ") and words in place

    assert [place for place in made if not any(claimed(place, claim) for claim in claims)] == []
    assert [claim for claim in claims if not any(claimed(place, claim) for place in made)] == []
    tests = Path(__file__).parents[1]
    for name in FOLLOWED:
        file, _, test = name.partition("::")
        assert f"def {test}(" in (tests / file).read_text(), name
