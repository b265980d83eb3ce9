"""The lock comes back from its text as it was."""

from __future__ import annotations

import tomllib

import pytest

from packaging_tool.errors import InputError
from packaging_tool.golang import lockfile
from packaging_tool.golang.hostmain import HostMain
from packaging_tool.golang.lockfile import Built, GoLock


def example(text: str = "package main\n\nfunc main() {}\n") -> GoLock:
    return GoLock(
        inputs="ab" * 32,
        go="go1.26.8",
        settings={"GOAMD64": "v1", "GOEXPERIMENT": ""},
        compile_flags=("-p=main",),
        link_flags=("-s", "-X=main.greeting=hello world"),
        main=HostMain("head", text, ""),
        go_mod="module mkpkgs/host\n",
        go_sum="",
        modules={"example.com/m": "v1.0.0 h1:x="},
    )


@pytest.mark.parametrize("text", ["", "\n", "plain\n", "'''\n", "end'", '"""\\\n', "tab\there\r\n", "\x00\x7f\u2028é"])
def test_lock_comes_back_whatever_main_has_in_it(text: str) -> None:
    lock = example(text).with_built("arm64", Built("ff" * 32, {"compile": "0"}, {"a/b": "1"}))
    assert lockfile.read(lockfile.render(lock)) == lock


def test_lock_is_readable_toml() -> None:
    assert tomllib.loads(lockfile.render(example()))["go-link"]["go-mod"] == "module mkpkgs/host\n"
    assert "\nfunc main() {}\n" in lockfile.render(example())


@pytest.mark.parametrize("text", ["", "[go-link]\nformat = 99\n", "[go-link]\nformat = 1\n", "no toml", "go-link = 1"])
def test_lock_that_cannot_be_read_is_made_anew(text: str) -> None:
    assert lockfile.parse(text) is None
    with pytest.raises(InputError, match=r"mkpkgs\.lock: "):
        lockfile.read(text)
