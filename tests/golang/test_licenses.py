"""The classifier on real texts: those of Go itself and, where the machine has them, of Debian's base-files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from packaging_tool.golang.licenses import classify, copyright_lines, of_go, of_module

COMMON = Path("/usr/share/common-licenses")


@pytest.mark.parametrize(
    ("name", "spdx"),
    [
        ("Apache-2.0", "Apache-2.0"),
        ("CC0-1.0", "CC0-1.0"),
        ("GPL-2", "GPL-2.0-only"),
        ("GPL-3", "GPL-3.0-only"),
        ("LGPL-2.1", "LGPL-2.1-only"),
        ("LGPL-3", "LGPL-3.0-only"),
        ("MPL-2.0", "MPL-2.0"),
    ],
)
def test_common_license_is_known(name: str, spdx: str) -> None:
    if not (COMMON / name).exists():
        pytest.skip(f"no {COMMON / name}")
    assert classify((COMMON / name).read_text(errors="replace")) == [spdx]


@pytest.mark.skipif(shutil.which("go") is None, reason="no go here")
def test_license_of_go_is_known() -> None:
    root = Path(subprocess.run(["go", "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip())
    license_ = of_module(of_go(root), [])
    assert license_.id == "BSD-3-Clause"
    assert license_.copyright[0].endswith("The Go Authors.")


@pytest.mark.skipif(shutil.which("go") is None, reason="no go here")
def test_a_go_that_came_without_its_license_has_the_same_text_elsewhere(tmp_path: Path) -> None:
    root = Path(subprocess.run(["go", "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip())
    (tmp_path / "src/vendor/golang.org/x").mkdir(parents=True)
    (tmp_path / "src/vendor/golang.org/x/net").symlink_to(root / "src/vendor/golang.org/x/net")
    assert of_module(of_go(tmp_path), []) == of_module(of_go(root), [])


def test_two_licenses_in_one_module_are_both_said(tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text("Apache License\nVersion 2.0, January 2004\n")
    (tmp_path / "sub/copied").mkdir(parents=True)
    (tmp_path / "sub/LICENSE.txt").write_text("Mozilla Public License Version 2.0\n(c) 2020 Somebody\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/COPYING").write_text("Mozilla Public License, v. 2.0\nCopyright 1999 Nobody\n")
    license_ = of_module(tmp_path, [tmp_path / "sub/copied"])
    assert license_.id == "Apache-2.0 AND MPL-2.0"
    assert license_.copyright == ("(c) 2020 Somebody",)


def test_unknown_text_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text("Do what you like.\n")
    assert of_module(tmp_path, []).id == ""
    assert of_module(tmp_path, []).text == "Do what you like.\n"


def test_copyright_lines_are_holders_and_not_clauses() -> None:
    text = """
    Copyright (c) 2009 The Go Authors. All rights reserved.
    // Copyright 2012-2015 The Prometheus Authors
    > Copyright © 2011 Russ Ross
    Copyright [yyyy] [name of copyright owner]
    The above copyright notice and this permission notice shall be included in all
    COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS"
    copyright starting in 2011 when the project was ported over:
    """
    assert copyright_lines(text) == [
        "Copyright (c) 2009 The Go Authors. All rights reserved.",
        "Copyright 2012-2015 The Prometheus Authors",
        "Copyright © 2011 Russ Ross",
    ]
