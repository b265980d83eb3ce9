"""The manual page mkpkgs(1), made from the help texts: `python -m packaging_tool.cli.manual > mkpkgs.1`."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator

import click

from packaging_tool import __version__
from packaging_tool.cli.root import SUMMARIES, command


def page() -> str:
    """The page in roff (man(7))."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    group = command()
    context = click.Context(group, info_name="mkpkgs")
    yield f'.TH MKPKGS 1 "" "mkpkgs {__version__}" "User Commands"'
    yield ".SH NAME"
    yield r"mkpkgs \- build packages for a server with plugins, and the repositories for them"
    yield ".SH SYNOPSIS"
    yield r"\fBmkpkgs\fR [\fIOPTIONS\fR] [\fICOMMAND\fR [\fIARGUMENTS\fR]]"
    yield ".SH DESCRIPTION"
    yield from _text(group.help or "")
    yield ".SH OPTIONS"
    yield from _options(group, context)
    for name in sorted(SUMMARIES):
        found = group.get_command(context, name)
        if found is not None:
            yield from _command(f"mkpkgs {name}", found, context)
    yield ".SH FILES"
    for path, meaning in (
        ("mkpkgs.toml", "the project file"),
        ("mkpkgs.lock", "every input of a build that the project file does not say; belongs into version control"),
        (".mkpkgs/", "what earlier runs made; can be deleted at any time"),
        ("dist/", "the repositories"),
    ):
        yield from (".TP", rf"\fI{_escape(path)}\fR", _escape(meaning))
    yield ".SH SEE ALSO"
    yield r"\fBapt\fR(8), \fBdnf\fR(8), \fBdpkg\fR(1), \fBrpm\fR(8), \fBgpg\fR(1)"


def _command(title: str, found: click.Command, parent: click.Context) -> Iterator[str]:
    context = click.Context(found, info_name=title, parent=parent)
    usage = " ".join(found.collect_usage_pieces(context))
    yield f".SH COMMAND {title.removeprefix('mkpkgs ').upper()}"
    yield rf"\fB{_escape(title)}\fR {_escape(usage)}"
    yield ".PP"
    yield from _text(found.help or "")
    yield from _options(found, context)
    if isinstance(found, click.Group):
        for name in found.list_commands(context):
            inner = found.get_command(context, name)
            if inner is not None:
                yield from _command(f"{title} {name}", inner, context)


def _options(found: click.Command, context: click.Context) -> Iterator[str]:
    for option in found.get_params(context):
        record = option.get_help_record(context)
        if record is not None:
            yield from (".TP", rf"\fB{_escape(record[0])}\fR", _escape(record[1]))


def _text(text: str) -> Iterator[str]:
    """Paragraphs as they are filled, those after click's `\\b` mark as they stand."""
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        lines = [line for line in paragraph.splitlines() if line.strip() != "\b"]
        kept = len(lines) != len(paragraph.splitlines())
        yield from ([".nf"] if kept else [])
        yield from (_escape(line) for line in lines)
        yield from ([".fi"] if kept else [])
        yield ".PP"


def _escape(text: str) -> str:
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    sys.stdout.write(page())
