"""An author's lock keeps the wheels that a plugin brings beside its own; the judges are sha256sum, pip and dpkg-deb."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.authors.world import author
from tests.drivers.test_python import wheel
from tests.workspace import Workspace, newest

SAMPLE = Path(__file__).parent.parent / "samples/shelf"
TABLE = """
[plugin.fine]
summary = "An author's plugin"
version = "2.0"
python.requires = ["./fine-1.0-py3-none-any.whl"]
"""
YARN = "yarn-1.0-py3-none-any.whl"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`core`, a published server; `acme`, a plugin that needs yarn; `index`, a folder in place of an index."""
    place = tmp_path_factory.mktemp("locked")
    core = Workspace.create(SAMPLE, place / "core")
    # Its own plugins take a second each.
    text = (core.root / "mkpkgs.toml").read_text()
    (core.root / "mkpkgs.toml").write_text(text.partition("[plugin.")[0])
    core.mkpkgs()
    (place / "index").mkdir()
    wheel(place / "index", "yarn")
    wheel(place / "index", "dye")
    root = Workspace.at(place / "acme").root
    root.mkdir(parents=True)
    wheel(root, "fine", requires=("yarn",))
    author(place / "acme", "shelf", "../published", "python", TABLE)
    shutil.copytree(core.dist, place / "acme/published")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(place / "index"))
        Workspace.at(place / "acme").mkpkgs()
    return place


@pytest.fixture
def index(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return Path(shutil.copytree(built / "index", tmp_path / "index"))


@pytest.fixture
def acme(built: Path, index: Path, tmp_path: Path) -> Workspace:
    """The author's project as another machine gets it: the lock is there, and nothing that was fetched."""
    shutil.copytree(built / "acme/published", tmp_path / "acme/published")
    project = Workspace.at(built / "acme").copy(tmp_path / "acme")
    shutil.rmtree(project.root / ".mkpkgs")
    shutil.rmtree(project.dist)
    return project


def locked(project: Workspace) -> dict[str, str]:
    lock = (project.root / "mkpkgs.lock").read_text()
    return dict(re.findall(r'(?m)^"(\S+\.whl)" = "([0-9a-f]{64})"$', lock))


def brought(project: Workspace) -> str:
    """Version of yarn in the newest package."""
    package = newest(project.dist, "shelf-plugin-fine", "deb")
    listed = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True, check=True).stdout
    (version,) = re.findall(r"/plugins/fine/yarn-(\S+)\.dist-info/METADATA", listed)
    return str(version)


def test_versions_and_hashes_stay_until_the_author_asks_for_others(built: Path, index: Path, acme: Workspace) -> None:
    told = subprocess.run(["sha256sum", index / YARN], capture_output=True, text=True, check=True).stdout
    # The plugin's own wheel lies in the project.
    assert locked(acme) == {YARN: told.split()[0]}
    lock = (acme.root / "mkpkgs.lock").read_bytes()
    wheel(index, "yarn", "1.1")
    acme.mkpkgs()
    assert (acme.root / "mkpkgs.lock").read_bytes() == lock
    same, other = (newest(one.dist, "shelf-plugin-fine", "deb") for one in (acme, Workspace.at(built / "acme")))
    assert same.read_bytes() == other.read_bytes()
    assert acme.mkpkgs().stdout.startswith("nothing to do")
    # What the plugin requires more is chosen beside it.
    wheel(acme.root, "fine", requires=("yarn", "dye"))
    acme.replace("mkpkgs.toml", version="2.1")
    acme.mkpkgs()
    assert brought(acme) == "1.0"
    assert set(locked(acme)) == {YARN, "dye-1.0-py3-none-any.whl"}
    assert "mkpkgs.lock: written" in acme.mkpkgs("lock").stdout
    assert "yarn-1.1-py3-none-any.whl" in locked(acme)
    acme.replace("mkpkgs.toml", version="2.2")
    acme.mkpkgs()
    assert brought(acme) == "1.1"


def test_what_does_not_go_with_a_new_requirement_is_chosen_anew(index: Path, acme: Workspace) -> None:
    wheel(index, "yarn", "1.1")
    wheel(acme.root, "fine", requires=("yarn>1",))
    acme.mkpkgs()
    assert brought(acme) == "1.1"


def test_plugins_of_one_author_bring_the_same_versions(index: Path, acme: Workspace) -> None:
    wheel(index, "yarn", "1.1")
    for name, wanted in (("free", "yarn"), ("fresh", "yarn>1")):
        wheel(acme.root, name, requires=(wanted,))
        table = TABLE.replace("plugin.fine", f"plugin.{name}").replace("fine-1.0", f"{name}-1.0")
        (acme.root / "mkpkgs.toml").write_text((acme.root / "mkpkgs.toml").read_text() + table)
    done = acme.mkpkgs("check", "-q", check=False)
    assert done.stdout.splitlines()[1:] == [
        "  fine: fits",
        "  free: fits",
        "  fresh: brings yarn 1.1, and plugin fine brings yarn 1.0: they cannot be in one server",
        '    repair: let both take one version of yarn, or write clashes = ["fine"]',
        "  fresh: brings yarn 1.1, and plugin free brings yarn 1.0: they cannot be in one server",
        '    repair: let both take one version of yarn, or write clashes = ["free"]',
    ]


def test_a_new_core_gets_the_versions_of_the_old_one(built: Path, index: Path, acme: Workspace, tmp_path: Path) -> None:
    wheel(index, "yarn", "1.1")
    core = Workspace.at(built / "core").copy(tmp_path / "core")
    core.replace("mkpkgs.toml", version="1.1", api="2")
    core.mkpkgs()
    shutil.rmtree(tmp_path / "acme/published")
    shutil.copytree(core.dist, tmp_path / "acme/published")
    assert "build for shelf 1.1-1 (all)" in acme.mkpkgs("rebuild").stdout
    assert newest(acme.dist, "shelf-plugin-fine", "deb").name == "shelf-plugin-fine_2.0+1.1-1_all.deb"
    assert brought(acme) == "1.0"


def test_another_file_of_the_same_name_is_refused(index: Path, acme: Workspace) -> None:
    (known,) = locked(acme).values()
    wheel(index, "yarn", files={"yarn.py": "NAME = 'mine'\n"})
    for arguments in (("check",), ("lock",), ()):
        done = acme.mkpkgs("-q", *arguments, check=False)
        assert done.returncode == (2 if arguments == ("lock",) else 1)
        now, before = re.findall(rf"{YARN} has the sum ([0-9a-f]+) now, and ([0-9a-f]+) in mkpkgs.lock", done.stdout)[0]
        assert now != before == known
        assert "ask its author" in done.stdout
    assert not list(acme.dist.rglob("*.deb"))
    # Whoever finds it right deletes the line.
    file = acme.root / "mkpkgs.lock"
    file.write_text("".join(line for line in file.read_text().splitlines(keepends=True) if f'"{YARN}" =' not in line))
    acme.mkpkgs()
    assert locked(acme)[YARN] == now
