"""Problems of the settings of the driver `elf` that need no build."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from packaging_tool.elf import cross, inside, loader, machines
from packaging_tool.elf.loader import KINDS, Loader
from packaging_tool.errors import Problem
from packaging_tool.project import contents
from packaging_tool.project.model import Project

WORDS = frozenset({"source", "destdir", "architecture", "triplet", "version", "jobs"})
# What the target tool and manifests take; see package/manifest.py.
_NAME = re.compile(r"[A-Za-z0-9._+-]+")
_SONAME = re.compile(r"\S+")
_LIBRARY = re.compile(r"[a-z0-9][a-z0-9+.-]+( >= [0-9]\S*)?")


def problems(project: Project) -> Iterator[Problem]:
    """All of them; line 0, key from the top of the file."""
    own = () if project.plugin_of is not None else (*_core(project), *_abi(project), *_loader(project))
    for key, what, instead in (*own, *_plugins(project)):
        yield Problem(str(project.file), 0, key, what, instead)


def names(commands: Iterable[Sequence[str]], word: str) -> bool:
    """Whether an argument names `{word}`."""
    return any(f"{{{word}}}" in argument for command in commands for argument in command)


Finding = tuple[str, str, str]


def _core(project: Project) -> Iterator[Finding]:
    core, options = project.core, project.core_options
    for architecture in core.architectures:
        if architecture not in machines.TRIPLETS:
            yield "core.architectures", f"{architecture!r} has no shared objects", f"write {_choice(machines.TRIPLETS)}"
    if bool(core.program) == bool(options.program):
        yield (
            "core.elf.program",
            "is missing" if not core.program else "stands beside core.program",
            ("name the program that the build gives here, or a prebuilt one in core.program"),
        )
    if options.program and not options.source:
        yield "core.elf.source", "is missing", "name the directory or tarball to build, or use core.program"
    yield from _source(project, "core", options.source, options.build, ())
    if core.program:
        for architecture in core.architectures:
            path = core.program.replace("{architecture}", architecture)
            if not contents.holds(Path.is_file, project.root / path):
                yield "core.program", f"there is no file {path}", "build the server first"
    yield from _libraries("core", options.libraries)
    yield from inside.findings(project)


def _libraries(table: str, said: Mapping[str, str]) -> Iterator[Finding]:
    for soname, text in said.items():
        if not _SONAME.fullmatch(soname) or not _LIBRARY.fullmatch(text):
            yield f"{table}.elf.libraries.{soname}", f"{text!r} is no package", 'write "libgd3" or "libgd3 >= 2.3"'


def _source(
    project: Project, key: str, source: str, build: Sequence[Sequence[str]], more: Sequence[str]
) -> Iterator[Finding]:
    key = f"{key}.elf"
    if source and not contents.holds(Path.exists, project.root / source):
        yield f"{key}.source", f"there is no {source}", "name a directory or a tarball, relative to the project file"
    if build and not source:
        yield f"{key}.build", "has nothing to build", "name a source"
    # Of a core elsewhere, lists of arguments are known when it is.
    core = project.core_options
    known = {*WORDS, *cross.NAMES, *more, *(core.arguments if core is not None else ())}
    for number, command in enumerate(build):
        yield from _empty(f"{key}.build", number, command)
        for argument in command:
            match = re.fullmatch(r"\{([a-z_-]+)\}", argument)
            if match and match[1] not in known and core is not None:
                yield f"{key}.build", f"{argument} stands for nothing", f"known: {', '.join(sorted(known))}"


def _empty(key: str, number: int, command: Sequence[str]) -> Iterator[Finding]:
    if not command or not command[0]:
        yield key, f"command {number + 1} is empty", 'write for example ["make"]'


def _abi(project: Project) -> Iterator[Finding]:
    abi = project.core_options.abi
    if not any((abi.version, abi.macros, abi.pkg_config, abi.commands, abi.files, abi.exports)):
        yield "core.elf.abi", "names nothing to agree on", 'write for example abi = { version = "{version}" }'
    for number, command in enumerate(abi.commands):
        yield from _empty("core.elf.abi.commands", number, command)
    if bool(abi.macros) != bool(abi.headers):
        missing = "headers" if abi.macros else "macros"
        yield f"core.elf.abi.{missing}", "is missing", "headers are read for macros: write both"
    for name in abi.macros:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            yield "core.elf.abi.macros", f"{name!r} is no name of a macro", 'write for example "API_VERSION"'
    for name in abi.headers:
        if not re.fullmatch(r"[A-Za-z0-9._+/-]+", name):
            yield (
                "core.elf.abi.headers",
                f"{name!r} is no name of a header",
                "write it as after #include, without quotes",
            )


def _loader(project: Project) -> Iterator[Finding]:
    said: Loader | None = project.core_options.loader
    if said is None:
        return
    if not loader.whole(said).line:
        yield "core.elf.loader.line", "is missing", f"write it, or a kind: {', '.join(filter(None, sorted(KINDS)))}"
    if said.file and not _NAME.fullmatch(said.file):
        yield "core.elf.loader.file", f"{said.file!r} is no plain name", 'write for example "modules.conf"'


def _plugins(project: Project) -> Iterator[Finding]:
    flat: dict[str, str] = {}
    core = project.core_options
    said: Loader | None = core.loader if core is not None else None
    for name, options in sorted(project.plugin_options.items()):
        key = f"plugin.{name}.elf"
        yield from _source(project, f"plugin.{name}", options.source, options.build, ("core",))
        yield from _libraries(f"plugin.{name}", options.libraries)
        if names((*options.build, options.objects), "core"):
            if project.plugin_of is None and not core.source:
                yield f"{key}.objects", "{core} stands for nothing, since the core is not built", "name a source"
            elif project.plugin_of is not None and core is not None and not core.authors.files:
                what = "{core} stands for nothing, since the core's maintainer publishes no files for it"
                yield f"{key}.build", what, "build without it, or ask for `authors.files` in [core.elf]"
        objects = [posixpath.basename(text).replace("{architecture}", "amd64") for text in options.objects]
        if not objects:
            yield f"{key}.objects", "is empty", 'write for example ["module.so"]'
        for one in sorted(set(objects)):
            if not _NAME.fullmatch(one) or one in (".", "..", loader.LIST):
                yield f"{key}.objects", f"{one!r} cannot be the name of an object", "use A-Z a-z 0-9 . _ + -"
            if objects.count(one) > 1:
                yield f"{key}.objects", f"two objects have the name {one}", "give one another name"
        for one in options.load or ():
            if one not in objects:
                yield f"{key}.load", f"{one!r} is none of the objects", f"objects: {', '.join(objects)}"
        for text in options.objects if not options.source else ():
            for architecture in project.core.architectures:
                path = text.replace("{architecture}", architecture)
                if "{core}" not in path and not contents.holds(Path.is_file, project.root / path):
                    yield f"{key}.objects", f"there is no file {path}", "build it first, or name a source"
        if said is not None and loader.whole(said).place == "flat":
            for one in options.load if options.load is not None else objects:
                if (other := flat.setdefault(one, name)) != name:
                    yield (
                        f"{key}.objects",
                        f"plugin {other} has a {one}, too, and the server looks for both in one place",
                        "give one another name",
                    )


def _choice(known: Iterable[str]) -> str:
    return ", ".join(sorted(known))


def sources(project: Project) -> Iterator[tuple[str, str]]:
    """Keys and values that name a directory, a tarball, a prebuilt object, or what the ABI is made of."""
    if project.plugin_of is None:
        yield "core.elf.source", project.core_options.source
        yield from inside.sources(project)
    for name, options in sorted(project.plugin_options.items()):
        yield f"plugin.{name}.elf.source", options.source
        prebuilt = () if options.source else options.objects
        yield from ((f"plugin.{name}.elf.objects", text) for text in prebuilt if "{core}" not in text)
