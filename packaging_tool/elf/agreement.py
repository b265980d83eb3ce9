"""Whether the ABI of a published core is what an author's plugin was compiled with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from packaging_tool.elf import abi as interface
from packaging_tool.elf.abi import Abi, Place
from packaging_tool.elf.compiled import Unit
from packaging_tool.elf.fit import Misfit
from packaging_tool.elf.published import Authors
from packaging_tool.elf.tree import digest
from packaging_tool.errors import BuildError

# Files that are told.
TOLD = 3


@dataclass(frozen=True)
class Agreement:
    """The ABI here and there.

    said: what makes the ABI. published: its lines. given: what the core's maintainer names for authors. place: where
    headers of the core are found. tree: where an author's commands left the core's published files, None without any.
    source: the plugin's own files. units: what it was compiled from, None if it was not built here.
    """

    said: Abi
    published: Sequence[str]
    given: Authors
    place: Place
    tree: Path | None
    source: Path
    units: Sequence[Unit] | None

    @property
    def core(self) -> str:
        return self.place.core

    @cached_property
    def install(self) -> str:
        packages = ", ".join(self.given.packages)
        return f"install {packages}" if packages else "see what the core's maintainer publishes"

    @cached_property
    def read(self) -> frozenset[Path]:
        """All files that were read."""
        return frozenset[Path]().union(*(unit.read for unit in self.units or ()))

    @cached_property
    def values(self) -> Mapping[tuple[str, str], str]:
        return interface.values(self.published)

    def misfits(self) -> Iterator[Misfit]:
        """What is another here than in the core."""
        if self.units is not None:
            asked = replace(self.said, version="", commands=(), files=(), exports=())
            if asked.macros or asked.pkg_config:
                yield from self._expressions(asked)
            yield from self._files()

    def _expressions(self, asked: Abi) -> Iterator[Misfit]:
        """Macros as each call of a compiler sees them; as they lie here if none has read a header of them."""
        found = {}
        for unit in self.units or ():
            headers = tuple(self._header(unit.read, name) or name for name in asked.headers)
            if headers != asked.headers:
                place = replace(self.place, flags=unit.flags)
                # A file of the plugin that only has the name of a header defines none of the macros.
                with suppress(BuildError):
                    found[headers, unit.flags] = interface.lines(replace(asked, headers=headers), place)
        if found:
            for (headers, _), lines in found.items():
                yield from self._differences(lines, headers)
            return
        try:
            yield from self._differences(interface.lines(asked, self.place), ())
        except BuildError as failed:
            # Whoever is given no headers and brings his own is judged by his symbols.
            if self.given.packages or self.given.files:
                yield Misfit(failed.message, self.install)

    def _header(self, read: frozenset[Path], name: str) -> str:
        """The file that was read as this header, "" for none. Of several, the one where the ABI looks for it."""
        named = {(self.place.root / folder / name).resolve() for folder in (*self.said.include, ".")}
        return next((str(path) for path in sorted(named & read)), "") or _ending(read, name)

    def _differences(self, lines: Sequence[str], headers: Sequence[str]) -> Iterator[Misfit]:
        for (kind, name), value in interface.values(lines).items():
            there = self.values.get((kind, name))
            if kind in ("macro", "pkg-config") and value != there:
                outside = [name for name in headers if name.startswith("/") and not self._is_cores(Path(name))]
                where = f" ({outside[0]})" if outside and kind == "macro" and not self.given.packages else ""
                own = "build with the core's own arguments and headers"
                repair = own if kind == "macro" and not self.given.packages else self.install
                what = f"{kind} {name} is {value or 'empty'} here{where}, and {there or 'nothing'} in {self.core}"
                yield Misfit(what, repair)

    def _is_cores(self, path: Path) -> bool:
        """Whether it is one of the files that the core's maintainer publishes, as they lie here."""
        return self.tree is not None and path.is_relative_to(self.tree.resolve())

    @cached_property
    def _counted(self) -> Mapping[str, str]:
        """Files that the ABI counts, with their hashes."""
        return {name: value for (kind, name), value in self.values.items() if kind == "file"}

    @cached_property
    def _met(self) -> Mapping[str, Path]:
        """Those that were read: as they lie in the core's tree here, or else others of the same name."""
        inside = {}
        if self.tree is not None:
            files = {name: self.tree.resolve() / name for name in self._counted}
            inside = {name: path for name, path in files.items() if path in self.read}
        if inside:
            return inside
        found = {name: path for name in self._counted if (path := _ending(self.read, name))}
        # A plain name may be a file of the plugin that has nothing to do with the core.
        own = self.source.resolve()
        return {name: Path(path) for name, path in found.items() if "/" in name or not Path(path).is_relative_to(own)}

    def _files(self) -> Iterator[Misfit]:
        other = [(name, path) for name, path in self._met.items() if digest(path) != self._counted[name]]
        for name, path in other[:TOLD]:
            what = "was changed here" if self._is_cores(path) else f"is another here ({path})"
            yield Misfit(
                f"file {name} {what}, and {self.core} counts its bytes",
                "build with the files that the core's maintainer publishes, as they are",
            )
        if len(other) > TOLD:
            yield Misfit(f"{len(other) - TOLD} more files that {self.core} counts are others here", "")

    def unchecked(self) -> Iterator[str]:
        """What the core counts and nobody can know of the plugin here, with the reason."""
        said, seen = self.said, False
        names = [text for text in (*said.macros, *said.files, *said.pkg_config, said.version) if text]
        if self.units is None:
            if names or said.commands:
                yield "what it was compiled with: it was not built here"
            return
        if said.macros:
            seen = any(_ending(self.read, name) for name in said.headers)
            if not seen:
                yield f"macro {', '.join(said.macros)}: no compiler that was called here read {', '.join(said.headers)}"
        if said.files:
            seen = seen or bool(self._met)
            if not self._met:
                yield f"file {', '.join(said.files)}: no compiler that was called here read one of them"
        for command in said.commands:
            yield f"output of {json.dumps(list(command))}: commands of the core's maintainer do not run here"
        if said.version and not seen and not any(map(self._is_cores, self.read)):
            yield f"version {self.values.get(('version', ''), '')}: no compiler that was called here read a file of it"


def _ending(paths: frozenset[Path], name: str) -> str:
    """The path that ends with a name, "" if there is none."""
    return next((str(path) for path in sorted(paths) if f"/{path}".endswith(f"/{name}")), "")
