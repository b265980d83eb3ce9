"""A path that changes its kind between two versions: package managers do not carry all of that by themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.test_lifecycle import answer, install
from tests.systems import System
from tests.workspace import Workspace, raise_tiny, tiny

pytestmark = pytest.mark.acceptance

GREETINGS = ["hello: Good morning", "bye: Good evening"]


def entry(path: str, source: str = "", *, table: str = "core", **more: str) -> str:
    """One file of the project file."""
    keys = {"path": path} | ({"source": source} if source else {}) | more
    return f"[[{table}.file]]\n" + "".join(f'{key} = "{value}"\n' for key, value in keys.items())


BOTH = entry("/usr/share/greet/site/", "page", type="file") + entry("/usr/share/greet/word", "page")
OLD = (
    entry("/usr/share/greet/web/", "page")
    + entry("/usr/share/greet/web/deep/", "page")
    + entry("/usr/share/greet/list/", "page")
    + entry("/usr/share/greet/links", type="symlink", target="site")
    + entry("/usr/share/greet/alias", type="symlink", target="word")
    + entry("/usr/share/greet/single", "page")
    + entry("/etc/cron.d/greet", "job", type="config")
    + entry("/etc/greet/extra.conf", "job", type="config")
    + entry("/etc/greet/hello.conf", "job", table="plugin.hello", type="config")
    + entry("/usr/share/greet/hello/", "page", table="plugin.hello")
    + entry("/usr/share/greet/moved", "page")
    + entry("/etc/greet/moved.conf", "job", type="config")
)
NEW = (
    entry("/usr/share/greet/web", type="symlink", target="site")
    + entry("/usr/share/greet/list", "page")
    + entry("/usr/share/greet/links/", "page")
    + entry("/usr/share/greet/alias", "page")
    + entry("/usr/share/greet/single/", "page")
    + entry("/usr/share/greet/hello", type="symlink", target="site", table="plugin.hello")
    + entry("/usr/share/greet/moved", "page", table="plugin.hello")
    + entry("/etc/greet/moved.conf", "job", table="plugin.hello", type="config")
)


def write(project: Workspace, base: str, entries: str) -> None:
    """Set the project file with these files more."""
    (project.root / "page").write_text("a page\n")
    (project.root / "job").write_text("# nothing to do\n")
    (project.root / "mkpkgs.toml").write_text(base + "\n" + BOTH + entries)


def test_what_changes_its_kind_is_carried_over_and_leaves_with_the_package(
    machine: Callable[[Workspace, str], System], tmp_path: Path
) -> None:
    project = tiny(tmp_path / "project")
    file = project.root / "mkpkgs.toml"
    write(project, file.read_text(), OLD)
    layout = project.root / "plugins/hello/layout"
    layout.mkdir()
    (layout / "main").write_text("a layout\n")
    (project.root / "plugins/hello/menu").write_text("a menu\n")
    base = file.read_text().replace(BOTH + OLD, "")
    project.mkpkgs()
    system = machine(project, "greet")
    system.install("greet-plugin-nothing", check=False)
    before = system.files()
    install(system, "hello", "bye")
    assert answer(system) == ["greet 1.0 as greet", *GREETINGS]
    system.sh("echo changed >>/etc/greet/extra.conf; echo changed >>/etc/greet/moved.conf")
    file.write_text(base)
    raise_tiny(project, "2.0", "2")
    write(project, file.read_text(), NEW)
    (layout / "main").unlink()
    layout.rmdir()
    layout.write_text("a layout in one file\n")
    (project.root / "plugins/hello/menu").unlink()
    (project.root / "plugins/hello/menu").mkdir()
    (project.root / "plugins/hello/menu/first").write_text("a menu\n")
    project.mkpkgs()
    system.upgrade()
    assert answer(system) == ["greet 2.0 as greet", *GREETINGS]
    assert system.verify() == ""
    assert system.run("greet-plugins", "status").returncode == 0
    system.sh("cd /usr/share/greet; [ -L web ]; [ -L hello ]; [ -f list ]; [ ! -L links ]; cat links/page web/page")
    system.sh("cd /usr/share/greet; [ -f alias ]; [ ! -L alias ]; cat single/page word hello/page list")
    system.sh("cd /usr/lib/greet/plugins/hello; cat layout menu/first")
    # What another package has now is its own.
    assert "changed" in system.sh("cat /usr/share/greet/moved /etc/greet/moved.conf")
    assert not system.path("/etc/cron.d/greet").exists()
    assert not system.path("/etc/greet/extra.conf").exists()
    assert not system.path("/etc/greet/hello.conf").exists()
    kept = {"deb": "dpkg-old", "rpm": "rpmsave"}[system.suffix]
    assert "changed" in system.sh(f"cat /etc/greet/extra.conf.{kept}")
    assert not [path for path in system.files() - before if "rpmmoved" in path or "dpkg-backup" in path]
    if system.suffix == "rpm":
        # rpm leaves what people changed; and nothing here owns the directory, as cronie does elsewhere.
        system.sh(f"rm /etc/greet/extra.conf.{kept}; rmdir /etc/cron.d; sed -i /changed/d /etc/greet/moved.conf")
    system.purge()
    assert {path for path in system.files() - before if not path.startswith("/var/lib/greet")} == set()
