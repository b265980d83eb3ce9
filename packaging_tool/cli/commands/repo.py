"""`mkpkgs repo`"""

from __future__ import annotations

import click

from packaging_tool.cli.options import common


@click.command(short_help="Write the repositories from the packages in the output directory.")
@common("file", "output", "keys", "adopt")
@click.pass_context
def command(ctx: click.Context) -> int:
    """Index and sign the packages that lie in the output directory: apt and yum repositories, the files that clients
    need, and a page that tells an administrator what to do. Packages that were neither built here nor listed in an
    index that your keys signed are refused, unless you --adopt them.

    \b
    Examples:
      mkpkgs repo
      mkpkgs repo -o /srv/packages
    """
    from packaging_tool.cli.whole import carry_out

    return carry_out(ctx, "publish")
