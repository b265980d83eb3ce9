"""`mkpkgs import`"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from packaging_tool.cli.options import common, given
from packaging_tool.cli.text import tell


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
    maintainer = starting.maintainer()
    files = ocb.files(config, core or ocb.CORE, maintainer)
    starting.write(options.file, files, force=force, quiet=options.quiet)
    if needs := _needs(options.file, quiet=options.quiet):
        files = ocb.files(config, core or ocb.CORE, maintainer, needs)
        starting.write(options.file, files, force=True, quiet=True)
    return 0


def _needs(file: Path, *, quiet: bool) -> dict[str, tuple[str, ...]]:
    """Which plugins need others, as the go command tells; nothing where it cannot, and that is said."""
    from packaging_tool.errors import MkpkgsError
    from packaging_tool.golang import needs
    from packaging_tool.listener import Silent
    from packaging_tool.project.loader import load

    project = load(file)
    if len(project.plugins) < 2:
        return {}
    if not quiet:
        tell("Looking which components import others …")
    with tempfile.TemporaryDirectory(prefix="mkpkgs-") as scratch:
        try:
            return needs.inferred(project, Path(scratch), Silent())
        except (MkpkgsError, OSError) as failed:
            tell(f"It is not known which components import others: {failed}\n`mkpkgs plan` says what to write.")
            return {}
