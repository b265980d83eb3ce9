"""`mkpkgs inspect`"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import click

from packaging_tool import registry
from packaging_tool.cli.options import common, given
from packaging_tool.cli.text import printable, tell
from packaging_tool.errors import InputError
from packaging_tool.formats.base import Description, Format

# Characters of the column of fields; a name that is longer moves its own value alone.
WIDEST = 24


@click.command(short_help="Show what is in a package file.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@common()
@click.pass_context
def command(ctx: click.Context, files: tuple[Path, ...]) -> int:
    """Show a readable page of package files, whoever made them: fields, relations, files, scripts, triggers.

    Needs neither dpkg nor rpm; nothing of a package is run or unpacked to disk. With -q only the fields are shown.

    \b
    Examples:
      mkpkgs inspect caddy_2.11.9-1_amd64.deb
      mkpkgs inspect dist/yum/*/*.rpm | less
    """
    for number, path in enumerate(files):
        if number:
            tell()
        for line in page(path, brief=given(ctx).quiet):
            tell(line)
    return 0


def page(path: Path, *, brief: bool = False) -> Iterator[str]:
    """The lines of a page about a package file. Raises InputError if no format can read it."""
    found = _describe(path)
    yield printable(found.title)
    wide = min(max((len(label) for label, _ in found.fields), default=0), WIDEST)
    for label, value in found.fields:
        first, *rest = value.split("\n")
        yield f"  {printable(label):{wide}}  {printable(first)}".rstrip()
        yield from (f"  {'':{wide}}  {printable(line)}".rstrip() for line in rest)
    if brief:
        return
    yield ""
    yield f"Files ({len(found.files)})"
    yield from (f"  {printable(line)}" for line in found.files)
    for name, text in found.scripts:
        yield ""
        yield printable(name)
        yield from (f"  {printable(line)}".rstrip() for line in text.rstrip("\n").split("\n"))


def _describe(path: Path) -> Description:
    """The format that the file's name speaks of is asked first, then all others."""
    if not path.is_file():
        raise InputError(f"{path}: {'is a directory' if path.is_dir() else 'no such file'}")
    names = sorted(registry.names("formats"), key=lambda name: path.suffix != f".{name}")
    reasons = []
    for name in names:
        try:
            return cast(Format, registry.load("formats", name).Format()).describe(path)
        except InputError as error:
            reasons.append(error)
    if path.suffix == f".{names[0]}":
        raise reasons[0]
    raise InputError(f"{path} is neither {' nor '.join(f'.{name}' for name in names)}")
