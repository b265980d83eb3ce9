"""The command group. Subcommands are found by listing `cli/commands` and imported only when they run."""

from __future__ import annotations

import importlib
import keyword
import pkgutil

import click

from packaging_tool import __version__
from packaging_tool.cli.options import common

# One line for each, so that `--help` imports none of them; a test compares them with the commands' own.
SUMMARIES = {
    "abi": "Say what an update of a core means for its plugins.",
    "build": "Build the packages, all or only those of some plugins.",
    "check": "See whether plugins fit somebody else's core.",
    "import": "Make a project from the builder file of an OpenTelemetry Collector.",
    "init": "Write the project file of a new project.",
    "inspect": "Show what is in a package file.",
    "key": "Make or show the keys that sign packages and repositories.",
    "lock": "Resolve the inputs of the build anew into mkpkgs.lock.",
    "plan": "Show the packages to come, without building them.",
    "rebuild": "Build what an update of somebody else's core made necessary.",
    "repo": "Write the repositories from the packages in the output directory.",
}
HELP = """Build one core package and one drop-in package per plugin, .deb and .rpm, and the signed apt and yum
repositories that serve them, from one mkpkgs.toml.

Without a command, everything that the project file describes is done: lock, build, package, repositories. Where nothing
changed since the last run, nothing is done.

\b
Examples:
  mkpkgs                        everything, into dist/
  mkpkgs plan                   what would come out
  mkpkgs --arch arm64 -j 2      one architecture, two packages at a time
  mkpkgs build git cors         only the packages of two plugins
  mkpkgs inspect dist/apt/pool/main/c/caddy/*.deb

\b
Shell completion:
  bash   eval "$(_MKPKGS_COMPLETE=bash_source mkpkgs)"
  zsh    eval "$(_MKPKGS_COMPLETE=zsh_source mkpkgs)"
  fish   _MKPKGS_COMPLETE=fish_source mkpkgs | source

Exit codes: 0 done, 1 something failed, 2 wrong input, 130 interrupted.
"""


class LazyGroup(click.Group):
    """A group whose commands are modules of `cli/commands`, each with a click command named `command`.

    `_` ends the name of a module whose command is a word of Python.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the modules."""
        from packaging_tool.cli import commands

        return sorted(module.name.rstrip("_") for module in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        found: click.Command = importlib.import_module(f"packaging_tool.cli.commands.{module}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands for `--help`, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, SUMMARIES.get(name, "")) for name in self.list_commands(ctx)])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; a name that is nearly one gets a suggestion."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from packaging_tool.project.faults import similar

            close = similar(args[0], self.list_commands(ctx))
            if close and "did you mean" not in error.message.lower():
                raise click.UsageError(f"{error.message} Did you mean {close!r}?", ctx) from None
            raise


def command() -> click.Group:
    """The whole command line."""

    @click.group(
        cls=LazyGroup,
        invoke_without_command=True,
        help=HELP,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    @click.version_option(__version__, prog_name="mkpkgs", message="%(prog)s %(version)s")
    @common("file", "output", "arch", "abi", "jobs", "keys", "adopt")
    @click.pass_context
    def mkpkgs(ctx: click.Context) -> int | None:
        if ctx.invoked_subcommand is not None:
            return None
        from packaging_tool.cli.whole import carry_out

        return carry_out(ctx, "everything")

    return mkpkgs
