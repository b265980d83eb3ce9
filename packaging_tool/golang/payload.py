"""Lays out the payloads of kit and plugins on disk, as they lie on the target, from split archives.

kit/compile, link            Go's own, for the target's architecture
kit/compile.flags, link.flags, env
                             one flag or NAME=VALUE per line
kit/main.head, main.mid, main.tail
                             main.go; imports of plugins go after head, lines of plugins after mid
kit/info.head, info.tail, modules
                             build information; one record per module
kit/compile.cfg, link.cfg    importcfg lines (`go tool compile -h`), file names relative to the parent of kit
kit/export/…, kit/object/…   export data for compile, objects for link
plugins/NAME/imports, lines, modules, compile.cfg, link.cfg, export/…, object/…
                             what the plugin adds to each
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging_tool.errors import BuildError
from packaging_tool.golang import buildinfo, lists
from packaging_tool.golang.archive import Split, file_name
from packaging_tool.golang.buildinfo import BuildInfo
from packaging_tool.golang.hostmain import Import
from packaging_tool.golang.lockfile import GoLock
from packaging_tool.golang.toolchain import GOARCH


@dataclass(frozen=True, slots=True)
class PluginCode:
    """What a plugin adds to main.go and to the program.

    name: of the plugin. imports: packages in main.go. lines: put at the marker, with `{package}` for the first import.
    packages: import paths that the plugin brings. modules: paths of the modules that give those.
    """

    name: str
    imports: tuple[str, ...]
    lines: tuple[str, ...]
    packages: tuple[str, ...]
    modules: tuple[str, ...]

    def import_text(self) -> str:
        """Its imports in main.go: blank, or named if a line of the plugin uses the name."""
        alias = self._alias() if any("{package}" in line for line in self.lines) else "_"
        named = [Import(alias if path == self.imports[0] else "_", path) for path in self.imports]
        return "".join(str(item) for item in named)

    def line_text(self) -> str:
        """Its lines at the marker of main.go."""
        return "".join(f"\t{line.replace('{package}', self._alias())}\n" for line in self.lines)

    def _alias(self) -> str:
        return "plugin_" + re.sub(r"\W", "_", self.name)


def write_kit(
    folder: Path,
    lock: GoLock,
    architecture: str,
    info: BuildInfo,
    splits: Mapping[str, Split],
    exported: Iterable[str],
    tools: Path,
) -> None:
    """Write the kit. splits: of the core's packages. exported: those that main.go imports. tools: compile and link."""
    folder.mkdir(parents=True)
    for tool in ("compile", "link"):
        shutil.copyfile(tools / tool, folder / tool)
        (folder / tool).chmod(0o755)
    link_flags = list(lock.link_flags)
    if godebug := info.default_godebug():
        link_flags.append(f"-X=runtime.godebugDefault={godebug}")
    _text(folder / "compile.flags", "".join(f"{flag}\n" for flag in lock.compile_flags))
    _text(folder / "link.flags", "".join(f"{flag}\n" for flag in link_flags))
    # The kit's tools are for this architecture anyway; another machine's, that link for it, have to be told.
    settings = {**lock.settings, "GOOS": "linux", "GOARCH": GOARCH[architecture]}
    _text(folder / "env", "".join(f"{name}={value}\n" for name, value in sorted(settings.items())))
    _text(folder / "main.head", lock.main.head)
    _text(folder / "main.mid", lock.main.mid)
    _text(folder / "main.tail", lock.main.tail)
    head, tail = buildinfo.quoted(info)
    _text(folder / "info.head", head)
    _text(folder / "info.tail", tail)
    _text(folder / "modules", "".join(buildinfo.record_line(record) for _, record in sorted(info.modules.items())))
    _packages(folder, "kit", splits, {*exported, "runtime"})


def write_plugin(folder: Path, code: PluginCode, info: BuildInfo, splits: Mapping[str, Split]) -> None:
    """Write the payload of one plugin. info: of a program with the plugin in it.

    Raises BuildError for what the target would refuse in it (lists.py).
    """
    folder.mkdir(parents=True)
    _text(folder / "imports", code.import_text())
    if code.lines:
        _text(folder / "lines", code.line_text())
    records = [info.modules[path] for path in sorted(code.modules)]
    _text(folder / "modules", "".join(buildinfo.record_line(record) for record in records))
    _packages(folder, f"plugins/{code.name}", splits, set(code.imports))
    _look_through(folder, code.name)


def _look_through(folder: Path, plugin: str) -> None:
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    for kind in ("imports", "lines", "modules", *lists.FOLDERS):
        if kind in files and (said := lists.fault(plugin, kind, (folder / kind).read_bytes(), files)):
            raise BuildError(f"plugin {plugin}: {kind} {said}, which every target would refuse")


def _packages(folder: Path, place: str, splits: Mapping[str, Split], exported: set[str]) -> None:
    compile_lines, link_lines = [], []
    for path, split in sorted(splits.items()):
        name = file_name(path)
        _link(split.object, folder / "object" / f"{name}.object")
        link_lines.append(f"packagefile {path}={place}/object/{name}.object\n")
        if path in exported:
            _link(split.export, folder / "export" / f"{name}.export")
            compile_lines.append(f"packagefile {path}={place}/export/{name}.export\n")
    _text(folder / "compile.cfg", "".join(compile_lines))
    _text(folder / "link.cfg", "".join(link_lines))


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, target)


def _text(path: Path, text: str) -> None:
    path.write_bytes(text.encode())
