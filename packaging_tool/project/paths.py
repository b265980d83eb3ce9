"""Where files of a package may go, and where they may come from.

| root | what for |
|---|---|
| `/usr` | programs, libraries, data; not `/usr/local`, which is the administrator's (Debian Policy 9.1.2) |
| `/etc` | configuration: files of type `config` and no others; not `/etc/init.d`, since `[core.service]` makes a unit |
| `/var/lib`, `/var/log`, `/var/cache`, `/var/spool` | directories and ghosts for what the server writes |

Everything else is refused: `/bin`, `/sbin` and `/lib` are links into `/usr`; `/run` and `/tmp` are empty after each
start; `/opt`, `/srv`, `/home`, `/root` and `/usr/local` are not a distribution package's to fill. A path is absolute,
has no `.` or `..`, no doubled `/` and no white space. In a few places mkpkgs puts files of its own: `/usr/bin/NAME`,
`/usr/bin/NAME-plugins`, below `/usr/lib/NAME`, `/usr/share/NAME/plugins` and `/usr/share/NAME/keys`, and the unit.

With the packages go the directories that the project lists, all below those, and what has the core's name in its path.
Of others that were made for a file an rpm leaves behind what nothing else owns, as they may be the system's: list what
is yours with `type = "directory"`. A .deb gives no file to another owner than root below a directory that somebody else
can change by then: one of the user that another package has brought, or one that `adm` may write to.
"""

from __future__ import annotations

import re

from packaging_tool.project.faults import RuleError

ROOTS = ("/usr", "/etc", "/var/lib", "/var/log", "/var/cache", "/var/spool")
REFUSED = {
    "/usr/local": "is the administrator's own (Debian Policy 9.1.2)",
    "/etc/init.d": "is for System V scripts; [core.service] makes the unit",
    "/var/lib/dpkg": "is dpkg's own",
    "/var/lib/rpm": "is rpm's own",
    **{
        f"/etc/{name}": "is the system's own"
        for name in re.findall(
            r"\S+",
            "fstab group gshadow hostname hosts ld.so.conf machine-id mtab nsswitch.conf os-release passwd profile "
            "resolv.conf shadow shells sudoers",
        )
    },
}
# Directories that packages of the system have (filesystem of Fedora, base-files and others of Debian): with another
# mode or owner, rpm refuses the package, and dpkg takes it where it is the first.
DIRECTORIES = frozenset(
    re.findall(
        r"\S+",
        "/etc/alternatives /etc/cron.d /etc/cron.daily /etc/default /etc/dbus-1 /etc/logrotate.d /etc/opt /etc/pam.d "
        "/etc/profile.d /etc/security /etc/skel /etc/ssl /etc/ssl/certs /etc/sudoers.d /etc/sysctl.d /etc/systemd "
        "/etc/systemd/system /etc/tmpfiles.d /etc/xdg /usr/bin /usr/games /usr/include /usr/lib /usr/lib64 "
        "/usr/lib/sysctl.d /usr/lib/systemd /usr/lib/systemd/system /usr/lib/sysusers.d /usr/lib/tmpfiles.d "
        "/usr/lib/udev /usr/libexec /usr/sbin /usr/share /usr/share/applications /usr/share/bash-completion "
        "/usr/share/doc /usr/share/icons /usr/share/info /usr/share/licenses /usr/share/locale /usr/share/man /usr/src "
        "/var/lib/misc /var/lib/systemd /var/spool/cron /var/spool/mail",
    )
)
# Directories of /etc that belong to the system: purging a core removes its whole configuration directory. What is
# below them may be a core's own, e.g. /etc/xdg/NAME, but these are not.
_ETC = (
    "NetworkManager X11 alternatives apparmor.d apt audit authselect bash_completion.d binfmt.d ca-certificates cloud "
    "cron.d cron.daily cron.hourly cron.monthly cron.weekly cron.yearly crypto-policies dbus-1 default dhcp dnf dpkg "
    "dracut.conf.d emacs environment.d firewalld fonts fwupd gdb gnupg groff grub.d gss init.d initramfs-tools "
    "iproute2 iptables kernel ld.so.conf.d ldap libnl-3 logcheck logrotate.d lvm modprobe.d modules-load.d netplan "
    "network nftables opt pam.d perl pkcs11 pki plymouth polkit-1 popt.d ppp profile.d python3 rc.d request-key.d rpm "
    "rsyslog.d samba sasl2 security selinux sgml skel ssh ssl sudoers.d sysconfig sysctl.d systemd sysusers.d terminfo "
    "tmpfiles.d udev ufw update-motd.d vim xdg xml yum yum.repos.d"
)
_BELOW_ETC = (
    "X11/Xsession.d X11/app-defaults X11/xorg.conf.d apt/apt.conf.d apt/auth.conf.d apt/keyrings apt/preferences.d "
    "apt/sources.list.d apt/trusted.gpg.d dbus-1/system.d dnf/modules.d dnf/plugins dnf/protected.d dnf/vars "
    "NetworkManager/conf.d NetworkManager/dispatcher.d NetworkManager/system-connections pki/ca-trust pki/rpm-gpg "
    "pki/tls polkit-1/rules.d security/limits.d ssh/ssh_config.d ssh/sshd_config.d ssl/certs ssl/private "
    "systemd/network systemd/system systemd/user udev/rules.d xdg/autostart xdg/systemd yum/vars"
)
SHARED = frozenset(re.findall(r"\S+", f"{_ETC} {_BELOW_ETC}"))
# Users that each system has (base-passwd of Debian, setup of Fedora): a service with such a name would be one of them.
ACCOUNTS = frozenset(
    re.findall(
        r"\S+",
        "adm backup bin daemon ftp games halt irc list lp mail man news nobody operator proxy root shutdown sync sys "
        "uucp www-data",
    )
)
# Directories of /var/lib that are the system's: the service's user would own them.
STATES = frozenset(
    re.findall(
        r"\S+",
        "AccountsService NetworkManager PackageKit alternatives apt authselect ca-certificates chrony cloud containers "
        "dbus dkms dnf dpkg extensions gdm git grub initramfs-tools logrotate machines man-db misc nfs os-prober pam "
        "plymouth polkit-1 portables private python rpm rpm-state samba selinux sgml-base shim-signed snapd sudo "
        "swcatalog systemd ucf unattended-upgrades update-manager update-notifier usbutils vim xfonts xml-core",
    )
)
# What dpkg, rpm, sh, systemd, sysusers.d and tmpfiles.d all read as it is, quoted or not.
_OWN = re.compile(r"[A-Za-z0-9@_+=.,/-]+")
# The merged /usr of all targets: a file shipped through one of these links upsets dpkg and rpm alike.
MERGED = ("/bin", "/sbin", "/lib", "/lib64")


def destination(text: str) -> None:
    """A place for a file; a final `/` stands for a directory."""
    _clean(text)
    path = text.rstrip("/")
    for root in MERGED:
        if path == root or path.startswith(f"{root}/"):
            raise RuleError(f"{root} is a link into /usr", f'write "/usr{text}"')
    for root, why in REFUSED.items():
        if path == root or path.startswith(f"{root}/"):
            better = f'write "/usr{text.removeprefix("/usr/local")}"' if root == "/usr/local" and path != root else ""
            raise RuleError(f"{root} {why}", better)
    if re.match(r"/etc/rc[0-9S]\.d(/|$)", path):
        raise RuleError("/etc/rc*.d is for System V links; [core.service] makes the unit")
    if path in ROOTS:
        raise RuleError(f"{path} belongs to the system", "name a place below it")
    if not any(path.startswith(f"{root}/") for root in ROOTS):
        raise RuleError(f"{text!r} is outside of the allowed roots", f"write a path below {', '.join(ROOTS)}")


def _clean(text: str) -> None:
    """An absolute path in its one spelling."""
    if not text.startswith("/"):
        raise RuleError(f"{text!r} is not an absolute path", "begin it with `/`")
    if "\\" in text or any(character.isspace() or not character.isprintable() for character in text):
        raise RuleError(f"{text!r} has white space, control characters or `\\`", "leave them out")
    if any(character in text for character in "*?[]{}"):
        raise RuleError(
            f"{text!r} has a pattern in it", "only `source` takes patterns; end the path with `/` for many files"
        )
    parts = text[1:].removesuffix("/").split("/")
    if ".." in parts or "." in parts:
        raise RuleError(f"{text!r} has `.` or `..` in it", "write the path that is meant")
    if "" in parts and text != "/":
        raise RuleError(f"{text!r} has a doubled or lone `/`", f'write "{re.sub("/+", "/", text)}"')
    if any(len(part.encode()) > 255 for part in parts) or len(text.encode()) > 1024:
        raise RuleError("is too long for a file system", "names have at most 255 bytes, paths 1024")


def own(text: str) -> None:
    """A directory of the project's own, which stands in scripts, units and shown commands."""
    destination(text)
    _everywhere(text)


def _everywhere(text: str) -> None:
    """A path that each reader of scripts, units and lists takes for the same."""
    if not _OWN.fullmatch(text):
        better = re.sub(r"[^A-Za-z0-9@_+=.,/-]+", "-", text).rstrip("-")
        raise RuleError(
            f"{text!r} has characters that not all of sh, systemd, dpkg and rpm read as they are: letters, digits and"
            " `@_+=.,-` may be in the name of this directory",
            'write the name itself, for example "/etc/caddy"' if "$" in text else f'write "{better}"',
        )


def plugins_directory(text: str) -> None:
    """A directory of names that the target tool takes: whatever else lies there keeps it from working."""
    own(text)
    if odd := re.sub(r"[A-Za-z0-9._+/-]+", "", text):
        better = re.sub(r"[^A-Za-z0-9._+/-]+", "-", text)
        letters = " ".join(f"`{letter}`" for letter in dict.fromkeys(odd))
        what = f"{text!r} has {letters}, which targets refuse above plugins"
        raise RuleError(f"{what}: letters, digits and `._+-` may be there", f'write "{better}"')


def config_directory(text: str) -> None:
    """A directory of the core's own below /etc."""
    own(text)
    if not text.startswith("/etc/") or text.endswith("/"):
        raise RuleError(f"{text!r} is not a directory below /etc", 'write for example "/etc/NAME"')


def is_systems(directory: str, core: str) -> bool:
    """Whether a directory below /etc is not a core's alone.

    core: its name, which a directory within the system's has in it.
    """
    place = directory.removeprefix("/etc/")
    top, _, below = place.partition("/")
    return place in SHARED or (top in SHARED and core not in below.split("/"))


def is_named(directory: str, core: str) -> bool:
    """Whether a directory is a core's own since its path has the core's name, and the system has none of that path."""
    root = next((root for root in ROOTS if directory.startswith(f"{root}/")), "")
    place = directory.removeprefix(f"{root}/")
    if not root or (root == "/etc" and place in SHARED) or (root == "/var/lib" and place in STATES):
        return False
    # Of /usr, the first part is one of a few, and they are the system's.
    parts = place.split("/")
    return core in (parts[1:] if root == "/usr" else parts)


def home(text: str) -> None:
    """A directory of the service's own below /var/lib, so that systemd's StateDirectory= can make it."""
    _clean(text)
    _everywhere(text)
    if not re.fullmatch(r"/var/lib(/[^/]+)+", text) or text.split("/")[3] in STATES:
        raise RuleError(f"{text!r} is not a free directory below /var/lib", 'write for example "/var/lib/NAME"')


def source(text: str) -> None:
    """A file or glob below the directory of the project file."""
    if text.startswith(("/", "~")):
        raise RuleError(f"{text!r} is not relative to the project file", "copy it beside the project file")
    if ".." in text.split("/"):
        raise RuleError(f"{text!r} leads out of the project", "copy it beside the project file")
    if "\\" in text or not text.isprintable():
        raise RuleError(f"{text!r} has control characters or `\\`", "leave them out")


def mode(text: str) -> None:
    """Octal permission bits without the bits that lend rights."""
    if not re.fullmatch(r"0?[0-7]{3,4}", text):
        octal = re.fullmatch(r"0o([0-7]{3,4})", text)
        raise RuleError(
            f"{text!r} is not an octal mode", f'write "0{octal[1][-3:]}"' if octal else 'write for example "0640"'
        )
    bits = int(text, 8)
    if bits & 0o6000:
        raise RuleError(f"{text!r} has the setuid or setgid bit", "leave it out; `capabilities` gives a service rights")
    if bits & 0o1000:
        raise RuleError(f"{text!r} has the sticky bit", "leave it out")
    if bits & 0o002:
        raise RuleError(f"{text!r} lets everybody write", f'write "{bits & ~0o002:04o}"')


def link_target(text: str) -> None:
    """What a symbolic link points to."""
    if not text.isprintable() or text != text.strip():
        raise RuleError(f"{text!r} has control characters or outer white space", "leave them out")
