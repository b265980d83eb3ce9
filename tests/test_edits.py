"""What somebody changed in a lock by hand is refused with status 2, file and line, whatever the driver."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from packaging_tool import edits
from packaging_tool import lock as locking
from packaging_tool.drivers.base import Lock
from packaging_tool.errors import InputError
from packaging_tool.golang import lockfile
from packaging_tool.golang.lockfile import Built
from packaging_tool.wheels import locked
from tests.golang.test_lockfile import RESOLVED
from tests.wheels.test_locked import INK
from tests.workspace import TINY, Workspace

BUILT = Built("ff" * 32, {"compile": "0"}, {"a/b": "1"})
PARTS = {
    "files": '[files]\nformat = "1"\nabi = "00"\n',
    "exec": '[exec]\nprotocol = "1"\nabi = "00"\n',
    "elf": '[elf]\nformat = 1\nepoch = 5\ncompiler = "gcc"\n\n[elf.built.amd64]\nabi = "00"\nlines = [\n  "a",\n]\n',
    "go-link": lockfile.render(RESOLVED.with_built("amd64", BUILT)),
    "python": locked.render({"inputs": "x", "abi": "00"}, [("all", INK)]),
    "foreign": '[foreign]\nabi = "00"',
}
AUTHOR = """\
[plugin-of]
key = "k"

[plugin-of.abi.00-all]
sha256 = "aa"

[plugin-of.sums]
"example.com/a v1.0.0" = "h1:a="
"example.com/b v1.0.0" = "h1:b="
"""


def read(tmp_path: Path, text: str) -> locking.LockFile | None:
    (tmp_path / "mkpkgs.lock").write_text(text)
    return locking.read(tmp_path / "mkpkgs.lock")


def said(tmp_path: Path, text: str) -> str:
    """The refusal, less the folder."""
    with pytest.raises(InputError) as raised:
        read(tmp_path, text)
    assert raised.value.exit_code == 2
    assert raised.value.hint
    return f"{raised.value.message}; {raised.value.hint}".replace(f"{tmp_path}/", "")


@pytest.mark.parametrize("driver", PARTS)
def test_a_lock_comes_back_and_one_of_an_older_mkpkgs_too(tmp_path: Path, driver: str) -> None:
    file = locking.LockFile("1.0-1", 1, driver, Lock(PARTS[driver]))
    assert read(tmp_path, file.render()) == file
    assert read(tmp_path, file.render().partition(edits.BEGIN)[0]) == file


@pytest.mark.parametrize("driver", PARTS)
@pytest.mark.parametrize("key", ["version", "time", "driver", "abi"])
def test_a_line_that_somebody_changed_or_deleted_is_refused_by_its_line(tmp_path: Path, driver: str, key: str) -> None:
    text = locking.LockFile("1.0-1", 12, driver, Lock(PARTS[driver])).render()
    found = re.findall(rf"^{key} = .*\n", text, re.MULTILINE)[0]
    line = text[: text.index(found)].count("\n") + 1
    table = f"{driver}.built.amd64." if driver in ("elf", "go-link") else f"{driver}."
    name = f"{table if key == 'abi' else ''}{key}"
    new = {"version": '"2.0-1"', "time": "13", "driver": '"other"', "abi": f'"{"ee" * 32}"'}
    told = said(tmp_path, text.replace(found, f"{key} = {new[key]}\n", 1))
    if key == "driver":
        assert told == f'mkpkgs.lock:{line}: driver is not what mkpkgs wrote there; write driver = "{driver}"'
    else:
        assert told.startswith(f"mkpkgs.lock:{line}: {name} is not what mkpkgs wrote there; take it back from version")
    gone = said(tmp_path, text.replace(found, "", 1))
    assert f"{name} is missing" in gone


@pytest.mark.parametrize(
    ("driver", "pattern", "told"),
    [
        ("go-link", r'^"go-mod" = ".{16}"\n', "go-link.sums.go-mod is missing"),
        ("python", r"^sum = .*\n", "python.sum is missing"),
        ("files", r'^"files.abi" = .*\n', "the sum of files.abi is missing"),
        ("elf", r'^"time" = .*\n', "the sum of time is missing"),
    ],
)
def test_a_sum_that_somebody_deleted_is_said_to_be_missing(
    tmp_path: Path, driver: str, pattern: str, told: str
) -> None:
    text = locking.LockFile("1.0-1", 12, driver, Lock(PARTS[driver])).render()
    changed = re.sub(pattern, "", text, flags=re.MULTILINE)
    assert changed != text
    assert re.match(rf"mkpkgs\.lock:\d+: {re.escape(told)}; take it back", said(tmp_path, changed))


def test_a_sum_that_somebody_deleted_is_said_to_be_missing_in_an_older_lock_too() -> None:
    changed = re.sub(r'^"go-mod" = ".{16}"\n', "", PARTS["go-link"], flags=re.MULTILINE)
    line = PARTS["go-link"].splitlines().index("[go-link.sums]") + 7
    with pytest.raises(InputError, match=rf"^mkpkgs\.lock:{line}: go-link\.sums\.go-mod is missing$"):
        lockfile.read(changed)


def test_an_author_may_delete_the_line_of_a_sum_and_change_none(tmp_path: Path) -> None:
    text = locking.LockFile("1.0-1", 12, "files", Lock(AUTHOR)).render()
    for line in ('"example.com/a v1.0.0" = "h1:a="\n', '"example.com/b v1.0.0" = "h1:b="\n'):
        text = text.replace(line, "")
        assert read(tmp_path, text) is not None
    assert read(tmp_path, text.replace("[plugin-of.sums]\n", "")) is not None
    text = locking.LockFile("1.0-1", 12, "files", Lock(AUTHOR)).render()
    number = text.splitlines().index('"example.com/b v1.0.0" = "h1:b="') + 1
    assert said(tmp_path, text.replace('"h1:b="', '"h1:c="')).startswith(
        f"mkpkgs.lock:{number}: plugin-of.sums: 'example.com/b v1.0.0' is not what mkpkgs wrote there"
    )
    assert said(tmp_path, text.replace('key = "k"', 'key = "l"')).startswith("mkpkgs.lock:8: plugin-of.key is not")


@pytest.mark.parametrize("end", ["", "[mkpkgs]", "mkpkgs = 1", "nonsense", "[mkpkgs]\nversion = 1"])
def test_an_end_that_is_no_list_of_sums_is_refused(tmp_path: Path, end: str) -> None:
    text = locking.LockFile("1.0-1", 12, "files", Lock(PARTS["files"])).render()
    said(tmp_path, f"{text.partition(edits.BEGIN)[0]}{edits.BEGIN}{end}")


def test_an_edited_lock_stays_until_somebody_locks_anew(tmp_path: Path) -> None:
    project = Workspace.create(TINY, tmp_path)
    project.mkpkgs("-q", "lock")
    lock = project.root / "mkpkgs.lock"
    good = lock.read_text()
    for pattern, new in (("^abi = .*$", 'abi = "00"'), ("^time = .*$", "time = 5"), ('^driver = "', 'driver = "x')):
        lock.write_text(edited := re.sub(pattern, new, good, flags=re.MULTILINE))
        line = next(number for number, row in enumerate(edited.splitlines(), 1) if row.startswith(new))
        for command in ((), ("plan",), ("build",)):
            done = project.mkpkgs("-q", *command, check=False)
            assert done.returncode == 2
            assert f"mkpkgs.lock:{line}: " in done.stdout
            assert lock.read_text() == edited
        project.mkpkgs("-q", "lock")
        assert re.sub(".*time.*", "", lock.read_text()) == re.sub(".*time.*", "", good)
    project.mkpkgs("-q")
    # A new version of the server renews it, as ever.
    file = project.root / "mkpkgs.toml"
    file.write_text(file.read_text().replace('version = "', 'version = "2', 1))
    project.mkpkgs("-q", "plan")
