"""`mkpkgs plan`"""

from __future__ import annotations

import click

from packaging_tool.cli.errors import failures
from packaging_tool.cli.options import common, given
from packaging_tool.cli.text import tell


@click.command(short_help="Show the packages to come, without building them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; docs/reference.md describes it.")
@common("file", "arch", "abi", "keys")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> int:
    """Show the packages to come as a tree: files with modes, owners and sizes, relations as each format spells them,
    scripts and triggers. Nothing is built; a size or an ABI that only the build knows is shown as `?`.
    Plugins that are seen to fail already are told, with status 1.
    Documents that a format adds by itself (copyright, changelog, list of modules) are not among the files.
    With -v the scripts and large directories are shown in full.

    \b
    Examples:
      mkpkgs plan
      mkpkgs plan --arch amd64 | less
      mkpkgs plan --json | jq '.packages[].name'
    """
    options = given(ctx)
    project = options.project()
    from packaging_tool import build
    from packaging_tool.cli import planned

    console = options.console()
    try:
        found = build.plan(project, options.settings(), console)
    finally:
        console.close()
    packages = found.packages
    if as_json:
        tell(planned.as_json(packages))
    else:
        for line in planned.tree(packages, whole=options.verbose):
            tell(line)
        if open_ := planned.networked(project):
            tell(f"\nbuild commands with the network: {', '.join(open_)}")
    failures(found.failures, "everything else is shown")
    return 1 if found.failures else 0
