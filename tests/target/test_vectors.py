"""The target reads manifests exactly as Python does: both judge the same good and bad ones."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from packaging_tool.package import manifest
from packaging_tool.target import runtime
from tests.target.machine import AWKS

VECTORS = Path(__file__).parent.parent / "vectors/manifest"
PARSER = Path(runtime.__file__).parent.parent / "templates/target/parse.awk"


def read(awk: str, directory: Path, data: bytes, name: str) -> tuple[list[str], list[str], str]:
    """What the target's parser makes of a manifest that lies there as NAME.manifest: rows, files, refusals."""
    copies = directory / "m"
    copies.mkdir(parents=True)
    (copies / f"{name}.manifest").write_bytes(data)
    (directory / "sizes").write_text(f"{len(data)}\t{name}.manifest\n")
    values = {
        "SHARE": "/usr/share/caddy",
        "KIT": "/kit",
        "PLUGINS": "/plugins",
        "CORE": "caddy",
        "REINSTALL": "apt-get install --reinstall",
        **{key: str(directory / key.lower()) for key in ("REFUSED", "SIZES", "ROWS", "FILES")},
    }
    options = [word for key, value in values.items() for word in ("-v", f"{key}={value}")]
    command = [awk, *options, "-f", str(PARSER), str(directory / "sizes"), str(copies / f"{name}.manifest")]
    subprocess.run(command, check=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"})
    lines = [(directory / part) for part in ("rows", "files", "refused")]
    rows, files, refused = (path.read_text("latin-1").splitlines() if path.exists() else [] for path in lines)
    return rows, files, "\n".join(refused)


@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize("path", sorted((VECTORS / "good").iterdir()), ids=lambda path: path.stem)
def test_good_manifests_are_read_alike(tmp_path: Path, path: Path, awk: str) -> None:
    data = path.read_bytes()
    known = manifest.parse(data)
    name = known.plugin or "kit"
    rows, files, refused = read(awk, tmp_path, data, name)
    assert refused == ""
    assert rows == [
        "\t".join(
            (
                name,
                known.core,
                known.abi,
                known.package,
                known.version,
                str(known.order if known.plugin else 0),
                "yes" if known.optional else "no",
                ",".join(known.needs) or "-",
            )
        )
    ]
    base = f"/plugins/{name}" if known.plugin else "/kit"
    assert files == [f"{name}\t{file.sha256}\t{base}/{file.path}" for file in known.files]


@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize("path", sorted((VECTORS / "bad").iterdir()), ids=lambda path: path.stem)
def test_bad_manifests_are_refused(tmp_path: Path, path: Path, awk: str) -> None:
    for name in ("git", "kit"):
        rows, files, refused = read(awk, tmp_path / name, path.read_bytes(), name)
        assert (rows, files) == ([], [])
        assert refused.startswith(f"{name}\t/usr/share/caddy/")
