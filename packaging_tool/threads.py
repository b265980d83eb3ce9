"""Things done side by side by threads: for work that waits for the disk, or runs in libraries without the GIL.

`concurrent.futures` does this too, and takes 4 ms to import.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from queue import SimpleQueue
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(work: Callable[[Item], Iterable[Result]], items: Iterable[Item], number: int) -> Generator[Result, None, None]:
    """All that work gives for the items, in no order; the items are begun in theirs.

    number: of threads. An error is raised here, when all threads have ended: each of them stops after the result that
    it is at. So they do when nobody wants more results.
    """
    waiting: SimpleQueue[tuple[Item] | None] = SimpleQueue()
    made: SimpleQueue[tuple[Result] | BaseException | None] = SimpleQueue()
    stop = threading.Event()

    def run() -> None:
        try:
            while not stop.is_set() and (item := waiting.get()) is not None:
                for result in work(*item):
                    made.put((result,))
                    if stop.is_set():
                        break
        except BaseException as error:
            made.put(error)
        finally:
            made.put(None)

    for item in items:
        waiting.put((item,))
    number = min(number, waiting.qsize())
    for _ in range(number):
        waiting.put(None)
    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        left = number
        while left:
            result = made.get()
            if isinstance(result, BaseException):
                raise result
            if result is None:
                left -= 1
            else:
                yield result[0]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
