"""From TOML values to the dataclasses of the project file, driven by their type hints. Nothing stops at a fault."""

from __future__ import annotations

import dataclasses
import datetime
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar

from packaging_tool.project import rules, schema
from packaging_tool.project.faults import Faults, Path, RuleError, similar

T = TypeVar("T")

_NAMES = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number with a point",
    list: "a list",
    dict: "a table",
}


class Converter:
    """Makes dataclasses out of tables and notes all faults on the way.

    A field that is wrong gets its default, or an empty value of its type, so that the rest can still be checked.
    """

    def __init__(self, faults: Faults) -> None:
        self.faults = faults

    def table(self, cls: type[T], value: Any, path: Path, extra: Mapping[str, Any] | None = None) -> T:
        """One dataclass. extra: fields that the table does not say (a plugin's name)."""
        given: dict[str, Any] = dict(extra or {})
        is_table = isinstance(value, dict)
        if not is_table:
            self._wrong_type(value, "a table", path, "")
            value = {}
        kind: type = cls
        keys = schema.keys(kind)
        names = {name: key for key in keys.values() for name in (key.name, *key.aliases) if key.field not in given}
        for name, item in value.items():
            key = names.get(name)
            if key is None:
                self._unknown(name, cls, names, path)
            elif key.field in given:
                self.faults.add((*path, name), f"is given twice, also as `{key.name}`", f"keep `{key.name}`")
            else:
                given[key.field] = self._field(cls, key, item, (*path, name))
        for key in keys.values():
            if key.field in given:
                continue
            if key.required and is_table:
                about = f" ({key.doc.rstrip('.')})" if key.doc else ""
                self.faults.add((*path, key.name), "is missing", f"write {key.name} = {_placeholder(key.hint)}{about}")
            given[key.field] = empty(key.hint) if key.required else key.default
        return cls(**given)

    def _field(self, cls: type, key: schema.Key, item: Any, path: Path) -> Any:
        value = self.value(key.hint, item, path, key.doc)
        if key.required or value != key.default:
            self._apply(rules.OF.get((cls.__name__, key.field), rules.plain), value, path)
        return value

    def _apply(self, rule: Callable[..., None], value: Any, path: Path) -> None:
        """Run a rule over a text, over each item of a list, or over each name and text of a table."""
        if isinstance(value, tuple):
            for index, item in enumerate(value):
                self._apply(rule, item, (*path, index))
        elif isinstance(value, Mapping):
            for name, item in value.items():
                self._try(rule, (name, item), (*path, name))
        else:
            self._try(rule, (value,), path)

    def _try(self, rule: Callable[..., None], arguments: tuple[Any, ...], path: Path) -> None:
        """One mistake, one message: what already has the wrong type is not looked at again."""
        if self.faults.covers(*path):
            return
        try:
            rule(*arguments)
        except RuleError as error:
            self.faults.add(path, error.what, error.instead)

    def value(self, hint: Any, value: Any, path: Path, doc: str = "") -> Any:
        """One value of a type."""
        hint = schema.optional(hint)
        origin = typing.get_origin(hint)
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            return self.table(hint, value, path)
        if origin is tuple:
            return self._list(typing.get_args(hint)[0], value, path, doc)
        if origin is Literal:
            return self._choice(typing.get_args(hint), value, path)
        if origin is not None:
            return self._mapping(typing.get_args(hint)[1], value, path, doc)
        if hint is str and isinstance(value, datetime.date):
            return value.isoformat()
        if type(value) is not hint:
            self._wrong_type(value, _NAMES[hint], path, _write(hint, value, path))
            return empty(hint)
        return value

    def _list(self, inner: Any, value: Any, path: Path, doc: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            write = f"write [{_toml(value)}]" if isinstance(value, str) else _example(doc)
            self._wrong_type(value, "a list", path, write)
            return ()
        return tuple(self.value(inner, item, (*path, index)) for index, item in enumerate(value))

    def _choice(self, choices: tuple[str, ...], value: Any, path: Path) -> Any:
        if value in choices:
            return value
        self.faults.add(path, f"{_toml(value)} is not one of {', '.join(filter(None, choices))}", _near(value, choices))
        return choices[0]

    def _mapping(self, inner: Any, value: Any, path: Path, doc: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self._wrong_type(value, "a table", path, _example(doc))
            return {}
        return {name: self.value(inner, item, (*path, name)) for name, item in value.items()}

    def _wrong_type(self, value: Any, wanted: str, path: Path, instead: str) -> None:
        self.faults.add(path, f"must be {wanted}, not {_NAMES.get(type(value), type(value).__name__)}", instead)

    def _unknown(self, name: str, cls: type, known: Iterable[str], path: Path) -> None:
        close = similar(name, known)
        instead = f"did you mean `{close}`?" if close else ""
        if not close and (place := rules.elsewhere(name, cls)):
            instead = f"it belongs into {place}"
        choice = sorted(known)
        listed = f"known: {', '.join(choice)}" if len(choice) <= 12 else "docs/reference.md lists the keys"
        self.faults.add((*path, name), "unknown key", instead or listed)


def empty(hint: Any) -> Any:
    """A value that stands for one that is wrong or missing."""
    hint = schema.optional(hint)
    if hint in (str, int, bool):
        return hint()
    return () if typing.get_origin(hint) is tuple else {}


def _toml(value: Any) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value).lower() if isinstance(value, bool) else str(value)


def _near(value: Any, choices: tuple[str, ...]) -> str:
    close = similar(value, choices) if isinstance(value, str) else ""
    return f'did you mean "{close}"?' if close else ""


def _placeholder(hint: Any) -> str:
    return '["…"]' if typing.get_origin(schema.optional(hint)) is tuple else '"…"'


def _example(doc: str) -> str:
    """The example in a key's text, as what to write."""
    found = re.search(r"e\.g\. `(.*?)`", doc)
    return f"write for example {found[1]}" if found else ""


_MODES = frozenset(re.findall("[0-7]+", "400 440 444 500 550 555 600 640 644 660 664 700 750 755 770 775"))


def _write(hint: type, value: Any, path: Path) -> str:
    """What to write instead of a value of the wrong type, where that is plain."""
    if path[-1] == "mode" and type(value) is int:
        # TOML has made a number of 0o644; 644 it left as it is.
        meant = f"{value:04o}" if f"{value:03o}" in _MODES else f"{value:04}"
        return f'write "{meant}"' if re.fullmatch("[0-7]{4}", meant) else 'write for example "0644"'
    if hint is str and isinstance(value, (int, float)):
        return f'write "{_toml(value)}"'
    if hint is int and isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,18}\s*", value):
        return f"write {int(value)}"
    if hint is bool and isinstance(value, str) and value.lower() in ("true", "false", "yes", "no"):
        return f"write {'true' if value.lower() in ('true', 'yes') else 'false'}"
    if hint is str and isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        return f"write {_toml(value[0])}"
    return ""
