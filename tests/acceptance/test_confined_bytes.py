"""What compilers and linkers make is the same where a build sees nothing of its user and where it sees all."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.test_confine import path_without
from tests.workspace import Workspace

pytestmark = pytest.mark.acceptance

SAMPLES = Path(__file__).parent.parent / "samples"


def cache(place: Path) -> str:
    """A build cache with what others left for the standard library, and nothing of a source that nobody had before."""
    if shutil.which("go") is None:
        return str(place)
    known = subprocess.run(["go", "env", "GOCACHE"], capture_output=True, text=True, check=True).stdout.strip()
    # Links, since it is large; the name of a file in it is what it holds.
    with suppress(OSError):
        shutil.copytree(known, place, copy_function=os.link)
    return str(place)


@pytest.mark.parametrize(("sample", "program"), [("peal", "gcc"), ("tower", "go")])
def test_bytes_of_builds_are_the_same_with_and_without_a_place_of_their_own(
    sample: str, program: str, tmp_path: Path
) -> None:
    if shutil.which(program) is None or shutil.which("bwrap") is None:
        pytest.skip(f"needs {program} and bubblewrap")
    project = Workspace.create(SAMPLES / sample, tmp_path)
    if program == "go":
        for source in project.root.rglob("*.go"):
            source.write_text(f"{source.read_text()}\n// {time.time_ns()}\n")
    own = project.environment()
    caches = {kind: cache(tmp_path / f"cache-{kind}") for kind in ("bwrap", "plain")}
    found: list[dict[str, bytes]] = []
    for kind, path in (("bwrap", own["PATH"]), ("plain", path_without("bwrap", tmp_path / "bin"))):
        # Each compiles the project's own: one cache would show the first one's work.
        more = {"PATH": path, "GOCACHE": caches[kind], "SOURCE_DATE_EPOCH": "1790000000"}
        said = project.under(**more).mkpkgs("build").stdout
        assert ("commands of the project run with all that you may do" in said) == (kind == "plain"), said
        files = [path for path in project.dist.rglob("*") if path.suffix in (".deb", ".rpm")]
        found.append({path.name: path.read_bytes() for path in files})
        for folder in ("dist", ".mkpkgs"):
            shutil.rmtree(project.root / folder)
    assert len(found[0]) > 5
    assert found[0].keys() == found[1].keys()
    assert [name for name in found[0] if found[0][name] != found[1][name]] == []
