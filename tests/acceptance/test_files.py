"""Themes and rules as plugins: files that the server reads again at a reload, on apt and on dnf."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import roots
from tests.systems import System
from tests.workspace import Workspace

pytestmark = pytest.mark.acceptance

EXAMPLE = Path(__file__).parent.parent.parent / "examples/board"


@pytest.fixture
def board(shared: Path) -> Workspace:
    """The example, built."""
    with roots.locked(shared / "board.lock"):
        if not (shared / "board").exists():
            Workspace.create(EXAMPLE, shared / "board-making").mkpkgs()
            (shared / "board-making").rename(shared / "board")
    return Workspace.at(shared / "board")


def status(system: System, path: str) -> str:
    retry = ("--retry", "30", "--retry-connrefused", "--retry-delay", "1")
    return system.run("curl", "-so", "/root/page", "-w", "%{http_code}", *retry, f"http://127.0.0.1:8080{path}").stdout


def page(system: System) -> str:
    assert status(system, "/") == "200"
    return system.path("/root/page").read_text()


def main_pid(system: System) -> str:
    return system.sh("systemctl show -p MainPID --value board").strip()


def test_themes_and_rules_come_by_a_reload(
    machine: Callable[[Workspace, str], System], board: Workspace, tmp_path: Path
) -> None:
    system = machine(board, "board")
    system.install("board")
    system.enable()
    assert (page(system), status(system, "/x.php")) == ("<title>Notices</title>\n<p>Lift out of order</p>\n", "200")
    server = main_pid(system)

    done = system.install(*system.plugin("theme-dark", "rules-scanners"))
    assert "reloaded board.service" in done.stdout
    assert "background: #111" in page(system)
    assert [status(system, path) for path in ("/", "/.git/config", "/health.php")] == ["200", "403", "403"]
    # Rules of a plugin that comes first decide first.
    system.install(*system.plugin("rules-health"))
    assert [status(system, path) for path in ("/.git/config", "/health.php")] == ["403", "200"]

    # A board has one theme: the package manager asks before it takes one for the other, or refuses.
    both = system.install(*system.plugin("theme-dark", "theme-paper"), check=False)
    assert both.returncode != 0
    system.remove(*system.plugin("theme-dark"))
    system.install(*system.plugin("theme-paper"))
    assert "font-family: serif" in page(system)

    # Rules that are none never get as far as the server.
    project = board.copy(tmp_path / "wrong")
    (project.root / "rules/scanners.rules").write_text("deny (\n")
    text = (project.root / "mkpkgs.toml").read_text()
    (project.root / "mkpkgs.toml").write_text(
        text.replace("[plugin.rules-scanners]\n", '[plugin.rules-scanners]\nrelease = "2"\n')
    )
    project.mkpkgs()
    system.use(project.dist)
    assert "plugin rules-scanners: line 1: ( is no pattern" in system.upgrade().stdout
    assert status(system, "/.git/config") == "403"
    assert main_pid(system) == server
