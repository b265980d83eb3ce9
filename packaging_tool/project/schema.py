"""The keys of a project file, read off the types: names, types, defaults and texts."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal


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
        if dataclasses.is_dataclass(inner):
            return "list of tables"
        return f"list of {spell(inner).replace('list', 'lists') if typing.get_origin(inner) else f'{spell(inner)}s'}"
    if typing.get_origin(hint) is not None or dataclasses.is_dataclass(hint):
        return "table"
    return {str: "text", int: "whole number", bool: "true or false"}[hint]
