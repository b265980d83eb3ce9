"""Programs of others that read what mkpkgs writes, each started once for many files."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from debian.changelog import Changelog
from debian.deb822 import Deb822

from debian import copyright as dep5

RPM = ("NAME", "VERSION", "RELEASE", "SUMMARY", "DESCRIPTION", "URL", "VENDOR", "PACKAGER", "LICENSE", "GROUP")
SCRIPTS = ("PREIN", "POSTIN", "PREUN", "POSTUN", "POSTTRANS", "PRETRANS")
_END = "<<end>>"


def sh(argv: Sequence[str | Path], **more: Any) -> str:
    """What a program prints on stdout; its status must be 0."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, (argv[:6], done.stdout[-2000:], done.stderr[-2000:])
    return str(done.stdout)


def control(debs: Iterable[Path], place: Path) -> dict[str, Deb822]:
    """The fields of each .deb by name of the file, as dpkg-deb gives them; the rest of it is unpacked below place."""
    found = {}
    place.mkdir(parents=True)
    for deb in debs:
        sh(["dpkg-deb", "--raw-extract", deb, place / deb.name])
        found[deb.name] = Deb822(
            (place / deb.name / "DEBIAN/control").read_text(), strict={"whitespace-separates-paragraphs": True}
        )
    return found


def unpacks(debs: Sequence[Path], place: Path) -> None:
    """dpkg reads the packages as it does before it unpacks them, and says nothing of any."""
    (place / "var/lib/dpkg").mkdir(parents=True)
    (place / "var/lib/dpkg/status").touch()
    command: list[str | Path] = [
        "dpkg",
        f"--root={place}",
        "--no-act",
        "--force-not-root",
        "--force-all",
        "--unpack",
        *debs,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told = [line for line in done.stderr.splitlines() if re.search("warning|error", line) and "overriding" not in line]
    assert not told, told[:5]


def tags(rpms: Sequence[Path]) -> list[dict[str, str]]:
    """Tags and scriptlets of each .rpm, "(none)" where there is none."""
    asked = "".join(f"%{{{tag}}}{_END}" for tag in (*RPM, *SCRIPTS)) + f"[%{{CHANGELOGTEXT}}\n]{_END}"
    rows = sh(["rpm", "-qp", "--nosignature", "--qf", f"{asked}\n", *rpms]).split(f"{_END}\n")[:-1]
    assert len(rows) == len(rpms)
    return [dict(zip((*RPM, *SCRIPTS, "CHANGELOG"), row.split(_END), strict=True)) for row in rows]


def shell(scripts: Mapping[str, str], place: Path, *, check: bool) -> None:
    """sh, and with check shellcheck, read scripts. They are by name."""
    place.mkdir(parents=True)
    for name, text in scripts.items():
        (place / name).write_text(text)
        sh(["sh", "-n", place / name])
    if check and scripts:
        sh(["shellcheck", "-s", "sh", "-S", "warning", *(place / name for name in scripts)])


def manual(pages: Iterable[Path]) -> None:
    """man formats pages without a warning."""
    # It cannot break words, and paths of a test's directories are long.
    wide = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "1000"}
    command: list[str | Path] = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", *pages]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=wide)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[:2000]


def documents(place: Path) -> None:
    """What a package has below /usr/share/doc: changelog, copyright, list of modules."""
    for path in place.glob("usr/share/doc/*/*"):
        if path.name.startswith("changelog.Debian"):
            Changelog(gzip.decompress(path.read_bytes()).decode(), strict=True)
        elif path.name == "copyright":
            dep5.Copyright(path.read_text().splitlines(), strict=True)
        elif path.suffix == ".json":
            json.loads(path.read_text())


class Page(HTMLParser):
    """Elements of a page with their attributes, in order, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data
