"""What root may read on this machine and a plain user may not: copies of passwords, data of databases, logs.

A command of a project that root builds runs with root's number, so modes keep nothing from it. `confine` hides these
places from it instead.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from functools import cache

# Directories of the system that have them, and how deep: a database's lies in /var/lib/postgresql/15/main.
DEPTHS: Mapping[str, int] = {"/etc": 5, "/var": 4, "/opt": 3, "/boot": 2}
# More closed files than these in one directory, and all of it is hidden: bubblewrap takes 9000 arguments.
MOST = 40


@cache
def places() -> tuple[str, ...]:
    """The topmost of them, by the modes that they have at the first call. 30 ms on a large system."""
    return tuple(path for top, depth in DEPTHS.items() for path in below(top, depth))


def below(top: str, depth: int) -> Iterator[str]:
    """Files that others than owner and group may not read, and directories that they may not list or enter.

    Links are not followed. At the last level, only directories are looked at: dpkg has 10 000 files there.
    """
    files, directories = [], []
    try:
        with os.scandir(top) as found:
            for entry in found:
                directory = entry.is_dir(follow_symlinks=False)
                if not directory and (depth == 1 or not entry.is_file(follow_symlinks=False)):
                    continue
                mode = entry.stat(follow_symlinks=False).st_mode
                if directory and mode & (stat.S_IROTH | stat.S_IXOTH) == stat.S_IROTH | stat.S_IXOTH:
                    directories.append(entry.path)
                elif directory or not mode & stat.S_IROTH:
                    files.append(entry.path)
    except OSError:
        # Gone, or not even root's to read.
        return
    if len(files) > MOST:
        yield top
        return
    yield from sorted(files)
    for path in sorted(directories) if depth > 1 else ():
        yield from below(path, depth - 1)
