"""A copy of the output directory, in which a run works until all is there and the two are exchanged."""

from __future__ import annotations

import fcntl
import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from packaging_tool.errors import BuildError, MkpkgsError
from packaging_tool.listener import Listener


@contextmanager
def beside(target: Path, listener: Listener) -> Iterator[Path]:
    """A copy of the output directory beside it, removed at the end: by then it is the old output, or a failure."""
    import shutil  # 2 ms for both, which a run with nothing to do need not pay
    import tempfile

    output = target.resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    with _turn(output.parent, listener):
        prefix = f".{output.name}."
        for left in output.parent.glob(f"{glob.escape(prefix)}*.staging"):
            shutil.rmtree(left, ignore_errors=True)
        try:
            staging = Path(tempfile.mkdtemp(prefix=prefix, suffix=".staging", dir=output.parent))
        except OSError as failed:
            raise BuildError(
                f"cannot write beside {target}: {failed.strerror}",
                hint="the output directory is made beside and exchanged as a whole; -o names another place",
            ) from None
        staging.chmod(0o755)
        try:
            if output.exists():
                shutil.copytree(output, staging, dirs_exist_ok=True, copy_function=os.link)
            yield staging
        except MkpkgsError as error:
            # The staging directory is gone when the message is read.
            error.message = error.message.replace(str(staging), str(target))
            raise
        except OSError as error:
            if error.filename:
                error.filename = str(error.filename).replace(str(staging), str(target))
            raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _turn(place: Path, listener: Listener) -> Iterator[None]:
    """Wait until no other project writes an output directory in place: it may be the same one.

    Of two runs at once, the second exchange would put back what was there before the first.
    """
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # NFS locks only what is open for writing, which no directory can be.
        with suppress(OSError):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                listener.step(f"wait for another mkpkgs that writes in {place}")
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def open_new_directories(staging: Path, output: Path) -> None:
    """Whatever the umask, a web server has to read what is new; what was there keeps the mode that it has."""
    for name, _, _ in os.walk(staging):
        if not (output / os.path.relpath(name, staging)).is_dir():
            Path(name).chmod(0o755)
