"""The [Service] sections of the core's units: hardened; the project file has the last word on the server's own."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from packaging_tool.project.model import CoreSpec, ServiceSpec

# Words that systemd and a shell read alike.
_PLAIN = re.compile(r"[A-Za-z0-9@_+=:,./-]+")
# Of addresses: as RFC 3986 has them, and with the `%` of that as systemd wants it.
_ESCAPED: Mapping[str, str] = {"%": "%%", "'": "%%27", '"': "%%22", "\\": "%%5C"}

# systemd.exec(5). Left out on purpose: ProcSubset=pid hides net.core.somaxconn, which Go reads for its listen backlog;
# IPAddressDeny and PrivateNetwork would cut a server off.
HARDENING: Mapping[str, str] = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "DevicePolicy": "closed",
    "ProtectClock": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectControlGroups": "yes",
    "ProtectProc": "invisible",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "RemoveIPC": "yes",
    "KeyringMode": "private",
    "SystemCallArchitectures": "native",
    # The second line takes away again. A refused call gets EPERM, since runtimes try some calls and go on without.
    "SystemCallFilter": "@system-service\n~@privileged @resources",
    "SystemCallErrorNumber": "EPERM",
    "UMask": "0027",
}

# Of the units that run apply as root. It writes below /usr/lib/CORE and /run alone, gives files to the service's group,
# lets the administrator's command become another user, sees of all processes which set they run (proc(5) asks for
# CAP_SYS_PTRACE), and leaves the driver's steps, the try and the restart to systemd, which takes orders of
# CAP_SYS_ADMIN only. rpm wants to write to its database even to read it.
APPLY: Mapping[str, str] = {
    "CapabilityBoundingSet": (
        "CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_SETGID CAP_SETUID CAP_SYS_ADMIN "
        "CAP_SYS_PTRACE"
    ),
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ReadWritePaths": "/run /usr/lib/{core} -/var/lib/rpm -/usr/lib/sysimage/rpm",
    "ProtectHome": "yes",
    "PrivateDevices": "yes",
    "PrivateNetwork": "yes",
    "ProtectClock": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectControlGroups": "yes",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "RestrictAddressFamilies": "AF_UNIX",
    "LockPersonality": "yes",
    "KeyringMode": "private",
    "SystemCallArchitectures": "native",
    "SystemCallFilter": "@system-service",
    "SystemCallErrorNumber": "EPERM",
    "UMask": "0022",
}


def settings(core: CoreSpec, service: ServiceSpec, *, user: str, group: str, home: str) -> tuple[tuple[str, str], ...]:
    """Lines `Key=value` of the [Service] section, in order.

    `service.unit` replaces a key of ours at its place or comes at the end. A value of several lines becomes several
    lines of the same key, as systemd reads lists.
    """
    program = f"/usr/bin/{core.name}"
    made = {
        "Type": service.type,
        "User": user,
        "Group": group,
        "ExecStart": command(program, service.command),
        "ExecReload": command(program, service.reload, main_process=True) if service.reload else "",
        "Environment": "\n".join(_quote(f"{key}={value}") for key, value in sorted(service.environment.items())),
        "Restart": "on-failure",
        "RestartSec": "1s",
        **_state(home),
        "CapabilityBoundingSet": " ".join(service.capabilities),
        "AmbientCapabilities": " ".join(service.capabilities),
        # Capabilities within a user namespace of its own do not bind ports of the machine.
        "PrivateUsers": "" if service.capabilities else "yes",
        **HARDENING,
        **({"MemoryDenyWriteExecute": ""} if service.jit else {}),
    }
    # An empty line means something there: no capability at all.
    kept = {key: value for key, value in made.items() if value or key == "CapabilityBoundingSet"}
    lines = {**kept, **service.unit}
    return tuple((key, line) for key, value in lines.items() for line in (value.split("\n") if value else [""]))


def apply_settings(core: str) -> tuple[tuple[str, str], ...]:
    """Lines `Key=value` of the [Service] sections of the units that run apply. core: its name."""
    return tuple((key, value.format(core=core)) for key, value in APPLY.items())


def command(program: str, arguments: str, *, main_process: bool = False) -> str:
    """A command line as systemd.service(5) reads it, of arguments that are quoted as in a shell.

    main_process: whether `$MAINPID` is one. Nothing else is expanded.
    """
    return " ".join([program, *(_word(text, main_process=main_process) for text in shlex.split(arguments))])


def _word(text: str, *, main_process: bool) -> str:
    """One argument in systemd's own quotes: `%`, `$`, `\\`, `;` and quotes mean more there than here."""
    if main_process and text in ("$MAINPID", "${MAINPID}"):
        return text
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def documentation(text: str) -> str:
    """Addresses as Documentation= reads them, which takes off quotes and fills in specifiers."""
    return "".join(_ESCAPED.get(character, character) for character in text)


def _state(home: str) -> dict[str, str]:
    """What the service may write: systemd makes state directories itself, others are only opened for it."""
    below = home.removeprefix("/var/lib/")
    if below != home and below:
        return {"StateDirectory": below, "StateDirectoryMode": "0750"}
    return {"ReadWritePaths": f"-{home}"}


def _quote(assignment: str) -> str:
    """One assignment as systemd.syntax(7) quotes it; `%` starts a specifier there."""
    escaped = assignment.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
