"""Runs what somebody else wrote where it finds no key: commands of a project, compilers over its sources, its program.

A program here gets the environment that it is given and nothing of ours, a session without our terminal, and, where
the system lets us make such a place, a view of its own:

- the system's files, of which it can change none,
- no home directory, `/run`, `/tmp`, `/var/tmp` or `/srv` of ours, nor what else lies at the top and is no system's;
  below these only what it is shown: the project, what it may write, where the programs in PATH lie, and what the
  variable MKPKGS_SHOW names (directories, with colons between): the user says that, and no project,
- nothing that a plain user of the machine could not read, also where root builds (`closed`),
- neither keys nor passphrase, nor what a run writes packages into,
- no process but its own, and none of them lives longer than it,
- no network, unless the project asks for it.

bubblewrap makes that place, as root and as any other user. Without it, or where a container forbids it, programs run
with all that the user may do: said once in a run. Keys are locked again before the first one
starts (`before`), and then the memory and environment of this process can be read by root alone.

Outputs are the same in both: names of files are, HOME too.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from packaging_tool import closed
from packaging_tool.errors import CommandError
from packaging_tool.run import Done, not_found, run

# Other people's files, sockets and processes; what of it is there is hidden.
PLACES = ("/home", "/root", "/run", "/tmp", "/var/tmp", "/var/run", "/dev/shm", "/var/spool", "/mnt", "/media")  # noqa: S108 - names, nothing is written
# Directories of the system. Whatever else lies at the top is somebody's: /srv, /work, /builds.
SYSTEM = frozenset({"bin", "boot", "dev", "etc", "lib", "nix", "opt", "proc", "sbin", "sys", "usr", "var"})
SECRETS = ("/etc/shadow", "/etc/gshadow", "/etc/ssl/private", "/etc/ssh", "/etc/sudoers", "/etc/sudoers.d")
# The same below HOME, where a project lies around or in it.
OWN_SECRETS = (
    *(
        ".aws",
        ".bash_history",
        ".cargo/credentials",
        ".cargo/credentials.toml",
        ".config",
        ".docker",
        ".git-credentials",
    ),
    *(".gnupg", ".kube", ".local/share", ".local/state", ".netrc", ".npmrc", ".password-store", ".pypirc", ".ssh"),
)
# The kernel asks who writes here for nothing but the user's number, which is root's in the place too.
OF_KERNEL = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "driver", "mtrr", "tty")
# Root reads and writes other people's sources and unpacks archives with owners; it needs no more.
OF_ROOT = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETGID", "SETUID")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
# Of servers, for OpenSSL, Go, curl (which git uses) and pip.
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO")
WARNING = (
    "commands of the project run with all that you may do, so they can read your keys and use your network: install"
    " bubblewrap, or allow user namespaces here"
)
PR_SET_DUMPABLE = 4


@dataclass(slots=True)
class _Guard:
    """What a run keeps from all programs. hidden: files and directories. fixed: what they may read only. shown: that
    they see. instead: files that they see in place of others."""

    hidden: list[Path] = field(default_factory=list)
    fixed: list[Path] = field(default_factory=list)
    shown: list[Path] = field(default_factory=list)
    instead: Mapping[Path, Path] = field(default_factory=dict)
    before: list[Callable[[], None]] = field(default_factory=list)
    warn: Callable[[str], None] = lambda text: None
    told: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


_guards = [_Guard()]


@contextmanager
def guarding(
    hidden: Iterable[Path] = (),
    fixed: Iterable[Path] = (),
    shown: Iterable[Path] = (),
    instead: Mapping[Path, Path] | None = None,
    warn: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Keep files from all programs that run here meanwhile, from all threads.

    hidden: that they do not see. fixed: that they may read only. shown: that they see. instead: by file, another one
    that they see there. warn: is told that there is no such place.
    """
    _guards.append(_Guard([*hidden], [*fixed], [*shown], instead or {}, warn=warn or (lambda text: None)))
    try:
        yield
    finally:
        _guards.pop()


def hide(path: Path) -> None:
    """Hide one more file or directory as long as the present guard lasts."""
    _guards[-1].hidden.append(path)


def before(step: Callable[[], None]) -> None:
    """What is done once, before the next program starts here."""
    _guards[-1].before.append(step)


def environment(home: Path, epoch: int, *, network: bool = False) -> dict[str, str]:
    """What every command gets. home: a directory of its own. epoch: SOURCE_DATE_EPOCH."""
    found = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(epoch),
    }
    if (toolchains := _rustup()) is not None:
        found["RUSTUP_HOME"] = str(toolchains)
    if network:
        found |= {name: os.environ[name] for name in PROXIES if name in os.environ}
        if os.access(settings := of_go(), os.R_OK):
            found["GOENV"] = str(settings)
    return found


def run_confined(
    argv: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path,
    env: Mapping[str, str],
    writable: Iterable[Path] = (),
    readable: Iterable[Path] = (),
    fixed: Iterable[Path] = (),
    lent: Iterable[Path] = (),
    network: bool = False,
    stdin: bytes = b"",
    check: bool = True,
) -> Done:
    """Run a program as `run` does, but in a place as described above.

    cwd: is readable. env: the whole environment. writable: directories that it may change, readable: that it sees,
    beside the system's; fixed: files and directories in writable ones that it may not change. lent: what it sees though
    it is hidden from all others, for a program that runs nobody's code and has to log in. Raises CommandError.
    """
    guard, name, writable, readable = _guards[-1], os.fspath(argv[0]), [*writable], [*readable]
    with guard.lock:
        steps, guard.before[:] = [*guard.before], []
        for step in steps:
            step()
        caged = _cage()
        if caged is None:
            shut()
            if not guard.told:
                guard.told = True
                guard.warn(WARNING)
    if caged is None:
        return run(argv, cwd=cwd, env=env, stdin=stdin, check=check, alone=True)
    if shutil.which(name, path=env.get("PATH")) is None and not (cwd / name).exists():
        raise not_found(name)
    import tempfile

    # In a directory and not in memory: a linker's temporary files take gigabytes.
    scratch = Path(tempfile.mkdtemp(prefix="mkpkgs-tmp-"))
    try:
        view = _View()
        view.hide([*map(Path, PLACES), *_others(), *_homes()])
        shown = [*_of_path(env.get("PATH", os.defpath)), *_resolver(network=network), *said()]
        shown += [*guard.shown, *readable, cwd]
        view.hide(_closed([*shown, *writable]))
        view.show(shown)
        view.allow(writable)
        view.fix([*fixed, *guard.fixed])
        view.hide([*map(Path, SECRETS), *_secrets()])
        view.replace(guard.instead)
        view.lend(lent)
        view.hide(guard.hidden)
        view.put(scratch, Path("/tmp"))  # noqa: S108 - of the place, with nothing in it
        net = () if network else ("--unshare-net",)
        within = [*caged, *net, *view.arguments(), "--chdir", str(cwd.absolute()), "--"]
        return run(argv, env=env, stdin=stdin, check=check, within=within)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class _View:
    """Which files a program finds: what is said of the deeper directory counts, and of one directory the last word."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[str, ...]] = {}

    def hide(self, paths: Iterable[Path]) -> None:
        """Nothing is there."""
        for path in sorted(_there(paths)):
            if self._visible(path):
                self._say(path, ("--tmpfs", path) if _is_directory(path) else ("--ro-bind", "/dev/null", path))

    def show(self, paths: Iterable[Path]) -> None:
        """What is there can be read."""
        self._bind([path for path in paths if not self._visible(_named(path))], "--ro-bind")

    def lend(self, paths: Iterable[Path]) -> None:
        """What is there can be read, whatever was said of it."""
        self._bind(paths, "--ro-bind")

    def allow(self, paths: Iterable[Path]) -> None:
        """What is there can be changed."""
        self._bind(paths, "--bind")

    def fix(self, paths: Iterable[Path]) -> None:
        """What is there can be read, where it can be seen."""
        for path in _there(paths):
            if self._visible(path):
                self._say(path, ("--ro-bind", path, path))

    def replace(self, files: Mapping[Path, Path]) -> None:
        """Where the first of two files can be seen, the second is there, and can be read."""
        for path, other in files.items():
            for real in _there([path]):
                if self._visible(real):
                    self._say(real, ("--ro-bind", str(other), real))

    def put(self, source: Path, path: Path) -> None:
        """Another directory is there, which can be changed."""
        self._say(str(path), ("--bind", str(source), str(path)))

    def arguments(self) -> list[str]:
        """Those of bubblewrap; what is deeper comes later."""
        found = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
        for name in OF_KERNEL:
            found += ["--ro-bind-try", f"/proc/{name}", f"/proc/{name}"]
        for path in sorted(self._said, key=lambda path: (path.count("/"), path)):
            found += self._said[path]
        return found

    def _bind(self, paths: Iterable[Path], how: str) -> None:
        for path in paths:
            real = os.path.realpath(path)
            if not os.access(real, os.R_OK):
                # Not there, or another user's.
                continue
            self._say(real, (how, real, real))
            named = _named(path)
            if named != real and not self._visible(named):
                # The link that leads there is hidden.
                self._say(named, (how, real, named))

    def _say(self, path: str, how: tuple[str, ...]) -> None:
        self._said.pop(path, None)
        if path.startswith(("/dev/", "/proc/")) or path == "/":
            return
        self._said[path] = how

    def _nearest(self, path: str) -> tuple[str, ...]:
        while path != "/":
            if path in self._said:
                return self._said[path]
            path = path.rpartition("/")[0] or "/"
        return ()

    def _visible(self, path: str) -> bool:
        return self._nearest(path)[:1] != ("--tmpfs",)


def _named(path: Path) -> str:
    """The absolute name, with links as they are."""
    return os.path.normpath(path.absolute())


def _is_directory(path: str | Path) -> bool:
    """Whether it is one; no for what lies in a directory that is closed to us."""
    return os.path.isdir(path)  # noqa: PTH112 (pathlib raises)


def _there(paths: Iterable[Path]) -> set[str]:
    """Those that exist, as they are called without links."""
    return {real for path in paths if os.path.lexists(real := os.path.realpath(path))}


def _others() -> Iterator[Path]:
    """Directories at the top that no system has."""
    for place in Path("/").iterdir():
        # lib32, lib64, libx32
        known = place.name in SYSTEM or place.name.startswith("lib")
        if not known and not place.is_symlink() and _is_directory(place):
            yield place


def _homes() -> Iterator[Path]:
    """Where files of the user lie."""
    import tempfile

    yield Path(tempfile.gettempdir())
    for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "GNUPGHOME"):
        if os.environ.get(name, "").startswith("/"):
            yield Path(os.environ[name])


def _secrets() -> Iterator[Path]:
    """Where a key, a password or a way to one may lie, in what is shown."""
    home = Path(os.environ.get("HOME") or "/nonexistent")
    yield from (home / name for name in OWN_SECRETS)
    for name in ("GNUPGHOME", "MKPKGS_KEYS", "MKPKGS_PASSPHRASE_FILE", "SSH_AUTH_SOCK"):
        if os.environ.get(name):
            yield Path(os.environ[name])


def _closed(shown: Iterable[Path]) -> Iterator[Path]:
    """What modes keep from all users but root, which we are. shown: what is seen on purpose, with all that is in it."""
    if os.geteuid() == 0:
        known = {os.path.realpath(path) for path in shown}
        for place in map(Path, closed.places()):
            if known.isdisjoint(map(str, (place, *place.parents))):
                yield place


def _rustup() -> Path | None:
    """Where rustup's programs, which are first in PATH, find the real ones."""
    place = Path(os.environ.get("RUSTUP_HOME") or Path(os.environ.get("HOME") or "/nonexistent") / ".rustup")
    return place if _is_directory(place) else None


def _of_path(said: str) -> Iterator[Path]:
    """Directories of programs, and those beside them that the programs read: `venv/bin` and `venv/lib`."""
    home = os.environ.get("HOME") or "/nonexistent"
    whole = {"/", home, f"{home}/.local", f"{home}/.cargo", *PLACES}
    for place in (Path(_named(Path(text))) for text in said.split(":") if text.startswith("/")):
        yield place
        if place.name in ("bin", "sbin") and str(place.parent) not in whole:
            yield place.parent
    if (toolchains := _rustup()) is not None:
        yield toolchains


def said() -> Iterator[Path]:
    """What the user wants to be seen; no project says that."""
    yield from (Path(text) for text in os.environ.get("MKPKGS_SHOW", "").split(":") if text.startswith("/"))


def _resolver(*, network: bool) -> Iterator[Path]:
    """The file that says who knows names of hosts; often it lies in /run."""
    if network:
        yield Path(os.path.realpath("/etc/resolv.conf"))
        yield of_go()


def logins() -> list[Path]:
    """The file that says how to log in to servers (netrc), to be lent to who fetches."""
    home = os.environ.get("HOME") or "/nonexistent"
    return [Path(os.environ.get("NETRC") or f"{home}/.netrc")]


def of_go() -> Path:
    """The file of `go env -w`: it says where modules come from."""
    config = os.environ.get("XDG_CONFIG_HOME") or f"{os.environ.get('HOME') or '/nonexistent'}/.config"
    return Path(os.environ.get("GOENV") or f"{config}/go/env")


@cache
def _cage() -> tuple[str, ...] | None:
    """bubblewrap with its first arguments, as it works here; None if it is not there or may not work."""
    program = shutil.which("bwrap")
    if program is None:
        return None
    spaces = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session")
    if os.geteuid() == 0:
        kept = [word for name in OF_ROOT for word in ("--cap-add", f"CAP_{name}")]
        # A container's root may often make no places but in a user namespace of its own.
        kinds: tuple[tuple[str, ...], ...] = (("--cap-drop", "ALL", *kept), ("--unshare-user", "--cap-drop", "ALL"))
    else:
        kinds = (("--unshare-user", "--cap-drop", "ALL"),)
    for kind in kinds:
        caged = (program, *spaces, *kind)
        tried = ["--unshare-net", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/run", "--"]
        try:
            if run(["true"], env={"PATH": os.defpath}, check=False, within=[*caged, *tried]).returncode == 0:
                return caged
        except (CommandError, OSError):
            return None
    return None


@cache
def shut() -> None:
    """Let nobody but root read this process's memory and environment, or have it dump them."""
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
