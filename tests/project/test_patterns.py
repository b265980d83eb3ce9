"""What a pattern finds goes into the package, or is refused with what to write instead: nothing is left out unseen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from packaging_tool.errors import ProjectError
from packaging_tool.project import contents
from packaging_tool.project.loader import load

SAMPLE = Path(__file__).parent.parent / "samples/tiny"


def entry(source: str, path: str = "/usr/share/greet/www/", more: str = "") -> str:
    return f'[[core.file]]\nsource = "{source}"\npath = "{path}"\n{more}\n'


Told = Callable[..., str]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """What is said of the entries of a project with these files; "" if nothing."""
    root = tmp_path / "tiny"
    shutil.copytree(SAMPLE, root)

    def tell(entries: str, *files: str) -> str:
        for name in files:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith("/"):
                path.mkdir(exist_ok=True)
            else:
                path.write_text("text\n")
        file = root / "mkpkgs.toml"
        file.write_text((SAMPLE / "mkpkgs.toml").read_text().replace("[core.rpm]", f"{entries}\n[core.rpm]"))
        try:
            load(file)
        except ProjectError as error:
            return str(error)
        return ""

    return tell


def test_a_folder_is_not_left_out(told: Told) -> None:
    said = told(entry("www/*"), "www/index.html", "www/css/a.css")
    assert "core.file[1].source: 'www/*' finds the folder 'www/css', and takes files only" in said
    wanted = entry("www/css/*", "/usr/share/greet/www/css/")
    assert 'write another entry with source = "www/css/*" and path = "/usr/share/greet/www/css/"' in said
    assert "such as www/*.*" in said
    # Each of both is the way out.
    assert told(entry("www/*") + wanted) == told(entry("www/*.*")) == ""


def test_an_empty_folder_is_not_left_out(told: Told) -> None:
    said = told(entry("www/*"), "www/index.html", "www/cache/")
    assert 'write type = "directory" and path = "/usr/share/greet/www/cache" in another entry' in said
    made = '[[core.file]]\ntype = "directory"\npath = "/usr/share/greet/www/cache"\n'
    assert told(entry("www/*") + made) == ""


def test_a_folder_in_the_place_of_a_file_is_told_as_one(told: Told) -> None:
    for source in ("www", "www/"):
        said = told(entry(source), "www/index.html")
        assert f"core.file[1].source: {source!r} is a folder" in said
        assert 'write "www/*" for the files in it' in said
    assert "'www/**' finds folders alone; write \"www/*\" for" in told(entry("www/**"))
    assert told(entry("www/*")) == ""


def test_links_to_nothing_and_pipes_are_not_left_out(told: Told, tmp_path: Path) -> None:
    told("", "www/index.html")
    (tmp_path / "tiny/www/b.conf").symlink_to("nowhere")
    assert "'www/*' finds 'www/b.conf', which is a link that leads to nothing" in told(entry("www/*"))
    (tmp_path / "tiny/www/b.conf").unlink()
    os.mkfifo(tmp_path / "tiny/www/pipe")
    assert "'www/*' finds 'www/pipe', which is no regular file" in told(entry("www/*"))


def test_hidden_files_are_taken_or_left_out_by_who_says_so(told: Told) -> None:
    said = told(entry("www/*"), "www/index.html", "www/.gitignore", "www/.index.html.swp")
    assert "'www/*' finds 'www/.gitignore', which begins with a dot and is hidden" in said
    assert 'write "www/[!.]*" to leave it out, or name those to take' in said
    assert told(entry("www/[!.]*")) == told(entry("www/[!.]*") + entry("www/.*")) == told(entry("www/.gitignore")) == ""
    assert "finds 'www/.cache/x', which begins with a dot" in told(entry("www/**/x"), "www/.cache/x")


@pytest.mark.parametrize("name", ["index.html~", "#index.html#"])
def test_an_editors_copy_is_told(told: Told, name: str) -> None:
    said = told(entry("www/*"), "www/index.html", f"www/{name}")
    assert f"'www/*' finds 'www/{name}', which looks like a copy that an editor left" in said
    assert told(entry("www/*.html")) == told(entry(f"www/{name}")) == ""


def test_folders_do_not_flow_into_one(told: Told) -> None:
    said = told(entry("www/**/*"), "www/index.html", "www/css/index.html")
    assert "'www/**/*' finds files in 2 folders, and here they would all lie in one" in said
    assert 'source = "www/css/*" and path = "/usr/share/greet/www/css/"' in said
    assert told(entry("www/**/*.css"), "www/css/a.css") == ""


def test_what_version_control_keeps_is_no_source_and_no_word_is_lost_about_it(told: Told, tmp_path: Path) -> None:
    assert told(entry("www/*"), "www/index.html", "www/.git/config") == ""
    assert [path.name for path in contents.sources(tmp_path / "tiny", "www/*")] == ["index.html"]


@pytest.mark.parametrize(
    ("name", "write"), [("[x].txt", "[[]x].txt"), ("a?b[1].txt", "a[?]b[[]1].txt"), ("[2]/[3]", "[[]2]/[[]3]")]
)
def test_a_name_that_reads_as_a_pattern_is_told_how_it_is_written(told: Told, name: str, write: str) -> None:
    said = told(entry(f"www/{name}"), f"www/{name}")
    assert f"core.file[1].source: 'www/{name}' is read as a pattern, which finds nothing; a file has just" in said
    assert f'write "www/{write}"' in said
    assert told(entry(f"www/{write}")) == ""
    assert "there is no file 'www/[y]*'" in told(entry("www/[y]*"))


def test_a_name_that_as_a_pattern_finds_others_too_is_told(told: Told) -> None:
    for name, write, other in (
        ("a*.txt", "a[*].txt", "ab.txt"),
        ("w?.txt", "w[?].txt", "we.txt"),
        ("[x]", "[[]x]", "x"),
    ):
        assert told(entry(f"www/{write}"), f"www/{name}") == ""
        said = told(entry(f"www/{name}"), f"www/{other}")
        assert f"'www/{name}' is the name of a file, and as a pattern it finds 'www/{other}' too" in said
        assert f'write "www/{write}" for that file alone, or rename it to take all' in said


def test_folders_whose_names_read_as_patterns_are_told_as_they_are_written(told: Told) -> None:
    assert 'write "www/[[]x]/*" for the files in it' in told(entry("www/[x]"), "www/[x]/a.txt")
    assert "'www/*' finds folders alone; write \"www/[[]x]/*\" for" in told(entry("www/*"))
    said = told(entry("www/*"), "www/index.html")
    assert 'write another entry with source = "www/[[]x]/*" and path = "/usr/share/greet/www/[x]/"' in said
    assert told(entry("www/[[]x]/*")) == ""
