"""Keys and signatures of manifests, in the format of OpenBSD's signify(1), with one more kind of key.

A public key or signature file has two lines: `untrusted comment: …`, and base64 of two bytes that name the algorithm,
8 bytes of key id, and the data:

    Ed   Ed25519 (RFC 8032)       key 32 bytes                           signature 64 bytes
    EC   ECDSA P-256 with SHA-256 key 65 bytes, uncompressed (SEC 1)     signature in DER

`Ed` is signify's own, so `signify -V` checks it. `EC` is for machines whose openssl has no Ed25519 or may not use it
(before 3.0; FIPS mode). ECDSA signatures are deterministic (RFC 6979), so that a build can be repeated.

The comment of a public key may end in `, expires YYYY-MM-DD`: the last day, in UTC, on which its signatures count. A
comment that speaks of `expires` in any other way is refused, so that a slip of the pen does not make a key for ever.
Readers are strict, and agree with signify and with each other: tests/vectors has files that all of them judge.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from packaging_tool.errors import SigningError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALGORITHMS = {"ed25519": b"Ed", "ecdsa-p256": b"EC"}
COMMENT = "untrusted comment: "
# signify reads neither a longer comment (COMMENTMAXLEN with the NUL) nor an empty one.
COMMENT_MAX = 1023
# So much work a passphrase may take: ten seconds by PBKDF2 (today's advice is 600,000), and 256 MB by scrypt.
MOST_ROUNDS = 10_000_000
MOST_BLOCKS = 1 << 21
SCRYPT = bytes.fromhex("06092b06010401da47040b")
# The order of P-256's base point (FIPS 186-4, D.1.2.3).
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key. kind: `ed25519` or `ecdsa-p256`. id: 8 bytes. point: 32 or 65 bytes. expires: its last day."""

    kind: str
    id: bytes
    point: bytes
    # A note beside the key and no part of it: the secret key does not know it.
    expires: date | None = field(default=None, compare=False)

    def render(self, comment: str) -> bytes:
        """The public key file, with the expiry date after the comment."""
        if self.expires is not None:
            comment += f", expires {self.expires.isoformat()}"
        _expiry(comment.encode(), "comment")
        return _render(ALGORITHMS[self.kind] + self.id + self.point, comment)

    def expired(self, today: date | None = None) -> bool:
        """Whether its last day is over. today: in UTC, default the clock's."""
        return self.expires is not None and self.expires < (today or datetime.now(UTC).date())

    def verify(self, data: bytes, signature: bytes) -> None:
        """Check a signature file over data. Raises SigningError if it is not good or another key's."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519
        from cryptography.hazmat.primitives.hashes import SHA256

        kind, key_id, value, _ = _parse(signature, "signature")
        if (kind, key_id) != (self.kind, self.id):
            raise SigningError(f"signed by another key: {key_id.hex()}, not {self.id.hex()}")
        try:
            if kind == "ed25519":
                ed25519.Ed25519PublicKey.from_public_bytes(self.point).verify(value, data)
            else:
                curve = ec.SECP256R1()
                point = ec.EllipticCurvePublicKey.from_encoded_point(curve, self.point)
                point.verify(value, data, ec.ECDSA(SHA256()))
        except (InvalidSignature, ValueError):
            raise SigningError(f"bad signature of key {self.id.hex()}") from None


class SecretKey:
    """A secret key of either kind. Methods may be called from several threads."""

    def __init__(self, key: Ed25519PrivateKey | EllipticCurvePrivateKey) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self._key = key
        if isinstance(key, Ed25519PrivateKey):
            kind, point = "ed25519", key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        else:
            point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            kind = "ecdsa-p256"
        # signify's key ids are random; ours follow from the key, so that a lost public file can be made again.
        self.public = PublicKey(kind, hashlib.sha256(point).digest()[:8], point)

    @property
    def kind(self) -> str:
        """`ed25519` or `ecdsa-p256`."""
        return self.public.kind

    def sign(self, data: bytes, comment: str) -> bytes:
        """The signature file over data; the same for the same data and key. comment: not signed, one line."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        made = self._key.sign(data) if isinstance(self._key, Ed25519PrivateKey) else _ecdsa(self._key, data)
        return _render(ALGORITHMS[self.kind] + self.public.id + made, comment)

    def pem(self, passphrase: bytes | None) -> bytes:
        """The secret key file: PKCS #8 in PEM, encrypted if there is a passphrase."""
        from cryptography.hazmat.primitives import serialization as s

        how = s.BestAvailableEncryption(passphrase) if passphrase else s.NoEncryption()
        return self._key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, how)


def generate(kind: str) -> SecretKey:
    """Make a new secret key. Raises SigningError for an unknown kind."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if kind == "ed25519":
        return SecretKey(ed25519.Ed25519PrivateKey.generate())
    if kind == "ecdsa-p256":
        return SecretKey(ec.generate_private_key(ec.SECP256R1()))
    raise SigningError(f"unknown kind of manifest key: {kind!r}", hint=f"use one of {', '.join(ALGORITHMS)}")


def load(pem: bytes, passphrase: bytes | None, name: str = "key") -> SecretKey:
    """Read a secret key file. name: for messages. Raises SigningError if it is locked, damaged or of another kind."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if b"BEGIN ENCRYPTED PRIVATE KEY" not in pem:
        passphrase = None
    elif not passphrase:
        raise SigningError(
            f"{name} is locked with a passphrase", hint="give it in MKPKGS_PASSPHRASE or MKPKGS_PASSPHRASE_FILE"
        )
    elif _is_endless(pem):
        raise SigningError(f"{name} cannot be read: its lock asks for more work than any passphrase needs")
    try:
        key = load_pem_private_key(pem, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        reason = "wrong passphrase, or the file is damaged" if passphrase else "it is no PKCS #8 key in PEM"
        raise SigningError(f"{name} cannot be read: {reason}") from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return SecretKey(key)
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return SecretKey(key)
    raise SigningError(f"{name} is of a kind that manifests cannot use", hint=f"use one of {', '.join(ALGORITHMS)}")


def _is_endless(pem: bytes) -> bool:
    """Whether the key derivation of a locked file would take minutes or gigabytes (RFC 8018, A; RFC 7914, 7.1)."""
    body = pem.partition(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")[2].partition(b"-----END")[0]
    try:
        der = base64.b64decode(b"".join(body.split()))
    except binascii.Error:
        # The library says what is wrong with it.
        return False
    # EncryptedPrivateKeyInfo: a sequence of the algorithm with its numbers, in the first bytes, and of the locked key.
    numbers = list(_integers(der[:1024]))
    blocks = numbers[0] * numbers[1] if SCRYPT in der and len(numbers) > 1 else 0
    return max(numbers, default=0) > MOST_ROUNDS or blocks > MOST_BLOCKS


def _integers(der: bytes) -> Iterator[int]:
    """The integers of nested DER sequences (X.690), as far as it is DER."""
    waiting = [der]
    while waiting:
        rest = waiting.pop()
        while len(rest) >= 2:
            tag, size, head = rest[0], rest[1], 2
            if size & 0x80:
                head += size & 0x7F
                size = int.from_bytes(rest[2:head], "big")
            body, rest = rest[head : head + size], rest[head + size :]
            if tag == 0x30:
                # First what is in it, in the order of the text.
                waiting.append(rest)
                rest = body
            elif tag == 0x02:
                yield int.from_bytes(body, "big")


def parse_public(text: bytes, name: str = "public key") -> PublicKey:
    """Read a public key file. name: for messages. Raises SigningError if it is damaged or of an unknown kind."""
    kind, key_id, point, comment = _parse(text, name)
    if len(point) != {"ed25519": 32, "ecdsa-p256": 65}[kind]:
        raise SigningError(f"{name}: wrong length for a key of kind {kind}")
    if kind == "ecdsa-p256" and point[0] != 4:
        raise SigningError(f"{name}: not an uncompressed point")
    return PublicKey(kind, key_id, point, _expiry(comment, name))


def signer_of(signature: bytes) -> tuple[str, bytes]:
    """Kind and key id that a signature file names. Raises SigningError if it is damaged or of an unknown kind."""
    kind, key_id, value, _ = _parse(signature, "signature")
    if len(value) != 64 if kind == "ed25519" else not 8 <= len(value) <= 72:
        raise SigningError(f"signature: wrong length for one of kind {kind}")
    return kind, key_id


def _expiry(comment: bytes, name: str) -> date | None:
    """The date at the end of a public key's comment."""
    if b"expires" not in comment.lower():
        return None
    found = re.fullmatch(rb"(.*), expires ([12][0-9]{3}-[0-9]{2}-[0-9]{2})", comment)
    try:
        if found is None or b"expires" in found[1].lower():
            raise ValueError
        return date.fromisoformat(found[2].decode())
    except ValueError:
        raise SigningError(f"{name}: its comment does not end in: , expires YYYY-MM-DD") from None


def _render(value: bytes, comment: str) -> bytes:
    made = f"{COMMENT}{comment}\n{base64.b64encode(value).decode()}\n".encode()
    if "\n" in comment or not _is_comment(made.split(b"\n")[0]):
        raise SigningError(f"a comment must be one line of 1 to {COMMENT_MAX} bytes: {comment[:60]!r}")
    return made


def _is_comment(line: bytes) -> bool:
    if not line.startswith(COMMENT.encode()) or not 0 < len(line) - len(COMMENT) <= COMMENT_MAX:
        return False
    return not re.search(rb"[\x00-\x1f\x7f]", line)


def _parse(text: bytes, name: str) -> tuple[str, bytes, bytes, bytes]:
    """Kind, key id, data and comment of a file of either sort."""
    lines = text.split(b"\n")
    if len(lines) != 3 or lines[2] or not _is_comment(lines[0]):
        raise SigningError(f"{name}: not two lines, a comment and base64")
    try:
        value = base64.b64decode(lines[1], validate=True)
    except binascii.Error:
        raise SigningError(f"{name}: the second line is not base64") from None
    # Of several texts for the same bytes, RFC 4648 (3.5) has one.
    if base64.b64encode(value) != lines[1]:
        raise SigningError(f"{name}: the second line is not base64")
    for kind, algorithm in ALGORITHMS.items():
        if value[:2] == algorithm and len(value) > 10:
            return kind, value[2:10], value[10:], lines[0][len(COMMENT) :]
    raise SigningError(f"{name}: unknown algorithm {value[:2]!r}")


def _ecdsa(key: EllipticCurvePrivateKey, data: bytes) -> bytes:
    """ECDSA with the nonce of RFC 6979, 3.2; `cryptography` itself has it only from 43 on, over OpenSSL 3.2."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    secret = key.private_numbers().private_value
    digest = int.from_bytes(hashlib.sha256(data).digest(), "big")
    seed = secret.to_bytes(32, "big") + (digest % ORDER).to_bytes(32, "big")
    k, v = bytes(32), b"\x01" * 32
    for step in (b"\x00", b"\x01"):
        k = hmac.digest(k, v + step + seed, "sha256")
        v = hmac.digest(k, v, "sha256")
    while True:
        v = hmac.digest(k, v, "sha256")
        nonce = int.from_bytes(v, "big")
        if 0 < nonce < ORDER:
            # The library multiplies the point in constant time: a nonce is a private key whose public point has r.
            r = ec.derive_private_key(nonce, key.curve).public_key().public_numbers().x % ORDER
            s = pow(nonce, -1, ORDER) * (digest + r * secret) % ORDER
            if r and s:
                return encode_dss_signature(r, s)
        k = hmac.digest(k, v + b"\x00", "sha256")
        v = hmac.digest(k, v, "sha256")
