"""What an index can make pip do, and what pip finds: an index on this machine, and the real pip and command line."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from packaging_tool import confine
from packaging_tool.errors import BuildError, CommandError
from packaging_tool.wheels import caller, pip
from packaging_tool.wheels.pip import Platform
from tests.hostile.words import words
from tests.test_confine import path_without
from tests.tiers import at_night
from tests.wheels.index import Index, serving

ROOT = Path(__file__).parent.parent.parent
ANY = Platform("3.11", "all", "2.36")
PROJECT = """
[core]
name = "shelf"
version = "1.0"
summary = "Serves a shelf"
license = "MIT"
copyright = "2026 Test"
maintainer = "Test <test@example.org>"
homepage = "https://example.org"
targets = ["debian12"]
architectures = ["all"]
driver = "python"
python.python = "3.11"
python.main = "bait:main"
python.requires = ["{requires}"]
"""


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    (home := tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    with serving(tmp_path / "index") as made:
        monkeypatch.setenv("PIP_INDEX_URL", made.url)
        yield made


def mkpkgs(place: Path, *arguments: str, requires: str = "bait") -> subprocess.CompletedProcess[str]:
    (place / "work").mkdir(exist_ok=True)
    (place / "work/mkpkgs.toml").write_text(PROJECT.format(requires=requires))
    return subprocess.run(
        [sys.executable, "-m", "packaging_tool", *arguments],
        cwd=place / "work",
        env={**os.environ, "PYTHONPATH": str(ROOT), "MKPKGS_KEYS": str(place / "keys")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


def repository(index: Index) -> str:
    """The address of a git repository with the sources."""
    place = index.root.parent / "git"
    shutil.unpack_archive(index.sources("evil"), place)
    git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    for step in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *step], cwd=place / "evil-1.0", check=True)
    subprocess.run([*git, "clone", "-q", "--bare", place / "evil-1.0", index.root / "evil.git"], check=True)
    subprocess.run([*git, "update-server-info"], cwd=index.root / "evil.git", check=True)
    return f"git+{index.url}/evil.git"


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        ("sources by http", "bwrap"),
        ("sources by http", "plain"),
        ("sources of this machine", "bwrap"),
        ("a repository", "plain"),
        ("a wheel", "bwrap"),
        ("a repository of this machine", "bwrap"),
    ],
)
def test_what_a_wheel_requires_by_address_does_not_run(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, kind: str
) -> None:
    if kind == "plain":
        monkeypatch.setenv("PATH", path_without("bwrap", tmp_path / "bin"))
    if where.startswith("a repository"):
        address = repository(index)
        if where == "a repository of this machine":
            address = f"git+{(index.root / 'evil.git').as_uri()}"
    elif where == "a wheel":
        address = f"{index.url}/evil/{index.wheel('evil').name}"
    else:
        file = index.sources("evil")
        address = f"{index.url}/{file.name}" if where == "sources by http" else file.as_uri()
    index.wheel("bait", f"evil @ {address}")
    done = mkpkgs(tmp_path, "lock")
    assert done.returncode == 1, done.stdout
    assert not index.mark.exists()
    what = index.sources("evil") if where == "sources of this machine" else f"evil @ {address}"
    if where == "a repository of this machine":
        # pip says no name.
        what = address
    who = "a wheel of the index" if where == "a wheel" else "bait"
    assert "Traceback" not in done.stdout
    assert "_vendor" not in done.stdout
    assert f"{who} requires {what}, which is in no index: pip would build and run what lies there" in done.stdout
    assert "choose a version that requires distributions of an index alone" in done.stdout
    assert ("run with all that you may do" in done.stdout) == (kind == "plain")
    assert not list((tmp_path / "work").glob("*.lock"))


def test_a_backend_brings_nothing_by_address_either(index: Index, tmp_path: Path) -> None:
    index.wheel("wheel")
    index.wheel("bait", f"evil @ {index.url}/{index.sources('evil').name}")
    (source := tmp_path / "source").mkdir()
    (source / "pyproject.toml").write_text('[build-system]\nrequires = ["bait"]\nbuild-backend = "bait"\n')
    with pytest.raises(BuildError, match=r"bait requires evil @ http.*pip would build and run"):
        pip.build(source, tmp_path / "cache", source, isolated=True)
    assert not index.mark.exists()


# A backend of PEP 517 in the project itself; the wheel names all that it found.
OWN_BACKEND = """
import os, zipfile
def build_wheel(directory, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(os.path.join(directory, "bait-1.0-py3-none-any.whl"), "w") as out:
        out.writestr("bait.py", "def main(): pass\\n")
        out.writestr("bait_saw.py", repr(sorted({*os.listdir(".")} - {"__pycache__"})))
        out.writestr("bait-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: bait\\nVersion: 1.0\\n")
        out.writestr("bait-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        out.writestr("bait-1.0.dist-info/RECORD", "")
    return "bait-1.0-py3-none-any.whl"
"""


def test_the_directory_of_the_project_is_built_as_it_was_before_mkpkgs_came(index: Index, tmp_path: Path) -> None:
    index.wheel("wheel")
    (tmp_path / "work").mkdir()
    project = '[build-system]\nrequires = []\nbuild-backend = "back"\nbackend-path = ["."]\n'
    (tmp_path / "work/pyproject.toml").write_text(project)
    (tmp_path / "work/back.py").write_text(OWN_BACKEND)
    (tmp_path / "work/.git").mkdir()
    (tmp_path / "work/.git/config").write_text("token\n")
    assert mkpkgs(tmp_path, "key", "new", requires="./").returncode == 0
    kept = []
    for number in range(2):
        for _ in range(2):
            done = mkpkgs(tmp_path, requires="./")
            assert done.returncode == 0, done.stdout
        files = [*(tmp_path / "work/dist").rglob("*.deb"), tmp_path / "work/mkpkgs.lock"]
        kept.append({file.name: file.read_bytes() for file in files})
        (tmp_path / "work/dist").rename(tmp_path / f"dist-{number}")
        saw = next((tmp_path / "work/.mkpkgs/python").rglob("bait_saw.py")).read_text()
        assert saw == "['back.py', 'mkpkgs.toml', 'pyproject.toml']"
        shutil.rmtree(tmp_path / "work/.mkpkgs")
    assert kept[0] == kept[1]


def test_an_address_is_no_more_than_words(index: Index, tmp_path: Path) -> None:
    """Whatever stands in an address, nothing runs, and what is told is one line that a terminal may get."""
    (marks := tmp_path / "marks").mkdir()
    # One of each kind: pip takes a second for each.
    kinds = ("command-without-blanks", "title-of-terminal", "right-to-left", "percent", "leading-dash", "long")
    for name, word in words(marks / "made"):
        if name in kinds:
            index.wheel("bait", f"evil @ hg+http://127.0.0.1/{word}@--config=alias.clone=!touch%20{marks}/made")
            with pytest.raises(BuildError) as refused:
                pip.resolve(["bait"], ANY)
            assert "\n" not in refused.value.message, name
            assert len(refused.value.message) < 2000, name
    assert not list(marks.iterdir())


def test_pip_is_not_a_file_of_the_checkout(index: Index, tmp_path: Path) -> None:
    (tmp_path / "work/pip").mkdir(parents=True)
    for name in ("pip/__init__.py", "pip/__main__.py", "runpy.py", "json.py"):
        (tmp_path / "work" / name).write_text(f"open({str(index.mark)!r}, 'w').write('ran')\n")
    index.wheel("bait")
    (tmp_path / "work/mkpkgs.toml").write_text(PROJECT.format(requires="bait"))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "packaging_tool", "lock"],
        cwd=tmp_path / "work",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert not index.mark.exists()


PROBE = """
import json, os, pathlib, socket
home = pathlib.Path(os.environ["HOME"])
listing = sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())
found = {{"home": listing, "environment": sorted(os.environ), "keys": os.path.exists({keys!r})}}
found["processes"] = sum(name.isdigit() for name in os.listdir("/proc"))
try:
    socket.create_connection(("127.0.0.1", {port})).close()
    found["network"] = True
except OSError:
    found["network"] = False
pathlib.Path("found").write_text(json.dumps(found))
"""


def test_pip_finds_its_settings_and_no_more(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a program in place of pip."""
    import json

    home, scratch = tmp_path / "home", tmp_path / "scratch"
    for name in (".ssh/id", ".netrc", ".config/pip/pip.conf", ".config/mkpkgs/keys/manifest.key", "ca.pem", "other"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("[global]\ncert = ~/ca.pem\n" if name.endswith("pip.conf") else "")
    scratch.mkdir()
    for name in ("GITHUB_TOKEN", "SSH_AUTH_SOCK", "PYTHONSTARTUP", "LD_LIBRARY_PATH"):
        monkeypatch.setenv(name, "/nothing")
    port, keys = int(index.url.rpartition(":")[2]), tmp_path / "keys"
    keys.mkdir()
    monkeypatch.setattr(caller, "render", lambda *_, **__: PROBE.format(keys=str(keys), port=port))
    caller.ask("install", scratch=scratch)
    found = json.loads((scratch / "found").read_text())
    assert [name for name in found["home"] if not name.startswith(".cache/")] == [
        ".config/pip/pip.conf",
        ".netrc",
        "ca.pem",
    ]
    assert found["network"]
    assert not found["keys"]
    assert found["processes"] < 4
    allowed = {"PATH", "HOME", "LC_ALL", "NETRC", "SOURCE_DATE_EPOCH", "PWD", *confine.PROXIES, *confine.CERTIFICATES}
    assert not [name for name in found["environment"] if name not in allowed and not name.startswith("PIP_")]


@pytest.mark.parametrize("kind", ["bwrap", at_night("plain")])
def test_the_settings_of_a_machine_count(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if kind == "plain":
        monkeypatch.setenv("PATH", path_without("bwrap", tmp_path / "bin"))
    index.wheel("ink")

    def found() -> list[str]:
        return [pin.name for pin in pip.resolve(["ink"], ANY)]

    monkeypatch.delenv("PIP_INDEX_URL")
    settings = f"[global]\nindex-url = {index.url}\n"
    for place in ("home/.config/pip/pip.conf", "home/.pip/pip.conf", "elsewhere/pip.conf", "xdg/pip/pip.conf"):
        (file := tmp_path / place).parent.mkdir(parents=True)
        file.write_text(settings)
        if place.startswith("elsewhere"):
            monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
        elif place.startswith("xdg"):
            monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
        index.asked.clear()
        assert found() == ["ink"], place
        assert "/ink/" in index.asked
        file.unlink()
        monkeypatch.delenv("PIP_CONFIG_FILE", raising=False)
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    # Folders in place of an index: by the environment, also relative, and by a file.
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    folder = index.root / "ink"
    for text in (str(folder), folder.as_uri(), f"/nothing {folder}"):
        monkeypatch.setenv("PIP_FIND_LINKS", text)
        assert found() == ["ink"], text
    monkeypatch.chdir(index.root)
    monkeypatch.setenv("PIP_FIND_LINKS", "ink")
    assert found() == ["ink"]
    monkeypatch.delenv("PIP_FIND_LINKS")
    (tmp_path / "home/.config/pip/pip.conf").write_text(f"[install]\nfind-links =\n    {folder}\n")
    assert found() == ["ink"]


def test_a_login_of_netrc_is_used(index: Index, tmp_path: Path) -> None:
    index.wheel("ink")
    index.closed = True
    with pytest.raises(CommandError):
        pip.resolve(["ink"], ANY)
    (tmp_path / "home/.netrc").write_text("machine 127.0.0.1 login reader password s3cret\n")
    (tmp_path / "home/.netrc").chmod(0o600)
    (found,) = pip.resolve(["ink"], ANY)
    (file,) = pip.fetch([found], ANY, tmp_path / "wheels")
    assert file.name == "ink-1.0-py3-none-any.whl"


def test_a_wheel_of_the_users_is_found_and_another_directory_is_not(index: Index, tmp_path: Path) -> None:
    index.wheel("ink")
    own = index.wheel("paper", "ink")
    shutil.move(own, tmp_path / own.name)
    shutil.rmtree(own.parent)
    assert [pin.name for pin in pip.resolve([str(tmp_path / own.name)], ANY)] == ["ink"]


@pytest.mark.parametrize(
    ("missing", "prefix", "hint"),
    [
        (("pip", "packaging"), "/usr", "install python3-pip python3-packaging"),
        (("packaging",), "/usr", "install python3-packaging"),
        # What apt and dnf install does not get there.
        (("packaging",), "/work/venv", "{python} -m pip install 'mkpkgs[python]'"),
        (("pip", "packaging"), "/work/venv", "{python} -m ensurepip && {python} -m pip install 'mkpkgs[python]'"),
    ],
)
def test_what_is_missing_is_to_be_installed_where_it_is_looked_for(
    missing: tuple[str, ...], prefix: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller, "find_spec", lambda name: None if name in missing else object())
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setattr(sys, "prefix", prefix)
    with pytest.raises(BuildError, match=f"needs {' and '.join(missing)}, which") as raised:
        caller.need()
    assert raised.value.hint == hint.format(python=sys.executable)


def test_a_server_that_is_not_there_is_told(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(CommandError, match=rf"^http://127\.0\.0\.1:{port} cannot be reached: Connection refused$"):
        pip.resolve(["ink"], ANY)
