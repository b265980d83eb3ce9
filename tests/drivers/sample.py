"""A sample project that a test may change and build."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from packaging_tool.project.loader import load
from packaging_tool.project.model import Project


@dataclass
class Sample:
    """A copy of a sample, and a place to build it. Tests share the place: later runs find what is there."""

    root: Path
    workdir: Path

    @property
    def project(self) -> Project:
        return load(self.root / "mkpkgs.toml")

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert old in text
        (self.root / name).write_text(text.replace(old, new))


def emulate(kit: Path) -> None:
    """Have a kit's tools for arm64 run here."""
    if shutil.which("qemu-aarch64-static") is None:
        pytest.skip("not shown: there is no qemu-aarch64-static to run the kit's tools")
    # The kernel starts foreign programs through binfmt_misc only where somebody registered them.
    for tool in (kit / "compile", kit / "link"):
        real = tool.rename(tool.with_suffix(".real"))
        tool.write_text(f'#!/bin/sh\nexec qemu-aarch64-static {real} "$@"\n')
        tool.chmod(0o755)
