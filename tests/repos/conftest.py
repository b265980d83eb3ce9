"""Signed repositories with small packages in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packaging_tool.package.content import Content
from packaging_tool.package.model import Capability, Change, Entry, Package, Relation, Relations, Version
from packaging_tool.signing import gpg

TIME = 1_700_000_000
Make = Callable[..., Package]


@pytest.fixture(scope="session")
def secret() -> bytes:
    return gpg.generate("Test Archive <test@example.org>", "ed25519", None)[0]


@pytest.fixture(scope="session")
def signer(secret: bytes) -> Iterator[gpg.GpgSigner]:
    with gpg.from_file(secret, TIME, None) as signer:
        yield signer


def package(
    name: str,
    version: str = "1.0-1",
    architecture: str = "amd64",
    abi: str = "a" * 64,
    text: str = "text",
    needs: tuple[str, ...] = (),
) -> Package:
    """The core `caddy` or a plugin of it, of one file. abi: of a core, maybe several with spaces between."""
    epoch, _, rest = version.rpartition(":")
    upstream, _, release = rest.partition("-")
    lock = tuple((Capability("caddy-abi", one),) for one in abi.split())
    relations = (
        Relations(provides=lock)
        if name == "caddy"
        else Relations(depends=(*lock, *((Relation(need, "=", version),) for need in needs)))
    )
    return Package(
        kind="core" if name == "caddy" else "plugin",
        name=name,
        source="caddy",
        version=Version(upstream, release, int(epoch or 0)),
        architecture=architecture,
        summary=f"Test of {name} & <more>",
        description="First paragraph.\n\nSecond paragraph, with 'quotes' & <brackets>.",
        license="MIT",
        copyright="2026 Nobody",
        homepage="https://example.org/",
        maintainer="Test <test@example.org>",
        vendor="Test",
        section="net",
        group="System Environment/Daemons",
        priority="optional",
        entries=(Entry(path=f"/usr/lib/caddy/{name}/f", content=Content(text.encode())),),
        time=TIME,
        relations={"deb": relations, "rpm": relations},
        changelog=(Change(version, TIME, "Test <test@example.org>", ("Package it.",)),),
        compression={"deb": "gzip", "rpm": "gzip"},
    )


def tree(directory: Path) -> dict[str, bytes]:
    """All files below a directory."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }
