"""What bash offers after `fake-plugins`, asked as bash itself asks."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from packaging_tool.drivers.base import Target
from packaging_tool.target import runtime
from tests.hostile.words import raw
from tests.target.machine import ABI, spec

COMMANDS = {
    *("list", "status", "verify", "why", "freeze", "apply", "enable", "disable", "install", "remove", "sync", "doctor")
}


def script() -> str:
    entries = runtime.core_entries(spec(), Target(assemble=""), (ABI,), {})
    content = next(e.content for e in entries if e.path == "/usr/share/bash-completion/completions/fake-plugins")
    assert content is not None
    return content.read().decode()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory that stands for the root, with two plugins, one of them disabled."""
    for path, text in {
        "usr/share/fake/plugins/git.manifest": "",
        "usr/share/fake/plugins/cors.manifest": "",
        "usr/share/fake/plugins/cors.manifest.sig": "",
        "etc/fake/plugins.d/disabled": "cors\n",
        "here/plugins.txt": "",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    text = (
        script().replace("/usr/share/fake", f"{tmp_path}/usr/share/fake").replace("/etc/fake", f"{tmp_path}/etc/fake")
    )
    (tmp_path / "completion").write_text(text)
    return tmp_path


def offered(place: Path, *words: str, path: str = "") -> set[str]:
    """What bash would offer for the last word."""
    line = ["fake-plugins", *words]
    code = f"""
    source {place}/completion
    cd {place}/here
    COMP_WORDS=({shlex.join(line)}) COMP_CWORD={len(words)}
    $(complete -p fake-plugins | sed 's/.*-F \\([^ ]*\\) .*/\\1/') fake-plugins {shlex.quote(words[-1])}
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-uc", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PATH": path or os.environ["PATH"]},
    )
    assert done.stderr == ""
    return set(done.stdout.splitlines()) - {""}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["st"], {"status"}),
        ([""], COMMANDS),
        (["--v"], {"--version"}),
        (["list", "-"], {"--available", "--json", "--help"}),
        (["--json", "st"], {"status"}),
        (["sync", "--"], {"--dry-run", "--yes", "--help"}),
        (["disable", ""], {"git", "cors"}),
        (["disable", "--dry-run", "g"], {"git"}),
        (["enable", ""], {"cors"}),
        (["remove", "git", "c"], {"cors"}),
        (["sync", "p"], {"plugins.txt"}),
        (["status", ""], set()),
        (["frob", ""], set()),
    ],
)
def test_bash_completes_what_fits(place: Path, words: list[str], expected: set[str]) -> None:
    assert offered(place, *words) == expected


def test_a_machine_without_plugins_has_no_names_to_offer(place: Path) -> None:
    shutil.rmtree(place / "usr")
    shutil.rmtree(place / "etc")
    assert offered(place, "disable", "") == offered(place, "enable", "") == set()


def test_names_of_files_and_packages_are_words(place: Path) -> None:
    """The index of any repository names packages, also one from which nothing may be installed."""
    mark = place / "mark"
    words = [word for _, word in raw(mark) if len(word) < 200]
    for word in words:
        if word and not set(word) & set(b"/\0"):
            (place / f"usr/share/fake/plugins/{os.fsdecode(word)}.manifest").touch()
    (place / "etc/fake/plugins.d/disabled").write_bytes(b"cors\n" + b"\n".join(words))
    (place / "names").write_bytes(b"".join(b"fake-plugin-%s\n" % word for word in (b"auth", *words)))
    for program, status in (("apt-cache", 0), ("apt-cache", 1), ("dnf", 0)):
        # dnf is asked where apt knows nothing.
        stubs = place / f"stubs-{program}-{status}"
        stubs.mkdir()
        (stubs / program).write_text(f"#!/bin/sh\ncat {place}/names\nexit {status}\n")
        (stubs / program).chmod(0o755)
        if program == "dnf":
            (stubs / "apt-cache").symlink_to("/bin/false")
        path = f"{stubs}:{os.environ['PATH']}"
        for command in ("install", "why", "enable", "disable", "remove"):
            found = offered(place, command, "", path=path)
            assert all(re.fullmatch("[a-z0-9][a-z0-9.+-]*", name) for name in found), found
            assert {"install": "auth", "why": "auth"}.get(command, "cors") in found
            assert offered(place, command, "$(", path=path) == set()
        assert not mark.exists()


def test_nobody_waits_for_the_end_of_a_pipe(place: Path) -> None:
    (place / "etc/fake/plugins.d/disabled").unlink()
    os.mkfifo(place / "etc/fake/plugins.d/disabled")
    assert offered(place, "enable", "") == set()


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_the_completion_is_clean() -> None:
    done = subprocess.run(
        ["shellcheck", "--shell=bash", "--color=never", "-"],
        input=script(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
