"""The sums at the end of `mkpkgs.lock`, and what somebody changed of what stands above them.

Nothing in a lock is written by hand but for one thing: an author of plugins may delete the line of a sum that changed
rightly. A driver may have finer sums of its own, in `sums` or `sum` of its table (`golang.edited`, `wheels.locked`);
what those are of is left to it, since it knows the very line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from packaging_tool import toml
from packaging_tool.project import lines

BEGIN = "\n# Sums of what stands above:\n"
# Of an author's lock: lines that may go.
_LOOSE = ("plugin-of", "sums")
_TABLE = "mkpkgs"


@dataclass(frozen=True, slots=True)
class Edit:
    """What is not as it was written. path: of the key, in the whole file. what: what is wrong. name: of the key."""

    path: lines.Path
    what: str
    name: str

    def line(self, text: str) -> int:
        """Where that is in the file; of what is missing, where its table is."""
        return lines.line_of(lines.scan(text), self.path)


@lru_cache(maxsize=8)
def tables(part: str) -> Mapping[str, Any]:
    """The driver's part, read once in a run. Raises ValueError."""
    return toml.loads(part)


def render(head: Mapping[str, Any], part: str) -> str:
    """The end of the file, for the keys of its head and the driver's part."""
    sums = "".join(f"{toml.string(name)} = {toml.string(said)}\n" for name, (_, said) in _rows(head, part).items())
    return f"{BEGIN}[{_TABLE}]\n{sums}"


def find(head: Mapping[str, Any], part: str, end: str) -> Edit | None:
    """The first key that is not as it was written. end: what follows BEGIN. Raises ValueError if that is no list."""
    written = toml.table(end, _TABLE)
    now = _rows(head, part)
    if gone := next((name for name in written if name not in now and name != ".".join(_LOOSE)), ""):
        return Edit(tuple(gone.split(".")), f"{gone} is missing", gone)
    for name, (path, said) in now.items():
        what, row = "", ""
        if name not in written:
            # Of what has finer sums, that one went away.
            finer = f"{path[0]}.sums"
            what = f"{finer}.{path[-1]} is missing" if finer in written else f"the sum of {name} is missing"
            path = (path[0], "sums") if finer in written else (_TABLE,)
        elif said != written[name] and _has_rows(path):
            what, row = _odd_row(name, path, _value(part, path), str(written[name]).split())
        elif said != written[name]:
            what = f"{name} is not what mkpkgs wrote there"
        if what:
            return Edit((*path, row) if row else path, what, name)
    return None


def _odd_row(name: str, path: lines.Path, rows: Mapping[str, Any], written: Sequence[str]) -> tuple[str, str]:
    """What is wrong with the rows of a table, and with which; "" if some went that may."""
    for key, item in rows.items():
        if _sum((key, item), 4) not in written:
            return f"{name}: {key[:80]!r} is not what mkpkgs wrote there", key
    return ("" if path == _LOOSE else f"a line of {name} is missing"), ""


def _has_rows(path: lines.Path) -> bool:
    """Whether a table has a short sum for each of its rows: it is one of sums."""
    return path[-1] == "sums"


def _rows(head: Mapping[str, Any], part: str) -> dict[str, tuple[tuple[str, ...], str]]:
    """Paths and sums by the names of keys."""
    found: list[tuple[tuple[str, ...], str]] = [((key,), _sum(item, 8)) for key, item in head.items()]
    try:
        below = [(path, item) for name, item in tables(part).items() for path, item in _keys(item, (name,))]
    except ValueError:
        # Told by who reads it.
        below = []
    for path, item in below:
        rows = _has_rows(path) and isinstance(item, dict)
        said = " ".join(sorted(_sum(row, 4) for row in item.items())) if rows else _sum(item, 8)
        found.append((path, said))
    return {".".join(path): (path, said) for path, said in found}


def _keys(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What has one sum: texts, numbers, lists, and tables of texts and numbers below the driver's own."""
    if not isinstance(value, dict) or (len(path) > 1 and not any(isinstance(x, dict | list) for x in value.values())):
        yield path, value
        return
    for key, item in value.items():
        if path == _LOOSE[:1] or len(path) > 1 or not _is_finer(value, key, item):
            yield from _keys(item, (*path, key))


def _is_finer(table: Mapping[str, Any], key: str, item: Any) -> bool:
    """Whether the driver has sums of this key."""
    own = table.get("sums")
    of_tables = isinstance(item, list) and any(isinstance(row, dict) for row in item)
    return (isinstance(own, dict) and key in own) or (of_tables and "sum" in table)


def _value(part: str, path: tuple[str, ...]) -> Mapping[str, Any]:
    found: Any = tables(part)
    for name in path:
        found = found[name]
    return found if isinstance(found, dict) else {}


def _sum(value: Any, digits: int) -> str:
    # By repr, since who only reads needs no json. The order of keys counts for nothing.
    said = repr(sorted(value.items())) if isinstance(value, dict) else repr(value)
    return hashlib.sha256(said.encode(errors="surrogatepass")).hexdigest()[:digits]
