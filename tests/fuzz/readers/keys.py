"""Readers of manifests, keys and signatures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from packaging_tool.errors import SigningError
from packaging_tool.package import manifest
from packaging_tool.signing import signify
from tests.fuzz.readers.target import Target, holds

VECTORS = Path(__file__).parent.parent.parent / "vectors"
PASSPHRASE = b"correct horse"
SIGNED = b"mkpkgs-manifest 1\n"


@cache
def _key(kind: str) -> signify.SecretKey:
    """A key that is the same in each run."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if kind == "ed25519":
        return signify.SecretKey(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
    return signify.SecretKey(ec.derive_private_key(0x5EED, ec.SECP256R1()))


def _vectors(pattern: str) -> Iterator[bytes]:
    """Each content once."""
    yield from {path.read_bytes(): None for path in sorted(VECTORS.glob(pattern)) if path.is_file()}


def _read_manifest(data: bytes) -> None:
    found = manifest.parse(data)
    holds(found.render() == data, "two texts for one manifest")


def _manifests() -> Iterator[bytes]:
    yield from _vectors("manifest/*/*.manifest")


def _read_public(data: bytes) -> None:
    found = signify.parse_public(data)
    holds(signify.parse_public(found.render("a comment")) == found, "another key after writing it")
    found.expired()
    try:
        found.verify(SIGNED, _key(found.kind).sign(SIGNED, "good"))
    except SigningError:
        return
    holds(found == replace(_key(found.kind).public), "a signature of another key is good")


def _publics() -> Iterator[bytes]:
    for kind in signify.ALGORITHMS:
        yield _key(kind).public.render("tiny manifest key")
    yield from _vectors("signature/*/*/*.pub")


def _read_signature(data: bytes) -> None:
    kind, key_id = signify.signer_of(data)
    public = _key(kind).public
    public.verify(SIGNED, data)
    # Ed25519 has one signature for a text; of the other kind no fuzzer can make a second one.
    good = _key(kind).sign(SIGNED, "good").split(b"\n")[1]
    holds(key_id == public.id and data.split(b"\n")[1] == good, "a forged signature")


def _signatures() -> Iterator[bytes]:
    for kind in signify.ALGORITHMS:
        yield _key(kind).sign(SIGNED, "verify with manifest.pub")
    yield from _vectors("signature/*/*/*.sig")


def _read_secret(data: bytes) -> None:
    found = signify.load(data, PASSPHRASE)
    found.public.verify(SIGNED, found.sign(SIGNED, "x"))


def _secrets() -> Iterator[bytes]:
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric import rsa

    for kind in signify.ALGORITHMS:
        yield _key(kind).pem(None)
        yield _key(kind).pem(PASSPHRASE)
        yield _key(kind)._key.private_bytes(s.Encoding.PEM, s.PrivateFormat.OpenSSH, s.NoEncryption())
    curve = _key("ecdsa-p256")._key
    yield curve.private_bytes(s.Encoding.PEM, s.PrivateFormat.TraditionalOpenSSL, s.NoEncryption())
    yield curve.private_bytes(s.Encoding.PEM, s.PrivateFormat.TraditionalOpenSSL, s.BestAvailableEncryption(b"x"))
    other = rsa.generate_private_key(65537, 2048)
    yield other.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())


LINES = (b"untrusted comment: ", b", expires 2030-01-31", b"\n")
TARGETS = (
    Target(
        "manifest",
        _read_manifest,
        _manifests,
        words=(b"\ncore ", b"\nabi ", b"\nplugin ", b"\nkit\n", b"\norder ", b"\noptional\n", b"\nneeds ", b"\nfile "),
    ),
    Target("public-key", _read_public, _publics, words=(*LINES, b"RWQ", b"RUM"), longest=1200),
    Target("signature", _read_signature, _signatures, words=LINES, longest=1200),
    Target("secret-key", _read_secret, _secrets, words=(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n",), longest=2048),
)
