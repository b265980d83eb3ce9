"""From what ELF files ask for to relations between packages: `libc6 (>= 2.34)`, `libc.so.6(GLIBC_2.34)(64bit)`.

rpm's own generator names libraries and symbol versions, so nothing else is needed for it. Debian's relations name
packages: those of the C and C++ runtimes are known here, others are what dpkg-shlibdeps(1) says or the project.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging_tool import confine, targets
from packaging_tool.elf import facts, machines
from packaging_tool.elf.facts import Facts
from packaging_tool.errors import BuildError, CommandError
from packaging_tool.package.model import Alternatives, Operator, Relation

# Debian's packages of the runtimes, by the sonames that they have on all architectures.
_GLIBC = frozenset({"libc", "libm", "libdl", "libpthread", "librt", "libresolv", "libutil", "libanl", "libmvec"})
_LOADER = re.compile(r"ld(-linux.*|64|-lsb.*)?\.so\.[0-9]+")
_STDCXX, _GCC = "libstdc++.so.6", "libgcc_s.so.1"
# The release of gcc that brought a version of its C++ library (its manual, "ABI Policy and Guidelines").
GLIBCXX = {
    "3.4.20": "4.9",
    "3.4.21": "5.2",
    "3.4.22": "6",
    "3.4.23": "7",
    "3.4.24": "7.2",
    "3.4.25": "8",
    "3.4.26": "9",
    "3.4.27": "9.2",
    "3.4.28": "9.3",
    "3.4.29": "11",
    "3.4.30": "12",
    "3.4.31": "13.1",
    "3.4.32": "13.2",
    "3.4.33": "14",
    "3.4.34": "15",
}
# Versions that mark features of the loader, and the glibc that has them.
_FEATURES = {"GLIBC_ABI_DT_RELR": "2.36", "GLIBC_ABI_GNU_TLS": "2.42", "GLIBC_ABI_GNU2_TLS": "2.42"}


@dataclass(frozen=True, slots=True)
class Object:
    """An ELF file of a package. path: where it lies now."""

    path: Path
    facts: Facts


def number(version: str) -> tuple[int, ...]:
    """For comparisons: 2.9 is before 2.34."""
    return tuple(map(int, version.split(".")))


def objects(paths: Iterable[Path]) -> tuple[Object, ...]:
    """Those of the files that are ELF. Raises BuildError for damaged ones."""
    return tuple(Object(path, facts.read(path)) for path in paths if facts.is_elf(path))


def runtime(wanted: Facts, prefix: str) -> str:
    """The newest version `PREFIX_…` of the C (`GLIBC`) or C++ (`GLIBCXX`) library that is needed, "" for none."""
    found = []
    for _, version in wanted.versions:
        if match := re.fullmatch(rf"{prefix}_(\d+(?:\.\d+)+)", version):
            found.append(match[1])
        elif prefix == "GLIBC" and version in _FEATURES:
            found.append(_FEATURES[version])
    return max(found, key=number, default="")


def check_targets(what: str, files: Sequence[Object], names: Sequence[str]) -> None:
    """Raise BuildError if a target has an older C or C++ library than a file needs. what: for the message."""
    for said, name in too_new(what, files, names):
        raise BuildError(said, hint=f"build on {name} or an older system, or take {name} out of core.targets")


def too_new(what: str, files: Sequence[Object], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each need of a newer C or C++ library than a target has, in words, and that target."""
    for prefix, library, field in (("GLIBC", "glibc", "glibc"), ("GLIBCXX", "libstdc++", "glibcxx")):
        for file in files:
            version = runtime(file.facts, prefix)
            for name in names if version else ():
                has: str = getattr(targets.TARGETS[name], field)
                if number(has) < number(version):
                    symbol = facts.symbol(file.path, f"{prefix}_{version}")
                    yield f"{what} needs {prefix}_{version} ({symbol}), but {name} has {library} {has}", name


def c_library(chosen: Sequence[str], what: str, path: Path) -> dict[str, tuple[Alternatives, ...]]:
    """Relations on the C library alone, by format, for a file that needs no other. what: the file, in words.

    Raises BuildError if a target has an older one.
    """
    file = Object(path, facts.read(path))
    version = runtime(file.facts, "GLIBC")
    if not version:
        return {}
    check_targets(what, [file], chosen)
    mark = "(64bit)" if file.facts.bits == 64 else ""
    return {
        "deb": ((Relation("libc6", ">=", version),),),
        "rpm": ((Relation(f"libc.so.6(GLIBC_{version}){mark}"),),),
    }


def rpm(files: Sequence[Object], private: Iterable[str] = ()) -> tuple[Alternatives, ...]:
    """What rpm's generator makes of the files. private: sonames that come with the packages themselves."""
    found = set()
    for file in files:
        mark = "(64bit)" if file.facts.bits == 64 else ""
        wanted = [(soname, "") for soname in file.facts.needed]
        wanted += [item for item in file.facts.versions if item[0] in file.facts.needed]
        found |= {f"{soname}({version}){mark}" for soname, version in wanted if soname not in private}
    # Without a version and 64 bits the parentheses go, too.
    return tuple((Relation(name.removesuffix("()")),) for name in sorted(found))


def deb(
    what: str, files: Sequence[Object], named: Mapping[str, str], private: Iterable[str] = ()
) -> tuple[Alternatives, ...]:
    """Relations on Debian's packages, sorted.

    named: by soname, what the project says, as `libgd3 >= 2.3`. private: sonames that come with the packages
    themselves. Raises BuildError for a library whose package nobody knows.
    """
    private = frozenset(private)
    made: dict[str, Relation] = {}
    others: list[Object] = []
    for file in files:
        for relation in _runtimes(file.facts):
            _add(made, relation)
        sonames = [s for s in file.facts.needed if s not in private and not is_runtime(s)]
        for soname in (s for s in sonames if s in named):
            name, _, condition = named[soname].partition(" ")
            operator, _, version = condition.partition(" ")
            _add(made, Relation(name, ">=" if operator else "", version))
        if any(soname not in named for soname in sonames):
            others.append(file)
    for relation in _shlibdeps(what, others, named, private) if others else ():
        _add(made, relation)
    return tuple((made[name],) for name in sorted(made))


def is_runtime(soname: str) -> bool:
    """Whether a library comes with every C or C++ compiler, and a table here knows Debian's package of it."""
    return soname.partition(".so.")[0] in _GLIBC or soname in (_STDCXX, _GCC) or bool(_LOADER.fullmatch(soname))


def _runtimes(wanted: Facts) -> Iterable[Relation]:
    if version := runtime(wanted, "GLIBC"):
        yield Relation("libc6", ">=", version)
    elif any(is_runtime(soname) and soname not in (_STDCXX, _GCC) for soname in wanted.needed):
        yield Relation("libc6")
    if _STDCXX in wanted.needed:
        release = GLIBCXX.get(runtime(wanted, "GLIBCXX"), "")
        yield Relation("libstdc++6", ">=", release) if release else Relation("libstdc++6")
    if _GCC in wanted.needed:
        yield Relation("libgcc-s1", ">=", "3.0")


def _add(made: dict[str, Relation], relation: Relation) -> None:
    """Keep the stronger of two relations on a package."""
    known = made.get(relation.name)
    if known is None or (relation.version and (not known.version or _newer(relation.version, known.version))):
        made[relation.name] = relation


def _newer(one: str, other: str) -> bool:
    from packaging_tool.package import versions

    return versions.key(one) > versions.key(other)


def _shlibdeps(
    what: str, files: Sequence[Object], named: Mapping[str, str], private: frozenset[str]
) -> Iterable[Relation]:
    """What dpkg-shlibdeps(1) finds in the databases of installed libraries."""
    unknown = sorted({s for f in files for s in f.facts.needed if not is_runtime(s)} - private - set(named))
    example = f'libraries = {{ "{unknown[0]}" = "PACKAGE >= VERSION" }}'
    if shutil.which("dpkg-shlibdeps") is None or files[0].facts.architecture != machines.own():
        raise BuildError(
            f"{what} needs {', '.join(unknown)}, and there is no dpkg-shlibdeps that knows Debian's package of it",
            hint=f"write {example} in its table",
        )
    with tempfile.TemporaryDirectory(prefix="mkpkgs-") as name:
        place = Path(name)
        (place / "debian").mkdir()
        (place / "debian/control").write_text("Source: x\n\nPackage: x\nArchitecture: any\n")
        # What it need not look for: a file of the name, and a line that the library needs no package.
        (place / "known").mkdir()
        lines = []
        for soname in sorted(private | set(named)):
            (place / "known" / soname).symlink_to(files[0].path.absolute())
            library, _, version = soname.partition(".so.")
            lines += [f"{library} {version}\n"] if version else []
        (place / "debian/shlibs.local").write_text("".join(lines))
        arguments = [f"-e{file.path.absolute()}" for file in files]
        folders = {file.path.absolute().parent for file in files}
        try:
            done = confine.run_confined(
                ["dpkg-shlibdeps", "-O", "--warnings=0", f"-l{place}/known", *arguments],
                cwd=place,
                env=confine.environment(place, 0),
                writable=[place],
                readable=folders,
            )
        except CommandError as failed:
            raise BuildError(
                f"{what}: {failed.message}", hint=f"install the libraries that it is linked with, or write {example}"
            ) from None
    _, _, text = done.stdout.decode().strip().partition("=")
    for item in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(r"([a-z0-9.+-]+)(?:\s+\((<<|<=|=|>=|>>)\s*(\S+)\))?", item)
        if match is None:
            raise BuildError(f"{what}: dpkg-shlibdeps says {item!r}", hint=f"write {example}")
        operators: dict[str, Operator] = {"<<": "<", "<=": "<=", "=": "=", ">=": ">=", ">>": ">"}
        yield Relation(match[1], operators[match[2]] if match[2] else "", match[3] or "")
