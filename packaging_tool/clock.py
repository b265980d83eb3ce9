"""What time it is, and for whom: nothing that is published may be dated ahead of it."""

from __future__ import annotations

import os
import time

from packaging_tool.errors import InputError

# Times in rpm headers and OpenPGP signatures have 32 bits.
END_OF_TIME = 1 << 32
# Clocks of two machines that are kept right, seconds.
SKEW = 300


def said_epoch() -> int | None:
    """What the variable SOURCE_DATE_EPOCH says; None without it. Raises InputError for what is no time."""
    said = os.environ.get("SOURCE_DATE_EPOCH", "")
    if said and (not said.isascii() or not said.isdigit() or len(said) > 20 or int(said) >= END_OF_TIME):
        raise InputError(f"SOURCE_DATE_EPOCH={said!r} is not a number of seconds from 1970 to 2106")
    return int(said) if said else None


def real() -> int:
    """Seconds since 1970 by the machine's clock."""
    return int(time.time())


def now() -> int:
    """The same, or SOURCE_DATE_EPOCH if that is later: by it, a machine without a clock builds, too."""
    return max(real(), said_epoch() or 0)


def spelled(moment: int) -> str:
    """A moment for people, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment))
