"""`mkpkgs lock`"""

from __future__ import annotations

import click

from packaging_tool.cli.errors import failures
from packaging_tool.cli.options import common, given
from packaging_tool.cli.text import tell


@click.command(short_help="Resolve the inputs of the build anew into mkpkgs.lock.")
@common("file")
@click.pass_context
def command(ctx: click.Context) -> int:
    """Resolve every input of the build anew: toolchain, flags, versions and checksums of all modules.

    Plugins that cannot be built with what was found are told, with status 1.

    A plain `mkpkgs` keeps what mkpkgs.lock says as long as it fits the project file. Keep the file in version control.

    \b
    Example:
      mkpkgs lock && git diff mkpkgs.lock
    """
    options = given(ctx)
    project = options.project()
    from packaging_tool import build
    from packaging_tool.lock import path_of

    console = options.console()
    try:
        locked = build.lock(project, options.settings(), console)
    finally:
        console.close()
    if not options.quiet:
        names = ", ".join(path_of(each).name for each in project.cores)
        tell(f"{names}: {'written' if locked.changed else 'nothing changed'}")
    failures(locked.failures, "everything else is locked")
    return 1 if locked.failures else 0
