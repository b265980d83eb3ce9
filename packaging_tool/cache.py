"""The directory `.mkpkgs` of a project: what builds left for the next one, as long as it is from this machine.

What lies there is believed: that it was built is known by hashes of public inputs. So a random word that only this user
knows, in `mkpkgs/machine` below XDG_STATE_HOME, stands in `.mkpkgs/id` too. A directory that came with the project's
repository has another one or none; what is in it is removed. Commands of projects see neither file (`confine`).
"""

from __future__ import annotations

import hmac
import os
import stat
from pathlib import Path

from packaging_tool import atomic
from packaging_tool.errors import BuildError, InputError
from packaging_tool.listener import Listener

NAME = ".mkpkgs"
ID = "id"


def directory(root: Path, listener: Listener) -> Path:
    """The directory, made or emptied where it is not ours. Raises InputError if it is a link, BuildError."""
    path = root / NAME
    try:
        path.mkdir(mode=0o700)
        found = b""
    except FileExistsError:
        if not stat.S_ISDIR(path.lstat().st_mode):
            raise InputError(f"{path} is a link or a file", hint="remove it: mkpkgs makes a directory there") from None
        found = _read(path / ID)
    own = word()
    if not hmac.compare_digest(found, own):
        # Another run may hold its lock.
        busy = path / "busy"
        kept = {busy} if busy.is_file() and not busy.is_symlink() else set()
        if left := sorted({*path.iterdir()} - kept):
            listener.warn(f"emptied {path}, which another machine or user made: what was in it is made anew")
            _empty(left)
        atomic.write(path / ID, own, mode=0o600)
    # So that nobody commits it by accident, whatever the version control's settings.
    if not (path / ".gitignore").exists():
        atomic.write(path / ".gitignore", b"*\n")
    return path


def _empty(items: list[Path]) -> None:
    import shutil

    for item in items:
        if item.is_dir() and not item.is_symlink():
            # Go makes the directories of its modules so that nobody removes them by mistake.
            for folder, _, _ in os.walk(item):
                Path(folder).chmod(0o700)
            shutil.rmtree(item)
        else:
            item.unlink()


def word() -> bytes:
    """The word of this user on this machine, made at its first use. Raises BuildError."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    place = state / "mkpkgs" / "machine"
    if known := _read(place):
        return known
    made = os.urandom(16).hex().encode()
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic.write(place, made, mode=0o600)
    except OSError as failed:
        raise BuildError(
            f"cannot write {place}: {failed.strerror}",
            hint="it tells our files from those that came with a repository; XDG_STATE_HOME names another place",
        ) from None
    return made


def _read(path: Path) -> bytes:
    """The word in a file of ours; nothing if it is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        private = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
        text = file.read(64) if private else b""
    return text if len(text) == 32 else b""
