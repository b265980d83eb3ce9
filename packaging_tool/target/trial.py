"""The unit in which a new set of plugins must prove itself: the service's sandbox, and less."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from packaging_tool.package.model import Lifecycle
from packaging_tool.project.model import Project
from packaging_tool.target import unit

# Lines of the service that make its sandbox or its process; what it listens to, writes or restarts on is left out.
KEPT = re.compile(
    r"User|Group|Supplementary|Environment|UMask|Limit|Nice|Protect|Private|Restrict|Lock|MemoryDeny|NoNew|SystemCall"
    r"|Inaccessible|ReadOnlyPaths|NoExecPaths|ExecPaths|BindReadOnlyPaths|TemporaryFileSystem|Keyring|RemoveIPC"
    r"|ProcSubset|LoadCredential|SetCredential"
)
# Of these, paths that need not be there: /run of a try is empty.
PATHS = ("InaccessiblePaths", "ReadOnlyPaths", "ExecPaths", "NoExecPaths")
# Where a service may write, as names below the directory on the left. A try gets an empty directory in their place.
STATES = {
    "StateDirectory": "/var/lib",
    "CacheDirectory": "/var/cache",
    "LogsDirectory": "/var/log",
    "RuntimeDirectory": "/run",
}
# In the place of directories that everybody may write, and of the machine's sockets. A process of the try keeps nothing
# in /run but what the service has there itself, and what tells servers where names are looked up.
HIDDEN = ("/dev/shm", "/run")  # noqa: S108 # the sandbox's, no file of ours
EMPTY = (f"{HIDDEN[0]}:mode=1777", f"{HIDDEN[1]}:ro")
RESOLVERS = (
    "/run/systemd/resolve/stub-resolv.conf",
    "/run/systemd/resolve/resolv.conf",
    "/run/resolvconf/resolv.conf",
    "/run/NetworkManager/resolv.conf",
)
# A try has no capability, no network, no shared memory, no device, and it ends with all that it began. What is over the
# limits fails.
LIMITS: Mapping[str, str] = {
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateUsers": "yes",
    "PrivateNetwork": "yes",
    "PrivateIPC": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "DevicePolicy": "closed",
    "MemoryMax": "1G",
    "MemorySwapMax": "0",
    "TasksMax": "512",
    # Of one process, where no memory controller is delegated to systemd, as in containers.
    "LimitDATA": "1073741824",
    "LimitCORE": "0",
    "LimitFSIZE": "33554432",
    "TimeoutStartSec": "30s",
    "TimeoutStopSec": "1s",
    "KillMode": "control-group",
    "KillSignal": "SIGKILL",
}
# Ways to send a signal, as denied calls of systemd.exec(5).
SIGNALS = "~kill:EPERM tkill:EPERM tgkill:EPERM pidfd_send_signal:EPERM rt_sigqueueinfo:EPERM rt_tgsigqueueinfo:EPERM"
# The steps of the driver read the bytes of plugins and run none of their code. A linker of a large server needs memory.
OF_STEPS: Mapping[str, str] = {
    **LIMITS,
    "MemoryMax": "4G",
    "LimitDATA": "4294967296",
    "LimitFSIZE": "1073741824",
    "TimeoutStartSec": "300s",
    "UMask": "0022",
}


def writable(project: Project, place: Lifecycle) -> tuple[str, ...]:
    """Directories that the service may write, sorted."""
    found = set()
    for key, line in _service(project, place):
        if key in STATES:
            found |= {posixpath.join(STATES[key], name) for name in line.split()}
        elif key == "ReadWritePaths":
            found |= {path.lstrip("-+") for path in line.split()}
        elif key == "BindPaths":
            found |= {(path.lstrip("-").split(":") * 2)[1] for path in line.split()}
    # A path with a specifier is known to systemd alone.
    return tuple(sorted(path for path in found if re.fullmatch(r"/[A-Za-z0-9._/-]+", path)))


def settings(project: Project, place: Lifecycle) -> tuple[tuple[str, str], ...]:
    """Lines `Key=value` of the [Service] section of a try, in order."""
    return (*_identity(place), *_sandbox(project, place), *_empty(), *LIMITS.items())


def settings_of_check(project: Project, place: Lifecycle) -> tuple[tuple[str, str], ...]:
    """The same, to check the configuration, which the service's own user alone may be able to read.

    No signal gets from there to other processes of this user.
    """
    if place.user == "root":
        return settings(project, place)
    own = (("User", place.user), ("Group", place.group))
    sandbox = (line for line in _sandbox(project, place) if line[0] != "RemoveIPC")
    return (*own, *sandbox, ("SystemCallFilter", SIGNALS), *_empty(), *LIMITS.items())


def _sandbox(project: Project, place: Lifecycle) -> tuple[tuple[str, str], ...]:
    lines = _hardening() if project.core.service is None else _service(project, place)
    lines = tuple((key, _fit(key, line)) for key, line in lines if KEPT.match(key))
    return tuple((key, line) for key, line in lines if key not in LIMITS and key not in ("User", "Group"))


def settings_of_steps(place: Lifecycle) -> tuple[tuple[str, str], ...]:
    """Lines `Key=value` of the [Service] section in which the steps of the driver run, in order."""
    sandbox = [(key, line) for key, line in _hardening() if key not in OF_STEPS]
    return (*_identity(place), *sandbox, *_empty(), *OF_STEPS.items())


def _hardening() -> tuple[tuple[str, str], ...]:
    return tuple((key, line) for key, value in unit.HARDENING.items() for line in value.split("\n"))


def _identity(place: Lifecycle) -> tuple[tuple[str, str], ...]:
    """A user that systemd has for the unit alone, so that what runs there and what serves cannot end each other."""
    groups = (("SupplementaryGroups", place.group),) if place.group != "root" else ()
    return (("DynamicUser", "yes"), *groups)


def _empty() -> tuple[tuple[str, str], ...]:
    return (
        *(("TemporaryFileSystem", place) for place in EMPTY),
        *(("BindReadOnlyPaths", f"-{path}") for path in RESOLVERS),
    )


def _fit(key: str, line: str) -> str:
    """A line where /run is empty: paths in it need not be there, and nothing else takes its place."""
    if re.search(r"[\"'\\]", line):
        return line
    if key in PATHS:
        return " ".join(f"-{path.removeprefix('-')}" for path in line.split())
    if key == "TemporaryFileSystem":
        return " ".join(word for word in line.split() if word.split(":")[0].rstrip("/") not in HIDDEN)
    return line


def _service(project: Project, place: Lifecycle) -> tuple[tuple[str, str], ...]:
    service = project.core.service
    if service is None:
        return ()
    return unit.settings(project.core, service, user=place.user, group=place.group, home=place.home)
