"""Many things done by several processes: threads keep one processor busy where nearly all is Python.

Where the time goes into other programs or waits for the disk, threads do. To write a package is also
Python: all of it for a small one, and for a large one enough that two threads wait for each other an eighth of the
time. So one process for each processor, made by fork(2), takes one thing after the other; none is started for a single
one. They take what is next from a common pipe: what a thing costs depends on how well it compresses, and
processors that others use too are not equally fast.

A worker says nothing and decides nothing: no message, no signal handler, no tidying up. It ends after the thing that it
is at when nobody reads its pipe any more, be it that the parent stops or that it was killed.
"""

from __future__ import annotations

import os
import pickle
import selectors
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TypeVar, cast

Item = TypeVar("Item")
Result = TypeVar("Result")

# The parent gets these, too, and ends the workers.
LEFT_TO_PARENT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LENGTH = 4
PIECE = 1 << 16
# Numbers that fit into a page, which every pipe holds (pipe(7)), so nobody waits to write them.
MOST = 4096 // LENGTH


def spread(work: Callable[[Item], Result], items: Sequence[Item], processes: int) -> Generator[Result, None, None]:
    """What work gives for each item, in no order; in this process where it may use no others.

    work: what it gives is pickled; changes that it makes to objects are lost. items: should begin with those that take
    longest, so that all processes end at the same time. An item whose worker failed is done again here, so that an
    error is raised as if there were one process.
    """
    processes = min(processes, len(items))
    left = dict(enumerate(items))
    # Locks of other threads would stay locked in a forked process for ever.
    if processes > 1 and threading.active_count() == 1:
        for number, result in _forked(work, items, processes):
            del left[number]
            yield result
    for item in left.values():
        yield work(item)


def _forked(work: Callable[[Item], Result], items: Sequence[Item], processes: int) -> Iterator[tuple[int, Result]]:
    workers: dict[int, int] = {}
    parts = _Parts(len(items))
    try:
        with selectors.DefaultSelector() as pipes:
            for _ in range(processes):
                reading, writing = os.pipe()
                pipes.register(reading, selectors.EVENT_READ, bytearray())
                workers[reading] = 0
                try:
                    workers[reading] = _fork(work, items, parts, writing, [*workers])
                except OSError:
                    # The system has no more processes: what nobody takes stays undone here.
                    pass
                finally:
                    os.close(writing)
            parts.close()
            while pipes.get_map():
                for key, _ in pipes.select():
                    data = os.read(key.fd, PIECE)
                    key.data.extend(data)
                    yield from cast("Iterator[tuple[int, Result]]", _messages(key.data))
                    if not data:
                        pipes.unregister(key.fd)
    finally:
        parts.close()
        for reading in workers:
            os.close(reading)
        for process in filter(None, workers.values()):
            os.waitpid(process, 0)


class _Parts:
    """The numbers of items, of which each process takes the next few when it is done with those it had."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._step = -(-count // MOST)
        self._descriptor, writing = os.pipe()
        os.write(writing, b"".join(start.to_bytes(LENGTH, "big") for start in range(0, count, self._step)))
        # Whoever finds the pipe empty now reads its end.
        os.close(writing)

    def __iter__(self) -> Iterator[int]:
        """The numbers for this process."""
        while start := os.read(self._descriptor, LENGTH):
            first = int.from_bytes(start, "big")
            yield from range(first, min(first + self._step, self._count))

    def close(self) -> None:
        """Only workers need it any more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


def _messages(data: bytearray) -> Iterator[object]:
    """The whole messages at the start of data, which are taken away."""
    while len(data) >= LENGTH and len(data) >= (end := LENGTH + int.from_bytes(data[:LENGTH], "big")):
        yield pickle.loads(data[LENGTH:end])  # noqa: S301 - from a process of our own
        del data[:end]


def _fork(
    work: Callable[[Item], Result], items: Sequence[Item], parts: Iterable[int], writing: int, others: Sequence[int]
) -> int:
    """Start a worker. others: descriptors that only the parent may have, or a pipe would stay open without it."""
    # A signal between fork and the new disposition would run the parent's handler, and its tidying up, in the worker.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, LEFT_TO_PARENT)
    try:
        process = os.fork()
        if process:
            return process
        try:
            for left in LEFT_TO_PARENT:
                signal.signal(left, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            for descriptor in others:
                os.close(descriptor)
            with open(writing, "wb") as pipe:
                for number in parts:
                    data = pickle.dumps((number, work(items[number])))
                    pipe.write(len(data).to_bytes(LENGTH, "big") + data)
                    pipe.flush()
        finally:
            # Whatever it was: the parent sees what is missing. Nothing of its stack may run here.
            os._exit(0)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
