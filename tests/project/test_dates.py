"""No date of a project is published ahead of the clock, and none of today is refused, whatever the zone."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from packaging_tool import clock
from packaging_tool import lock as locking
from packaging_tool.project import dates
from packaging_tool.project.model import ChangeSpec
from tests.workspace import TINY, Workspace

# 2026-11-30 16:00 UTC: in Auckland it is the morning of December, in Kiritimati too.
NOW = 1_796_054_400
# The clock of a run, moved by a module that Python loads at its start.
MOVED = """\
import time
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + {0}
time.time_ns = lambda: _time_ns() + {0} * 10**9
"""


@pytest.mark.parametrize(
    ("date", "instead"),
    [
        ("2026-11-30", ""),
        ("2026-12-01", ""),
        ("2026-12-02", "write a day up to 2026-11-30; here it is 2026-11-30 16:00 UTC"),
        ("20261202", "write a day up to 2026-11-30; here"),
        ("2027-11-30", "write a day up to 2026-11-30; here"),
        ("2026-11-30T16:04:00", ""),
        ("2026-12-01T05:00:00", "or your zone behind the time, as in +09:00"),
        ("2026-12-01T05:00:00+13:00", ""),
        ("2026-12-01T05:00:00-08:00", "write a day up to"),
        ("9999-12-31", "write a day up to"),
        ("no date", ""),
    ],
)
def test_a_date_that_is_still_to_come_everywhere_is_told(
    date: str, instead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "real", lambda: NOW)
    found = list(dates.outside([ChangeSpec(version="1", date=date, changes=("x",))], ("core", "changelog")))
    assert bool(found) == bool(instead)
    for path, what, advice in found:
        assert path == ("core", "changelog", 0, "date")
        assert "still to come" in what
        assert instead in advice


def test_a_date_before_all_clocks_is_told_before_tar_would() -> None:
    ((_, what, _),) = dates.outside([ChangeSpec(version="1", date="1960-02-20", changes=("x",))], ())
    assert what == "1960-02-20 is before 1970"


def test_a_build_machine_without_a_clock_goes_by_source_date_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "real", lambda: 0)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(NOW))
    assert not list(dates.outside([ChangeSpec(version="1", date="2026-11-30", changes=("x",))], ()))


def entry(project: Workspace, date: str) -> None:
    """Give the core one changelog entry."""
    text = (TINY / "mkpkgs.toml").read_text()
    said = f'[[core.changelog]]\nversion = "1.0-1"\ndate = {date}\nchanges = ["x"]\n\n[plugin.hello]'
    (project.root / "mkpkgs.toml").write_text(text.replace("[plugin.hello]", said))


def moved(project: Workspace, directory: Path, seconds: int) -> Workspace:
    """The project on a machine whose clock is so much ahead."""
    return project.patched(directory, MOVED.format(seconds))


def released(dist: Path) -> float:
    """The Date of Release."""
    text = (dist / "apt/dists/stable/Release").read_text()
    found = re.search(r"^Date: (.*) UTC$", text, re.M)
    assert found is not None
    return parsedate_to_datetime(f"{found[1]} +0000").timestamp()


def test_a_changelog_of_next_year_is_an_error_with_its_line(tmp_path: Path) -> None:
    project = Workspace.create(TINY, tmp_path)
    entry(project, f"{datetime.now(UTC).year + 1}-12-31")
    refused = project.mkpkgs(check=False)
    assert refused.returncode == 2
    assert re.search(r"^mkpkgs\.toml:\d+: core\.changelog\[0\]\.date: .* is still to come", refused.stdout, re.M)
    assert not project.dist.exists()


def test_a_day_that_begins_in_tokyo_is_published_now_and_comes_out_the_same_later(tmp_path: Path) -> None:
    day = int(time.time()) // 86400 * 86400
    evening = day - 4 * 3600
    behind = moved(Workspace.create(TINY, tmp_path), tmp_path / "clock", evening - int(time.time()))
    shutil.rmtree(behind.keys)
    behind.mkpkgs("key", "new")
    behind.mkpkgs()
    entry(behind, time.strftime("%Y-%m-%d", time.gmtime(day)))
    shutil.rmtree(behind.dist)
    behind.mkpkgs()
    assert evening <= released(behind.dist) <= evening + 60
    assert "nothing to do" in behind.mkpkgs("-o", "dist").stdout
    first = {path.relative_to(behind.dist): path.read_bytes() for path in behind.dist.rglob("*") if path.is_file()}
    shutil.rmtree(behind.dist)
    later = Workspace(behind.root, behind.keys)
    later.mkpkgs()
    assert {p.relative_to(later.dist): p.read_bytes() for p in later.dist.rglob("*") if p.is_file()} == first


def test_a_lock_of_a_wrong_clock_is_refused_until_it_is_dated_anew(tmp_path: Path) -> None:
    project = Workspace.create(TINY, tmp_path)
    project.mkpkgs()
    lock = project.root / "mkpkgs.lock"
    known = locking.read(lock)
    assert known is not None
    lock.write_text(replace(known, time=4000000000).render())
    refused = project.mkpkgs(check=False)
    assert refused.returncode == 2
    assert "the lock says that it is from 2096-10-02" in refused.stdout
    assert "set the clock if it is wrong; else run `mkpkgs lock`, which dates it anew" in refused.stdout
    project.mkpkgs("-q", "lock")
    project.mkpkgs()


def test_source_date_epoch_ahead_of_the_clock_is_a_warning_and_not_published(tmp_path: Path) -> None:
    project = Workspace.create(TINY, tmp_path).under(SOURCE_DATE_EPOCH="4000000000")
    said = project.mkpkgs().stdout
    assert "warning: SOURCE_DATE_EPOCH is ahead of this machine's clock: 2096-10-02" in said
    assert released(project.dist) <= time.time()


def test_a_repository_that_is_ahead_is_put_right_and_told(tmp_path: Path) -> None:
    project = Workspace.create(TINY, tmp_path)
    project.mkpkgs()
    release = project.dist / "apt/dists/stable/Release"
    release.write_text(re.sub("^Date: .*$", "Date: Sat, 30 Nov 2097 00:00:00 UTC", release.read_text(), flags=re.M))
    said = project.mkpkgs("--adopt").stdout
    assert "warning: the published apt repository is from 2097-11-30" in said
    assert released(project.dist) <= time.time()
