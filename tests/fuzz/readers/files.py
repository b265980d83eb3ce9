"""Readers of the files of a project: mkpkgs.toml and the texts in it, mkpkgs.lock, and the record of the last run."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from packaging_tool import lock, state
from packaging_tool.drivers.base import Lock
from packaging_tool.errors import ProjectError
from packaging_tool.formats.base import Built
from packaging_tool.golang import lockfile
from packaging_tool.package import texts, versions
from packaging_tool.package.model import Change, Module, Relation
from packaging_tool.project import lines, loader, relations, rules
from packaging_tool.project.faults import RuleError
from tests.formats import samples
from tests.fuzz.readers.target import Target, as_file, holds, scratch

ROOT = Path(__file__).parent.parent.parent.parent
KEYS = (
    b"[core] [core.service] [[core.file]] [core.deb] [plugin.a] [plugin.a.files] [repository] files = name = ".split()
)


def _read_project(data: bytes) -> None:
    folder = _project()
    file = folder / "mkpkgs.toml"
    file.write_bytes(data)
    try:
        found = loader.load(file)
    except ProjectError as error:
        number = data.count(b"\n") + 1
        for problem in error.problems:
            holds(bool(problem.what) and 0 <= problem.line <= number, f"a problem in line {problem.line} of {number}")
        raise
    holds(bool(found.core.name and found.core.targets), "a project without name or targets")
    versions.key(f"{found.core.epoch}:{found.core.version}-{found.core.release}")


@cache
def _project() -> Path:
    """The folder of a sample, so that its project file is good there."""
    folder = scratch() / "project"
    shutil.copytree(ROOT / "tests/samples/tiny", folder, ignore=shutil.ignore_patterns(".mkpkgs", "dist"))
    return folder


def _projects() -> Iterator[bytes]:
    places = ("examples/*/mkpkgs.toml", "tests/samples/*/mkpkgs.toml", "tests/samples/bad/*.toml")
    for path in (path for place in places for path in sorted(ROOT.glob(place))):
        yield path.read_bytes()


def _read_lines(data: bytes) -> None:
    """The scanner finds each value that tomllib finds, and takes anything else too."""
    text = data.decode()
    found = lines.scan(text)
    last = text.count("\n") + 1
    holds(all(1 <= line <= last for line in found.values()), "a line behind the end")
    lines.at_line(text, last)
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    # Carriage returns are gone before the loader scans.
    if "\r" not in text:
        missing = [path for path in _paths(raw) if path not in found]
        holds(not missing, f"the scanner does not see {missing[:1]}")


def _paths(raw: Any) -> Iterator[lines.Path]:
    waiting: list[tuple[lines.Path, Any]] = [((), raw)]
    while waiting:
        path, value = waiting.pop()
        if not isinstance(value, dict):
            yield path
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        waiting += [((*path, name), item) for name, item in items]


def _read_lock(data: bytes) -> None:
    path = as_file("mkpkgs.lock", data)
    found = lock.read(path)
    holds(found is not None, "a lock that is not there")
    if found is not None:
        path.write_text(found.render(), encoding="utf-8")
        holds(lock.read(path) == found, "another lock after writing it")


def _locks() -> Iterator[bytes]:
    for part in (_go_lock(), '[files]\nformat = "1"\nabi = "00"\n'):
        yield lock.LockFile("2.11.9-1", 1_790_000_000, "go-link", Lock(part)).render().encode()


def _read_go_lock(data: bytes) -> None:
    found = lockfile.read(data.decode())
    holds(lockfile.parse(lockfile.render(found)) == found, "another lock after writing it")


def _go_lock() -> str:
    from tests.golang.test_lockfile import example

    built = lockfile.Built("ff" * 32, {"compile": "0" * 64}, {"example.com/m": "1" * 64})
    return lockfile.render(example("package main\n\nvar a = '\"'\n").with_built("amd64", built))


def _go_locks() -> Iterator[bytes]:
    yield _go_lock().encode()
    yield _go_lock().replace("'''", '"""').encode()


def _read_state(data: bytes) -> None:
    path = as_file("state.json", data)
    found = state.load(path)
    found.reusable(scratch(), "apt/tiny.deb", "ab")
    state.save(path, found)
    holds(state.load(path) == found, "another record after writing it")


def _states() -> Iterator[bytes]:
    built = Built(Path("apt/tiny.deb"), 7, "00" * 32, "tiny", "1-1", "all", {"control": "Package: tiny\n"})
    full = state.State("ab", {"apt/tiny.deb": "7 1"}, {"apt/tiny.deb": ("ab", built)})
    for record in (state.State(), full):
        path = scratch() / "state.json"
        state.save(path, record)
        yield path.read_bytes()
    yield json.dumps({"format": 2}).encode()


# The rules by name, in an order that stays.
RULES = sorted({rule.__name__: rule for rule in (*rules.OF.values(), rules.plain)}.items())


def _read_value(data: bytes) -> None:
    """A single value: the first byte chooses the rule, the rest is the text."""
    name, rule = RULES[data[0] % len(RULES)] if data else RULES[0]
    text = data[1:].decode()
    try:
        if name in ("epoch", "rule"):  # `rule` is what `between` makes
            rule(int.from_bytes(data[1:9], "big", signed=True))
        elif name in ("renamed", "unit_line", "variable"):
            rule(*text.partition("=")[::2])
        else:
            rule(text)
    except RuleError as error:
        # What is wrong stands in it, and so it is no error without a word.
        holds(bool(error.what), f"{name} says nothing")
        return
    if name in ("whole_version", "upstream_version"):
        versions.key(text)
    if "relation" in name or name == "provided":
        _is_spelled(text)


def _is_spelled(text: str) -> None:
    items = [item for item in relations.parse(text) if isinstance(item, Relation)]
    again = " | ".join(f"{i.name} {i.operator} {i.version}".rstrip() for i in items)
    holds(relations.parse(again) == tuple(items), "another relation after writing it")


def _values() -> Iterator[bytes]:
    samples_ = (
        b"caddy",
        b"1:2.11.9~rc1+git-1",
        b"openssl >= 3.0 | mailx",
        b"foo(bar) = 1",
        b"Apache-2.0 AND (MIT OR GPL-2.0-or-later WITH Classpath-exception-2.0)",
        b"Jo Doe <jo@example.org>",
        b"https://example.org/",
        b"run --config '/etc/caddy/Caddyfile'",
        b"/usr/lib/caddy/plugins/",
        b"CAP_NET_BIND_SERVICE",
        b"2026-11-20T12:00:00Z",
        b"LimitNOFILE=1048576",
        b"0640",
    )
    for place in range(len(RULES)):
        for text in samples_:
            yield bytes((place,)) + text


def _read_text(data: bytes) -> None:
    """Texts of a project or of a module's license, as they come into a control file, a changelog and a copyright."""
    from packaging_tool.formats import _deb_control

    text = data.decode()
    modules = (Module("example.org/m", "v1.0.0", "Apache-2.0 AND MIT", (), text, ""),)
    written = texts.copyright_file(samples.plugin(modules=modules))
    _is_control(written.decode())
    texts.copyright_file(samples.plugin(modules=modules), common_licenses=False)
    try:
        rules.paragraphs(text)
    except RuleError:
        return
    value = _deb_control.description(samples.plugin(description=text))
    holds("\n\n" not in value and "\n" in value, "a description with an empty line, or of one line")
    _is_control(f"Description: {value}\n")
    change = Change("1.0-1", int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()), samples.MAINTAINER, (text,))
    made = texts.debian_changelog("tiny", (change,)).decode()
    ends = [line for line in made.split("\n") if line.startswith(" -- ")]
    holds(len(ends) == 1, "a changelog with two ends")


def _is_control(text: str) -> None:
    """Each line of a paragraph is a field, or goes on with one and says something (deb822(5))."""
    for line in text.split("\n"):
        goes_on = line.startswith(" ") and line.strip() != ""
        begins = line[:1].isalpha() and ":" in line
        holds(not line or goes_on or begins, f"{line!r} in a control file")


def _texts() -> Iterator[bytes]:
    yield samples.MIT.encode()
    yield samples.plugin().description.encode()
    yield b"One.\n\n * a\n * b\n\n.dot\n -- no end\nCopyright: x\n"
    yield b"Apache License\nVersion 2.0, January 2004\nEND OF TERMS AND CONDITIONS\n APPENDIX: How to apply x\n"
    yield b"GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007 x END OF TERMS AND CONDITIONS\nCopyright (c) 2020 A\n"


WRONG = (UnicodeDecodeError,)
TARGETS = (
    Target("project", _read_project, _projects, words=(*KEYS, b'"""', b"'''"), longest=1 << 13),
    Target("lines", _read_lines, _projects, words=(*KEYS, b'"""', b"'''"), errors=WRONG, longest=1 << 13),
    Target("lock", _read_lock, _locks, words=(b"# The driver's part:\n", b"time = ", b"inf", b"nan"), longest=1 << 12),
    Target("go-lock", _read_go_lock, _go_locks, words=(b"[go-link.built.amd64]\n", b"'''"), errors=WRONG),
    Target("state", _read_state, _states, words=(b'"packages"', b'"built"', b'"files"', b"{}", b"[]", b"null")),
    Target("value", _read_value, _values, words=(b">=", b" AND ", b"(", b"|"), errors=WRONG, longest=1 << 11),
    Target("text", _read_text, _texts, words=(b"Apache License", b"\n\n", b"\n * "), errors=WRONG, longest=1 << 12),
)
