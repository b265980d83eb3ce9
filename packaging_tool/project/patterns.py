"""What a pattern of `source` finds and no package would have: it is refused, so that nothing is left out unseen.

| found | what to write |
|---|---|
| a folder | another entry that takes something below it, or a pattern that does not find it |
| a link to nothing, a pipe, a socket | nothing: it has no content |
| a hidden name, where the pattern begins with no dot | `[!.]*` to leave it out, `.*` to take it |
| an editor's copy (`x~`, `#x#`) | a pattern that does not find it, if it is not to go |
| files by their pattern, where it is also the name of a file | the name, with each `*`, `?` and `[` in brackets |
| files of several folders by `**`, which would all lie in one | an entry for each folder |
"""

from __future__ import annotations

import glob
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from packaging_tool.errors import BuildError, PackageError
from packaging_tool.package.model import Entry
from packaging_tool.project import contents, unread
from packaging_tool.project.model import FileSpec

# What Emacs, Vim and others leave beside a file; those that begin with a dot are hidden anyway.
_COPIES = ("?*~", "#?*#")


def built(root: Path, specs: Sequence[FileSpec], key: str) -> tuple[Entry, ...]:
    """The entries of files that a build left, as `contents.expand` gives those of sources.

    root: where they lie. key: of the list in the project file. Raises BuildError for what is found in vain, too.
    """
    for at, spec in enumerate(specs, 1):
        try:
            found = contents.sources(root, spec.source) if spec.source else []
        except PackageError as failed:
            raise BuildError(f"{key}[{at}].source: {failed.message}", hint=failed.hint) from None
        for what, instead in findings(root, spec, specs) if found else ():
            raise BuildError(f"{key}[{at}].source: {what}", hint=instead)
    return contents.expand(root, specs)


def findings(root: Path, spec: FileSpec, others: Iterable[FileSpec]) -> Iterator[tuple[str, str]]:
    """What a source finds in vain, and what to write instead. root: of the project. others: all entries of it."""
    pattern = spec.source
    if not contents.GLOB & set(pattern):
        return
    found = [path for path in sorted(root.glob(pattern)) if not unread.what(root, str(path.relative_to(root)))]
    beside = next((path for path in found if path != root / pattern), None)
    if beside is not None and (instead := contents.literal(root, pattern)):
        what = f"{pattern!r} is the name of a file, and as a pattern it finds {beside.relative_to(root).as_posix()!a}"
        yield f"{what} too", f"{instead} for that file alone, or rename it to take all"
    yield from _hidden(pattern, [str(path.relative_to(root)) for path in found])
    files = [path for path in found if contents.holds(Path.is_file, path)]
    others = [*others]
    for path in found:
        name = path.relative_to(root).as_posix()
        if contents.holds(Path.is_dir, path):
            if "**" not in pattern and not _is_taken(name, f"{spec.path}{path.name}", others):
                yield _folder(pattern, name, f"{spec.path}{path.name}", is_bare=contents.is_bare(path))
        elif path not in files:
            what = "a link that leads to nothing" if path.is_symlink() else "no regular file"
            yield f"{pattern!r} finds {name!a}, which is {what}", "remove it, or name the files to take"
    folders = sorted({path.parent for path in files})
    if "**" in pattern and len(folders) > 1:
        one = glob.escape(folders[-1].relative_to(root).as_posix())
        place = f"{spec.path.rstrip('/')}/{folders[-1].name}/"
        what = f"{pattern!r} finds files in {len(folders)} folders, and here they would all lie in one"
        yield what, f'write an entry for each folder, for example with source = "{one}/*" and path = "{place}"'


def _hidden(pattern: str, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """names: what was found, below the project."""
    parts = PurePath(pattern).parts
    dotted = [part for part in parts if part.startswith(".")]
    for name in names:
        hidden = (part for part in PurePath(name).parts if part.startswith("."))
        if any(not any(fnmatchcase(part, wanted) for wanted in dotted) for part in hidden):
            said = f"{pattern!r} finds {name!a}, which begins with a dot and is hidden"
            last = parts[-1]
            if PurePath(name).name.startswith(".") and last.startswith("*"):
                yield said, f'write "{pattern.removesuffix(last)}[!.]{last}" to leave it out, or name those to take'
            else:
                yield said, "name the files to take"
            return
    for name in names:
        if any(fnmatchcase(PurePath(name).name, copy) for copy in _COPIES):
            said = f"{pattern!r} finds {name!a}, which looks like a copy that an editor left"
            yield said, "remove it, or name the files to take"
            return


def _folder(pattern: str, name: str, place: str, *, is_bare: bool) -> tuple[str, str]:
    if is_bare:
        hint = f'write type = "directory" and path = "{place}" in another entry'
    else:
        hint = f'write another entry with source = "{glob.escape(name)}/*" and path = "{place}/"'
    said = f"{pattern!r} finds the folder {name!a}, and takes files only"
    return said, f"{hint}, or a pattern that does not find it, such as {posixpath.dirname(pattern) or '.'}/*.*"


def _is_taken(name: str, place: str, others: Iterable[FileSpec]) -> bool:
    """Whether another entry says what becomes of a folder. place: where it would go."""
    return any(
        other.source.startswith((f"{name}/", f"{glob.escape(name)}/"))
        or (other.type == "directory" and other.path.rstrip("/") == place)
        for other in others
    )
