"""What the user sees of an error, and the exit code of the process."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from packaging_tool.cli.text import printable
from packaging_tool.errors import CommandError, MkpkgsError, ProjectError

if TYPE_CHECKING:
    from packaging_tool.drivers.base import Failure

# Lines of a failed program's output that are shown; the last ones say what went wrong.
TAIL = 20


class Terminated(KeyboardInterrupt):
    """Another signal than Ctrl-C's that asks us to end, with the same tidying up. number: of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def terminate(number: int, _frame: object) -> None:
    """The handler of such a signal. A second one does not break the tidying up."""
    signal.signal(number, signal.SIG_IGN)
    raise Terminated(number)


def report(error: BaseException, *, debug: bool = False) -> int:
    """Print an error on stderr. Gives the exit code. debug: always with the traceback."""
    if debug and not isinstance(error, click.exceptions.Exit):
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        # click makes an Abort of it.
        stopped = error.__cause__ or error
        notes = getattr(stopped, "__notes__", ["the output directory is as it was"])
        say(f"interrupted; {notes[0]}")
        return 128 + getattr(stopped, "number", signal.SIGINT)
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
        # Only the name of a group of commands was given; before 8.2 click prints its help by itself.
        click.echo(str(error), err=True)
        return 2
    if isinstance(error, click.ClickException):
        say(error.format_message())
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(f"  hint: `{error.ctx.command_path} --help` shows what there is", err=True)
        return error.exit_code
    if isinstance(error, ProjectError):
        _problems(error)
        return error.exit_code
    if isinstance(error, MkpkgsError):
        say(error.message)
        _details(error)
        return error.exit_code
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        say(f"{place}{error.strerror or error}")
        return 1
    if not debug:
        traceback.print_exception(error, file=sys.stderr)
    say("this is a bug in mkpkgs, not in your project; please report it with the text above")
    return 1


def say(text: str) -> None:
    """One error, in the form of all programs: name, kind, text."""
    click.echo(f"mkpkgs: {click.style('error:', fg='red', bold=True)} {_clean(text)}", err=True, color=colour())


def colour() -> bool | None:
    """Never with NO_COLOR (no-color.org) or on a dumb terminal; else click decides by whether a person looks."""
    import os

    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None


def failures(found: Sequence[Failure], rest: str = "everything else was built") -> None:
    """Plugins that did not build: each with the package that failed and the compiler's own lines. rest: what is said
    of all others."""
    for failure in found:
        say(str(failure))
    if found:
        names = ", ".join(sorted({failure.plugin for failure in found}))
        say(f"{_count(len({f.plugin for f in found}), 'plugin')} failed: {names}; {rest}")


def _problems(error: ProjectError) -> None:
    for problem in error.problems:
        click.echo(_clean(str(problem)), err=True)
    files = sorted({problem.file for problem in error.problems})
    say(f"{_count(len(error.problems), 'problem')} in {', '.join(files)}")


def _details(error: MkpkgsError) -> None:
    """The end of a program's output, the causes, and what to do next."""
    if isinstance(error, CommandError) and error.output:
        lines = error.output.splitlines()
        if len(lines) > 1:
            for line in lines[-TAIL:]:
                click.echo(f"  | {_clean(line)}", err=True)
    cause = error.__cause__
    while cause is not None:
        # Of an OSError the message has the reason without the number.
        text = (cause.strerror if isinstance(cause, OSError) else None) or str(cause)
        if text and text not in error.message:
            click.echo("  because: " + _clean(str(cause)).replace("\n", "\n  "), err=True)
        cause = cause.__cause__
    if error.hint:
        click.echo(f"  hint: {_clean(error.hint)}", err=True)


def _clean(text: str) -> str:
    """An error speaks of names in files of others, which may hold what steers a terminal."""
    return printable(text, keep="\n\t")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
