"""What `[core.elf.abi]` and `authors` name lies in the project, or in the built tree: the lock and dist/dev tell it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from packaging_tool import confine
from packaging_tool.drivers.elf import Driver
from packaging_tool.elf import tree
from packaging_tool.errors import BuildError, ProjectError
from packaging_tool.listener import Silent
from packaging_tool.project.loader import load
from tests.drivers.sample import Sample

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="the server is a program of C")

SAMPLE = Path(__file__).parent.parent / "samples" / "tiny-elf"
BUILT = 'source = "server"\nbuild = [["make", "-j{jobs}"]]\nprogram = "chime"\n'
ABI = 'abi = { macros = ["CHIME_ABI", "CHIME_SIGNATURE"], headers = ["chime.h"], exports = ["program"] }'
OUT = "leads out of the project; copy it into the project, or write outside = true in [core]"


@pytest.fixture
def prebuilt(tmp_path: Path) -> Sample:
    """A server that is not built, beside a secret."""
    root = tmp_path / "project"
    shutil.copytree(SAMPLE, root)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key.h").write_text("#define KEY 1\n")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "headers").mkdir()
    (root / "headers/own.h").write_text("#define OWN 1\n")
    (root / ".git").mkdir()
    (root / ".git/config.h").write_text("token\n")
    # Needs no library, so that nothing of this machine is asked for.
    command = ["gcc", "-nostdlib", "-static", "-Wl,-e,main", "-o", str(root / "chime"), "-x", "c", "-"]
    subprocess.run(command, input=b"int main(void) { return 0; }", check=True)
    bench = Sample(root, tmp_path / "work")
    text = (root / "mkpkgs.toml").read_text().partition("[plugin.bell]")[0].replace(BUILT, "")
    (root / "mkpkgs.toml").write_text(text.replace("[core]\n", '[core]\nprogram = "chime"\n'))
    return bench


@pytest.mark.parametrize(
    ("said", "key", "what"),
    [
        ('abi = { files = ["../secret/**/*"] }', "abi.files", f"'../secret/**/*' {OUT}"),
        ('abi = { files = ["headers/../../secret/*"] }', "abi.files", f"'headers/../../secret/*' {OUT}"),
        ('abi = { files = ["link/*"] }', "abi.files", f"'link' {OUT}"),
        ('abi = { files = ["link/key.h"] }', "abi.files", f"'link/key.h' {OUT}"),
        ('abi = { exports = ["/bin/true"] }', "abi.exports", f"'/bin/true' {OUT}"),
        ('abi = { exports = ["link/key.h"] }', "abi.exports", f"'link/key.h' {OUT}"),
        ('abi = { macros = ["KEY"], headers = ["../secret/key.h"] }', "abi.headers", f"'../secret/key.h' {OUT}"),
        ('abi = { macros = ["K"], headers = ["k.h"], include = ["../secret"] }', "abi.include", f"'../secret' {OUT}"),
        ('abi = { macros = ["K"], headers = ["k.h"], include = ["/home"] }', "abi.include", "'/home' is neither in"),
        ('abi = { version = "1" }\nauthors = { symbols = ["/root/x"] }', "authors.symbols", "'/root/x' is neither in"),
        ('abi = { version = "1" }\nauthors = { symbols = ["link/key.h"] }', "authors.symbols", f"'link/key.h' {OUT}"),
    ],
)
def test_paths_of_the_abi_that_lead_out_are_refused(prebuilt: Sample, said: str, key: str, what: str) -> None:
    prebuilt.edit("mkpkgs.toml", ABI, said)
    with pytest.raises(ProjectError) as caught:
        load(prebuilt.root / "mkpkgs.toml")
    (problem,) = caught.value.problems
    assert f" core.elf.{key}: {what}" in str(problem)
    assert problem.line > 0
    prebuilt.edit("mkpkgs.toml", "[core]\n", "[core]\noutside = true\n")
    assert load(prebuilt.root / "mkpkgs.toml").outside


@pytest.mark.parametrize(
    "said",
    [
        'files = ["../*"]',
        'exports = ["/bin/true"]',
        'exports = ["../x"]',
        'macros = ["K"], headers = ["/etc/x.h"]',
        'macros = ["K"], headers = ["x.h"], include = ["../.."]',
    ],
)
def test_paths_that_lead_out_of_the_built_tree_are_refused(tmp_path: Path, said: str) -> None:
    shutil.copytree(SAMPLE, tmp_path / "project")
    bench = Sample(tmp_path / "project", tmp_path / "work")
    bench.edit("mkpkgs.toml", ABI, f"abi = {{ {said} }}")
    with pytest.raises(ProjectError, match=r"core\.elf\.abi\.\w+: '.*' leads out of the built tree; write it relative"):
        load(bench.root / "mkpkgs.toml")


def test_the_lock_counts_what_is_a_source_and_nothing_that_came_to_lead_out(prebuilt: Sample) -> None:
    (prebuilt.root / "link").unlink()
    prebuilt.edit("mkpkgs.toml", ABI, 'abi = { files = ["*/*.h"] }\ndebug = false\nauthors = { files = ["**/*.h"] }')
    project, driver = prebuilt.project, Driver()
    lock = driver.lock(project, None, prebuilt.workdir, Silent())
    outcome, lock = driver.build(project, lock, "amd64", prebuilt.workdir, Silent())
    assert "file headers/own.h " in lock.text
    assert ".git" not in lock.text
    published = outcome.authors["core.tar"]
    assert published is not None
    assert b"headers/own.h" in (packed := b"".join(published.chunks()))
    assert b"token" not in packed
    (prebuilt.root / "link").symlink_to(prebuilt.root.parent / "secret")
    with pytest.raises(BuildError, match=r"link/key\.h, which leads out of"):
        driver.build(project, lock, "amd64", prebuilt.workdir, Silent())


@pytest.mark.skipif(confine._cage() is None, reason="without bubblewrap, commands see all that the user sees")
def test_commands_of_the_abi_see_nothing_around_the_project(prebuilt: Sample) -> None:
    prebuilt.edit("mkpkgs.toml", ABI, 'abi = { commands = [["cat", "../secret/key.h"]] }\ndebug = false')
    project, driver = prebuilt.project, Driver()
    lock = driver.lock(project, None, prebuilt.workdir, Silent())
    with pytest.raises(BuildError) as caught:
        driver.build(project, lock, "amd64", prebuilt.workdir, Silent())
    assert "No such file" in f"{caught.value.message} {getattr(caught.value, 'output', '')}"


@pytest.mark.parametrize("built", [True, False])
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ('abi = { files = ["/abs/x"] }', "abi.files: '/abs/x' leads elsewhere; write it relative to the "),
        ('abi = { files = [""] }', "abi.files: '' leads elsewhere; write it relative to the "),
        ('abi = { files = ["**x"] }', "abi.files: '**x' is no pattern of paths; write for example"),
        ('abi = { files = ["."] }', "abi.files: '.' is no pattern of paths; write for example"),
        ('abi = { version = "1" }\nauthors = { files = ["**x"] }', "authors.files: '**x' is no pattern of paths"),
        ('abi = { exports = [""] }', "abi.exports: '' is no path; write it relative to the "),
        ("abi = { commands = [[]] }", "abi.commands: command 1 is empty; write for example"),
        ('abi = { commands = [["true"], [""]] }', "abi.commands: command 2 is empty; write for example"),
    ],
)
def test_values_that_name_nothing_are_told_by_their_keys(
    prebuilt: Sample, tmp_path: Path, said: str, expected: str, *, built: bool
) -> None:
    if built:
        shutil.copytree(SAMPLE, tmp_path / "built")
        prebuilt = Sample(tmp_path / "built", tmp_path / "work")
    prebuilt.edit("mkpkgs.toml", ABI, said)
    done = subprocess.run(
        [sys.executable, "-m", "packaging_tool", "plan"], cwd=prebuilt.root, stderr=subprocess.PIPE, check=False
    )
    assert done.returncode == 2
    (line,) = (line for line in done.stderr.decode().splitlines() if "core.elf" in line)
    assert f"core.elf.{expected}" in line


def test_an_export_that_is_not_there_is_told(prebuilt: Sample) -> None:
    prebuilt.edit("mkpkgs.toml", ABI, 'abi = { exports = ["headers"] }')
    with pytest.raises(ProjectError, match=r"core\.elf\.abi\.exports: there is no file headers; build it first"):
        load(prebuilt.root / "mkpkgs.toml")


@pytest.mark.parametrize("name", [os.fsdecode(b"caf\xe9.h"), "a\nexport fake FUNC.h"])
def test_names_that_are_no_text_are_hashed_in_sources_and_refused_in_lines(prebuilt: Sample, name: str) -> None:
    prebuilt.edit("mkpkgs.toml", ABI, 'abi = { files = ["headers/*.h"] }\ndebug = false')
    before = tree.digest(prebuilt.root / "headers")
    (prebuilt.root / "headers" / name).write_text("x")
    assert tree.digest(prebuilt.root / "headers") != before
    project, driver = prebuilt.project, Driver()
    lock = driver.lock(project, None, prebuilt.workdir, Silent())
    with pytest.raises(BuildError) as caught:
        driver.build(project, lock, "amd64", prebuilt.workdir, Silent())
    assert f"the ABI counts the file {f'headers/{name}'!r}, which no line can name" == caught.value.message


def test_what_lies_elsewhere_is_counted_where_the_project_says_outside(prebuilt: Sample) -> None:
    prebuilt.edit("mkpkgs.toml", ABI, 'abi = { files = ["../secret/*.h", "link/*"] }\ndebug = false')
    prebuilt.edit("mkpkgs.toml", "[core]\n", "[core]\noutside = true\n")
    project, driver = prebuilt.project, Driver()
    lock = driver.lock(project, None, prebuilt.workdir, Silent())
    _, lock = driver.build(project, lock, "amd64", prebuilt.workdir, Silent())
    assert "file ../secret/key.h " in lock.text
    assert "file link/key.h " in lock.text
