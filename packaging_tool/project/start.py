"""A project file to begin with, made from the types: every key with its text, those with a default as comments."""

from __future__ import annotations

import dataclasses
import re
import textwrap
import typing
from collections.abc import Iterator, Mapping

from packaging_tool import registry, toml
from packaging_tool.errors import InputError
from packaging_tool.project import model, placeholders, rules, schema
from packaging_tool.project.faults import RuleError, did_you_mean

# What a reader can leave as it is for a first try. All others that must be said are in capital letters.
_SAID = {
    "version": '"0.1.0"',
    "license": '"Apache-2.0"',
    "homepage": toml.string(placeholders.HOMEPAGE),
    "format": '"1"',
    "abi": '{ version = "{version}" }',
}
_RARE = {"recommends", "suggests", "conflicts", "replaces", "provides", "deb", "rpm", "service", "changelog"}
_RARE |= {"name", "abis"}


def blank(driver: str, folder: str, maintainer: str) -> str:
    """The text of a project file. driver: its name. folder: name of the directory. Raises InputError."""
    known = registry.names("drivers")
    if driver not in known:
        raise InputError(f"there is no driver {driver!r}", hint=did_you_mean(driver, known))
    module = registry.load("drivers", driver)
    name = re.sub(r"[^a-z0-9+.-]+", "-", folder.lower()).strip("-+.")
    try:
        rules.package_name(name)
    except RuleError:
        name = "server"
    said = {key: toml.string(text) for key, text in (("name", name), ("maintainer", maintainer), ("driver", driver))}
    said = {**_SAID, **said}
    shared = _RARE - {"name"}
    lines = [
        "# Keys in comments have these values by default. docs/reference.md has all keys.",
        "[core]",
        *_keys(model.CoreSpec, said, skip=shared | {"files"}, show=("driver",)),
        "",
        f"[core.{driver}]",
        *_keys(module.CoreOptions, said),
        "",
        "[core.service]",
        *_keys(model.ServiceSpec, said),
        "",
        "# A table like this for each plugin.",
        "[plugin.example]",
        *_keys(model.PluginSpec, said, skip=_RARE | {"files"}),
        "",
        f"[plugin.example.{driver}]",
        *_keys(module.PluginOptions, said),
        "",
        "[repository]",
        *_keys(model.RepositorySpec, said),
    ]
    return "\n".join(lines) + "\n"


def _keys(
    cls: type, said: Mapping[str, str], skip: typing.Collection[str] = (), show: typing.Collection[str] = ()
) -> Iterator[str]:
    for key in schema.keys(cls).values():
        if key.name in skip:
            continue
        if key.doc:
            yield from textwrap.wrap(key.doc, 118, initial_indent="# ", subsequent_indent="# ")
        if key.required or key.name in show:
            yield f"{key.name} = {said.get(key.name) or _capitals(key)}"
        else:
            is_table = dataclasses.is_dataclass(schema.optional(key.hint))
            yield f"# {key.name} = {'{}' if is_table else toml.value('' if key.default is None else key.default)}"


def _capitals(key: schema.Key) -> str:
    if dataclasses.is_dataclass(key.hint) and isinstance(key.hint, type):
        inner = [f"{k.name} = {_capitals(k)}" for k in schema.keys(key.hint).values() if k.required]
        return f"{{ {', '.join(inner)} }}" if inner else "{}"
    text = toml.string(placeholders.capitals(key.name))
    return f"[{text}]" if typing.get_origin(key.hint) is tuple else text
