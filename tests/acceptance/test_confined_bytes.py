"""What compilers and linkers make is the same where a build sees nothing of its user and where it sees all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.test_confine import path_without
from tests.workspace import Workspace

pytestmark = pytest.mark.acceptance

SAMPLES = Path(__file__).parent.parent / "samples"


@pytest.mark.parametrize(("sample", "program"), [("peal", "gcc"), ("tower", "go")])
def test_bytes_of_builds_are_the_same_with_and_without_a_place_of_their_own(
    sample: str, program: str, tmp_path: Path
) -> None:
    if shutil.which(program) is None or shutil.which("bwrap") is None:
        pytest.skip(f"needs {program} and bubblewrap")
    project = Workspace.create(SAMPLES / sample, tmp_path)
    own = project.environment()
    found: list[dict[str, bytes]] = []
    for kind, path in (("bwrap", own["PATH"]), ("plain", path_without("bwrap", tmp_path / "bin"))):
        # Each compiles all of it: a cache would show the first one's work.
        more = {"PATH": path, "GOCACHE": str(tmp_path / f"cache-{kind}"), "SOURCE_DATE_EPOCH": "1790000000"}
        project.environment = lambda more=more: {**own, **more}  # type: ignore[method-assign,misc]
        said = project.mkpkgs("build").stdout
        assert ("commands of the project run with all that you may do" in said) == (kind == "plain"), said
        files = [path for path in project.dist.rglob("*") if path.suffix in (".deb", ".rpm")]
        found.append({path.name: path.read_bytes() for path in files})
        for folder in ("dist", ".mkpkgs"):
            shutil.rmtree(project.root / folder)
    assert len(found[0]) > 5
    assert found[0].keys() == found[1].keys()
    assert [name for name in found[0] if found[0][name] != found[1][name]] == []
