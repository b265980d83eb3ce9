"""Finds what somebody changed in the driver's part of `mkpkgs.lock`, and where.

Such a change is refused before the go command reads it, which would speak of its own files. Each key has a sum; what
has a line for each module is compared with the others, so that the very line is known.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from packaging_tool.project import lines

# Keys with sums: all that is resolved, and nothing that a build adds.
KEYS = ("compile-flags", "link-flags", "go-mod", "go-sum", "settings", "main", "modules", "unresolved")
# Lines of the file above the driver's part; `packaging_tool.lock` writes them.
ABOVE = 6


def sums(values: Mapping[str, Any]) -> dict[str, str]:
    """A sum for each key that has something."""
    return {key: _sum(values[key]) for key in KEYS if values.get(key)}


def find(text: str, table: str, raw: Mapping[str, Any]) -> tuple[int, str] | None:
    """Line of the file and what is not as it was written there; None if all is, or nobody wrote sums.

    text: the driver's part. raw: its table.
    """
    written = raw.get("sums")
    if not isinstance(written, dict):
        return None
    now = sums(raw)
    wrong = sorted({key for key in (*now, *written) if now.get(key) != written.get(key)}, key=_order)
    if not wrong:
        return None
    key, start = wrong[0], lines.scan(text)
    for lost, where in ((f"sums.{key}", (table, "sums")), (key, (table,))):
        if key not in (written if where[1:] else now):
            return start.get(where, 0) + ABOVE, f"{table}.{lost} is missing"
    row = next(_odd(raw, key), 0)
    found = start.get((table, key)) or start.get((table, "sums", key)) or start.get((table,), 0)
    if key in ("settings", "main", "modules", "unresolved"):
        found = _inner(start, table, key, raw) or found
    return (found + row + ABOVE if found else 0), f"{table}.{key} is not what mkpkgs wrote there"


def _order(key: str) -> int:
    return KEYS.index(key) if key in KEYS else len(KEYS)


def _inner(start: Mapping[lines.Path, int], table: str, key: str, raw: Mapping[str, Any]) -> int:
    """The line of a module that the other keys know in another version."""
    if key != "modules":
        return 0
    known = _rows(raw)
    for path, said in raw["modules"].items():
        if " ".join((path, str(said))) not in known and len(str(said).split()) == 2:
            return start.get((table, key, path), 0)
    return 0


def _odd(raw: Mapping[str, Any], key: str) -> Iterator[int]:
    """Numbers of the lines of a text that do not go with the list of modules."""
    modules = {path: str(said).split() for path, said in raw.get("modules", {}).items()}
    for number, row in enumerate(str(raw.get(key, "")).splitlines(), 1) if key in ("go-mod", "go-sum") else ():
        words = [word for word in row.split() if word not in ("require", "//", "indirect")]
        said = modules.get(words[0], []) if words else []
        if len(said) != 2 or len(words) < 2 or words == [words[0], *said][: len(words)]:
            continue
        # Of other versions there are lines, too, for their go.mod files alone.
        if key == "go-mod" or words[1] == said[0] or "/go.mod" not in words[1]:
            yield number


def _rows(raw: Mapping[str, Any]) -> set[str]:
    return {" ".join(row.split()) for row in str(raw.get("go-sum", "")).splitlines()}


def _sum(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
