"""Programs that mkpkgs starts: what they get, and what is said when they fail."""

from __future__ import annotations

import os

import pytest

from packaging_tool.errors import CommandError
from packaging_tool.run import run


@pytest.mark.parametrize("whole", [True, False])
def test_no_program_gets_the_passphrase(whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKPKGS_PASSPHRASE", "secret")
    monkeypatch.setenv("OTHER", "public")
    seen = run(["env"], env=None if whole else dict(os.environ)).stdout.decode()
    assert "OTHER=public\n" in seen
    assert "secret" not in seen


def test_a_failure_ends_with_the_programs_last_line() -> None:
    with pytest.raises(CommandError) as caught:
        run(["sh", "-c", "echo one >&2; echo two >&2; exit 3"])
    assert caught.value.message == "sh failed with status 3: two"
    assert (caught.value.returncode, caught.value.output) == (3, "one\ntwo")


def test_a_missing_program_is_named_with_the_package_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(CommandError) as caught:
        run(["gpg", "--version"])
    assert (caught.value.message, caught.value.returncode) == ("gpg: not found", 127)
    assert caught.value.hint == "install it: gnupg; outside of Debian gnupg2"
