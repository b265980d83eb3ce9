"""All readers of a format read the same out of the same bytes, or refuse: vectors, and files that are nearly right.

`python -m tests.fuzz agreement` goes on for longer. What is done where readers disagree stands in CONTRIBUTING.md.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from packaging_tool.errors import InputError
from packaging_tool.package import manifest
from tests.fuzz.agreement import builder, opener, run, target
from tests.fuzz.agreement.answer import REFUSED
from tests.fuzz.agreement.formats import FORMATS, GO, PYTHON, UNDECIDED, Input, inputs, kept, vectors
from tests.fuzz.agreement.machines import Laid, lay_down
from tests.fuzz.agreement.run import Reader

SEED = 12
# Of each format.
INPUTS = 20
DEBIAN = "dash and mawk"

needs_tools = pytest.mark.skipif(
    DEBIAN not in target.available() or not opener.available(), reason="needs root, mawk and go"
)


@pytest.fixture(scope="module")
def asked() -> Iterator[Mapping[str, Reader]]:
    with run.readers() as found:
        yield found


@needs_tools
@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("case", "signature")])
def test_vectors_are_read_alike(name: str, asked: Mapping[str, Reader]) -> None:
    """Signature cases are asked of each reader by its own tests."""
    judged = list(vectors(name))
    if name == "manifest":
        judged = [(path, good, Input(name, {"": item.data.replace(b"caddy", b"fake")})) for path, good, item in judged]
    answers = run.compare([item for *_, item in judged], asked)
    by_data = {item.data: said for item, said in answers}
    for path, good, item in judged:
        said = set(by_data[item.data].values())
        assert len(said) == 1, f"{path.name}: {by_data[item.data]}"
        # Whoever reads a list of disabled plugins leaves out what is no name; that apply refuses it is another test.
        if name != "disabled":
            assert (said.pop().split(":")[0] in (REFUSED, "unknown")) is not good, path.name


@needs_tools
def test_nearly_right_files_are_read_alike(asked: Mapping[str, Reader]) -> None:
    given = [item for kind in FORMATS.values() for item in itertools.islice(inputs(kind, SEED), INPUTS)]
    found = run.disagreements(given, asked)
    assert not found, f"seed {SEED}:\n" + "\n".join(map(str, found))


def test_no_disagreement_waits_for_a_verdict() -> None:
    assert not list(UNDECIDED.glob("*/*")), "see CONTRIBUTING.md: who is right?"


def test_the_same_seed_gives_the_same_inputs() -> None:
    for kind in FORMATS.values():
        one, two, other = (list(itertools.islice(inputs(kind, seed), 30)) for seed in (1, 1, 2))
        assert one == two
        assert [item.files for item in one] != [item.files for item in other]


def test_inputs_come_back_from_what_is_kept() -> None:
    for kind in FORMATS.values():
        for item in itertools.islice(inputs(kind, 3), 30):
            assert kept(kind.name, item.data, item.label) == item


def _lax(laid: Sequence[Laid]) -> list[str]:
    """Takes carriage returns for nothing, as a reader in text mode does."""
    made = []
    for item in laid:
        (path,) = (item.machine / "share").glob(f"**/{item.name}.manifest")
        path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))
        made.append(_read(item))
    return made


def _read(item: Laid) -> str:
    try:
        return builder.read_manifest(item)
    except InputError:
        return REFUSED


def _search(asked: Mapping[str, Reader], name: str, most: int) -> run.Disagreement | None:
    """The first disagreement of the inputs of a seed."""
    given = list(itertools.islice(inputs(FORMATS[name], SEED), most))
    return next(iter(run.disagreements(given, asked)), None)


def test_a_reader_that_is_too_lax_is_found_and_told() -> None:
    strict: Reader = builder.read
    found = _search({PYTHON: strict, "lax": _lax}, "manifest", 600)
    assert found is not None
    text = str(found)
    assert re.match(rf"manifest {SEED} \d+: the readers disagree about \d+ bytes:\n", text)
    assert "\\r\\n" in text and "\n  python reads: refused\n" in text and '\n  lax reads: {"abi"' in text


@needs_tools
def test_a_lax_line_of_awk_is_found(tmp_path: Path) -> None:
    """The rule of parse.awk that wants each path once and in order is gone."""
    rule = '    if (before != "" && "" path <= "" before) refuse(" line " FNR ": is not sorted or there twice")\n'
    lax = target.Target(DEBIAN, tmp_path, {rule: ""})
    assert _search({PYTHON: builder.read, "lax": lax.read}, "manifest", 300) is not None


@needs_tools
def test_a_lax_line_of_go_is_found(tmp_path: Path) -> None:
    """A key or signature file may go on after its second line, as signify(1) has it."""
    lax = opener.Opener(tmp_path, {"len(parts) != 3 || len(parts[2]) != 0": "len(parts) < 3"})
    assert _search({PYTHON: builder.read, GO: lax.read}, "signature", 200) is not None


def test_manifests_that_no_target_reads_are_not_signed() -> None:
    """survey.awk and readFile of open.go have the same limit."""
    whole = next(item.data for _, good, item in vectors("manifest") if good)
    line = b"file " + b"0" * 64 + b"  %07d\n"
    lines = b"".join(line % number for number in range((16 << 20) // len(line % 0)))
    with pytest.raises(InputError, match="larger than 16 MB"):
        manifest.parse(whole + lines + lines)


def test_each_input_lies_where_it_is_looked_for(tmp_path: Path) -> None:
    given = [item for kind in FORMATS.values() for item in itertools.islice(inputs(kind, 7), 12)]
    laid = lay_down(given, tmp_path)
    assert sorted(item.input.label for item in laid) == sorted(item.label for item in given)
    assert len({(item.machine, item.name, item.input.format) for item in laid}) == len(laid)
