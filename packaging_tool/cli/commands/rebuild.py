"""`mkpkgs rebuild`"""

from __future__ import annotations

import click

from packaging_tool.cli.options import common


@click.command(short_help="Build what an update of somebody else's core made necessary.")
@common("file", "output", "arch", "abi", "jobs", "keys", "adopt")
@click.pass_context
def command(ctx: click.Context) -> int:
    """Look which versions of the core are published now, build the plugins for those for which there is no package yet,
    and publish them. What is there already stays as it is.

    In a project with a core of its own, this is the same as `mkpkgs` alone, which does only what changed anyway.

    \b
    Examples:
      mkpkgs rebuild
      mkpkgs rebuild -q || mail -s 'plugins do not fit the new core' me@example.org
    """
    from packaging_tool.cli.whole import carry_out

    return carry_out(ctx, "everything", due=True)
