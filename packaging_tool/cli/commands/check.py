"""`mkpkgs check`"""

from __future__ import annotations

import click

from packaging_tool.cli.options import common, given
from packaging_tool.cli.text import printable, tell


@click.command(short_help="See whether plugins fit somebody else's core.")
@click.argument("plugins", nargs=-1, metavar="[PLUGIN]...")
@click.option(
    "--against",
    metavar="CORE",
    default="",
    help="A published version of the core, or a directory or address to look at.  [default: all versions]",
)
@click.option("--load", is_flag=True, help="Try them beside the core in a clean root, too: that runs their code.")
@common("file", "abi")
@click.pass_context
def command(ctx: click.Context, plugins: tuple[str, ...], against: str, load: bool) -> int:
    """Compile the plugins of a project with [plugin-of] for each published version of the core, and name what does not
    fit: the version of Go or Python, a module that would have to rise and the way to it, symbols, libraries, a format,
    other people's files and packages; each with the smallest change that repairs it. Nothing is published and no key
    is needed.

    With --load, the core's published packages and the plugins are installed in a fresh root of each target, and the
    core's own tool says whether it works with them. The root has no network, and nothing of it stays. It is made by
    mmdebstrap, or by dnf from repositories of this machine or in ~/.config/mkpkgs/TARGET.repo, by root or a user with
    lines in /etc/subuid and /etc/subgid.

    Ends with 1 if something does not fit.

    \b
    Examples:
      mkpkgs check
      mkpkgs check git --against 2.11.9
      mkpkgs check --against https://packages.example.org --load
    """
    options = given(ctx)
    project = options.project()
    from packaging_tool import build
    from packaging_tool.errors import InputError

    known = list(dict.fromkeys(plugin.name for each in project.cores for plugin in each.plugins))
    for name in plugins:
        if name not in known:
            raise InputError(f"the project has no plugin {name!r}", hint=f"it has {', '.join(known)}")
    console = options.console()
    try:
        verdicts = build.check(project, options.settings(), console, against=against, load=load)
    finally:
        console.close()
    good = True
    chosen = plugins or tuple(known)
    for verdict in verdicts:
        tell(f"{verdict.core}")
        for name in chosen:
            if name in verdict.fitting:
                works = f", and {verdict.core.spec.name} works with it {verdict.loaded}" if verdict.loaded else ""
                tell(f"  {name}: fits{works}")
                for what in verdict.unchecked.get(name, ()):
                    tell(f"    {printable(str(what))}")
        for failure in verdict.failures:
            if failure.plugin in chosen:
                good = False
                first, *rest = [line for line in failure.message.splitlines() if line.strip()] or [""]
                package = f"{failure.package}: " if failure.package else ""
                tell(f"  {failure.plugin}: {printable(package + first)}")
                for line in rest:
                    tell(f"    {printable(line)}")
                if failure.repair:
                    tell(f"    repair: {printable(failure.repair)}")
        for reason in verdict.untried:
            tell(f"  not shown: {printable(reason)}")
    if load and good and not any(verdict.loaded for verdict in verdicts):
        raise InputError("no plugin was tried", hint="see above what was not shown, and why")
    return 0 if good else 1
