"""The page in `dist/` tells an administrator what to paste; here somebody pastes it."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from tests.acceptance.test_lifecycle import MORNING, answer
from tests.systems import System
from tests.workspace import Workspace

pytestmark = pytest.mark.acceptance


def test_the_commands_on_the_page_install_the_server(
    kind: type[System], bootable: None, greet: Workspace, tmp_path: Path
) -> None:
    page = (greet.dist / "index.html").read_text()
    blocks = [html.unescape(block) for block in re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.DOTALL)]
    with kind(greet.dist, tmp_path / "machine", "greet") as system:
        assert system.serve(greet.dist) == "http://127.0.0.1:8000/"
        # The answer to the only question that people are asked.
        system.write("/etc/apt/apt.conf.d/yes", 'APT::Get::Assume-Yes "true";\n')
        if system.suffix == "rpm":
            system.sh("echo assumeyes=True >>/etc/dnf/dnf.conf")
        installer = {"deb": "apt install", "rpm": "dnf install"}[system.suffix]
        (commands,) = [block for block in blocks if installer in block]
        system.sh(commands)
        assert answer(system)[0] == "greet 1.0 as greet"
        assert MORNING in answer(system)
        assert system.verify() == ""
