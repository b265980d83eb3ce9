"""What an author asks before anything is published: check, abi diff, rebuild."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.authors.world import dusk, write_dusk
from tests.workspace import Workspace, raise_tiny, tiny


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`old` and `new`: the published server 1.0, and the same with 1.1, which reads another format."""
    place = tmp_path_factory.mktemp("releases")
    core = tiny(place / "core")
    core.mkpkgs()
    shutil.copytree(core.dist, place / "old")
    shutil.copyfile(core.root / "mkpkgs.lock", place / "old.lock")
    raise_tiny(core, "1.1", "2")
    core.mkpkgs()
    shutil.copytree(core.dist, place / "new")
    shutil.copyfile(core.root / "mkpkgs.lock", place / "new.lock")
    return place


def serve(releases: Path, name: str, project: Workspace) -> None:
    """Put a release where the project looks for it."""
    place = project.root.parent / "published"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(releases / name, place)


@pytest.fixture
def author(releases: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(releases / "old", tmp_path / "published")
    return dusk(tmp_path, tmp_path / "published")


def test_check_names_each_version_and_needs_no_key(author: Workspace, releases: Path) -> None:
    serve(releases, "new", author)
    shutil.rmtree(author.keys)
    done = author.mkpkgs("check", "-q")
    assert done.stdout == "greet 1.0-1 (all)\n  dusk: fits\ngreet 1.1-1 (all)\n  dusk: fits\n"
    assert author.mkpkgs("check", "-q", "--against", "1.1").stdout == "greet 1.1-1 (all)\n  dusk: fits\n"
    assert not author.dist.exists()
    assert not (author.root / "mkpkgs.lock").exists()


def test_check_names_what_does_not_fit_and_the_repair(author: Workspace, releases: Path) -> None:
    file = author.root / "mkpkgs.toml"
    file.write_text(file.read_text().replace('files.source = "dusk"', 'files = { source = "dusk", format = "1" }'))
    done = author.mkpkgs("check", "-q", "--against", str(releases / "new"), check=False)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "greet 1.0-1 (all)",
        "  dusk: fits",
        "greet 1.1-1 (all)",
        "  dusk: its files have the format 1, and the core reads 2",
        "    repair: write files in the format 2, or leave this core out by `versions` in [plugin-of]",
    ]
    serve(releases, "new", author)
    built = author.mkpkgs(check=False)
    assert built.returncode == 1
    assert "for greet 1.1-1 (all): its files have the format 1" in built.stdout
    assert [path.name for path in author.dist.rglob("*.deb")] == ["greet-plugin-dusk_2.0+1.0-1_all.deb"]


def test_abi_diff_says_why_plugins_must_be_rebuilt(releases: Path) -> None:
    core = Workspace.at(releases / "core")
    done = core.mkpkgs("abi", "diff", str(releases / "old"), str(releases / "new"), check=False)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "greet 1.0-1 (all) → greet 1.1-1 (all)",
        "  format: 1 became 2",
        "  another ABI: every plugin must be rebuilt: bye, hello, moon",
    ]
    locks = core.mkpkgs("abi", "diff", str(releases / "old.lock"), str(releases / "new.lock"), check=False)
    assert "  format: 1 became 2\n" in locks.stdout
    same = core.mkpkgs("abi", "diff", str(releases / "new"), str(releases / "new"))
    assert same.stdout.endswith("  the same ABI: no plugin needs a new build\n")
    wrong = core.mkpkgs("abi", "diff", str(releases / "nowhere"), str(releases / "new"), check=False)
    assert wrong.returncode == 2


def test_abi_diff_names_plugins_that_another_one_of_the_same_abi_makes_old(releases: Path, tmp_path: Path) -> None:
    core = Workspace.at(releases / "core").copy(tmp_path / "copy")
    file = core.root / "mkpkgs.toml"
    text = file.read_text().replace("[plugin.bye]", '[plugin.bye]\nrelease = "2"')
    file.write_text(text.replace("[plugin.moon]", '[plugin.moon]\nrelease = "2"'))
    core.mkpkgs()
    done = core.mkpkgs("abi", "diff", str(releases / "new"), str(core.dist), check=False)
    assert done.returncode == 1
    assert "    moon: it needs bye, 1.1-1 became 1.1-2\n" in done.stdout


def test_abi_diff_knows_what_the_new_core_still_takes(releases: Path, tmp_path: Path) -> None:
    core = Workspace.at(releases / "core").copy(tmp_path / "copy")
    (core.root / "mkpkgs.toml").write_text(
        (core.root / "mkpkgs.toml").read_text().replace('format = "2"', 'format = "2"\naccepts = ["1"]', 1)
    )
    core.mkpkgs()
    done = core.mkpkgs("abi", "diff", str(releases / "old"), str(core.dist), check=False)
    assert done.stdout.splitlines()[1:] == [
        "  format: 1 became 2",
        "  another ABI, and the core still takes plugins of the old one, but some plugins must be rebuilt:",
        "    moon: it needs bye, 1.0-1 became 1.1-1",
    ]
    back = core.mkpkgs("abi", "diff", str(core.dist), str(releases / "new"), check=False)
    assert back.returncode == 1
    assert "not all ABIs before that are taken any more: plugins that ask for those must be rebuilt" in back.stdout


def test_abi_diff_wants_locks_of_the_core(author: Workspace, releases: Path) -> None:
    author.mkpkgs("lock")
    done = author.mkpkgs("abi", "diff", str(releases / "old.lock"), str(author.root / "mkpkgs.lock"), check=False)
    assert done.returncode == 2
    assert "mkpkgs.lock is of plugins for somebody else's core" in done.stdout


def test_rebuild_follows_the_plugins_that_a_plugin_needs(author: Workspace, releases: Path, tmp_path: Path) -> None:
    serve(releases, "new", author)
    write_dusk(author, "2")
    file = author.root / "mkpkgs.toml"
    file.write_text(file.read_text().replace('version = "2.0"', 'version = "2.0"\nneeds = ["bye"]\nrelease = "1"'))
    author.mkpkgs()
    core = Workspace.at(releases / "core").copy(tmp_path / "copy")
    text = (core.root / "mkpkgs.toml").read_text().replace("[plugin.bye]", '[plugin.bye]\nrelease = "2"')
    (core.root / "mkpkgs.toml").write_text(text.replace("[plugin.moon]", '[plugin.moon]\nrelease = "2"'))
    core.mkpkgs()
    shutil.rmtree(tmp_path / "published")
    shutil.copytree(core.dist, tmp_path / "published")
    refused = author.mkpkgs("rebuild", check=False)
    assert refused.returncode == 2
    assert "greet-plugin-dusk 2.0+1.1-1 is published already, and now needs greet-plugin-bye 1.1-2" in refused.stdout
    assert 'write release = "2" in [plugin.dusk]' in refused.stdout
    file.write_text(file.read_text().replace('release = "1"', 'release = "2"'))
    assert "build for greet 1.1-1 (all)" in author.mkpkgs("rebuild").stdout


def test_rebuild_does_what_a_new_core_made_necessary_and_nothing_else(author: Workspace, releases: Path) -> None:
    author.mkpkgs()
    (old,) = author.dist.rglob("*.deb")
    before = old.read_bytes(), old.stat().st_mtime_ns
    assert author.mkpkgs("rebuild").stdout.splitlines()[-1].startswith("nothing to do")
    serve(releases, "new", author)
    write_dusk(author, "2")
    done = author.mkpkgs("rebuild")
    assert "build for greet 1.1-1 (all)" in done.stdout
    assert "build for greet 1.0-1 (all)" not in done.stdout
    names = {"greet-plugin-dusk_2.0+1.0-1_all.deb", "greet-plugin-dusk_2.0+1.1-1_all.deb"}
    assert {path.name for path in author.dist.rglob("*.deb")} == names
    assert (old.read_bytes(), old.stat().st_mtime_ns) == before
    assert author.mkpkgs("rebuild").stdout.splitlines()[-1].startswith("nothing to do")


def test_questions_of_authors_are_refused_where_the_core_is_ones_own(releases: Path) -> None:
    done = Workspace.at(releases / "core").mkpkgs("check", check=False)
    assert done.returncode == 2
    assert "mkpkgs.toml has no [plugin-of]" in done.stdout
