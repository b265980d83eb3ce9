"""Keys and signatures: Python judges the shared files as their folders say. Judges: signify-openbsd and openssl."""

from __future__ import annotations

import base64
import re
import subprocess
from pathlib import Path

import pytest

from packaging_tool.errors import SigningError
from packaging_tool.signing import signify
from tests.signing.test_signify import openssl_accepts
from tests.vectors import make

GOOD, BAD = (sorted((make.FOLDER / folder).iterdir()) for folder in ("good", "bad"))
# What signify takes, and we do not: it reads around white space, and ends after the second line.
LOOSE = (
    *("blank-line-last", "three-lines", "twice", "nul-at-the-end", "carriage-returns", "base64-with-space"),
    *("base64-final-space", "comment-with-escape"),
)
# Bytes of the largest list of revoked keys.
LONGEST = 64 << 10


def verdict(case: Path) -> str:
    """`good`, or the reason to refuse."""
    try:
        keys = [signify.parse_public(path.read_bytes()) for path in sorted(case.glob("*.pub"))]
    except SigningError:
        return "key"
    manifest, signature = (case / "bell.manifest").read_bytes(), (case / "bell.manifest.sig").read_bytes()
    try:
        kind, key_id = signify.signer_of(signature)
    except SigningError:
        return "signature"
    if key_id in read_revoked(case / "revoked")[0]:
        return "revoked"
    meant = [key for key in keys if (key.kind, key.id) == (kind, key_id)]
    if not meant:
        return "unknown"
    if all(key.expired() for key in meant):
        return "expired"
    return "good" if any(fits(key, manifest, signature) for key in meant if not key.expired()) else "mismatch"


def read_revoked(path: Path) -> tuple[set[bytes], list[int]]:
    """Key ids of a list, and the numbers of the lines that are none. A list above 64 kB has neither."""
    data = path.read_bytes() if path.exists() else b""
    lines = data.split(b"\n") if len(data) <= LONGEST else []
    words = {number: line.split(b"#")[0].rstrip(b" \t") for number, line in enumerate(lines, 1)}
    good = {number for number, word in words.items() if re.fullmatch(rb"[0-9a-f]{16}", word)}
    return (
        {bytes.fromhex(words[number].decode()) for number in good},
        [number for number, word in words.items() if word and number not in good],
    )


def fits(key: signify.PublicKey, manifest: bytes, signature: bytes) -> bool:
    try:
        key.verify(manifest, signature)
    except SigningError:
        return False
    return True


def test_the_files_are_those_that_the_program_makes() -> None:
    found = {str(path.relative_to(make.FOLDER)): path.read_bytes() for path in make.FOLDER.rglob("*") if path.is_file()}
    assert found == make.everything()


@pytest.mark.parametrize("case", GOOD, ids=lambda path: path.name)
def test_good_signatures_are_taken(case: Path) -> None:
    assert verdict(case) == "good"


@pytest.mark.parametrize("case", BAD, ids=lambda path: path.name)
def test_bad_signatures_are_refused_for_their_reason(case: Path) -> None:
    assert f"{verdict(case)}\n" == (case / "reason").read_text()


@pytest.mark.parametrize(
    "case", [case for case in (*GOOD, *BAD) if (case / "revoked").exists()], ids=lambda case: case.name
)
def test_bad_lines_of_a_list_are_told(case: Path) -> None:
    assert read_revoked(case / "revoked")[1] == make.bad_lines_of(case)


def signify_accepts(case: Path) -> bool:
    """Whether signify takes the signature with one of the keys."""
    verify = ["signify-openbsd", "-V", "-x", "bell.manifest.sig", "-m", "bell.manifest", "-p"]
    keys = [path.name for path in case.glob("*.pub")]
    return any(subprocess.run([*verify, key], cwd=case, capture_output=True).returncode == 0 for key in keys)


@pytest.mark.parametrize("case", GOOD, ids=lambda path: path.name)
def test_signify_or_openssl_takes_what_is_good(case: Path, tmp_path: Path) -> None:
    if signify.signer_of((case / "bell.manifest.sig").read_bytes())[0] == "ed25519":
        assert signify_accepts(case)
    assert any(openssl_takes(case, key, tmp_path) for key in case.glob("*.pub"))


def openssl_takes(case: Path, key: Path, directory: Path) -> bool:
    manifest, signature = (case / "bell.manifest").read_bytes(), (case / "bell.manifest.sig").read_bytes()
    kind = signify.parse_public(key.read_bytes()).kind
    same = base64.b64decode(key.read_bytes().split(b"\n")[1])[:10] == make.blob(signature)[:10]
    return same and openssl_accepts(kind, key.read_bytes(), manifest, signature, directory)


@pytest.mark.parametrize(
    "case",
    [case for case in BAD if (case / "reason").read_text() in ("signature\n", "unknown\n", "mismatch\n")],
    ids=lambda path: path.name,
)
def test_signify_takes_nothing_that_is_bad(case: Path) -> None:
    """What it cannot know is left out: malformed further keys, revocation, expiry."""
    loose = case.name.removeprefix("signature-") in LOOSE
    assert signify_accepts(case) is loose


@pytest.mark.parametrize("case", [case for case in BAD if case.name.startswith("ecdsa-")], ids=lambda path: path.name)
def test_openssl_takes_no_bad_ecdsa_signature(case: Path, tmp_path: Path) -> None:
    assert not any(openssl_takes(case, key, tmp_path) for key in case.glob("*.pub"))
