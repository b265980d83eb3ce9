"""Readers of what Go and other people's modules bring: archives, programs, sources, go.mod, license files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from packaging_tool.golang import abi, archive, buildinfo, hostmain, licenses, localmodule
from packaging_tool.golang.toolchain import GoPackage
from tests.fuzz.readers.files import ROOT, WRONG
from tests.fuzz.readers.target import Target, as_file, holds, scratch


def _read_archive(data: bytes) -> None:
    place = scratch() / "store"
    try:
        split = archive.Store(place).split(as_file("input.a", data))
        export, other = split.export.read_bytes(), split.object.read_bytes()
        holds(export + other.removeprefix(b"!<arch>\n") == data, "the parts are not the whole")
        holds(len(other) > 8, "nothing for the linker")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _member(name: bytes, data: bytes) -> bytes:
    """As Go's cmd/internal/archive writes it."""
    return b"%-16b%-12d%-6d%-6d%-8o%-10d`\n" % (name, 0, 0, 0, 0o644, len(data)) + data + b"\0" * (len(data) % 2)


def _archives() -> Iterator[bytes]:
    for export in (b"go object linux amd64 go1.26.8\n\n$$B\nu\n$$\n", b"odd"):
        yield b"!<arch>\n" + _member(b"__.PKGDEF", export) + _member(b"_go_.o", b"go object linux amd64\n!\n")


def _read_program(data: bytes) -> None:
    info = buildinfo.read(as_file("program", data))
    whole = f"{info.head}{''.join(info.modules.values())}{info.tail}"
    start = data.index(buildinfo.START + b"path\t") + len(buildinfo.START)
    text = data[start : data.index(buildinfo.END, start)].decode()
    holds(whole == text or len(info.modules) < text.count("dep\t"), "lines are lost")
    info.default_godebug()
    buildinfo.quoted(info)
    for record in info.modules.values():
        line = buildinfo.record_line(record)
        holds(line.count("\n") == 1 and line.endswith("\n"), "a record of two lines")


def _programs() -> Iterator[bytes]:
    text = (
        b"path\tmkpkgs/tiny\nmod\tmkpkgs/tiny\t(devel)\t\ndep\texample.com/m\tv1.0.0\th1:x=\n"
        b"dep\texample.com/n\tv1.0.0\n=>\texample.com/o\tv1.1.0\th1:y=\nbuild\t-compiler=gc\n"
        b"build\tDefaultGODEBUG=x=1,y=2\nbuild\tGOARCH=amd64\n"
    )
    yield b"\x7fELF" + bytes(60) + buildinfo.START + text + buildinfo.END + bytes(10)
    # A program with go's own code has the marks as constants too.
    yield buildinfo.START + b"x" + buildinfo.START + text[:60] + buildinfo.END
    yield buildinfo.START + text[: text.index(b"dep")] + buildinfo.END


def _read_main(data: bytes) -> None:
    text = data.decode("utf-8-sig").replace("\r\n", "\n")
    found = hostmain.parse(text)
    block = "".join(map(str, found.imports))
    again = hostmain.parse(f"{text[: found.start]}\nimport (\n{block})\n{text[found.end :]}")
    holds(again.imports == found.imports and again.bare == found.bare, "other imports after writing them")
    folder = as_file("main.go", data).parent
    packages = {"m": GoPackage("m", "main", folder, ("main.go",), False, (), False, None, None, "")}
    main = hostmain.split("m", packages, {}, "m of m@v1")
    for lines in ((), ("\tx.Register()\n",)):
        holds({i.path for i in hostmain.parse(main.text((), lines)).imports} == {i.path for i in found.imports}, "lost")


def _mains() -> Iterator[bytes]:
    for path in sorted((*ROOT.glob("examples/**/*.go"), *ROOT.glob("tests/samples/**/*.go"))):
        yield path.read_bytes()
    yield b'// import "x"\n/* y */ package main; import "fmt"\n\nimport (\n\t_ "time/tzdata"\n\tm `a/b`; . "c"\n)\n'
    yield b'package main\n\nimport "a"\n\nfunc main() {\n\t//mkpkgs:register\n\ta.Run()\n}\n'


def _read_license(data: bytes) -> None:
    folder = scratch() / "module"
    folder.mkdir(exist_ok=True)
    (folder / "LICENSE").write_bytes(data)
    found = licenses.of_module(folder, [folder])
    holds(all("\n" not in line and line.strip() for line in found.copyright), "a copyright of two lines")
    holds(all(name for name in found.id.split(" AND ")) or not found.id, "a license without a name")


def _licenses() -> Iterator[bytes]:
    yield (ROOT / "LICENSE").read_bytes()
    for path in sorted((ROOT / "packaging_tool/templates/licenses").glob("*.txt")):
        yield path.read_bytes()
    yield b"Copyright (c) 2020 Somebody\n\nPermission is hereby granted, free of charge\n"
    yield "# Copyright © 2019, The Authors\n(c) 2020 A\nPortions Copyright 2001 B\n".encode()


def _read_go_mod(data: bytes) -> None:
    folder = scratch() / "local"
    folder.mkdir(exist_ok=True)
    (folder / "go.mod").write_bytes(data)
    found = localmodule.scan(folder, data[:8].decode(errors="replace"))
    proxy = scratch() / "proxy"
    holds((proxy / found.cached).resolve().is_relative_to(proxy), f"{found.path!r} leads out of the proxy")
    holds(not set(found.path) & set(' \t\n"\\'), f"the path {found.path!r}")


def _go_mods() -> Iterator[bytes]:
    yield b"module example.com/M/v2\n\ngo 1.26\n"
    yield b'// comment\nmodule "example.com/m" // x\n'
    yield b"1.2.3\nmodule ./x\nrequire a v1.0.0\n"
    for path in sorted(ROOT.glob("tests/samples/**/go.mod")):
        yield path.read_bytes()


def _read_names(data: bytes) -> None:
    """Import paths become names of files in a kit, which sh reads."""
    name = archive.file_name(data.decode())
    holds(name.isascii() and all(c.isalnum() or c in "._/+-" for c in name), f"the name {name!r}")
    holds(abi.identity(name).isalnum(), "the identity")


def _names() -> Iterator[bytes]:
    yield b"example.com/a~b/v2"
    yield "example.com/ü".encode()


IMPORTS = (b"import (\n", b'import "', b"package main", b"//mkpkgs:register\n", b"/*", b"*/", b"`")
TARGETS = (
    Target("go-archive", _read_archive, _archives, words=(b"__.PKGDEF       ", b"`\n"), longest=1024),
    Target("go-program", _read_program, _programs, words=(buildinfo.START, buildinfo.END, b"path\t", b"\ndep\t")),
    Target("go-main", _read_main, _mains, words=IMPORTS, errors=(*WRONG, ValueError)),
    Target("go-mod", _read_go_mod, _go_mods, words=(b"module ", b"../", b'"'), longest=512),
    Target("go-names", _read_names, _names, errors=WRONG, longest=256),
    Target("license", _read_license, _licenses, words=(b"Copyright ", b"(c) ", b"2020 "), longest=1 << 14),
)
