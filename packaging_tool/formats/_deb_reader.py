"""Reads any .deb, also one that somebody made to hurt: everything that it says has a limit."""

from __future__ import annotations

import bz2
import io
import lzma
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from packaging_tool.errors import InputError
from packaging_tool.formats import _ar, _tar
from packaging_tool.formats.base import Description
from packaging_tool.package import limits
from packaging_tool.package.model import Kinds

# What an index adds to a control file: from a package, it would speak of another file.
OF_INDEX = ("filename", "size", "md5sum", "sha1", "sha256", "sha512")
FIELD = re.compile(r"[!-,.-9;-~][!-9;-~]*")
NEEDED = {
    "Package": re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]*"),
    "Version": re.compile(r"[0-9A-Za-z.+~-]{1,200}|[0-9]{1,9}:[0-9A-Za-z.+~:-]{1,200}"),
    "Architecture": re.compile(r"[a-z0-9][a-z0-9-]*"),
}
SCRIPTS = ("preinst", "postinst", "prerm", "postrm", "config", "triggers", "conffiles", "templates")
# A control archive holds text for people; none is near this.
MAX_CONTROL = 16 << 20
# A data archive that unpacks to more than this is not listed to its end: a bomb of 13 kB would take minutes. Those of
# packages are rarely more than ten times as large as they are packed.
MAX_DATA = 64 << 30
MAX_RATIO = 500
SMALL_DATA = 1 << 30
MAX_MEMORY = 256 << 20
# Characters of a list of files; Debian's longest has 20 million.
MAX_LIST = 64 << 20
PIECE = 1 << 16


def describe(path: Path) -> Description:
    """A page about a .deb. Raises InputError if it is none, or is damaged."""
    with _reading(path) as file:
        return _describe(path, file)


def control(path: Path) -> tuple[str, dict[str, str]]:
    """The text of a .deb's control file as an index can list it, and its fields.

    Raises InputError if it is no .deb, is damaged, or would say in the index what only the repository can say.
    """
    with _reading(path) as file:
        text = _control_files(file, _members(file))["control"].strip("\n") + "\n"
        return text, _listed(text)


def kinds(path: Path) -> Kinds:
    """What kinds of paths are in a .deb. Raises InputError if it is none, or has a path that no package can have."""
    with _reading(path) as file:
        members = _members(file)
        conffiles = {*_control_files(file, members).get("conffiles", "").split("\n")}
        return Kinds.of(_paths(_open(file, members, "data.tar", MAX_DATA), conffiles))


def _paths(data: BinaryIO, conffiles: set[str]) -> Iterator[tuple[str, str, str]]:
    left = MAX_LIST
    for found, _ in _tar.members(data):
        path = f"/{found.name.removeprefix('.').strip('/')}"
        left -= len(path)
        if left < 0:
            raise InputError("its list of files is too long")
        if path != "/":
            limits.of_others(path, found.target)
            kind = {"d": "directory", "l": "symlink"}.get(found.kind, "file")
            yield path, "config" if path in conffiles else kind, found.target


def _listed(text: str) -> dict[str, str]:
    """The fields of one paragraph (deb822(5)), continuation lines left out."""
    fields: dict[str, str] = {}
    for line in text.removesuffix("\n").split("\n"):
        name, colon, value = line.partition(":")
        if line.startswith((" ", "\t")) and line.strip() and fields:
            continue
        if not colon or not FIELD.fullmatch(name):
            raise InputError(f"its control file has the line {line[:80]!r}")
        if name.lower() in {known.lower() for known in fields}:
            raise InputError(f"its control file has {name} twice")
        if name.lower() in OF_INDEX:
            raise InputError(f"its control file has {name}, which belongs into an index")
        fields[name] = value.strip()
    for name, pattern in NEEDED.items():
        if not pattern.fullmatch(fields.get(name, "")):
            raise InputError(f"its control file has no valid {name}")
    return fields


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    """The open file; whatever its content makes fail becomes an InputError."""
    try:
        with path.open("rb") as file:
            yield file
    except InputError as error:
        raise InputError(f"{path} cannot be read as a .deb: {error.message}") from error
    except (EOFError, zlib.error, lzma.LZMAError, ValueError, OSError) as error:
        raise InputError(f"{path} cannot be read as a .deb: {error}") from error


def _members(file: BinaryIO) -> dict[str, _ar.Member]:
    members = {member.name: member for member in _ar.members(file)}
    if next(iter(members), "") != "debian-binary":
        raise InputError("its first member is not debian-binary")
    file.seek(members["debian-binary"].start)
    if not file.read(min(members["debian-binary"].size, 16)).startswith(b"2."):
        raise InputError("it has another version of the format than 2")
    return members


def _control_files(file: BinaryIO, members: dict[str, _ar.Member]) -> dict[str, str]:
    """The texts of the control archive by name; `control` is there."""
    texts: dict[str, str] = {}
    left = MAX_CONTROL
    for found, data in _tar.members(_open(file, members, "control.tar", MAX_CONTROL), limit=1000):
        left -= found.size
        if found.kind != "-" or left < 0:
            continue
        texts[found.name.removeprefix("./")] = data.take(found.size).decode("utf-8", "backslashreplace")
    if "control" not in texts:
        raise InputError("it has no control file")
    return texts


def _describe(path: Path, file: BinaryIO) -> Description:
    members = _members(file)
    texts = _control_files(file, members)
    fields = _fields(texts["control"])
    data = _open(file, members, "data.tar", MAX_DATA)
    files = []
    left = MAX_LIST
    for found, _ in _tar.members(data):
        files.append(_line(found))
        left -= len(files[-1])
        if left < 0:
            raise InputError("its list of files is too long")
    known = dict(fields)
    return Description(
        title=_clean(f"{known.get('Package', path.name)} {known.get('Version', '')}".rstrip()),
        fields=(
            *fields,
            ("Format", f"deb 2.0, {_find(members, 'data.tar').name}"),
            ("Size", f"{path.stat().st_size} bytes"),
        ),
        files=tuple(files),
        scripts=tuple((name, _clean(texts[name], keep="\n\t")) for name in SCRIPTS if name in texts),
    )


def _fields(control: str) -> tuple[tuple[str, str], ...]:
    """The fields of a control paragraph, continuation lines joined (deb822(5))."""
    found: list[list[str]] = []
    for line in control.splitlines():
        if line.startswith((" ", "\t")) and found:
            found[-1][1] += "\n" + ("" if line.strip() == "." else line[1:])
        elif ":" in line:
            name, _, value = line.partition(":")
            found.append([name, value.strip()])
    return tuple((_clean(name), _clean(value, keep="\n")) for name, value in found)


def _line(found: _tar.Found) -> str:
    """One line as `ls -l` shows it. A name cannot reach the terminal with control characters."""
    kind = "-" if found.kind == "h" else found.kind
    mode = kind + stat.filemode(found.mode)[1:]
    owner = f"{found.owner}/{found.group}"
    time = datetime.fromtimestamp(min(found.mtime, 1 << 35), UTC).strftime("%Y-%m-%d %H:%M")
    link = {"l": f" -> {found.target}", "h": f" link to {found.target}"}.get(found.kind, "")
    return _clean(f"{mode} {owner} {found.size:>12} {time} {found.name.removeprefix('.')}{link}")


def _clean(text: str, keep: str = "") -> str:
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)


def _find(members: dict[str, _ar.Member], base: str) -> _ar.Member:
    for name, member in members.items():
        if name.startswith(base):
            return member
    raise InputError(f"it has no {base}")


def _open(file: BinaryIO, members: dict[str, _ar.Member], base: str, limit: int) -> BinaryIO:
    """The decompressed bytes of a tar member, whatever of dpkg's compressions it has."""
    member = _find(members, base)
    opener = OPENERS.get(member.name.removeprefix(base))
    if opener is None:
        raise InputError(f"{member.name} has a compression that is not known")
    limit = min(limit, SMALL_DATA + MAX_RATIO * member.size)
    return _Limited(opener(cast(BinaryIO, io.BufferedReader(_Window(file, member)))), limit, member)


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Pulled(io.RawIOBase):
    """Decompressed bytes on demand, never more than asked for: so no bomb fills the memory."""

    def __init__(self, file: BinaryIO, make: Callable[[], _Decompressor]) -> None:
        self._file = file
        self._decompressor = make()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # io calls it with a memoryview
        while not self._decompressor.eof:
            data = b""
            if self._decompressor.needs_input and not (data := self._file.read(PIECE)):
                raise EOFError("the compressed data is cut off")
            if made := self._decompressor.decompress(data, len(buffer)):
                buffer[: len(made)] = made
                return len(made)
        return 0


class _Window(io.RawIOBase):
    """The bytes of one member of an archive as a file."""

    def __init__(self, file: BinaryIO, member: _ar.Member) -> None:
        self._file = file
        self._position = member.start
        self._end = member.start + member.size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # io calls it with a memoryview
        self._file.seek(self._position)
        data = self._file.read(min(len(buffer), self._end - self._position))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


class _Limited(io.BufferedReader):
    """Stops a stream that does not end."""

    def __init__(self, raw: io.RawIOBase, limit: int, member: _ar.Member) -> None:
        super().__init__(raw, PIECE)
        self._left = self._limit = limit
        self._member = member

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self._left -= len(data)
        if self._left < 0:
            name, size = self._member.name, self._member.size
            raise InputError(f"its {name} of {size} bytes unpacks to more than {self._limit}: no package does that")
        return data


def _gzip(file: BinaryIO) -> io.RawIOBase:
    import gzip

    return cast(io.RawIOBase, gzip.GzipFile(fileobj=file))


class _Zstd(io.RawIOBase):
    """Turns the library's error, which is an Exception of its own, into one that says wrong data everywhere else."""

    def __init__(self, file: BinaryIO) -> None:
        import zstandard  # 22 ms that most packages do not need

        decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_MEMORY)
        self._error = zstandard.ZstdError
        self._reader = decompressor.stream_reader(file, read_across_frames=False)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # io calls it with a memoryview
        try:
            return self._reader.readinto(buffer)
        except self._error as error:
            raise ValueError(str(error)) from error


OPENERS: dict[str, Callable[[BinaryIO], io.RawIOBase]] = {
    "": lambda file: cast(io.RawIOBase, file),
    ".gz": _gzip,
    ".xz": lambda file: _Pulled(file, lambda: lzma.LZMADecompressor(memlimit=MAX_MEMORY)),
    ".lzma": lambda file: _Pulled(file, lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MAX_MEMORY)),
    ".bz2": lambda file: _Pulled(file, bz2.BZ2Decompressor),
    ".zst": _Zstd,
}
