"""The `mkpkgs` command: its options, its subcommands, and what becomes of errors. No work is done here."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from packaging_tool import __version__


def run(argv: Sequence[str]) -> int:
    """Run the command line. argv: arguments without the program's name. Gives the exit code."""
    if list(argv) == ["--version"]:
        # Without click: package scripts and Makefiles ask for it often.
        sys.stdout.write(f"mkpkgs {__version__}\n")
        return 0
    from packaging_tool.cli import errors, root

    try:
        code = root.command().main(args=list(argv), prog_name="mkpkgs", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`| head`) went away: nothing to say, and nothing may be flushed into the pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except BaseException as error:
        if isinstance(error, SystemExit | GeneratorExit):
            raise
        return errors.report(error, debug="--debug" in argv)
    return code if isinstance(code, int) else 0
