"""`apply --boot` and `apply --after`, as the units call them: cheap where nothing changed, and never in the way."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.target.conftest import with_proc
from tests.target.machine import Machine

OLD = ["core", "plugin git"]


def test_boot_reads_no_payload_where_nothing_changed(serving: Machine) -> None:
    (serving.plugins / "git/code").write_text("changed\n")
    done = serving.tool("apply", "--boot")
    assert (done.returncode, done.stdout) == (0, "")
    assert serving.tool("apply").returncode == 1


@pytest.mark.parametrize("change", ["manifest", "core", "key", "revoked", "disabled", "program", "half"])
def test_boot_looks_closer_where_something_changed(serving: Machine, change: str) -> None:
    match change:
        case "manifest":
            serving.install("cors")
        case "core":
            serving.core.write_text(serving.core.read_text() + "# newer\n")
        case "key":
            (serving.root / "etc/fake/keys.d/other.pub").write_bytes(serving.key.public)
        case "revoked":
            (serving.root / "etc/fake/keys.d/revoked").write_text(f"{serving.key.id.hex()}\n")
        case "disabled":
            (serving.root / "etc/fake/plugins.d/disabled").write_text("git\n")
        case "program":
            serving.program.resolve().unlink()
        case "half":
            (serving.bin / "serving").unlink()
    done = serving.tool("apply", "--boot")
    assert done.stdout != ""
    assert done.returncode == (1 if change == "revoked" else 0), done.stdout
    again = serving.tool("apply", "--boot")
    assert (again.returncode, again.stdout != "") == ((1, True) if change == "revoked" else (0, False))


def test_boot_tries_again_what_has_failed(serving: Machine) -> None:
    serving.install("bad", files={"code": "exit 1\n"})
    assert serving.tool("apply").returncode == 1
    done = serving.tool("apply", "--boot")
    assert done.returncode == 1
    assert "when it was tried" in done.stdout
    serving.remove("bad")
    assert serving.tool("apply", "--boot").returncode == 0
    assert serving.tool("status").returncode == 0


def test_boot_waits_for_no_other_apply(serving: Machine) -> None:
    serving.install("cors")
    with (serving.root / "run/fake-plugins.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        started = time.monotonic()
        assert serving.tool("apply", "--boot").returncode == 0
        assert time.monotonic() - started < 5
        assert serving.serves() == OLD
        # The other one has just failed: that is shown.
        (serving.root / "run/fake-plugins.failed").write_text("no luck\n")
        done = serving.tool("apply", "--boot")
        assert (done.returncode, done.stdout) == (1, "no luck\n")


def started(pid: int) -> str:
    """When a process started (proc(5): the 22nd field of stat)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def test_after_waits_for_the_end_of_a_process(serving: Machine) -> None:
    serving.install("cors")
    sleeper = subprocess.Popen(["sleep", "20"])
    word = f"{sleeper.pid}-{started(sleeper.pid)}"
    with with_proc(serving):
        # A unit of an older version names the id alone.
        waiting = [
            subprocess.Popen(serving.command("apply", "--after", said), stdout=subprocess.DEVNULL)
            for said in (word, str(sleeper.pid))
        ]
        time.sleep(0.7)
        assert [one.poll() for one in waiting] == [None, None]
        assert serving.serves() == OLD
        sleeper.kill()
        sleeper.wait()
        assert [one.wait(60) for one in waiting] == [0, 0]
    assert serving.serves() == ["core", "plugin cors", "plugin git"]
    serving.remove("cors")
    assert serving.tool("apply", "--after", "0").returncode == 0
    assert serving.serves() == OLD


def test_another_process_with_the_same_id_prolongs_nothing(serving: Machine) -> None:
    """Whoever starts processes until one gets that id could keep updates away for ever."""
    serving.install("cors")
    sleeper = subprocess.Popen(["sleep", "60"])
    with with_proc(serving):
        done = serving.tool("apply", "--after", f"{sleeper.pid}-{int(started(sleeper.pid)) - 1}")
    assert (done.returncode, sleeper.poll()) == (0, None)
    sleeper.kill()
    sleeper.wait()
    assert serving.serves() == ["core", "plugin cors", "plugin git"]


def test_a_process_with_a_strange_name_is_told_from_others(serving: Machine, tmp_path: Path) -> None:
    """The name stands in the same line as the time, and whoever runs the process chooses it."""
    program = tmp_path / "a) 1 2\n) S 1"
    shutil.copy2(shutil.which("sleep") or "", program)
    sleeper = subprocess.Popen([program, "60"])
    with with_proc(serving):
        waiting = subprocess.Popen(serving.command("apply", "--after", f"{sleeper.pid}-{started(sleeper.pid)}"))
        time.sleep(0.7)
        assert waiting.poll() is None
        sleeper.kill()
        sleeper.wait()
        assert waiting.wait(60) == 0


def test_boot_sees_the_change_of_a_large_manifest(serving: Machine) -> None:
    """As large as one may be: a plugin with 10,000 files has 1 MB."""
    listed = {f"{number:05}{'x' * 90}": "" for number in range(9000)}
    serving.install("large", files={"code": "echo plugin large\n", **listed})
    assert serving.manifest("large").stat().st_size > 1 << 20
    assert serving.tool("apply", "--boot").returncode == 0
    assert serving.serves() == ["core", "plugin git", "plugin large"]


@pytest.mark.parametrize(
    "wrong",
    [
        ["--after"],
        ["--after", ""],
        ["--after", "-1"],
        ["--after", "1x"],
        ["--after", "1-"],
        ["--after", "1-2-3"],
        ["--after", "-"],
        ["--boot", "now"],
    ],
)
def test_wrong_usage_is_refused(serving: Machine, wrong: list[str]) -> None:
    serving.install("cors")
    assert serving.tool("apply", *wrong).returncode == 2
    assert serving.serves() == OLD
