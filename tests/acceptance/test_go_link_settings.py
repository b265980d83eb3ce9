"""Settings of the go command reach every step: otherwise compile, link and archives would not fit together.

Each build compares what is linked as on the target with what `go build` makes; here with other settings than usual.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from packaging_tool.drivers.go_link import Driver
from packaging_tool.golang import lockfile
from packaging_tool.listener import Silent
from packaging_tool.project.loader import load

SAMPLE = Path(__file__).parent.parent / "samples" / "go-host"

pytestmark = pytest.mark.acceptance


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ('GOAMD64 = "v2", GOEXPERIMENT = "jsonv2"', ["GOAMD64=v2", "GOEXPERIMENT=jsonv2"]),
        ('GOFIPS140 = "latest"', ["GOFIPS140=latest"]),
    ],
)
def test_program_is_that_of_go_build_with_other_settings(settings: str, shown: list[str], tmp_path: Path) -> None:
    root = tmp_path / "project"
    shutil.copytree(SAMPLE, root)
    file = root / "mkpkgs.toml"
    file.write_text(file.read_text().replace("variables = {", f"settings = {{ {settings} }}\nvariables = {{"))
    project, driver = load(file), Driver()
    lock = driver.lock(project, None, tmp_path / "work", Silent())
    outcome, _ = driver.build(project, lock, "amd64", tmp_path / "work", Silent())
    assert outcome.failures == ()
    program = tmp_path / "work/amd64/all"
    told = subprocess.run(["go", "version", "-m", program], capture_output=True, text=True, check=True).stdout
    for setting in shown:
        assert setting in told
    printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    assert printed.split("\n")[:3] == ["bell ding", "echo dingding", "greet"]


def test_another_version_of_go_has_another_abi_and_is_told(tmp_path: Path) -> None:
    root = tmp_path / "project"
    shutil.copytree(SAMPLE, root)
    driver, told = Driver(), []

    class Ears(Silent):
        def warn(self, text: str) -> None:
            told.append(text)

    project = load(root / "mkpkgs.toml")
    lock = driver.lock(project, None, tmp_path / "work", Silent())
    before = lock.text
    # As an older Go has made it; what it was made of has the version in it.
    known = lockfile.read(before, "go-link")
    flags = tuple(re.sub(r"\bgo1\.\d+\.\d+", "go1.25.11", flag) for flag in known.compile_flags)
    older = lockfile.render(
        replace(
            known, go=re.sub(r"1\.\d+\.\d+", "1.25.11", known.go), compile_flags=flags, inputs=f"-{known.inputs[1:]}"
        ),
        "go-link",
    )
    assert older.count("go1.25.11") == 2
    again = driver.lock(project, type(lock)(older), tmp_path / "work", Ears())
    assert again.text == before
    assert len(told) == 1
    assert "not go1.25.11 as in the lock: the ABI changes" in told[0]
