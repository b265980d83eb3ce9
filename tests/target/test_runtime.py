"""What the core package brings beside the server, and where."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from packaging_tool.drivers.base import Target
from packaging_tool.package.model import Entry
from packaging_tool.project.model import FileSpec, Project
from packaging_tool.target import runtime, trial
from tests.target.machine import ABI, spec

KEYS = {"fake-2026.pub": b"untrusted comment: key\nRWQ=\n"}


def entries(project: Project, *, assemble: str = "#!/bin/sh\n") -> dict[str, Entry]:
    return {e.path: e for e in runtime.core_entries(project, Target(assemble=assemble), (ABI,), KEYS)}


def text(entry: Entry) -> str:
    assert entry.content is not None
    data = entry.content.read()
    return (gzip.decompress(data) if entry.path.endswith(".gz") else data).decode()


def test_the_layout_is_the_documented_one() -> None:
    found = {path: f"{e.type} {e.mode:04o} {e.owner}:{e.group}" for path, e in entries(spec()).items()}
    assert found == {
        "/etc/apt/apt.conf.d/50fake-plugins": "config 0644 root:root",
        "/etc/dnf/libdnf5-plugins": "directory 0755 root:root",
        "/etc/dnf/libdnf5-plugins/actions.d": "directory 0755 root:root",
        "/etc/dnf/libdnf5-plugins/actions.d/fake-plugins.actions": "config 0644 root:root",
        "/etc/fake": "directory 0755 root:root",
        "/etc/fake/keys.d": "directory 0755 root:root",
        "/etc/fake/plugins.conf": "config 0644 root:root",
        "/etc/fake/plugins.d": "directory 0755 root:root",
        "/etc/fake/plugins.d/disabled": "ghost 0644 root:root",
        "/usr/bin/fake": "symlink 0777 root:root",
        "/usr/bin/fake-plugins": "file 0755 root:root",
        "/usr/lib/fake": "directory 0755 root:root",
        "/usr/lib/fake/assemble": "file 0755 root:root",
        "/usr/lib/fake/bin": "directory 0755 root:root",
        "/usr/lib/fake/bin/fake": "symlink 0777 root:root",
        "/usr/lib/fake/bin/failed-set": "ghost 0640 root:fake",
        "/usr/lib/fake/bin/working-set": "symlink 0777 root:root",
        "/usr/lib/fake/plugins": "directory 0750 root:fake",
        "/usr/lib/systemd/system/fake-apply-later@.service": "file 0644 root:root",
        "/usr/lib/systemd/system/fake-apply.service": "file 0644 root:root",
        "/usr/lib/systemd/system/fake-make.service": "file 0644 root:root",
        "/usr/lib/systemd/system/fake-try.service": "file 0644 root:root",
        "/usr/lib/systemd/system/fake-watch.service": "file 0644 root:root",
        "/usr/lib/systemd/system/fake.service": "file 0644 root:root",
        "/usr/lib/systemd/system/fake.service.wants": "directory 0755 root:root",
        "/usr/lib/systemd/system/fake.service.wants/fake-watch.service": "symlink 0777 root:root",
        "/usr/lib/systemd/system/multi-user.target.wants/fake-apply.service": "symlink 0777 root:root",
        "/usr/lib/sysusers.d/fake.conf": "file 0644 root:root",
        "/usr/lib/tmpfiles.d/fake.conf": "file 0644 root:root",
        "/usr/share/bash-completion/completions/fake-plugins": "file 0644 root:root",
        "/usr/share/fake": "directory 0755 root:root",
        "/usr/share/fake/abi": "file 0644 root:root",
        "/usr/share/fake/keys": "directory 0755 root:root",
        "/usr/share/fake/keys/fake-2026.pub": "file 0644 root:root",
        "/usr/share/fake/plugins": "directory 0755 root:root",
        "/usr/share/fake/trust": "file 0644 root:root",
        "/usr/share/man/man8/fake-plugins.8.gz": "file 0644 root:root",
        "/usr/share/man/man8/fake.8.gz": "file 0644 root:root",
    }
    assert entries(spec())["/usr/bin/fake"].target == "../lib/fake/bin/fake"
    assert text(entries(spec())["/usr/share/fake/abi"]) == f"{ABI}\n"


def test_the_user_gets_a_quotable_name_and_its_home() -> None:
    base = spec()
    core = replace(base.core, summary='Serves "the web": fast')
    assert text(entries(replace(base, core=core))["/usr/lib/sysusers.d/fake.conf"]) == (
        'u fake - "Serves  the web   fast" /var/lib/fake\n'
        "# Makes and tries new sets, so that no plugin gets at what serves.\n"
        'u _fake-try -:fake "Tries plugins of fake" /var/lib/fake\n'
    )
    other = replace(core, user="www", user_group="web")
    assert text(entries(replace(base, core=other))["/usr/lib/sysusers.d/fake.conf"]) == (
        'g web -\nu www -:web "Serves  the web   fast" /var/lib/fake\n'
        "# Makes and tries new sets, so that no plugin gets at what serves.\n"
        'u _fake-try -:web "Tries plugins of fake" /var/lib/fake\n'
    )


def test_a_server_without_a_service_has_no_unit_and_one_user_for_tries() -> None:
    base = spec()
    found = entries(replace(base, core=replace(base.core, service=None)), assemble="")
    for path in ("/usr/lib/systemd/system/fake.service", "/usr/lib/fake/assemble"):
        assert path not in found
    assert text(found["/usr/lib/sysusers.d/fake.conf"]).splitlines()[1:] == [
        'u _fake-try - "Tries plugins of fake" /var/lib/fake'
    ]
    assert found["/usr/lib/fake/plugins"].group == "root"
    assert "UNIT=''" in text(found["/usr/bin/fake-plugins"])


def test_a_manual_page_of_the_project_takes_the_place_of_ours() -> None:
    base = spec()
    manual = FileSpec(path="/usr/share/man/man8/", source="fake.8.gz")
    found = entries(replace(base, core=replace(base.core, files=(manual,))))
    assert "/usr/share/man/man8/fake.8.gz" not in found


def test_the_same_project_gives_the_same_bytes() -> None:
    first, second = entries(spec()), entries(spec())
    assert {p: e.content and e.content.sha256 for p, e in first.items()} == {
        p: e.content and e.content.sha256 for p, e in second.items()
    }


@pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")
@pytest.mark.parametrize("name", ["fake", "fake-plugins"])
def test_manual_pages_format_without_a_warning(tmp_path: Path, name: str) -> None:
    page = tmp_path / f"{name}.8"
    page.write_text(text(entries(spec())[f"/usr/share/man/man8/{name}.8.gz"]))
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not shutil.which("systemd-sysusers"), reason="systemd-sysusers is not installed")
def test_systemd_makes_the_user(tmp_path: Path) -> None:
    directory = tmp_path / "usr/lib/sysusers.d"
    directory.mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    (directory / "fake.conf").write_text(text(entries(spec())["/usr/lib/sysusers.d/fake.conf"]))
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}", "fake.conf"], check=True, capture_output=True)
    passwd = (tmp_path / "etc/passwd").read_text()
    users = {name: (group, home) for name, _, _, group, _, home, _ in (line.split(":") for line in passwd.splitlines())}
    group = (tmp_path / "etc/group").read_text().split("fake:x:")[1].split(":")[0]
    assert users == {"fake": (group, "/var/lib/fake"), "_fake-try": (group, "/var/lib/fake")}


@pytest.mark.parametrize(
    "core",
    [
        "caddy",
        "a",
        "9p",
        "libfoo++",
        "otel.col",
        "a-name-of-twenty-six-chars",
        "a-name-that-is-much-too-long-for-a-user",
    ],
)
def test_the_user_that_tries_has_a_name_for_every_core(core: str, tmp_path: Path) -> None:
    name = trial.user(core)
    assert name.startswith("_")
    assert trial.user(f"{core}x") != name
    (tmp_path / "etc").mkdir()
    done = subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", "-"],
        input=f"u {name} -\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.count("ignoring") == 0
    assert f"{name}:x:" in (tmp_path / "etc/passwd").read_text()


def test_a_set_is_made_and_tried_as_a_user_that_does_nothing_else() -> None:
    found = entries(spec())
    for unit in ("fake-try.service", "fake-make.service"):
        lines = text(found[f"/usr/lib/systemd/system/{unit}"]).splitlines()
        assert {"User=_fake-try", "Group=fake"} <= set(lines)
        assert "User=fake" not in lines
    bare = replace(spec(), core=replace(spec().core, service=None))
    lines = text(entries(bare)["/usr/lib/systemd/system/fake-try.service"]).splitlines()
    assert "User=_fake-try" in lines
    assert "Group=root" not in lines
