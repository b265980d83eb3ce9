"""What is packaged: files of known shape, as packages for our writers and as configurations for nfpm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from packaging_tool.package.content import Content
from packaging_tool.package.model import Capability, Change, Entry, Package, Relations, Version

PART = 32 << 10
TIME = 1_790_000_000
MAINTAINER = "Ada Example <ada@example.org>"
ABI = "0123456789abcdef" * 4


@dataclass(frozen=True, slots=True)
class Item:
    """One package to come. files: (path in the package, file with its content)."""

    name: str
    files: tuple[tuple[str, Path], ...]


# Code: parts of a program, which is what packages hold; less than half is left of it. The others are half noise, and
# half words (as hard as prose, gzip makes a third of it), lines (as easy as a log, of which nearly nothing is left) or
# zeros (the plainest reading of "half can be compressed", as fio has it).
TEXTS = ("code", "words", "lines", "zeros")


@cache
def _text(kind: str) -> bytes:
    """4 MiB of the kind."""
    if kind == "zeros":
        return bytes(4 << 20)
    if kind == "lines":
        made = b"".join(b"%08d the same line over and over behind a number of its own\n" % n for n in range(80_000))
        return made[: 4 << 20]
    import random  # not in the process that is measured, which only reads what is to be packaged

    source = random.Random("words")  # noqa: S311 - the same data everywhere, no secret
    letters = "etaoinshrdlucmfwygpbvk"
    words = ["".join(source.choices(letters, k=source.randint(2, 11))) for _ in range(4000)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    text = bytearray()
    while len(text) < 4 << 20:
        text += f"{' '.join(source.choices(words, weights, k=10_000))} ".encode()
    return bytes(text[: 4 << 20])


@cache
def _program() -> Path:
    """Go's compiler, more than 20 MB of machine code and tables."""
    import subprocess

    found = subprocess.run(["go", "env", "GOTOOLDIR"], capture_output=True, check=True, text=True)
    return Path(found.stdout.strip()) / "compile"


def _code(start: int, size: int) -> Iterator[bytes]:
    """Parts of the program, which begins again at its end. In parts: our memory counts as our children's."""
    with _program().open("rb") as file:
        file.seek(start)
        while size:
            data = file.read(min(size, 1 << 20))
            yield data
            size -= len(data)
            if not data:
                file.seek(0)


def _parts(seed: str, size: int, kind: str) -> Iterator[bytes]:
    """Content of which half can be compressed: a program from somewhere on, or parts of noise and of text in turn."""
    import random

    source = random.Random(seed)  # noqa: S311 - likewise
    if kind == "code":
        yield from _code(source.randrange(_program().stat().st_size), size)
        return
    text = _text(kind)
    left = size
    step = min(PART, size // 2)
    while left > 0:
        noise = min(step, left)
        yield source.randbytes(noise)
        left -= noise
        words = min(step, left)
        start = source.randrange(len(text) - step)
        yield text[start : start + words]
        left -= words


def make_file(path: Path, size: int, text: str = "words") -> Path:
    """A file of this size; the same content for the same name everywhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for part in _parts(path.name, size, text):
            file.write(part)
    return path


def plugins(directory: Path, count: int, size: int, core: int = 0, text: str = "words") -> list[Item]:
    """A core of `core` bytes (none if 0) and plugins of `size` bytes each, with their files below directory."""
    items = []
    if core:
        program = make_file(directory / "core", core, text)
        items.append(Item("bench", (("/usr/lib/bench/bin/bench-core", program),)))
    for number in range(count):
        name = f"p{number:04}"
        payload = make_file(directory / name, size, text)
        manifest = directory / f"{name}.manifest"
        manifest.write_text(f"mkpkgs-manifest 1\ncore bench\nabi {ABI}\nplugin {name}\norder 50\n")
        items.append(
            Item(
                f"bench-plugin-{name}",
                (
                    (f"/usr/lib/bench/plugins/{name}/payload", payload),
                    (f"/usr/share/bench/plugins/{name}.manifest", manifest),
                ),
            )
        )
    return items


def kit(directory: Path, total: int, count: int) -> Item:
    """One package of many files, as the kit of a Go server is one: few large files, many small ones."""
    sizes = [total // (2 * count) + rest for rest in _spread(total - total // 2, count)]
    files = [make_file(directory / f"k{number:04}", size) for number, size in enumerate(sizes)]
    return Item("bench-plugin-kit", tuple((f"/usr/lib/bench/kit/object/{file.name}", file) for file in files))


def _spread(total: int, count: int) -> list[int]:
    """Sizes that fall like 1/n and sum up to about total."""
    weights = [1 / rank for rank in range(1, count + 1)]
    return [int(total * weight / sum(weights)) for weight in weights]


def packages(items: Sequence[Item], compression: str, formats: Sequence[str] = ("deb", "rpm")) -> list[Package]:
    """The items for our writers."""
    return [_package(item, compression, formats) for item in items]


def _package(item: Item, compression: str, formats: Sequence[str]) -> Package:
    depends = Relations(depends=((Capability("bench-abi", ABI),),))
    return Package(
        kind="core" if item.name == "bench" else "plugin",
        name=item.name,
        source="bench",
        version=Version("1.0.0", "1"),
        architecture="amd64",
        summary="package that is built to see how long it takes",
        description="It holds data without a meaning.",
        license="MIT",
        copyright="2026 Ada Example",
        homepage="https://example.org/bench",
        maintainer=MAINTAINER,
        vendor="Example",
        section="net",
        group="System Environment/Daemons",
        priority="optional",
        entries=tuple(Entry(path=path, content=Content(file)) for path, file in sorted(item.files)),
        time=TIME,
        relations=dict.fromkeys(formats, depends),
        changelog=(Change("1.0.0-1", TIME, MAINTAINER, ("Package bench 1.0.0.",)),),
        compression=dict.fromkeys(formats, compression),
    )


def nfpm_arguments(
    items: Sequence[Item], compression: str, directory: Path, output: Path, key: Path | None = None
) -> Path:
    """A file with one line of arguments for each run of `nfpm package`, the largest package first.

    compression: `gzip` or `zstd:3`. output: an existing directory for the packages. key: signs the rpms.
    """
    directory.mkdir(parents=True, exist_ok=True)
    lines = []
    for item in items:
        config = directory / f"{item.name}.yaml"
        config.write_text(_nfpm(item, compression, key))
        lines += [f"--config {config} --packager {packager} --target {output}/" for packager in ("deb", "rpm")]
    listed = directory / "arguments"
    listed.write_text("\n".join(lines) + "\n")
    return listed


def _nfpm(item: Item, compression: str, key: Path | None) -> str:
    signature = f"\n  signature: {{ key_file: {key} }}" if key is not None else ""
    contents = "".join(
        f"  - src: {source}\n    dst: {path}\n    file_info: {{ mode: 0644 }}\n" for path, source in item.files
    )
    return f"""name: {item.name}
arch: amd64
platform: linux
version: 1.0.0
release: 1
section: net
priority: optional
maintainer: {MAINTAINER}
vendor: Example
homepage: https://example.org/bench
license: MIT
description: package that is built to see how long it takes
mtime: 2026-09-21T00:00:00Z
overrides:
  deb:
    depends: [bench-abi-{ABI}]
  rpm:
    depends: [bench-abi({ABI})]
deb:
  compression: {compression}
rpm:
  compression: {compression}
  group: System Environment/Daemons{signature}
contents:
{contents}"""
