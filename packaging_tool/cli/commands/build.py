"""`mkpkgs build`"""

from __future__ import annotations

import click

from packaging_tool.cli.options import common


@click.command(short_help="Build the packages, all or only those of some plugins.")
@click.argument("plugins", nargs=-1, metavar="[PLUGIN]...")
@common("file", "output", "arch", "abi", "jobs", "keys")
@click.pass_context
def command(ctx: click.Context, plugins: tuple[str, ...]) -> int:
    """Build packages into the pools of the output directory, without touching the repositories' indexes.

    With names of plugins, only their packages are written.

    \b
    Examples:
      mkpkgs build
      mkpkgs build git cors --arch arm64
    """
    from packaging_tool.cli.whole import carry_out

    return carry_out(ctx, "build", plugins)
