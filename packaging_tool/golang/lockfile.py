"""The driver's part of `mkpkgs.lock`: every input of a build, as TOML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from packaging_tool import toml
from packaging_tool.errors import BuildError
from packaging_tool.golang.hostmain import HostMain
from packaging_tool.golang.spelling import GOVERSION, is_setting, is_variable

FORMAT = 1
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
    for architecture, built in lock.built.items():
        lines += ["", f"[{table}.built.{architecture}]", f"abi = {toml.string(built.abi)}"]
        lines += _table(f"{table}.built.{architecture}.tools", built.tools)
        lines += _table(f"{table}.built.{architecture}.archives", built.archives)
    return "\n".join(lines) + "\n"


def parse(text: str, table: str = "go-link") -> GoLock | None:
    """Read the lock; None if it is of another format or says what mkpkgs never writes, so that a new one is made."""
    try:
        raw = toml.loads(text)[table]
        if raw["format"] != FORMAT:
            return None
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
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if _is_sound(found) else None


def read(text: str, table: str = "go-link") -> GoLock:
    """Read a lock that must be good. Raises BuildError."""
    lock = parse(text, table)
    if lock is None:
        raise BuildError(f"the lock of the {table} driver is damaged", hint="remove mkpkgs.lock and run again")
    return lock


def _is_sound(lock: GoLock) -> bool:
    """Whether everything is of its type, and nothing in it is more to the go command than mkpkgs makes of it.

    Who edits a lock, or publishes one, says what is compiled. What runs is not theirs to say: variables such as GOFLAGS
    and CC and flags such as -toolexec and -extld name programs.
    """
    texts = [lock.inputs, lock.go, lock.go_mod, lock.go_sum, lock.main.head, lock.main.mid, lock.main.tail]
    tables = [lock.settings, lock.modules, lock.unresolved]
    tables += [table for built in lock.built.values() for table in (built.tools, built.archives)]
    flags = (*lock.compile_flags, *lock.link_flags)
    if not all(isinstance(table, dict) for table in tables) or not all(isinstance(flag, str) for flag in flags):
        return False
    values = [value for table in tables for value in table.values()]
    if not all(isinstance(text, str) for text in (*texts, *values, *(built.abi for built in lock.built.values()))):
        return False
    return (
        GOVERSION.fullmatch(lock.go) is not None
        and all(is_setting(*row) or row == ("CGO_ENABLED", "1") for row in lock.settings.items())
        and all(map(_is_compile_flag, lock.compile_flags))
        and all(map(_is_link_flag, lock.link_flags))
        # A name in a table's header stands there without quotes; the ABI becomes a part of names of packages.
        and all(_BARE.fullmatch(name) and _SHA256.fullmatch(built.abi) for name, built in lock.built.items())
    )


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
