"""The `mkpkgs` command: its options, its subcommands, and what becomes of errors. No work is done here."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from packaging_tool import __version__


def run(argv: Sequence[str]) -> int:
    """Run the command line. argv: arguments without the program's name. Gives the exit code."""
    if sys.stdout is None:
        # Started with `>&-`: the work is still wanted, its report is not.
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 (open until the process ends)
    if list(argv) == ["--version"]:
        # Without click: package scripts and Makefiles ask for it often.
        sys.stdout.write(f"mkpkgs {__version__}\n")
        return 0
    import signal

    from packaging_tool.cli import errors, root, text
    from packaging_tool.signing import secrets

    secrets.take()
    text.spell_where_needed()
    for number in (signal.SIGTERM, signal.SIGHUP):
        # CI ends a job with SIGTERM, a lost connection with SIGHUP; nohup has that one ignored, and so it stays.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, errors.terminate)
    try:
        code = root.command().main(args=list(argv), prog_name="mkpkgs", standalone_mode=False)
        sys.stdout.flush()
    except SystemExit as left:
        # click leaves so after a completion, and when the reader of a pipe (`| head`) went away: no error either.
        return int(left.code or 0) if "_MKPKGS_COMPLETE" in os.environ else 0
    except BrokenPipeError:
        # The same, found by our own flush. Python flushes once more at exit: into nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, KeyboardInterrupt) as error:
        return errors.report(error, debug="--debug" in argv)
    return code if isinstance(code, int) else 0
