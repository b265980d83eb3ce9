"""What bash offers after `fake-plugins`, asked as bash itself asks."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from packaging_tool.drivers.base import Target
from packaging_tool.target import runtime
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


def offered(place: Path, *words: str) -> set[str]:
    """What bash would offer for the last word."""
    line = ["fake-plugins", *words]
    code = f"""
    source {place}/completion
    cd {place}/here
    COMP_WORDS=({shlex.join(line)}) COMP_CWORD={len(words)}
    $(complete -p fake-plugins | sed 's/.*-F \\([^ ]*\\) .*/\\1/') fake-plugins {shlex.quote(words[-1])}
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "--norc", "-uc", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return set(done.stdout.split())


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
