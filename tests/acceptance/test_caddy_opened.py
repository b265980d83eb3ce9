"""The Caddy example with its driver key changed: the server opens its plugin itself, installed by dnf."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.libraries import LibrariesDnf
from tests.workspace import Workspace

pytestmark = pytest.mark.acceptance

EXAMPLE = Path(__file__).parent.parent.parent / "examples/caddy"
SITE = """
http://:8080 {
	cors https://app.example.org
	respond "opened"
}
"""


@pytest.fixture
def project(tmp_path: Path) -> Workspace:
    """The example, built with the other driver; one plugin of its eight is enough here, and one kind of package."""
    made = Workspace.create(EXAMPLE, tmp_path / "caddy").quick()
    file = made.root / "mkpkgs.toml"
    text = file.read_text().replace('"debian12", "el9"', '"el9"').replace('"amd64", "arm64"', '"amd64"')
    whole = text.replace('driver = "go-link"', 'driver = "go-plugin"')
    assert whole != text
    tables = whole.split("[plugin.")
    kept = [table for table in tables[1:] if table.startswith("cors]")]
    file.write_text("[plugin.".join([tables[0], *kept]))
    assert list(tomllib.loads(file.read_text())["plugin"]) == ["cors"]
    made.mkpkgs()
    return made


@pytest.fixture
def machine(bootable: None, project: Workspace, tmp_path: Path) -> Iterator[LibrariesDnf]:
    with LibrariesDnf(project.dist, tmp_path / "machine", "caddy") as system:
        system.use()
        yield system


def test_caddy_opens_its_plugin_and_serves_through_it(machine: LibrariesDnf) -> None:
    machine.install("caddy")
    assert "http.handlers.cors" not in machine.run("caddy", "list-modules").stdout
    machine.install(*machine.plugin("cors"))
    assert set(machine.installed()) == {"caddy", "caddy-plugin-cors"}
    assert "http.handlers.cors" in machine.run("caddy", "list-modules").stdout
    machine.write("/etc/caddy/Caddyfile", SITE)
    machine.enable()
    retry = ("--retry", "20", "--retry-connrefused", "--retry-delay", "1", "--max-time", "30")
    page = machine.run("curl", "-si", *retry, "-H", "Origin: https://app.example.org", "http://127.0.0.1:8080/").stdout
    assert "opened" in page
    assert "access-control-allow-origin: https://app.example.org" in page.lower()
    # Its configuration needs the plugin: the set that works serves on.
    machine.remove(*machine.plugin("cors"))
    assert "opened" in machine.run("curl", "-s", *retry, "http://127.0.0.1:8080/").stdout
    assert machine.run("caddy-plugins", "status", check=False).returncode == 1
