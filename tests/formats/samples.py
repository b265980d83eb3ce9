"""Small packages that the tests of formats write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from packaging_tool.package.content import Content
from packaging_tool.package.model import (
    Capability,
    Change,
    Entry,
    Lifecycle,
    Module,
    Package,
    Relation,
    Relations,
    Version,
)

ABI = "0123456789abcdef" * 4
TIME = 1_790_000_000
PLUGINS = "/usr/lib/tiny/plugins"
MAINTAINER = "Ada Example <ada@example.org>"
MIT = """Copyright (c) 2020 Somebody

Permission is hereby granted, free of charge, to any person obtaining a copy, to deal without restriction.
"""

LIFECYCLE = Lifecycle(
    core="tiny",
    unit="tiny.service",
    user="tiny",
    group="tiny",
    home="/var/lib/tiny",
    try_user="_tiny-try",
    watched=PLUGINS,
    tool="/usr/bin/tiny-plugins",
    program="/usr/lib/tiny/bin/tiny",
    made=("/usr/lib/tiny/bin/tiny", "/usr/lib/tiny/bin/working-set"),
    config_directory="/etc/tiny",
)


def file(path: str, data: bytes | str, **more: Any) -> Entry:
    """A file of this content."""
    return Entry(path=path, content=Content(data.encode() if isinstance(data, str) else data), **more)


def directory(path: str, mode: int = 0o755, group: str = "root") -> Entry:
    """A directory of root."""
    return Entry(path=path, type="directory", mode=mode, group=group)


def symlink(path: str, target: str) -> Entry:
    """A symbolic link."""
    return Entry(path=path, type="symlink", mode=0o777, target=target)


def plugin(name: str = "tiny-plugin-git", entries: Sequence[Entry] = (), **changes: Any) -> Package:
    """A plugin package for amd64; changes replace fields of it."""
    package = Package(
        kind="plugin",
        name=name,
        source="tiny",
        version=Version("1.2.0", "1"),
        architecture="amd64",
        summary="keeps a checked-out repository up to date",
        description="The plugin fetches whenever a web hook calls, and from time to time.\n\nIt needs no daemon.",
        license="Apache-2.0",
        copyright="2020 Ada Example",
        homepage="https://example.org/tiny",
        maintainer=MAINTAINER,
        vendor="Example",
        section="net",
        group="System Environment/Daemons",
        priority="optional",
        entries=tuple(sorted(entries, key=lambda entry: entry.path)),
        time=TIME,
        relations={"deb": Relations(depends=((Capability("tiny-abi", ABI),),))},
        changelog=(Change("1.2.0-1", TIME, MAINTAINER, ("Package tiny 1.2.0.",)),),
        compression={"deb": "gzip:6", "rpm": "zstd:3"},
        watched=PLUGINS,
    )
    return replace(package, **changes)


def git_plugin(**changes: Any) -> Package:
    """A plugin with a private plugins directory, some files and a module."""
    return plugin(
        entries=(
            directory(PLUGINS, 0o750, "tiny"),
            directory(f"{PLUGINS}/git"),
            file(f"{PLUGINS}/git/imports", "example.org/git\n"),
            file("/usr/share/tiny/plugins/git.manifest", "mkpkgs-manifest 1\n"),
        ),
        modules=(Module("example.org/git", "v1.0.0", "MIT", ("2020 Somebody",), MIT, "h1:abc="),),
        **changes,
    )


def core(program: Content, extra: Sequence[Entry] = (), **changes: Any) -> Package:
    """A core package with service, scripts and configuration around a program."""
    unit = (
        "[Unit]\nDescription=tiny server\nDocumentation=https://example.org/tiny\n\n[Service]\nType=exec\nUser=tiny\n"
        "ExecStart=/usr/bin/tiny\nProtectSystem=strict\n\n[Install]\nWantedBy=multi-user.target\n"
    )
    page = '.TH TINY 8 "2026-09-21" "tiny" "System"\n.SH NAME\ntiny \\- a server\n.SH DESCRIPTION\nIt serves.\n'
    entries = (
        directory("/etc/tiny"),
        file("/etc/tiny/tiny.conf", "port = 80\n", type="config"),
        symlink("/usr/bin/tiny", "../lib/tiny/bin/tiny"),
        file("/usr/bin/tiny-plugins", "#!/bin/sh\nexit 0\n", mode=0o755),
        Entry(path="/usr/lib/tiny/bin/tiny", type="ghost", mode=0o755),
        Entry(path="/usr/lib/tiny/bin/tiny-core", mode=0o755, content=program),
        file("/usr/lib/systemd/system/tiny.service", unit),
        file("/usr/lib/sysusers.d/tiny.conf", 'u tiny - "tiny server" /var/lib/tiny\n'),
        file("/usr/lib/tmpfiles.d/tiny.conf", f"z {PLUGINS} 0750 root tiny - -\n"),
        directory(PLUGINS, 0o750, "tiny"),
        file("/usr/share/man/man8/tiny.8", page),
        symlink("/usr/share/man/man8/tiny-plugins.8", "tiny.8"),
        *extra,
    )
    wanted = {
        "kind": "core",
        "summary": "serves files from a directory",
        "description": "A very small server.\n\nPlugins for it come as packages of their own.",
        "lifecycle": LIFECYCLE,
        "relations": {
            "deb": Relations(
                depends=((Relation("openssl", ">=", "3.0"),), (Relation("systemd"),)),
                provides=((Capability("tiny-abi", ABI),),),
            )
        },
    }
    return plugin("tiny", entries, **(wanted | changes))
