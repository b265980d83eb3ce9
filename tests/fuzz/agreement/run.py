"""Asks all readers of a format about the same bytes, and tells where they disagree.

An input on which they do is left in tests/vectors/undecided.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.agreement import builder, opener, target
from tests.fuzz.agreement.formats import FORMATS, GO, PYTHON, UNDECIDED, Input, inputs
from tests.fuzz.agreement.machines import Laid, lay_down

Reader = Callable[[Sequence[Laid]], list[str]]
# So much of the begin and of the end of an input is shown; the whole is kept.
SHOWN = 400
# Inputs of a format in a batch.
BATCH = 20


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An input that is not the same for all. answers: by reader."""

    input: Input
    answers: Mapping[str, str]

    def __str__(self) -> str:
        lines = [f"{self.input.label}: the readers disagree about {len(self.input.data)} bytes:"]
        lines += [f"  {name or 'the file'}: {_short(data)}" for name, data in sorted(self.input.files.items())]
        return "\n".join([*lines, *(f"  {reader} reads: {_short(said)}" for reader, said in self.answers.items())])


def _short(text: bytes | str) -> str:
    if len(text) <= 3 * SHOWN:
        return text if isinstance(text, str) else repr(text)
    return f"{text[:SHOWN]!r} … {len(text) - 2 * SHOWN} more … {text[-SHOWN:]!r}"


@contextmanager
def readers() -> Iterator[dict[str, Reader]]:
    """All readers that this system has, by name, until the end."""
    memory = Path("/dev/shm")  # noqa: S108 # mkdtemp makes it private
    with tempfile.TemporaryDirectory(prefix="mkpkgs-agree-", dir=memory if memory.is_dir() else None) as made:
        found: dict[str, Reader] = {PYTHON: builder.read}
        for number, name in enumerate(target.available()):
            place = Path(made, f"t{number}")
            place.mkdir()
            found[name] = target.Target(name, place).read
        if opener.available():
            found[GO] = opener.Opener(Path(made)).read
        yield found


def compare(given: Iterable[Input], asked: Mapping[str, Reader]) -> Iterator[tuple[Input, dict[str, str]]]:
    """Each input with the answers of its readers."""
    with tempfile.TemporaryDirectory(prefix="mkpkgs-agree-") as made:
        laid = lay_down(list(given), Path(made))
        answers: list[dict[str, str]] = [{} for _ in laid]
        for name, read in asked.items():
            chosen = [number for number, item in enumerate(laid) if _reads(name, item.input.format)]
            said = read([laid[number] for number in chosen]) if chosen else []
            for number, answer in zip(chosen, said, strict=True):
                answers[number][name] = answer
        for item, said_of in zip(laid, answers, strict=True):
            yield item.input, said_of


def _reads(reader: str, sort: str) -> bool:
    return reader not in (PYTHON, GO) or reader in FORMATS[sort].others


def disagreements(given: Iterable[Input], asked: Mapping[str, Reader]) -> list[Disagreement]:
    """The inputs that are not the same for all."""
    return [Disagreement(item, said) for item, said in compare(given, asked) if len(set(said.values())) > 1]


def keep(found: Disagreement) -> Path:
    """Put the input where the tests find it."""
    data = found.input.data
    path = UNDECIDED / found.input.format / hashlib.sha256(data).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def batches(names: Sequence[str], seed: int) -> Iterator[list[Input]]:
    """Inputs of these formats, without end."""
    sources = [inputs(FORMATS[name], seed) for name in names]
    while True:
        yield [item for source in sources for item in itertools.islice(source, BATCH)]


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m tests.fuzz agreement`."""
    parser.add_argument("--seconds", type=int, default=60, help="for all formats")
    parser.add_argument("--inputs", type=int, help="for each format, instead of a time")
    parser.add_argument("--only", choices=sorted(FORMATS), action="append", help="a format; default all")
    parser.add_argument("--seed", type=int, default=0, help="of the inputs")


def main(options: argparse.Namespace) -> int:
    """Compare; 0 if all readers agree about all inputs."""
    names = options.only or list(FORMATS)
    rounds = -(-options.inputs // BATCH) if options.inputs else 0
    end = time.monotonic() + options.seconds
    count = faults = 0
    with readers() as asked:
        print(f"readers: {', '.join(asked)}; seed {options.seed}")
        for batch in batches(names, options.seed):
            count += 1
            for item in disagreements(batch, asked):
                faults += 1
                print(f"{item}\n  kept as {keep(item)}", file=sys.stderr)
            if count >= rounds if rounds else time.monotonic() >= end:
                break
    print(f"{count * BATCH} inputs of each of {', '.join(names)}: {faults or 'no'} disagreements")
    return 1 if faults else 0
