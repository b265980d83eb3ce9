"""What mkpkgs keeps and makes in a project, and version control's own, is in no package, whatever a source names."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from packaging_tool.elf import tree
from packaging_tool.golang import localmodule
from packaging_tool.project import unread
from packaging_tool.wheels import pip
from tests.workspace import Workspace, newest, tiny

NEVER = re.compile(r"/\.(mkpkgs|git|hg|svn|bzr)(/|$)|/dist(/|$)|\.staging|\.(deb|rpm)$|/mkpkgs\.lock$")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(tmp_path_factory.mktemp("keys")).keys


def with_source(place: Path, keys: Path, source: str) -> Workspace:
    """The sample server, whose plugin `hello` is made of this source; version control's directories are there."""
    project = tiny(place, keys=keys)
    file = project.root / "mkpkgs.toml"
    file.write_text(file.read_text().replace('"plugins/hello"', f'"{source}"'))
    for name in unread.VERSION_CONTROL:
        (project.root / name).mkdir()
        (project.root / name / "config").write_text("token\n")
    (project.root / "plugins/hello/.git").write_text("gitdir: elsewhere\n")
    (project.root / "word").symlink_to(".mkpkgs/id")
    (project.root / "state").symlink_to(".mkpkgs")
    (project.root / "published").symlink_to("dist")
    return project


def names(package: Path) -> list[str]:
    """What the distribution's own tools list."""
    command = ["rpm", "-qlp", "--nosignature"] if package.suffix == ".rpm" else ["dpkg-deb", "--fsys-tarfile"]
    done = subprocess.run([*command, package], check=True, stdout=subprocess.PIPE)
    if package.suffix == ".deb":
        done = subprocess.run(["tar", "-t"], input=done.stdout, check=True, stdout=subprocess.PIPE)
    return done.stdout.decode().splitlines()


def test_the_directory_of_the_project_is_a_source_without_what_mkpkgs_makes(tmp_path: Path, keys: Path) -> None:
    project = with_source(tmp_path, keys, ".")
    project.mkpkgs()
    packages = [newest(project.dist, "greet-plugin-hello", kind) for kind in ("deb", "rpm")]
    for package in packages:
        found = names(package)
        assert any(name.endswith("/plugins/bye/greeting") for name in found)
        assert not [name for name in found if NEVER.search(name)]
        assert not [name for name in found if name.endswith(("/word", "/state", "/published"))]
        assert (project.root / ".mkpkgs/id").read_bytes() not in package.read_bytes()
    before = {path: path.read_bytes() for path in packages}
    shutil.rmtree(project.root / ".mkpkgs")
    shutil.move(project.dist, tmp_path / "first")
    # Twice: the second run finds what the first one made.
    for _ in range(2):
        project.mkpkgs()
        assert {path: path.read_bytes() for path in packages} == before


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (".mkpkgs/id", "in .mkpkgs"),
        ("word", "in .mkpkgs"),
        ("state", "in .mkpkgs"),
        ("plugins/../.git", "in .git"),
        (".hg/config", "in .hg"),
        ("dist", "in the output directory"),
        ("published/apt", "in the output directory"),
    ],
)
def test_such_a_source_is_refused_by_its_key(source: str, what: str, tmp_path: Path, keys: Path) -> None:
    project = with_source(tmp_path, keys, "plugins/hello")
    project.mkpkgs()
    file = project.root / "mkpkgs.toml"
    text = file.read_text()
    file.write_text(text.replace('"plugins/hello"', f'"{source}"'))
    done = project.mkpkgs(check=False)
    assert done.returncode == 2
    said = rf"mkpkgs\.toml:\d+: plugin\.hello\.files\.source: '{re.escape(source)}' is {re.escape(what)}"
    assert re.search(said, done.stdout)
    if ".." in source:
        return
    # The list of files has its own rules.
    path = project.root / source
    one = source if path.is_file() else f"{source}/{next(p for p in path.rglob('*') if p.is_file()).relative_to(path)}"
    entry = f'[[core.file]]\nsource = "{one}"\npath = "/usr/share/greet/one"\n'
    file.write_text(text.replace("[core.rpm]", f"{entry}\n[core.rpm]"))
    done = project.mkpkgs(check=False)
    assert done.returncode == 2
    assert re.search(rf"mkpkgs\.toml:\d+: core\.file\[1\]\.source: .*{re.escape(one)}'? is {what}", done.stdout)


def test_a_pattern_finds_no_such_file(tmp_path: Path, keys: Path) -> None:
    project = with_source(tmp_path, keys, "plugins/hello")
    file = project.root / "mkpkgs.toml"
    entry = '[[core.file]]\nsource = "**/[ic]*"\npath = "/usr/share/greet/all/"\n'
    (project.root / "plugins/bye/index").write_text("index\n")
    file.write_text(file.read_text().replace("[core.rpm]", f"{entry}\n[core.rpm]"))
    for _ in range(2):
        project.mkpkgs()
        # As indexes lie there by their hashes, one in many a run begins so.
        for folder in ("apt", "yum"):
            (project.dist / folder / "c0ffee").touch()
        project.mkpkgs("plan")
        for folder in ("apt", "yum"):
            (project.dist / folder / "c0ffee").unlink()
    found = [name for name in names(newest(project.dist, "greet", "rpm")) if "/all/" in name]
    assert found == ["/usr/share/greet/all/index"]


def test_all_that_walk_a_folder_pass_over_it(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "below").mkdir(parents=True)
    for name in ("go.mod", "below/code.go"):
        (root / name).write_text("module example.com/server\n")

    def digests() -> tuple[str, str, str]:
        return pip.tree_digest(root, root), tree.digest(root), localmodule.scan(root, "1.0").version

    dist, lock = root / "dist", root / "mkpkgs.lock"
    with unread.guarding(root, dist, [lock]):
        before = digests()
        lock.write_text("lock\n")
        made = [dist, root / ".dist.abc.staging", root / ".dist.abc.new"]
        for place in [*made, *(root / "below" / name for name in unread.NAMES)]:
            (place / "sub").mkdir(parents=True)
            (place / "sub/file").write_text("file\n")
        assert digests() == before
        tree._unpack(root, tmp_path / "copy")
        copied = sorted(str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*"))
        assert copied == ["below", "below/code.go", "go.mod"]
        shutil.copytree(root, tmp_path / "other", ignore=pip._ignored)
        assert not (tmp_path / "other/dist").exists()
    # Another run's directory of that name is a folder like others.
    with unread.guarding(root, tmp_path / "out", []):
        assert all(one != other for one, other in zip(digests(), before, strict=True))
