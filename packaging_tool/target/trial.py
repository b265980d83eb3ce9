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
    r"|Device|Inaccessible|ReadOnlyPaths|NoExecPaths|ExecPaths|Bind|TemporaryFileSystem|Keyring|RemoveIPC|ProcSubset"
    r"|LoadCredential|SetCredential"
)
# Where a service may write, as names below the directory on the left. A try gets an empty directory in their place.
STATES = {
    "StateDirectory": "/var/lib",
    "CacheDirectory": "/var/cache",
    "LogsDirectory": "/var/log",
    "RuntimeDirectory": "/run",
}
# A try has no capability, no network, no shared memory, and it ends. What is over the limits fails.
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
    "TemporaryFileSystem": "/dev/shm:mode=1777",  # noqa: S108 # the sandbox's, no file of ours
    "MemoryMax": "1G",
    "MemorySwapMax": "0",
    "TasksMax": "512",
    # Of one process, where no memory controller is delegated to systemd, as in containers.
    "LimitDATA": "1073741824",
    "LimitCORE": "0",
    "LimitFSIZE": "33554432",
    "TimeoutStartSec": "30s",
    "TimeoutStopSec": "1s",
}


def writable(project: Project, place: Lifecycle) -> tuple[str, ...]:
    """Directories that the service may write, sorted."""
    found = set()
    for key, line in _service(project, place):
        if key in STATES:
            found |= {posixpath.join(STATES[key], name) for name in line.split()}
        elif key == "ReadWritePaths":
            found |= {path.lstrip("-+") for path in line.split()}
    # A path with a specifier is known to systemd alone.
    return tuple(sorted(path for path in found if re.fullmatch(r"/[A-Za-z0-9._/-]+", path)))


def settings(project: Project, place: Lifecycle) -> tuple[tuple[str, str], ...]:
    """Lines `Key=value` of the [Service] section, in order."""
    sandbox = unit.HARDENING.items() if project.core.service is None else _service(project, place)
    lines = [(key, line) for key, line in sandbox if KEPT.match(key) and key not in LIMITS]
    if place.user == "root":
        # A core without a service has no user of its own, and code of plugins never runs as root.
        lines.insert(0, ("DynamicUser", "yes"))
    elif project.core.service is None:
        # Somebody else's service may run as this user, and would lose its shared memory.
        others = [(key, line) for key, line in lines if key != "RemoveIPC"]
        lines = [("User", place.user), ("Group", place.group), *others]
    return (*lines, *LIMITS.items())


def _service(project: Project, place: Lifecycle) -> tuple[tuple[str, str], ...]:
    service = project.core.service
    if service is None:
        return ()
    return unit.settings(project.core, service, user=place.user, group=place.group, home=place.home)
