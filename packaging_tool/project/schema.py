"""The keys of a project file, read off the types: names, defaults and texts. `python -m` prints the reference page."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from packaging_tool import registry
from packaging_tool.project import model

RELATIONS = ("recommends", "suggests", "conflicts", "replaces", "provides")


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table.

    name: as written in the file. field: of the dataclass. hint: its resolved type. required: has no default. doc: its
    text. aliases: other names of the key.
    """

    name: str
    field: str
    hint: Any
    required: bool
    default: Any
    doc: str
    aliases: tuple[str, ...] = ()


@lru_cache(maxsize=64)
def keys(cls: type) -> Mapping[str, Key]:
    """The keys of a dataclass by name in the file, in the order of its fields."""
    hints = typing.get_type_hints(cls)
    texts = docs(cls)
    found = {}
    for field in dataclasses.fields(cls):
        default = field.default if field.default is not dataclasses.MISSING else None
        factory = field.default_factory
        required = field.default is dataclasses.MISSING and factory is dataclasses.MISSING
        if factory is not dataclasses.MISSING:
            default = factory()
        name = field.name.replace("_", "-")
        aliases = tuple(field.metadata.get("aliases", ()))
        found[name] = Key(name, field.name, hints[field.name], required, default, texts.get(field.name, ""), aliases)
    return found


@lru_cache(maxsize=64)
def docs(cls: type) -> Mapping[str, str]:
    """The texts of a dataclass's fields: lines `name: text` of its docstring, with their indented continuations."""
    names = {field.name for field in dataclasses.fields(cls)}
    found: dict[str, str] = {}
    current = ""
    for line in (cls.__doc__ or "").splitlines():
        match = re.match(r"\s*([a-z_]+): (.*)", line)
        if match is not None and match[1] in names:
            current = match[1]
            found[current] = match[2].strip()
        elif not line.strip():
            current = ""
        elif current:
            found[current] += " " + line.strip()
    return found


def optional(hint: Any) -> Any:
    """`X` of a hint `X | None`; other hints as they are."""
    if isinstance(hint, types.UnionType):
        return next(part for part in typing.get_args(hint) if part is not type(None))
    return hint


def spell(hint: Any) -> str:
    """A type in words for the user."""
    hint = optional(hint)
    if typing.get_origin(hint) is Literal:
        return " or ".join(f'`"{choice}"`' for choice in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)[0]
        return "list of tables" if dataclasses.is_dataclass(inner) else f"list of {spell(inner)}s"
    if typing.get_origin(hint) is not None or dataclasses.is_dataclass(hint):
        return "table"
    return {str: "text", int: "whole number", bool: "true or false"}[hint]


def reference() -> str:
    """The reference page of the project file, Markdown."""
    lines = [
        "<!-- Made from the types by `make docs`; a test checks that it is current. Do not edit. -->",
        "# The project file",
        "",
        "`mkpkgs.toml` describes a server, its plugins and the packages to come. It is [TOML](https://toml.io/en/v1.0.0).",
        "Unknown keys are errors. All paths of sources are relative to the file.",
        "",
    ]
    sections = (
        ("[core]", model.CoreSpec),
        ("[core.service]", model.ServiceSpec),
        ("[[core.changelog]]", model.ChangeSpec),
        ("[plugin.NAME]", model.PluginSpec),
        ("[[core.file]] and [[plugin.NAME.file]]", model.FileSpec),
        ("[core.deb], [core.rpm], [plugin.NAME.deb] and [plugin.NAME.rpm]", model.RelationSet),
        ("[repository]", model.RepositorySpec),
    )
    for title, cls in sections:
        lines += _section(title, cls)
    for driver in registry.names("drivers"):
        module = registry.load("drivers", driver)
        lines += [f"## Driver `{driver}`", "", (module.__doc__ or "").split("\n\n")[0].replace("\n", " ").strip(), ""]
        lines += _section(f"[core.{driver}]", module.CoreOptions, "###")
        lines += _section(f"[plugin.NAME.{driver}]", module.PluginOptions, "###")
    lines += _rules()
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(title: str, cls: type, mark: str = "##") -> Iterator[str]:
    about = (cls.__doc__ or "").split("\n\n")[0].replace("\n", " ").strip()
    yield f"{mark} `{title}`" if " and " not in title else f"{mark} " + _names(title)
    yield ""
    if not about.startswith("Settings of"):
        yield about
        yield ""
    rows = [key for key in keys(cls).values() if not (cls is model.PluginSpec and key.name == "name")]
    if not rows:
        yield "No keys."
        yield ""
        return
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    for key in rows:
        doc = key.doc or ("likewise" if key.name in RELATIONS else "")
        if key.aliases:
            doc += " Also written " + ", ".join(f"`{alias}`" for alias in key.aliases) + "."
        yield f"| `{key.name}` | {_cell(spell(key.hint))} | {_default(key)} | {_cell(doc)} |"
    yield ""


def _names(title: str) -> str:
    return re.sub(r"\[+[^\]]+\]+", lambda match: f"`{match[0]}`", title)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(key: Key) -> str:
    if key.required:
        return "**required**"
    if key.default is None or key.default == "" or key.default == () or key.default == {}:
        return ""
    if isinstance(key.default, bool):
        return f"`{str(key.default).lower()}`"
    if isinstance(key.default, tuple):
        return "`[" + ", ".join(f'"{item}"' for item in key.default) + "]`"
    return f'`"{key.default}"`' if isinstance(key.default, str) else f"`{key.default}`"


def _rules() -> Iterator[str]:
    from packaging_tool import targets
    from packaging_tool.project import paths

    yield "## Targets"
    yield ""
    yield "| target | format | compression, default first |"
    yield "|---|---|---|"
    for name, release in targets.TARGETS.items():
        yield f"| `{name}` | {release.format} | {', '.join(release.compressions)} |"
    yield ""
    yield "## Where files may go"
    yield ""
    yield (paths.__doc__ or "").split("\n\n", 1)[1].strip()
    yield ""


if __name__ == "__main__":
    import sys

    sys.stdout.write(reference())
