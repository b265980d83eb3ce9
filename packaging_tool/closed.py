"""What root may read on this machine and a plain user may not: copies of passwords, data of databases, logs.

A command of a project that root builds runs with root's number, so modes keep nothing from it. `confine` hides these
places from it instead.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache

# Directories of the system that have them, and how deep: a database's lies in /var/lib/postgresql/15/main.
DEPTHS: Mapping[str, int] = {"/etc": 5, "/var": 4, "/opt": 3, "/boot": 2}
# More closed files than these in one directory, and all of it is hidden: bubblewrap takes 9000 arguments.
MOST = 40
# A directory that others may list and enter.
OPEN = stat.S_IROTH | stat.S_IXOTH


@cache
def places() -> tuple[str, ...]:
    """The topmost of them, by the modes that they have at the first call. 30 ms on a large system."""
    return tuple(path for top, depth in DEPTHS.items() for path in below(top, depth))


def below(top: str, depth: int) -> Iterator[str]:
    """Files that others than owner and group may not read, and directories that they may not list or enter.

    What is empty is left out: each place costs bubblewrap a millisecond. Links are not followed. At the last
    level, only directories are looked at: dpkg has 10 000 files there.
    """
    files, directories = [], []
    for entry in _entries(top):
        # Gone meanwhile, or on a file system that nobody answers for.
        with suppress(OSError):
            directory = entry.is_dir(follow_symlinks=False)
            if not directory and (depth == 1 or not entry.is_file(follow_symlinks=False)):
                continue
            status = entry.stat(follow_symlinks=False)
            if directory and status.st_mode & OPEN == OPEN:
                directories.append(entry.path)
            elif _entries(entry.path) if directory else _is_closed(status):
                files.append(entry.path)
    if len(files) > MOST:
        yield top
        return
    yield from sorted(files)
    for path in sorted(directories) if depth > 1 else ():
        yield from below(path, depth - 1)


def _is_closed(found: os.stat_result) -> bool:
    """Whether others may not read a file that has something in it."""
    return found.st_size > 0 and not found.st_mode & stat.S_IROTH


def _entries(directory: str) -> list[os.DirEntry[str]]:
    """What is in a directory; nothing if it is gone or not even root's to read."""
    try:
        with os.scandir(directory) as found:
            return [*found]
    except OSError:
        return []
