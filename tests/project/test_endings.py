"""Plugins that ended or have another name are named as plugins, not as packages."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from packaging_tool.errors import ProjectError
from packaging_tool.project.loader import load

SAMPLE = Path(__file__).parent.parent / "samples/tiny"


def test_the_name_of_a_package_is_told_with_the_plugin_it_is_of(tmp_path: Path) -> None:
    root = tmp_path / "tiny"
    shutil.copytree(SAMPLE, root)
    file = root / "mkpkgs.toml"
    project = load(file)
    core, name = project.core.name, project.plugins[0].name
    said = f'renamed = {{ "{core}-plugin-old 2" = "{core}-plugin-{name}" }}\nretired = ["{core}-plugin-gone"]\n'
    file.write_text(file.read_text().replace("[repository]\n", f"[repository]\n{said}", 1))
    with pytest.raises(ProjectError) as caught:
        load(file)
    told = str(caught.value)
    for wrong, right in (
        (f"{core}-plugin-old", "old 2"),
        (f"{core}-plugin-{name}", name),
        (f"{core}-plugin-gone", "gone"),
    ):
        assert f"'{wrong}' is the name of a package, and here a plugin is named; write \"{right}\"" in told
