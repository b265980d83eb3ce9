"""What somebody from outside may write."""

from __future__ import annotations

import re

# What a terminal, or a line of text, takes for more than a character. A tab is white space.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\u2028]")


def control(text: str) -> bool:
    """Whether there is such a character in it."""
    return _CONTROL.search(text) is not None
