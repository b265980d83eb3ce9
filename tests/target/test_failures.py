"""A set that fails, a full disk and a kill at any instant leave the old program or the new one, never none."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.processes import own_time, sleeping
from tests.target.machine import Machine
from tests.target.market import BEGIN

OLD = ["core", "plugin git"]
NEW = ["core", "plugin cors", "plugin git"]


def old_set_stays(machine: Machine, *reasons: str) -> None:
    before = machine.program.read_bytes()
    done = machine.tool("apply")
    assert done.returncode == 1, done.stdout
    for reason in (*reasons, "the old set goes on serving: fake with git 1.0-1"):
        assert reason in done.stdout, done.stdout
    assert machine.program.read_bytes() == before
    assert machine.leftovers() == []
    status = machine.tool("status")
    assert status.returncode == 1
    assert reasons[0] in status.stdout


def test_a_plugin_that_does_not_link_is_named(serving: Machine) -> None:
    serving.install("bad", files={"code": "", "unlinkable": ""})
    old_set_stays(serving, "making fake with bad, git failed: symbol missing in bad")


def test_a_plugin_that_crashes_is_refused(serving: Machine) -> None:
    serving.install("bad", files={"code": "echo out of luck >&2; exit 3\n"})
    old_set_stays(serving, "fake with bad, git ended with status 3 when it was tried: out of luck")


def test_a_plugin_that_is_killed_by_a_signal_is_refused(serving: Machine) -> None:
    serving.install("bad", files={"code": "sh -c 'kill -SEGV $$'; exit $?\n"})
    old_set_stays(serving, "ended with status 139 when it was tried")


@pytest.mark.acceptance
def test_a_plugin_that_hangs_is_refused_and_leaves_no_process(serving: Machine) -> None:
    seconds = own_time()
    serving.install(
        "bad", files={"code": f"trap '' TERM\nsleep {seconds} &\nexec setpriv --pdeathsig clear sleep {seconds}\n"}
    )
    old_set_stays(serving, "did not end within 30 seconds when it was tried")
    assert sleeping(seconds) == []


def test_control_characters_of_a_plugin_do_not_reach_the_terminal(serving: Machine) -> None:
    serving.install("bad", files={"code": "printf '\\033[2Jgone\\007\\n' >&2; exit 1\n"})
    old_set_stays(serving, "when it was tried: [2Jgone\n")


def test_the_try_has_no_rights_no_network_and_an_empty_home(serving: Machine) -> None:
    code = """
[ "$(id -u):$(id -g):$(id -G)" = 989:990:990 ] || { echo "user $(id)" >&2; exit 1; }
[ "$(env | sort | cut -d= -f1 | tr '\\n' ' ')" = "HOME LC_ALL PATH PWD TMPDIR " ] || { env >&2; exit 1; }
touch "$HOME/file" "$TMPDIR/file" || exit 1
if touch /usr/lib/fake/bin/x 2>/dev/null; then echo "it writes beside the program" >&2; exit 1; fi
if unshare --net true 2>/dev/null; then echo "it has capabilities" >&2; exit 1; fi
if dd if=/dev/zero of="$HOME/big" bs=1M count=40 2>/dev/null; then echo "it fills the disk" >&2; exit 1; fi
"""
    serving.install("curious", files={"code": code})
    done = serving.tool("apply")
    assert done.returncode == 0, done.stdout
    assert serving.leftovers() == []


def test_a_first_installation_with_a_bad_plugin_has_no_program(machine: Machine) -> None:
    """The server must not start with less than what was installed."""
    machine.install("auth", files={"code": "exit 1\n"})
    done = machine.tool("apply")
    assert done.returncode == 1
    assert "there is no working program yet" in done.stdout
    assert not machine.program.exists()


def test_status_tells_what_is_still_wrong_once(serving: Machine) -> None:
    (serving.plugins / "git/code").write_text("changed\n")
    assert serving.tool("apply").returncode == 1
    status = serving.tool("status")
    assert status.returncode == 1
    assert status.stdout.count("is not what its manifest says") == 1, status.stdout


def test_a_missing_user_is_told(serving: Machine) -> None:
    passwd = serving.root / "etc/passwd"
    passwd.write_text(passwd.read_text().replace("_fake-try:", "else:"))
    serving.install("cors")
    old_set_stays(serving, "the user _fake-try does not exist", "systemd-sysusers fake.conf")


def mount_over(directory: Path, options: str) -> None:
    """Put a file system of its own over a directory, with the same content."""
    kept = directory.with_name("kept")
    subprocess.run(["cp", "-a", directory, kept], check=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", directory], check=False).returncode != 0:
        pytest.skip("this machine mounts no tmpfs")
    subprocess.run(["cp", "-a", f"{kept}/.", directory], check=True)
    shutil.rmtree(kept)


@pytest.mark.parametrize("kilobytes", [0, 8, 40, 60])
def test_a_full_disk_keeps_the_old_program(serving: Machine, kilobytes: int) -> None:
    """The directory of the program lies on a file system with hardly any room."""
    old = serving.program.read_text()
    program = f"{serving.core.read_text()}# {'x' * 100_000}\n"
    mount_over(serving.bin, "size=1m,mode=755")
    try:
        serving.core.write_text(program)
        filler = serving.bin / ".filler"
        filler.write_bytes(b"")
        room = os.statvfs(serving.bin).f_bavail * 4096 - kilobytes * 1024
        filler.write_bytes(b"\0" * room)
        done = serving.tool("apply")
        assert done.returncode == 1, done.stdout
        assert "No space left on device" in done.stdout or " kB are free on " in done.stdout, done.stdout
        assert serving.program.read_text() == old
        assert [name for name in serving.leftovers() if name != ".filler"] == []
        filler.unlink()
        done = serving.tool("apply")
        assert done.returncode == 0, done.stdout
        assert serving.serves() == OLD
    finally:
        subprocess.run(["umount", serving.bin], check=True)


def test_a_read_only_usr_is_told_and_the_way_out(serving: Machine) -> None:
    serving.install("cors")
    mount_over(serving.bin, "mode=755")
    try:
        subprocess.run(["mount", "-o", "remount,ro", serving.bin], check=True)
        done = serving.tool("apply")
        assert done.returncode == 1
        assert "is the disk full, or /usr read-only?\n" in done.stdout
        assert "repair: make room or remount it writable, then fake-plugins apply" in done.stdout
        assert serving.tool("status").returncode == 1
        assert serving.serves() == OLD
        subprocess.run(["mount", "-o", "remount,rw", serving.bin], check=True)
        assert serving.tool("apply").returncode == 0
        assert serving.serves() == [*OLD[:1], "plugin cors", *OLD[1:]]
        assert serving.tool("status").returncode == 0
    finally:
        subprocess.run(["umount", serving.bin], check=True)


def test_without_capabilities_the_try_still_leaves_root_behind(serving: Machine) -> None:
    """A container that builds an image may neither make namespaces nor drop capabilities from the bounding set."""
    serving.install("who", files={"code": '[ "$(id -u)" = 989 ] || exit 1\n'})
    few = ["setpriv", "--bounding-set", "-setpcap,-sys_admin,-net_admin"]
    done = subprocess.run([*few, *serving.command("apply")], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("times", [8, pytest.param(40, marks=pytest.mark.nightly)])
def test_kill_at_any_instant_leaves_the_old_or_the_new_set(serving: Machine, times: int) -> None:
    """The next apply always ends with the new one."""
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)  # noqa: S311 - no secret: it picks the moments, and a failure names its seed
    started = time.monotonic()
    assert serving.tool("verify").returncode == 0
    length = 3 * (time.monotonic() - started)
    killed = 0
    for number in range(times):
        # By turns a plugin comes and goes.
        before, after = (OLD, NEW) if number % 2 == 0 else (NEW, OLD)
        (serving.install if after == NEW else serving.remove)("cors")
        process = subprocess.Popen(
            serving.command("apply"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(chance.random() * length)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        assert serving.serves() in (before, after), f"seed {seed}"
        done = serving.tool("apply")
        assert done.returncode == 0, f"seed {seed}: {done.stdout}"
        assert serving.serves() == after, f"seed {seed}"
        assert serving.leftovers() == []
    assert killed, "no kill came in time: the test shows nothing"


@pytest.mark.parametrize("word", ["INT", "TERM", "HUP"])
def test_an_apply_that_is_interrupted_says_that_it_was(serving: Machine, word: str) -> None:
    serving.install("cors", files={"code": "echo plugin cors\n", "slow": ""})
    # What was started by nohup or in the background ignores some, and so would what it starts.
    heard = ["env", "--default-signal=INT,TERM,HUP", *serving.command("apply")]
    with subprocess.Popen(heard, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as call:
        for _ in range(600):
            if (serving.bin / ".apply.new/room").exists():
                break
            time.sleep(0.05)
        call.send_signal(signal.Signals[f"SIG{word}"])
        said, _ = call.communicate(timeout=60)
    assert call.returncode == 1
    told = "the step 'assemble' was interrupted\nfake-plugins:   repair: fake-plugins apply\n"
    assert said.startswith(f"fake-plugins: {told}"), said
    assert serving.serves() == OLD
    asked = "the last apply failed: the step 'assemble' was interrupted\nfake-plugins:   repair: fake-plugins apply\n"
    assert asked in serving.tool("status").stdout
    assert serving.tool("apply").returncode == 0
    assert (serving.serves(), serving.leftovers()) == (NEW, [])


def test_an_end_after_the_swap_calls_the_new_set_no_old_one(serving: Machine) -> None:
    """The service may have been restarted by then, or not."""
    tool = (serving.root / "usr/bin/fake-plugins").read_text().partition(BEGIN)[0]
    wanted = 'WANTED=$(recorded "$WORKING/working-set" set)'
    for step, set_of_it, said in (
        ("restart", wanted, "the new set stays: fake with git 1.0-1; fake-plugins status tells whether it serves\n"),
        ("restart", "WANTED=none", "the old set goes on serving: fake with git 1.0-1\n"),
        ("assemble", wanted, "the old set goes on serving: fake with git 1.0-1\n"),
    ):
        (serving.root / "told").write_text(f"{tool}\nSTEP={step}\n{set_of_it}\ntell_failure\n")
        done = subprocess.run(["chroot", serving.root, "dash", "/told"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, f"fake-plugins: {said}")


def test_two_at_once_take_turns(serving: Machine) -> None:
    serving.install("cors", files={"code": "echo plugin cors\n", "slow": ""})
    calls = [subprocess.Popen(serving.command("apply"), stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(call.communicate(timeout=60)[0] for call in calls)
    assert [call.returncode for call in calls] == [0, 0]
    assert "nothing to do" in said[0]
    assert "verified and put into fake" in said[1]
    assert serving.serves() == NEW
