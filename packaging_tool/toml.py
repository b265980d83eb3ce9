"""TOML that others wrote: what tomllib reads, as far as the rest of the program can bear it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from packaging_tool.errors import InputError

# Tables and lists within each other; a project file has five.
DEEPEST = 64
# Integers have 64 bits (TOML 1.0, "Integer"); tomllib takes any, and Python refuses to print the longest.
# A key with very many parts, for which tomllib takes memory by their square. Each part begins where a word does.
_DOTTED = re.compile(
    r"(?<![A-Za-z0-9_\"'-])(?:(?:[A-Za-z0-9_-]++|\"[^\"\n]{0,64}\"|'[^'\n]{0,64}')[ \t]*+\.[ \t]*+){400}"
)
INTEGER = range(-(1 << 63), 1 << 63)


class LimitError(ValueError):
    """Something in the text is TOML, or begins like it, and is too much."""


def loads(text: str) -> dict[str, Any]:
    """The values of a text. Raises tomllib.TOMLDecodeError, or LimitError for deep nesting and huge numbers."""
    if _DOTTED.search(text):
        raise LimitError("is nested too deeply")
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise LimitError("is nested too deeply") from None
    except ValueError:
        raise LimitError("has a number of too many digits") from None
    _check(raw)
    return raw


def table(text: str, name: str) -> dict[str, Any]:
    """A table at the top of a text; an empty one if the name is not there, or not a table's. Raises as `loads` does."""
    found = loads(text).get(name)
    return found if isinstance(found, dict) else {}


def _check(raw: dict[str, Any]) -> None:
    waiting: list[tuple[Any, int]] = [(raw, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > DEEPEST:
            raise LimitError("is nested too deeply")
        if isinstance(value, dict):
            waiting += [(item, depth + 1) for item in value.values()]
        elif isinstance(value, list):
            waiting += [(item, depth + 1) for item in value]
        elif isinstance(value, int) and value not in INTEGER:
            raise LimitError("has a number that does not fit into 64 bits")


def string(text: str) -> str:
    """A text as TOML has it, in quotes. Raises InputError for what is no UTF-8, as names of files may be."""
    import json  # 2 ms that who only reads need not pay

    if not text.isascii() and re.search("[\ud800-\udfff]", text):
        raise InputError(f"{text!r} is no valid UTF-8", hint="rename the file")
    # A JSON string is a TOML basic string, except that DEL must be escaped too.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def dumps(tree: Mapping[str, Any]) -> str:
    """TOML of texts, numbers, booleans, lists, and tables of these; what is None or an empty text is left out."""
    return "\n".join(_lines(tree, ())).lstrip("\n") + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    plain = {key: item for key, item in table.items() if not isinstance(item, Mapping)}
    if path and (plain or not table):
        yield ""
        yield f"[{'.'.join(map(_key, path))}]"
    for key, item in plain.items():
        if item not in (None, "", ()):
            yield f"{_key(key)} = {value(item)}"
    for key, item in table.items():
        if isinstance(item, Mapping):
            yield from _lines(item, (*path, key))


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else value(name)


def value(given: Any) -> str:
    """One value as TOML has it, in one line."""
    if isinstance(given, (list, tuple)):
        return f"[{', '.join(map(value, given))}]"
    if isinstance(given, Mapping):
        said = [f"{_key(key)} = {value(item)}" for key, item in given.items() if item not in (None, "", ())]
        return f"{{ {', '.join(said)} }}" if said else "{}"
    if isinstance(given, str):
        return string(given)
    return str(given).lower() if isinstance(given, bool) else str(int(given))
