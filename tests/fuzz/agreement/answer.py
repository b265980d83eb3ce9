"""How answers are written, so that those of all readers can be compared as texts."""

from __future__ import annotations

import json

REFUSED = "refused"


def taken(values: object) -> str:
    """What was read."""
    return json.dumps(values, sort_keys=True)
