"""`mkpkgs init`"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from packaging_tool.cli.options import common, given
from packaging_tool.cli.text import tell


@click.command(short_help="Write the project file of a new project.", context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND LINE]")
@click.option("--driver", metavar="NAME", help="How plugins get into the server.  [default: go-link]")
@click.option("--from", "origin", metavar="xcaddy", help="Make it out of a command line of this program.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
@common("file")
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], driver: str | None, origin: str | None, force: bool) -> int:
    """Write a project file to begin with: each key with its meaning, those that can be left out as comments.

    Or make one out of the command line with which xcaddy built Caddy so far: what that leaves to the newest version is
    looked up and written down.

    \b
    Examples:
      mkpkgs init
      mkpkgs init --driver files
      mkpkgs init --from xcaddy 'xcaddy build v2.11.9 --with github.com/mholt/caddy-l4@v0.1.2'
      mkpkgs init --from xcaddy --with github.com/mholt/caddy-l4 --with example.com/mine=./mine
    """
    from packaging_tool.cli import starting
    from packaging_tool.errors import InputError

    options = given(ctx)
    root = options.file.absolute().parent
    if origin is None:
        if words:
            raise InputError(f"{words[0]} is not expected here", hint="did you mean --from xcaddy?")
        from packaging_tool.project import start

        text = start.blank(driver or "go-link", root.name, starting.maintainer())
        starting.write(options.file, {"mkpkgs.toml": text}, force=force, quiet=options.quiet, whole=False)
        if not options.quiet:
            tell("Fill in what is in capital letters; `mkpkgs plan` says what is missing.")
        return 0
    if origin != "xcaddy":
        raise InputError(f"--from {origin} is not known", hint="write --from xcaddy, or see `mkpkgs import`")
    if driver not in (None, "go-link"):
        raise InputError(f"--driver {driver} does not go with --from", hint="change `driver` in the project file then")
    from packaging_tool.golang import xcaddy

    wanted = xcaddy.parse(words, root)
    with tempfile.TemporaryDirectory(prefix="mkpkgs-") as scratch:
        wanted = xcaddy.resolve(wanted, Path(scratch))
    starting.write(options.file, xcaddy.files(wanted, starting.maintainer()), force=force, quiet=options.quiet)
    return 0
