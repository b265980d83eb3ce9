"""Readers of foreign files bear every input that was a fault once, and what is too long to keep as a file.

`python -m tests.fuzz readers` looks for more; a little of that is done here where atheris is installed.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from io import BytesIO

import pytest

from packaging_tool.errors import InputError
from packaging_tool.formats import _rpm_header, _rpm_reader
from packaging_tool.formats import _rpm_tags as t
from tests.fuzz.readers import run
from tests.fuzz.readers.every import TARGETS
from tests.fuzz.readers.files import RULES
from tests.fuzz.readers.repositories import CUT
from tests.fuzz.readers.target import CORPUS

# Bytes of Python's own that one input may take at a time.
MEMORY = 48 << 20
INPUTS = 150
LENGTH = 20_000


@pytest.mark.parametrize("name", TARGETS)
def test_real_files_are_read_and_past_faults_are_not_repeated(name: str) -> None:
    target = TARGETS[name]
    taken = [target.judge(data) for data in target.seeds()]
    assert any(taken), "no real file is taken"
    tracemalloc.start()
    try:
        for data in target.kept().values():
            target.judge(data)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


def test_every_folder_of_past_faults_has_its_target() -> None:
    assert {path.name for path in CORPUS.iterdir()} <= set(TARGETS)


def _rpm(tags: dict[int, _rpm_header.Value]) -> bytes:
    """A package whose header says more than its writer would."""
    whole = next(iter(TARGETS["rpm"].seeds()))
    found = _rpm_reader.parse(BytesIO(whole))
    types = {**t.TYPES, **dict.fromkeys((t.TRIGGERSCRIPTS, t.TRIGGERNAME), t.STRING_ARRAY)}
    header = _rpm_header.encode(t.HEADERIMMUTABLE, {**found.header.tags, **tags}, types)
    return bytes(whole[: found.start] + header)


def _rule(name: str, text: bytes) -> bytes:
    return bytes([[rule for rule, _ in RULES].index(name)]) + text


def _indexed(primary: bytes) -> bytes:
    whole: bytes = next(iter(TARGETS["yum-index"].seeds()))
    repomd, cut, _ = whole.partition(CUT)
    return repomd + cut + b"<package " + primary + b"</package>"


HOSTILE: dict[str, Callable[[], tuple[str, bytes]]] = {
    "triggers-of-an-rpm": lambda: (
        "rpm",
        _rpm(
            {
                t.TRIGGERSCRIPTS: ("",) * LENGTH,
                t.TRIGGERINDEX: tuple(range(LENGTH)),
                t.TRIGGERNAME: ("a",) * LENGTH,
            }
        ),
    ),
    "paths-of-an-rpm": lambda: (
        "rpm",
        _rpm({t.BASENAMES: ("",) * LENGTH, t.DIRINDEXES: (0,) * LENGTH, t.DIRNAMES: ("x" * LENGTH,)}),
    ),
    "comments-of-a-go-file": lambda: ("go-main", b"package p\n" + b"/*" * LENGTH),
    "strings-of-a-go-file": lambda: ("go-main", b"package p\n" + b'"\\"' * LENGTH),
    "titles-of-a-license": lambda: ("text", b"Apache License Version 2.0, January 2004 " * (LENGTH // 8)),
    "addresses-of-a-maintainer": lambda: ("value", _rule("maintainer", b"x" * 10 * LENGTH)),
    "parentheses-of-a-license": lambda: ("value", _rule("license_expression", b"(" * LENGTH)),
    "words-of-a-version": lambda: ("value", _rule("upstream_version", b"1-rc" * LENGTH)),
    "packages-of-an-index": lambda: ("yum-index", _indexed(b"<package " * LENGTH)),
    "names-of-an-index": lambda: ("yum-index", _indexed(b"<name " * LENGTH)),
    "lists-of-a-state": lambda: ("state", b"[" * 5 * LENGTH),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_long_inputs_cost_no_more_than_their_length(case: str) -> None:
    name, data = HOSTILE[case]()
    TARGETS[name].judge(data)


def test_rpm_whose_tags_share_their_data_is_refused() -> None:
    """Else 65,535 tags that name the same data would fill the memory."""
    size = 1 << 16
    index = b"".join(_rpm_header.INDEX.pack(5000 + tag, t.STRING_ARRAY, 0, size) for tag in range(100))
    data = _rpm_header.MAGIC + (100).to_bytes(4, "big") + size.to_bytes(4, "big") + index + bytes(size)
    with pytest.raises(InputError, match="shares data with others"):
        _rpm_header.read(BytesIO(data), len(data))


@pytest.mark.skipif(not run.available(), reason="atheris is not installed")
def test_a_short_run_finds_no_fault() -> None:
    for name, result in run.fuzz(list(TARGETS), seed=0, inputs=INPUTS):
        assert not result.fault, f"{name}: {result.fault}"
        assert result.inputs >= INPUTS and result.edges > 0, name
