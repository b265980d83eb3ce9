"""Logins that a checkout keeps in git's settings: CI leaves its token there (`http.extraheader`, `https://TOKEN@host`).

Commands of a project see such a file without them, and without all else but what git needs to read the repository.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging_tool import atomic

# gitcredentials(7), git-config(1): headers and cookies of requests, helpers that know passwords, files with more
# settings, a name or password in an address.
_LOGIN = re.compile(
    r"extraheader|cookiefile|proxy|password|token|\[\s*(credential|include)|https?://[^/\s\"]+@|://[^/\s\"@:]*:[^/\s\"@]+@",
    re.IGNORECASE,
)
# What says in which form the objects lie, in the sections `core` and `extensions`.
_FORM = {
    "core": {"repositoryformatversion", "bare", "filemode"},
    "extensions": {"objectformat", "compatobjectformat", "refstorage", "worktreeconfig"},
}
# Of a submodule's repository, what has no settings below it.
_PASSED = frozenset({"objects", "refs", "logs", "hooks", "info", "lfs"})


def cleaned(folders: Iterable[Path], into: Path) -> dict[Path, Path]:
    """Settings of git with logins in the checkouts that folders are or lie in, each with what is to be seen instead.

    into: a directory for the latter, made if there are any.
    """
    found = {}
    places = {place for folder in folders for place in (folder, *folder.parents)}
    for file in _settings({found for place in places for found in _repositories(place / ".git")}):
        try:
            text = file.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            continue
        if _LOGIN.search(text):
            kept = _form(text).encode()
            into.mkdir(exist_ok=True)
            found[file] = into / hashlib.sha256(kept).hexdigest()[:16]
            atomic.write(found[file], kept)
    return found


def _repositories(named: Path) -> Iterator[Path]:
    """The repository that lies there; of a work tree, which has a file there, its own and the one that it is of."""
    try:
        said = named.read_bytes()[:4096]
    except OSError:
        # Most often a directory; or nothing, or nothing of ours.
        yield named
        return
    if line := re.match(rb"gitdir: (.+)", said):
        yield (own := named.parent / os.fsdecode(line[1]))
        yield own.parent.parent


def _settings(repositories: Iterable[Path]) -> Iterator[Path]:
    """Files of settings of repositories, and of their submodules and work trees."""
    for repository in sorted(repositories):
        for inner in (repository, repository / "modules", repository / "worktrees"):
            for place, names, files in os.walk(inner):
                # Of the repository itself, only what lies at its top.
                names[:] = [] if inner == repository else sorted({*names} - _PASSED)
                yield from (Path(place, name) for name in ("config", "config.worktree") if name in files)


def _form(text: str) -> str:
    """Those settings without which git would take the objects for something else."""
    section, lines = "", []
    for line in text.splitlines():
        if begin := re.match(r"\s*\[\s*([A-Za-z]+)\s*\]", line):
            section = begin[1].lower()
            lines.append(f"[{section}]" if section in _FORM else "")
        elif line.lstrip().startswith("["):
            section = ""
        elif (said := re.fullmatch(r"\s*([A-Za-z]+)\s*=\s*([A-Za-z0-9]+)\s*", line)) and (
            said[1].lower() in _FORM.get(section, ())
        ):
            lines.append(f"\t{said[1]} = {said[2]}")
    return "".join(f"{line}\n" for line in lines if line)
