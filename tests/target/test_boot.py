"""`apply --boot` and `apply --after`, as the units call them: cheap where nothing changed, and never in the way."""

from __future__ import annotations

import fcntl
import subprocess
import time

import pytest

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


def test_after_waits_for_the_end_of_a_process(serving: Machine) -> None:
    serving.install("cors")
    sleeper = subprocess.Popen(["sleep", "20"])
    waiting = subprocess.Popen(serving.command("apply", "--after", str(sleeper.pid)), stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    assert waiting.poll() is None
    assert serving.serves() == OLD
    sleeper.kill()
    sleeper.wait()
    assert waiting.wait(30) == 0
    assert serving.serves() == ["core", "plugin cors", "plugin git"]
    serving.remove("cors")
    assert serving.tool("apply", "--after", "0").returncode == 0
    assert serving.serves() == OLD


@pytest.mark.parametrize(
    "wrong", [["--after"], ["--after", ""], ["--after", "-1"], ["--after", "1x"], ["--boot", "now"]]
)
def test_wrong_usage_is_refused(serving: Machine, wrong: list[str]) -> None:
    serving.install("cors")
    assert serving.tool("apply", *wrong).returncode == 2
    assert serving.serves() == OLD
