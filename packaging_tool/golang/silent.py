"""What the go command does without a word when a module is a dependency, though `go build` in it would do otherwise."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from packaging_tool.errors import BuildError
from packaging_tool.golang import gomod
from packaging_tool.golang.toolchain import GoPackage
from packaging_tool.listener import Listener

_CGO = re.compile(rb'^import\s+"C"|^\s*"C"\s*$', re.MULTILINE)
_PURE = "needs cgo, but programs that are linked on the target are pure Go"
_CONSTRAINT = re.compile(rb"^//(go:build| \+build)\b.*\bcgo\b", re.MULTILINE)


class Sources:
    """Finds packages in the folders of the project. local: folders by the paths of their modules."""

    def __init__(self, local: Mapping[str, Path]) -> None:
        self._local = local

    def folder(self, package: GoPackage) -> Path | None:
        """Where the project has a package, None if that is somebody else's."""
        module = package.module.path if package.module is not None else ""
        if module not in self._local:
            return None
        return self._local[module] / package.path.removeprefix(module).lstrip("/")

    def line(self, package: GoPackage, name: str, pattern: re.Pattern[bytes]) -> str:
        """`file:line` of what a file of a package has first."""
        folder = self.folder(package)
        try:
            text = (package.dir / name).read_bytes()
        except OSError:
            text = b""
        found = pattern.search(text)
        line = text.count(b"\n", 0, found.start()) + found[0].count(b"\n") + 1 if found else 1
        return f"{folder / name if folder is not None else f'{package.path}/{name}'}:{line}"


def replaced(folders: Iterable[Path], local: Collection[str], listener: Listener) -> None:
    """Tell of `replace` in the go.mod of plugins, which counts only where their own folder is built.

    folders: of the plugins. local: paths of modules that folders of the project stand for already.
    """
    for folder in folders:
        for one in gomod.read(folder)[0]:
            if one.path not in local:
                what = f"{folder / 'go.mod'}:{one.line}: replace of {one.path} has no effect in a plugin"
                listener.warn(
                    f"{what}: if the server is to have it, name the version or folder in `require` of the core"
                )


def unrequired(
    packages: Mapping[str, GoPackage], graph: str, own: set[str], sources: Sources, listener: Listener
) -> None:
    """Modules that no go.mod requires: the go command takes their newest versions, which change from day to day.

    graph: what `go mod graph` prints. own: paths of the modules that the project names. Raises BuildError.
    """
    rows = (line.split() for line in graph.splitlines())
    # The host main has no version; what only it requires was added.
    known = own | {row[1].partition("@")[0] for row in rows if len(row) == 2 and "@" in row[0]}
    for package in packages.values():
        for path in package.imports:
            module = packages[path].module if path in packages else None
            if module is None or module.path in known or (package.module and package.module.path == module.path):
                continue
            pattern = re.compile(rb'"' + re.escape(path.encode()) + rb'"')
            name = next((n for n in package.files if pattern.search(_read(package.dir / n))), "go.mod")
            place = sources.line(package, name, pattern)
            what = f"{place}: {path} is imported, and no go.mod requires its module {module.path}"
            if (folder := sources.folder(package)) is not None:
                raise BuildError(what, hint=f"run `go mod tidy` in {folder}, or require {module.path} {module.version}")
            listener.warn(f"{what}: its newest version {module.version} is taken")
            known.add(module.path)


def left_out(
    packages: Mapping[str, GoPackage],
    with_cgo: Mapping[str, GoPackage],
    core: Collection[str],
    sources: Sources,
    listener: Listener,
) -> None:
    """Files that need cgo, of packages that do without them: what is linked on the target is pure Go.

    with_cgo: the packages as they would be with it. core: import paths of those that are linked in whatever plugins
    there are. A package that has other files in their place, or files that name cgo in their build constraint, means it
    so. Raises BuildError.
    """
    for path, whole in with_cgo.items():
        pure = packages.get(path)
        if pure is None or whole.standard or set(pure.files) - set(whole.files):
            continue
        if not pure.files:
            # Of a plugin, its build says so, and the others go on.
            if path in core:
                _nothing_without(whole, sources)
            continue
        for name in _lost(whole):
            place = sources.line(whole, name, _CGO)
            if sources.folder(whole) is None:
                listener.warn(f"{place}: is left out, since programs that are linked on the target are pure Go")
                continue
            raise BuildError(
                f"{place}: {_PURE}",
                hint="write //go:build cgo on top of it if the server does without it, or take the driver go-plugin",
            )


def _nothing_without(package: GoPackage, sources: Sources) -> None:
    """Refuse a package of which no file is left without cgo. Raises BuildError."""
    for name in (*package.cgo, *package.files):
        raise BuildError(
            f"{sources.line(package, name, _CGO)}: {_PURE}",
            hint=f"import {package.path} in a file with //go:build cgo only if the server does without it, or take the"
            " driver go-plugin",
        )


def _lost(package: GoPackage) -> Iterator[str]:
    for name in package.cgo:
        text = _read(package.dir / name)
        # Constraints stand above the package clause.
        if not _CONSTRAINT.search(re.split(rb"^package\b", text, maxsplit=1, flags=re.MULTILINE)[0]):
            yield name


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
