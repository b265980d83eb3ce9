"""A machine, booted or not, with the packages of `packages.py` on it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging_tool.drivers.base import Target
from tests.machine import Machine
from tests.target import packages
from tests.target.machine import Key

PLUGINS = {"git": 'plugins="$plugins git"\n', "cors": 'plugins="$plugins cors"\n'}


class Server:
    """A machine with the server's packages. family: deb or rpm."""

    def __init__(self, machine: Machine, key: Key, directory: Path, family: str) -> None:
        self.machine, self.key, self.directory, self.family = machine, key, directory, family
        self.seen = 0

    def build(
        self,
        *,
        version: str = "1.0",
        plugins: Mapping[str, str] | None = None,
        unit: Mapping[str, str] | None = None,
        program: bytes | None = None,
        target: Target | None = None,
        check: str = "version",
        key: Key | None = None,
        keys: Sequence[Key] = (),
        facts: Mapping[str, Any] | None = None,
        brings: Mapping[str, bytes] | None = None,
    ) -> dict[str, str]:
        """Build packages and put them into the machine; returns their places there."""
        self.seen += 1
        built = packages.write(
            self.directory / str(self.seen),
            self.family,
            key or self.key,
            version=version,
            plugins=plugins,
            unit=unit,
            program=program,
            target=target,
            check=check,
            keys=keys,
            facts=facts,
            brings=brings,
        )
        places = {name: f"/srv/{self.seen}/{name}.{self.family}" for name in built}
        for name, path in built.items():
            self.machine.put(path, places[name])
        return places

    def dpkg(self, *arguments: str) -> str:
        return self.machine.run("dpkg", *arguments).stdout

    def rpm(self, *arguments: str) -> str:
        return self.machine.run("rpm", "--nosignature", *arguments).stdout

    def install(self, *places: str) -> str:
        """Install packages and, as rpm's distributions leave it to people, start the service."""
        if self.family == "deb":
            return self.dpkg("-i", *places)
        said = self.rpm("-U", "--force", *places)
        if self.state() == "inactive":
            self.machine.run("systemctl", "enable", "--now", "demo")
        return said

    def remove(self, name: str) -> str:
        """Remove a package."""
        return self.dpkg("-r", name) if self.family == "deb" else self.rpm("-e", name)

    def starts(self) -> list[str]:
        """What each start so far said: version and plugins."""
        return re.findall(r"^STARTED (.*) as demo$", self.journal("-u", "demo"), re.MULTILINE)

    def journal(self, *chosen: str) -> str:
        """Messages so far, chosen by journalctl's arguments."""
        self.machine.run("journalctl", "--sync")
        return self.machine.run("journalctl", "-o", "cat", *chosen).stdout

    def state(self) -> str:
        return self.machine.run("systemctl", "is-active", "demo", check=False).stdout.strip()

    def status(self) -> int:
        return self.machine.run("demo-plugins", "status", check=False).returncode
