"""How answers are written, so that those of all readers can be compared as texts."""

from __future__ import annotations

import json

REFUSED = "refused"


def taken(values: object) -> str:
    """What was read."""
    return json.dumps(values, sort_keys=True)


def listed(data: bytes, fault: str) -> str:
    """What was said of a list for Go's compiler. Where a NUL byte is, awks say it with different words."""
    if not fault:
        return "taken"
    return REFUSED if b"\0" in data else f"{REFUSED}: {fault}"
