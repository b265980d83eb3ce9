"""The license of a wheel, and who holds the copyright."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from packaging_tool.wheels import licenses
from packaging_tool.wheels.wheel import Wheel

TEXTS = Path(__file__).parent.parent.parent / "packaging_tool/templates/licenses"
MIT = f"Copyright (c) 2026 Ada Example\n\n{(TEXTS / 'MIT.txt').read_text()}"


def wheel(place: Path, fields: str, files: dict[str, str] | None = None) -> Wheel:
    path = place / "ink-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("ink-1.0.dist-info/METADATA", f"Metadata-Version: 2.4\nName: ink\nVersion: 1.0\n{fields}\n")
        for name, text in (files or {}).items():
            file.writestr(f"ink-1.0.dist-info/{name}", text)
    return Wheel(path)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("License-Expression: MIT OR Apache-2.0", "MIT OR Apache-2.0"),
        ("License: MIT", "MIT"),
        ("License: MIT License", "MIT"),
        ("License: Apache 2.0", "Apache-2.0"),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License", "MIT"),
        ("Classifier: License :: OSI Approved :: GNU General Public License v3 or later (GPLv3+)", "GPL-3.0-or-later"),
        (f"License: {MIT}".replace("\n", "\n        "), "MIT"),
        # A family, and what nobody can say for sure.
        ("License: BSD\nClassifier: License :: OSI Approved :: BSD License", ""),
        ("License: Ask me", ""),
        ("License: UNKNOWN", ""),
        ("License-Expression: Mine-1.0", ""),
        ("License-Expression: LicenseRef-Mine", "LicenseRef-Mine"),
        (
            "Classifier: License :: MIT License\nClassifier: License :: ISC License (ISCL)",
            "",
        ),
        ("", ""),
    ],
)
def test_metadata_says_the_license_in_any_of_its_ways(tmp_path: Path, fields: str, said: str) -> None:
    assert licenses.of(wheel(tmp_path, fields)).id == said


@pytest.mark.parametrize("name", ["LICENSE", "licenses/LICENSE.txt", "licenses/sub/COPYING"])
def test_license_files_say_what_metadata_leaves_open(tmp_path: Path, name: str) -> None:
    found = licenses.of(wheel(tmp_path, "License: BSD", {name: MIT, "RECORD": "Copyright (c) 1999 Nobody"}))
    assert (found.id, found.copyright, found.text) == ("MIT", ("Copyright (c) 2026 Ada Example",), f"{MIT.strip()}\n")


def test_sources_of_the_project_that_say_nothing_are_under_its_license(tmp_path: Path) -> None:
    silent = wheel(tmp_path, "")
    assert licenses.describe(silent, "Apache-2.0", "2026 Jo")[2:4] == ("Apache-2.0", ("2026 Jo",))
    assert licenses.describe(silent, "", "")[2:4] == ("", ())
    told = wheel(tmp_path, "License: MIT", {"LICENSE": MIT})
    assert licenses.describe(told, "Apache-2.0", "2026 Jo")[2:4] == ("MIT", ("Copyright (c) 2026 Ada Example",))
