"""`mkpkgs.lock`: every input of a build that the project file does not say. It belongs into version control.

A TOML file. On top our own keys; below the marker line the driver's part, byte for byte as the driver wrote it; at the
end the sums of both (`edits`), which a lock of an older mkpkgs does not have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging_tool import atomic, clock, edits, toml
from packaging_tool.drivers.base import Lock
from packaging_tool.errors import BuildError, InputError
from packaging_tool.project.model import Project

FORMAT = 1
_REPAIR = "take it back from version control, or delete it to lock anew"
# What `render` puts between quotes.
PLAIN = re.compile(r"[A-Za-z0-9.+~:_-]*")
MARKER = "# The driver's part:\n"
HEADER = "# Written by mkpkgs. Keep it in version control: with it, the same packages can be built again.\n"


@dataclass(frozen=True, slots=True)
class LockFile:
    """A lock file.

    version: package version it was made for. time: seconds since 1970, for every time stamp in the packages of this
    version when neither SOURCE_DATE_EPOCH nor a changelog says one. driver: name of the driver. part: the driver's.
    """

    version: str
    time: int
    driver: str
    part: Lock

    def render(self) -> str:
        """The text of the file."""
        own = f'lock = {FORMAT}\nversion = "{self.version}"\ntime = {self.time}\ndriver = "{self.driver}"\n'
        return f"{HEADER}{own}{MARKER}{self.part.text}{edits.render(self._head(), self.part.text)}"

    def _head(self) -> dict[str, str | int]:
        return {"version": self.version, "time": self.time, "driver": self.driver}

    def edited(self, text: str, end: str) -> InputError | None:
        """What somebody changed by hand, with its line. text: of the file. end: the sums. Raises ValueError."""
        edit = edits.find(self._head(), self.part.text, end)
        if edit is None:
            return None
        names = [name for name in edits.tables(self.part.text) if name != "plugin-of"]
        hint = f'write driver = "{names[0]}"' if edit.name == "driver" and len(names) == 1 else _REPAIR
        return InputError(f"{edit.line(text)}: {edit.what}", hint=hint)


def path_of(project: Project) -> Path:
    """Where the lock lies: beside the project file, `mkpkgs.lock` for `mkpkgs.toml`; of several cores, each has one."""
    which = f"-{project.abi}" if project.abi else ""
    return project.file.with_name(f"{project.file.stem}{which}.lock")


def read(path: Path, *, anew: bool = False) -> LockFile | None:
    """The lock file, None if there is none. Raises InputError if it is damaged, edited or from another mkpkgs.

    anew: it is to be replaced, so that an edit counts for nothing.
    """
    try:
        if path.exists() and not path.is_file():
            raise _damaged(path, "it is no regular file")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise _damaged(path, "it is not UTF-8 text") from None
    except OSError as failed:
        raise InputError(f"{path}: {failed.strerror}") from None
    own, marker, rest = text.partition(MARKER)
    part, begins, end = rest.rpartition(edits.BEGIN)
    if not begins:
        part, end = rest, ""
    try:
        values = toml.loads(own)
        edits.tables(part)
    except ValueError as broken:
        raise _damaged(path, str(broken)) from None
    for key in ("lock", "version", "time", "driver"):
        if key not in values:
            raise _damaged(path, f"{key} is missing")
    if values["lock"] != FORMAT:
        raise InputError(f"{path}: lock format {values['lock']} is unknown; this mkpkgs writes {FORMAT}")
    for key in ("version", "driver"):
        if not isinstance(values[key], str) or not PLAIN.fullmatch(values[key]):
            raise _damaged(path, f"{key} is not a {key}")
    if type(values["time"]) is not int:
        raise _damaged(path, "time is not a number of seconds")
    found = LockFile(values["version"], values["time"], values["driver"], Lock(part))
    if not 0 <= found.time < clock.END_OF_TIME:
        raise _damaged(path, f"time {found.time} is not between 1970 and 2106")
    if not marker:
        raise _damaged(path, "the driver's part is missing")
    try:
        edited = found.edited(text, end) if begins and not anew else None
    except ValueError as broken:
        raise _damaged(path, str(broken)) from None
    if edited is not None:
        raise InputError(f"{path}:{edited.message}", hint=edited.hint)
    return found


def write(path: Path, lock: LockFile) -> bool:
    """Write the file if its text changed; says whether it did."""
    text = lock.render().encode()
    if path.is_file() and path.read_bytes() == text:
        return False
    try:
        atomic.write(path, text)
    except OSError as failed:
        raise BuildError(
            f"{path} does not fit the project any more and cannot be written: {failed.strerror}",
            hint="run `mkpkgs lock` where the project can be written, and keep the file in version control",
        ) from None
    return True


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(f"{path}: not a lock file: {reason}", hint=_REPAIR)
