"""Reads a project file: TOML → dataclasses, with every problem of the file found in one go."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging_tool import registry, toml
from packaging_tool.errors import InputError, Problem, ProjectError
from packaging_tool.project import abis, lines, rules, schema
from packaging_tool.project.convert import Converter
from packaging_tool.project.faults import Faults, RuleError, did_you_mean, shortened
from packaging_tool.project.model import CoreSpec, PluginOfSpec, PluginSpec, Project, RepositorySpec, ServiceSpec

FILE = "mkpkgs.toml"
TABLES = ("core", "plugin", "plugin-of", "repository")


def load(path: Path) -> Project:
    """Read and check a project file.

    path: the file; its directory is the root of all sources. Raises ProjectError with all problems of the file, and
    InputError if it cannot be read.
    """
    text = _read(path)
    try:
        raw = toml.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProjectError([_syntax(str(path), text, str(error))]) from None
    except toml.LimitError as error:
        raise ProjectError([Problem(str(path), 0, "", str(error))]) from None
    faults = Faults()
    chosen = abis.of(raw, faults)
    abis.strangers(raw, chosen, faults)
    if faults.found:
        raise ProjectError(_located(path, text, faults, [], ""))
    return _several(path, text, raw, chosen) if chosen else _one(path, text, raw)


def _one(path: Path, text: str, raw: dict[str, Any]) -> Project:
    """The project of one core."""
    faults = Faults()
    project = _project(path, raw, faults)
    from packaging_tool.project import check

    problems = check.check(project, faults)
    if faults.found or problems:
        raise ProjectError(_located(path, text, faults, problems, project.core.driver))
    return project


def _several(path: Path, text: str, raw: dict[str, Any], chosen: Sequence[str]) -> Project:
    """The project of the first core, which knows the others. A problem that several have is told once."""
    found: list[Project] = []
    problems: list[Problem] = []
    top, key = abis.table(raw)
    shared = abis.shared_name(raw[top][key])
    for abi in chosen:
        try:
            found.append(replace(_one(path, text, abis.only(raw, abi)), abi=abi, shared=shared))
        except ProjectError as wrong:
            problems += wrong.problems
    if problems:
        raise ProjectError(list(dict.fromkeys(problems)))
    return replace(found[0], each=tuple(found))


def located(path: Path, faults: Faults, problems: list[Problem], driver: str) -> list[Problem]:
    """Problems of a project file that show after it was loaded, with their lines. driver: its name."""
    return _located(path, _read(path), faults, problems, driver)


def _read(path: Path) -> str:
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            # A pipe would be read for ever, and so would what a link leads to among devices.
            raise InputError(f"{path} is no regular file", hint="write the project into a file")
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        raise InputError(f"there is no {path}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def _project(path: Path, raw: dict[str, Any], faults: Faults) -> Project:
    converter = Converter(faults)
    for name in raw:
        if name not in TABLES:
            faults.add_name((name,), "unknown table" if isinstance(raw[name], dict) else "unknown key", _top(name))
    if "plugin-of" in raw:
        return _of_others(path, raw, converter)
    core_raw = raw.get("core", {})
    driver = _driver(core_raw, ("core",), faults)
    core_raw, core_options = _split(core_raw, driver, ("core",), faults)
    if "core" not in raw:
        faults.add(("core",), "is missing", "write a table [core] with name, version, summary, license, …")
        core = CoreSpec(name="", version="", summary="", license="", homepage="", maintainer="")
    else:
        core = converter.table(CoreSpec, core_raw, ("core",))
    module = registry.load("drivers", driver) if driver else None
    if not isinstance(raw.get("core"), dict):
        # Nothing is known of the driver then, so nothing of it can be missing.
        module = None
    options = converter.table(module.CoreOptions, core_options, ("core", driver)) if module else None
    plugins, plugin_options = _plugins(raw.get("plugin", {}), driver, module, converter)
    repository = converter.table(RepositorySpec, raw.get("repository", {}), ("repository",))
    return Project(
        root=path.absolute().parent,
        file=path,
        core=core,
        plugins=plugins,
        repository=repository,
        core_options=options,
        plugin_options=plugin_options,
    )


def _of_others(path: Path, raw: dict[str, Any], converter: Converter) -> Project:
    """Plugins for somebody else's core, of which the file says the name and the driver only."""
    faults = converter.faults
    if "core" in raw:
        faults.add(("core",), "stands beside [plugin-of]", "keep one: the server is yours, or somebody else's")
    driver = _driver(raw["plugin-of"], ("plugin-of",), faults)
    module = registry.load("drivers", driver) if driver else None
    if module is not None and not hasattr(module.Driver, "against"):
        faults.add(("plugin-of", "driver"), f"{driver} builds no plugins for other people's servers yet")
    spec = converter.table(PluginOfSpec, raw["plugin-of"], ("plugin-of",))
    plugins, plugin_options = _plugins(raw.get("plugin", {}), driver, module, converter)
    if not plugins:
        faults.add(("plugin",), "is missing", "write a table [plugin.NAME] with summary, and what its driver needs")
    return Project(
        root=path.absolute().parent,
        file=path,
        core=CoreSpec(
            name=spec.core,
            version="",
            summary="",
            license=spec.license,
            homepage=spec.homepage,
            maintainer=spec.maintainer,
            driver=driver or spec.driver,
            architectures=spec.architectures or ("amd64",),
            # Whether there is a user is not known yet; here it may be named.
            service=ServiceSpec(),
        ),
        plugins=plugins,
        repository=converter.table(RepositorySpec, raw.get("repository", {}), ("repository",)),
        plugin_options=plugin_options,
        plugin_of=spec,
    )


def _plugins(raw: Any, driver: str, module: Any, converter: Converter) -> tuple[tuple[PluginSpec, ...], dict[str, Any]]:
    specs, options = [], {}
    if not isinstance(raw, dict):
        converter.faults.add(("plugin",), "must be tables", "write [plugin.NAME] for each plugin")
        raw = {}
    for name, table in raw.items():
        path = ("plugin", name)
        if name in schema.keys(PluginSpec) and not isinstance(table, dict):
            converter.faults.add(path, "stands outside of a plugin's table", "write [plugin.NAME] above it")
            continue
        try:
            rules.plugin_name(name)
        except RuleError as error:
            converter.faults.add_name(
                path, error.what, error.instead.replace('write "', "write [plugin.").replace('"', "]")
            )
        own, settings = _split(table, driver, path, converter.faults)
        specs.append(converter.table(PluginSpec, own, path, {"name": name}))
        if module is not None and isinstance(table, dict):
            options[name] = converter.table(module.PluginOptions, settings, (*path, driver))
    return tuple(specs), options


def _driver(table: Any, path: lines.Path, faults: Faults) -> str:
    """The driver's name, or "" if there is no such driver."""
    said = table.get("driver", schema.keys(CoreSpec)["driver"].default) if isinstance(table, dict) else ""
    if isinstance(said, str) and registry.has("drivers", said):
        return said
    if isinstance(said, str) and said:
        faults.add((*path, "driver"), f"there is no driver {said!r}", did_you_mean(said, registry.names("drivers")))
    return ""


def _split(table: Any, driver: str, path: lines.Path, faults: Faults) -> tuple[Any, Any]:
    """The table without the drivers' own tables, and that of its driver.

    A list under the name of the driver is the key `files`, not the driver's table. What the driver shares with others
    stands in a table of that name; its own table goes before. Tables of those others are left alone, unless
    they are all that there is: who changed the driver alone is told what to change.
    """
    if not isinstance(table, dict):
        return table, {}
    rest, settings, common = {}, {}, {}
    others = []
    keys = {*schema.keys(CoreSpec), *schema.keys(PluginSpec), "file"}
    shared = _shared(driver)
    for name, value in table.items():
        if name == driver and not isinstance(value, list):
            settings = value
        elif name == shared and isinstance(value, dict):
            common = value
        elif name not in keys and registry.has("drivers", name):
            # Without a known driver nobody can say what belongs into its table.
            if driver and shared and _shared(name) == shared:
                others.append(name)
            elif driver:
                faults.add((*path, name), f"is for driver {name}; the driver is {driver}", "see the key `driver`")
        else:
            rest[name] = value
    if others and not settings and not common:
        instead = f"name the table {shared}, which both read, or {driver}"
        faults.add((*path, others[0]), f"is for driver {others[0]}; the driver is {driver}", instead)
    return rest, {**common, **settings} if isinstance(settings, dict) else settings


def _shared(driver: str) -> str:
    """Name of the table that a driver shares with others, or ""."""
    return getattr(registry.load("drivers", driver), "SHARED", "") if driver else ""


def _top(name: str) -> str:
    if name in schema.keys(CoreSpec):
        return f"`{name}` belongs into [core]"
    return did_you_mean(name, TABLES)


def dotted(path: lines.Path) -> str:
    """A path as it is shown: `core.files[0].path`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            bare = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{part}"'
            text += f".{bare}" if text else bare
    return text


def _located(path: Path, text: str, faults: Faults, problems: list[Problem], driver: str) -> list[Problem]:
    """All problems with their lines; those of a driver are found by their keys."""
    file, root = str(path), path.absolute().parent
    found = lines.scan(text)
    shared = _shared(driver) if registry.has("drivers", driver) else ""
    written = [(_as_written(place, found, driver, shared), what, to) for place, what, to in faults.found]
    located = [Problem(file, lines.line_of(found, place), dotted(place), what, to) for place, what, to in written]
    by_key = {dotted(place): line for place, line in found.items()}
    for problem in problems:
        line, key = problem.line, problem.key
        if key not in by_key and shared and (other := key.replace(f".{driver}.", f".{shared}.", 1)) in by_key:
            problem = replace(problem, key=other)
            key = other
        while not line and key:
            line = by_key.get(key, 0)
            around = re.sub(r"(\.?(\"[^\"]*\"|[^.\[\]\"]*)|\[\d+\])$", "", key)
            # A name that no key can have, as the driver spells it.
            key = around if around != key else ""
        what = shortened(problem.what.replace(f"{root}/", ""))
        # One that knows its line may be of another file, as go.mod.
        where = str(path.parent / problem.file.removeprefix(f"{root}/")) if problem.line else file
        located.append(Problem(where, line, problem.key, what, shortened(problem.instead)))
    return list(dict.fromkeys(located))


def _as_written(path: lines.Path, found: dict[lines.Path, int], driver: str, shared: str) -> lines.Path:
    """The path with `file` for `files` or the shared table for the driver's where the project file says so."""
    for at, part in enumerate(path[:-1]):
        if part == driver and shared and path[: at + 2] not in found:
            other = (*path[:at], shared, *path[at + 1 :])
            return other if other[: at + 2] in found else path
        other = (*path[:at], "file", *path[at + 1 :])
        if part == "files" and isinstance(path[at + 1], int) and other[: at + 2] in found:
            return other
    return path


def _syntax(file: str, text: str, message: str) -> Problem:
    """A TOML error in our own words, with the place of the first where something is there twice."""
    where = re.search(r"\(at line (\d+), column (\d+)\)", message)
    what = message[: where.start()].strip() if where else message.replace("(at end of document)", "").strip()
    line = int(where[1]) if where else 0
    content = text.split("\n")[line - 1].strip() if where else ""
    twice = re.match(r"Cannot (declare|overwrite|mutate|redefine)", what)
    if twice and (first := _first(text, line)):
        key, earlier = first
        what = f"stands here for the second time; the first is in line {earlier}"
        return Problem(file, line, key, what, _apart(key, content, text.split("\n")[earlier - 1].strip()))
    if double := re.match(r"Duplicate inline table key '?(.*?)'?$", what):
        return Problem(file, line, "", f"the key {double[1]} stands twice in one table", "keep one")
    if not where:
        return _unfinished(file, text)
    return Problem(file, line, "", f"not TOML: column {where[2]}: {what[:1].lower()}{what[1:]}", _toml_hint(content))


def _apart(key: str, *rows: str) -> str:
    """What to write instead of a key that two rows define: the driver `files` has its settings where other drivers have
    a list."""
    lists = [row for row in rows if re.match(r"\[\[|[^=]*=\s*\[", row)]
    if re.fullmatch(r"core\.files|plugin\..*\.files", key) and len(lists) == 1:
        owner = key.removesuffix(".files")
        return f"[{key}] has settings of the driver `files`; write the list of files as [[{owner}.file]]"
    return "keep one"


def _unfinished(file: str, text: str) -> Problem:
    """Something was opened and not closed: told at its begin, since the end of the file helps nobody."""
    found = lines.scan(text)
    last = max(found, key=lambda path: (found[path], len(path)), default=())
    while last and isinstance(last[-1], int):
        last = last[:-1]
    begin = found.get(last, 0)
    return Problem(
        file, begin, dotted(last), "not TOML: the file ends before this is closed", "close the text, list or table"
    )


def _first(text: str, line: int) -> tuple[str, int] | None:
    """The key that line repeats, and the line where it stands first."""
    rows = text.split("\n")
    before = lines.scan("\n".join(rows[: line - 1]) + "\n")
    for path in reversed(lines.at_line("\n".join(rows[:line]) + "\n", line)):
        if path in before:
            return dotted(path), before[path]
    return None


def _toml_hint(content: str) -> str:
    value = content.partition("=")[2].strip()
    if octal := re.search(r"=\s*(0[0-7]{3,4})\b", content):
        return f'write "{octal[1]}"'
    if re.fullmatch(r"[A-Za-z][^\"'\[{]*", value) and value not in ("true", "false"):
        return f'texts stand in quotes: write "{value}"'
    return ""
