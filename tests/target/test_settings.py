"""What of an administrator's settings of the service gets into the units that try a set, by mawk and by gawk alike."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from packaging_tool.package.templates import render
from packaging_tool.target import trial
from tests.target.machine import AWKS

ASKED = "/usr/bin/desk --validate /etc/desk/desk.conf"


@pytest.fixture(params=AWKS)
def awk(request: pytest.FixtureRequest) -> str:
    program: str = request.param
    return program


def read(awk: str, tmp_path: Path, *texts: str, now: str = "", was: str = "-", replaced: str = "no") -> list[str]:
    """What the program says of these files, `DIRECTORY/N.conf`."""
    files = []
    for number, text in enumerate(texts):
        files.append(f"{number}.conf")
        (tmp_path / files[-1]).write_text(text)
    known = {"CORE": "desk", "UNIT": "desk.service", "REPLACED": replaced}
    known |= {key.upper(): value for key, value in trial.rules().items()}
    done = subprocess.run(
        [
            awk,
            *(word for key, value in known.items() for word in ("-v", f"{key}={value}")),
            render("target/settings.awk"),
            *("/dev/null", *files),
        ],
        cwd=tmp_path,
        env={**os.environ, "LC_ALL": "C", "NOW": now, "WAS": was, "ASKED": ASKED},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.replace("\t", " ").splitlines()


def test_files_are_read_as_systemd_reads_them(awk: str, tmp_path: Path) -> None:
    first = (
        "# [Service]\n[Unit]\nEnvironment=NO=1\n[Service]\n"
        ' Environment = "A=b c" \\\n# within\n  D=e\n;no\nEnvironment=\n'
    )
    second = (
        "Environment=NO=1\n[Service]\r\nEnvironmentFile=-/etc/default/%p\r\n"
        "UnsetEnvironment=%%n %n\nWorkingDirectory=/srv"
    )
    assert read(awk, tmp_path, first, second) == [
        'unit Environment="A=b c"    D=e',
        "unit Environment=",
        "unit EnvironmentFile=-/etc/default/desk",
        "unit UnsetEnvironment=%%n desk.service",
        "unit WorkingDirectory=-/srv",
    ]


@pytest.mark.parametrize("key", [*trial.LIMITS, "User", "Group", "StandardOutput", "TTYPath", "Type", "ExecStopPost"])
def test_what_confines_a_try_stays(awk: str, tmp_path: Path, key: str) -> None:
    for value in ("", "no", "infinity", "/srv"):
        found = read(awk, tmp_path, f"[Service]\n{key}={value}\n")
        assert [line for line in found if not line.startswith("lacks")] == []


def test_nothing_that_is_written_lasts_and_no_socket_of_run_comes_in(awk: str, tmp_path: Path) -> None:
    text = (
        "[Service]\nReadWritePaths=/srv/a\nBindPaths=/srv/b:/srv/c -/run/x\nBindPaths=\nBindReadOnlyPaths=\n"
        "BindReadOnlyPaths=/run/db:/srv/db /etc/x:/run/y %t/z /var/run/z /dev/log -/srv/d\nTemporaryFileSystem=\n"
        "TemporaryFileSystem=/run /dev/shm:rw /home:ro\nStateDirectory=desk/more x:y ../z\n"
        'BindPaths="/srv/with space"\n'
        "RuntimeDirectory=desk\nInaccessiblePaths=/run/x -/srv/y\nRootDirectory=/srv/root\nExecStartPre=/bin/true\n"
    )
    found = read(awk, tmp_path, text)
    assert [line for line in found if not line.startswith("lacks")] == [
        "unit BindReadOnlyPaths=/srv/b:/srv/c",
        "unit BindReadOnlyPaths=-/srv/d",
        "unit TemporaryFileSystem=/home:ro",
        "place /var/lib/desk/more",
        "place /var/lib/x",
        "place /run/desk",
        "unit InaccessiblePaths=-/run/x -/srv/y",
    ]
    assert sorted(line.split()[-1] for line in found if line.startswith("lacks 0.conf")) == [
        *("BindPaths", "BindReadOnlyPaths", "ExecStartPre", "ReadWritePaths", "RootDirectory", "StateDirectory"),
        "TemporaryFileSystem",
    ]


def test_a_unit_in_the_place_of_the_packaged_one_begins_anew(awk: str, tmp_path: Path) -> None:
    found = read(awk, tmp_path, "[Service]\nEnvironment=A=b\n", replaced="yes")
    assert found == [*(f"unit {key}=" for key in trial.ADDED), "unit Environment=A=b"]


# The packaged arguments, the whole command line now, and what the check is asked then; None: it cannot be told.
COMMANDS = [
    ("--config /etc/desk/desk.conf", "/usr/bin/desk --config /srv/site.conf", "--validate /srv/site.conf"),
    ("--config /etc/desk/desk.conf", "/usr/bin/desk --config /srv/site.conf --verbose", "--validate /srv/site.conf"),
    ("--config /etc/desk/desk.conf", "/usr/bin/desk -v --config /srv/site.conf", "--validate /srv/site.conf"),
    ("--config=/etc/desk/desk.conf", "/usr/bin/desk --config=/srv/100%", "--validate /srv/100%%"),
    ("--config /etc/desk/desk.conf", "/usr/bin/desk --conf-dir /srv/conf.d", "--validate /srv/conf.d"),
    ("--config /etc/desk/desk.conf", "/usr/bin/nice -n 5 /usr/bin/desk --config /srv/a", "--validate /srv/a"),
    ("--config /etc/desk/desk.conf", "/usr/bin/desk --config $CONF", "--validate $CONF"),
    ("--config /etc/desk/desk.conf", "/usr/bin/desk --config /etc/desk/desk.conf --verbose", ""),
    ("--serve", "/usr/bin/desk --serve --verbose", ""),
    ("--config /etc/desk/desk.conf", "/usr/bin/desk --serve", None),
    ("--config /etc/desk/desk.conf", "/opt/start /srv/site.conf", None),
    ("--config /etc/desk/desk.conf", '/usr/bin/desk --config /srv/"x"', None),
    ("-", "/usr/bin/desk --config /srv/site.conf", None),
]


@pytest.mark.parametrize(("was", "now", "asked"), COMMANDS)
def test_the_check_asks_for_the_configuration_that_the_service_reads(
    awk: str, tmp_path: Path, was: str, now: str, asked: str | None
) -> None:
    found = read(awk, tmp_path, "[Service]\nExecStart=\nExecStart=x\n", now=now, was=was)
    if asked is None:
        assert found == ["lacks 0.conf ExecStart"]
    else:
        assert found == ([f"ask /usr/bin/desk {asked}"] if asked else [])
