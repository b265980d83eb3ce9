"""What the tool runs in the place of root where no systemd does: the driver's steps and the try."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
import time
from pathlib import Path

import pytest

from packaging_tool.drivers.base import Target
from tests.hostile.words import raw, words
from tests.processes import own_time, running, sleeping
from tests.target.conftest import SHELLS, machine_of, with_proc
from tests.target.machine import ARRANGED, ASSEMBLE, Key, Machine

# Of a container that builds an image: it may neither make namespaces nor drop capabilities from the bounding set.
FEW = ("setpriv", "--bounding-set", "-setpcap,-sys_admin,-net_admin")


def step(text: str) -> Target:
    """An assemble step that does this before it makes the program."""
    return Target(assemble=ASSEMBLE.replace("set -eu\noutput=$1\n", f"set -eu\noutput=$1\n{text}\n"))


def machine_with(base: Path, key: Key, tmp_path: Path, target: Target) -> Machine:
    machine = machine_of(base, key, tmp_path, SHELLS["dash and mawk"], target)
    machine.install("git")
    return machine


def apply(machine: Machine, *before: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, *machine.command("apply")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


@pytest.mark.parametrize("before", [(), FEW], ids=["root", "container"])
def test_a_step_has_the_rights_of_the_user_that_tries(
    base: Path, key: Key, tmp_path: Path, before: tuple[str, ...]
) -> None:
    says = (
        '{ id -u; id -g; env | cut -d= -f1 | sort | tr "\\n" " "; (: </dev/tty) 2>/dev/null || echo no terminal; '
        'touch "$PLUGINS/git/x" "$KIT/x" /usr/lib/fake/bin/x 2>&1 | grep -c touch; } >"$TMPDIR/says"\n'
        'echo "# $(cat "$TMPDIR/says" | tr "\\n" ";")" >&2; exit 1'
    )
    machine = machine_with(base, key, tmp_path, step(says))
    done = apply(machine, *before)
    assert "failed: # 989;990;KIT LC_ALL PATH PLUGINS PWD TMPDIR no terminal;3;\n" in done.stdout


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        ('ln -s /etc/passwd "$output"; exit', "there is no program"),
        ('mkfifo "$output"; exit', "there is no program"),
        ('mkdir "$output"; exit', "there is no program"),
        ('echo x >"$output"; ln "$output" "$output.2"; exit', "it left more than plain files"),
        ('ln /etc/secret "$output"; exit', "making fake with git failed"),
        ('dd if=/dev/zero of="$output" bs=1M seek=1100 count=1 2>/dev/null || exit 3', "ended with status 3"),
    ],
    ids=["link", "pipe", "directory", "second name", "name of another's file", "larger than 1 GB"],
)
def test_what_is_no_plain_file_of_a_step_is_no_program(
    base: Path, key: Key, tmp_path: Path, does: str, reason: str
) -> None:
    machine = machine_with(base, key, tmp_path, step(does))
    secret = machine.root / "etc/secret"
    secret.write_text("root's own\n")
    secret.chmod(0o600)
    done = apply(machine)
    assert done.returncode == 1
    assert reason in done.stdout
    assert machine.leftovers() == []
    assert not (machine.bin / "serving/fake").exists()


def test_a_step_cannot_change_what_was_verified(base: Path, key: Key, tmp_path: Path) -> None:
    arrange = (ARRANGED.arrange or "").replace(
        "for name; do\n",
        'chmod u+w "$set/plugins/git/code"; echo echo evil >"$set/plugins/git/code"\n'
        '(mkdir "$set/plugins/git/more"; cd "$set/plugins/git/more"; echo new >file; chmod 4777 file)\n'
        "for name; do\n",
        1,
    )
    machine = machine_with(base, key, tmp_path, Target(tree=True, arrange=arrange))
    done = apply(machine)
    assert done.returncode == 0, done.stdout
    serving = machine.bin / "serving"
    assert (serving / "plugins/git/code").read_text() == "echo plugin git\n"
    new = serving / "plugins/git/more/file"
    assert (new.read_text(), new.stat().st_uid) == ("new\n", 0)
    assert stat.S_IMODE(new.stat().st_mode) & 0o7022 == 0
    assert (serving / "loader/list").stat().st_uid == 0
    for closed in ("plugins", "loader"):
        about = (serving / closed).stat()
        assert (about.st_gid, stat.S_IMODE(about.st_mode)) == (990, 0o750)


@pytest.mark.parametrize(
    "does", ['ln -s /etc "$set/loader/etc"', 'mkfifo "$set/loader/pipe"', 'touch "$set/loader/$(printf "a\\001b")"']
)
def test_what_a_step_leaves_beside_plain_files_is_refused(base: Path, key: Key, tmp_path: Path, does: str) -> None:
    arrange = (ARRANGED.arrange or "").replace("for name; do\n", f"{does}\nfor name; do\n", 1)
    machine = machine_with(base, key, tmp_path, Target(tree=True, arrange=arrange))
    done = apply(machine)
    assert done.returncode == 1
    assert "arranging the plugins of fake failed: it left more than plain files" in done.stdout
    assert machine.leftovers() == []


def test_a_try_sees_the_machine_read_only(serving: Machine) -> None:
    for place in ("srv", "run/lock", "var/tmp", "dev/shm"):
        (serving.root / place).mkdir(parents=True, exist_ok=True)
        (serving.root / place).chmod(0o1777)
    code = """
for place in /srv /run/lock /run /tmp /var/tmp /dev/shm /etc; do touch $place/evil 2>/dev/null || :; done
for place in /srv /run /run/lock /etc; do
    if [ -e $place/evil ]; then echo "it writes in $place" >&2; exit 1; fi
done
touch "$HOME/file" || exit 1
number=0
while dd if=/dev/zero of="$HOME/$number" bs=1M count=30 2>/dev/null; do
    number=$((number + 1))
    if [ "$number" -gt 3 ]; then echo "it fills the disk" >&2; exit 1; fi
done
"""
    serving.install("curious", files={"code": code})
    with with_proc(serving):
        done = serving.tool("apply")
    assert done.returncode == 0, done.stdout
    found = subprocess.run(["find", serving.root, "-name", "evil"], capture_output=True, text=True, check=True).stdout
    assert found == ""


def test_nothing_that_a_try_began_goes_on_and_nothing_else_ends(serving: Machine) -> None:
    seconds = own_time()
    code = f"""
if [ -z "${{INNER-}}" ]; then
    for _ in 1 2 3; do setsid sh -c "trap '' TERM HUP; sleep {seconds} & sleep {seconds}" & done
    sleep 0.3
fi
"""
    serving.install("daemon", files={"code": code})
    # The service itself, which something else than systemd runs.
    own = ["setpriv", "--reuid", "990", "--regid", "990", "--clear-groups", "sleep", own_time()]
    service = subprocess.Popen(own)
    try:
        with with_proc(serving):
            done = apply(serving, *FEW)
        assert done.returncode == 0, done.stdout
        assert sleeping(seconds) == []
        assert service.poll() is None
    finally:
        service.kill()
        service.wait()


def test_what_never_stays_the_same_process_ends_too(serving: Machine) -> None:
    mark = own_time()
    # It comes to an end by itself should nothing else end it.
    hop = f": {mark}; n=60000; hop() {{ n=$((n - 1)); if [ $n -gt 0 ]; then hop & fi; exit; }}; hop"
    code = f"""
if [ -z "${{INNER-}}" ]; then
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do setsid sh -c '{hop}' >/dev/null 2>&1 & done
    sleep 0.3
fi
"""
    serving.install("hopper", files={"code": code})
    with with_proc(serving):
        done = apply(serving, *FEW)
    assert done.returncode == 0, done.stdout
    assert running(mark.encode()) == []


def test_a_try_that_keeps_its_output_open_does_not_keep_apply(serving: Machine) -> None:
    serving.install("daemon", files={"code": f"setsid sleep {own_time()} & \n"})
    begun = time.monotonic()
    with with_proc(serving):
        done = apply(serving, *FEW)
    assert done.returncode == 0, done.stdout
    assert time.monotonic() - begun < 20


def test_no_local_user_reads_a_program_with_plugins_or_why_it_failed(serving: Machine) -> None:
    visitor = ["setpriv", "--reuid", "991", "--regid", "991", "--clear-groups"]
    program = serving.root / "usr/lib/fake/bin/fake"
    about = program.stat()
    assert (about.st_uid, about.st_gid, stat.S_IMODE(about.st_mode)) == (0, 990, 0o751)
    assert subprocess.run([*visitor, "cat", os.path.realpath(program)], capture_output=True).returncode != 0
    serving.install("bad", files={"code": "echo password 4711 >&2; exit 3\n"})
    assert "password 4711" in serving.tool("apply").stdout
    about = serving.failed_set.stat()
    assert (about.st_uid, about.st_gid, stat.S_IMODE(about.st_mode)) == (0, 990, 0o640)
    status = serving.tool("status", user="visitor")
    assert "the last apply failed, and this user may not read why" in status.stdout
    assert "4711" not in status.stdout


def printable(text: str) -> bool:
    return re.fullmatch(r"[\n -~]*", text) is not None


def test_the_name_of_a_plugin_is_a_word_in_the_file_that_a_step_is(serving: Machine, share: slice) -> None:
    mark = serving.root / "tmp/mark"
    serving.install("bad")
    manifest = serving.manifest("bad")
    text = manifest.read_text()
    for _, word in [*words(Path("/tmp/mark"))][share]:  # noqa: S108 # of the machine
        manifest.write_bytes(text.replace("plugin bad\n", f"plugin {word}\n").encode())
        serving.key.sign(manifest)
        done = apply(serving)
        assert done.returncode == 1, (word, done.stdout)
        assert printable(done.stdout), (word, done.stdout)
    assert not mark.exists()


def test_what_a_program_prints_is_told_without_control_characters(serving: Machine, share: slice) -> None:
    for name, word in [*raw(Path("/tmp/mark"))][share]:  # noqa: S108 # of the machine
        (serving.root / "tmp/word").write_bytes(word)
        serving.install("bad", files={"code": "cat /tmp/word >&2; exit 3\n"}, version=f"1.{len(name)}-1")
        done = apply(serving)
        assert (done.returncode, printable(done.stdout)) == (1, True), (name, done.stdout)
    assert not (serving.root / "tmp/mark").exists()


FIRST = Target(
    assemble="""#!/bin/sh
set -eu
output=$1
shift
{
    echo '#!/bin/sh'
    for name; do cat "$PLUGINS/$name/code"; done
    cat /usr/lib/fake/bin/fake-core
} >"$output"
"""
)


@pytest.mark.parametrize(("core", "status"), [("echo core", 1), ("exit 0", 0), ("exit 3", 0)])
def test_a_silent_try_is_compared_with_the_core_alone(
    base: Path, key: Key, tmp_path: Path, core: str, status: int
) -> None:
    """Where the core says nothing by itself, silence is no fault."""
    machine = machine_of(base, key, tmp_path, SHELLS["dash and mawk"], FIRST)
    machine.core.write_text(f"#!/bin/sh\n{core}\n")
    machine.install("bad", files={"code": "exit 0\n"})
    done = apply(machine)
    assert done.returncode == status, done.stdout
    assert ("fake with bad ended without a word when it was tried" in done.stdout) == (status == 1)
    assert machine.leftovers() == []


def test_of_each_program_it_is_asked_once_whether_it_says_something(base: Path, key: Key, tmp_path: Path) -> None:
    """What is known of a program is nothing of its successor."""
    machine = machine_of(base, key, tmp_path, SHELLS["dash and mawk"], FIRST)
    machine.core.write_text("#!/bin/sh\nexit 0\n")
    machine.install("bad", files={"code": "exit 0\n"})
    assert apply(machine).returncode == 0
    assert (machine.bin / "serving/silent").read_text() == f"{hashlib.sha256(machine.core.read_bytes()).hexdigest()}\n"
    machine.install("other", files={"code": "exit 0\n"})
    assert apply(machine).returncode == 0
    machine.core.write_text("#!/bin/sh\necho core\n")
    done = apply(machine)
    assert (done.returncode, "ended without a word when it was tried" in done.stdout) == (1, True), done.stdout
    assert machine.leftovers() == []
