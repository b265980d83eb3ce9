"""What core and plugins must agree on, as lines that stand in the lock; the ABI is the SHA-256 of those lines.

    mkpkgs abi 1
    driver elf
    core NAME
    architecture NAME             Debian's
    version TEXT                  `version`, with `{version}` of the core
    macro NAME TEXT               what the C preprocessor makes of a macro, blanks made one
    pkg-config NAME VERSION
    command ["…"]                 then its lines, each after `output `
    file PATH SHA256              of the core's tree, as globs name them
    export NAME[@VERSION] KIND    of the core's program or a library of it: FUNC, OBJECT SIZE, and so on

Each line only where the project asks for it, in this order; each ends with a newline.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging_tool import confine
from packaging_tool.elf import facts, inside, machines, tree
from packaging_tool.errors import BuildError, CommandError
from packaging_tool.project import contents
from packaging_tool.run import Done


@dataclass(frozen=True, slots=True, kw_only=True)
class Abi:
    """What makes the ABI; at least one key. Paths are in the core's built tree, or in the project if nothing is built.

    version: a text, `"{version}"` for exact lockstep with the core's version.
    macros: names that the C preprocessor expands, e.g. `["nginx_version"]`.
    headers: that define the macros, in the order in which they are included.
    include: directories of headers.
    pkg_config: packages whose version pkg-config tells.
    commands: lists of arguments whose output counts.
    files: globs of files whose bytes count, e.g. `["src/**/*.h"]`.
    exports: files whose dynamic symbols count, with their versions and the sizes of data; `program` is the core's.
    """

    version: str = ""
    macros: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    pkg_config: tuple[str, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    files: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where the expressions are looked up. root: directory of relative paths. words: as in tree.Recipe. flags,
    environment: of the preprocessor; the flags stand before those that `include` says. readable: directories that the
    preprocessor and commands see beside root and the system's. anywhere: whether paths may lead out of root."""

    core: str
    architecture: str
    root: Path
    program: Path
    words: Mapping[str, str]
    flags: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    readable: tuple[Path, ...] = ()
    anywhere: bool = False


def lines(abi: Abi, place: Place) -> tuple[str, ...]:
    """The lines. Raises BuildError for what cannot be found."""
    return tuple(_lines(abi, place))


def value(said: Sequence[str]) -> str:
    """The ABI of these lines, 64 hex digits."""
    return hashlib.sha256("".join(f"{line}\n" for line in said).encode()).hexdigest()


def _lines(abi: Abi, place: Place) -> Iterator[str]:
    yield "mkpkgs abi 1"
    yield "driver elf"
    yield f"core {place.core}"
    yield f"architecture {place.architecture}"
    if abi.version:
        yield f"version {tree.expand([abi.version], place.words, {})[0]}"
    yield from _macros(abi, place)
    for name in abi.pkg_config:
        yield f"pkg-config {name} {_output(['pkg-config', '--modversion', '--', name], place)}"
    for command in abi.commands:
        yield f"command {json.dumps(list(command))}"
        yield from (f"output {line}" for line in _output(tree.expand(command, place.words, {}), place).splitlines())
    for pattern in abi.files:
        found = [path for path in inside.files(place.root, pattern) if path.is_file()]
        if not found:
            what = f"the ABI counts {pattern}, but {place.root} has no such file"
            raise BuildError(what, hint=contents.literal(place.root, pattern))
        if odd := next(
            (name for path in found if not (name := path.relative_to(place.root).as_posix()).isprintable()), ""
        ):
            # It would be more than a line of the lock, or no text.
            raise BuildError(
                f"the ABI counts the file {odd!r}, which no line can name", hint="rename it, or leave it out"
            )
        # A link that is no directory counts as such, not as what it leads to.
        _stay(place, (path.parent if path.is_symlink() else path for path in found))
        yield from (f"file {path.relative_to(place.root)} {tree.digest(path)}" for path in found)
    for name in abi.exports:
        path = place.program if name == inside.PROGRAM else place.root / name
        if not contents.holds(Path.is_file, path):
            raise BuildError(f"the ABI counts symbols of {name}, but {place.root} has no such file")
        if name != inside.PROGRAM:
            _stay(place, [path])
        yield from (f"export {symbol}" for symbol in facts.exports(path))


def _stay(place: Place, paths: Iterable[Path]) -> None:
    """Raises BuildError for a path that leads out of root: what lies elsewhere would be told in the lock."""
    for path in paths:
        if not place.anywhere and not path.resolve().is_relative_to(place.root.resolve()):
            raise BuildError(f"the ABI counts {path}, which leads out of {place.root}", hint="copy it there instead")


def _macros(abi: Abi, place: Place) -> Iterator[str]:
    if not abi.macros:
        return
    asked = "".join(f'#include "{name}"\n' for name in abi.headers)
    # The mark is a string, so that no macro changes it.
    asked += "".join(f'#ifdef {name}\n"mkpkgs {name}" {name}\n#endif\n' for name in abi.macros)
    compiler = machines.tool("gcc", place.architecture) if place.architecture != machines.own() else "cc"
    places = [f"-I{(place.root / name).absolute()}" for name in (*abi.include, ".")]
    try:
        command = [compiler, "-E", "-P", "-x", "c", *place.flags, *places, "-"]
        said = _confined(command, place, stdin=asked.encode())
    except CommandError as failed:
        told = failed.output.partition("\n")[0] or failed.message
        raise BuildError(f"the headers of the ABI cannot be read: {told}", hint=failed.hint) from failed
    text = said.stdout.decode(errors="replace")
    for name in abi.macros:
        mark = f'"mkpkgs {name}"'
        found = [line.partition(mark)[2] for line in text.splitlines() if line.startswith(mark)]
        if not found:
            raise BuildError(f"no header of the ABI defines {name}", hint=f"it reads {', '.join(abi.headers)}")
        yield f"macro {name} {' '.join(found[0].split())}"


def _output(command: Sequence[str], place: Place) -> str:
    return _confined(command, place).stdout.decode(errors="replace").strip()


def _confined(command: Sequence[str], place: Place, *, stdin: bytes = b"") -> Done:
    # In a home that nobody may write: what tells the ABI changes nothing.
    env = {**confine.environment(place.root, 0), **place.environment}
    return confine.run_confined(command, cwd=place.root, env=env, readable=place.readable, stdin=stdin)


# Of two ABIs, what is told first.
_GRAVITY = ("core", "architecture", "version", "macro", "pkg-config", "command", "file", "export")


def values(said: Sequence[str]) -> dict[tuple[str, str], str]:
    """The lines by kind and name; the output of a command is its value."""
    found: dict[tuple[str, str], str] = {}
    last = ("", "")
    for line in said:
        kind, _, rest = line.partition(" ")
        if kind == "output":
            found[last] = f"{found[last]}\n{rest}" if found.get(last) else rest
            continue
        alone = kind in ("core", "architecture", "version", "command")
        name, _, value = rest.rpartition(" ") if kind == "file" else rest.partition(" ")
        if alone:
            name, value = (rest, "") if kind == "command" else ("", rest)
        last = (kind, name)
        found[last] = value
    return found


def changes(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    """What differs, in words, the gravest first: what went away, then what is another, then what is new."""
    old, new = values(before), values(after)
    for kind in _GRAVITY:
        names = sorted({name for known, name in (*old, *new) if known == kind})
        told = {name: _change(kind, name, old.get((kind, name)), new.get((kind, name))) for name in names}
        for mark in ("went away", "", "is new"):
            for text in told.values():
                if text and (text.endswith(mark) if mark else not text.endswith(("went away", "is new"))):
                    yield text


def _change(kind: str, name: str, old: str | None, new: str | None) -> str:
    what = {"export": "symbol", "command": "output of"}.get(kind, kind) + (f" {name}" if name else "")
    if old == new:
        return ""
    if new is None:
        return f"{what} went away"
    if old is None:
        return f"{what} is new"
    # Hashes and long outputs say nothing to people.
    return f"{what} is another" if kind in ("file", "command") else f"{what}: {old} became {new}"
