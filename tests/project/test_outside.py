"""Sources are in the project, also where a link leads; `outside = true` says otherwise."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from packaging_tool import registry
from packaging_tool.errors import BuildError, ProjectError
from packaging_tool.listener import Silent
from packaging_tool.project.loader import load
from packaging_tool.project.model import Project

SAMPLES = Path(__file__).parent.parent / "samples"
TINY = SAMPLES / "tiny"


def tiny(root: Path, old: str = "", new: str = "") -> Path:
    shutil.copytree(TINY, root, ignore=shutil.ignore_patterns(".mkpkgs", "dist"))
    file = root / "mkpkgs.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1) if old else text)
    return file


@pytest.mark.parametrize("source", ["/etc/hostname", "../secret", "link", "link/key", "plugins/../../secret"])
def test_sources_that_lead_out_are_refused(source: str, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key").write_text("secret")
    file = tiny(tmp_path / "project", 'source = "plugins/hello"', f'source = "{source}"')
    (file.parent / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(ProjectError) as caught:
        load(file)
    (problem,) = caught.value.problems
    assert (problem.key, problem.line > 0) == ("plugin.hello.files.source", True)
    assert problem.what == f"{source!r} leads out of the project"
    assert "outside = true in [core]" in problem.instead
    file.write_text(file.read_text().replace("[core]\n", "[core]\noutside = true\n", 1))
    assert load(file).outside


def test_a_program_that_is_a_link_out_of_the_project_is_refused(tmp_path: Path) -> None:
    file = tiny(tmp_path / "project")
    (file.parent / "greet").unlink()
    (file.parent / "greet").symlink_to("/etc/passwd")
    with pytest.raises(ProjectError, match=r"core\.program: 'greet' leads out of the project"):
        load(file)


def test_a_link_within_the_project_is_good(tmp_path: Path) -> None:
    file = tiny(tmp_path / "project", 'source = "plugins/hello"', 'source = "link"')
    (file.parent / "link").symlink_to("plugins/hello")
    assert load(file).plugin_options["hello"].source == "link"


# Project file and folder of a plugin by driver, and the key that names the folder.
PROJECTS = {
    "files": (SAMPLES / "tiny/mkpkgs.toml", "plugins/hello", "plugin.hello.files.source"),
    "exec": (SAMPLES / "desk/mkpkgs.toml", "plugins/echo", "plugin.echo.exec.files"),
    "python": (SAMPLES / "shelf/mkpkgs.toml", "atlas", "plugin.atlas.python.requires"),
}


def entries(project: Project, name: str) -> dict[str, bytes]:
    """Names below the folder of a plugin, and bytes, as they would be packaged."""
    driver = registry.load("drivers", project.core.driver).Driver()
    lock = driver.lock(project, None, project.root, Silent())
    payload = driver.outline(project, lock, "all", project.root / "work").plugins[name]
    root = f"{project.plugins_directory}/{name}/"
    return {entry.path.removeprefix(root): b"".join(entry.content.chunks()) for entry in payload.entries}


@pytest.mark.parametrize("driver", PROJECTS)
def test_links_in_the_folder_of_a_plugin_stay_in_the_project(driver: str, tmp_path: Path) -> None:
    sample, place, key = PROJECTS[driver]
    shutil.copytree(sample.parent, tmp_path / "project", ignore=shutil.ignore_patterns(".mkpkgs", "dist"))
    file = tmp_path / "project/mkpkgs.toml"
    folder = file.parent / place
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/secret").write_text("secret\n")
    (folder / "below").mkdir()
    (folder / "below/file").symlink_to(tmp_path / "secrets/secret")
    (folder / "folder").symlink_to(tmp_path / "secrets")
    with pytest.raises(ProjectError) as caught:
        load(file)
    found = [(problem.key, problem.line > 0, problem.what.replace("./", "")) for problem in caught.value.problems]
    assert found == [
        (key, True, f"the link '{place}/{link}' leads out of the project") for link in ("below/file", "folder")
    ]
    for problem in caught.value.problems:
        assert problem.instead == "copy it into the project, or write outside = true in [core]"
    file.write_text(file.read_text().replace("[core]\n", "[core]\noutside = true\n", 1))
    project = load(file)
    fingerprint = registry.load("drivers", driver).Driver().fingerprint
    name = key.split(".")[1]
    before = fingerprint(project, name)
    if driver != "python":
        found_entries = entries(project, name)
        assert found_entries["below/file"] == found_entries["folder/secret"] == b"secret\n"
    (tmp_path / "secrets/secret").write_text("another\n")
    assert fingerprint(project, name) != before


@pytest.mark.parametrize("driver", ["files", "exec"])
def test_links_within_the_project_are_what_they_lead_to(driver: str, tmp_path: Path) -> None:
    sample, place, key = PROJECTS[driver]
    shutil.copytree(sample.parent, tmp_path / "project", ignore=shutil.ignore_patterns(".mkpkgs", "dist"))
    root = tmp_path / "project"
    (root / "shared").mkdir()
    (root / "shared/words").write_text("words\n")
    (root / place / "file").symlink_to("../../shared/words")
    (root / place / "folder").symlink_to("../../shared")
    name = key.split(".")[1]
    project = load(root / "mkpkgs.toml")
    found = entries(project, name)
    assert found["file"] == found["folder/words"] == b"words\n"
    # What comes to be after the project file was read is seen, too.
    (root / place / "late").symlink_to("/etc/hostname")
    with pytest.raises(BuildError, match="late leads out of the project"):
        entries(project, name)
    (root / place / "late").unlink()
    (root / place / "circle").symlink_to(".")
    with pytest.raises(BuildError, match="circle leads in a circle"):
        entries(project, name)


@pytest.mark.parametrize("module", ["../secret", "./link"])
def test_modules_of_go_are_in_the_project(module: str, tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "go-host", tmp_path / "project", ignore=shutil.ignore_patterns(".mkpkgs", "dist"))
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/go.mod").write_text("module example.com/secret\n")
    (tmp_path / "project/link").symlink_to(tmp_path / "secret")
    file = tmp_path / "project/mkpkgs.toml"
    file.write_text(f'{file.read_text()}\n[plugin.secret]\nsummary = "Is not ours"\ngo.module = "{module}"\n')
    with pytest.raises(ProjectError, match=rf"go\.module: '{module}' leads out of the project"):
        load(file)
    file.write_text(file.read_text().replace("[core]\n", "[core]\noutside = true\n", 1))
    assert load(file).outside
