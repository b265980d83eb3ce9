"""Relations of an .rpm: how they are spelled, and the header's triples of names, flags and versions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from packaging_tool.errors import PackageError
from packaging_tool.formats import _rpm_tags as t
from packaging_tool.formats._rpm_header import Value
from packaging_tool.package import compress
from packaging_tool.package.model import Alternatives, Capability, Module, Package, Relation, Relations

OPERATORS = {"": 0, "<": t.LESS, "<=": t.LESS | t.EQUAL, "=": t.EQUAL, ">=": t.GREATER | t.EQUAL, ">": t.GREATER}
# A package, a capability such as `perl(Foo::Bar)`, or a file; no space and nothing that begins a rich dependency.
NAME = re.compile(r"[A-Za-z0-9_/][^\s()<>=&|,\x00-\x1f\x7f]*(\([^\s()<>=\x00-\x1f\x7f]*\)){0,2}")
# By ecosystem, what a library is called in `bundled(…)`.
BUNDLED = {"golang": "golang", "pypi": "python3dist"}
# Normal form (PEP 440), less what is local.
_PEP440 = re.compile(
    r"(?:(\d+)!)?(\d+(?:\.\d+)*)((?:a|b|rc)\d+)?(?:\.(post\d+))?(?:\.(dev\d+))?(?:\+[a-z0-9]+(?:[._-][a-z0-9]+)*)?"
)
VERSION = re.compile(r"(?:[0-9]+:)?[A-Za-z0-9._+~^]+(?:-[A-Za-z0-9._+~^]+)?")
# What a package needs of rpm itself, and the rpm that brought it (rpm's rpmds.c).
COMPRESSED_FILE_NAMES = ("rpmlib(CompressedFileNames)", "3.0.4-1")
FILE_DIGESTS = ("rpmlib(FileDigests)", "4.6.0-1")
PAYLOAD_PREFIX = ("rpmlib(PayloadFilesHavePrefix)", "4.0-1")
PAYLOAD = {"zstd": ("rpmlib(PayloadIsZstd)", "5.4.18-1"), "xz": ("rpmlib(PayloadIsXz)", "5.2-1")}
LARGE_FILES = ("rpmlib(LargeFiles)", "4.12.0-1")
RICH = ("rpmlib(RichDependencies)", "4.12.0-1")
LUA = ("rpmlib(BuiltinLuaScripts)", "4.2.2-1")
TILDE = ("rpmlib(TildeInVersions)", "4.10.0-1")
CARET = ("rpmlib(CaretInVersions)", "4.15.0-1")
ISA = {"amd64": "x86-64", "arm64": "aarch-64"}
SH = "/bin/sh"
SCRIPT_SENSES = {
    "%pre": t.SENSE_PRE,
    "%post": t.SENSE_POST,
    "%preun": t.SENSE_PREUN,
    "%postun": t.SENSE_POSTUN,
    "%posttrans": t.SENSE_POSTTRANS,
}
# What the scriptlets call: rpm must install it before, and remove it after, even in the first transaction of a system.
PROGRAMS = (("shadow-utils", t.SENSE_PRE), ("coreutils", t.SENSE_PREUN))
SERVICE_PROGRAM = ("systemd", t.SENSE_POST | t.SENSE_PREUN | t.SENSE_POSTUN)


class Dependency(NamedTuple):
    """One entry of a relation. Sorted as rpm sorts them: by name, then flags."""

    name: str
    flags: int = 0
    version: str = ""


def spell(alternatives: Alternatives) -> str:
    """One relation, e.g. `a >= 1`; alternatives as a rich dependency, e.g. `(a or b >= 1)`. Raises PackageError."""
    texts = [_spell_one(item) for item in alternatives]
    return texts[0] if len(texts) == 1 else f"({' or '.join(texts)})"


def _spell_one(item: Relation | Capability) -> str:
    name = f"{item.name}({item.value})" if isinstance(item, Capability) else item.name
    if not NAME.fullmatch(name) or name.startswith("rpmlib("):
        raise PackageError(f"an .rpm cannot relate to {name!r}")
    if isinstance(item, Capability) or not item.operator:
        return name
    if not VERSION.fullmatch(item.version):
        raise PackageError(f"an .rpm cannot relate to version {item.version!r} of {name}")
    return f"{name} {item.operator} {item.version}"


def _dependency(alternatives: Alternatives) -> Dependency:
    text = spell(alternatives)
    item = alternatives[0]
    if len(alternatives) > 1:
        return Dependency(text)
    if isinstance(item, Capability):
        return Dependency(text)
    return Dependency(item.name, OPERATORS[item.operator], item.version)


def tags(package: Package, scripts: Sequence[str], *, config: bool, large: bool) -> dict[int, Value]:
    """All relation tags of a package.

    scripts: names of its scriptlets, triggers among them. config: it has configuration files. large: one of its files
    has 4 GiB or more. Raises PackageError for relations that an .rpm cannot say.
    """
    own = package.relations.get("rpm", Relations())
    for alternatives in (*own.provides, *own.conflicts, *own.replaces):
        if len(alternatives) != 1:
            raise PackageError(f"{spell(alternatives)!r}: only dependencies can have alternatives")
    provides = [*map(_dependency, own.provides), *_self_provides(package, config=config)]
    requires = [*map(_dependency, own.depends), *_script_requires(package, scripts)]
    if config:
        requires.append(Dependency(f"config({package.name})", t.SENSE_CONFIG | t.EQUAL, str(package.version)))
    recommends = [*map(_dependency, own.recommends)]
    suggests = [*map(_dependency, own.suggests)]
    conflicts = [*map(_dependency, own.conflicts)]
    obsoletes = [*map(_dependency, own.replaces)]
    everything = (*provides, *requires, *recommends, *suggests, *conflicts, *obsoletes)
    requires += _rpmlib(package, everything, large=large)
    made: dict[int, Value] = {}
    for names, flags, versions, dependencies in (
        (t.PROVIDENAME, t.PROVIDEFLAGS, t.PROVIDEVERSION, provides),
        (t.REQUIRENAME, t.REQUIREFLAGS, t.REQUIREVERSION, requires),
        (t.RECOMMENDNAME, t.RECOMMENDFLAGS, t.RECOMMENDVERSION, recommends),
        (t.SUGGESTNAME, t.SUGGESTFLAGS, t.SUGGESTVERSION, suggests),
        (t.CONFLICTNAME, t.CONFLICTFLAGS, t.CONFLICTVERSION, conflicts),
        (t.OBSOLETENAME, t.OBSOLETEFLAGS, t.OBSOLETEVERSION, obsoletes),
    ):
        if dependencies:
            found = sorted(set(dependencies))
            made[names] = tuple([item.name for item in found])
            made[flags] = tuple([item.flags for item in found])
            made[versions] = tuple([item.version for item in found])
    return made


def _self_provides(package: Package, *, config: bool) -> Iterator[Dependency]:
    version = str(package.version)
    yield Dependency(package.name, t.EQUAL, version)
    if isa := ISA.get(package.architecture):
        yield Dependency(f"{package.name}({isa})", t.EQUAL, version)
    if config:
        yield Dependency(f"config({package.name})", t.SENSE_CONFIG | t.EQUAL, version)
    life = package.lifecycle
    if life is not None:
        yield Dependency(f"user({life.try_user})")
        if life.user != "root":
            yield Dependency(f"user({life.user})")
            yield Dependency(f"group({life.group})")
    for module in package.modules:
        yield _bundled(module)


def _bundled(module: Module) -> Dependency:
    """As Fedora's guidelines for Go and for Python have it.

    A hyphen would begin a release; `~` keeps a pre-release below the release.
    """
    name = f"bundled({BUNDLED[module.ecosystem]}({module.path}))"
    version = _python(module.version) if module.ecosystem == "pypi" else module.version
    version = version.removeprefix("v").replace("-", "~")
    return Dependency(name, t.EQUAL, version) if VERSION.fullmatch(version) else Dependency(name)


def _python(version: str) -> str:
    """A version as rpm's generator for Python's packages has it (scripts/pythondistdeps.py); as it is if it is none.

    But for `^`, which rpm of EL 8 refuses.
    """
    parts = _PEP440.fullmatch(version.lower())
    if parts is None:
        return version
    epoch, release, pre, post, dev = parts.groups()
    number = re.sub(r"(\.0)+$", "", release)
    after = f"~{pre}" if pre else f"~~{dev}" if dev else f".{post}" if post else ""
    return f"{epoch}:{number}{after}" if epoch else f"{number}{after}"


def _script_requires(package: Package, scripts: Iterable[str]) -> Iterator[Dependency]:
    for name in scripts:
        if name == "%pretrans":
            yield Dependency(LUA[0], t.SENSE_RPMLIB | t.LESS | t.EQUAL, LUA[1])
            continue
        yield Dependency(SH, t.SENSE_INTERP | SCRIPT_SENSES.get(name, 0))
    life = package.lifecycle
    if life is not None:
        for program, flags in PROGRAMS if life.user != "root" else PROGRAMS[1:]:
            yield Dependency(program, flags)
        if life.unit:
            yield Dependency(*SERVICE_PROGRAM)


def _rpmlib(package: Package, dependencies: Iterable[Dependency], *, large: bool) -> Iterator[Dependency]:
    """What an rpm must be able to do to install the package: a too old one says so instead of guessing."""
    texts = "".join([f"{item.name if item.name[0] == '(' else ''} {item.version}" for item in dependencies])
    method = compress.parse(package.compression.get("rpm", "gzip"))[0]
    wanted = [COMPRESSED_FILE_NAMES, FILE_DIGESTS, PAYLOAD_PREFIX]
    if method in PAYLOAD:
        wanted.append(PAYLOAD[method])
    if large:
        wanted.append(LARGE_FILES)
    wanted += [feature for sign, feature in (("(", RICH), ("~", TILDE), ("^", CARET)) if sign in texts]
    for name, version in wanted:
        yield Dependency(name, t.SENSE_RPMLIB | t.LESS | t.EQUAL, version)
