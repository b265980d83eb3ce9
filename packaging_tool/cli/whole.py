"""What the commands that write share: run a step of `packaging_tool.build` and say what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from packaging_tool.cli.errors import failures
from packaging_tool.cli.options import given

if TYPE_CHECKING:
    from packaging_tool.build import Report, Settings
    from packaging_tool.listener import Listener
    from packaging_tool.project.model import Project

    Step = Callable[[Project, Settings, Listener], Report]


def everything(ctx: click.Context) -> int:
    """Lock, build, package, publish."""
    from packaging_tool import build

    return carry_out(ctx, build.everything)


def carry_out(ctx: click.Context, step: Step, plugins: tuple[str, ...] = ()) -> int:
    """Run a step on the project that the options name. Gives the exit code: 1 if a plugin failed."""
    options = given(ctx)
    project = options.project()
    settings = options.settings(plugins)
    console = options.console()
    try:
        report = step(project, settings, console)
    finally:
        console.close()
    failures(report.failures)
    if not options.quiet:
        summary(report, settings)
        if options.verbose:
            for path in report.written:
                click.echo(f"  {path}")
    return 1 if report.failures else 0


def summary(report: Report, settings: Settings) -> None:
    """One line on stdout about the run."""
    took = f"{report.seconds:.1f} s"
    if not report.changed:
        click.echo(f"nothing to do: {settings.output} is up to date ({_packages(report.unchanged)}, {took})")
        return
    parts = [f"{_packages(len(report.written))} written"]
    if report.unchanged:
        parts.append(f"{report.unchanged} unchanged")
    click.echo(f"{settings.output}: {', '.join(parts)} in {took}")


def _packages(number: int) -> str:
    return f"{number} package{'' if number == 1 else 's'}"
