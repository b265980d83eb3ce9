"""`mkpkgs import`"""

from __future__ import annotations

from pathlib import Path

import click

from packaging_tool.cli.options import common, given


@click.command(short_help="Make a project from the builder file of an OpenTelemetry Collector.")
@click.argument("builder", type=click.Path(path_type=Path), metavar="BUILDER.YAML")
@click.option(
    "--core",
    multiple=True,
    metavar="PATTERN",
    help="Components whose import path is like this become part of the core, all others plugins; can be repeated."
    "  [default: go.opentelemetry.io/collector/*]",
)
@click.option("--force", is_flag=True, help="Write over files that are there.")
@common("file")
@click.pass_context
def command(ctx: click.Context, builder: Path, core: tuple[str, ...], force: bool) -> int:
    """Make a project from a file of OpenTelemetry's builder (ocb): a core with the collector and some components, and a
    plugin for each of the others. Beside the project file, server/ with the core's main and config.yaml are written.

    \b
    Examples:
      mkpkgs import builder-config.yaml
      mkpkgs import --core 'go.opentelemetry.io/collector/*' --core '*/resourceprocessor' builder-config.yaml
    """
    from packaging_tool.cli import starting
    from packaging_tool.golang import ocb

    options = given(ctx)
    root = options.file.absolute().parent
    config = ocb.read(builder, root)
    files = ocb.files(config, core or ocb.CORE, starting.maintainer())
    starting.write(options.file, files, force=force, quiet=options.quiet)
    return 0
