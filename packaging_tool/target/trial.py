"""The unit in which a new set of plugins must prove itself: the service's sandbox, and less, as a user of its own."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Mapping

from packaging_tool.package.model import Lifecycle
from packaging_tool.project.model import Project
from packaging_tool.target import unit

# Lines of the service that make its sandbox or its process; what it listens to, writes or restarts on is left out. So
# is RemoveIPC: it would take the shared memory of all who run with the service's group, and what is tried has its own.
KEPT = re.compile(
    r"Supplementary|Environment|UMask|Limit|Nice|Protect|Private|Restrict|Lock|MemoryDeny|NoNew|SystemCall"
    r"|Inaccessible|ReadOnlyPaths|NoExecPaths|ExecPaths|BindReadOnlyPaths|TemporaryFileSystem|Keyring"
    r"|ProcSubset|LoadCredential|SetCredential|ImportCredential|UnsetEnvironment|PassEnvironment|WorkingDirectory"
)
# Of these, lines add up. Those that an administrator's unit has in the place of the packaged ones are all that count.
ADDED = (
    *("Environment", "EnvironmentFile", "UnsetEnvironment", "PassEnvironment", "SupplementaryGroups"),
    *("LoadCredential", "SetCredential"),
)
# Of an administrator, these may change what the service sees, and a try does without.
MISSED = (
    r"ReadWritePaths|Root[A-Za-z]+|MountImages|Extension[A-Za-z]+|ExecStartPre|ExecCondition|DynamicUser|PAMName"
    r"|NetworkNamespacePath|DeviceAllow"
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
# The steps of the driver read the bytes of plugins and run none of their code. A linker of a large server needs memory.
OF_STEPS: Mapping[str, str] = {
    **LIMITS,
    "MemoryMax": "4G",
    "LimitDATA": "4294967296",
    "LimitFSIZE": "1073741824",
    "TimeoutStartSec": "300s",
    "UMask": "0022",
}


def user(core: str) -> str:
    """Name of the user that makes and tries sets and does nothing else, for sysusers.d(5): at most 31 characters.

    core: its name. The underscore keeps it out of the way of people's names (Debian Policy 9.2.1).
    """
    name = re.sub(r"[^a-z0-9-]", "-", core)
    if name != core or len(name) > 26:
        name = f"{name[:17]}-{hashlib.sha256(core.encode()).hexdigest()[:8]}"
    return f"_{name}-try"


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


def rules() -> Mapping[str, str]:
    """How settings.awk finds, among an administrator's lines of the service, those of a try."""
    return {
        "kept": KEPT.pattern,
        "fixed": " ".join(LIMITS),
        "paths": "|".join(PATHS),
        "states": " ".join(f"{key} {place}" for key, place in STATES.items()),
        "missed": MISSED,
        "lists": " ".join(ADDED),
    }


def settings(project: Project, place: Lifecycle) -> tuple[tuple[str, str], ...]:
    """Lines `Key=value` of the [Service] section of a try, in order."""
    sandbox = _hardening() if project.core.service is None else _service(project, place)
    fitting = [(key, _fit(key, line)) for key, line in sandbox if KEPT.match(key) and key not in LIMITS]
    lines = [(key, _named(line, place)) for key, line in fitting]
    limits = {**LIMITS, "TimeoutStartSec": f"{project.core.trial_seconds}s"}
    return (*_identity(place), *lines, *_empty(), *limits.items())


def settings_of_steps(place: Lifecycle) -> tuple[tuple[str, str], ...]:
    """Lines `Key=value` of the [Service] section in which the steps of the driver run, in order."""
    sandbox = [(key, line) for key, line in _hardening() if key not in OF_STEPS]
    return (*_identity(place), *sandbox, *_empty(), *OF_STEPS.items())


def _hardening() -> tuple[tuple[str, str], ...]:
    return tuple((key, line) for key, value in unit.HARDENING.items() if KEPT.match(key) for line in value.split("\n"))


def _identity(place: Lifecycle) -> tuple[tuple[str, str], ...]:
    # The group may read the plugins and the configuration.
    group = () if place.group == "root" else (("Group", place.group),)
    return (("User", place.try_user), *group)


def _empty() -> tuple[tuple[str, str], ...]:
    return (
        *(("TemporaryFileSystem", place) for place in EMPTY),
        *(("BindReadOnlyPaths", f"-{path}") for path in RESOLVERS),
    )


def _fit(key: str, line: str) -> str:
    """A line where /run is empty: paths in it need not be there, and nothing else takes its place."""
    if key == "WorkingDirectory" and line:
        return f"-{line.removeprefix('-')}"
    if re.search(r"[\"'\\]", line):
        return line
    if key in PATHS:
        return " ".join(f"-{path.removeprefix('-')}" for path in line.split())
    if key == "TemporaryFileSystem":
        return " ".join(word for word in line.split() if word.split(":")[0].rstrip("/") not in HIDDEN)
    return line


def _named(line: str, place: Lifecycle) -> str:
    """A line whose specifiers mean the service, not the unit that tries."""
    names = {"n": place.unit, "N": place.core, "p": place.core, "P": place.core}
    return re.sub(r"%(.)", lambda found: names.get(found[1], found[0]), line)


def _service(project: Project, place: Lifecycle) -> tuple[tuple[str, str], ...]:
    service = project.core.service
    if service is None:
        return ()
    return unit.settings(project.core, service, user=place.user, group=place.group, home=place.home)
