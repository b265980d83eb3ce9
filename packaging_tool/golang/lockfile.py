"""The driver's part of `mkpkgs.lock`: every input of a build, as TOML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from packaging_tool import toml
from packaging_tool.errors import InputError
from packaging_tool.golang import edited
from packaging_tool.golang.hostmain import HostMain
from packaging_tool.golang.spelling import GOVERSION, is_setting, is_variable

FORMAT = 1
OWN = "mkpkgs.lock"
_REPAIR = "take it back from version control, or delete it to lock anew"
_SHA256 = re.compile(r"[0-9a-f]{64}")
# What `resolve.resolve` writes.
_COMPILE_FLAG = re.compile(r"-p=main|-lang=go\d+\.\d+|-complete|-dwarf=false|-nolocalimports")
_LINK_FLAGS = ("-s", "-w", "-buildid=", "-buildmode=exe")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Built:
    """What one architecture came to. tools, archives: SHA-256 by name (`compile`, `link`) and by import path."""

    abi: str
    tools: Mapping[str, str]
    archives: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoLock:
    """inputs: hash of what the project file says and of local sources; go: version of the toolchain; settings:
    GOAMD64 and the like; flags of compile and link; main: the host main; go_mod, go_sum: of the joint build list;
    modules: those that give packages, path to `version sum`; unresolved: plugins without a place in that list, with the
    reason; built: by architecture."""

    inputs: str
    go: str
    settings: Mapping[str, str]
    compile_flags: tuple[str, ...]
    link_flags: tuple[str, ...]
    main: HostMain
    go_mod: str
    go_sum: str
    modules: Mapping[str, str]
    unresolved: Mapping[str, str] = field(default_factory=dict)
    built: Mapping[str, Built] = field(default_factory=dict)

    def with_built(self, architecture: str, built: Built) -> GoLock:
        """The same lock with what an architecture came to."""
        return replace(self, built=dict(sorted({**self.built, architecture: built}.items())))


def render(lock: GoLock, table: str = "go-link") -> str:
    """The lock as TOML. table: name of the driver."""
    lines = [
        f"[{table}]",
        f"format = {FORMAT}",
        f"inputs = {toml.string(lock.inputs)}",
        f"go = {toml.string(lock.go)}",
        f"compile-flags = {_list(lock.compile_flags)}",
        f"link-flags = {_list(lock.link_flags)}",
        f"go-mod = {_text(lock.go_mod)}",
        f"go-sum = {_text(lock.go_sum)}",
        *_table(f"{table}.settings", lock.settings),
        "",
        f"[{table}.main]",
        f"head = {_text(lock.main.head)}",
        f"mid = {_text(lock.main.mid)}",
        f"tail = {_text(lock.main.tail)}",
        *_table(f"{table}.modules", lock.modules),
        *(_table(f"{table}.unresolved", lock.unresolved) if lock.unresolved else []),
    ]
    lines += _table(f"{table}.sums", edited.sums(_values(lock)))
    for architecture, built in lock.built.items():
        lines += ["", f"[{table}.built.{architecture}]", f"abi = {toml.string(built.abi)}"]
        lines += _table(f"{table}.built.{architecture}.tools", built.tools)
        lines += _table(f"{table}.built.{architecture}.archives", built.archives)
    return "\n".join(lines) + "\n"


def _values(lock: GoLock) -> dict[str, object]:
    """As they are read again."""
    return {
        "compile-flags": list(lock.compile_flags),
        "link-flags": list(lock.link_flags),
        "go-mod": lock.go_mod,
        "go-sum": lock.go_sum,
        "settings": dict(lock.settings),
        "main": {"head": lock.main.head, "mid": lock.main.mid, "tail": lock.main.tail},
        "modules": dict(lock.modules),
        "unresolved": dict(lock.unresolved),
    }


def parse(text: str, table: str = "go-link") -> GoLock | None:
    """Read the lock; None if it is of another format or says what mkpkgs never writes."""
    try:
        return _parsed(text, table)
    except InputError:
        return None


def is_known(text: str, table: str) -> bool:
    """Whether it is a lock of this driver, and of the format that is written here; it may be damaged."""
    try:
        found = toml.loads(text).get(table)
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("format") == FORMAT


def read(text: str, table: str = "go-link", *, file: str = OWN, hint: str = _REPAIR) -> GoLock:
    """Read a lock that must be good. file, hint: for the message. Raises InputError, which names the key."""
    try:
        return _parsed(text, table)
    except InputError as wrong:
        # With a line, as compilers name it.
        at = re.match(r"line (\d+): ", wrong.message)
        place = f"{file}:{at[1]}" if at and file == OWN else file
        raise InputError(f"{place}: {wrong.message[at.end() if at else 0 :]}", hint=hint) from None


def _parsed(text: str, table: str) -> GoLock:
    """Raises InputError with the key and what is wrong."""
    key = ""
    try:
        raw = toml.loads(text)[table]
        if raw["format"] != FORMAT:
            raise InputError(f"{table}.format is {str(raw['format'])[:80]!r}; this mkpkgs reads {FORMAT}")
        found = GoLock(
            inputs=raw["inputs"],
            go=raw["go"],
            settings=raw["settings"],
            compile_flags=tuple(raw["compile-flags"]),
            link_flags=tuple(raw["link-flags"]),
            main=HostMain(**raw["main"]),
            go_mod=raw["go-mod"],
            go_sum=raw["go-sum"],
            modules=raw["modules"],
            unresolved=raw.get("unresolved", {}),
            built={name: Built(**built) for name, built in raw.get("built", {}).items()},
        )
        key = next(_unsound(found), "")
        changed = None if key else edited.find(text, table, raw)
    except KeyError as missing:
        raise InputError(f"it has no {str(missing.args[0])[:80]!r}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"[{table}] cannot be read: {str(error)[:200]}") from None
    if key:
        raise InputError(f"{table}.{key} is nothing that mkpkgs writes")
    if changed is not None:
        line, what = changed
        raise InputError(f"{f'line {line}: ' if line else ''}{what}")
    return found


def _unsound(lock: GoLock) -> Iterator[str]:
    """Keys of what is of another type, or is more to the go command than mkpkgs makes of it.

    Who edits a lock, or publishes one, says what is compiled. What runs is not theirs to say: variables such as GOFLAGS
    and CC and flags such as -toolexec and -extld name programs.
    """
    yield from _of_other_types(lock)
    if not GOVERSION.fullmatch(lock.go):
        yield f"go = {lock.go[:80]!r}"
    for name, value in lock.settings.items():
        if not is_setting(name, value) and (name, value) != ("CGO_ENABLED", "1"):
            yield f"settings: {name[:80]} = {value[:80]!r}"
    yield from (f"compile-flags: {flag[:80]!r}" for flag in lock.compile_flags if not _is_compile_flag(flag))
    yield from (f"link-flags: {flag[:80]!r}" for flag in lock.link_flags if not _is_link_flag(flag))
    for name, built in lock.built.items():
        # A name in a table's header stands there without quotes; the ABI becomes a part of names of packages.
        if not _BARE.fullmatch(name) or not _SHA256.fullmatch(built.abi):
            yield f"built: {name[:80]!r}, abi = {built.abi[:80]!r}"


def _of_other_types(lock: GoLock) -> Iterator[str]:
    texts: dict[str, object] = {"inputs": lock.inputs, "go": lock.go, "go-mod": lock.go_mod, "go-sum": lock.go_sum}
    texts |= {f"main.{name}": getattr(lock.main, name) for name in ("head", "mid", "tail")}
    tables: dict[str, object] = {"settings": lock.settings, "modules": lock.modules, "unresolved": lock.unresolved}
    for name, built in lock.built.items():
        texts[f"built.{name}.abi"] = built.abi
        tables |= {f"built.{name}.tools": built.tools, f"built.{name}.archives": built.archives}
    yield from (key for key, text in texts.items() if not isinstance(text, str))
    for key, table in tables.items():
        if not isinstance(table, dict) or not all(isinstance(text, str) for text in table.values()):
            yield key
    for key, flags in (("compile-flags", lock.compile_flags), ("link-flags", lock.link_flags)):
        if not all(isinstance(flag, str) for flag in flags):
            yield key


def _is_compile_flag(flag: str) -> bool:
    name, _, value = flag.partition("=")
    return _COMPILE_FLAG.fullmatch(flag) is not None or (name == "-goversion" and bool(GOVERSION.fullmatch(value)))


def _is_link_flag(flag: str) -> bool:
    name, _, value = flag.removeprefix("-X=").partition("=")
    return flag in _LINK_FLAGS or (flag.startswith("-X=") and is_variable(name, value))


def _table(name: str, values: Mapping[str, str]) -> list[str]:
    return ["", f"[{name}]", *(f"{toml.string(key)} = {toml.string(value)}" for key, value in sorted(values.items()))]


def _list(items: tuple[str, ...]) -> str:
    return f"[{', '.join(toml.string(item) for item in items)}]"


def _text(text: str) -> str:
    """A text of several lines, readable in the lock file, where TOML's literal strings can hold it."""
    if "'''" in text or text.endswith("'") or any((ord(c) < 32 and c not in "\n\t") or c == "\x7f" for c in text):
        return toml.string(text)
    return f"'''\n{text}'''"
