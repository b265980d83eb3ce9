"""A login in the settings of a checkout is kept from commands of a project, which can use git all the same."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from packaging_tool import logins
from tests.workspace import Workspace

DESK = Path(__file__).parent / "samples/desk"
# As actions/checkout and GitLab's runner leave it.
HEADER = '[http "https://github.com/"]\n\textraheader = AUTHORIZATION: basic c2VjcmV0\n'
REMOTE = '[remote "origin"]\n\turl = https://ci-token:c2VjcmV0@gitlab.example.org/desk.git\n'
SCRIPT = """#!/bin/sh
set -eu
cp desk-echo "$1/desk-echo"
git -c safe.directory='*' -C "$2" describe --tags >"$1/described"
git -c safe.directory='*' -C "$2" status --short >"$1/status"
cat "$2/.git/config" "$2/.git/modules/a/b/config" "$2/.git/worktrees/c/config.worktree" >"$1/config"
! echo hello >"$2/.git/config"
"""


def test_a_command_uses_git_and_finds_no_login(tmp_path: Path) -> None:
    project = Workspace.create(DESK, tmp_path)
    root = project.root
    (root / "plugins/echo/make.sh").write_text(SCRIPT)
    file = root / "mkpkgs.toml"
    command = f'["sh", "make.sh", "{{output}}", "{root}"]'
    old = '{ files = "plugins/echo" }'
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, f'{{ source = "plugins/echo", build = {command} }}'))
    identity = ["-c", "user.name=Jo", "-c", "user.email=jo@example.org"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "First"], ["tag", "v1.7"]):
        subprocess.run(["git", *words], cwd=root, check=True)
    for name in ("config", "modules/a/b/config", "worktrees/c/config.worktree"):
        (root / ".git" / name).parent.mkdir(parents=True, exist_ok=True)
        with (root / ".git" / name).open("a") as config:
            config.write(HEADER + REMOTE)
    before = (root / ".git/config").read_text()
    project.mkpkgs()
    made = root / ".mkpkgs/exec/all/plugin-echo"
    assert (made / "described").read_text() == "v1.7\n"
    assert "c2VjcmV0" not in (said := (made / "config").read_text())
    assert "repositoryformatversion = 0" in said
    assert "extraheader" not in said
    assert (root / ".git/config").read_text() == before


@pytest.mark.parametrize(
    ("text", "login"),
    [
        (HEADER, True),
        (REMOTE, True),
        ("[remote]\nurl = https://c2VjcmV0@github.com/a/b\n", True),
        ('[url "ssh://jo:c2VjcmV0@host/"]\n', True),
        ("[credential]\n\thelper = store --file=c2VjcmV0\n", True),
        ("[remote]\nurl = https://github.com/a/b\n", False),
        ("[remote]\nurl = ssh://git@github.com/a/b\n", False),
        ("[remote]\nurl = git@github.com:a/b\n", False),
    ],
)
def test_settings_with_a_login_are_known(text: str, login: bool, tmp_path: Path) -> None:
    (tmp_path / "main/.git/worktrees/tree").mkdir(parents=True)
    config = tmp_path / "main/.git/config"
    config.write_text("[core]\n\tbare = false\n\tsshCommand = c2VjcmV0\n[extensions]\n\tobjectFormat = sha256\n" + text)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/.git").write_text(f"gitdir: {tmp_path}/main/.git/worktrees/tree\n")
    for folder in ("main/below/deep", "tree"):
        found = logins.cleaned([tmp_path / folder], tmp_path / "into")
        assert [*found] == ([config] if login else [])
        for file in found.values():
            assert file.read_text() == "[core]\n\tbare = false\n[extensions]\n\tobjectFormat = sha256\n"
