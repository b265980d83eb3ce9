"""Signatures by gpg's agent are the bytes that gpg writes. Judges: gpg in a keyring of its own, and gpgv."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from packaging_tool.errors import SigningError
from packaging_tool.signing import gpg
from packaging_tool.signing.agent import form_of

UID = "Test Archive <test@example.org>"
TIME = 1_900_000_000
WORDS = "50 % more, größer"


class Keyring:
    """The program gpg with a keyring in this directory."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "gpg-agent.conf").write_text(gpg.AGENT)

    def gpg(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """What it prints."""
        (self.home / "passphrase").write_text(WORDS)
        own = ["--homedir", str(self.home), "--batch", "--quiet", "--pinentry-mode", "loopback"]
        own += ["--passphrase-file", str(self.home / "passphrase")]
        return subprocess.run(["gpg", *own, *arguments], input=stdin, capture_output=True, check=True).stdout

    def sign(self, data: bytes) -> bytes:
        """A detached signature by the only key."""
        options = ["--digest-algo", "SHA512", "--faked-system-time", f"{TIME}!"]
        return self.gpg(*options, "--detach-sign", stdin=data)


@contextmanager
def keyring() -> Iterator[Keyring]:
    """A short name, for the sockets in it."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as name:
        try:
            yield Keyring(Path(name))
        finally:
            subprocess.run(["gpgconf", "--homedir", name, "--kill", "all"], check=True)


@pytest.fixture(scope="module", params=["ed25519", "rsa4096", "ed25519 with a subkey that signs", "nistp256"])
def key(request: pytest.FixtureRequest) -> Iterator[tuple[Keyring, bytes]]:
    """A keyring with one key, and that key."""
    with keyring() as ring:
        kind, _, subkey = request.param.partition(" ")
        ring.gpg("--quick-generate-key", UID, kind, "cert" if subkey else "cert,sign", "never")
        if subkey:
            listed = ring.gpg("--with-colons", "--list-keys").decode()
            ring.gpg("--quick-add-key", listed.partition("\nfpr")[2].split(":")[9], kind, "sign", "never")
        yield ring, ring.gpg("--armor", "--export-secret-keys")


def test_they_are_the_bytes_that_gpg_writes(key: tuple[Keyring, bytes]) -> None:
    ring, secret = key
    with gpg.from_file(secret, TIME, WORDS) as signer:
        # RSA takes 20 times as long. One in 256 numbers begins with a zero byte, which is not written.
        count = 20 if signer.key_kind == "rsa4096" else 400
        made = {data: signer.detached(data) for data in (b"%d\n" % number for number in range(count))}
    usual = max(map(len, made.values()))
    short = [data for data, packet in made.items() if len(packet) < usual]
    for data in (b"1\n", b"2\n", *short[:2]):
        assert made[data] == ring.sign(data)


def test_forked_processes_and_their_parent_sign_side_by_side(key: tuple[Keyring, bytes], tmp_path: Path) -> None:
    """As on a machine with 16 processors: the agent's locked memory is too small for so many operations of RSA."""
    _, secret = key
    with gpg.from_file(secret, TIME, WORDS) as signer:
        before = signer.detached(b"data")
        children = []
        for number in range(16):
            children.append(os.fork())
            if not children[-1]:
                try:
                    (tmp_path / str(number)).write_bytes(b"".join({signer.detached(b"data") for _ in range(5)}))
                finally:
                    os._exit(0)
        during = [signer.detached(b"data") for _ in range(5)]
        for child in children:
            os.waitpid(child, 0)
    assert set(during) == {before}
    assert [path.read_bytes() for path in tmp_path.iterdir()] == 16 * [before]


def test_only_a_few_programs_run_whatever_is_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, _, _ = gpg.generate(UID, "ed25519", None)
    log = tmp_path / "log"
    (tmp_path / "gpg").write_text(f'#!/bin/sh\necho >>{log}\nexec /usr/bin/gpg "$@"\n')
    (tmp_path / "gpg").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with gpg.from_file(secret, TIME, None) as signer:
        for number in range(30):
            signer.detached(b"%d" % number)
    assert len(log.read_text()) < 10


@pytest.mark.parametrize("words", [WORDS, "of a file with lines as Windows has them\r"])
def test_the_agent_is_told_the_passphrase_when_it_has_forgotten_it(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does ten minutes after the first signature, which a build may take."""
    secret, _, _ = gpg.generate(UID, "ed25519", words)
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as place:
        monkeypatch.setattr(tempfile, "tempdir", place)
        with gpg.from_file(secret, TIME, words) as signer:
            before = signer.detached(b"data")
            (home,) = Path(place).glob(f"{gpg.PREFIX}*")
            subprocess.run(["gpgconf", "--homedir", home, "--reload", "gpg-agent"], check=True)
            assert signer.detached(b"data") == before


def test_an_agent_that_ended_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, _, _ = gpg.generate(UID, "ed25519", None)
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as place:
        monkeypatch.setattr(tempfile, "tempdir", place)
        with gpg.from_file(secret, TIME, None) as signer:
            assert signer.detached(b"data")
            (home,) = Path(place).glob(f"{gpg.PREFIX}*")
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=True)
            with pytest.raises(SigningError, match="gpg's agent went away"):
                signer.detached(b"data")


def test_a_key_that_the_agent_lost_is_told_with_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, _, _ = gpg.generate(UID, "ed25519", None)
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as place:
        monkeypatch.setattr(tempfile, "tempdir", place)
        with gpg.from_file(secret, TIME, None) as signer:
            (kept,) = Path(place).glob(f"{gpg.PREFIX}*/private-keys-v1.d/*.key")
            kept.unlink()
            with pytest.raises(SigningError, match=r"gpg's agent refuses .*No secret key"):
                signer.detached(b"data")


def test_a_form_that_is_not_known_is_left_to_gpg(key: tuple[Keyring, bytes]) -> None:
    packet = key[0].sign(b"data")
    form = form_of(packet)
    assert form is not None
    listed = key[0].gpg("--list-packets", stdin=packet).decode()
    assert f"issuer fpr v4 {form.fingerprint}" in listed
    start = 2 + (packet[0] & 1)
    for at, value in ((0, 0xC2), (start, 3), (start + 3, 2), (start + 7, 16)):
        assert form_of(packet[:at] + bytes([value]) + packet[at + 1 :]) is None
    for cut in range(len(packet)):
        assert form_of(packet[:cut]) is None
