"""What the tests of .rpm files share: packages, rpm with a database of its own, a signer over a new key."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from packaging_tool.formats.base import Built
from packaging_tool.formats.rpm import Format
from packaging_tool.package.content import Content
from packaging_tool.package.model import Alternatives, Capability, Change, Package, Relation, Relations, Version
from packaging_tool.signing import gpg
from packaging_tool.signing.base import Signer
from tests.formats import samples

COMPRESSIONS = ["zstd:3", "zstd:19", "xz:1", "gzip:6", "none"]
RELATIONS = Relations(
    depends=(
        (Relation("coreutils"),),
        (Relation("openssl", ">=", "3.0"),),
        (Relation("sudo"), Relation("doas", ">", "6.8")),
    ),
    recommends=((Relation("logrotate"),),),
    suggests=((Relation("tiny-doc"),),),
    conflicts=((Relation("small", "<", "1:3"),),),
    replaces=((Relation("tinyd", "<=", "0.9-4"),),),
    provides=((Capability("tiny-abi", samples.ABI),), (Relation("webserver"),), (Relation("tinyd", "=", "1.2.0-1"),)),
)
ON_CORE = Relations(depends=((Capability("tiny-abi", samples.ABI),),))


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip where one of these programs is not installed."""
    missing = [name for name in programs if shutil.which(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def output(*argv: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """What a program prints; it must succeed."""
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return done.stdout.decode()


def build(package: Package, directory: Path, signer: Signer | None = None) -> Built:
    return Format().write(package, directory, signer)


def query(path: Path, *options: str) -> list[str]:
    """Lines of `rpm -qp`. NOKEY warnings go to stderr."""
    return output("rpm", "-qp", *options, path).splitlines()


def core(**changes: Any) -> Package:
    """The core with an epoch, a real ELF program, all kinds of relations and two changelog entries."""
    package = samples.core(
        Content(Path(shutil.which("true") or "/bin/true")),
        summary="Serves files from a directory",
        relations={"rpm": RELATIONS},
        version=Version("2.11.9", "1", 1),
        changelog=(
            Change("1:2.11.9-1", samples.TIME, samples.MAINTAINER, ("Package tiny 2.11.9.", "Say more.")),
            Change("1:2.11.8-1", samples.TIME - 900_000, samples.MAINTAINER, ("Package tiny 2.11.8.",)),
        ),
    )
    return replace(package, **changes)


def plugin(name: str = "git", **changes: Any) -> Package:
    """A plugin on that core."""
    package = samples.plugin(
        f"tiny-plugin-{name}",
        (
            samples.directory(samples.PLUGINS, 0o750, "tiny"),
            samples.directory(f"{samples.PLUGINS}/{name}"),
            samples.file(f"{samples.PLUGINS}/{name}/imports", "example.org/git\n"),
            samples.file(f"/usr/share/tiny/plugins/{name}.manifest", "mkpkgs-manifest 1\n"),
        ),
        summary="Keeps a checked-out repository up to date",
        relations={"rpm": ON_CORE},
    )
    return replace(package, **changes)


def related(**relations: Sequence[Alternatives]) -> Package:
    return plugin(relations={"rpm": Relations(**{key: tuple(value) for key, value in relations.items()})})


@contextmanager
def new_signer(kind: str) -> Iterator[tuple[Signer, bytes]]:
    """A signer over a new key, and its armored public key."""
    secret, public, _ = gpg.generate("Ada Example <ada@example.org>", kind, None)
    with gpg.from_file(secret, samples.TIME, None) as signer:
        yield signer, public


class Root:
    """A directory that rpm installs into, with what scriptlets call in it and no distribution around them."""

    PROGRAMS = ("sh", "cat", "find", "rm")

    def __init__(self, directory: Path) -> None:
        self.path = directory
        for folder in ("bin", "etc", "var/lib/rpm", "dev", "tmp"):
            (directory / folder).mkdir(parents=True, exist_ok=True)
        (directory / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\ntiny:x:990:990::/:/bin/sh\n")
        (directory / "etc/group").write_text("root:x:0:\ntiny:x:990:\n")
        for name in self.PROGRAMS:
            program = Path(shutil.which(name) or name).resolve()
            shutil.copy(program, directory / "bin" / name)
            for word in output("ldd", program).split():
                if word.startswith("/"):
                    place = directory / word[1:]
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(word, place)

    def rpm(self, *arguments: str | Path, check: bool = True) -> str:
        """Run rpm on this root; what it prints on both channels."""
        done = subprocess.run(
            ["rpm", "--root", self.path, "--define", "_dbpath /var/lib/rpm", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stdout
        # Debian's rpm says each time that dpkg is the package manager here.
        return "".join(line for line in done.stdout.splitlines(keepends=True) if not line.startswith("rpm: "))
