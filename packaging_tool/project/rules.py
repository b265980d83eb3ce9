"""What single values of a project file must look like, each with the source of its rule."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from packaging_tool import targets
from packaging_tool.project import addresses, licenses, model, paths, people, relations
from packaging_tool.project.faults import RuleError, did_you_mean, similar


def _words(text: str) -> list[str]:
    return text.split()


# Debian's names; formats spell them their own way.
ARCHITECTURES = {"amd64": ("x86_64", "x86-64", "x64"), "arm64": ("aarch64", "armv8"), "all": ("noarch", "any")}
# Debian Policy 2.4.
SECTIONS = _words(
    "admin cli-mono comm database debug devel doc editors education electronics embedded fonts games gnome gnu-r "
    "gnustep graphics hamradio haskell httpd interpreters introspection java javascript kde kernel libdevel libs lisp "
    "localization mail math metapackages misc net news ocaml oldlibs otherosfs perl php python raku ruby rust science "
    "shells sound tasks tex text utils vcs video virtual web x11 xfce zope"
)
# Debian Policy 2.5.
PRIORITIES = ("required", "important", "standard", "optional")
CODENAMES = {
    "bullseye": "debian11",
    "bookworm": "debian12",
    "trixie": "debian13",
    "jammy": "ubuntu22.04",
    "noble": "ubuntu24.04",
    "rhel8": "el8",
    "rhel9": "el9",
    "rhel10": "el10",
    "rocky9": "el9",
    "alma9": "el9",
}
LONGEST_VERSION = 100
# With `-plugin-`, a plugin's name of 64 and a version, a file has at most 255 bytes.
LONGEST_NAME = 64
# What comes behind `CORE-plugin-` in names of packages that are no plugins.
TAKEN = ("kit", "dev", "devel")
# capabilities(7) of Linux 6.12.
CAPABILITIES = tuple(
    f"CAP_{name}"
    for name in _words(
        "AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH "
        "FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN "
        "NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT "
        "SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM"
    )
)
# What the other keys of the service table and of the core already say, by the unit's word.
UNIT_ELSEWHERE = {
    "ExecStart": "`command`",
    "ExecReload": "`reload`",
    "Type": "`type`",
    "Environment": "`environment`",
    "AmbientCapabilities": "`capabilities`",
    "CapabilityBoundingSet": "`capabilities`",
    "User": "`user` of [core]",
    "Group": "`user-group` of [core]",
    "StateDirectory": "`home`",
    "WorkingDirectory": "`home`",
    "Documentation": "`documentation`",
}
# systemd.unit(5): words of [Unit] and [Install], which a [Service] section does not take.
UNIT_FOREIGN = {"Description", "After", "Before", "Wants", "Requires", "Requisite", "BindsTo", "PartOf"} | {
    "Conflicts",
    "WantedBy",
    "RequiredBy",
    "Also",
    "Alias",
}


def one_line(text: str) -> None:
    """A text for one line of a control field, unit or spec: no line ends, no other control characters."""
    if "\n" in text or "\r" in text:
        raise RuleError("has more than one line", "write it on one line")
    if "\t" in text:
        raise RuleError("has a tab", "write a blank")
    _printable(text)
    if text != text.strip():
        raise RuleError("begins or ends with white space", f'write "{text.strip()}"')


def paragraphs(text: str) -> None:
    """Plain text of any length."""
    _printable(text.replace("\n", ""))


def _printable(text: str) -> None:
    for character in text:
        if not character.isprintable() and character != "\t":
            raise RuleError(f"has the control character U+{ord(character):04X}", "leave it out")


def package_name(name: str) -> None:
    """Debian Policy 5.6.1, which rpm can carry too. It is the first part of names of plugins' packages and files."""
    if len(name) > LONGEST_NAME:
        raise RuleError(f"has {len(name)} characters, {LONGEST_NAME} are allowed", "choose a shorter name")
    if re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", name):
        return
    better = re.sub(r"[^a-z0-9+.-]+", "-", name.lower()).strip("-+.")
    raise RuleError(
        f"{name!r} is not a package name: at least two of a-z, 0-9, `+`, `-`, `.`, the first a letter or digit",
        f'write "{better}"' if len(better) > 1 and better != name else "",
    )


def system_package(name: str) -> None:
    """A package of a distribution, in Debian's or rpm's spelling."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9+._-]*", name) or len(name) > 200:
        raise RuleError(f"{name!r} is not the name of a package", 'write for example "libssl-dev"')


def plugin_name(name: str) -> None:
    """A plugin's name is part of a package name, of paths and of the manifest, so it is stricter than Policy 5.6.1."""
    if name in TAKEN:
        raise RuleError(f"`{name}` is taken: CORE-plugin-{name} is mkpkgs' own package", "choose another name")
    if name.endswith(("-dbgsym", "-debuginfo")):
        raise RuleError(f"{name!r} ends as packages of debug information do", "choose another name")
    if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) and len(name) <= 64:
        return
    better = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64]
    raise RuleError(
        f"{name!r} is not a plugin name: at most 64 of a-z and 0-9, with single `-` between them",
        f'write "{better}"' if better and better != name else "",
    )


def upstream_version(version: str) -> None:
    """deb-version(7) and rpm's version(7) in common: letters, digits, `.`, `+`, `~`; begins with a digit."""
    _short(version)
    if re.fullmatch(r"[0-9][A-Za-z0-9.+~]*", version):
        return
    if re.match(r"[vV][0-9]", version):
        raise RuleError(f"{version!r} begins with `v`", f'write "{_common(version[1:])}"')
    if ":" in version:
        raise RuleError(f"{version!r} has an epoch in it", "write the number before `:` as `epoch`")
    if not version[:1].isdigit():
        raise RuleError(f"{version!r} does not begin with a digit", "a .deb's version must")
    if "-" in version:
        what = f"{version!r} has a `-`, which rpm cannot carry"
        if debian := re.fullmatch(r"([0-9A-Za-z.+~]+)-([0-9]{1,3})", version):
            raise RuleError(what, f'write "{debian[1]}", and "{debian[2]}" as `release` if that is of the packaging')
        raise RuleError(what, f'write "{_common(version)}" (`~` sorts before the release, `+` after it)')
    raise RuleError(
        f"{version!r} has characters that .deb and .rpm do not both carry: letters, digits, `.`, `+`, `~` are",
        f'write "{_common(version)}"',
    )


def _short(version: str) -> None:
    """Versions stand in names of files, which have at most 255 bytes."""
    if len(version) > LONGEST_VERSION:
        raise RuleError(f"has {len(version)} characters, {LONGEST_VERSION} are allowed", "leave build data out")


def _common(version: str) -> str:
    """What comes closest: in semver a `-` is before the release, in `git describe` (`-5-g1a2b3c4`) after it."""
    since = re.sub(r"-(?=[0-9]+-g[0-9a-f]{4,})", "+", version)
    pre = re.sub(r"^([0-9.]+)-", r"\1~", since)
    return re.sub(r"[^A-Za-z0-9.+~]+", ".", pre).strip("+.")


def abi(text: str) -> None:
    """One of `core.abis`: it becomes a part of names of packages, paths and files."""
    if not re.fullmatch(r"[a-z0-9]+([.+-][a-z0-9]+)*", text) or len(text) > 32:
        raise RuleError(f"{text!r} cannot stand in names of packages", 'write for example "15"')


def release(text: str) -> None:
    """Debian revision (deb-version(7)) and rpm Release in common."""
    _short(text)
    if re.fullmatch(r"[0-9][A-Za-z0-9.+~]*", text):
        return
    raise RuleError(f"{text!r} is not a release: a digit, then letters, digits, `.`, `+`, `~`", 'write for example "1"')


def whole_version(text: str) -> None:
    """`[epoch:]version-release`, as a changelog names it."""
    _short(text)
    if not re.fullmatch(r"([0-9]+:)?[0-9][A-Za-z0-9.+~]*-[0-9][A-Za-z0-9.+~]*", text):
        plain = re.fullmatch(r"[0-9][A-Za-z0-9.+~]*", text)
        raise RuleError(f"{text!r} is not `version-release`", f'write "{text}-1"' if plain else "")


def epoch(number: int) -> None:
    """dpkg keeps it in an int, rpm in 32 bits; Policy 5.6.12 wants it small."""
    if not 0 <= number <= 2**31 - 1:
        raise RuleError(f"{number} is not an epoch", "leave it out unless upstream's versions went backwards")


def between(least: int, most: int, default: int) -> Callable[[int], None]:
    """The manifest has four digits for `order`; a package manager waits for `check-seconds`, and a boot."""

    def rule(number: int) -> None:
        if not least <= number <= most:
            raise RuleError(f"{number} is not between {least} and {most}", f"the default is {default}")

    return rule


def summary(text: str) -> None:
    """Policy 3.4.1: one line of at most 80 characters, no full stop at the end."""
    if not text:
        raise RuleError("is empty", "say in one line what it is")
    one_line(text)
    if text.endswith("\\"):
        raise RuleError("ends with `\\`", "leave it out")
    if text.endswith(".") and not text.endswith(("..", "etc.")):
        raise RuleError("ends with a full stop", f'write "{text[:-1]}"')
    if len(text) > 80:
        raise RuleError(f"has {len(text)} characters, 80 are allowed", "say the rest in `description`")


def license_expression(text: str) -> None:
    """SPDX 2.3, annex D."""
    one_line(text)
    licenses.check(text)


def maintainer(text: str) -> None:
    """Policy 5.6.2: a name and one address."""
    one_line(text)
    people.check(text)


def section(text: str) -> None:
    """Policy 2.4, with `contrib/` or `non-free/` before it where that applies."""
    _one_of(text.rpartition("/")[2], SECTIONS, "one of Debian's sections")
    if "/" in text and text.rpartition("/")[0] not in ("contrib", "non-free", "non-free-firmware"):
        raise RuleError(f"{text!r} is not one of Debian's areas", "areas: contrib, non-free, non-free-firmware")


def priority(text: str) -> None:
    """Policy 2.5."""
    _one_of(text, PRIORITIES, "one of Debian's priorities")


def architecture(text: str) -> None:
    """An architecture in Debian's words."""
    if text in ARCHITECTURES:
        return
    meant = next((name for name, others in ARCHITECTURES.items() if text.lower() in others), "")
    # No near name: armhf is not nearly arm64.
    instead = f'write "{meant}"' if meant else f"known: {', '.join(ARCHITECTURES)}"
    raise RuleError(f"{text!r} is not an architecture that mkpkgs builds for", instead)


def target(text: str) -> None:
    """A distribution release of targets.py."""
    _one_of(text, targets.TARGETS, "a target", CODENAMES)


def _one_of(text: str, known: Any, what: str, also: Mapping[str, str] | None = None) -> None:
    if text in known:
        return
    meant = (also or {}).get(text.lower())
    raise RuleError(f"{text!r} is not {what}", f'write "{meant}"' if meant else did_you_mean(text, known))


def user_name(text: str) -> None:
    """systemd's strict rule for names, which sysusers.d and all targets take; 32 bytes fit into utmp."""
    if text == "root":
        raise RuleError("the service must not run as root", "leave it out: the default is a user of its own")
    if re.fullmatch("_.*-try", text):
        raise RuleError(f"{text!r} is a name for the user that tries sets, and for nothing else", "choose another one")
    if text == "nobody":
        raise RuleError("nobody owns what belongs to no user", "leave it out: the default is a user of its own")
    account(text)


def account(text: str) -> None:
    """A name of a user or group."""
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,30}", text):
        raise RuleError(f"{text!r} is not the name of a user or group: at most 31 of a-z, 0-9, `_`, `-`")


def key_id(text: str) -> None:
    """The 8 bytes that name a manifest key."""
    if not re.fullmatch(r"[0-9a-f]{16}", text):
        better = text.strip().lower()
        what = f"{text!r} is not the id of a manifest key: 16 of 0-9 and a-f"
        raise RuleError(what, f'write "{better}"' if re.fullmatch(r"[0-9a-f]{16}", better) else "run: mkpkgs key show")


def relation(text: str) -> None:
    """One relation in neutral words."""
    try:
        relations.parse(text)
    except ValueError as reason:
        raise RuleError(str(reason), "") from None


def single_relation(text: str) -> None:
    """A relation without alternatives: Policy 7.4 to 7.6 take none in Conflicts, Replaces and Provides."""
    relation(text)
    if "|" in text:
        raise RuleError("alternatives do not work here", "write each name as a text of its own")


def provided(text: str) -> None:
    """Policy 7.5: a version in Provides can only be `=`."""
    single_relation(text)
    (found,) = relations.parse(text)
    if getattr(found, "operator", "") not in ("", "="):
        raise RuleError(f"provides {text!r}: only `=` says which version it is", "")


def capability(text: str) -> None:
    """capabilities(7)."""
    if text not in CAPABILITIES:
        known = {name.lower(): name for name in CAPABILITIES}
        close = similar(text.lower().replace("_", "-"), [name.replace("_", "-") for name in known])
        meant = known.get(close.replace("-", "_"), "")
        raise RuleError(f"{text!r} is not a capability of Linux", f'did you mean "{meant}"?' if meant else "")


def arguments(text: str) -> None:
    """Arguments of a program, quoted as in a shell."""
    one_line(text)
    try:
        shlex.split(text)
    except ValueError as error:
        raise RuleError(f"{text!r} cannot be split into arguments: {str(error).lower()}", "check the quotes") from None


def variable(name: str, value: str) -> None:
    """Environment= of systemd.exec(5)."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise RuleError(f"{name!r} is not a name of a variable: letters, digits, `_`")
    one_line(value)


def unit_line(name: str, value: str) -> None:
    """A line of [Service], systemd.service(5) and systemd.exec(5)."""
    if name in UNIT_ELSEWHERE:
        raise RuleError("has a key of its own", f"use {UNIT_ELSEWHERE[name]}")
    if name in UNIT_FOREIGN:
        raise RuleError("does not belong into [Service]", "ship a drop-in file for it")
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name):
        raise RuleError(f"{name!r} is not a word of a unit", 'write for example LimitNOFILE = "1048576"')
    one_line(value)
    if value.endswith("\\"):
        # systemd.syntax(7): the next line, one of ours, would be a part of this one.
        raise RuleError("ends with `\\`, by which the next line of the unit would belong to it", "leave it out")


def plain(*values: Any) -> None:
    """What has no rule of its own: every text is one printable line."""
    for value in values:
        if isinstance(value, str):
            one_line(value)


def date(text: str) -> None:
    """An ISO 8601 date or time."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise RuleError(f"{text!r} is not a date", "write it as 2026-11-20 or 2026-11-20T12:00:00Z") from None


def core_version(text: str) -> None:
    """A version of a core, with or without its release."""
    upstream_version(text.partition("-")[0])
    if "-" in text:
        whole_version(text)


def public_key(text: str) -> None:
    """The second line of a public key file (signify.py): base64 of 42 or 75 bytes, which begin with `Ed` or `EC`."""
    if not re.fullmatch(r"R[UW][A-Za-z0-9+/]{54,98}=?", text):
        raise RuleError(f"{text[:60]!r} is not a manifest key", "write the second line of the .pub file")


def retired(text: str) -> None:
    """A plugin's name, and its own version where it had one."""
    name, space, version = text.partition(" ")
    plugin_name(name)
    if space:
        upstream_version(version)


def renamed(before: str, now: str) -> None:
    """A plugin's old name as in `retired`, and its new one."""
    retired(before)
    plugin_name(now)


def elsewhere(key: str, cls: type) -> str:
    """The table that a key belongs to which another table does not know, or ""."""
    tables = (
        ("[core]", model.CoreSpec),
        ("[core.service]", model.ServiceSpec),
        ("[plugin.NAME]", model.PluginSpec),
        ("[plugin-of]", model.PluginOfSpec),
        ("[repository]", model.RepositorySpec),
    )
    field = key.replace("-", "_")
    return next((name for name, other in tables if other is not cls and field in other.__dataclass_fields__), "")


_RELATION_FIELDS: dict[str, Callable[[str], None]] = {
    "depends": relation,
    "recommends": relation,
    "suggests": relation,
    "conflicts": single_relation,
    "replaces": single_relation,
    "provides": provided,
}
# (class, field): the rule for its value, for each item of a list, or for name and value of each item of a table.
OF: dict[tuple[str, str], Callable[..., None]] = {
    ("CoreSpec", "name"): package_name,
    ("CoreSpec", "version"): upstream_version,
    ("CoreSpec", "release"): release,
    ("CoreSpec", "epoch"): epoch,
    ("CoreSpec", "summary"): summary,
    ("CoreSpec", "description"): paragraphs,
    ("CoreSpec", "license"): license_expression,
    ("CoreSpec", "copyright"): paragraphs,
    ("CoreSpec", "homepage"): addresses.web_address,
    ("CoreSpec", "maintainer"): maintainer,
    ("CoreSpec", "section"): section,
    ("CoreSpec", "priority"): priority,
    ("CoreSpec", "architectures"): architecture,
    ("CoreSpec", "targets"): target,
    ("CoreSpec", "program"): paths.source,
    ("CoreSpec", "user"): user_name,
    ("CoreSpec", "user_group"): user_name,
    ("CoreSpec", "config_directory"): paths.config_directory,
    ("CoreSpec", "plugins_directory"): paths.plugins_directory,
    ("CoreSpec", "revoked_keys"): key_id,
    ("ServiceSpec", "command"): arguments,
    ("ServiceSpec", "reload"): arguments,
    ("ServiceSpec", "config_check"): arguments,
    ("ServiceSpec", "capabilities"): capability,
    ("ServiceSpec", "environment"): variable,
    ("ServiceSpec", "home"): paths.home,
    ("ServiceSpec", "unit"): unit_line,
    ("ServiceSpec", "documentation"): addresses.documentation,
    ("ChangeSpec", "version"): whole_version,
    ("ChangeSpec", "date"): date,
    ("ChangeSpec", "changes"): paragraphs,
    ("ChangeSpec", "author"): maintainer,
    ("PluginSpec", "name"): plugin_name,
    ("PluginSpec", "version"): upstream_version,
    ("PluginSpec", "release"): release,
    ("PluginSpec", "summary"): summary,
    ("PluginSpec", "description"): paragraphs,
    ("PluginSpec", "license"): license_expression,
    ("PluginSpec", "copyright"): paragraphs,
    ("PluginSpec", "homepage"): addresses.web_address,
    ("PluginSpec", "order"): between(0, 9999, 50),
    ("FileSpec", "path"): paths.destination,
    ("FileSpec", "source"): paths.source,
    ("FileSpec", "mode"): paths.mode,
    ("FileSpec", "owner"): account,
    ("FileSpec", "group"): account,
    ("FileSpec", "target"): paths.link_target,
    ("PluginOfSpec", "name"): package_name,
    ("PluginOfSpec", "core"): package_name,
    ("PluginOfSpec", "at"): addresses.place,
    ("PluginOfSpec", "beside"): addresses.place,
    ("PluginOfSpec", "key"): public_key,
    ("PluginOfSpec", "license"): license_expression,
    ("PluginOfSpec", "homepage"): addresses.web_address,
    ("PluginOfSpec", "maintainer"): maintainer,
    ("PluginOfSpec", "copyright"): paragraphs,
    ("PluginOfSpec", "versions"): core_version,
    ("PluginOfSpec", "architectures"): architecture,
    ("PluginOfSpec", "targets"): target,
    # Of whatever driver.
    ("CoreOptions", "environment"): variable,
    ("PluginOptions", "environment"): variable,
    # Shown to authors elsewhere as what they are to install.
    ("Authors", "packages"): system_package,
    ("RepositorySpec", "url"): addresses.repository,
    ("RepositorySpec", "suite"): addresses.suite,
    ("RepositorySpec", "component"): addresses.component,
    ("RepositorySpec", "retired"): retired,
    ("RepositorySpec", "renamed"): renamed,
    **{(cls, "check"): arguments for cls in ("CoreSpec", "ServiceSpec")},
    **{(cls, "check_seconds"): between(1, 300, 30) for cls in ("CoreSpec", "ServiceSpec")},
    **{(cls, key): rule for cls in ("CoreSpec", "PluginSpec", "RelationSet") for key, rule in _RELATION_FIELDS.items()},
}
