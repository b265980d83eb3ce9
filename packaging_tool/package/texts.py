"""Texts that say what is in a package: Debian's changelog and copyright file, and the list of modules (CycloneDX)."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from time import gmtime, strftime

from packaging_tool.package import spdx
from packaging_tool.package.model import Change, Module, Package

DEP5 = "https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
LICENSES = Path(__file__).parent.parent / "templates/licenses"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# What base-files brings on every release since Debian 10 (Policy 12.5), by the SPDX ids that mean it.
COMMON_LICENSES = {
    "Apache-2.0": ("Apache-2.0", "Apache License, Version 2.0"),
    "CC0-1.0": ("CC0-1.0", "Creative Commons CC0 1.0 Universal"),
    "GFDL-1.2": ("GFDL-1.2", "GNU Free Documentation License, version 1.2"),
    "GFDL-1.3": ("GFDL-1.3", "GNU Free Documentation License, version 1.3"),
    "GPL-1.0": ("GPL-1", "GNU General Public License, version 1"),
    "GPL-2.0": ("GPL-2", "GNU General Public License, version 2"),
    "GPL-3.0": ("GPL-3", "GNU General Public License, version 3"),
    "LGPL-2.0": ("LGPL-2", "GNU Library General Public License, version 2"),
    "LGPL-2.1": ("LGPL-2.1", "GNU Lesser General Public License, version 2.1"),
    "LGPL-3.0": ("LGPL-3", "GNU Lesser General Public License, version 3"),
    "MPL-1.1": ("MPL-1.1", "Mozilla Public License, version 1.1"),
    "MPL-2.0": ("MPL-2.0", "Mozilla Public License, version 2.0"),
}
# Whole texts of the two families that come inside of longer license files; Policy 12.5 wants the reference instead.
# Found by their ends and not by one pattern, which would look to the end of the file from each title in it.
FULL_TEXTS = (
    ("Apache-2.0", re.compile(r"Apache License\s+Version 2\.0, January 2004")),
    ("GPL-3.0", re.compile(r"GNU GENERAL PUBLIC LICENSE\s+Version 3, 29 June 2007")),
    ("GPL-2.0", re.compile(r"GNU GENERAL PUBLIC LICENSE\s+Version 2, June 1991")),
)
TERMS_END = "END OF TERMS AND CONDITIONS"
APPENDIX = re.compile(r"\s+APPENDIX: How to apply")
APPENDIX_END = "limitations under the License."
EXPRESSION = re.compile(r"\s+(?:AND|OR|WITH)\s+|[()]")
TITLE = re.compile(r"^(?:the )?(?:mit|isc|bsd(?: [23] clause)?) licen[cs]e (?:mit |expat )?")
# How far down a license file says who holds the copyright; further down the word belongs to the terms.
NOTICE_LINES = 15
COPYRIGHT_LINE = re.compile(r"^\W*(?:portions\s+)?copyright\s+(?:\(c\)|©|\d{4}|the\b|by\b).*$", re.IGNORECASE)


def debian_changelog(source: str, changes: Sequence[Change]) -> bytes:
    """The text of changelog.Debian (Policy 4.4), newest entry first."""
    entries = []
    for change in changes:
        lines = [
            textwrap.fill(
                " ".join(text.split()),
                width=78,
                initial_indent="  * ",
                subsequent_indent="    ",
                break_long_words=False,
                break_on_hyphens=False,
            )
            for text in change.changes
        ]
        date = rfc5322(change.time)
        head = f"{source} ({change.version}) unstable; urgency=medium"
        entries.append("\n".join((head, "", *lines, "", f" -- {change.author}  {date}", "")))
    return "\n".join(entries).encode()


def rfc5322(time: int) -> str:
    """A date as RFC 5322 has it, whatever the locale; where nothing else needs it, email.utils is slow to import.

    time: seconds since 1970.
    """
    moment = gmtime(time)
    day, month = DAYS[moment.tm_wday], MONTHS[moment.tm_mon - 1]
    return strftime(f"{day}, %d {month} %Y %H:%M:%S +0000", moment)


def copyright_file(package: Package, *, common_licenses: bool = True) -> bytes:
    """The copyright file, machine-readable (DEP-5), with the license of every module that is compiled in.

    common_licenses: refer to /usr/share/common-licenses, as Debian wants it, in place of those texts. Equal texts
    stand once; texts that differ under one name are numbered.
    """
    return _copyright_file(
        package.source, package.homepage, package.license, package.copyright, package.modules, common_licenses
    )


@lru_cache(maxsize=64)
def _copyright_file(
    source: str, homepage: str, license_: str, holder: str, modules: tuple[Module, ...], common: bool
) -> bytes:
    """Packages without modules of their own share the text, so it is made once for all of them."""
    licenses = _Licenses(common)
    own = next((m for m in modules if m.license == license_ and m.license_text), None)
    # A text that is referred to is not needed, and a module's file might say more than the license.
    name = licenses.add(license_, own.license_text if own and not (common and _common(license_)) else "")
    head = [_field("Format", DEP5), _field("Upstream-Name", source)]
    if homepage:
        head.append(_field("Source", homepage))
    paragraphs = [
        "".join(head),
        _field("Files", "*") + _copyright(holder.splitlines()) + _field("License", name),
    ]
    groups: dict[tuple[tuple[str, ...], str], list[Module]] = {}
    for module in modules:
        name = licenses.add(module.license, module.license_text)
        groups.setdefault((module.copyright or _split_notice(module.license_text)[0], name), []).append(module)
    for (holders, name), members in groups.items():
        patterns = "".join(f" vendor/{module.path}/*\n" for module in members)
        listed = "".join(f" {module.path} {module.version}\n" for module in members)
        paragraphs.append(
            f"Files:\n{patterns}"
            + _copyright(holders)
            + _field("License", name)
            + f"Comment: {_how(members)}:\n{listed}"
        )
    paragraphs += licenses.paragraphs()
    return "\n".join(paragraphs).encode()


def module_list(package: Package) -> bytes:
    """The modules that are compiled in, as CycloneDX 1.5 JSON. The same package gives the same bytes.

    A serial number is left out, since it would have to be random; the time is the package's.
    """
    import json  # 2 ms that packages without modules need not pay

    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(package.time)),
            "component": {
                "type": "application",
                "bom-ref": f"{package.name}@{package.version}",
                "name": package.name,
                "version": str(package.version),
                **_cyclonedx_license(package.license),
            },
        },
        "components": [_component(module) for module in sorted(package.modules, key=lambda m: (m.path, m.version))],
    }
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def _component(module: Module) -> dict[str, object]:
    from urllib.parse import quote

    # ECMA-427 (purl): all but a few characters are escaped in each part.
    path, version = quote(module.path, safe="/-._~"), quote(module.version, safe="-._~:")
    purl = f"pkg:{module.ecosystem}/{path}@{version}"
    made: dict[str, object] = {
        "type": "library",
        "bom-ref": purl,
        "name": module.path,
        "version": module.version,
        **_cyclonedx_license(module.license),
        "purl": purl,
    }
    if module.copyright:
        made["copyright"] = "\n".join(module.copyright)
    if module.sum:
        # Go's own hash is over a list of files, so it is no hash of CycloneDX's kind.
        made["properties"] = [{"name": "mkpkgs:go.sum", "value": module.sum}]
    return made


def _cyclonedx_license(license_: str) -> dict[str, object]:
    if not license_:
        return {}
    if EXPRESSION.search(license_):
        return {"licenses": [{"expression": license_}]}
    # An id must be on SPDX's list, and the newest ones, or what somebody wrote for a license, may not be.
    key = "id" if license_ in spdx.ids() else "name"
    return {"licenses": [{"license": {key: license_}}]}


def _how(modules: Sequence[Module]) -> str:
    return "Compiled in" if modules[0].ecosystem == "golang" else "Brought along"


class _Licenses:
    """License paragraphs at the end of a copyright file: each text once, each under a name of its own."""

    def __init__(self, common: bool) -> None:
        self._common = common
        self._names: dict[tuple[str, str], str] = {}
        self._texts: dict[str, str] = {}

    def add(self, license_: str, text: str) -> str:
        """Take a license and give the name that stands for it in the file."""
        license_ = license_ or "unknown"
        body = self._body(license_, text)
        key = (license_, _comparable(body))
        if key not in self._names:
            base = _dep5_name(license_)
            name, number = base, 1
            while name in self._texts:
                number += 1
                name = f"{base}-{number}"
            self._names[key] = name
            self._texts[name] = body
        return self._names[key]

    def paragraphs(self) -> list[str]:
        return [_field("License", name) + _verbatim(text) for name, text in self._texts.items()]

    def _body(self, license_: str, text: str) -> str:
        ids = [part for part in re.split(EXPRESSION, license_) if part]
        if self._common and all(_common(part) for part in ids):
            references = "\n".join(_common(part) for part in ids)
            return "\n\n".join(filter(None, (references, _beside_apache(text) if ids == ["Apache-2.0"] else "")))
        if not text.strip():
            if license_ == "unknown":
                return "The sources of these files name no license."
            return "\n\n".join(map(_standard, ids))
        text = _split_notice(text)[1]
        if self._common:
            for name, title in FULL_TEXTS:
                text = _replaced(text, title, _common(name))[0]
        return text


def _common(license_: str) -> str:
    """The reference to a text that every Debian system has, or ""."""
    plain = re.sub(r"(-only|-or-later|\+)$", "", license_)
    if plain not in COMMON_LICENSES:
        return ""
    file, title = COMMON_LICENSES[plain]
    later = ", or (at your option) any later version" if license_ != plain and not license_.endswith("-only") else ""
    return textwrap.fill(
        f"Licensed under the {title}{later}. On Debian systems the full text stands in "
        f"/usr/share/common-licenses/{file}.",
        width=78,
        break_on_hyphens=False,
        break_long_words=False,
    )


@lru_cache(maxsize=64)
def _standard(license_: str) -> str:
    """The text of a license whose words are always the same, else where to find it."""
    if not re.fullmatch(r"[A-Za-z0-9.+-]+", license_):
        return f"The sources name the license {license_}."
    try:
        return (LICENSES / f"{license_}.txt").read_text("utf-8")
    except OSError:
        return f"The text of {license_} stands at https://spdx.org/licenses/{license_}.html"


def _dep5_name(license_: str) -> str:
    """SPDX's words in DEP-5's spelling; only the operators differ."""
    name = license_.replace("(", "").replace(")", "")
    return re.sub(r"\s+(AND|OR|WITH)\s+", lambda match: f" {match[1].lower()} ", name)


def _beside_apache(text: str) -> str:
    """What a module says beside the license itself: section 4(d) wants its NOTICE passed on."""
    rest, found = _replaced(text, FULL_TEXTS[0][1], "")
    return rest.strip() if found else ""


def _replaced(text: str, title: re.Pattern[str], by: str) -> tuple[str, int]:
    """The text with all licenses of this title replaced, and how many there were."""
    parts, at = [], 0
    while (found := title.search(text, at)) and (end := text.find(TERMS_END, found.end())) >= 0:
        parts += [text[at : found.start()], by]
        at = end + len(TERMS_END)
        # Only Apache's has one.
        if appendix := APPENDIX.match(text, at):
            end = text.find(APPENDIX_END, appendix.end())
            at = end + len(APPENDIX_END) if end >= 0 else at
    return "".join((*parts, text[at:])), len(parts) // 2


def _comparable(text: str) -> str:
    """A license text in the form in which two are equal: without case, punctuation, line breaks and its title."""
    return TITLE.sub("", re.sub(r"[^a-z0-9]+", " ", text.lower()).strip())


def _split_notice(text: str) -> tuple[tuple[str, ...], str]:
    """Who holds the copyright, as a license file says it at its top, and the file without that.

    Many modules have one license and differ only there, so the rest stands once and the holders beside their modules.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    head, rest = lines[:NOTICE_LINES], lines[NOTICE_LINES:]
    holders = tuple(" ".join(line.split()) for line in head if COPYRIGHT_LINE.match(line))
    kept = [line for line in head if not COPYRIGHT_LINE.match(line)]
    return holders, "\n".join((*kept, *rest)).strip("\n")


def _field(name: str, value: str) -> str:
    return f"{name}: {' '.join(value.split())}\n"


def _copyright(holders: Iterable[str]) -> str:
    lines = [" ".join(holder.split()) for holder in holders if holder.strip()]
    return "Copyright: " + "\n ".join(lines or ["not stated in the sources"]) + "\n"


def _verbatim(text: str) -> str:
    """A text as continuation lines of a field (Policy 5.6.13): blank lines become a single dot."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n").expandtabs(4).strip("\n").split("\n")
    return "".join(f" {line.rstrip()}\n" if line.strip() else " .\n" for line in lines)
