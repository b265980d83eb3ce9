"""The page in `dist/` tells an administrator what to paste; here somebody pastes it."""

from __future__ import annotations

import html
import re
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.test_lifecycle import MORNING, answer
from tests.systems import Dnf, System
from tests.workspace import Workspace

pytestmark = pytest.mark.acceptance

# A default stream that has a package of the server's name.
MODULE = """\
---
document: modulemd
version: 2
data:
  name: greet
  stream: "0.9"
  version: 1
  context: "00000000"
  arch: noarch
  summary: Another greet
  description: Another greet
  license: {module: [MIT]}
  artifacts:
    rpms: ["greet-0:0.9-1.module_el8.noarch"]
...
---
document: modulemd-defaults
version: 1
data:
  module: greet
  stream: "0.9"
...
"""


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
        # Of a root who lets nobody else read what he writes.
        system.sh(f"umask 077\n{commands}")
        assert answer(system)[0] == "greet 1.0 as greet"
        assert MORNING in answer(system)
        assert system.verify() == ""


def test_a_module_of_the_distribution_keeps_no_package_away(bootable: None, greet: Workspace, tmp_path: Path) -> None:
    """As Enterprise Linux has one for nginx, httpd, postgresql, redis and php."""
    with Dnf(greet.dist, tmp_path / "machine", "greet") as system:
        system.use()
        place = tmp_path / "modules"
        place.mkdir()
        (place / "modules.yaml").write_text(MODULE)
        subprocess.run(["createrepo_c", "--quiet", place], check=True)
        system.put(place, "/modules")
        system.write("/etc/yum.repos.d/modules.repo", "[modules]\nname=modules\nbaseurl=file:///modules\ngpgcheck=0\n")
        done = system.dnf("--setopt=module_platform_id=platform:el8", "install", "greet", "greet-plugin-hello")
        assert "filtered out" not in done.stdout
        assert set(system.installed()) == {"greet", "greet-plugin-hello"}
