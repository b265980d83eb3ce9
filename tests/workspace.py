"""A project in a directory of its own, with its own keys, built by the real command line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

TINY = Path(__file__).parent / "samples/tiny"


class Workspace:
    """A project that is already below directory: `project/` and its `keys/`."""

    def __init__(self, root: Path, keys: Path) -> None:
        self.root = root
        self.keys = keys
        self._variables: dict[str, str] = {}

    @classmethod
    def at(cls, directory: Path) -> Self:
        """The workspace that create() or copy() made in directory."""
        return cls(directory / "project", directory / "keys")

    @classmethod
    def create(cls, source: Path, directory: Path, *, keys: Path | None = None) -> Self:
        """A copy of the project in source below directory. keys: of another workspace, to share; else new ones."""
        made = cls.at(directory)
        shutil.copytree(source, made.root, ignore=shutil.ignore_patterns(".mkpkgs", "dist"))
        if keys is None:
            made.mkpkgs("key", "new")
        else:
            shutil.copytree(keys, made.keys)
        return made

    def quick(self) -> Self:
        """The same, compressed with the least effort: that takes half of the time in which a Go server is packed."""
        file = self.root / "mkpkgs.toml"
        head, core, rest = file.read_text().partition("[core]\n")
        assert core
        file.write_text(head + core + 'compression = { deb = "gzip:1", rpm = "zstd:1" }\n' + rest)
        return self

    def copy(self, directory: Path) -> Self:
        """The same, with all that is built already, in another directory."""
        other = type(self).at(directory)
        shutil.copytree(self.root, other.root)
        shutil.copytree(self.keys, other.keys)
        return other

    @property
    def dist(self) -> Path:
        """The published repositories."""
        return self.root / "dist"

    def mkpkgs(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run mkpkgs in the project, as a user does; stderr is in stdout."""
        if self.dist.exists() and not arguments:
            # apt asks If-Modified-Since in whole seconds: two publications in one second look like one.
            time.sleep(1.1)
        with self.start(*arguments, output=subprocess.PIPE) as running:
            try:
                output, _ = running.communicate(timeout=1500)
            except BaseException:
                running.kill()
                raise
        done = subprocess.CompletedProcess(running.args, running.returncode, output)
        if check:
            assert done.returncode == 0, f"mkpkgs {' '.join(arguments)}: status {done.returncode}\n{done.stdout}"
        return done

    def start(self, *arguments: str, output: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """Begin to run mkpkgs in the project, in a session of its own. output: for stdout and stderr."""
        return subprocess.Popen(
            [sys.executable, "-m", "packaging_tool", *arguments],
            cwd=self.root,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def under(self, **variables: str) -> Self:
        """The same project where these variables are set, too."""
        other = type(self)(self.root, self.keys)
        other._variables = {**self._variables, **variables}
        return other

    def patched(self, directory: Path, text: str) -> Self:
        """The same project where Python begins with this text. directory: to keep it in; it must not exist."""
        directory.mkdir()
        (directory / "sitecustomize.py").write_text(text)
        return self.under(PYTHONPATH=f"{directory}:{self.environment()['PYTHONPATH']}")

    def environment(self) -> dict[str, str]:
        """Ours without what a user may have set for mkpkgs, and with the keys of this workspace."""
        keep = {key: value for key, value in os.environ.items() if not key.startswith(("MKPKGS_", "SOURCE_DATE_"))}
        keep |= {key: os.environ[key] for key in ("MKPKGS_SHOW",) if key in os.environ}
        return {
            **keep,
            "MKPKGS_KEYS": str(self.keys),
            "PYTHONPATH": str(Path(__file__).parent.parent),
            **self._variables,
        }

    def replace(self, file: str, **words: str) -> None:
        """Set the first `key = "value"` line of each key in a file of the project: the core stands first."""
        path = self.root / file
        lines = path.read_text().splitlines()
        for key, value in words.items():
            found = [number for number, line in enumerate(lines) if line.startswith(f"{key} = ")]
            assert found, f"there is no {key} in {path}"
            lines[found[0]] = f'{key} = "{value}"'
        path.write_text("\n".join(lines) + "\n")


def newest(dist: Path, name: str, suffix: str, architecture: str = "") -> Path:
    """The file of a package in `dist` with the highest version. suffix: `deb` or `rpm`. architecture: if of several."""
    separator = "_" if suffix == "deb" else "-"
    found = list(dist.rglob(f"{name}{separator}[0-9]*{architecture}.{suffix}"))
    assert found, f"no {name} .{suffix} in {dist}"
    return max(found, key=lambda path: [int(number) for number in re.findall("[0-9]+", path.name)])


def tiny(directory: Path, *, keys: Path | None = None) -> Workspace:
    """The sample server `greet`, version 1.0, format 1."""
    return Workspace.create(TINY, directory, keys=keys)


def raise_tiny(project: Workspace, version: str, format_version: str) -> None:
    """Make the sample another version with another format, so another ABI; all plugins follow."""
    project.replace("mkpkgs.toml", version=version, format=format_version)
    program = project.root / "greet"
    text = program.read_text()
    line = next(line for line in text.splitlines() if line.startswith("my ($version, $format)"))
    program.write_text(text.replace(line, f"my ($version, $format) = ('{version}', '{format_version}');"))
    for greeting in project.root.glob("plugins/*/greeting"):
        greeting.write_text(f"format {format_version}\n{greeting.read_text().splitlines()[1]}\n")
