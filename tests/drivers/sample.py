"""A sample project that a test may change and build."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
