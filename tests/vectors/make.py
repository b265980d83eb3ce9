"""`python -m tests.vectors.make`: writes the folder `signature`, the same bytes each time.

The keys follow from their names, so that anybody can sign one more case. They are known to all the world.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from packaging_tool.signing.signify import ORDER, SecretKey

FOLDER = Path(__file__).parent / "signature"
FOREVER, OVER = "2999-12-31", "2020-02-29"
HEAD = "mkpkgs-manifest 1\ncore fake\nabi " + "ab" * 32 + "\nplugin bell\npackage fake-plugin-bell 1.0-1\norder 50\n"

Files = dict[str, bytes]
# Name of the case, its files, and for a bad one the word that tells why.
Case = tuple[str, Files, str]


def manifest(number: int = 0) -> bytes:
    """A manifest without files; each number gives another."""
    return HEAD.encode().replace(b"order 50", b"order %d" % (50 + number))


def ed(name: str) -> SecretKey:
    """The Ed25519 key of this name."""
    return SecretKey(ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest()))


def p256(name: str) -> SecretKey:
    """The ECDSA key of this name."""
    return SecretKey(_curve_key(name))


def _curve_key(name: str) -> ec.EllipticCurvePrivateKey:
    secret = int.from_bytes(hashlib.sha256(name.encode()).digest(), "big") % (ORDER - 1) + 1
    return ec.derive_private_key(secret, ec.SECP256R1())


TRUSTED, NEXT, STRANGER, CURVE, FOREIGN_CURVE = (
    ed("trusted"),
    ed("next"),
    ed("stranger"),
    p256("curve"),
    p256("foreign"),
)


def text(value: bytes, comment: str | bytes = "test key, known to all the world") -> bytes:
    """A key or signature file, whatever is in it."""
    comment = comment.encode() if isinstance(comment, str) else comment
    return b"untrusted comment: " + comment + b"\n" + base64.b64encode(value) + b"\n"


def blob(file: bytes) -> bytes:
    """What the second line says."""
    return base64.b64decode(file.split(b"\n")[1])


def key_file(key: SecretKey, comment: str | bytes = "test key, known to all the world") -> bytes:
    """The public key file."""
    return text({"ed25519": b"Ed", "ecdsa-p256": b"EC"}[key.kind] + key.public.id + key.public.point, comment)


def signed(
    signer: SecretKey = TRUSTED, *, keys: Mapping[str, bytes] | None = None, data: bytes | None = None, **more: bytes
) -> Files:
    """A manifest, its signature, trusted keys (default: the signer's)."""
    data = manifest() if data is None else data
    known = {"trusted.pub": key_file(signer)} if keys is None else keys
    return {"bell.manifest": data, "bell.manifest.sig": signer.sign(data, "verify with the key"), **known, **more}


def with_signature(files: Files, signature: bytes) -> Files:
    """The same with another signature file."""
    return {**files, "bell.manifest.sig": signature}


def with_value(files: Files, change: Callable[[bytes], bytes]) -> Files:
    """The same with other bytes in the second line of the signature file."""
    return with_signature(files, text(change(blob(files["bell.manifest.sig"]))))


def _value() -> bytes:
    """The bytes of the trusted key's signature."""
    return blob(TRUSTED.sign(manifest(), "x"))


def flip(data: bytes, at: int, mask: int = 1) -> bytes:
    """One bit another."""
    changed = bytearray(data)
    changed[at] ^= mask
    return bytes(changed)


def curve_manifest(length: int) -> bytes:
    """A manifest whose ECDSA signature has this many bytes in DER."""
    return next(manifest(n) for n in range(5000) if len(blob(CURVE.sign(manifest(n), "x"))) == 10 + length)


def der(r: int, s: int, *, leading_zero: bool = False) -> bytes:
    """ECDSA-Sig-Value (RFC 3279, 2.2.3); leading_zero: with a byte too many in r, which BER allows."""

    def integer(value: int, more: bytes = b"") -> bytes:
        body = more + value.to_bytes(value.bit_length() // 8 + 1, "big")
        return b"\x02" + bytes([len(body)]) + body

    body = integer(r, b"\0" if leading_zero else b"") + integer(s)
    return b"\x30" + bytes([len(body)]) + body


# Lines of a list of revoked keys that are none, by what is wrong, and their numbers. That of the trusted key is meant.
ID = TRUSTED.public.id.hex().encode()
ANY_COMMENT = b" \t \t# \0 \xff \xc3\xa4 # \r\n# \0\n"
BAD_LINES: dict[str, tuple[bytes, Sequence[int]]] = {
    "words": (b"all of them\n", (1,)),
    "short": (ID[:-1] + b"\n", (1,)),
    "long": (ID + b"0\n", (1,)),
    "upper-case": (b"# shout\n" + b"ABCDEF" + ID[6:].upper() + b"\n", (2,)),
    "carriage-return": (ID + b"\r\n", (1,)),
    "two-in-a-line": (ID + b" fedcba9876543210\n", (1,)),
    "blank-before": (b" " + ID + b"\n\t" + ID + b"\n", (1, 2)),
    "nul": (ID + b"\0\n\n\0" + ID + b"\n" + ID[:8] + b"\0" + ID[9:] + b"\n", (1, 3, 4)),
    "form-feed": (ID + b"\f\n", (1,)),
    "not-ascii": (b"\xef\xbb\xbf" + ID + b"\n" + ID + b"\xc2\xa0\n\xff\n", (1, 2, 3)),
}


def bad_lines(numbers: Sequence[int]) -> Files:
    """The file that says which lines of a list of revoked keys are none."""
    return {"bad-lines": f"{' '.join(map(str, numbers))}\n".encode()}


def good() -> Iterator[Case]:
    """What every reader must take."""
    yield "ed25519", signed(), ""
    yield "comment-as-long-as-can-be", with_signature(signed(), text(_value(), "c" * 1023)), ""
    yield "comment-not-ascii", with_signature(signed(), text(_value(), "Schlüssel \xff")), ""
    yield "large-manifest", signed(data=manifest() + _file_lines(200)), ""
    both = {"trusted.pub": key_file(TRUSTED), "next.pub": key_file(NEXT)}
    yield "rotation-old-key", signed(TRUSTED, keys=both), ""
    yield "rotation-new-key", signed(NEXT, keys=both), ""
    yield "rotation-to-other-kind", signed(CURVE, keys={**both, "curve.pub": key_file(CURVE)}), ""
    for name, day in (("last-day-far-away", FOREVER), ("last-day-in-a-leap-year", "2996-02-29")):
        yield name, signed(keys={"trusted.pub": key_file(TRUSTED, f"test, expires {day}")}), ""
    yield "last-day-alone", signed(keys={"trusted.pub": key_file(TRUSTED, f", expires {FOREVER}")}), ""
    again = {"old.pub": key_file(TRUSTED, f"test, expires {OVER}"), "trusted.pub": key_file(TRUSTED)}
    yield "expired-but-prolonged", signed(keys=again), ""
    yield "other-key-expired", signed(keys={**both, "next.pub": key_file(NEXT, f"test, expires {OVER}")}), ""
    listed = f"# lost in the train\n\n{NEXT.public.id.hex()}  # that one\n".encode()
    yield "other-key-revoked", signed(keys=both, revoked=listed), ""
    yield "no-key-revoked", signed(revoked=b""), ""
    yield "revoked-comment-of-any-bytes", signed(revoked=NEXT.public.id.hex().encode() + ANY_COMMENT), ""
    for name, (lines, numbers) in BAD_LINES.items():
        yield f"revoked-list-{name}", {**signed(revoked=lines), **bad_lines(numbers)}, ""
    for length, padding in ((70, "one"), (71, "no"), (72, "two")):
        yield f"ecdsa-{padding}-padding", signed(CURVE, data=curve_manifest(length)), ""
    yield "same-id-other-kind", signed(CURVE, keys={"a.pub": _renamed(TRUSTED, CURVE), "b.pub": key_file(CURVE)}), ""
    yield "same-id-other-key", signed(TRUSTED, keys={"a.pub": _renamed(NEXT, TRUSTED), "b.pub": key_file(TRUSTED)}), ""


def _renamed(key: SecretKey, other: SecretKey) -> bytes:
    """A key file with the id of another key."""
    value = blob(key_file(key))
    return text(value[:2] + other.public.id + value[10:])


def _file_lines(count: int) -> bytes:
    return b"".join(b"file %s  f%05d\n" % (hashlib.sha256(b"%d" % n).hexdigest().encode(), n) for n in range(count))


# What makes a signature file one that nobody can read.
SIGNATURE_CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda s: b"",
    "only-a-newline": lambda s: b"\n",
    "one-line": lambda s: s.split(b"\n")[0] + b"\n",
    "no-comment": lambda s: s.split(b"\n")[1] + b"\n",
    "other-comment": lambda s: s.replace(b"untrusted", b"trusted", 1),
    "comment-empty": lambda s: text(blob(s), ""),
    "comment-too-long": lambda s: text(blob(s), "c" * 1024),
    "comment-with-escape": lambda s: text(blob(s), "\x1b[2Jgone"),
    "comment-with-nul": lambda s: text(blob(s), b"a\0b"),
    "nul-at-the-end": lambda s: s + b"\0",
    "blank-line-first": lambda s: b"\n" + s,
    "blank-line-last": lambda s: s + b"\n",
    "three-lines": lambda s: s + b"more\n",
    "twice": lambda s: s + s,
    "no-final-newline": lambda s: s[:-1],
    "carriage-returns": lambda s: s.replace(b"\n", b"\r\n"),
    "byte-order-mark": lambda s: b"\xef\xbb\xbf" + s,
    "base64-truncated": lambda s: s[:-6] + b"\n",
    "base64-no-padding": lambda s: s.replace(b"=", b""),
    "base64-two-paddings": lambda s: s.replace(b"=\n", b"==\n"),
    "base64-padding-in-the-middle": lambda s: s[:60] + b"=" + s[61:],
    "base64-with-space": lambda s: s[:60] + b" " + s[60:],
    "base64-final-space": lambda s: s[:-1] + b" \n",
    "base64-other-character": lambda s: s[:60] + b"*" + s[61:],
    "base64-of-urls": lambda s: s[:60] + b"_" + s[61:],
    "base64-loose-bits": lambda s: s[:-3] + bytes([s[-3] + 1]) + b"=\n",
    "base64-not-ascii": lambda s: s[:60] + b"\xc3\xa4" + s[62:],
    "base64-with-nul": lambda s: s[:60] + b"\0\0\0\0" + s[60:],
    "base64-nul-at-the-end": lambda s: s[:-1] + b"\0\0\0\0\n",
    "algorithm-unknown": lambda s: text(b"Xx" + blob(s)[2:]),
    "algorithm-lower-case": lambda s: text(b"ed" + blob(s)[2:]),
    "algorithm-only": lambda s: text(b"Ed"),
    "key-id-only": lambda s: text(blob(s)[:10]),
    "signature-short": lambda s: text(blob(s)[:-1]),
    "signature-long": lambda s: text(blob(s) + b"\0"),
    "openpgp-armor": lambda s: b"-----BEGIN PGP SIGNATURE-----\n\niHUEABYKAB0=\n-----END PGP SIGNATURE-----\n",
}


def bad_signatures() -> Iterator[Case]:
    """Signature files that are none."""
    for name, change in SIGNATURE_CHANGES.items():
        yield f"signature-{name}", with_signature(signed(), change(signed()["bell.manifest.sig"])), "signature"
    yield "ecdsa-signature-too-long", with_value(signed(CURVE), lambda v: v + bytes(12)), "signature"


def bad_fits() -> Iterator[Case]:
    """Signatures that are well made but not of this manifest by a trusted key."""
    other = {**signed(), "bell.manifest.sig": TRUSTED.sign(manifest(1), "x")}
    yield "signature-of-other-manifest", other, "mismatch"
    yield "manifest-one-bit-another", {**signed(), "bell.manifest": manifest(1)}, "mismatch"
    yield "manifest-as-optional", {**signed(), "bell.manifest": manifest() + b"optional\n"}, "mismatch"
    for at, name in ((10, "first"), (41, "middle"), (-1, "last")):
        yield f"signature-{name}-byte", with_signature(signed(), text(flip(_value(), at, 0x10))), "mismatch"
    zero = with_value(signed(), lambda v: v[:10] + bytes(64))
    yield "signature-of-zeros", zero, "mismatch"
    trusted, curve = {"trusted.pub": key_file(TRUSTED)}, {"curve.pub": key_file(CURVE)}
    forged = signed(STRANGER, keys=trusted)
    yield "key-id-forged", with_value(forged, lambda v: v[:2] + TRUSTED.public.id + v[10:]), "mismatch"
    forged = signed(FOREIGN_CURVE, keys=curve)
    yield "ecdsa-key-id-forged", with_value(forged, lambda v: v[:2] + CURVE.public.id + v[10:]), "mismatch"
    data = curve_manifest(71)
    files = signed(CURVE, data=data)
    r, s = decode_dss_signature(blob(files["bell.manifest.sig"])[10:])
    makes = {
        "ecdsa-one-bit-another": der(r ^ 2, s),
        "ecdsa-zero": der(0, 0),
        "ecdsa-one": der(1, 1),
        "ecdsa-s-plus-order": der(r, s + ORDER),
        "ecdsa-r-negative": b"\x30\x44\x02\x20" + bytes([0xFF] * 32) + b"\x02\x20" + b"\x7f" * 32,
        "ecdsa-not-der": r.to_bytes(32, "big") + s.to_bytes(32, "big"),
        "ecdsa-der-leading-zero": der(r, s, leading_zero=True),
        "ecdsa-der-byte-behind": der(r, s) + b"\0",
        "ecdsa-der-long-length": b"\x30\x81" + der(r, s)[1:],
        "ecdsa-sha1": _sha1_signature(data),
    }
    for name, value in makes.items():
        yield name, with_signature(files, text(b"EC" + CURVE.public.id + value)), "mismatch"
    off = flip(blob(key_file(CURVE)), -1)
    yield "ecdsa-key-not-on-the-curve", signed(CURVE, keys={"curve.pub": text(off)}), "mismatch"


def _sha1_signature(data: bytes) -> bytes:
    """ECDSA with SHA-1, the nonce being fixed."""
    secret = _curve_key("curve").private_numbers().private_value
    nonce = int.from_bytes(hashlib.sha256(b"nonce").digest(), "big") % ORDER
    r = ec.derive_private_key(nonce, ec.SECP256R1()).public_key().public_numbers().x % ORDER
    digest = int.from_bytes(hashlib.new(SHA1.name, data, usedforsecurity=False).digest(), "big")
    return der(r, pow(nonce, -1, ORDER) * (digest + r * secret) % ORDER)


def bad_choices() -> Iterator[Case]:
    """Well made signatures by keys that do not count."""
    trusted = {"trusted.pub": key_file(TRUSTED)}
    yield "stranger", signed(STRANGER, keys=trusted), "unknown"
    yield "stranger-ecdsa", signed(FOREIGN_CURVE, keys=trusted), "unknown"
    yield "no-key-trusted", signed(keys={}), "unknown"
    yield "key-id-one-bit-another", with_value(signed(), lambda v: flip(v, 9)), "unknown"
    yield "key-id-of-zeros", with_value(signed(), lambda v: v[:2] + bytes(8) + v[10:]), "unknown"
    yield "key-id-reversed", with_value(signed(), lambda v: v[:2] + v[9:1:-1] + v[10:]), "unknown"
    yield "kind-swapped", with_value(signed(), lambda v: b"EC" + v[2:]), "unknown"
    yield "ecdsa-kind-swapped", with_value(signed(CURVE), lambda v: b"Ed" + v[2:10] + bytes(64)), "unknown"
    both = {**trusted, "next.pub": key_file(NEXT)}
    listed = f"{TRUSTED.public.id.hex()}\n".encode()
    yield "revoked", signed(revoked=listed), "revoked"
    yield "revoked-old-key", signed(keys=both, revoked=listed), "revoked"
    yield "revoked-and-gone", signed(keys={"next.pub": both["next.pub"]}, revoked=listed), "revoked"
    yield "revoked-among-others", signed(revoked=b"0" * 16 + b"\n# why\n" + listed[:-1] + b" # why\n"), "revoked"
    yield "revoked-no-final-newline", signed(revoked=listed[:-1]), "revoked"
    yield "revoked-with-a-comment-of-any-bytes", signed(revoked=ID + ANY_COMMENT), "revoked"
    for name, (lines, numbers) in BAD_LINES.items():
        yield f"revoked-after-{name}", {**signed(revoked=lines + listed), **bad_lines(numbers)}, "revoked"
        behind = bad_lines([number + 1 for number in numbers])
        yield f"revoked-before-{name}", {**signed(revoked=listed + lines[:-1]), **behind}, "revoked"
    yield "revoked-ecdsa", signed(CURVE, revoked=f"{CURVE.public.id.hex()}\n".encode()), "revoked"
    expired = {"trusted.pub": key_file(TRUSTED, f"test, expires {OVER}")}
    yield "expired", signed(keys=expired), "expired"
    yield "expired-next-is-good", signed(keys={**expired, "next.pub": key_file(NEXT)}), "expired"
    yield "expired-ecdsa", signed(CURVE, keys={"c.pub": key_file(CURVE, f"test, expires {OVER}")}), "expired"
    yield "expired-and-revoked", signed(keys=expired, revoked=listed), "revoked"


def bad_keys() -> Iterator[Case]:
    """Trusted keys that nobody can read: nothing is trusted then."""
    comments = {
        "expires-month-13": "test, expires 2999-13-01",
        "expires-month-0": "test, expires 2999-00-01",
        "expires-day-0": "test, expires 2999-01-00",
        "expires-day-31-in-june": "test, expires 2999-06-31",
        "expires-no-leap-year": "test, expires 2999-02-29",
        "expires-no-leap-century": "test, expires 2900-02-29",
        "expires-short-year": "test, expires 99-12-31",
        "expires-year-0": "test, expires 0000-12-31",
        "expires-with-time": "test, expires 2999-12-31T00:00:00",
        "expires-with-space-behind": "test, expires 2999-12-31 ",
        "expires-slashes": "test, expires 2999/12/31",
        "expires-german": "test, expires 31.12.2999",
        "expires-no-date": "test, expires",
        "expires-a-word": "test, expires never",
        "expires-upper-case": "test, EXPIRES 2999-12-31",
        "expires-no-comma": "test expires 2999-12-31",
        "expires-two-spaces": "test, expires  2999-12-31",
        "expires-twice": "test, expires 2020-01-01, expires 2999-12-31",
        "expires-not-at-the-end": "test, expires 2999-12-31, really",
        "comment-empty": "",
        "comment-too-long": "c" * 1024,
        "comment-with-tab": "a\tb",
    }
    for name, comment in comments.items():
        yield f"key-{name}", signed(keys={"trusted.pub": key_file(TRUSTED, comment)}), "key"
    file = key_file(TRUSTED)
    point = CURVE.public.point
    compressed = _curve_key("curve").public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    head = b"EC" + CURVE.public.id
    files = {
        "empty": b"",
        "no-final-newline": file[:-1],
        "three-lines": file + b"more\n",
        "two-keys-in-a-file": file + key_file(NEXT),
        "carriage-returns": file.replace(b"\n", b"\r\n"),
        "nul-at-the-end": file + b"\0",
        "base64-truncated": file[:-6] + b"\n",
        "base64-nul-at-the-end": file[:-1] + b"\0\0\0\0\n",
        "algorithm-unknown": text(b"RS" + blob(file)[2:]),
        "short": text(blob(file)[:-1]),
        "long": text(blob(file) + b"\0"),
        "ecdsa-compressed": text(head + compressed),
        "ecdsa-hybrid": text(head + bytes([6 + point[-1] % 2]) + point[1:]),
        "ecdsa-raw": text(head + point[1:]),
        "pem": b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n",
        "openssh": b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI test\n",
    }
    for name, data in files.items():
        yield f"key-{name}", signed(keys={"trusted.pub": file, "other.pub": data}), "key"


def everything() -> dict[str, bytes]:
    """All files by path below the folder."""
    made: dict[str, bytes] = {}
    for folder, cases in (("good", good()), ("bad", _bad())):
        for name, files, reason in cases:
            assert f"{folder}/{name}/bell.manifest" not in made, name
            made |= {f"{folder}/{name}/{file}": data for file, data in files.items()}
            if reason:
                made[f"{folder}/{name}/reason"] = f"{reason}\n".encode()
    return made


def _bad() -> Iterator[Case]:
    for cases in (bad_signatures(), bad_fits(), bad_choices(), bad_keys()):
        yield from cases


def bad_lines_of(case: Path) -> list[int]:
    """What a reader has to tell of a case's list of revoked keys."""
    file = case / "bad-lines"
    return [int(number) for number in file.read_text().split()] if file.exists() else []


def main() -> None:
    """Write the folder anew."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for path, data in everything().items():
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / path).write_bytes(data)


if __name__ == "__main__":
    main()
