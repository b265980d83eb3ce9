"""Names in a project file that only the wheels can tell: of what starts the server, of extras, and of what is left out.

Nothing is imported to see them, since that would run it. What cannot be seen so is taken; the target tries it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from packaging_tool.project.faults import did_you_mean, similar
from packaging_tool.wheels.wheel import Wheel, normal

# Key from the top of the file, what is wrong, and what to write instead.
Finding = tuple[str, str, str]

# With one of these, a module may have names that do not stand in it.
_DYNAMIC = {"exec", "globals", "vars", "setattr", "modules"}


def main(
    said: str, server: Sequence[Wheel], files: Mapping[str, Sequence[str]], folder: Callable[[str], Path]
) -> Iterator[Finding]:
    """Whether the server has what starts it. server: its wheels, its own first. files: names by wheel, below folder."""
    key, (module, _, function) = "core.python.main", said.partition(":")
    if module.partition(".")[0] in sys.stdlib_module_names:
        return
    scripts = next((list(one.scripts.values()) for one in server if one.scripts), [])
    path = module.replace(".", "/")
    sources = [
        (one, name)
        for one in server
        for name in files[one.name]
        if name == f"{path}/__init__.py" or re.fullmatch(rf"{re.escape(path)}\.([^/]+\.)?(py|so)", name)
    ]
    if not sources:
        yield key, f"no wheel of the server has the module {module!r}", _choice(said, scripts)
        return
    name = function.partition(".")[0]
    texts = [folder(one.name) / file for one, file in sources]
    known = [None if text.suffix == ".so" else _names(text.read_bytes()) for text in texts]
    if all(names is not None and name not in names for names in known):
        there = [f"{module}:{one}" for names in known for one in sorted(names or ()) if not one.startswith("_")]
        near = similar(name, [one.partition(":")[2] for one in there])
        instead = f"did you mean '{module}:{near}'?" if near else _choice(said, scripts or there)
        yield key, f"the module {module!r} has no {name!r}", instead


def _choice(said: str, known: Sequence[str]) -> str:
    return did_you_mean(said, known) if known else "name a module of the server's wheels, and a function of it"


def _names(source: bytes) -> set[str] | None:
    """Names that a module has when it was imported; None if that cannot be seen."""
    try:
        found = set(_bound(ast.parse(source).body))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # Of a newer Python, perhaps.
        return None
    words = {word.decode() for word in re.findall(rb"[A-Za-z_]+", source)}
    return None if {"*", "__getattr__"} & found or words & _DYNAMIC else found


def _bound(body: Iterable[ast.AST]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            yield from (name for one in ast.walk(node) if isinstance(one, ast.Global) for name in one.names)
        elif isinstance(node, ast.Import):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        else:
            yield from _bound(ast.iter_child_nodes(node))


def extras(key: str, requires: Iterable[str], wheels: Mapping[str, Wheel]) -> Iterator[Finding]:
    """Extras of requirements that their wheels have not. pip warns of them, and goes on without."""
    from packaging.requirements import Requirement

    for wanted in map(Requirement, requires):
        made = wheels.get(normal(wanted.name))
        if made is None:
            continue
        offered = made.metadata.get("Provides-Extra", [])
        for extra in sorted(one for one in wanted.extras if normal(one) not in map(normal, offered)):
            bare = f"{wanted.name}{wanted.specifier}"
            instead = did_you_mean(extra, offered) if offered else f"it has none: write {bare!r}"
            yield key, f"{made.name} {made.version} has no extra {extra!r}", instead


def without(
    key: str, said: Iterable[str], there: Sequence[Wheel], direct: Iterable[str], who: str
) -> Iterator[Finding]:
    """Names that are left out though nothing requires them.

    there: wheels that were chosen. direct: what the project requires itself. who: where they are looked for.
    """
    from packaging.requirements import Requirement

    itself = {normal(Requirement(text).name) for text in direct if not text.startswith("./")}
    # Whatever its marker says: it may be for another architecture.
    required = {normal(Requirement(text).name) for one in there for text in one.requires} | itself
    choice = sorted({one.name for one in there} & required - itself)
    for name in said:
        if normal(name) not in required:
            instead = did_you_mean(normal(name), choice) if choice else "take it out"
            yield key, f"nothing {who} requires {name!r}", instead
