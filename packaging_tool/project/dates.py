"""Dates of a changelog, and whether their time has come.

A repository that is dated ahead of the clock is refused by every apt ("is not valid yet"), and so is what is published
after it: apt takes no index that is older than the one it knows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from packaging_tool import clock
from packaging_tool.project.faults import Path
from packaging_tool.project.model import ChangeSpec

# Midnight UTC of a day comes so many seconds after that day began in the first zone of all (UTC+14).
FIRST_ZONE = 14 * 3600


def seconds(date: str) -> int:
    """Seconds since 1970 of an ISO 8601 date (midnight UTC) or time (UTC unless it says otherwise)."""
    moment = datetime.fromisoformat(date)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def is_day(date: str) -> bool:
    """Whether it names a day and no time of it."""
    return "T" not in date and ":" not in date and len(date) <= len("2026-11-20")


def began_elsewhere(date: str, moment: int) -> bool:
    """Whether the date names a day that began somewhere before this moment (seconds since 1970), but not in UTC."""
    return is_day(date) and moment < seconds(date) <= moment + FIRST_ZONE


def rising(changelog: Sequence[ChangeSpec], path: Path) -> Iterator[tuple[Path, str, str]]:
    """Entries that are older than the one below them (Policy 4.4 has the newest on top). path: as of outside."""
    for number, (upper, lower) in enumerate(pairwise(changelog)):
        try:
            older = seconds(upper.date) < seconds(lower.date)
        except (ValueError, OverflowError):
            continue
        if older:
            what = f"{upper.date} is before {lower.date} of the entry below"
            yield (*path, number, "date"), what, "the newest entry stands on top"


def outside(changelog: Sequence[ChangeSpec], path: Path) -> Iterator[tuple[Path, str, str]]:
    """What is wrong with the dates of a changelog: they are ahead of the clock, or before all clocks (tar has no such
    times). path: of the changelog in the file."""
    now = clock.now()
    for number, change in enumerate(changelog):
        try:
            ahead = seconds(change.date) - now
        except (ValueError, OverflowError):
            continue
        if ahead + now < 0:
            yield (*path, number, "date"), f"{change.date} is before 1970", "write the day of the release"
        if ahead <= (FIRST_ZONE if is_day(change.date) else clock.SKEW):
            continue
        today = time.strftime("%Y-%m-%d", time.gmtime(now))
        what = f"{change.date} is still to come: apt would refuse the repository until then"
        zone = "" if is_day(change.date) or ahead > FIRST_ZONE else ", or your zone behind the time, as in +09:00"
        yield (*path, number, "date"), what, f"write a day up to {today}{zone}; here it is {clock.spelled(now)}"
