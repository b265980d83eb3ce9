"""Builds in private copies of sources, such that the same sources give the same bytes wherever the copy lies.

Commands run as `packaging_tool.confine` describes. They get PATH of the user and nothing else of the environment, then
HOME (a directory of their own), LC_ALL=C, TZ=UTC, SOURCE_DATE_EPOCH, DESTDIR (an empty directory), and what the project
says. They may change the copy, DESTDIR and HOME. The compilers that PATH has first are small scripts that add
`-ffile-prefix-map=COPY=/usr/src/NAME` (rustc: `--remap-path-prefix`) and call the real ones: as flags in CFLAGS, the
place of the copy would get into programs that record how they were configured.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from packaging_tool import atomic, commands, confine
from packaging_tool.elf import cross, machines
from packaging_tool.errors import BuildError, CommandError
from packaging_tool.project import contents, unread
from packaging_tool.project.model import Project
from packaging_tool.run import run

_COMPILERS = ("cc", "gcc", "c++", "g++", "clang", "clang++")
_LINES = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one part of a project is built.

    name: of the directory below /usr/src that debug information names. source: directory or tarball. commands: lists
    of arguments. words: what `{word}` stands for within arguments. lists: what a whole argument `{word}` stands for.
    environment: variables. epoch: SOURCE_DATE_EPOCH. base: a built tree that the commands may change a copy of, as
    `{core}`; and its recipe's name. record: keep what compilers are called with, for `compiled.units`. network:
    whether the commands may use it.
    """

    name: str
    source: Path
    commands: tuple[tuple[str, ...], ...]
    architecture: str
    words: Mapping[str, str]
    lists: Mapping[str, tuple[str, ...]]
    environment: Mapping[str, str]
    epoch: int
    base: tuple[str, Path] | None = None
    record: bool = False
    network: bool = False


@dataclass(frozen=True, slots=True)
class Tree:
    """A built copy. source, install: of the commands' directory and DESTDIR. mark: hash of all that went into it.

    core: the copy of the base that the commands may have changed; None without one.
    """

    source: Path
    install: Path
    mark: str
    core: Path | None = None


def files_of(source: Path) -> Iterator[Path]:
    """All files and links of a source, sorted; of a tarball, itself."""
    if not source.is_dir():
        yield source
        return
    for name, folders, files in contents.folders_of(source):
        own = unread.ignored(name, [*folders, *files], follows=False)
        folders[:] = sorted(set(folders) - own)
        links = [folder for folder in folders if (Path(name) / folder).is_symlink()]
        yield from (Path(name) / file for file in sorted({*files, *links} - own))


def digest(source: Path) -> str:
    """SHA-256 over names, kinds, rights to execute and bytes of a source. Raises BuildError for devices and pipes."""
    found = hashlib.sha256()
    for path in files_of(source):
        mode = path.lstat().st_mode
        name = path.relative_to(source).as_posix()
        if stat.S_ISLNK(mode):
            found.update(f"link {name} {path.readlink()}\n".encode(errors="surrogateescape"))
        elif stat.S_ISREG(mode):
            with path.open("rb") as file:
                body = hashlib.file_digest(file, "sha256").hexdigest()
            found.update(f"file {name} {bool(mode & stat.S_IXUSR)} {body}\n".encode(errors="surrogateescape"))
        else:
            raise BuildError(f"{path} is neither file nor directory", hint="take it out of the source")
    return found.hexdigest()


def build(recipe: Recipe, folder: Path, base_mark: str = "") -> Tree:
    """Build below folder, or give back what was built there from the same inputs. base_mark: of the base's tree.

    Raises BuildError; the whole output of the commands is in folder/log then.
    """
    inputs = [digest(recipe.source), recipe.commands, recipe.lists, dict(recipe.environment), recipe.epoch, base_mark]
    inputs += [recipe.record, recipe.network]
    said = json.dumps([*inputs, recipe.architecture, recipe.words.get("version", ""), compiler(recipe.architecture)])
    mark = hashlib.sha256(said.encode()).hexdigest()
    tree = Tree(folder / "source", folder / "install", mark, folder / "core" if recipe.base else None)
    done = folder / "done"
    if done.is_file() and done.read_text() == mark:
        return tree
    atomic.remove(folder)
    tree.install.mkdir(parents=True)
    if recipe.record:
        (folder / "compiled").mkdir()
    _unpack(recipe.source, tree.source)
    lists = {**cross.arguments(recipe.architecture, folder), **recipe.lists}
    words = {**recipe.words, "source": str(tree.source), "destdir": str(tree.install)}
    mapped = {str(tree.source): f"/usr/src/{recipe.name}"}
    if recipe.base is not None:
        name, path = recipe.base
        shutil.copytree(path, folder / "core", symlinks=True)
        words["core"] = str(folder / "core")
        mapped[words["core"]] = f"/usr/src/{name}"
    # Beside, since it is kept for the next build.
    home = folder.parent / "home" / folder.name
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    mapped[str(home)] = "/usr/src/home"
    own = confine.environment(home, recipe.epoch, network=recipe.network)
    environment = {
        **own,
        "PATH": f"{_wrap(folder, recipe, mapped)}:{own['PATH']}",
        "DESTDIR": str(tree.install),
        "RUSTC_WRAPPER": str(folder / "tools/rustc-wrapper"),
        **recipe.environment,
    }
    for command in recipe.commands:
        _command(recipe, expand(command, words, lists), tree, environment)
    atomic.write(done, mark.encode())
    return tree


def epoch(project: Project, locked: int) -> int:
    """SOURCE_DATE_EPOCH of the commands: the variable, else the newest changelog entry, else what the lock has."""
    if (said := os.environ.get("SOURCE_DATE_EPOCH", "")).isdecimal():
        return int(said)
    if project.core.changelog:
        moment = datetime.fromisoformat(project.core.changelog[0].date)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    return locked


def expand(command: Sequence[str], words: Mapping[str, str], lists: Mapping[str, tuple[str, ...]]) -> list[str]:
    """A command with its placeholders filled in; the items of lists may have placeholders themselves.

    Raises BuildError for one that a shell would take for more than a word.
    """
    found: list[str] = []
    for argument in command:
        found += lists.get(argument[1:-1], ()) if is_list(argument, lists) else (argument,)
    return commands.fill(found, words)


def is_list(argument: str, lists: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether an argument stands for a list of them."""
    return argument.startswith("{") and argument.endswith("}") and argument[1:-1] in lists


def compiler(architecture: str) -> str:
    """The first line of `cc --version`, or `gcc` of a cross toolchain; "" if there is none."""
    name = machines.tool("gcc", architecture) if architecture != machines.own() else "cc"
    try:
        return run([name, "--version"]).stdout.decode(errors="replace").partition("\n")[0].strip()
    except CommandError:
        return ""


def _unpack(source: Path, into: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, into, symlinks=True, ignore=partial(unread.ignored, follows=False))
        return
    into.mkdir()
    # Times are those of the archive, so that make finds what upstream generated newer than its sources.
    argv = ["tar", "-xf", str(source.absolute()), "--no-same-owner", "--no-same-permissions"]
    try:
        confine.run_confined(argv, cwd=into, env=confine.environment(into, 0), writable=[into], readable=[source])
    except CommandError as failed:
        first = failed.output.partition("\n")[0] or failed.message
        raise BuildError(f"{source}: {first}", hint="it must be an archive of files, directories and links") from None
    inside = list(into.iterdir())
    if len(inside) == 1 and inside[0].is_dir():
        inside[0].rename(into.with_name("unpacked"))
        into.rmdir()
        into.with_name("unpacked").rename(into)


def _wrap(folder: Path, recipe: Recipe, mapped: Mapping[str, str]) -> Path:
    """The scripts that PATH has first; see above."""
    tools = folder / "tools"
    tools.mkdir()
    flags = shlex.join(f"-ffile-prefix-map={place}={name}" for place, name in mapped.items())
    names = [*_COMPILERS, *(f"{machines.TRIPLETS[recipe.architecture]}-{name}" for name in ("gcc", "g++"))]
    for name in names:
        if real := shutil.which(name):
            said = f'"$#" {shlex.quote(real)} "$PWD" "$@" >>{shlex.quote(str(folder))}/compiled/$$'
            record = f"printf '%s\\0' {said}\n" if recipe.record else ""
            _script(tools / name, f'{record}exec {shlex.quote(real)} {flags} "$@"\n')
    remaps = shlex.join(f"--remap-path-prefix={place}={name}" for place, name in mapped.items())
    _script(tools / "rustc-wrapper", f'exec "$@" {remaps}\n')
    return tools


def _script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)


def _command(recipe: Recipe, command: list[str], tree: Tree, environment: Mapping[str, str]) -> None:
    folder, name = tree.source.parent, recipe.name
    try:
        # A relative program lies in the copy.
        program = str(tree.source / command[0]) if "/" in command[0] else command[0]
        found = shutil.which(program, path=environment["PATH"]) or program
        # Not the folder itself: what a command put in place of the log or of the compilers would be used out here.
        mine = [tree.source, tree.install, folder / "core", folder / "compiled", Path(environment["HOME"])]
        done = confine.run_confined(
            [found, *command[1:]],
            cwd=tree.source,
            env=environment,
            writable=mine,
            readable=[folder],
            network=recipe.network,
            check=False,
        )
    except (CommandError, OSError) as failed:
        raise BuildError(f"{name}: {command[0]} cannot be run: {failed}") from None
    log = folder / "log"
    with log.open("ab") as file:
        file.write(f"$ {shlex.join(command)}\n".encode() + done.stdout + done.stderr)
    if done.returncode != 0:
        lines = [*done.stdout.decode(errors="replace").splitlines(), *done.stderr.decode(errors="replace").splitlines()]
        raise CommandError(
            f"{name}: {shlex.join(command)[:200]} ended with status {done.returncode}",
            returncode=done.returncode,
            output="\n".join(lines[-_LINES:]),
            hint=f"all that it printed is in {log}",
        )
