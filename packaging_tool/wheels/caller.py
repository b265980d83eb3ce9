"""Starts pip, so that nothing that an index says runs, and so that it finds no key.

pip asks an index for wheels alone (`--only-binary`), but a wheel may require `name @ address` (PEP 508). What lies
there pip fetches and builds, which runs it: an archive of sources, a repository of git or hg. So pip gets a hook that
refuses each program that it wants to start (PEP 578, sys.addaudithook: what was added cannot be taken away), which it
needs to build and for nothing else here. And it runs where commands of projects run (`confine`), but with the network,
and with those files of the user's alone that its own settings name.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging_tool import confine
from packaging_tool.errors import BuildError, CommandError
from packaging_tool.package.templates import render
from packaging_tool.run import Done
from packaging_tool.wheels.told import plain

_PLACES = ("XDG_CONFIG_HOME", "XDG_CONFIG_DIRS")
# Settings of pip that name files or directories, which it reads.
_FILES = {"cert", "client-cert", "constraint", "extra-index-url", "find-links", "index-url"}
# What follows is a message for nobody but `_refused`.
_REFUSED = "mkpkgs lets pip start no program"
# What pip says before it fetches something, and of that which has an address. Of a file it says the path alone.
_HEADER = re.compile(r"^(?:Collecting|Processing) .*", re.MULTILINE)
_ADDRESSED = re.compile(r"(?:Collecting ([^@]+?) ?@ |Processing )(\S.*?)(?: \(from (.*?)(?:->.*)?\))?")

# The end of its traceback at an address of a kind that it does not know.
_UNKNOWN = re.compile(r"InvalidRequirement: Invalid URL(?: given)?: (\S+)\s*\Z")


def ask(*arguments: str, scratch: Path, readable: Iterable[Path] = ()) -> None:
    """Run pip with an index and the network. scratch: the directory that it may write to. readable: that it sees.

    Raises BuildError if pip would have to build or is missing, CommandError for all else; then pip's error lines are
    the message.
    """
    settings, named, own = _settings()
    env = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", **settings, **_quiet()}
    if (cache := _cache()) is not None:
        env["PIP_CACHE_DIR"] = str(cache)
    else:
        env["PIP_NO_CACHE_DIR"] = "1"
    writable = [scratch, *([cache] if cache is not None else [])]
    # -P: a file `pip.py` in the present directory is not pip.
    command = [sys.executable, "-P", "-c", render("python/alone.py.j2", refused=_REFUSED), *arguments]
    done = confine.run_confined(
        command,
        cwd=scratch,
        env=env,
        writable=writable,
        readable=[*_python(), *named, *readable],
        lent=own,
        network=True,
        check=False,
    )
    _judge(done, arguments)


def build(*arguments: str, scratch: Path) -> None:
    """Run pip where it runs the backend of a project: without network. Raises as `ask`."""
    (home := scratch / "home").mkdir()
    env = {**confine.environment(home, 0), **_quiet(), "PIP_NO_CACHE_DIR": "1"}
    command = [sys.executable, "-P", "-m", "pip", *arguments]
    done = confine.run_confined(command, cwd=scratch, env=env, writable=[scratch], readable=_python(), check=False)
    _judge(done, arguments)


def _judge(done: Done, arguments: Sequence[str]) -> None:
    if done.returncode == 0:
        return
    told, output = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
    if (refused := _refused(told, output)) is not None:
        raise refused
    if known := plain(arguments, told, output, has_index=_has_index(arguments[0])):
        raise known
    errors = re.findall(r"(?m)^ *(?:ERROR|error): (.*)", output)
    if not errors or errors == ["Exception:"]:
        # It stumbled over what it did not expect of an index. Where in pip, helps nobody.
        errors = [line.rpartition(" pip._")[2] for line in (output or told).strip().splitlines()[-1:]]
        told = output = ""
    raise CommandError(
        f"pip {arguments[0]}: {'; '.join(dict.fromkeys(errors))}", returncode=done.returncode, output=output or told
    )


def _refused(told: str, output: str) -> BuildError | None:
    """The error if pip ended at something that has an address. told, output: what it printed, and with what errors."""
    last = found[-1] if (found := _HEADER.findall(told)) else ""
    if unknown := _UNKNOWN.search(output):
        # It does not even try.
        parent = re.match(r"Collecting ([^ @(]+)", last)
        return addressed(unknown[1], parent[1] if parent else None)
    parts = _ADDRESSED.fullmatch(last)
    if parts is not None and (parts[1] or (parts[3] and not parts[2].endswith(".whl"))):
        return addressed(f"{parts[1]} @ {parts[2]}" if parts[1] else parts[2], parts[3])
    return addressed("what has to be built", None) if _REFUSED in output else None


def addressed(what: str, parent: str | None) -> BuildError:
    """The error of a wheel that requires something by its address. parent: name of its distribution, if it is known."""
    return BuildError(
        f"{parent or 'a wheel of the index'} requires {what[:200]}, which is in no index: pip would build and run what"
        " lies there",
        hint="choose a version that requires distributions of an index alone, or ask its author for one",
    )


def need() -> None:
    """Raises BuildError if pip, or the library that reads what wheels require, is not there."""
    missing = [library for library in ("pip", "packaging") if find_spec(library) is None]
    if missing:
        # What the system installs does not reach a virtual environment.
        apart = sys.prefix != sys.base_prefix
        own = f"{sys.executable} -m pip install 'mkpkgs[python]'"
        own = f"{sys.executable} -m ensurepip && {own}" if "pip" in missing else own
        system = "install " + " ".join(f"python3-{library}" for library in missing)
        raise BuildError(
            f"the driver python needs {' and '.join(missing)}, which {sys.executable} does not have",
            hint=own if apart else system,
        )


def _quiet() -> dict[str, str]:
    # Wheels have no time stamps that matter to us, but some backends put the time into files.
    return {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "SOURCE_DATE_EPOCH": "315532800"}


def _python() -> list[Path]:
    """Where Python and pip lie."""
    found = find_spec("pip")
    own = [Path(found.origin).parent.parent] if found is not None and found.origin else []
    return [Path(sys.prefix), Path(sys.base_prefix), *own]


def _cache() -> Path | None:
    """Where answers of indexes are kept: not in pip's own directory, whose wheels other projects install."""
    if os.environ.get("PIP_NO_CACHE_DIR", "0").lower() not in ("", "0", "false", "no", "off"):
        return None
    place = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mkpkgs" / "pip"
    with suppress(OSError):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        return place
    return None


def _settings() -> tuple[dict[str, str], list[Path], list[Path]]:
    """The variables that say how pip reaches its index; files and directories that they name; and its files of settings
    and logins."""
    names = (*confine.PROXIES, *confine.CERTIFICATES, *_PLACES, "HOME", "NETRC")
    env = {name: text for name in names if (text := os.environ.get(name))}
    env |= {name: _absolute(text) for name, text in os.environ.items() if name.startswith("PIP_")}
    own = [*_configuration()]
    said = [env[name] for name in confine.CERTIFICATES if name in env]
    said += [text for name, text in env.items() if name[4:].lower().replace("_", "-") in _FILES]
    said += [text for file in own for text in _named(file)]
    named = [place for text in said for word in (text, *text.split()) if (place := _place(word)) is not None]
    return env, named, own + confine.logins()


def _absolute(text: str) -> str:
    """The text of a variable. Files of the present directory get their whole names: pip runs in another one."""
    words = [text] if _is_relative(text) else text.split()
    if not any(map(_is_relative, words)):
        return text
    return " ".join(str(Path(word).absolute()) if _is_relative(word) else word for word in words)


def _is_relative(word: str) -> bool:
    return bool(word) and not word.startswith(("/", "~")) and "://" not in word and os.path.lexists(word)


def _configuration() -> Iterator[Path]:
    """The files of settings that pip reads (its manual, "Configuration"), as far as they are there."""
    home = Path.home()
    places = [Path(text) for text in (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":") if text]
    places += [Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")]
    files = [*(place / "pip/pip.conf" for place in places), Path("/etc/pip.conf"), home / ".pip/pip.conf"]
    files += [Path(sys.prefix) / "pip.conf", Path(_absolute(os.environ.get("PIP_CONFIG_FILE", "")))]
    yield from (file for file in files if file.is_absolute() and file.is_file())


def _has_index(command: str) -> bool:
    """Whether pip's settings let it ask an index. command: install, download."""
    said = os.environ.get("PIP_NO_INDEX", "")
    for file in () if said or os.environ.get("PIP_CONFIG_FILE") == os.devnull else _configuration():
        rows = {(section, key.replace("_", "-")): text for section, key, text in _rows(file)}
        said = rows.get((command, "no-index"), rows.get(("global", "no-index"), said))
    return said.lower() not in ("y", "yes", "t", "true", "on", "1")


def _named(file: Path) -> Iterator[str]:
    """What a file of settings says of files."""
    yield from (text for _, key, text in _rows(file) if key.replace("_", "-") in _FILES)


def _rows(file: Path) -> Iterator[tuple[str, str, str]]:
    """Section, key and value of what stands in a file of settings. Nothing if it cannot be read: pip says so, too."""
    parser = configparser.RawConfigParser()
    with suppress(OSError, ValueError, configparser.Error):
        parser.read_string(file.read_text(encoding="utf-8"))
        yield from ((section, key, text) for section in parser.sections() for key, text in parser.items(section))


def _place(word: str) -> Path | None:
    """The file or directory that a setting names, by its path or as `file:///…`; None if it is no such thing."""
    place = Path(unquote(urlsplit(word).path) if word.startswith("file:") else word)
    with suppress(RuntimeError):
        place = place.expanduser()
    return place if place.is_absolute() and os.path.lexists(place) else None
