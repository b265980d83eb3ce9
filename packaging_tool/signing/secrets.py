"""Where the keys are, and what unlocks them; loads nothing that signs."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from packaging_tool.errors import InputError

VARIABLE = "MKPKGS_PASSPHRASE"
# What `take` took, at most one.
_taken: list[str] = []


def directory_of(core: str, chosen: Path | None = None) -> Path:
    """Where the keys of a core are: chosen, else MKPKGS_KEYS, else `mkpkgs/keys/<core>` below XDG_CONFIG_HOME."""
    if chosen is not None:
        return chosen
    if said := os.environ.get("MKPKGS_KEYS"):
        return Path(said)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "mkpkgs" / "keys" / core


def take() -> None:
    """Keep the passphrase of the environment in this process alone: for the command line, before it starts anything.

    It is gone from `/proc/PID/environ` too, which every process of the user may read; from then on only root reads our
    memory, and no core dump has it.
    """
    if VARIABLE not in os.environ:
        return
    import ctypes
    import resource

    from packaging_tool.confine import shut

    library = ctypes.CDLL(None)
    library.getenv.restype = ctypes.c_void_p
    # What the kernel shows is the block that it made for us at the start: the value is wiped there.
    place = library.getenv(VARIABLE.encode())
    _taken[:] = [os.environ[VARIABLE]]
    if place:
        ctypes.memset(place, 0, len(os.environb[VARIABLE.encode()]))
    del os.environ[VARIABLE]
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    shut()


def passphrase() -> str | None:
    """From MKPKGS_PASSPHRASE, or the first line of the file MKPKGS_PASSPHRASE_FILE; None if neither is set.

    Raises InputError if the file cannot be read, others can read it, or the passphrase cannot be passed on to gpg.
    """
    said = os.environ.get(VARIABLE, next(iter(_taken), None))
    if said is None and (file := os.environ.get(f"{VARIABLE}_FILE")):
        try:
            with Path(file).open(encoding="utf-8") as opened:
                _private(file, os.fstat(opened.fileno()))
                said = opened.read().removesuffix("\n")
        except (OSError, UnicodeDecodeError) as failed:
            raise InputError(f"{VARIABLE}_FILE: cannot read {file}: {failed}") from None
    if said and ("\n" in said or len(said.encode()) > 255):
        raise InputError("the passphrase must be one line of at most 255 bytes")
    return said or None


def _private(file: str, found: os.stat_result) -> None:
    # A pipe (`<(pass show …)`) is nobody else's.
    if stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) & 0o077:
        raise InputError(f"{VARIABLE}_FILE: others can read {file}", hint=f"run: chmod 600 {file}")
    if found.st_uid not in (0, os.geteuid()):
        raise InputError(f"{VARIABLE}_FILE: {file} belongs to another user", hint="name a file of your own")
