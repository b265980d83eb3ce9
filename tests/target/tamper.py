"""Thousands of ways to tamper with an installed set, each with the reason that the tool must give for it.

The same seed makes the same mutations. Where a reason depends on what a flipped bit hit, Python's readers of manifests,
keys and signatures tell which one it must be: so the tool is judged by them once more. Here is what changes bytes;
tamper_files.py changes files, tamper_manifests.py writes other manifests.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from packaging_tool.errors import InputError, SigningError
from packaging_tool.package import manifest
from packaging_tool.signing import signify
from tests.target.installed import (
    KEYS,
    MEMBERS,
    PARENTS,
    PAYLOADS,
    SHARE,
    Installed,
    manifest_path,
    manifest_text,
    signature_path,
    title,
)
from tests.target.machine import Key, Machine
from tests.target.snapshot import Snapshot
from tests.vectors import make

# Tampers, and gives the reason: a regular expression that must match in the tool's words.
Act = Callable[[Installed], str]
Generator = Callable[[random.Random], Iterator[tuple[str, Act]]]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One way to tamper. kind: name of the generator. name: tells it from all others."""

    kind: str
    name: str
    act: Act


def mutations(seed: int = 1) -> list[Mutation]:
    """All of them, in the same order for the same seed."""
    from tests.target import tamper_files, tamper_manifests

    made = []
    for generator in (*GENERATORS, *tamper_files.GENERATORS, *tamper_manifests.GENERATORS):
        kind = generator.__name__
        chance = random.Random(f"{seed} {kind}")  # noqa: S311 - no secret: it picks what to change
        made += [Mutation(kind, f"{kind}: {name}", act) for name, act in generator(chance)]
    return made


def sample(count: int) -> list[Mutation]:
    """Some of every kind."""
    by_kind: dict[str, list[Mutation]] = {}
    for mutation in mutations():
        by_kind.setdefault(mutation.kind, []).append(mutation)
    each = max(1, count // len(by_kind))
    return [found[n * len(found) // each] for found in by_kind.values() for n in range(min(each, len(found)))]


class Prover:
    """A machine that serves a set and has a new core: an apply that refuses nothing makes another program.

    One machine serves for thousands of mutations, since it is made as it was after each.
    """

    def __init__(self, machine: Machine, next_key: Key) -> None:
        self.installed = Installed(machine, next_key)
        done = machine.tool("apply")
        assert done.returncode == 0, done.stdout
        machine.core.write_text(machine.core.read_text() + "# a newer core\n")
        self.before = self.installed.serves()
        self.snapshot = Snapshot(
            machine.root, ("etc", "run", "usr/lib/fake", "usr/share/fake", "var"), [f".{path}" for path in PARENTS]
        )

    def fault(self, mutation: Mutation) -> str:
        """What is wrong with the tool's answer to a mutation; "" if nothing is."""
        try:
            reason = mutation.act(self.installed)
            done = self.installed.machine.tool("apply")
            if self.installed.serves() != self.before:
                return f"{mutation.name}: it was used"
            if done.returncode != 1 or not re.search(reason, done.stdout):
                return f"{mutation.name}: status {done.returncode}, not {reason!r} in {done.stdout!r}"
            return ""
        finally:
            self.snapshot.restore()


def of_file(path: str) -> str:
    """The reason where a payload's file was changed."""
    return f"{re.escape(path)} is not what its manifest says: it was changed"


def of_manifest(name: str, data: bytes) -> str:
    """The reason where a manifest has other bytes under the signature that it had."""
    path = re.escape(manifest_path(name))
    if not data:
        return f"{path} is empty"
    try:
        read = manifest.parse(data)
    except InputError:
        return f"{title(name)}: {path}( line [0-9]+)?: "
    own = None if name == "kit" else name
    if read.plugin != own or (read.core == "fake" and read.package != f"fake-plugin-{name}"):
        return f"{title(name)}: {path} line [45]: "
    return f"{title(name)}: the signature of its manifest does not fit: the manifest was changed"


def of_signature(name: str, data: bytes, trusted: signify.PublicKey) -> str:
    """The reason where a signature has other bytes."""
    try:
        kind, key_id = signify.signer_of(data)
    except SigningError:
        return f"{title(name)}: {re.escape(signature_path(name))} "
    if (kind, key_id) != (trusted.kind, trusted.id):
        return f"{title(name)}: its manifest is signed by the unknown key {key_id.hex()}"
    return f"{title(name)}: the signature of its manifest does not fit"


def of_key(data: bytes, before: signify.PublicKey) -> str:
    """The reason where the trusted key has other bytes."""
    try:
        now = signify.parse_public(data)
    except SigningError:
        return f"{re.escape(KEYS[0])} "
    if (now.kind, now.id) != (before.kind, before.id):
        return f"is signed by the unknown key {before.id.hex()}"
    return "the signature of its manifest does not fit"


def places(chance: random.Random, size: int, count: int) -> list[tuple[int, int]]:
    """Some bytes of a file, and a bit of each; none twice."""
    return [(place // 8, place % 8) for place in sorted(chance.sample(range(size * 8), min(count, size * 8)))]


def rewrite(path: str, change: Callable[[bytes], bytes], reason: Callable[[Installed, bytes], str]) -> Act:
    """Tamper by changing the content of a file."""
    return lambda made: reason(made, made.write(path, change(made.read(path))))


def payload_reason(path: str) -> Callable[[Installed, bytes], str]:
    return lambda made, data: of_file(path)


def manifest_reason(name: str) -> Callable[[Installed, bytes], str]:
    return lambda made, data: of_manifest(name, data)


def signature_reason(name: str) -> Callable[[Installed, bytes], str]:
    return lambda made, data: of_signature(name, data, made.trusted)


def flipped_bits(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """One bit of a file of a payload."""

    def act(path: str, at: int, bit: int) -> Act:
        return lambda made: of_file(path) if made.flip(path, at, bit) else ""

    for path, text in PAYLOADS.items():
        for at, bit in places(chance, len(text), 8):
            yield f"{path} byte {at} bit {bit}", act(path, at, bit)


def flipped_bits_of_manifests(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """One bit of a manifest."""

    def act(name: str, at: int, bit: int) -> Act:
        return lambda made: of_manifest(name, made.flip(manifest_path(name), at, bit))

    for name in MEMBERS:
        for at, bit in places(chance, len(manifest_text(name)), 16):
            yield f"{name} byte {at} bit {bit}", act(name, at, bit)


def flipped_bits_of_signatures(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """One bit of the second line of a signature; the first is a comment."""

    def act(name: str, at: int, bit: int) -> Act:
        return lambda made: of_signature(name, made.flip(signature_path(name), at, bit, after=b"\n"), made.trusted)

    for name in MEMBERS:
        for at, bit in places(chance, 101, 12):
            yield f"{name} byte {at} bit {bit}", act(name, at, bit)


def flipped_bits_of_keys(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """One bit of the second line of the key that all trust."""

    def act(at: int, bit: int) -> Act:
        return lambda made: of_key(made.flip(KEYS[0], at, bit, after=b"\n"), made.trusted)

    for at, bit in places(chance, 57, 16):
        yield f"byte {at} bit {bit}", act(at, bit)


def flipped_bits_of_facts(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """One bit of the core's ABI, or of what vouches for plugins."""

    def abi(at: int, bit: int) -> Act:
        def act(made: Installed) -> str:
            known = re.fullmatch(rb"[0-9a-f]{64}\n", made.flip(f"{SHARE}/abi", at, bit))
            return r"it was built for another fake \(ABI abab" if known else f"{SHARE}/abi does not hold an ABI"

        return act

    def trust(at: int, bit: int) -> Act:
        reason = f"{SHARE}/trust says neither signature nor distribution"
        return lambda made: reason if made.flip(f"{SHARE}/trust", at, bit) else ""

    for at, bit in places(chance, 65, 16):
        yield f"abi byte {at} bit {bit}", abi(at, bit)
    for at, bit in places(chance, 10, 6):
        yield f"trust byte {at} bit {bit}", trust(at, bit)


def truncations(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """Files that end too early."""

    def cut(length: int) -> Callable[[bytes], bytes]:
        return lambda data: data[:length]

    for path, text in PAYLOADS.items():
        for length in sorted({0, len(text) - 1, *chance.sample(range(len(text)), 2)}):
            yield f"{path} at {length}", rewrite(path, cut(length), payload_reason(path))
    for name in MEMBERS:
        size = len(manifest_text(name))
        for length in sorted({0, size - 1, *chance.sample(range(size), 5)}):
            yield f"{name}.manifest at {length}", rewrite(manifest_path(name), cut(length), manifest_reason(name))
        for length in sorted({0, *chance.sample(range(130), 4)}):
            yield f"{name}.manifest.sig at {length}", rewrite(signature_path(name), cut(length), signature_reason(name))


def additions(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """Bytes behind the end or within."""

    def put(at: int, more: bytes) -> Callable[[bytes], bytes]:
        return lambda data: data[:at] + more + data[at:]

    texts = (b"\0", b"\n", b" ", b"\xc3\xa4", b"#\n", b"file ", bytes(4096), chance.randbytes(8), chance.randbytes(300))
    for more in texts:
        label = f"{len(more)} bytes {more[:4]!r}"
        for path, text in PAYLOADS.items():
            at = chance.choice((len(text), chance.randrange(len(text))))
            yield f"{path} {label} at {at}", rewrite(path, put(at, more), payload_reason(path))
        for name in MEMBERS:
            size = len(manifest_text(name))
            at = chance.choice((size, chance.randrange(size)))
            yield f"{name}.manifest {label} at {at}", rewrite(manifest_path(name), put(at, more), manifest_reason(name))


def damaged_signatures(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """What the shared vectors do to signature files."""
    for name in MEMBERS:
        for what, change in make.SIGNATURE_CHANGES.items():
            yield f"{name} {what}", rewrite(signature_path(name), change, signature_reason(name))


def sizes(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """Empty files, and files that are far too large."""

    def sparse(path: str, size: int, reason: str) -> Act:
        def act(made: Installed) -> str:
            with made.at(path).open("r+b") as file:
                file.truncate(size)
            return reason

        return act

    for path in PAYLOADS:
        yield f"{path} empty", rewrite(path, lambda data: b"", payload_reason(path))
        yield f"{path} of 24 MB", sparse(path, 24 << 20, of_file(path))
    for name in MEMBERS:
        path = re.escape(manifest_path(name))
        yield f"{name}.manifest of 17 MB", sparse(manifest_path(name), 17 << 20, f"{path} is larger than 16 MB")
        yield f"{name}.manifest of 200 MB", sparse(manifest_path(name), 200 << 20, f"{path} is larger than 16 MB")
        yield f"{name}.manifest of 1 MB", sparse(manifest_path(name), 1 << 20, f"{path}( line [0-9]+)?: ")
        yield f"{name}.manifest.sig of 1 MB", sparse(signature_path(name), 1 << 20, rf"{path}\.sig is larger than ")
        yield f"{name}.manifest.sig of 200 MB", sparse(signature_path(name), 200 << 20, rf"{path}\.sig is larger than ")
    yield "a trusted key of 200 MB", sparse(KEYS[1], 200 << 20, "next.pub is larger than ")


GENERATORS: tuple[Generator, ...] = (
    flipped_bits,
    flipped_bits_of_manifests,
    flipped_bits_of_signatures,
    flipped_bits_of_keys,
    flipped_bits_of_facts,
    truncations,
    additions,
    damaged_signatures,
    sizes,
)
