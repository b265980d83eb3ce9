"""The part of the lock of the driver `elf`.

It has `epoch`, SOURCE_DATE_EPOCH of builds where neither variable nor changelog says one; the `compiler`; the `sources`
that are tarballs with their SHA-256; and for each architecture, in `built`, the `abi` and its `lines`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging_tool import toml
from packaging_tool.elf import published as offers
from packaging_tool.errors import BuildError, InputError

FORMAT = 1
REPAIR = "tell the maintainer of the core"
_ABI = re.compile(r"[0-9a-f]{64}")
_ARCHITECTURE = re.compile(r"[a-z0-9]{1,20}")
# SOURCE_DATE_EPOCH of the commands; times in packages have 32 bits.
_TIMES = range(1 << 32)


def read(text: str) -> dict[str, Any]:
    """The driver's part of a lock; empty if it is not of this form."""
    try:
        part = toml.loads(text).get("elf", {})
    except ValueError:
        return {}
    if not isinstance(part, dict) or part.get("format") != FORMAT or type(part.get("epoch")) is not int:
        return {}
    if part["epoch"] not in _TIMES:
        return {}
    tables = {key: part[key] if isinstance(part.get(key), dict) else {} for key in ("sources", "built")}
    tables["built"] = {
        name: row for name, row in tables["built"].items() if _is_build(row) and _ARCHITECTURE.fullmatch(name)
    }
    return {**part, **tables, "compiler": str(part.get("compiler", ""))}


def _is_build(row: Any) -> bool:
    if not isinstance(row, dict) or not isinstance(row.get("abi"), str) or not isinstance(row.get("lines"), list):
        return False
    # The ABI becomes a part of names of packages; lines are shown.
    lines = all(isinstance(line, str) and line.isprintable() for line in row["lines"])
    return lines and _ABI.fullmatch(row["abi"]) is not None


def published(path: Path, architecture: str) -> dict[str, Any]:
    """The same of a core elsewhere, which has a build for this architecture. Raises InputError."""
    file = "/".join(path.parts[-3:])
    try:
        text = path.read_text(encoding="utf-8")
        raw = toml.loads(text).get("elf", {})
    except (OSError, ValueError) as failed:
        raise InputError(f"{file} cannot be read: {failed}", hint=REPAIR) from None
    form = raw.get("format") if isinstance(raw, dict) else None
    if form != FORMAT:
        raise InputError(
            f"{file}: elf.format is {str(form)[:80]!r}; this mkpkgs reads {FORMAT}", hint="use a newer one"
        )
    found = read(text)
    if not found:
        raise InputError(f"{file}: elf.epoch is no time", hint=REPAIR)
    if architecture not in found["built"]:
        raise InputError(f"{file}: elf.built.{architecture} is missing, or nothing that mkpkgs writes", hint=REPAIR)
    return found


def render(values: Mapping[str, Any]) -> str:
    """The text of such a part."""
    lines = [
        "[elf]",
        f"format = {FORMAT}",
        f"epoch = {values['epoch']}",
        f"compiler = {toml.string(values['compiler'])}",
    ]
    if values["sources"]:
        lines += [
            "",
            "[elf.sources]",
            *(f"{toml.string(name)} = {toml.string(sum_)}" for name, sum_ in values["sources"].items()),
        ]
    for architecture, built in sorted(values["built"].items()):
        lines += ["", f"[elf.built.{architecture}]", f"abi = {toml.string(built['abi'])}", "lines = ["]
        lines += [*(f"  {toml.string(line)}," for line in built["lines"]), "]"]
    return "\n".join(lines) + "\n"


def both(before: str, after: str, architecture: str) -> Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """What two locks have for an architecture, or for all that both have. Raises BuildError."""
    old, new = (read(text).get("built", {}) for text in (before, after))
    names = [architecture] if architecture else sorted({*old} & {*new})
    if not names or not all(name in old and name in new for name in names):
        what = f" for {architecture}" if architecture else ""
        raise BuildError(f"one of the two locks has no build{what}", hint="mkpkgs writes it when it builds")
    return [(old[name], new[name]) for name in names]


def gone(before: str, after: str) -> list[str]:
    """The symbols of the core that went away, a line each. before, after: the driver's part of two locks."""
    old, new = (offers.parse(read(text)) for text in (before, after))
    return [f"symbol {name} went away" for name in offers.gone(old, new)]
