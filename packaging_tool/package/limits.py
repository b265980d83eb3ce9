"""What no package of any format can carry: checked by each format before it writes, with the lengths that it takes."""

from __future__ import annotations

import re

from packaging_tool.errors import InputError, PackageError
from packaging_tool.package.model import Entry

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,30}\$?")
# Nearly all paths are like this, and need no closer look.
PLAIN = re.compile(r"(?:/[A-Za-z0-9@_+%=,~-][A-Za-z0-9@_+%=,~.-]*)+")
LONGEST_TARGET = 4095


def check(package: str, entry: Entry, *, manager: str, suffix: int) -> None:
    """Raise PackageError for a path, mode, owner or content that cannot be.

    package: name, for messages. manager: who unpacks. suffix: bytes that it appends to a name while it does, which are
    missing from the 255 of a name and the 4095 of a path that a file system takes.
    """
    path, longest = entry.path, 255 - suffix
    if not (len(path) < longest and PLAIN.fullmatch(path)):
        _check_path(package, path, manager, longest, 4095 - suffix)
    if entry.mode & ~0o7777:
        raise PackageError(f"{package}: {path} has mode {entry.mode:o}; only permission bits may be given")
    for account in (entry.owner, entry.group):
        if account != "root" and not ACCOUNT.fullmatch(account):
            raise PackageError(f"{package}: {path} belongs to {account!r}, which is no name of a user or group")
    if entry.type == "symlink":
        _check_target(package, path, entry.target)
    elif entry.type in ("file", "config", "doc") and entry.content is None:
        raise PackageError(f"{package}: {path} has not been built")


def of_others(path: str, target: str) -> None:
    """Raise InputError for a path of somebody's package that could lead elsewhere in a script of ours."""
    if CONTROL.search(path + target) or not path.startswith("/") or {"", ".", ".."} & {*path.split("/")[1:]}:
        raise InputError(f"it has the path {path!r}, which no package can have")


def utf8(package: str, text: str) -> bytes:
    """The text as bytes. Raises PackageError for half characters, as a file system may hand them to Python."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise PackageError(f"{package}: {text!r} is no valid UTF-8") from None


def _check_path(package: str, path: str, manager: str, longest_name: int, longest_path: int) -> None:
    parts = path.split("/")
    if parts[0] or len(parts) < 2 or any(part in ("", ".", "..") for part in parts[1:]):
        raise PackageError(f"{package}: {path!r} is no absolute, normalised path")
    if CONTROL.search(path):
        raise PackageError(f"{package}: {path!r} has a control character, which {manager} does not take")
    whole = utf8(package, path)
    if len(whole) > longest_path or max(map(len, whole.split(b"/"))) > longest_name:
        raise PackageError(f"{package}: {path} is too long: {manager} takes names of {longest_name} bytes")


def _check_target(package: str, path: str, target: str) -> None:
    if not target:
        raise PackageError(f"{package}: the link {path} leads nowhere")
    if CONTROL.search(target):
        raise PackageError(f"{package}: the target of {path} has a control character")
    if len(utf8(package, target)) > LONGEST_TARGET:
        raise PackageError(f"{package}: the target of {path} is too long")
