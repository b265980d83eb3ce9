"""Splits debug information off, as dh_strip(1) and rpm's find-debuginfo do: debuggers find it by the build id."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from packaging_tool import confine
from packaging_tool.elf import machines
from packaging_tool.elf.facts import Facts
from packaging_tool.errors import CommandError
from packaging_tool.listener import Listener

ROOT = "/usr/lib/debug/.build-id"


@dataclass(frozen=True, slots=True)
class Split:
    """A file without its debug information, and that: None where it stayed in the file."""

    file: Path
    debug: Path | None


def place(build_id: str) -> str:
    """Where debuggers look for the debug information of a build id."""
    return f"{ROOT}/{build_id[:2]}/{build_id[2:]}.debug"


def split(path: Path, known: Facts, workdir: Path, listener: Listener, *, library: bool) -> Split:
    """Both parts, below workdir. library: keep what is needed to link with it."""
    if not known.debug or not known.build_id:
        return Split(path, None)
    objcopy = next(
        (name for name in (machines.tool("objcopy", known.architecture), "llvm-objcopy") if shutil.which(name)), ""
    )
    if not objcopy:
        listener.warn(f"{path.name} keeps its debug information: there is no objcopy for {known.architecture}")
        return Split(path, None)
    with path.open("rb") as file:
        folder = workdir / hashlib.file_digest(file, "sha256").hexdigest()[:32]
    made, debug = folder / path.name, folder / f"{known.build_id[2:]}.debug"
    if made.exists():
        return Split(made, debug)
    making = folder.with_name(f"{folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    new, new_debug = making / made.name, making / debug.name
    less = ["--strip-unneeded" if library else "--strip-all", "--remove-section=.comment", "--remove-section=.note"]
    source, env = str(path.absolute()), confine.environment(making, 0)
    calls = (
        ["--only-keep-debug", "--compress-debug-sections", source, str(new_debug)],
        [*less, f"--add-gnu-debuglink={new_debug}", source, str(new)],
    )
    try:
        for arguments in calls:
            confine.run_confined([objcopy, *arguments], cwd=making, env=env, writable=[making], readable=[path])
    except CommandError as failed:
        listener.warn(f"{path.name} keeps its debug information: {failed.message}")
        return Split(path, None)
    shutil.rmtree(folder, ignore_errors=True)
    making.rename(folder)
    return Split(made, debug)
