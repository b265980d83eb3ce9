"""Modules of the project, served from a folder: the go command downloads them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from packaging_tool.errors import BuildError
from packaging_tool.golang.localmodule import publish, scan


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "go.mod").write_text("module example.com/Mixed/case\n\ngo 1.21\n")
    (folder / "code.go").write_text("package mixed\n")
    return folder


def test_version_names_the_content(module: Path, tmp_path: Path) -> None:
    first = scan(module, "1.2.3")
    assert first.version.startswith("v1.2.4-0.h")
    shutil.copytree(module, tmp_path / "elsewhere")
    assert scan(tmp_path / "elsewhere", "1.2.3").version == first.version
    (module / "code.go").write_text("package mixed // changed\n")
    assert scan(module, "1.2.3").version != first.version


def test_what_nobody_compiles_does_not_count(module: Path) -> None:
    before = scan(module, "").version
    (module / "code_test.go").write_text("package mixed\n")
    (module / "go.sum").write_text("")
    (module / ".git").mkdir()
    (module / ".git/HEAD").write_text("x")
    (module / "vendor").mkdir()
    (module / "vendor/modules.txt").write_text("x")
    (module / "nested").mkdir()
    (module / "nested/go.mod").write_text("module nested\n")
    (module / "link.go").symlink_to("/etc/passwd")
    assert scan(module, "").version == before


@pytest.mark.parametrize(
    ("path", "declared", "base"),
    [
        ("example.com/m", "1.2.3", "v1.2.4-0.h"),
        ("example.com/m", "", "v0.0.1-0.h"),
        ("example.com/m", "2.11.9", "v0.0.1-0.h"),
        ("example.com/m", "1.2", "v0.0.1-0.h"),
        ("example.com/m/v2", "2.11.9", "v2.11.10-0.h"),
        ("example.com/m/v2", "", "v2.0.1-0.h"),
    ],
)
def test_version_fits_the_module_path(module: Path, path: str, declared: str, base: str) -> None:
    (module / "go.mod").write_text(f"module {path}\n")
    assert scan(module, declared).version.startswith(base)


def test_folder_without_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"has no go.mod with a module line"):
        scan(tmp_path, "")


def test_folder_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"hullo: there is no such folder"):
        scan(tmp_path / "hullo", "")


@pytest.mark.skipif(shutil.which("go") is None, reason="no go here")
def test_go_downloads_it_and_finds_the_files(module: Path, tmp_path: Path) -> None:
    local = scan(module, "1.0.0")
    publish(local, tmp_path / "proxy")
    publish(local, tmp_path / "proxy")
    env = {
        **os.environ,
        "GOPROXY": (tmp_path / "proxy").as_uri(),
        "GONOSUMDB": "*",
        "GOMODCACHE": str(tmp_path / "cache"),
        "GOFLAGS": "-modcacherw",
    }
    argv = ["go", "mod", "download", "-json", f"{local.path}@{local.version}"]
    done = subprocess.run(argv, env=env, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert '"Sum": "h1:' in done.stdout
    found = tmp_path / f"cache/example.com/!mixed/case@{local.version}"
    assert sorted(path.name for path in found.iterdir()) == ["code.go", "go.mod"]
