"""The main header of an .rpm but for files and payload: what the package is, its scriptlets, triggers and changelog."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from packaging_tool.errors import PackageError
from packaging_tool.formats import _rpm_files, _rpm_relations
from packaging_tool.formats import _rpm_tags as t
from packaging_tool.formats._rpm_header import Value
from packaging_tool.package import limits, prose, templates
from packaging_tool.package.model import Change, Entry, Former, Lifecycle, Package

ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64", "all": "noarch"}
# Low, so that the triggers of systemd (unit files, users, temporary files) have run before ours restarts a service.
TRIGGER_PRIORITY = 100
# rpm tells by this tag what may stand in the header; all of ours is known to 4.14, the oldest that still has support.
RPM_VERSION = "4.14.0"
# Where it was built is no property of the package; the name that other builders of reproducible packages use.
BUILD_HOST = "reproducible"
SCRIPTLETS = {
    "pre": (t.PREIN, t.PREINPROG),
    "post": (t.POSTIN, t.POSTINPROG),
    "preun": (t.PREUN, t.PREUNPROG),
    "postun": (t.POSTUN, t.POSTUNPROG),
    "posttrans": (t.POSTTRANS, t.POSTTRANSPROG),
}
# No program is there yet in the first transaction of a system.
PRETRANS = "%pretrans -p <lua>"
TRIGGERS = {"transfiletriggerin": t.SENSE_TRIGGERIN, "transfiletriggerpostun": t.SENSE_TRIGGERPOSTUN}
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
VERSION = re.compile(r"[A-Za-z0-9._+~^]+")
ARCHITECTURE = re.compile(r"[a-z0-9_]+")
# In texts of several lines.
FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
DAY = 86400


def architecture(package: Package) -> str:
    """rpm's word for the package's architecture; those without a translation have the same name in both worlds."""
    return ARCHITECTURES.get(package.architecture, package.architecture)


def scripts(package: Package) -> Mapping[str, str]:
    """Scriptlets and triggers by the heads that they have in a spec file, of a package with a lifecycle, or for
    what rpm cannot do alone.
    """
    life, former = package.lifecycle, _former(package)
    made = {PRETRANS: templates.render("rpm/pretrans.j2", former=former)} if former else {}
    if moved := [item for item in former if item.was == "directory"]:
        made["%post"] = templates.render("rpm/moved.j2", moved=moved)
    if life is None:
        return made
    swept = made.pop("%post", "")
    made |= {f"%{name}": _script(name, life) for name in SCRIPTLETS}
    made["%post"] = swept + made["%post"]
    for name in TRIGGERS:
        made[f"%{name} -P {TRIGGER_PRIORITY} -- {life.watched}"] = _script(name, life)
    return made


def _former(package: Package) -> list[Former]:
    """What rpm refuses to replace, or would unpack through: directories, and links to what is a directory now."""
    return [item for item in package.former.get("rpm", ()) if item.now == "directory" or item.was == "directory"]


@lru_cache(maxsize=64)
def _script(name: str, life: Lifecycle) -> str:
    return templates.render(f"rpm/{name}.j2", l=life)


def check(package: Package) -> None:
    """Raise PackageError for what no .rpm can carry."""
    for what, pattern, text in (
        ("package name", NAME, package.name),
        ("source name", NAME, package.source),
        ("version", VERSION, package.version.upstream),
        ("release", VERSION, package.version.release),
        ("architecture", ARCHITECTURE, architecture(package)),
    ):
        if not pattern.fullmatch(text):
            raise PackageError(f"{package.name}: an .rpm cannot have the {what} {text!r}")
    for what in ("summary", "maintainer", "homepage", "group", "vendor", "license"):
        if limits.CONTROL.search(getattr(package, what)):
            raise PackageError(f"{package.name}: the {what} has a line break or another control character")
        limits.utf8(package.name, getattr(package, what))
    for what in ("summary", "license"):
        if not getattr(package, what).strip():
            raise PackageError(f"{package.name}: the {what} is empty")
    limits.utf8(package.name, package.description)
    if not 0 <= package.version.epoch < 1 << 31:
        raise PackageError(f"{package.name}: an .rpm cannot have the epoch {package.version.epoch}")
    times = (package.time, *(change.time + DAY for change in package.changelog))
    if not 0 <= min(times) <= max(times) < 1 << 32:
        raise PackageError(f"{package.name}: a time of the package or its changelog does not fit into an .rpm")


def tags(package: Package, entries: Sequence[Entry], *, large: bool) -> dict[int, Value]:
    """All tags but those about the payload. large: a file has 4 GiB or more. Raises PackageError."""
    life = package.lifecycle
    texts = scripts(package)
    names = [name.split()[0] for name in texts]
    config = any(entry.type == "config" for entry in entries)
    arch = architecture(package)
    made: dict[int, Value] = {
        t.HEADERI18NTABLE: ("C",),
        t.NAME: package.name,
        t.VERSION: package.version.upstream,
        t.RELEASE: package.version.release,
        t.SUMMARY: (package.summary.strip(),),
        t.DESCRIPTION: (_description(package.description or package.summary),),
        t.BUILDTIME: (package.time,),
        t.BUILDHOST: BUILD_HOST,
        t.LICENSE: package.license,
        t.GROUP: (package.group or "Unspecified",),
        t.OS: "linux",
        t.ARCH: arch,
        t.PLATFORM: f"{arch}-linux",
        t.SOURCERPM: f"{package.source}-{package.version.upstream}-{package.version.release}.src.rpm",
        t.RPMVERSION: RPM_VERSION,
        t.ENCODING: "utf-8",
        **_rpm_files.tags(entries, package.time),
        **_rpm_relations.tags(package, names, config=config, large=large),
        **_changelog(package.name, package.changelog),
    }
    if package.version.epoch:
        made[t.EPOCH] = (package.version.epoch,)
    for tag, text in ((t.VENDOR, package.vendor), (t.PACKAGER, package.maintainer), (t.URL, package.homepage)):
        if text:
            made[tag] = text
    if PRETRANS in texts:
        made |= {t.PRETRANS: texts[PRETRANS].rstrip("\n"), t.PRETRANSPROG: "<lua>"}
    for name, (body, program) in SCRIPTLETS.items():
        if script := texts.get(f"%{name}"):
            made |= {body: script.rstrip("\n"), program: _rpm_relations.SH}
    if life is not None:
        made |= _triggers(life)
    return made


@lru_cache(maxsize=64)
def _description(text: str) -> str:
    """The paragraphs, wrapped, since rpm shows them as they are."""
    said = prose.paragraphs(FORBIDDEN.sub("", text))
    return "\n\n".join("\n".join(prose.lines(paragraph, 79)) for paragraph in said)


def _triggers(life: Lifecycle) -> dict[int, Value]:
    number = len(TRIGGERS)
    return {
        t.TRANSFILETRIGGERSCRIPTS: tuple([_script(name, life).rstrip("\n") for name in TRIGGERS]),
        t.TRANSFILETRIGGERSCRIPTPROG: (_rpm_relations.SH,) * number,
        t.TRANSFILETRIGGERNAME: (life.watched,) * number,
        t.TRANSFILETRIGGERINDEX: tuple(range(number)),
        t.TRANSFILETRIGGERVERSION: ("",) * number,
        t.TRANSFILETRIGGERFLAGS: tuple(TRIGGERS.values()),
        t.TRANSFILETRIGGERPRIORITIES: (TRIGGER_PRIORITY,) * number,
    }


@lru_cache(maxsize=64)
def _changelog(name: str, changes: tuple[Change, ...]) -> dict[int, Value]:
    """Newest first; the time of an entry is noon of its day, as rpmbuild has it, since a spec file knows only dates."""
    authors, texts = [], []
    for change in changes:
        authors.append(f"{change.author} - {change.version}")
        texts.append("\n".join([f"- {' '.join(text.split())}" for text in change.changes]))
        if limits.CONTROL.search(authors[-1]) or "\0" in texts[-1]:
            raise PackageError(f"{name}: the changelog entry of {change.version!r} has a control character")
        limits.utf8(name, authors[-1] + texts[-1])
    return {
        t.CHANGELOGTIME: tuple([change.time - change.time % DAY + DAY // 2 for change in changes]),
        t.CHANGELOGNAME: tuple(authors),
        t.CHANGELOGTEXT: tuple(texts),
    }
