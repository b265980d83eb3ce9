"""Plugins for somebody else's server that reads them as files; the judges are dpkg-deb, rpm and signify."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from packaging_tool.signing import signify
from tests.authors.world import dusk, write_dusk
from tests.workspace import Workspace, newest, raise_tiny, tiny


@pytest.fixture(scope="module")
def greet(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """What the maintainer publishes: version 1.0 and, with another format, 1.1."""
    made = tiny(tmp_path_factory.mktemp("greet"))
    made.mkpkgs()
    raise_tiny(made, "1.1", "2")
    made.mkpkgs()
    return made


@pytest.fixture
def author(greet: Workspace, tmp_path: Path) -> Iterator[Workspace]:
    yield dusk(tmp_path / "author", greet.dist)


def abis(core: Workspace) -> dict[str, str]:
    """The folders of the published ABIs by version."""
    index = tomllib.loads((core.dist / "dev/greet/index.toml").read_text())
    return {row["version"]: folder for folder, row in index["abi"].items()}


def control(package: Path, field: str) -> str:
    return subprocess.run(["dpkg-deb", "-f", package, field], capture_output=True, text=True, check=True).stdout.strip()


def test_the_index_is_signed_with_the_key_of_the_manifests(greet: Workspace) -> None:
    place = greet.dist / "dev/greet"
    assert (place / "key.pub").read_bytes() == (greet.keys / "manifest.pub").read_bytes()
    subprocess.run(
        ["signify-openbsd", "-V", "-p", place / "key.pub", "-x", place / "index.toml.sig", "-m", place / "index.toml"],
        check=True,
        capture_output=True,
    )
    assert sorted(abis(greet)) == ["1.0-1", "1.1-1"]


def test_an_abi_whose_core_left_the_repository_is_not_offered_any_more(greet: Workspace, tmp_path: Path) -> None:
    other = greet.copy(tmp_path / "copy")
    for path in other.dist.rglob("greet[_-]1.0*"):
        path.unlink()
    other.mkpkgs("repo")
    assert list(abis(other)) == ["1.1-1"]
    assert [path.name for path in (other.dist / "dev/greet").iterdir() if path.is_dir()] == [abis(other)["1.1-1"]]


def test_the_package_for_authors_has_the_same_files(greet: Workspace) -> None:
    for name, suffix in (("greet-plugin-dev", "deb"), ("greet-plugin-devel", "rpm")):
        package = newest(greet.dist, name, suffix)
        lister: list[str | Path] = ["dpkg-deb", "-c", package] if suffix == "deb" else ["rpm", "-qpl", package]
        listing = subprocess.run(lister, capture_output=True, text=True, check=True).stdout
        for file in ("mkpkgs.toml", "key.pub", f"{abis(greet)['1.1-1']}/core.toml"):
            assert f"/usr/share/greet/dev/{file}" in listing


def test_there_is_a_package_for_each_published_abi_and_no_core(author: Workspace, greet: Workspace) -> None:
    said = author.mkpkgs().stdout
    assert "write key = " in said
    assert {path.name for path in author.dist.rglob("*.deb")} == {
        "greet-plugin-dusk_2.0+1.0-1_all.deb",
        "greet-plugin-dusk_2.0+1.1-1_all.deb",
    }
    assert len(list(author.dist.rglob("*.rpm"))) == 2
    for version, abi in abis(greet).items():
        (package,) = author.dist.rglob(f"greet-plugin-dusk_2.0+{version}_all.deb")
        assert control(package, "Depends") == f"greet-abi-{abi.removesuffix('-all')}"
        assert control(package, "Source") == "acme-greet"
        assert control(package, "Maintainer") == "Ann Author <ann@acme.example.org>"
    assert author.mkpkgs().stdout.startswith("nothing to do")


def test_the_manifest_is_signed_by_the_author_whose_key_is_published(author: Workspace, tmp_path: Path) -> None:
    author.mkpkgs()
    subprocess.run(["dpkg-deb", "-x", newest(author.dist, "greet-plugin-dusk", "deb"), tmp_path / "x"], check=True)
    manifest = tmp_path / "x/usr/share/greet/plugins/dusk.manifest"
    key = author.dist / "acme-greet.pub"
    subprocess.run(
        ["signify-openbsd", "-V", "-p", key, "-x", f"{manifest}.sig", "-m", manifest], check=True, capture_output=True
    )
    assert "/etc/greet/keys.d/acme-greet.pub" in (author.dist / "index.html").read_text()


def test_versions_are_chosen_in_the_project_file(author: Workspace) -> None:
    file = author.root / "mkpkgs.toml"
    file.write_text(file.read_text().replace('core = "greet"', 'core = "greet"\nversions = ["1.1"]'))
    author.mkpkgs()
    assert [path.name for path in author.dist.rglob("*.deb")] == ["greet-plugin-dusk_2.0+1.1-1_all.deb"]
    file.write_text(file.read_text().replace('"1.1"', '"3.0"'))
    done = author.mkpkgs(check=False)
    assert done.returncode == 2
    assert "has nothing for 3.0" in done.stdout
    assert "1.0-1 (all), 1.1-1 (all)" in done.stdout


def test_what_the_maintainers_plugin_has_already_is_refused_with_its_line(author: Workspace) -> None:
    file = author.root / "mkpkgs.toml"
    file.write_text(file.read_text().replace("[plugin.dusk]", "[plugin.hello]"))
    done = author.mkpkgs(check=False)
    assert done.returncode == 2
    assert "mkpkgs.toml:10: plugin.hello: the maintainer of greet has a plugin hello" in done.stdout
    assert not author.dist.exists()


def test_a_file_that_the_core_has_is_refused(author: Workspace) -> None:
    file = author.root / "mkpkgs.toml"
    there = '\n[[plugin.dusk.file]]\nsource = "dusk/greeting"\npath = "/etc/greet/greet.conf"\ntype = "config"\n'
    file.write_text(file.read_text() + there)
    done = author.mkpkgs(check=False)
    assert done.returncode == 2
    assert "/etc/greet/greet.conf is a file of greet itself" in done.stdout


def test_a_plugin_may_need_one_of_the_maintainer(author: Workspace) -> None:
    file = author.root / "mkpkgs.toml"
    file.write_text(file.read_text().replace('version = "2.0"', 'version = "2.0"\nneeds = ["moon"]'))
    author.mkpkgs()
    assert "greet-plugin-moon (= 1.1-1)" in control(newest(author.dist, "greet-plugin-dusk", "deb"), "Depends")
    file.write_text(file.read_text().replace('["moon"]', '["mon"]'))
    done = author.mkpkgs(check=False)
    assert done.returncode == 2
    assert "there is no plugin 'mon'" in done.stdout
    assert "did you mean 'moon'?" in done.stdout


def test_changed_files_and_foreign_keys_are_refused(greet: Workspace, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    shutil.copytree(greet.dist / "dev", mirror / "dev")
    project = dusk(tmp_path / "author", mirror)
    index = mirror / "dev/greet/index.toml"
    good = index.read_text()
    index.write_text(good + "\n")
    assert "bad signature of key" in project.mkpkgs(check=False).stdout
    index.write_text(good)
    project.mkpkgs()
    # What is cached is known by its hash; the rest of the world may change.
    shutil.rmtree(project.root / ".mkpkgs")
    description = next((mirror / "dev/greet").glob("*/core.toml"))
    description.write_text(description.read_text().replace("greet-core", "greet-cora"))
    done = project.mkpkgs(check=False)
    assert done.returncode == 2
    assert "is not what it was when it was locked, or was damaged" in done.stdout
    # Somebody else's key, though the signature is right.
    other = Workspace.create(greet.root, tmp_path / "other")
    other.mkpkgs()
    shutil.rmtree(mirror / "dev")
    shutil.copytree(other.dist / "dev", mirror / "dev")
    done = project.mkpkgs("lock", check=False)
    assert done.returncode == 1
    assert "not by that of mkpkgs.lock" in done.stdout


def test_a_description_of_another_core_than_the_signed_index_says_is_refused(greet: Workspace, tmp_path: Path) -> None:
    """The maintainer of one server lists the description of another one, signed with the right key."""
    mirror = tmp_path / "mirror"
    shutil.copytree(greet.dist / "dev", mirror / "dev")
    index = mirror / "dev/greet/index.toml"
    text = index.read_text()
    for description in (mirror / "dev/greet").glob("*/core.toml"):
        before = description.read_bytes()
        changed = before.replace(b'name = "greet"', b'name = "caddy"', 1)
        assert changed != before
        description.write_bytes(changed)
        text = text.replace(hashlib.sha256(before).hexdigest(), hashlib.sha256(changed).hexdigest())
    index.write_text(text)
    secret = signify.load((greet.keys / "manifest.key").read_bytes(), None)
    (mirror / "dev/greet/index.toml.sig").write_bytes(secret.sign(text.encode(), "verify with key.pub"))
    done = dusk(tmp_path / "author", mirror).mkpkgs("check", check=False)
    assert done.returncode == 2
    assert "is of caddy, not of greet" in done.stdout
    assert "caddy-plugin" not in done.stdout


def test_the_project_file_that_is_published_as_an_example_works(greet: Workspace, tmp_path: Path) -> None:
    project = dusk(tmp_path / "author", greet.dist)
    text = (greet.dist / "dev/greet/mkpkgs.toml").read_text()
    text = text.replace('at = "http://127.0.0.1:8000"', f'at = "{greet.dist.as_uri()}"')
    (project.root / "mkpkgs.toml").write_text(text.replace('source = ""', 'source = "dusk"'))
    said = project.mkpkgs().stdout
    assert "write key = " not in said
    assert newest(project.dist, "greet-plugin-example", "deb").name == "greet-plugin-example_1.0+1.1-1_all.deb"


def test_a_newer_core_is_built_for_when_it_is_locked(tmp_path: Path) -> None:
    core = tiny(tmp_path / "core")
    core.mkpkgs()
    project = dusk(tmp_path / "author", core.dist)
    project.mkpkgs()
    raise_tiny(core, "1.1", "2")
    core.mkpkgs()
    assert project.mkpkgs().stdout.startswith("nothing to do")
    write_dusk(project, "2")
    project.mkpkgs("lock")
    project.mkpkgs()
    assert newest(project.dist, "greet-plugin-dusk", "deb").name == "greet-plugin-dusk_2.0+1.1-1_all.deb"


def test_a_core_of_the_projects_own_is_not_one_of_others(greet: Workspace, tmp_path: Path) -> None:
    project = greet.copy(tmp_path / "copy")
    file = project.root / "mkpkgs.toml"
    file.write_text(file.read_text() + '\n[plugin-of]\nname = "x-greet"\ncore = "greet"\ndriver = "files"\n')
    done = project.mkpkgs(check=False)
    assert done.returncode == 2
    assert "core: stands beside [plugin-of]" in done.stdout


def test_two_authors_of_one_plugin_or_one_file_are_told(greet: Workspace, author: Workspace, tmp_path: Path) -> None:
    author.mkpkgs()
    other = dusk(tmp_path / "other", greet.dist)
    file = other.root / "mkpkgs.toml"
    beside = f'core = "greet"\nbeside = ["{author.dist}"]'
    file.write_text(file.read_text().replace("acme-greet", "bravo-greet").replace('core = "greet"', beside))
    done = other.mkpkgs(check=False)
    assert done.returncode == 2
    assert "plugin.dusk: acme-greet has a plugin dusk, and both would be the same package" in done.stdout
    # The same file of plugins with different names, unless they are never installed together.
    place = '\n[[plugin.{}.file]]\nsource = "dusk/greeting"\npath = "/usr/share/doc/dusk-words"\n'
    own = author.root / "mkpkgs.toml"
    own.write_text(own.read_text() + place.format("dusk"))
    author.mkpkgs()
    file.write_text(file.read_text().replace("[plugin.dusk]", "[plugin.dawn]") + place.format("dawn"))
    done = other.mkpkgs(check=False)
    assert done.returncode == 2
    assert "/usr/share/doc/dusk-words is a file of greet-plugin-dusk of acme-greet" in done.stdout
    file.write_text(file.read_text().replace("[plugin.dawn]", '[plugin.dawn]\nclashes = ["dusk"]'))
    other.mkpkgs()
    assert control(newest(other.dist, "greet-plugin-dawn", "deb"), "Conflicts") == "greet-plugin-dusk"


def test_an_author_who_cannot_be_asked_stops_nobody(author: Workspace) -> None:
    file = author.root / "mkpkgs.toml"
    file.write_text(file.read_text().replace('core = "greet"', 'core = "greet"\nbeside = ["nowhere"]'))
    assert "is it the repository of an author of plugins for greet?" in author.mkpkgs().stdout


def test_a_format_of_any_letters_is_read_again_and_runs_nothing(greet: Workspace, tmp_path: Path) -> None:
    """It stands in the lock and in what is published, between quotes."""
    core, mark = greet.copy(tmp_path / "core"), tmp_path / "ran"
    word = f'a"b\\$(touch {mark})'
    file = core.root / "mkpkgs.toml"
    text = re.sub(r"(?m)^(format = ).*", lambda found: f"{found[1]}'{word}'", file.read_text(), count=1)
    assert word in text
    # No plugin of before has this format.
    file.write_text(re.sub(r'(?m)^version = "1\.\d"', 'version = "9.0"', text, count=1))
    core.mkpkgs()
    assert core.mkpkgs().stdout.startswith("nothing to do")
    done = dusk(tmp_path / "author", core.dist).mkpkgs("check", "-q", check=False)
    assert done.returncode in (0, 1)
    assert "a bug in mkpkgs" not in done.stdout
    assert not mark.exists()
