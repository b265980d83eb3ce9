"""Work spread over processes: the same results and the same errors as in one, and no process is left."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from packaging_tool import workers
from packaging_tool.errors import BuildError
from packaging_tool.package import compress
from packaging_tool.workers import spread

HERE = os.getpid()


@pytest.fixture(autouse=True)
def alone() -> None:
    """End the idle threads of compressors that other tests used, as there are none when a run begins.

    Those of a test's server that still answers somebody end by themselves; till then all work would be done here.
    """
    compress._pool().shutdown()
    compress._pool.cache_clear()
    end = time.monotonic() + 120
    while threading.active_count() > 1 and time.monotonic() < end:
        time.sleep(0.1)
    assert threading.enumerate() == [threading.main_thread()]


def no_child() -> bool:
    """Whether this process has none, not even one that ended."""
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


def open_files() -> set[str]:
    """Numbers of the open descriptors, without the one that lists them."""
    return {path.name for path in Path("/proc/self/fd").iterdir() if path.exists()}


def square(number: int) -> tuple[int, int]:
    """A result and the process that it comes from."""
    return number * number, os.getpid()


@pytest.mark.parametrize("count", [0, 1, 7, 8, 100])
@pytest.mark.parametrize("processes", [1, 2, 5])
def test_each_item_is_done_once(count: int, processes: int) -> None:
    made = list(spread(square, range(count), processes))
    assert sorted(value for value, _ in made) == [number * number for number in range(count)]
    assert no_child()


def test_many_items_are_done_by_as_many_processes_as_asked_for(tmp_path: Path) -> None:
    def work(number: int) -> tuple[int, int]:
        assert os.getpid() != HERE
        (tmp_path / str(os.getpid())).touch()
        while len(list(tmp_path.iterdir())) < 3:
            time.sleep(0.01)
        return square(number)

    found = {process for _, process in spread(work, range(100), 3)}
    assert len(found) == 3
    assert HERE not in found


def test_a_single_item_is_done_here() -> None:
    assert {process for _, process in spread(square, [1], 2)} == {HERE}


def test_while_one_process_is_at_a_long_item_others_do_the_rest(tmp_path: Path) -> None:
    def work(number: int) -> tuple[int, int]:
        (tmp_path / str(number)).touch()
        while number == 0 and len(list(tmp_path.iterdir())) < 100:
            time.sleep(0.01)
        return square(number)

    found = list(spread(work, range(100), 2))
    (long,) = (process for value, process in found if value == 0)
    assert [value for value, process in found if process == long] == [0]


def test_more_items_than_a_pipe_holds_numbers_are_done_once_too() -> None:
    count = 3 * workers.MOST + 1
    assert sorted(spread(str, range(count), 2)) == sorted(map(str, range(count)))


def test_beside_other_threads_all_is_done_here() -> None:
    end = threading.Event()
    other = threading.Thread(target=end.wait)
    other.start()
    try:
        assert {process for _, process in spread(square, range(100), 2)} == {HERE}
    finally:
        end.set()
        other.join()


def test_results_longer_than_a_pipe_come_whole() -> None:
    made = list(spread(lambda number: bytes([number]) * 300_000, range(40), 2))
    assert sorted(made) == [bytes([number]) * 300_000 for number in range(40)]


def test_the_first_error_is_raised_here_with_its_cause() -> None:
    def work(number: int) -> int:
        if number in (30, 31, 77):
            try:
                raise OSError(errno.ENOSPC, "No space left on device")
            except OSError as full:
                raise BuildError(f"cannot write {number}") from full
        return number

    with pytest.raises(BuildError, match="cannot write 30") as failed:
        list(spread(work, range(100), 2))
    assert isinstance(failed.value.__cause__, OSError)
    assert no_child()


@pytest.mark.parametrize("end", [lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: os._exit(1)])
def test_what_a_killed_process_leaves_is_done_here(end: Callable[[], None]) -> None:
    def work(number: int) -> tuple[int, int]:
        if number == 50 and os.getpid() != HERE:
            end()
        return square(number)

    made = list(spread(work, range(100), 2))
    assert sorted(value for value, _ in made) == [number * number for number in range(100)]
    assert HERE in {process for _, process in made}


def test_where_the_system_has_no_more_processes_all_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    before = open_files()
    monkeypatch.setattr(os, "fork", refused)
    assert {process for _, process in spread(square, range(100), 2)} == {HERE}
    assert open_files() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_all_processes_is_for_the_parent_alone(number: signal.Signals, tmp_path: Path) -> None:
    """A worker ends with the item that it is at: files are either whole or were not begun."""

    def work(item: int) -> int:
        (tmp_path / f"{item}.part").touch()
        (tmp_path / f"{item}.part").rename(tmp_path / f"{item}")
        return item

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before, group = signal.signal(number, stop), os.getpgrp()
    try:
        with pytest.raises(KeyboardInterrupt), closing(spread(work, range(100_000), 2)) as results:
            os.setpgid(0, 0)
            for _ in results:
                os.killpg(0, number)
    finally:
        os.setpgid(0, group)
        signal.signal(number, before)
    assert no_child()
    assert list(tmp_path.glob("*.part")) == []
    assert len(list(tmp_path.iterdir())) < 100_000
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
