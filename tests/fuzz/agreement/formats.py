"""What is read by whom, and real files of each sort to begin with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.drivers.test_go_lists import GOOD as LISTS
from tests.fuzz.agreement.mutate import mutate
from tests.vectors import make

VECTORS = make.FOLDER.parent
# Inputs that showed a disagreement, until somebody says which reader is right.
UNDECIDED = VECTORS / "undecided"
PYTHON, GO = "python", "go"
DAY_AT_THE_END = b", expires 2999-12-31"
# A signature case is several files; these are the bytes between them where it is one input.
CUT = b"\n\0\0\n"

Files = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Format:
    """A sort of file.

    seeds: real files and vectors. words: what may be put in. others: who reads it beside the sh tool with each of its
    awks. apart: where a reader differs on purpose, and what is done about it here.
    """

    name: str
    seeds: Callable[[], Iterator[Files]]
    others: tuple[str, ...] = (PYTHON, GO)
    words: tuple[bytes, ...] = ()
    apart: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Input:
    """One file, under the name "", or the files of a signature case."""

    format: str
    files: Files
    label: str = ""

    @property
    def data(self) -> bytes:
        """The bytes, as they are kept."""
        return self.files[""] if "" in self.files else _joined(self.files)


def _joined(files: Files) -> bytes:
    return CUT.join(part for name, data in sorted(files.items()) for part in (name.encode(), data))


def kept(sort: str, data: bytes, label: str = "") -> Input:
    """An input out of the bytes that were kept."""
    if sort != "case":
        return Input(sort, {"": data}, label)
    parts = data.split(CUT)
    return Input(sort, {parts[i].decode(): parts[i + 1] for i in range(0, len(parts) - 1, 2)}, label)


def inputs(kind: Format, seed: int) -> Iterator[Input]:
    """Changed files without end: the same for the same seed."""
    # A string: the same on every version of Python, and no two formats share a sequence.
    random = Random(f"{kind.name} {seed}")  # noqa: S311 # a test case, no secret
    seeds = list(kind.seeds())
    number = 0
    while True:
        files, other = dict(random.choice(seeds)), random.choice(seeds)
        name = random.choice(sorted(files))
        if name and random.random() < 0.15:
            files = _other_files(files, other, random)
        else:
            changed = mutate(files[name], random, kind.words, other.get(name, b""))
            # A manifest without a byte is told before its signature is looked at.
            files[name] = changed if changed or not name.endswith(".manifest") else b"\n"
        yield Input(kind.name, files, f"{kind.name} {seed} {number}")
        number += 1


def _other_files(files: dict[str, bytes], other: Files, random: Random) -> dict[str, bytes]:
    """A signature case with a file more, less, or of another case."""
    name = random.choice(sorted(other))
    if name.endswith(".pub") and random.random() < 0.5:
        return {**files, f"more-{name}": other[name]}
    if name in ("revoked", "trusted.pub") and random.random() < 0.5:
        return {key: value for key, value in files.items() if key != name}
    return {**files, name: other[name]}


def _vectors(pattern: str) -> Iterator[Files]:
    """Each content once."""
    for data in dict.fromkeys(path.read_bytes() for path in sorted(VECTORS.glob(pattern)) if path.is_file()):
        yield {"": data}


def _manifests() -> Iterator[Files]:
    for files in _vectors("manifest/*/*.manifest"):
        # The good ones more often: what is wrong in two ways teaches less.
        yield {"": files[""].replace(b"caddy", b"fake")}
    for path in sorted((VECTORS / "manifest/good").iterdir()) * 8:
        yield {"": path.read_bytes().replace(b"caddy", b"fake")}


def _cases() -> Iterator[Files]:
    for folder in (*sorted((make.FOLDER / "good").iterdir()) * 3, *sorted((make.FOLDER / "bad").iterdir())):
        yield {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "reason"}


def _texts(*texts: bytes) -> Callable[[], Iterator[Files]]:
    def seeds() -> Iterator[Files]:
        for text in texts:
            yield {"": text}

    return seeds


def _keys() -> Iterator[Files]:
    yield from _vectors("signature/*/*/*.pub")
    yield from list(_vectors("signature/good/*/*.pub")) * 12


def _signatures() -> Iterator[Files]:
    yield from _vectors("signature/*/*/*.sig")
    yield from list(_vectors("signature/good/*/*.sig")) * 6


ID, OTHER_ID = b"0123456789abcdef", b"fedcba9876543210"
ABIS = b"ab" * 32 + b"\n" + b"01" * 32 + b"\n"
SETTINGS = b"# of the administrator\nrestart = reload\nremoval=allow # why\n\nrestart = /usr/bin/restart-it\n"
# As apt-cache shows it, and as dpkg-query is asked to.
INDEXES = (
    b"Package: fake-plugin-git\nVersion: 1:1.0+1.0-1\nDepends: fake-abi-"
    + b"ab" * 32
    + b", fake-plugin-echo (>= 1.0)\n"
    b"Filename: pool/x.deb\n\nPackage: fake\nVersion: 1.0-1\nProvides: fake-abi-"
    + b"ab" * 32
    + b"\nFilename: pool/y.deb\n",
    b"=fake-plugin-git\t1.0-1\tinstalled\thold\nfake-plugin-echo, fake-abi-" + b"ab" * 32 + b"\n",
)
WISHES = b"# wanted\ngit\nfake-plugin-echo  # disabled\n\ntls-x # why\n"
LINES = (b"untrusted comment: ", DAY_AT_THE_END, b", EXPIRES 2999-12-31", b"expires")
FORMATS: Mapping[str, Format] = {
    kind.name: kind
    for kind in (
        Format(
            "manifest",
            _manifests,
            words=(b"optional\n", b"needs a\n", b"kit\n", b"order 7\n", b"file " + b"0" * 64 + b"  z\n"),
            apart={
                PYTHON: "knows neither the name of the file nor the core: it signs for any; asked for these here",
                GO: "reads no kit when it opens plugins; its parser, which could, is asked here",
            },
        ),
        Format("key", _keys, words=LINES),
        Format("signature", _signatures, words=LINES),
        Format(
            "revoked",
            _texts(ID + b"\n", b"# lost\n\n" + ID + b"  # why\n\t# x\n" + OTHER_ID + b"\n", ID, b"", b"\n"),
            words=(b"#", b" # ", b"\t", ID, ID.upper()),
            apart={PYTHON: "mkpkgs only writes these; what is asked here stands in the tests"},
        ),
        Format("case", _cases, words=(*LINES, ID + b"\n")),
        *(
            Format(
                name, _texts(text.encode(), b""), others=(PYTHON,), words=(b"//go:", b"plugins/bell/", b"packagefile ")
            )
            for name, text in LISTS.items()
            if "/" not in name
        ),
        Format(
            "trust", _texts(b"signature\n", b"distribution\n"), others=(GO,), words=(b"signature\n", b"distribution")
        ),
        Format(
            "disabled",
            _texts(b"git\necho\n", b"# why\ngit # x\n\n  tls-x\n"),
            others=(GO,),
            words=(b"#", b" ", b"echo"),
            apart={GO: "takes a line that is no name for no word, since the old set serves on: apply refuses it"},
        ),
        Format("abi", _texts(ABIS, ABIS[:65]), others=(), words=(ABIS,)),
        Format("settings", _texts(SETTINGS), others=(), words=(b"restart = auto", b"=", b"#")),
        Format(
            "index",
            _texts(*INDEXES),
            others=(),
            words=(b"Package: fake-plugin-x\n", b"Version: ", b"fake-plugin-", b"Depends: "),
        ),
        Format("wishes", _texts(WISHES), others=(), words=(b"# disabled", b"fake-plugin-", b"kit")),
    )
}


def vectors(sort: str) -> Iterator[tuple[Path, bool, Input]]:
    """The vectors of a format that is one file: path, whether it is good, input."""
    for verdict in ("good", "bad"):
        for path in sorted((VECTORS / sort / verdict).glob("*")):
            yield path, verdict == "good", kept(sort, path.read_bytes(), str(path.relative_to(VECTORS)))
