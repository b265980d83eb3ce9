"""The lock comes back from its text as it was."""

from __future__ import annotations

import tomllib

import pytest

from packaging_tool import lock as locking
from packaging_tool.drivers.base import Lock
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


RESOLVED = GoLock(
    inputs="ab" * 32,
    go="go1.26.8",
    settings={"GOAMD64": "v1"},
    compile_flags=("-p=main", "-lang=go1.21"),
    link_flags=("-s",),
    main=HostMain('package main\n\nimport (\n\t"example.com/lib"\n', ")\n\nfunc main() {}\n", ""),
    go_mod="module mkpkgs/lamp\n\ngo 1.21\n\n"
    "require (\n\texample.com/lib v1.0.0\n\texample.com/x v1.0.0 // indirect\n)\n",
    go_sum="example.com/lib v1.0.0 h1:aaa=\nexample.com/lib v1.0.0/go.mod h1:bbb=\n"
    "example.com/lib v0.9.0/go.mod h1:c=\nexample.com/x v1.0.0 h1:ddd=\n",
    modules={"example.com/lib": "v1.0.0 h1:aaa=", "example.com/x": "v1.0.0 h1:ddd="},
)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("\texample.com/x v1.0.0", "\texample.com/x v1.1.0", "go-mod"),
        ("example.com/x v1.0.0 h1:ddd=", "example.com/x v1.0.0 h1:eee=", "go-sum"),
        ("example.com/lib v1.0.0 h1:aaa=", "example.com/lib v1.0.1 h1:aaa=", "go-sum"),
        ('"example.com/x" = "v1.0.0', '"example.com/x" = "v1.1.0', "modules"),
        ("-lang=go1.21", "-lang=go1.22", "compile-flags"),
    ],
)
def test_a_lock_that_somebody_changed_is_refused_by_its_line(old: str, new: str, key: str) -> None:
    """Not in the words of the go command, which would speak of a go.mod that nobody sees."""
    text = lockfile.render(RESOLVED).replace(old, new, 1)
    file = locking.LockFile("1.0-1", 1, "go-link", Lock(text)).render().splitlines()
    with pytest.raises(InputError) as raised:
        lockfile.read(text)
    (line,) = [number for number, row in enumerate(file, 1) if new in row]
    assert raised.value.message == f"mkpkgs.lock:{line}: go-link.{key} is not what mkpkgs wrote there"
    assert raised.value.exit_code == 2
    assert raised.value.hint == "take it back from version control, or delete it to lock anew"


@pytest.mark.parametrize(
    ("old", "new"),
    [("go 1.21\n", "go 1.25\n"), ("\texample.com/lib v1.0.0\n", ""), ("func main", "func mian"), ("h1:bbb=", "h1:x=")],
)
def test_what_has_no_line_of_its_own_is_refused_by_the_line_of_its_key(old: str, new: str) -> None:
    text = lockfile.render(RESOLVED).replace(old, new, 1)
    with pytest.raises(InputError, match=r"^mkpkgs\.lock:\d+: go-link\.[a-z-]+ is not what mkpkgs wrote there$"):
        lockfile.read(text)


def test_what_a_build_adds_changes_no_sum() -> None:
    built = RESOLVED.with_built("amd64", Built("ff" * 32, {"compile": "0"}, {"a/b": "1"}))
    assert lockfile.read(lockfile.render(built)) == built
