"""Options that several commands share. They may stand before or after a command's name; the last one wins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from packaging_tool.errors import InputError

if TYPE_CHECKING:
    from packaging_tool.cli.progress import Console
    from packaging_tool.cores import Settings
    from packaging_tool.project.model import Project

F = TypeVar("F", bound=Callable[..., Any])

MINIMAL = """\
[core]
name = "hello"
version = "1.0"
summary = "Greets the world"
license = "MIT"
homepage = "https://example.org"
maintainer = "Jane Doe <jane@example.org>"
driver = "files"
program = "hello"            # the server's program, built beforehand

[core.files]
format = "1"                 # raise it when old plugins no longer work

[plugin.german]
summary = "Greets in German"

[plugin.german.files]
source = "german.txt"
"""


@dataclass(slots=True)
class Options:
    """What the shared options say, over all levels of the command line."""

    file: Path = Path("mkpkgs.toml")
    output: Path | None = None
    arch: tuple[str, ...] = ()
    abi: tuple[str, ...] = ()
    jobs: int = 0
    keys: Path | None = None
    adopt: bool = False
    quiet: bool = False
    verbose: bool = False
    debug: bool = False

    def project(self) -> Project:
        """The project file that is meant. Raises InputError with an example if there is none."""
        from packaging_tool.project import unread
        from packaging_tool.project.loader import load

        if not self.file.exists():
            where = "this directory" if self.file.parent == Path() else f"{self.file.parent}"
            example = "".join(f"    {line}".rstrip() + "\n" for line in MINIMAL.splitlines())
            raise InputError(
                f"there is no {self.file.name} in {where}",
                hint=f"go to a project, name its file with -f, or write one; the smallest is:\n\n{example}\n"
                "  `mkpkgs --help` shows the commands; docs/reference.md every key",
            )
        # A pattern of the project file finds nothing in what the last run made.
        with unread.guarding(self.file.parent, self._output(), ()):
            return load(self.file)

    def _output(self) -> Path:
        return self.output if self.output is not None else self.file.parent / "dist"

    def settings(self, plugins: tuple[str, ...] = ()) -> Settings:
        """The same for `packaging_tool.build`. The output directory is beside the project file by default.

        Raises InputError for a place that cannot be an output directory.
        """
        from packaging_tool.cores import Settings

        output = self._output()
        # The output directory is exchanged as a whole, so nothing else may live in it.
        if self.file.absolute().parent.resolve().is_relative_to(output.resolve()):
            raise InputError(f"{output} holds the project itself", hint="name a directory of its own with -o")
        if output.exists() and not output.is_dir():
            raise InputError(f"{output} is not a directory")
        if output.is_mount():
            raise InputError(
                f"{output} is a mount point, which cannot be exchanged as a whole", hint=f"write to {output / 'dist'}"
            )
        return Settings(
            output=output,
            architectures=self.arch,
            abis=self.abi,
            jobs=self.jobs,
            plugins=plugins,
            keys=self.keys,
            adopt=self.adopt,
        )

    def console(self) -> Console:
        """The listener that draws progress on stderr."""
        from packaging_tool.cli.progress import Console

        return Console(quiet=self.quiet, verbose=self.verbose)


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Keep a value that was said on this level of the command line."""
    options = ctx.ensure_object(Options)
    if param.name is not None and value not in (None, (), False):
        setattr(options, param.name, value)


_PATH = click.Path(path_type=Path)
_OPTIONS: dict[str, dict[str, Any]] = {
    "file": {
        "flags": ("-f", "--file"),
        "type": _PATH,
        "metavar": "FILE",
        "help": "Project file.  [default: mkpkgs.toml]",
    },
    "output": {
        "flags": ("-o", "--output"),
        "type": _PATH,
        "metavar": "DIR",
        "help": "Directory for packages and repositories.  [default: dist, beside the project file]",
    },
    "arch": {
        "flags": ("--arch",),
        "multiple": True,
        "metavar": "ARCH",
        "help": "Only this architecture, in Debian's words; can be repeated.  [default: all of the project]",
    },
    "abi": {
        "flags": ("--abi",),
        "multiple": True,
        "metavar": "ABI",
        "help": "Only this one of `abis`; can be repeated.  [default: all of the project]",
    },
    "jobs": {
        "flags": ("-j", "--jobs"),
        "type": click.IntRange(min=1),
        "metavar": "N",
        "help": "Packages at a time.  [default: one per processor]",
    },
    "keys": {
        "flags": ("--keys",),
        "type": _PATH,
        "metavar": "DIR",
        "help": "Directory of the signing keys.  [default: $MKPKGS_KEYS, else ~/.config/mkpkgs/keys/CORE]",
    },
    "adopt": {
        "flags": ("--adopt",),
        "is_flag": True,
        "help": "Publish all packages in the output directory, also those that no index lists which your keys signed.",
    },
    "quiet": {"flags": ("-q", "--quiet"), "is_flag": True, "help": "Say nothing but errors."},
    "verbose": {"flags": ("-v", "--verbose"), "is_flag": True, "help": "Say more."},
    "debug": {"flags": ("--debug",), "is_flag": True, "help": "Show the traceback of every error."},
}


def common(*names: str) -> Callable[[F], F]:
    """Add shared options to a command, and those that every command has. The command reads them with `given`."""

    def decorate(function: F) -> F:
        for name in reversed((*names, "quiet", "verbose", "debug")):
            settings = dict(_OPTIONS[name])
            flags = settings.pop("flags")
            function = click.option(*flags, name, callback=_remember, expose_value=False, **settings)(function)
        return function

    return decorate


def given(ctx: click.Context) -> Options:
    """The shared options of this run."""
    return ctx.ensure_object(Options)
