"""Relations as a project file says them, e.g. `openssl >= 3.0` or `mailx | s-nail`, as neutral values."""

from __future__ import annotations

import re
from typing import cast

from packaging_tool.package.model import Alternatives, Operator, Relation
from packaging_tool.project.model import CoreSpec, PluginSpec, RelationSet

# Of packages, in projects and in `package.model.Relations`.
FIELDS = ("depends", "recommends", "suggests", "conflicts", "replaces", "provides")
OPERATORS = ("<", "<=", "=", ">=", ">")
# Debian Policy 5.6.1; rpm takes more (capital letters, `_`, `foo(bar)`), so a format's own table may say those.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*(\([A-Za-z0-9+._:/-]+\))?")
VERSION = re.compile(r"([0-9]+:)?[0-9][A-Za-z0-9.+~]*(-[A-Za-z0-9.+~]+)?")
_ITEM = re.compile(r"\s*(?P<name>[^\s<>=!]+)\s*((?P<operator>[<>=!]+)\s*(?P<version>[^\s<>=!]\S*)\s*)?")


def parse(text: str) -> Alternatives:
    """One line of a relation field: `name`, `name OPERATOR version`, alternatives parted by `|`.

    OPERATOR is <, <=, =, >= or >. Raises ValueError with the reason.
    """
    return tuple(_parse_one(part) for part in text.split("|"))


def of(spec: CoreSpec | PluginSpec, own: RelationSet | None, field: str) -> tuple[str, ...]:
    """The texts of a field for one format. own: what is said for that format alone."""
    alone: tuple[str, ...] | None = getattr(own, field, None)
    said: tuple[str, ...] = getattr(spec, field)
    return said if alone is None else alone


def _parse_one(text: str) -> Relation:
    if not text.strip():
        raise ValueError("names no package")
    if re.search(r"\(\s*[<>=]", text):
        raise ValueError("has a version in parentheses; write `name >= 1.0`")
    if "," in text:
        raise ValueError("has a comma; write each relation as a text of its own")
    found = _ITEM.fullmatch(text)
    if found is None:
        raise ValueError(f"{text.strip()!r} is not `name` or `name >= version`")
    name, operator, version = found["name"], found["operator"] or "", found["version"] or ""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a package name")
    if not operator:
        return Relation(name)
    if operator not in OPERATORS:
        # `<<` and `>>` are Debian's own spelling, `==` Python's.
        known = {"<<": "<", ">>": ">", "==": "="}.get(operator)
        raise ValueError(f"{operator!r} is not one of {' '.join(OPERATORS)}" + (f"; write {known!r}" if known else ""))
    if not VERSION.fullmatch(version):
        raise ValueError(f"{version!r} is not a version that .deb and .rpm can both carry")
    return Relation(name, cast(Operator, operator), version)
