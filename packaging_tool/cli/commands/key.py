"""`mkpkgs key`"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from packaging_tool.cli.options import common, given
from packaging_tool.cli.text import tell

if TYPE_CHECKING:
    from packaging_tool.signing.keys import Shown


@click.group(short_help="Make or show the keys that sign packages and repositories.")
def command() -> None:
    """Make or show the two keys of a project: one signs repositories and rpms, the other the manifests of plugins.

    They lie outside of the project: in $MKPKGS_KEYS, else $XDG_CONFIG_HOME/mkpkgs/keys/CORE, readable only by their
    owner. A passphrase comes from MKPKGS_PASSPHRASE or the file that MKPKGS_PASSPHRASE_FILE names.

    \b
    Examples:
      mkpkgs key new
      MKPKGS_PASSPHRASE_FILE=~/.passphrase mkpkgs key new
      mkpkgs key new --expires 2028-12-31 --keys ~/next
      mkpkgs key show
    """


@command.command()
@click.option(
    "--repository-kind",
    metavar="KIND",
    default="",
    help="ed25519 or rsa4096.  [default: what all targets read]",
)
@click.option(
    "--manifest-kind",
    metavar="KIND",
    default="",
    help="ed25519 or ecdsa-p256.  [default: what all targets read]",
)
@click.option(
    "--expires",
    metavar="YYYY-MM-DD",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Last day on which targets accept what the manifest key signed.  [default: never]",
)
@common("file", "keys")
@click.pass_context
def new(ctx: click.Context, repository_kind: str, manifest_kind: str, expires: datetime | None) -> int:
    """Make both keys of the project. Keys that are there are never overwritten."""
    from packaging_tool import targets
    from packaging_tool.errors import InputError
    from packaging_tool.signing import keys, secrets

    options = given(ctx)
    project = options.project()
    chosen = project.core.targets if project.plugin_of is None else project.plugin_of.targets
    fit = targets.key_kinds(chosen)
    kinds = repository_kind or fit[0], manifest_kind or fit[1]
    if unfit := targets.unfit_keys(chosen, *kinds):
        raise InputError("; ".join(unfit), hint="leave the kind out: the default is what all targets read")
    made = keys.new(
        project.name,
        project.core.maintainer,
        directory=options.keys,
        kinds=kinds,
        outside=project.root,
        expires=expires.date() if expires else None,
    )
    if not options.quiet:
        _print(made)
        tell("Keep copies of both in different places: whoever has one must not have the other.")
        if secrets.passphrase() is None:
            tell("They have no passphrase; with MKPKGS_PASSPHRASE set, `mkpkgs key new` locks them.")
    return 0


@command.command()
@click.option("--public", is_flag=True, help="Print the public keys themselves.")
@common("file", "keys")
@click.pass_context
def show(ctx: click.Context, public: bool) -> int:
    """Show kind, fingerprint and place of the keys."""
    from packaging_tool.signing import keys

    options = given(ctx)
    found = keys.show(options.project().name, options.keys, keys.signed(options.settings().output))
    if public:
        for key in found:
            tell(key.public.rstrip("\n"))
    else:
        _print(found)
    return 0


def _print(found: tuple[Shown, ...]) -> None:
    for key in found:
        expires = f"  expires {key.expires}" if key.expires else ""
        tell(f"{key.purpose:10}  {key.kind:10}  {key.fingerprint}{expires}\n{'':10}  {key.path}")
