"""What package managers ask before they change anything, and the administrator's settings."""

from __future__ import annotations

import re

from packaging_tool.package.content import Content
from packaging_tool.package.model import Entry, Lifecycle
from packaging_tool.package.templates import render

# Status of `CORE-plugins hook` that makes apt stop.
STOP = 10


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
    )


def _config(path: str, text: str, only: str = "") -> Entry:
    return Entry(path=path, type="config", content=Content(text.encode()), only=only)
