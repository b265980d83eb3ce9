"""A core that still takes plugins of an older ABI: they stay as they are, and both package managers know it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.systems import System
from tests.workspace import Workspace, raise_tiny, tiny

pytestmark = pytest.mark.acceptance


def without(project: Workspace, plugin: str) -> None:
    """End a plugin in the project file: what is published of it stays."""
    file = project.root / "mkpkgs.toml"
    kept = [part for part in file.read_text().split("\n\n") if not part.startswith(f"[plugin.{plugin}]")]
    file.write_text("\n\n".join(kept))


def raise_format(project: Workspace, version: str, now: str, accepts: str) -> None:
    """The next core: it reads two formats."""
    raise_tiny(project, version, now)
    file = project.root / "mkpkgs.toml"
    text = file.read_text()
    file.write_text(text.replace(f'format = "{now}"', f'format = "{now}"\naccepts = ["{accepts}"]', 1))
    program = project.root / "greet"
    program.write_text(program.read_text().replace('if $head ne "format $format"', "if $head !~ /^format [12]$/"))


def test_a_plugin_of_an_accepted_abi_needs_no_build(
    machine: Callable[[Workspace, str], System], tmp_path: Path
) -> None:
    project = tiny(tmp_path)
    project.mkpkgs()
    system = machine(project, "greet")
    system.install("greet", "greet-plugin-hello", "greet-plugin-bye")
    system.enable()

    raise_format(project, "1.1", "2", accepts="1")
    without(project, "hello")
    project.mkpkgs()
    system.use()
    system.upgrade()
    installed = system.installed()
    assert installed == {"greet": "1.1-1", "greet-plugin-hello": "1.0-1", "greet-plugin-bye": "1.1-1"}
    assert "verified: what is installed is what serves" in system.run("greet-plugins", "status").stdout
    said = system.run("curl", "-s", "--retry", "20", "--retry-connrefused", "http://127.0.0.1:8080/").stdout
    assert said.startswith("greet 1.1")
    assert "hello: " in said
    assert "bye: " in said
    # Whoever comes new gets it too.
    system.remove("greet-plugin-hello")
    system.install("greet-plugin-hello")
    assert system.installed()["greet-plugin-hello"] == "1.0-1"
    why = system.run("greet-plugins", "why", "hello").stdout
    assert "held back" not in why
    assert "for ABI" in why

    # The next core does not take it any more: nobody gets that far.
    before = (project.root / "mkpkgs.toml").read_text()
    (project.root / "mkpkgs.toml").write_text(before.replace('accepts = ["1"]', 'accepts = ["0"]'))
    project.replace("mkpkgs.toml", version="1.2")
    done = project.mkpkgs(check=False)
    assert done.returncode == 1
    assert "greet-plugin-hello (all) has no package for the ABI of greet 1.2-1" in done.stdout
