"""Runs one program where it sees and reaches nothing of this machine: `python -I cell.py`, with an `Order` on stdin.

Everything is arranged by this process, from outside, by system calls: once foreign code was in a root, no program of
the root runs before it is locked in, and no path of the root is followed from outside.

Two user namespaces lie in each other. The outer one is this machine's own if root calls, else one in which the caller
is root: it owns the processes, mounts, names and network of the room. The inner one has 65536 users that are nobody
outside, root among them, and no rights over what the outer one owns (user_namespaces(7); mount_namespaces(7),
"Restrictions on mount namespaces"). Programs run in the inner one. When the caller ends, all of them end.

The files of a root belong to these users. To make one, programs of this machine run as them, too, with its files.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import platform
import pwd
import resource
import select
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

# Users and groups that are root's alone: those of a line of root's in /etc/subuid, else these. In the middle of the
# range that systemd-nspawn takes its own from (it looks whether others use them: nspawn/nspawn.c).
RANGE = 0x4D4B0000
COUNT = 65536
# Bytes of what a program says that are passed on.
LARGEST = 1 << 20
# As timeout(1) says that the time was up, and that the program could not be called.
LATE, BROKEN = 124, 125

# sched.h, sys/mount.h, sys/prctl.h, linux/keyctl.h
NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER = 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000
NEWPID, NEWNET = 0x20000000, 0x40000000
RDONLY, NOSUID, NODEV, NOEXEC = 1, 2, 4, 8
REMOUNT, BIND, RECURSIVE, PRIVATE = 32, 4096, 16384, 1 << 18
DETACH = 2
SET_PDEATHSIG, SET_DUMPABLE, CAPBSET_DROP, SET_NO_NEW_PRIVS = 1, 4, 24, 38
JOIN_SESSION_KEYRING = 1
# glibc has no function for it: the number of the system call by machine.
KEYCTL = {"x86_64": 250, "i686": 288, "armv7l": 311, "aarch64": 219, "riscv64": 219, "ppc64le": 271, "s390x": 280}
# What package managers and their scripts need: of linux/capability.h chown, dac_override, fowner, fsetid, kill, setgid,
# setuid, setpcap, net_bind_service, sys_chroot, sys_admin, mknod, setfcap. The core's tool tries a set in namespaces of
# its own, which takes sys_admin; here it is a right over such new ones alone.
CAPABILITIES = frozenset({0, 1, 3, 4, 5, 6, 7, 8, 10, 18, 21, 27, 31})
LAST_CAPABILITY = 63

DEVICES = ("null", "zero", "full", "random", "urandom")
LINKS = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
# Of /proc: what tells or changes something of the whole machine.
READ_ONLY = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "driver", "asound", "mtrr", "mdstat")
HIDDEN = ("kcore", "keys", "key-users", "kallsyms", "kmsg", "timer_list", "sched_debug", "modules", "diskstats")

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done.

    what: `inside` runs a program in a root, `outside` runs one with this machine's files, `remove` takes the root away.
    root: directory; `outside` makes it if it is missing, and works there. words, environment: of the program.

    Inside: online: with the network of this machine. inbox, place: a directory, and where in the root it can be read.
    outbox: one that can be written, at `out` in the inbox. seconds: that it may take.

    Outside: source, output: files for stdin and stdout. made: more directories that are the room's. shown: others that
    it reads. All of these keep their paths where a directory above is closed to the room's users. furnished: the root
    gets devices and processes, for a program that runs some of it by chroot(2).
    """

    what: str
    root: str
    words: Sequence[str] = ()
    environment: dict[str, str] | None = None
    online: bool = False
    inbox: str = ""
    place: str = ""
    outbox: str = ""
    seconds: int = 0
    source: str = ""
    output: str = ""
    made: Sequence[str] = ()
    shown: Sequence[str] = ()
    furnished: bool = False


class BrokenError(Exception):
    """It cannot be done here: why."""


def main() -> NoReturn:
    """Do what stdin says, end as the program ended."""
    try:
        order = Order(**json.load(sys.stdin))
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        _leave_the_caller()
        base = _become_root()
        _end_with_parent()
        os.chdir("/")
        _mount("", "/", "", RECURSIVE | PRIVATE)
        status = {"inside": _inside, "outside": _outside, "remove": _remove}[order.what](order, base)
    except (BrokenError, OSError) as failed:
        _complain(failed)
    os._exit(status)


def _complain(failed: Exception) -> NoReturn:
    with contextlib.suppress(OSError):
        os.write(2, f"{failed}\n".encode(errors="replace"))
    os._exit(BROKEN)


def _leave_the_caller() -> None:
    """Share neither terminal nor keys with whoever called: TIOCSTI types into a terminal, keyrings(7) have secrets."""
    with contextlib.suppress(PermissionError):
        os.setsid()
    os.umask(0o022)
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    number = KEYCTL.get(platform.machine())
    if number is None:
        raise BrokenError(f"the system calls of {platform.machine()} are not known here")
    joined = _libc.syscall(ctypes.c_long(number), ctypes.c_long(JOIN_SESSION_KEYRING), None)
    # A kernel without keys, or a container where nobody may have any.
    if joined < 0 and ctypes.get_errno() not in (errno.ENOSYS, errno.EPERM):
        raise _error("keyctl")


# ---- users


def _become_root() -> int:
    """Enter the outer user namespace, and mounts of its own. The first number in it of the room's users."""
    if os.geteuid() == 0:
        _call("unshare", NEWNS)
        return _roots_own()
    ids = {name: _subordinate(f"/etc/{name}") for name in ("subuid", "subgid")}
    if 0 in ids.values():
        raise BrokenError("this user has no 65536 users of its own in /etc/subuid and /etc/subgid")
    process, own = os.getpid(), (os.getuid(), os.getgid())
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go)
        os.read(ready, 1)
        failed = 0
        for kind, number in zip(("uid", "gid"), own, strict=True):
            row = [str(process), "0", str(number), "1", "1", str(ids[f"sub{kind}"]), str(COUNT)]
            failed = failed or subprocess.run([f"new{kind}map", *row]).returncode
        os._exit(failed)
    os.close(ready)
    _call("unshare", NEWUSER | NEWNS)
    os.close(go)
    if os.waitpid(child, 0)[1] != 0:
        raise BrokenError("newuidmap or newgidmap failed")
    return 1


def _roots_own() -> int:
    base = _subordinate("/etc/subuid")
    if base == 0 or base != _subordinate("/etc/subgid"):
        base = RANGE
    rows = [[int(word) for word in line.split()] for line in Path("/proc/self/uid_map").read_text().splitlines()]
    if not any(first <= base and base + COUNT <= first + count for first, _, count in rows):
        raise BrokenError("root has no users here that it could give to the room: this is a container with few of them")
    return base


def _subordinate(file: str) -> int:
    """The first number of a range of the caller's in subuid(5), 0 if there is none that is large enough."""
    names = {str(os.geteuid())}
    with contextlib.suppress(KeyError):
        names.add(pwd.getpwuid(os.geteuid()).pw_name)
    text = ""
    with contextlib.suppress(OSError):
        text = Path(file).read_text()
    for line in text.splitlines():
        name, _, numbers = line.partition(":")
        first, _, count = numbers.partition(":")
        if name in names and first.isdigit() and count.strip().isdigit() and int(count) >= COUNT:
            return int(first)
    return 0


def _fork_as_nobody(base: int, work: Callable[[], NoReturn], also: int) -> int:
    """Start a process that is root of the inner user namespace; its id. also: namespaces that the inner one owns."""
    asks, asked = os.pipe()
    waits, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(asks)
            os.close(told)
            _call("unshare", NEWUSER | also)
            os.close(asked)
            if not os.read(waits, 1):
                os._exit(BROKEN)
            os.setgroups([])
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
            _end_with_parent()
            work()
        except (BrokenError, OSError) as failed:
            _complain(failed)
    os.close(asked)
    os.close(waits)
    os.read(asks, 1)
    for kind in ("uid", "gid"):
        Path(f"/proc/{child}/{kind}_map").write_text(f"0 {base} {COUNT}\n")
    os.write(told, b"1")
    os.close(told)
    os.close(asks)
    return child


# ---- in the root


def _inside(order: Order, base: int) -> int:
    """Run a program in the root; how it ended."""
    resolver = Path("/etc/resolv.conf").read_bytes() if order.online else b""
    _call("unshare", NEWPID | NEWIPC | NEWUTS | NEWCGROUP | (0 if order.online else NEWNET))
    child = os.fork()
    if child == 0:
        try:
            _end_with_parent()
            _enter(order)
            _keep_house(order, base, resolver)
        except (BrokenError, OSError) as failed:
            _complain(failed)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF


def _enter(order: Order) -> None:
    """Put the root in the place of the machine's. Nobody else is in it, so what is looked at stays so."""
    socket.sethostname("room")
    _mount(order.root, order.root, "", BIND)
    os.chdir(order.root)
    _furnish()
    if order.inbox:
        _bind(order.inbox, _real(order.place), RDONLY | NOSUID | NODEV | NOEXEC)
    if order.outbox:
        _bind(order.outbox, f"{_real(order.place)}/out", NOSUID | NODEV | NOEXEC)
    for name in READ_ONLY:
        if Path("proc", name).exists():
            _bind(f"proc/{name}", f"proc/{name}", RDONLY | NOSUID | NODEV | NOEXEC)
    for name in HIDDEN:
        if Path("proc", name).exists():
            _bind("dev/null", f"proc/{name}", RDONLY | NOSUID | NOEXEC)
    # What is imported from here on would be foreign.
    sys.meta_path.clear()
    sys.path.clear()
    _call("pivot_root", b".", b".")
    _call("umount2", b".", DETACH)
    os.chdir("/")


def _keep_house(order: Order, base: int, resolver: bytes) -> NoReturn:
    """As the first process of the room: pass on what is said, and end it all when the program ends."""
    says, said = os.pipe()
    null = os.open("/dev/null", os.O_RDONLY)

    def work() -> NoReturn:
        for number, to in ((null, 0), (said, 1), (said, 2)):
            os.dup2(number, to)
        if resolver:
            # It may be a link to what only a running system has.
            Path("/etc/resolv.conf").unlink(missing_ok=True)
            Path("/etc/resolv.conf").write_bytes(resolver)
        _drop()
        _become(order)

    child = _fork_as_nobody(base, work, NEWNS)
    # Now that the child, which would inherit that, has its users: nobody in the room may look into this process.
    _call("prctl", SET_DUMPABLE, 0, 0, 0)
    os.close(said)
    end, left, status = time.monotonic() + order.seconds, LARGEST, -1
    while status < 0:
        if select.select([says], [], [], 0.02)[0]:
            left = _pass_on(says, left)
        while status < 0:
            try:
                process, how = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if process == 0:
                break
            if process == child:
                code = os.waitstatus_to_exitcode(how)
                status = code if code >= 0 else 128 - code
        if time.monotonic() > end:
            status = LATE
    while select.select([says], [], [], 0)[0] and left > 0 and (rest := _pass_on(says, left)) != left:
        left = rest
    os._exit(status)


def _pass_on(says: int, left: int) -> int:
    """Pass on what can be read; how many bytes may still be passed on."""
    data = os.read(says, 65536)
    if not data:
        time.sleep(0.005)
    os.write(1, data[:left])
    return max(0, left - len(data))


def _drop() -> None:
    """Give up what foreign code does not need."""
    for capability in range(LAST_CAPABILITY + 1):
        gone = capability in CAPABILITIES or _libc.prctl(CAPBSET_DROP, capability, 0, 0, 0) == 0
        # Older kernels know fewer.
        if not gone and ctypes.get_errno() != errno.EINVAL:
            raise _error("prctl")
    _call("prctl", SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _become(order: Order) -> NoReturn:
    """Be the program."""
    environment = order.environment or {}
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    folders = [""] if order.words[0].startswith("/") else environment["PATH"].split(":")
    for folder in folders:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            os.execve(f"{folder}/{order.words[0]}".replace("//", "/"), list(order.words), environment)  # noqa: S606 - no shell
    os.write(2, f"{order.words[0]}: not found\n".encode())
    os._exit(127)


# ---- mounts


def _furnish() -> None:
    """Give the root in the current directory what programs need."""
    _mount("proc", _real("proc"), "proc", NOSUID | NODEV | NOEXEC)
    _mount("tmpfs", _real("dev"), "tmpfs", NOSUID | NOEXEC, "mode=0755")
    for name in DEVICES:
        Path("dev", name).touch()
        _bind(f"/dev/{name}", f"dev/{name}", RDONLY | NOSUID | NOEXEC)
    for folder, kind, options in (
        ("dev/pts", "devpts", "newinstance,ptmxmode=0666,mode=0620"),
        ("dev/shm", "tmpfs", "mode=1777"),
    ):
        Path(folder).mkdir()
        _mount(kind, folder, kind, NOSUID | NOEXEC, options)
    for name, target in LINKS.items():
        Path("dev", name).symlink_to(target)


def _real(place: str) -> str:
    """A path of the root without a slash. Raises BrokenError for a link: it would lead to this machine's files."""
    relative = Path(place.lstrip("/"))
    for path in (relative, *relative.parents):
        if not stat.S_ISDIR(path.lstat().st_mode):
            raise BrokenError(f"/{path} of the root is no directory any more")
    return str(relative)


def _show(paths: Sequence[str], written: Sequence[str]) -> None:
    """Let the room's users walk to directories, where one above is closed to them. written: what may be changed."""
    opened = {path: os.open(path, os.O_PATH | os.O_DIRECTORY) for path in (*written, *paths)}
    covers: dict[str, None] = {}
    for path in opened:
        above = [str(one) for one in reversed(Path(path).parents)]
        closed = [one for one in above if not Path(one).stat().st_mode & stat.S_IXOTH]
        covers.update(dict.fromkeys(closed[:1]))
    for cover in covers:
        _mount("tmpfs", cover, "tmpfs", NOSUID | NODEV, "mode=0755")
    for path, number in opened.items():
        if any(cover in map(str, Path(path).parents) for cover in covers):
            Path(path).mkdir(parents=True, exist_ok=True)
            flags = 0 if path in written else RDONLY | NOSUID | NODEV
            _bind(f"/proc/self/fd/{number}", path, flags)
        os.close(number)


def _bind(source: str, target: str, flags: int) -> None:
    _mount(source, target, "", BIND)
    if flags:
        # What is set must stay so in a namespace of users: mount_namespaces(7).
        kept = os.statvfs(target).f_flag & (RDONLY | NOSUID | NODEV | NOEXEC)
        _mount("", target, "", BIND | REMOUNT | flags | kept)


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    words = [os.fsencode(word) or None for word in (source, target, kind)]
    if _libc.mount(*words, ctypes.c_ulong(flags), os.fsencode(options) or None) < 0:
        raise _error("mount", target)


# ---- with the machine's files


def _outside(order: Order, base: int) -> int:
    """Run a program of this machine as root of the inner namespace; how it ended."""
    for path in (order.root, *order.made):
        if not Path(path).exists():
            Path(path).mkdir(0o755)
            os.chown(path, base, base)
    source = os.open(order.source or "/dev/null", os.O_RDONLY)
    out = os.open(order.output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600) if order.output else 1
    _show(order.shown, [order.root, *order.made])

    def work() -> NoReturn:
        os.dup2(source, 0)
        os.dup2(out, 1)
        child = os.fork()
        if child != 0:
            os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
        _end_with_parent()
        _mount("", "/", "", RECURSIVE | PRIVATE)
        _mount("proc", "/proc", "proc", NOSUID | NODEV | NOEXEC)
        os.chdir(order.root)
        if order.furnished:
            for name in ("dev", "proc"):
                Path(name).mkdir(exist_ok=True)
            _furnish()
        _call("prctl", SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _become(order)

    child = _fork_as_nobody(base, work, NEWNS | NEWPID | NEWIPC | NEWUTS | NEWCGROUP)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF


def _remove(order: Order, base: int) -> int:
    """Take the root away. rm follows no link, and stays in the file system."""
    del base
    return subprocess.run(["rm", "-rf", "--one-file-system", order.root]).returncode  # noqa: S607 - our own PATH


# ---- system calls


def _end_with_parent() -> None:
    _call("prctl", SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _call(name: str, *arguments: int | bytes) -> None:
    given = [ctypes.c_ulong(one) if isinstance(one, int) else one for one in arguments]
    if getattr(_libc, name)(*given) < 0:
        raise _error(name)


def _error(name: str, *words: str) -> BrokenError:
    return BrokenError(f"{' '.join((name, *words))} failed: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    main()
