"""Loader configuration: how a server is told what to load. A kind of server is one entry of the table KINDS."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from packaging_tool.package.templates import render

# The file of a plugin that names its objects for the loader, a line each.
LIST = "loader"
Place = Literal["", "plugins", "digests", "flat"]
Then = Literal["", "reload", "restart", "nothing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """The file below /usr/lib/CORE/bin/serving/loader that the server's configuration includes.

    kind: nginx, lighttpd or postgresql; it gives the other keys their values. Without it, `line` is needed.
    file: name of the file.
    line: what names one object: `{path}` is its path, `{name}` its name without `.so`, `{plugin}` its plugin.
    head: before the first one.
    join: between two; default a new line.
    tail: after the last one.
    place: where `{path}` is: `"plugins"` in the verified copy of the plugin; `"digests"` in a directory named by its
        content, for servers that load a changed module only from another path; `"flat"` all in one directory.
    then: what brings a change of plugins: a reload, a restart, or nothing, since the server is not ours to restart.
    """

    kind: Literal["", "nginx", "lighttpd", "postgresql"] = ""
    file: str = ""
    line: str = ""
    head: str = ""
    join: str = ""
    tail: str = ""
    place: Place = ""
    then: Then = ""


DEFAULTS = Loader(file="modules.conf", join="\n", place="plugins", then="restart")
KINDS: Mapping[str, Loader] = {
    "": DEFAULTS,
    "nginx": Loader(line="load_module {path};", place="digests", then="reload"),
    # It looks for modules in one directory: the argument `-m`.
    "lighttpd": Loader(line='"{name}"', head="server.modules += ( ", join=", ", tail=" )", place="flat"),
    "postgresql": Loader(
        file="postgresql.conf", line="{path}", head="shared_preload_libraries = '", join=",", tail="'", then="nothing"
    ),
}


def whole(said: Loader) -> Loader:
    """What the project says, completed by its kind, then by the defaults."""
    kind = KINDS[said.kind]
    values = {f.name: getattr(said, f.name) or getattr(kind, f.name) or getattr(DEFAULTS, f.name) for f in fields(said)}
    return Loader(**values)


def arrange(core: str, loader: Loader) -> str:
    """The script of Target.arrange for a loader that is whole."""
    return render(
        "elf/arrange.sh.j2",
        core=core,
        file=loader.file,
        list=LIST,
        place=loader.place,
        line=_words(loader.line),
        **{key: shlex.quote(getattr(loader, key)) for key in ("head", "join", "tail")},
    )


def _words(line: str) -> str:
    """The line as a word of sh."""
    # Every second part is one of these words.
    parts = re.split(r"\{(path|name|plugin)\}", line)
    return "".join(f'"${part}"' if place % 2 else shlex.quote(part) for place, part in enumerate(parts) if part)
