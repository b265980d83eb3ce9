"""The project file as typed, frozen values. Field names are the keys of `mkpkgs.toml` (`_` for `-`).

The reference page (docs/reference.md) is made from these types and their docstrings: a line `name: text` in the
docstring of a class documents the key `name`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

FileType = Literal["file", "config", "doc", "directory", "symlink", "ghost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationSet:
    """Relations in neutral words, e.g. `"openssl >= 3.0"` or `"mailx | s-nail"`; an empty list takes those above away.

    depends: must be installed.
    recommends: installed unless the administrator says no.
    suggests: only mentioned.
    conflicts: may not be installed at the same time.
    replaces: packages that this one takes the place of.
    provides: names that this package also answers to.
    """

    depends: tuple[str, ...] | None = None
    recommends: tuple[str, ...] | None = None
    suggests: tuple[str, ...] | None = None
    conflicts: tuple[str, ...] | None = None
    replaces: tuple[str, ...] | None = None
    provides: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSpec:
    """A file, or all files that a glob finds, to put into a package.

    Where a version that lies published in the output directory has another kind at a path (a directory that is a link
    or a file now, a link that is a directory), or a configuration file that is gone, the new package carries that over
    at upgrades by itself; what cannot be carried over is refused with both versions.

    source: a file or a glob, relative to the project file; not for directory, symlink and ghost. A glob takes files
        of one folder, and what it would leave out is refused: a folder of which no entry takes anything, a link to
        nothing, a hidden file (write `"www/[!.]*"`, or `"www/.*"`), an editor's copy. Where `*`, `?` or `[` is part of
        a name, write it in brackets: `"[[]x].txt"`.
    path: where it goes; with a final `/` the source keeps its name below it.
    type: file, config (kept when the administrator changed it), doc, directory, symlink or ghost (owned, not
        shipped; a .deb cannot own one, so it stays when that is purged).
    mode: octal text such as `"0640"`, without setuid, setgid and sticky bit, and not writable for all; the default is
        0755 for directories and executable sources, else 0644; to be said where not everybody can read the source.
    owner: root or the service's user.
    group: root, adm or the service's group.
    target: of a symlink.
    """

    path: str
    source: str = ""
    type: FileType = "file"
    mode: str = ""
    owner: str = "root"
    group: str = "root"
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSpec:
    """One entry of the changelog. A date that is still to come in all time zones is an error: apt would refuse it.

    version: version and release, e.g. `"2.11.9-1"`.
    date: ISO 8601 date or time, e.g. `2026-11-20` (midnight UTC).
    changes: one text per change.
    author: `Name <address>`; default the maintainer.
    """

    version: str
    date: str
    changes: tuple[str, ...]
    author: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """The systemd service of the core. Without this table the core has no service.

    command: arguments of the program, quoted as in a shell, e.g. `"run --config /etc/caddy/Caddyfile"`. Like those of
        the next keys, they reach the program as they are: no variable, pattern or specifier of systemd is filled in.
    reload: arguments of the program for `systemctl reload`, among which `$MAINPID` is the number of the service's
        process; "" if it cannot.
    type: systemd's `Type=`; notify-reload needs systemd 253 on every target.
    check: `check` of [core] may stand here too, and so may check_seconds.
    config_check: arguments with which a new program must find the configuration good before it replaces the old one,
        e.g. `"validate --config /etc/caddy/Caddyfile"`; what it writes is thrown away.
    check_seconds: see check.
    jit: whether the server or a plugin makes machine code while it runs, as Node, the JVM and LuaJIT do. Else the
        kernel refuses memory that can be both written and run (`MemoryDenyWriteExecute=`).
    capabilities: what the service keeps, e.g. `"CAP_NET_BIND_SERVICE"`.
    environment: variables of the service, e.g. `{ XDG_DATA_HOME = "/var/lib" }`.
    home: home directory of the user and state directory of the service; default /var/lib/NAME.
    unit: lines of the [Service] section that replace or extend ours, e.g. `LimitNOFILE = "1048576"`.
    documentation: of the unit; default the homepage.
    """

    command: str = ""
    reload: str = ""
    type: Literal["simple", "exec", "notify", "notify-reload"] = "exec"
    check: str | None = None
    config_check: str = ""
    check_seconds: int | None = None
    jit: bool = False
    capabilities: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    home: str = ""
    unit: Mapping[str, str] = field(default_factory=dict)
    documentation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreSpec:
    """The server's own package.

    name: of the package, the service, the user and the directories.
    version: upstream version without epoch and release: a digit, then letters, digits, `.`, `+`, `~`, which is what
        .deb and .rpm both carry, e.g. `"2.12.0~beta.1"`.
    abis: several cores out of this file, one for each, which can be installed side by side, e.g. `["15", "17"]`. The
        name must have `{abi}`, which stands for one of them in all texts; architectures, targets, driver and repository
        are the same for all.
    release: of the packaging.
    epoch: raise it only when upstream's versions went backwards.
    summary: one line of at most 80 characters without a full stop at its end.
    description: some lines of plain text; blank lines part paragraphs.
    license: SPDX expression of the server, e.g. `"Apache-2.0"`.
    copyright: who holds the copyright, e.g. `"2015 Matthew Holt and The Caddy Authors"`; default what the sources of Go
        and wheels say, else the vendor, if there is one.
    homepage: address of the project.
    maintainer: `Name <address>` of who makes the packages.
    vendor: rpm's Vendor; default the maintainer's name.
    section: Debian's section.
    group: rpm's group.
    priority: Debian's priority.
    architectures: Debian's names: amd64, arm64; `all` for a server without machine code.
    targets: distribution releases that must be able to install the packages.
    driver: how plugins are built and get into the server; its own settings are in `[core.DRIVER]`.
    program: path of the core's own program relative to the project file, for drivers that do not build it.
    outside: whether sources of the driver may lie outside of the project's directory, or be or have links that lead
        out of it. Else they are refused, so that nobody who sends you a change puts files of your machine into a
        package.
    user: that the service runs as; default NAME, without a service root.
    user_group: group of that user; default the user's name.
    config_directory: default /etc/NAME.
    plugins_directory: directly below /usr/lib/NAME; default /usr/lib/NAME/plugins.
    files: more files for the core package; `[[core.file]]` where `[core.files]` is the driver's table.
    service: the systemd service; without it the core is a program that people call.
    check: arguments with which a new program must end with status 0 before it replaces the old one; default
        `"--version"`, and `""` for none.
    check_seconds: how long that may take, and `config-check` of the service, for servers that need more on slow
        machines; default 30.
    readable: who may read plugins and what is made of them on the target: all, or root and the group of the user, which
        suits plugins with secrets in them. The default is all for a core without a service, since whoever calls its
        program opens the plugins, and else group.
    trust: what vouches for plugins on the target: a signature on each manifest, or the distribution, whose dpkg or rpm
        then must have each manifest and file on record as its package's. With `"distribution"` nothing is signed and
        building needs no keys; it suits packages that a distribution's own archive serves.
    revoked_keys: ids of manifest keys that targets must trust no more, as `mkpkgs key show` prints them.
    changelog: newest first; default one entry for this version.
    compression: per format, e.g. `{ deb = "xz", rpm = "zstd:19" }`; the default suits the targets.
    depends: what the core needs; likewise recommends, suggests, conflicts, replaces, provides.
    deb: relations that replace those above in .deb files.
    rpm: relations that replace those above in .rpm files.
    """

    name: str
    version: str
    summary: str
    license: str
    homepage: str
    maintainer: str
    abis: tuple[str, ...] = ()
    release: str = "1"
    epoch: int = 0
    description: str = ""
    copyright: str = ""
    vendor: str = ""
    section: str = "net"
    group: str = "System Environment/Daemons"
    priority: str = "optional"
    architectures: tuple[str, ...] = ("amd64",)
    targets: tuple[str, ...] = ("debian12", "el9")
    driver: str = "go-link"
    program: str = ""
    outside: bool = False
    user: str = ""
    user_group: str = ""
    config_directory: str = ""
    plugins_directory: str = ""
    files: tuple[FileSpec, ...] = field(default=(), metadata={"aliases": ("file",)})
    service: ServiceSpec | None = None
    check: str | None = None
    check_seconds: int | None = None
    readable: Literal["", "all", "group"] = ""
    trust: Literal["signature", "distribution"] = "signature"
    revoked_keys: tuple[str, ...] = ()
    changelog: tuple[ChangeSpec, ...] = ()
    compression: Mapping[str, str] = field(default_factory=dict)
    depends: tuple[str, ...] = ()
    recommends: tuple[str, ...] = ()
    suggests: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    deb: RelationSet | None = None
    rpm: RelationSet | None = None

    @property
    def trial(self) -> str:
        """Arguments with which a new program is tried, "" if it is not."""
        said = (self.check, self.service.check if self.service else None)
        return next((text for text in said if text is not None), "--version")

    @property
    def trial_seconds(self) -> int:
        """How long a try may take."""
        return self.check_seconds or (self.service.check_seconds if self.service else None) or 30

    @property
    def for_all(self) -> bool:
        """Whether everybody on the target may read the plugins."""
        return self.readable == "all" or (not self.readable and self.service is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginSpec:
    """One plugin; the key in `[plugin.NAME]` is its name.

    summary: one line of at most 80 characters without a full stop at its end.
    description: default the summary.
    version: of its own; default the core's. The core's version then follows after a `+` in the package's version, since
        the plugin built for another core is another package.
    release: of its packaging; default the core's release.
    license: SPDX expression; default what the plugin's own sources say (of Go and wheels), else the core's.
    copyright: who holds the copyright; default what the plugin's own sources say, else the core's.
    homepage: default the core's.
    abis: those of the core's `abis` that the plugin is for; default all.
    optional: true if the server may start without it when it fails.
    order: 0 to 9999; plugins with lower numbers come first in the server.
    needs: names of plugins of this project that must be there too.
    clashes: names of plugins of this project that cannot be there at the same time.
    files: more files for the plugin's package; `[[plugin.NAME.file]]` where `[plugin.NAME.files]` is the driver's
        table.
    depends: what the plugin needs beside the core; likewise recommends, suggests, conflicts, replaces, provides.
    deb: relations that replace those above in .deb files.
    rpm: relations that replace those above in .rpm files.
    """

    name: str
    summary: str
    description: str = ""
    version: str = ""
    release: str = ""
    license: str = ""
    copyright: str = ""
    homepage: str = ""
    abis: tuple[str, ...] = ()
    optional: bool = False
    order: int = 50
    needs: tuple[str, ...] = ()
    clashes: tuple[str, ...] = ()
    files: tuple[FileSpec, ...] = field(default=(), metadata={"aliases": ("file",)})
    depends: tuple[str, ...] = ()
    recommends: tuple[str, ...] = ()
    suggests: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    deb: RelationSet | None = None
    rpm: RelationSet | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositorySpec:
    """The repositories in `dist/`.

    url: http or https address where `dist/` will be served; the source files for clients carry it.
    origin: Release's Origin; default the label. unattended-upgrades matches it: never change it.
    label: Release's Label; default the core's name.
    suite: Release's Suite and the folder below dists/.
    component: of the apt repository.
    retired: names of plugins that were published once and end with this core; their packages become empty. A plugin
        that had a version of its own is named with it, e.g. `"git 1.0.0"`, so that the empty package is newer.
    renamed: plugins that have another name from this core on, e.g. `{ git = "forge" }`: who has the old one gets the
        new one, disabled if the old one was. Keep an entry as long as anybody may come from before it. Where the old
        one had a higher version than the new one has, it is named with that, e.g. `{ "git 5.0" = "forge" }`.
    """

    url: str = "http://localhost:8000"
    origin: str = ""
    label: str = ""
    suite: str = "stable"
    component: str = "main"
    retired: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def retired_versions(self) -> Mapping[str, str]:
        """The plugins' own versions, "" for the core's, by name."""
        return {name: version for name, _, version in (text.partition(" ") for text in self.retired)}

    @property
    def successors(self) -> Mapping[str, tuple[str, str]]:
        """By the old name of a plugin: its version there, "" for the new one's, and its new name."""
        parts = ((*text.partition(" ")[::2], new) for text, new in self.renamed.items())
        return {name: (version, new) for name, version, new in parts}

    @property
    def former(self) -> frozenset[str]:
        """Names of all plugins that were and are no more."""
        return frozenset(self.retired_versions) | frozenset(self.successors)


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginOfSpec:
    """Instead of `[core]`: plugins for a server that somebody else publishes with mkpkgs; docs/plugin-authors.md.

    name: of what you publish: your repository, its files for administrators and your keys, e.g. `"acme-caddy"`.
    core: name of the server's package.
    at: where its maintainer publishes: http, https or file address of the repository, or a directory with its files for
        authors; default the installed package CORE-plugin-dev or CORE-plugin-devel.
    key: of the server's maintainer, the second line of its .pub file; default the one that is there at the first run.
    driver: of the server.
    license: SPDX expression of the plugins.
    homepage: address of the plugins.
    maintainer: `Name <address>` of who makes the packages.
    vendor: rpm's Vendor; default the maintainer's name.
    copyright: who holds the copyright; default what the plugin's own sources say, else the vendor, if there is one.
    versions: of the server to build for, e.g. `["2.11.9", "2.11.8-1"]`; default all that are published.
    architectures: default all that are published.
    abis: several servers out of this file, one for each, e.g. `["15", "17"]`, as in `[core]`: `core` has `{abi}` in it.
    targets: default the server's.
    beside: repositories of other authors, as addresses or directories, whose plugins must be able to live in one server
        with these.
    changelog: newest first; default one entry for each version.
    outside: whether sources of plugins may lie outside of the project's directory, or be or have links that lead out of
        it.
    """

    name: str
    core: str
    license: str
    homepage: str
    maintainer: str
    at: str = ""
    key: str = ""
    driver: str = "go-link"
    vendor: str = ""
    copyright: str = ""
    versions: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    abis: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    changelog: tuple[ChangeSpec, ...] = ()
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Pins:
    """What was chosen for an author's plugin and one core, where there was a choice.

    inputs: hash of all that the choice depends on. files: SHA-256 by name of what comes from elsewhere.
    """

    inputs: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A whole, checked project file.

    root: directory of the project file, absolute; sources are relative to it.
    file: the project file itself.
    abi, shared, each: where the file stands for several cores, which one this is, the name of what they share, and the
    projects of all of them in the order of `abis`; each is known to the first one alone.
    core_options, plugin_options: the driver's own settings, of the types that the driver names `CoreOptions`
    and `PluginOptions`; plugin_options by plugin name.
    plugin_of: where the core is somebody else's. As loaded, of core only name and driver are known then, and
    core_options is None; `authors/` fills in what the core's maintainer published, and published: package versions of
    the maintainer's own plugins by name. strangers: names of other authors' plugins. pins: by plugin, what the lock has
    for this core, or for another one if it has nothing for this one yet.
    """

    root: Path
    file: Path
    core: CoreSpec
    plugins: tuple[PluginSpec, ...] = ()
    repository: RepositorySpec = RepositorySpec()
    core_options: Any = None
    plugin_options: Mapping[str, Any] = field(default_factory=dict)
    plugin_of: PluginOfSpec | None = None
    published: Mapping[str, str] = field(default_factory=dict)
    strangers: tuple[str, ...] = ()
    pins: Mapping[str, Pins] = field(default_factory=dict)
    abi: str = ""
    shared: str = ""
    each: tuple[Project, ...] = ()

    @property
    def name(self) -> str:
        """Of the repository's files for administrators, and of the keys."""
        return self.plugin_of.name if self.plugin_of is not None else self.shared or self.core.name

    @property
    def cores(self) -> tuple[Project, ...]:
        """The projects of all cores that the file stands for: most often this one alone."""
        return self.each or (self,)

    @property
    def outside(self) -> bool:
        """Whether sources may lie outside of the project."""
        return self.plugin_of.outside if self.plugin_of is not None else self.core.outside

    @property
    def plugins_directory(self) -> str:
        """Where plugins lie on the target."""
        return self.core.plugins_directory or f"/usr/lib/{self.core.name}/plugins"

    def plugin(self, name: str) -> PluginSpec:
        """The plugin of this name; KeyError if there is none."""
        for plugin in self.plugins:
            if plugin.name == name:
                return plugin
        raise KeyError(name)
