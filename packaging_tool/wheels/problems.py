"""Problems of the settings of the driver `python` that need no build."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging_tool import targets
from packaging_tool.project import contents
from packaging_tool.project.model import Project

REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._, -]+\])? *((==|>=|<=|<|>|~=|!=)[^;@]+)?(;.*)?")


def api(project: Project) -> str:
    """The version of the server's interface."""
    return project.core_options.api or project.core.version


def find(project: Project) -> Iterator[tuple[str, str, str]]:
    """Each as key from the top of the file, what is wrong, and what to write instead."""
    options = project.core_options
    if project.plugin_of is None:
        yield from _of_core(project)
        yield from _of_requires("core.python.requires", options.requires, project)
    known = (api(project), *options.accepts) if project.plugin_of is None else ()
    for name, own in sorted(project.plugin_options.items()):
        yield from _of_requires(f"plugin.{name}.python.requires", own.requires, project)
        if own.api and known and own.api not in known:
            accepted = ", ".join(f'"{version}"' for version in known)
            yield f"plugin.{name}.python.api", f"the core does not take {own.api!r}", f"write one of {accepted}"


def _of_core(project: Project) -> Iterator[tuple[str, str, str]]:
    options = project.core_options
    if not re.fullmatch(r"3\.\d{1,2}\+?", options.python):
        yield "core.python.python", f"{options.python!r} is no version", 'write for example "3.11", or "3.9+"'
    else:
        yield from _unfit(project, options.python)
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", options.main, re.ASCII):
        yield "core.python.main", f"{options.main!r} is no entry point", 'write for example "server.cli:main"'


def _of_requires(key: str, requires: Sequence[str], project: Project) -> Iterator[tuple[str, str, str]]:
    if not requires:
        yield key, "is empty", 'write for example ["datasette==0.65.5"]'
    for text in requires:
        if text.startswith("./") and text.endswith(".whl"):
            if not contents.holds(Path.is_file, project.root / text):
                yield key, f"there is no wheel {text}", "build it first"
        elif text.startswith("./"):
            files = (project.root / text / name for name in ("pyproject.toml", "setup.py"))
            if not any(contents.holds(Path.is_file, file) for file in files):
                yield key, f"there is no Python project in {text}", "name a folder with a pyproject.toml"
        elif fault := _of_requirement(text):
            yield key, *fault
        elif ";" in text and text == requires[0]:
            what = f"{text!r} is the first, which is the server or the plugin itself, on every target"
            yield key, what, f"write {text.partition(';')[0].strip()!r}"


def _of_requirement(text: str) -> tuple[str, str] | None:
    """What is wrong with a requirement by name (PEP 508), and what to write instead."""
    from packaging.requirements import InvalidRequirement, Requirement

    if "://" in text or text.startswith(("git+", "hg+", "svn+", "bzr+", "/", "../")):
        instead = (
            'put the wheel or its project into this one and write "./name.whl" or "./folder", or write `name==version`'
        )
        return f"{text!r} is an address, and no index says what lies there tomorrow", instead
    if text.endswith(".whl"):
        return f"{text!r} is the name of a file", f"write {'./' + text!r}"
    if single := re.fullmatch(r"([A-Za-z0-9][\w.-]*) *= *([\w.!+-]+)", text):
        return f"{text!r} is no requirement", f"write '{single[1]}=={single[2]}'"
    instead, where = 'write `name==version`, or "./folder"', ""
    try:
        wanted = Requirement(text) if REQUIREMENT.fullmatch(text) else None
    except InvalidRequirement as error:
        wanted, where = None, f": {str(error).splitlines()[0]}"
    if wanted is None:
        return f"{text!r} is no requirement{where}", instead
    if wanted.marker is not None and re.search(r"\bextra\b", re.sub(r"\"[^\"]*\"", "", str(wanted.marker))):
        return f"{text!r} asks for an extra, and a project has none", "take that out of the marker"
    return None


def _unfit(project: Project, python: str) -> Iterator[tuple[str, str, str]]:
    """Targets that have no such Python."""
    wanted = [int(part) for part in python.rstrip("+").split(".")]
    for name in project.core.targets:
        known = targets.PYTHONS.get(name)
        if known is None:
            continue
        versions = [[int(part) for part in version.split(".")] for version in known]
        fits = versions[0] >= wanted if python.endswith("+") else wanted in versions
        if not fits:
            has = " or ".join(known)
            what = f"{name} has Python {has}, not {python.replace('+', ' or newer')}"
            yield "core.python.python", what, f"take {name} out of core.targets, or write another version"
