"""From a command line of xcaddy to a project: Caddy is the core, what `--with` names are plugins.

The command line is that of github.com/caddyserver/xcaddy (`xcaddy help build`).
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging_tool import toml
from packaging_tool.errors import BuildError, CommandError, InputError
from packaging_tool.golang import localmodule
from packaging_tool.golang.ocb import package_version
from packaging_tool.golang.spelling import MODULE_PATH, TAG, VERSION
from packaging_tool.golang.toolchain import GOARCH, Toolchain
from packaging_tool.package.templates import render
from packaging_tool.project import rules
from packaging_tool.project.faults import RuleError

CADDY = "github.com/caddyserver/caddy/v2"
# Variables before the command that say nothing about what is built.
_SILENT = ("XCADDY_SETCAP", "XCADDY_SUDO", "XCADDY_SKIP_BUILD", "XCADDY_SKIP_CLEANUP", "XCADDY_WHICH_GO", "GOPROXY")


@dataclass(frozen=True, slots=True)
class With:
    """A package of a plugin. package: its import path. module, version: of Go, "" if not known. folder: if local."""

    package: str
    module: str
    version: str
    folder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a command line asks for.

    caddy: version or query, "" for the newest. folder: of a local Caddy, or "". require: modules in other versions than
    Caddy and the plugins name, or of folders.
    """

    caddy: str = ""
    folder: str = ""
    architecture: str = ""
    plugins: tuple[With, ...] = ()
    tags: tuple[str, ...] = ()
    require: tuple[str, ...] = ()


def parse(words: Sequence[str], root: Path) -> Command:
    """Read a command line, one text or its words. root: directory of the project. Raises InputError."""
    rest = _command_of(_words(words))
    command = Command()
    while rest and re.fullmatch(r"[A-Z][A-Z0-9_]*=.*", rest[0], re.DOTALL):
        command = _variable(command, *rest.pop(0).split("=", 1))
    for leading in ("xcaddy", "build"):
        if rest and rest[0].rpartition("/")[2] == leading:
            rest.pop(0)
    withs: dict[str, With] = {}
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            if command.caddy:
                raise InputError(f"xcaddy: {word} is a second version of Caddy, after {command.caddy}")
            command = replace(command, caddy=word)
            continue
        flag, equals, value = word.partition("=")
        if flag not in ("--with", "--replace", "--output", "--embed"):
            raise InputError(f"xcaddy: {word} is no option of xcaddy build that is known here")
        if not equals:
            if not rest:
                raise InputError(f"xcaddy: {flag} has no value")
            value = rest.pop(0)
        said = value.partition("=")[0].partition("@")[0]
        if flag == "--replace" or (flag == "--with" and said == CADDY):
            # With Caddy itself: that is how its own manual builds a fork.
            command = _replaced(command, f"{flag} {value}", value, root)
        elif flag == "--with":
            found = _with(value, root)
            if found.package in withs:
                raise InputError(f"xcaddy: --with {found.package} stands twice")
            withs[found.package] = found
        elif flag == "--embed":
            raise InputError(
                f"xcaddy: --embed {value} has no equivalent: files are not part of the program",
                hint="leave it out, and name the files as `files` of [core] or of a plugin",
            )
    return replace(command, plugins=tuple(withs.values()))


def _words(words: Sequence[str]) -> list[str]:
    if len(words) != 1:
        return list(words)
    lexer = shlex.shlex(words[0].replace("\\\n", " "), posix=True, punctuation_chars=";&|()<>\n")
    # What a shell takes for the end of a command is a word of its own; a comment begins where a word does.
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    try:
        return _without_comments(list(lexer))
    except ValueError as error:
        raise InputError(f"xcaddy: the command line cannot be read: {error}") from None


def _without_comments(words: Sequence[str]) -> list[str]:
    found, inside = list[str](), False
    for word in words:
        inside = (inside or word.startswith("#")) and "\n" not in word
        if not inside:
            found.append(word)
    return found


def _command_of(words: Sequence[str]) -> list[str]:
    """The command out of what Dockerfiles and scripts have around it: `RUN`, other commands, `&& mv …`."""
    commands, one = [], list[str]()
    for word in (*words, "\n"):
        if re.fullmatch(r"[;&|()<>\n]+", word):
            commands.append(one)
            one = []
        else:
            one.append(word)
    chosen = [one for one in commands if any(word.rpartition("/")[2] == "xcaddy" for word in one)]
    if len(chosen) > 1:
        raise InputError("xcaddy: these are several commands of xcaddy", hint="give one of them")
    rest = (chosen or [one for one in commands if one] or [[]])[0]
    if rest and rest[0] == "RUN":
        rest = rest[1:]
        while rest and rest[0].startswith("--"):
            # Mounts of BuildKit and the like.
            rest = rest[1:]
    rest = [word for word in rest if not (word in ("env", "sudo") and rest.index(word) == 0)]
    for word in rest:
        if name := re.search(r"\$\{?(\w+)", word):
            raise InputError(
                f"xcaddy: {word} has the variable {name[1]}", hint=f"write its value in the place of {name[0]}…"
            )
    return rest


def _variable(command: Command, name: str, value: str) -> Command:
    if name == "CADDY_VERSION":
        return replace(command, caddy=value)
    if name == "GOARCH":
        debian = next((ours for ours, go in GOARCH.items() if go == value), "")
        if not debian:
            raise InputError(
                f"xcaddy: GOARCH={value} is no architecture that packages are made for",
                hint=f"use {', '.join(GOARCH.values())}",
            )
        return replace(command, architecture=debian)
    if name == "XCADDY_GO_BUILD_FLAGS":
        return replace(command, tags=_tags(value))
    if (name, value) in (("CGO_ENABLED", "0"), ("GOOS", "linux")) or name in _SILENT:
        return command
    if name == "CGO_ENABLED":
        raise InputError(
            f"xcaddy: CGO_ENABLED={value}: programs that are linked on the target are pure Go",
            hint="leave it out if no plugin needs C; if one does, take the driver go-plugin: import without it, and"
            ' write driver = "go-plugin" in [core]',
        )
    if name == "GOOS":
        raise InputError(f"xcaddy: GOOS={value}: packages are for Linux", hint="leave it out")
    raise InputError(
        f"xcaddy: {name}={value} has no equivalent",
        hint="leave it out, and see `settings` and `tags` of [core.go-link] in docs/reference.md",
    )


def _tags(flags: str) -> tuple[str, ...]:
    """The build tags among flags of `go build`; -trimpath and what strips a program are what every build has."""
    rest, found = shlex.split(flags), list[str]()
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        if flag in ("-tags", "--tags", "-ldflags", "--ldflags") and not equals:
            value = rest.pop(0) if rest else ""
        if flag.lstrip("-") == "tags":
            found += [tag for tag in re.split(r"[ ,]+", value) if tag]
        elif flag.lstrip("-") not in ("trimpath", "ldflags") or set(value.split()) - {"-s", "-w"}:
            raise InputError(
                f"xcaddy: XCADDY_GO_BUILD_FLAGS has {flag}{equals}{value}, which has no equivalent", hint="leave it out"
            )
    if wrong := [tag for tag in found if not TAG.fullmatch(tag)]:
        raise InputError(f"xcaddy: {wrong[0]!r} is no build tag")
    return tuple(found)


def _same_module(value: str) -> With | None:
    """`module[@version]=module@version`: the module itself, at another version than somebody names; else None."""
    said, _, other = value.partition("=")
    module, at, version = other.partition("@")
    return With(module, "", version) if at and module == said.partition("@")[0] else None


def _with(value: str, root: Path) -> With:
    """`module[@version][=replacement]`."""
    if (same := _same_module(value)) is not None:
        value = f"{same.package}@{same.version}"
    said, _, replacement = value.partition("=")
    package, _, version = said.partition("@")
    if not MODULE_PATH.fullmatch(package):
        raise InputError(f"xcaddy: --with {value}: {package!r} is no module path")
    if not replacement:
        return With(package, package if VERSION.fullmatch(version) else "", version)
    if not replacement.startswith((".", "/")):
        raise InputError(
            f"xcaddy: --with {value}: a module in the place of another one has no equivalent,"
            " since what authors of plugins elsewhere build must be the same module",
            hint=f"fetch {replacement} into a folder and write --with {package}=./folder",
        )
    return With(package, package, "", _folder(f"--with {value}", package, replacement, root))


def _replaced(command: Command, option: str, value: str, root: Path) -> Command:
    """`module[@version]=replacement` of Caddy or a library."""
    said, _, replacement = value.partition("=")
    module, _, version = said.partition("@")
    same = _same_module(value)
    if module == CADDY and (same is not None or not replacement):
        wanted = same.version if same is not None else version
        if command.caddy and command.caddy != wanted:
            raise InputError(f"xcaddy: {option} is another version of Caddy than {command.caddy}", hint="name one")
        return replace(command, caddy=wanted)
    if replacement.startswith((".", "/")):
        folder = _folder(option, module, replacement, root)
        if module == CADDY:
            return replace(command, folder=folder)
        return replace(command, require=(*command.require, folder))
    if same is not None and VERSION.fullmatch(same.version):
        return replace(command, require=(*command.require, f"{module}@{same.version}"))
    if same is not None:
        raise InputError(f"xcaddy: {option}: {same.version} is no version", hint="write it in full, as v1.2.3")
    raise InputError(
        f"xcaddy: {option} has no equivalent, since what authors of plugins elsewhere build must be the same module",
        hint=f"fetch {replacement or 'it'} into a folder and write {option.split()[0]} {module}=./folder",
    )


def _folder(option: str, module: str, replacement: str, root: Path) -> str:
    """The folder of a local module, relative to the project."""
    folder = Path(replacement).absolute()
    try:
        found = localmodule.module_path(folder)
    except BuildError as error:
        raise InputError(f"xcaddy: {option}: {error.message}", hint=error.hint) from None
    if found != module:
        raise InputError(f"xcaddy: {option}: {folder}/go.mod says module {found}")
    relative = os.path.relpath(folder, root.resolve())
    return relative if relative.startswith("..") else f"./{relative}"


def resolve(command: Command, workdir: Path) -> Command:
    """Ask the go command for what is not said to the letter: newest versions, branches, modules of packages.

    Raises InputError, CommandError.
    """
    toolchain: Toolchain | None = None

    def ask(package: str, query: str, option: str) -> tuple[str, str]:
        nonlocal toolchain
        toolchain = toolchain or Toolchain.find("", workdir)
        (workdir / "go.mod").write_text("module mkpkgs\n\ngo 1.21\n")
        module, message = package, ""
        # The module of a package has the package's path or a part of it.
        while "/" in module:
            arguments = ["list", "-m", "-mod=mod", "-json", f"{module}@{query or 'latest'}"]
            try:
                _, output, _ = toolchain.run(arguments, cwd=workdir, architecture="amd64", settings={})
            except CommandError as error:
                message, module = message or error.message, module.rpartition("/")[0]
                continue
            return module, str(json.loads(output)["Version"])
        raise InputError(f"xcaddy: {option}: {message or 'there is no such module'}")

    caddy = command.caddy
    if not VERSION.fullmatch(caddy):
        caddy = ask(CADDY, caddy, f"Caddy {caddy or 'latest'}")[1]
    plugins = []
    for plugin in command.plugins:
        if not plugin.folder and not plugin.module:
            module, version = ask(plugin.package, plugin.version, f"--with {plugin.package}")
            plugin = replace(plugin, module=module, version=version)
        plugins.append(plugin)
    return replace(command, caddy=caddy, plugins=tuple(plugins))


def files(command: Command, maintainer: str) -> dict[str, str]:
    """The files of the project: name below its directory and text. command: resolved. Raises InputError."""
    names: dict[str, With] = {}
    for plugin in command.plugins:
        name = _name(plugin.module, short=True)
        if name in names:
            name = _name(plugin.module, short=False)
        if name in names:
            raise InputError(f"xcaddy: two plugins would be named {name}: {plugin.package} is the second")
        try:
            rules.plugin_name(name)
        except RuleError:
            raise InputError(f"xcaddy: {plugin.package}: no name for a package can be made of it") from None
        names[name] = plugin
    text = render(
        "go-link/caddy.toml.j2",
        caddy=CADDY,
        command=command,
        version=package_version(command.caddy),
        plain=f"v{package_version(command.caddy)}" == command.caddy,
        plugins=names,
        outside=any(
            folder.startswith("..")
            for folder in (command.folder, *command.require, *(one.folder for one in names.values()))
        ),
        package_version=package_version,
        maintainer=maintainer,
        text=toml.string,
    )
    return {"mkpkgs.toml": text, "Caddyfile": render("go-link/Caddyfile.j2")}


def _name(module: str, *, short: bool) -> str:
    """github.com/mholt/caddy-l4 is l4, github.com/caddy-dns/cloudflare is dns-cloudflare."""
    parts = [part for part in module.lower().split("/") if not re.fullmatch(r"v\d+", part)]
    owner, last = (["", *parts])[-2:]
    bare = re.sub(r"^caddy[-_.]|[-_.]caddy$", "", last) or last
    if owner.startswith("caddy-"):
        bare = f"{owner.removeprefix('caddy-')}-{bare}"
    elif not short:
        bare = f"{owner}-{bare}"
    return re.sub(r"[^a-z0-9]+", "-", bare).strip("-")[:64]
