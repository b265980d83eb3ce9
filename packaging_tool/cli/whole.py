"""What the commands that write share: run a step of `packaging_tool.build` and say what came of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import click

from packaging_tool.cli.errors import failures
from packaging_tool.cli.options import given
from packaging_tool.cli.text import tell

if TYPE_CHECKING:
    from packaging_tool.build import Report
    from packaging_tool.cores import Settings


def carry_out(
    ctx: click.Context,
    step: Literal["everything", "build", "publish"],
    plugins: tuple[str, ...] = (),
    *,
    due: bool = False,
) -> int:
    """Run a function of `packaging_tool.build` on the project that the options name.

    due: as in its Settings. Gives the exit code: 1 if a plugin failed.
    """
    options = given(ctx)
    project = options.project()
    from packaging_tool import build  # after the project file, whose problems then show at once

    settings = replace(options.settings(plugins), due=due)
    console = options.console()
    try:
        report: Report = getattr(build, step)(project, settings, console)
    finally:
        console.close()
    failures(report.failures)
    if not options.quiet:
        summary(report, settings)
        if options.verbose:
            for path in report.written:
                tell(f"  {path}")
    return 1 if report.failures else 0


def summary(report: Report, settings: Settings) -> None:
    """One line on stdout about the run."""
    took = f"{report.seconds:.1f} s"
    if not report.changed:
        tell(f"nothing to do: {settings.output} is up to date ({_packages(report.unchanged)}, {took})")
        return
    parts = [f"{_packages(len(report.written))} written"] if report.written else []
    if report.unchanged:
        parts.append(f"{report.unchanged} unchanged")
    tell(f"{settings.output}: {', '.join(parts) or 'repositories written'} in {took}")


def _packages(number: int) -> str:
    return f"{number} package{'' if number == 1 else 's'}"
