"""Renders the texts that go into packages from the files below `packaging_tool/templates/`."""

from __future__ import annotations

import shlex
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def render(name: str, **variables: object) -> str:
    """The text of a template, e.g. `deb/postinst.j2`, with its final newline.

    Raises jinja2.UndefinedError for a variable that the template uses and nobody gave, and
    jinja2.TemplateNotFound for a name that does not exist: both are our own mistakes.
    """
    return _environment().get_template(name).render(**variables)


@cache
def _environment() -> Environment:
    # Imported here, since no template is needed to print a version or a help text.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from packaging_tool.package import guarded

    made = Environment(
        loader=PackageLoader("packaging_tool"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - shell and configuration; the page escapes what it shows
    )
    # `sh`: one word of a shell. `lua`: a text of Lua, whose bytes it reads as they are but for these.
    # `specifiers`: a text of systemd's where `%` begins one.
    made.filters |= {"sh": shlex.quote, "specifiers": lambda text: text.replace("%", "%%")}
    made.globals["guarded"] = guarded
    made.filters["lua"] = lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return made
