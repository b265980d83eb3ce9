"""The ABI can be computed again by anybody, from the lock and what `go version -m` says of the core."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from packaging_tool.drivers.go_link import Driver
from packaging_tool.listener import Silent
from packaging_tool.project.loader import load

SAMPLE = Path(__file__).parent.parent / "samples" / "go-host"


@pytest.mark.acceptance
@pytest.mark.skipif(shutil.which("go") is None, reason="no go here")
def test_the_abi_follows_from_the_lock_as_documented(tmp_path: Path) -> None:
    project, driver = load(SAMPLE / "mkpkgs.toml"), Driver()
    lock = driver.lock(project, None, tmp_path, Silent())
    outcome, lock = driver.build(project, lock, "amd64", tmp_path, Silent())
    locked = tomllib.loads(lock.text)["go-link"]
    built = locked["built"]["amd64"]
    told = subprocess.run(["go", "version", "-m", tmp_path / "amd64/core"], capture_output=True, text=True, check=True)
    settings = [line.split("\t")[2] for line in told.stdout.splitlines() if line.startswith("\tbuild\t")]
    godebug = [line.partition("=")[2] for line in settings if line.startswith("DefaultGODEBUG=")]
    main = "\0".join(locked["main"][part] for part in ("head", "mid", "tail"))
    lines = ["architecture amd64", "core host", "driver go-link", f"go {locked['go']}"]
    lines += [f"main {hashlib.sha256(main.encode()).hexdigest()}"]
    lines += [f"archive {sha256} {path}" for path, sha256 in built["archives"].items()]
    lines += [f"tool {sha256} {name}" for name, sha256 in built["tools"].items()]
    lines += [f"build {line}" for line in settings]
    lines += [f"env {name}={value}" for name, value in locked["settings"].items()]
    lines += [f"compile-flag {flag}" for flag in locked["compile-flags"]]
    lines += [f"link-flag {flag}" for flag in locked["link-flags"]]
    lines += [f"link-flag -X=runtime.godebugDefault={value}" for value in godebug]
    text = "".join(f"{line}\n" for line in ("mkpkgs abi 1", *sorted(lines)))
    assert hashlib.sha256(text.encode()).hexdigest() == outcome.abi == built["abi"]
