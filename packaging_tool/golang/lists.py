"""What the lists in a plugin's payload may say: the target refuses a plugin with anything else in them.

The target's own check is `templates/go-link/lists.awk`; both judge alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

_PACKAGE_FILE = re.compile(r"packagefile ([A-Za-z0-9._~+/-]+)=([A-Za-z0-9._+/-]+)")
_IMPORT = re.compile(r'\t(?:_|plugin_[A-Za-z0-9_]+) "[A-Za-z0-9._~+/-]+"')
# Comments that are orders to Go's compiler (`go doc cmd/compile`).
_ORDER = re.compile(r"//(?:go:|line |export |extern )|/\*line ")
_ELSEWHERE = re.compile(r"/\.?\.?/")
_UNPRINTABLE = re.compile(rb"[^\t\n -~]")

FOLDERS = {"compile.cfg": "export", "link.cfg": "object"}


def fault(plugin: str, kind: str, text: bytes, files: Collection[str]) -> str:
    """The first fault of a list, as `line 3 is not: packagefile PATH=FILE`; "" if there is none.

    plugin: its name. kind: imports, lines, modules, compile.cfg or link.cfg. files: regular files of the payload,
    relative to the plugin's directory.
    """
    judge: Callable[[str], str] = {
        "imports": lambda line: "" if _IMPORT.fullmatch(line) else 'is not: NAME "PATH"',
        "lines": lambda line: "has a comment that the compiler obeys" if _ORDER.search(line) else "",
        "modules": _record,
    }.get(kind, lambda line: _package_file(plugin, FOLDERS[kind], line, files))
    for number, line in enumerate(text.removesuffix(b"\n").split(b"\n") if text else (), 1):
        said = "has a byte that is not printable" if _UNPRINTABLE.search(line) else judge(line.decode("ascii"))
        if said:
            return f"line {number} {said}"
    return "does not end with a newline, or has a NUL byte" if text and not text.endswith(b"\n") else ""


def _record(line: str) -> str:
    rest = line.replace(r"\n", "")
    return "is no record of a module" if not rest or re.search(r'["\\]', rest) else ""


def _package_file(plugin: str, folder: str, line: str, files: Collection[str]) -> str:
    found = _PACKAGE_FILE.fullmatch(line)
    if found is None:
        return "is not: packagefile PATH=FILE"
    package, file = found.groups()
    if _ELSEWHERE.search(f"/{package}/"):
        return "names a package with a path that leads elsewhere"
    base = f"plugins/{plugin}/"
    if not file.startswith(f"{base}{folder}/") or _ELSEWHERE.search(f"/{file}/"):
        return f"names a file that is not below {base}{folder}/"
    return "" if file.removeprefix(base) in files else "names a file that is not there"
