"""What a target asks of the files of a plugin, told before anything is packed: names, number, size of the manifest."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from packaging_tool.errors import InputError
from packaging_tool.package.manifest import LARGEST, NAMES, is_path
from packaging_tool.package.model import Entry
from packaging_tool.project import contents

# They stand in no manifest.
_BARE = ("directory", "symlink", "ghost")


def check(plugin: str, entries: Sequence[Entry], root: str, project: Path, *, whole: bool) -> None:
    """Raises InputError for what no target would take.

    root: of the plugin on the target. project: the project's directory, from which messages name sources. whole: if
    all files are known, so that there must be one.
    """
    below = [(entry, entry.path.removeprefix(f"{root}/")) for entry in entries if entry.path.startswith(f"{root}/")]
    listed = [(entry, name) for entry, name in below if entry.type not in _BARE]
    if whole and not listed:
        raise InputError(f"plugin {plugin} has no file, so it would take away the one that is installed")
    # What a pattern will find in a build has no names yet.
    known = [(entry, name) for entry, name in listed if entry.content is not None or not contents.GLOB & set(name)]
    _check_names(plugin, known, project)
    # Each line has 72 bytes beside the name. What stands above the lines counts when the manifest is written.
    size = sum(72 + len(name.encode()) for _, name in known)
    if size > LARGEST:
        raise InputError(
            f"plugin {plugin} has {len(known)} files, so its manifest would have {size / (1 << 20):.0f} MB; "
            f"a target reads {LARGEST >> 20} MB",
            hint="put many files into one, as an archive, give them shorter names, or make two plugins of it",
        )


def _check_names(plugin: str, known: Sequence[tuple[Entry, str]], project: Path) -> None:
    wrong = [(entry, name) for entry, name in known if not is_path(name)]
    if not wrong:
        return
    entry, name = wrong[0]
    source = entry.content.source if entry.content is not None else None
    place = f" ({os.path.relpath(source, project)!r})" if isinstance(source, Path) else ""
    more = f", nor {len(wrong) - 1} more" if len(wrong) > 1 else ""
    raise InputError(
        f"plugin {plugin}: no file of a plugin can have the name {name!r}{place}{more}",
        hint=f"rename it, or leave it out of the plugin: names of files are {NAMES}",
    )
