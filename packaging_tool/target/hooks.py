"""What package managers ask before they change anything, and the administrator's settings."""

from __future__ import annotations

import re
from collections.abc import Mapping

from packaging_tool.package.content import Content
from packaging_tool.package.model import Entry, Lifecycle
from packaging_tool.package.templates import render

# dnf 5 has its hooks in a package of its own; dnf 4 and its systems do not know that name, so they install nothing.
RECOMMENDS: Mapping[str, tuple[str, ...]] = {"rpm": ("libdnf5-plugin-actions",)}
# Status of `CORE-plugins hook` that makes apt stop.
STOP = 10
DNF = "/etc/dnf/libdnf5-plugins"


def values(place: Lifecycle) -> dict[str, object]:
    """Variables of the templates of the target tool that are about hooks."""
    return {"stop": STOP, "removal_variable": re.sub("[^A-Z0-9]", "_", f"{place.core}_PLUGINS_REMOVAL".upper())}


def entries(place: Lifecycle) -> tuple[Entry, ...]:
    """Configuration files of the core package: settings, and the hook of each package manager that has one."""
    variables = {"l": place, **values(place)}
    # apt reads files whose names have other characters not at all.
    name = re.sub("[^a-z0-9-]", "_", place.core)
    return (
        _config(f"{place.config_directory}/plugins.conf", render("target/plugins.conf.j2", **variables)),
        _config(f"/etc/apt/apt.conf.d/50{name}-plugins", render("target/apt.conf.j2", **variables), "deb"),
        # Of the plugin's package too, which need not be there.
        *(Entry(path=path, type="directory", mode=0o755, only="rpm") for path in (DNF, f"{DNF}/actions.d")),
        _config(f"{DNF}/actions.d/{place.core}-plugins.actions", render("target/dnf.actions.j2", **variables), "rpm"),
    )


def _config(path: str, text: str, only: str = "") -> Entry:
    return Entry(path=path, type="config", content=Content(text.encode()), only=only)
