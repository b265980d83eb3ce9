"""Installation into an image: a chroot without systemd, which is booted later."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.test_lifecycle import EVENING, MORNING, answer
from tests.systems import System
from tests.workspace import Workspace

pytestmark = pytest.mark.acceptance


def test_core_and_plugins_install_into_an_image_without_systemd(
    kind: type[System], greet: Workspace, tmp_path: Path
) -> None:
    with kind(greet.dist, tmp_path / "image", "greet", boot=False) as image:
        image.use()
        done = image.install("greet", *image.plugin("hello", "bye"))
        assert done.returncode == 0
        assert image.verify() == ""
        assert image.run("greet", "--version").stdout == "greet 1.0\n"
        assert image.run("greet-plugins", "status").returncode == 0
        image.purge()
        assert not image.path("/usr/lib/greet").exists()


def test_an_image_serves_when_it_is_booted(
    kind: type[System], bootable: None, greet: Workspace, tmp_path: Path
) -> None:
    with kind(greet.dist, tmp_path / "image", "greet", boot=False) as image:
        image.use()
        image.install("greet", *image.plugin("hello", "bye"))
        image.stop()
        image.start()
        if not image.is_active():
            image.enable()
        assert answer(image) == ["greet 1.0 as greet", MORNING, EVENING]
        assert image.starts() == 1
