"""A copy of the output directory, in which a run works until all is there and the two are exchanged."""

from __future__ import annotations

import errno
import fcntl
import glob
import hmac
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from packaging_tool import atomic, cache, registry
from packaging_tool.errors import BuildError, InputError, MkpkgsError
from packaging_tool.listener import Listener

# What link(2) answers where a file can have no second name: another file system (mounted below the directory), one
# that has no such thing, a file of another user (proc(5), protected_hardlinks), or one that has too many.
CANNOT_LINK = {errno.EXDEV, errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}
DEFERRED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def recover(target: Path, listener: Listener) -> None:
    """Clear up beside an output directory what a killed run left: a whole new tree takes its place, others go.

    Before anything reads the directory. A run that is alive is waited for where its new tree is on its way, else its
    leftovers are left alone. Raises OSError, InputError for a new tree of somebody else.
    """
    output = target.resolve()
    waits = _waiting(output)
    if not waits and not any(_left(output)):
        return
    with _turn(output.parent, listener, wait=waits) as mine:
        if mine:
            _sweep(output, listener)


@contextmanager
def beside(target: Path, listener: Listener) -> Iterator[Path]:
    """A copy of the output directory beside it, removed at the end: by then it is the old output, or a failure."""
    import shutil  # 2 ms for both, which a run with nothing to do need not pay
    import tempfile

    output = target.resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    with _turn(output.parent, listener):
        _sweep(output, listener)
        try:
            staging = Path(tempfile.mkdtemp(prefix=f".{output.name}.", suffix=".staging", dir=output.parent))
        except OSError as failed:
            raise BuildError(
                f"cannot write beside {target}: {failed.strerror}",
                hint="the output directory is made beside and exchanged as a whole; -o names another place",
            ) from None
        staging.chmod(0o755)
        try:
            if output.exists():
                copied: list[Path] = []
                _twin(output, staging, output, copied)
                atomic.sync_files(copied)
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


def exchange(staging: Path, target: Path) -> None:
    """Put a finished copy into the place of the output directory, which it is afterwards. Raises OSError."""
    output = target.resolve()
    atomic.exchange(staging, output, _new(output))


def _new(output: Path) -> Path:
    """The name of a whole tree that is about to be the output directory: nobody else can know it.

    A checkout could bring what a run finds beside, and so put it into the place of what was published.
    """
    own = hmac.digest(cache.word(), os.fsencode(output), "sha256").hex()[:16]
    return output.with_name(f".{output.name}.{own}.new")


def _waiting(output: Path) -> bool:
    """Whether a whole tree of ours waits to be the output directory. Raises InputError for one of somebody else."""
    found = {*output.parent.glob(f"{glob.escape(f'.{output.name}.')}*.new")}
    ours = _new(output) if found else output
    if others := sorted(found - {ours}):
        raise InputError(
            f"{others[0]} was put there by no run of this user on this machine",
            hint=f"remove it, or, if it is what a run of yours elsewhere was about to publish: mv it to {output}",
        )
    return ours in found


def _left(output: Path) -> Iterator[Path]:
    """Working copies of runs, of which all but that of a run that is alive are leftovers."""
    return output.parent.glob(f"{glob.escape(f'.{output.name}.')}*.staging")


def _sweep(output: Path, listener: Listener) -> None:
    """Put a waiting new tree into place and remove leftovers. Only whoever has the turn may."""
    import shutil

    for left in _left(output):
        shutil.rmtree(left, ignore_errors=True)
    if _waiting(output):
        listener.step(f"finish what a run that was killed had begun: {output}")
        aside = output.with_name(f".{output.name}.old.staging")
        atomic.finish(_new(output), output, aside)
        shutil.rmtree(aside, ignore_errors=True)


def _twin(source: Path, twin: Path, top: Path, copied: list[Path]) -> None:
    """Fill the directory twin with what is in source: files by a second name, or as copies, which are noted in copied.

    Links stay links, but none may lead a directory out of top: what a run writes there would be published at once.
    Raises OSError, InputError.
    """
    import shutil

    with os.scandir(source) as found:
        for entry in found:
            path, other = Path(entry.path), twin / entry.name
            if entry.is_symlink():
                if entry.is_dir() and not path.resolve().is_relative_to(top):
                    hint = "put there what it leads to, or serve that beside the output directory"
                    raise InputError(f"{path} is a link to a directory elsewhere", hint=hint)
                other.symlink_to(path.readlink())
            elif entry.is_dir():
                other.mkdir()
                _twin(path, other, top, copied)
                other.chmod(entry.stat().st_mode & 0o7777)
            else:
                try:
                    os.link(path, other, follow_symlinks=False)
                except OSError as failed:
                    if failed.errno not in CANNOT_LINK or not entry.is_file():
                        raise
                    shutil.copy2(path, other)
                    copied.append(other)


@contextmanager
def _turn(place: Path, listener: Listener, *, wait: bool = True) -> Iterator[bool]:
    """Wait until no other project writes an output directory in place: it may be the same one.

    Of two runs at once, the second exchange would put back what was there before the first. wait: else say whether the
    turn is ours.
    """
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    mine = True
    try:
        # NFS locks only what is open for writing, which no directory can be.
        with suppress(OSError):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                mine = wait
                if wait:
                    listener.step(f"wait for another mkpkgs that writes in {place}")
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield mine
    finally:
        os.close(descriptor)


def tidy(staging: Path, output: Path) -> None:
    """Make a finished copy fit to be published: readable, and without parts of packages.

    Whatever the umask, a web server has to read directories that are new; what was there keeps the mode that it has. A
    process that was killed while it wrote a package leaves a part of it, which another one wrote whole.
    """
    suffixes = tuple(f".{name}" for name in registry.names("formats"))
    for name, _, files in os.walk(staging):
        if not (output / os.path.relpath(name, staging)).is_dir():
            Path(name).chmod(0o755)
        for file in files:
            if atomic.part_of(file).endswith(suffixes):
                Path(name, file).unlink()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Signals that end a run wait for the end of the block: what it does is done, or not begun."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, DEFERRED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
