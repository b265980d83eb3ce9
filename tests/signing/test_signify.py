"""Manifest keys and signatures. Judges: signify-openbsd for Ed25519, openssl for both kinds."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from packaging_tool.errors import SigningError
from packaging_tool.signing import signify

KINDS = tuple(signify.ALGORITHMS)
DATA = b"mkpkgs-manifest 1\ncore caddy\n"
SPKI = {
    "ed25519": bytes.fromhex("302a300506032b6570032100"),
    "ecdsa-p256": bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200"),
}


def second_line(text: bytes) -> bytes:
    return base64.b64decode(text.splitlines()[1], validate=True)


def openssl_accepts(kind: str, public: bytes, data: bytes, signature: bytes, directory: Path) -> bool:
    """What the shell script on the target does: key to PEM, then openssl."""
    body = base64.encodebytes(SPKI[kind] + second_line(public)[10:]).decode()
    (directory / "k.pem").write_text(f"-----BEGIN PUBLIC KEY-----\n{body}-----END PUBLIC KEY-----\n")
    (directory / "m").write_bytes(data)
    (directory / "s").write_bytes(second_line(signature)[10:])
    check = {
        "ed25519": "openssl pkeyutl -verify -pubin -inkey k.pem -rawin -in m -sigfile s",
        "ecdsa-p256": "openssl dgst -sha256 -verify k.pem -signature s m",
    }[kind]
    return subprocess.run(check.split(), cwd=directory, capture_output=True).returncode == 0


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_accepts_a_signature_and_refuses_other_data(kind: str, tmp_path: Path) -> None:
    key = signify.generate(kind)
    public, signature = key.public.render("caddy"), key.sign(DATA, "verify with caddy.pub")
    assert openssl_accepts(kind, public, DATA, signature, tmp_path)
    assert not openssl_accepts(kind, public, DATA + b"\n", signature, tmp_path)


def test_signify_accepts_an_ed25519_signature_and_refuses_other_data(tmp_path: Path) -> None:
    key = signify.generate("ed25519")
    (tmp_path / "k.pub").write_bytes(key.public.render("caddy manifest key"))
    (tmp_path / "m").write_bytes(DATA)
    (tmp_path / "m.sig").write_bytes(key.sign(DATA, "verify with k.pub"))
    verify = ["signify-openbsd", "-V", "-p", "k.pub", "-x", "m.sig", "-m", "m"]
    assert subprocess.run(verify, cwd=tmp_path, capture_output=True).returncode == 0
    (tmp_path / "m").write_bytes(DATA[:-1])
    assert subprocess.run(verify, cwd=tmp_path, capture_output=True).returncode == 1


def test_a_signature_of_signify_is_accepted(tmp_path: Path) -> None:
    generate = ["signify-openbsd", "-G", "-n", "-p", "k.pub", "-s", "k.sec"]
    subprocess.run(generate, cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "m").write_bytes(DATA)
    sign = ["signify-openbsd", "-S", "-s", "k.sec", "-m", "m", "-x", "m.sig"]
    subprocess.run(sign, cwd=tmp_path, check=True, capture_output=True)
    public = signify.parse_public((tmp_path / "k.pub").read_bytes())
    public.verify(DATA, (tmp_path / "m.sig").read_bytes())
    with pytest.raises(SigningError, match="bad signature"):
        public.verify(DATA + b"x", (tmp_path / "m.sig").read_bytes())


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_data_has_the_same_signature(kind: str) -> None:
    key = signify.generate(kind)
    assert key.sign(DATA, "c") == key.sign(DATA, "c")
    assert key.sign(DATA, "c") != key.sign(DATA + b"x", "c")


@pytest.mark.parametrize(
    ("message", "r", "s"),
    [
        (
            b"sample",
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
            "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
        ),
        (
            b"test",
            "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367",
            "019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083",
        ),
    ],
)
def test_ecdsa_signatures_are_those_of_rfc_6979_a_2_5(message: bytes, r: str, s: str) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    secret = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
    key = signify.SecretKey(ec.derive_private_key(secret, ec.SECP256R1()))
    assert decode_dss_signature(second_line(key.sign(message, "c"))[10:]) == (int(r, 16), int(s, 16))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
def test_a_secret_key_comes_back_from_its_file(kind: str, passphrase: bytes | None) -> None:
    key = signify.generate(kind)
    assert signify.load(key.pem(passphrase), passphrase).public == key.public


def test_openssl_reads_a_locked_key_file_with_its_passphrase(tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(signify.generate("ed25519").pem(b"correct horse"))
    read = ["openssl", "pkey", "-in", "k", "-noout", "-passin", "stdin"]
    assert subprocess.run(read, cwd=tmp_path, input=b"correct horse\n", capture_output=True).returncode == 0
    assert subprocess.run(read, cwd=tmp_path, input=b"battery\n", capture_output=True).returncode != 0


@pytest.mark.parametrize("passphrase", [None, b"", b"battery"])
def test_a_locked_key_is_refused_without_its_passphrase(passphrase: bytes | None) -> None:
    with pytest.raises(SigningError, match=r"k\.key .*(is locked|wrong passphrase)"):
        signify.load(signify.generate("ed25519").pem(b"correct horse"), passphrase, "k.key")


def test_other_kinds_of_keys_are_refused() -> None:
    with pytest.raises(SigningError, match="unknown kind"):
        signify.generate("rsa")
    p384 = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
        capture_output=True,
        check=True,
    )
    with pytest.raises(SigningError, match="of a kind that manifests cannot use"):
        signify.load(p384.stdout, None)


def test_a_signature_of_another_key_is_named_as_such() -> None:
    one, other = signify.generate("ed25519"), signify.generate("ed25519")
    with pytest.raises(SigningError, match=f"another key: {other.public.id.hex()}"):
        one.public.verify(DATA, other.sign(DATA, "c"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "not two lines"),
        (b"untrusted comment: x\n", "not two lines"),
        (b"comment: x\nRWQ=\n", "not two lines"),
        (b"untrusted comment: x\nRWQ*\n", "not base64"),
        (b"untrusted comment: x\nRWQ=\n", "unknown algorithm"),
        (b"untrusted comment: x\n" + base64.b64encode(b"XX" + bytes(40)) + b"\n", "unknown algorithm b'XX'"),
        (b"untrusted comment: x\n" + base64.b64encode(b"Ed" + bytes(39)) + b"\n", "wrong length"),
        (b"untrusted comment: x\n" + base64.b64encode(b"Ed" + bytes(40)) + b"\nmore\n", "not two lines"),
    ],
)
def test_a_damaged_public_key_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(SigningError, match=reason):
        signify.parse_public(text)


def test_a_comment_cannot_add_lines() -> None:
    with pytest.raises(SigningError, match="one line"):
        signify.generate("ed25519").sign(DATA, "a\nb")
