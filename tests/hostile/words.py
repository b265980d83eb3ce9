"""Words that somebody from outside may write where mkpkgs or a machine reads a name, a version, a path or a sentence.

Each would do something if it met a shell, xargs, awk, a program's options, a terminal, a unit file, rpm's macros, HTML
or JSON as it is. Where a word can run a command, that command makes the file `mark`, which no test may find.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

# `{mark}` stands for a path in a directory of the test.
WORDS: Mapping[str, str] = {
    "blank": "zz top",
    "leading-dash": "-o=Dir::Bin::dpkg=/bin/sh",
    "options-of-apt": "zz -o=Dir::Bin::dpkg=/bin/sh -o=DPkg::Options::=-c -o=DPkg::Options::=touch${{IFS}}{mark}",
    "long-option": "--help",
    "command": "$(touch {mark})",
    "command-without-blanks": "zz$(touch${{IFS}}{mark})",
    "backticks": "`touch {mark}`",
    "semicolon": "zz;touch {mark};",
    "pipe": "zz|touch {mark}",
    "ampersand": "zz&touch {mark}&",
    "redirection": "zz>{mark}",
    "variable": "$NAME",
    "single-quote": "zz'; touch {mark}; '",
    "double-quote": 'zz"; touch {mark}; "',
    "backslash": "zz\\",
    "newline": "zz\ntouch {mark}\n",
    "carriage-return": "zz\rtouch {mark}",
    "tab": "zz\ttouch {mark}",
    "title-of-terminal": "zz\x1b]0;owned\x07",
    "colour-of-terminal": "zz\x1b[31m",
    "control-sequence": "zz\x9b31m",
    "bell": "zz\x07",
    "delete": "zz\x7f",
    "right-to-left": "zz\u202egnp.exe",
    "isolate": "zz\u2066x\u2069",
    "zero-width": "zz\u200btop",
    "line-separator": "zz\u2028top",
    "percent": "%d%i%n%H",
    "rpm-macro": "%(touch {mark})",
    "rpm-lua": '%{{lua:os.execute("touch {mark}")}}',
    "awk-statement": 'zz" | "touch {mark}',
    "awk-assignment": "CORE=zz",
    "glob": "zz*?[a-z]",
    "path-above": "../../../../etc/passwd",
    "absolute": "/etc/passwd",
    "html": "<script>alert(1)</script>&amp;\"'",
    "json": '"}}],"x":[{{"',
    "jinja": "{{{{ 7*7 }}}}{{% raw %}}",
    "roff": ".\n.sy touch {mark}\n",
    "sed": "zz/e;touch {mark};",
    "systemd-specifier": "%h/%m;$HOME",
    "comment": "zz#top",
    "long": "z" * 65536,
    "empty": "",
}
# Of bytes, where what is read is no text.
BYTES: Mapping[str, bytes] = {
    "nul": b"zz\x00top",
    "not-utf-8": b"zz\xff\xfe",
    "cut-utf-8": b"zz\xe2\x80",
    "overlong-utf-8": b"zz\xc0\xaf",
    "c1-in-latin-1": b"zz\x9b31m",
}


def words(mark: Path) -> Iterator[tuple[str, str]]:
    """Name and text of each word; what could run makes the file `mark`, whose path has no blanks."""
    for name, text in WORDS.items():
        yield name, text if name == "long" else text.format(mark=mark)


def raw(mark: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each word, and those that are no text."""
    for name, text in words(mark):
        yield name, text.encode()
    yield from BYTES.items()
