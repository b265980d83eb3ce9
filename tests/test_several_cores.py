"""Whole runs of a project file that stands for several cores: one repository, and each core on its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.test_build import published
from tests.workspace import TINY, Workspace

FIRST, SECOND = (
    {f"greet{abi}{end}" for end in ("", "-plugin-bye", "-plugin-dev", "-plugin-hello", "-plugin-moon")} for abi in "12"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The sample server as greet1 and greet2, built."""
    made = Workspace.create(TINY, tmp_path_factory.mktemp("several"))
    file = made.root / "mkpkgs.toml"
    text = file.read_text().replace('name = "greet"', 'name = "greet{abi}"\nabis = ["1", "2"]')
    file.write_text(text.replace('"/etc/greet/"', '"/etc/greet{abi}/"'))
    made.mkpkgs()
    return made


@pytest.fixture
def project(built: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it."""
    return built.copy(tmp_path / "copy")


def pools(project: Workspace) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for kind in ("deb", "rpm") for path in project.dist.rglob(f"*.{kind}")}


def test_all_cores_come_into_one_repository(built: Workspace) -> None:
    assert published(built.dist) == FIRST | SECOND
    assert {path.parent.name for path in built.dist.rglob("*.deb")} == {"greet"}
    assert [path.name for path in built.dist.glob("*.sources")] == ["greet.sources"]
    page = (built.dist / "index.html").read_text()
    assert all(f">{name}</th>" in page for name in (FIRST | SECOND) - {"greet1-plugin-dev", "greet2-plugin-dev"})


def test_each_core_has_a_lock_of_its_own(built: Workspace) -> None:
    assert sorted(path.name for path in built.root.glob("*.lock")) == ["mkpkgs-1.lock", "mkpkgs-2.lock"]
    assert sorted(path.name for path in built.dist.glob("*.lock")) == ["greet1.lock", "greet2.lock"]
    first, second = ((built.root / f"mkpkgs-{abi}.lock").read_text() for abi in "12")
    assert first != second


def test_where_nothing_changed_nothing_is_done(project: Workspace) -> None:
    project.mkpkgs()
    assert "nothing to do" in project.mkpkgs().stdout


def test_one_core_can_be_built_alone(project: Workspace) -> None:
    before = pools(project)
    project.replace("mkpkgs.toml", version="1.1")
    project.mkpkgs("--abi", "2")
    new = set(pools(project)) - set(before)
    assert {name.partition("_")[0] for name in new if name.endswith(".deb")} == SECOND
    assert {name: time for name, time in pools(project).items() if name not in new} == before
    refused = project.mkpkgs("--abi", "3", check=False)
    assert refused.returncode == 2
    assert "'3' is not one of `abis`" in refused.stdout
    assert "write one of 1, 2" in refused.stdout


def test_a_plugin_may_end_for_one_core_and_go_on_for_another(project: Workspace) -> None:
    project.replace("mkpkgs.toml", version="1.1")
    file = project.root / "mkpkgs.toml"
    file.write_text(file.read_text().replace("[plugin.moon]\n", '[plugin.moon]\nabis = ["2"]\n'))
    left = project.mkpkgs("plan").stdout
    assert "greet1-plugin-moon" not in left
    assert "greet2-plugin-moon 1.1-1" in left
    retired = 'retired = ["moon"]\n'
    text = file.read_text()
    assert "[repository]\n" in text
    file.write_text(text.replace("[repository]\n", f"[repository]\n{retired}"))
    project.mkpkgs()
    # dpkg shows of the one that there is nothing in it, and of the other the plugin.
    for core, there in (("greet1", False), ("greet2", True)):
        (package,) = project.dist.rglob(f"{core}-plugin-moon_1.1-1_*.deb")
        shown = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True, check=True).stdout
        assert (f"/usr/lib/{core}/plugins/moon/" in shown) == there
    page = (project.dist / "index.html").read_text()
    assert ">greet2-plugin-moon</th>" in page
    assert ">greet1-plugin-moon</th>" not in page


def test_the_plan_shows_what_is_chosen(project: Workspace) -> None:
    assert "greet1 1.0-1" in project.mkpkgs("plan").stdout
    assert "greet1" not in project.mkpkgs("plan", "--abi", "2").stdout


@pytest.mark.parametrize("command", ["plan", "build"])
def test_two_cores_cannot_have_one_file(project: Workspace, command: str) -> None:
    file = project.root / "mkpkgs.toml"
    file.write_text(file.read_text().replace('"/etc/greet{abi}/"', '"/etc/greet.conf"'))
    before = pools(project)
    refused = project.mkpkgs(command, check=False)
    assert refused.returncode == 2
    assert "/etc/greet.conf is in greet1 and in greet2" in refused.stdout
    assert "with {abi} in it" in refused.stdout
    assert "build greet" not in refused.stdout
    assert pools(project) == before


def test_a_plugin_that_fails_is_told_with_the_core_that_it_fails_for(tmp_path: Path) -> None:
    project = Workspace.create(TINY.parent / "tiny-elf", tmp_path)
    file = project.root / "mkpkgs.toml"
    text = file.read_text().replace('name = "chime"', 'name = "chime{abi}"\nabis = ["1", "2"]')
    file.write_text(text.replace('"-shared", "-I', '"-shared", "-DABI={abi}", "-I'))
    source = project.root / "gong/gong.cc"
    source.write_text(f'#if ABI == 2\n#error "no gong for this one"\n#endif\n{source.read_text()}')
    done = project.mkpkgs(check=False)
    assert done.returncode == 1
    assert "plugin gong does not build" in done.stdout
    assert "for chime2: " in done.stdout
    assert "for chime1: " not in done.stdout
    assert {"chime1-plugin-gong", "chime2-plugin-bell"} <= (names := published(project.dist))
    assert "chime2-plugin-gong" not in names
