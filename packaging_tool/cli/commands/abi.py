"""`mkpkgs abi`"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from packaging_tool.cli.options import common, given
from packaging_tool.cli.text import printable, tell

# Reasons that are told without -v.
TOLD = 12


@click.group(short_help="Say what an update of a core means for its plugins.")
def command() -> None:
    """Say what an update of a core means for its plugins.

    \b
    Example:
      mkpkgs abi diff mkpkgs.lock.old mkpkgs.lock
    """


@command.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--core", metavar="NAME", default="", help="Of the core, where a place is of several.")
@common()
@click.pass_context
def diff(ctx: click.Context, old: str, new: str, core: str) -> int:
    """Compare two releases of a core: which plugins must be rebuilt, and why.

    OLD and NEW are lock files, directories below dev/CORE, or places that publish (a directory, an address), of which
    the newest version counts. Ends with 0 if no plugin needs a new build, else with 1. Lock files do not say which
    older ABIs a core still accepts; the others do.

    \b
    Examples:
      mkpkgs abi diff <(git show HEAD~1:mkpkgs.lock) mkpkgs.lock
      mkpkgs abi diff dist https://packages.example.org --core caddy
    """
    options = given(ctx)
    from packaging_tool.authors import difference

    with tempfile.TemporaryDirectory(prefix="mkpkgs-") as scratch:
        sides = [difference.read(text, core, Path(scratch) / name) for name, text in (("old", old), ("new", new))]
        found = difference.compare(*sides)
    same = True
    for one in found:
        broken = one.reasons and not one.taken
        same = same and not broken and not one.rebuild and not one.dropped
        tell(printable(f"{one.before} → {one.after}"))
        for reason in one.reasons if options.verbose else one.reasons[:TOLD]:
            tell(f"  {printable(reason)}")
        if len(one.reasons) > TOLD and not options.verbose:
            tell(f"  and {len(one.reasons) - TOLD} more (-v shows them)")
        if broken:
            names = ", ".join(name for name, _ in one.rebuild)
            tell("  another ABI: every plugin must be rebuilt" + (f": {printable(names)}" if names else ""))
        else:
            what = "another ABI, and the core still takes plugins of the old one" if one.reasons else "the same ABI"
            if one.rebuild:
                tell(f"  {what}, but some plugins must be rebuilt:")
                for name, why in one.rebuild:
                    tell(f"    {printable(name)}: {printable(why)}")
            elif not one.dropped:
                tell(f"  {what}: no plugin needs a new build")
            if one.dropped:
                tell("  not all ABIs before that are taken any more: plugins that ask for those must be rebuilt")
        for note in one.notes:
            tell(f"  what the ABI does not say: {printable(note)}")
    return 0 if same else 1
