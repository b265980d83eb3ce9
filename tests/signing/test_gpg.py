"""OpenPGP signatures. Judges: gpg and gpgv with a keyring of their own, and rpmkeys."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from packaging_tool.errors import SigningError
from packaging_tool.signing import gpg

ROOT = Path(__file__).parent.parent.parent
UID = "Test Archive <test@example.org>"
TIME = 1_900_000_000
DATA = b"Origin: test\n- dashes\nFrom here\n"


@pytest.fixture(scope="module", params=["ed25519", "rsa4096"])
def key(request: pytest.FixtureRequest) -> tuple[bytes, bytes, str]:
    return gpg.generate(UID, request.param, "correct horse")


@pytest.fixture
def signer(key: tuple[bytes, bytes, str]) -> Iterator[gpg.GpgSigner]:
    with gpg.from_file(key[0], TIME, "correct horse") as signer:
        yield signer


@pytest.fixture
def short() -> Iterator[Path]:
    """A temporary directory whose name is short enough for the sockets in a keyring."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as name:
        yield Path(name)


def keyring(signer: gpg.GpgSigner, directory: Path) -> Path:
    path = directory / "ring.gpg"
    subprocess.run(["gpg", "--dearmor", "-o", path], input=signer.public_key(), check=True)
    return path


def gpgv(ring: Path, *files: Path) -> tuple[int, str]:
    done = subprocess.run(["gpgv", "--keyring", ring, *files], capture_output=True, text=True)
    return done.returncode, done.stderr


def test_gpgv_accepts_detached_armored_and_clear_signatures(signer: gpg.GpgSigner, tmp_path: Path) -> None:
    ring = keyring(signer, tmp_path)
    data, signature = tmp_path / "data", tmp_path / "signature"
    data.write_bytes(DATA)
    for made in (signer.detached(DATA), signer.armored(DATA)):
        signature.write_bytes(made)
        assert gpgv(ring, signature, data)[0] == 0
    signature.write_bytes(signer.clear(DATA))
    assert gpgv(ring, signature)[0] == 0
    signature.write_bytes(signer.clear(DATA).replace(b"Origin: test", b"Origin: best"))
    assert gpgv(ring, signature)[0] == 1


def test_detached_is_one_v4_signature_packet(signer: gpg.GpgSigner) -> None:
    listed = subprocess.run(["gpg", "--list-packets"], input=signer.detached(b"x"), capture_output=True, check=True)
    packets = [line for line in listed.stdout.decode().splitlines() if line.startswith("# off=")]
    assert len(packets) == 1
    assert b"version 4" in listed.stdout
    assert signer.armored(b"x").startswith(b"-----BEGIN PGP SIGNATURE-----\n")


def test_a_signature_carries_the_given_time_so_the_bytes_can_be_made_again(
    key: tuple[bytes, bytes, str], tmp_path: Path
) -> None:
    made = set()
    for _ in range(2):
        with gpg.from_file(key[0], TIME, "correct horse") as signer:
            made |= {(signer.detached(DATA), signer.armored(DATA), signer.clear(DATA))}
    assert len(made) == 1
    listed = subprocess.run(["gpg", "--list-packets"], input=made.pop()[0], capture_output=True, check=True)
    assert f"created {TIME}".encode() in listed.stdout


def test_a_signature_is_never_older_than_its_key(key: tuple[bytes, bytes, str], tmp_path: Path) -> None:
    """With a SOURCE_DATE_EPOCH before the key was made, every verifier would refuse the signature."""
    (tmp_path / "data").write_bytes(DATA)
    with gpg.from_file(key[0], 1_000_000_000, "correct horse") as signer:
        (tmp_path / "signature").write_bytes(signer.detached(DATA))
        ring = keyring(signer, tmp_path)
    code, said = gpgv(ring, tmp_path / "signature", tmp_path / "data")
    assert code == 0
    assert "newer than" not in said


def test_many_threads_sign_at_once(signer: gpg.GpgSigner) -> None:
    """Machines with many cores do; the locked memory of gpg's agent holds few RSA operations."""
    texts = [bytes([number]) for number in range(48)]
    alone = [signer.detached(text) for text in texts[:8]]
    with ThreadPoolExecutor(24) as pool:
        assert list(pool.map(signer.detached, texts))[:8] == alone


def test_rpm_takes_the_public_key(signer: gpg.GpgSigner, tmp_path: Path) -> None:
    (tmp_path / "key.asc").write_bytes(signer.public_key())
    database = f"--dbpath={tmp_path / 'db'}"
    subprocess.run(["rpmkeys", database, "--import", "key.asc"], cwd=tmp_path, check=True, capture_output=True)
    listed = subprocess.run(["rpm", database, "-q", "gpg-pubkey"], capture_output=True, text=True, check=True)
    assert signer.fingerprint[-8:].lower() in listed.stdout


def test_the_key_says_what_it_is(key: tuple[bytes, bytes, str], signer: gpg.GpgSigner) -> None:
    assert (signer.key_kind, signer.fingerprint, "") == gpg.describe(key[1])
    assert signer.fingerprint == key[2]


def made_by_gpg(home: Path, *steps: Sequence[str]) -> tuple[bytes, bytes]:
    """A key as people make it: commands of gpg, in which FPR stands for its fingerprint. Secret and public key."""

    def call(*arguments: str) -> bytes:
        own = ["gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback", "--passphrase", ""]
        return subprocess.run([*own, *arguments], capture_output=True, check=True).stdout

    home.mkdir(mode=0o700)
    try:
        for step in steps:
            listed = call("--with-colons", "--list-keys").decode().splitlines()
            fingerprint = next((row.split(":")[9] for row in listed if row.startswith("fpr")), "")
            call(*(word.replace("FPR", fingerprint) for word in step))
        return call("--armor", "--export-secret-keys"), call("--armor", "--export")
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)


def at(moment: str, *step: str) -> tuple[str, ...]:
    return ("--faked-system-time", moment, *step)


def test_what_is_said_of_a_key_is_said_of_the_subkey_that_signs(short: Path) -> None:
    """An RSA key with a subkey that the oldest targets cannot read."""
    secret, public = made_by_gpg(
        short / "home",
        at("20240101T000000", "--quick-generate-key", UID, "rsa3072", "cert", "never"),
        at("20240101T000000", "--quick-add-key", "FPR", "rsa3072", "sign", "2099-01-01"),
        at("20250101T000000", "--quick-add-key", "FPR", "ed25519", "sign", "2098-01-01"),
    )
    kind, fingerprint, end = gpg.describe(public)
    assert (kind, end[:4]) == ("ed25519", "2098")
    # The project's time is before the subkey was made, as after each rotation.
    with gpg.from_file(secret, 1_704_200_000, None) as signer:
        assert (signer.key_kind, signer.fingerprint) == (kind, fingerprint)
        (short / "data").write_bytes(DATA)
        (short / "signature").write_bytes(signer.detached(DATA))
        code, said = gpgv(keyring(signer, short), short / "signature", short / "data")
    assert code == 0, said
    assert "EDDSA" in said


@pytest.mark.parametrize("what", ["key", "subkey"])
def test_an_expired_key_is_told_before_anything_is_published(short: Path, what: str) -> None:
    """Signing at the project's time, gpg itself would say nothing, and every apt and dnf refuse the repository."""
    ends = {"key": ("2025-06-01", "never"), "subkey": ("never", "2025-06-01")}[what]
    secret, public = made_by_gpg(
        short / "home",
        at("20250101T000000", "--quick-generate-key", UID, "rsa3072", "cert", ends[0]),
        at("20250101T000000", "--quick-add-key", "FPR", "rsa3072", "sign", ends[1]),
    )
    assert gpg.describe(public)[2] == "2025-06-01"
    with (
        pytest.raises(SigningError, match=r"^r\.key expired on 2025-06-01") as caught,
        gpg.from_file(secret, 1_740_000_000, None, "r.key"),
    ):
        pass
    assert "--quick-set-expire" in caught.value.hint


def test_a_subkey_that_is_over_leaves_the_older_one_that_is_not(short: Path) -> None:
    secret, public = made_by_gpg(
        short / "home",
        at("20240101T000000", "--quick-generate-key", UID, "rsa3072", "cert,sign", "never"),
        at("20240101T000000", "--quick-add-key", "FPR", "ed25519", "sign", "2025-06-01"),
    )
    with gpg.from_file(secret, TIME, None) as signer:
        assert signer.key_kind == "rsa3072"
        (short / "data").write_bytes(DATA)
        (short / "signature").write_bytes(signer.detached(DATA))
        assert gpgv(keyring(signer, short), short / "signature", short / "data")[0] == 0
    assert gpg.describe(public)[0] == "rsa3072"


@pytest.mark.parametrize("passphrase", [None, "battery"])
def test_a_wrong_passphrase_is_told_at_once(key: tuple[bytes, bytes, str], passphrase: str | None) -> None:
    with (
        pytest.raises(SigningError, match=r"r\.key is locked, and the passphrase does not fit") as caught,
        gpg.from_file(key[0], TIME, passphrase, "r.key"),
    ):
        pass
    assert "MKPKGS_PASSPHRASE" in caught.value.hint


def test_a_new_key_that_gpg_cannot_read_back_is_made_once_more(
    short: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """gpg itself, but the first export of a secret key ends as it does once in some two thousand."""
    script = f"""#!/bin/sh
case "$*" in *--export-secret-keys*) echo try >>{tmp_path}/tries; if [ "$(wc -l <{tmp_path}/tries)" -le $FAILS ]; then
    echo "gpg: key XY: error receiving key from agent: Corrupted protection - skipped" >&2; exit 2
fi ;; esac
exec {shutil.which("gpg")} "$@"
"""
    (short / "gpg").write_text(script)
    (short / "gpg").chmod(0o755)
    monkeypatch.setenv("PATH", f"{short}:{os.environ['PATH']}")
    monkeypatch.setenv("FAILS", "1")
    secret, public, _ = gpg.generate(UID, "ed25519", "correct horse")
    with gpg.from_file(secret, TIME, "correct horse") as made:
        assert made.public_key() == public
    monkeypatch.setenv("FAILS", "9")
    with pytest.raises(SigningError, match="Corrupted protection"):
        gpg.generate(UID, "ed25519", "correct horse")


def test_a_public_key_or_rubbish_cannot_sign(key: tuple[bytes, bytes, str]) -> None:
    for text in (key[1], b"rubbish"):
        with pytest.raises(SigningError, match=r"r\.key"), gpg.from_file(text, TIME, None, "r.key"):
            pass
    with pytest.raises(SigningError):
        gpg.describe(b"rubbish")


def test_the_private_keyring_is_gone_afterwards(
    key: tuple[bytes, bytes, str], short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(short))
    with gpg.from_file(key[0], TIME, "correct horse"):
        (home,) = short.iterdir()
        assert home.stat().st_mode & 0o777 == 0o700
        listed = ["gpgconf", "--homedir", str(home), "--list-dirs", "socketdir"]
        sockets = Path(subprocess.run(listed, capture_output=True, text=True, check=True).stdout.strip())
        assert sockets.is_dir()
    assert not list(short.iterdir())
    assert not sockets.exists()


def test_the_next_run_sweeps_the_keyring_of_one_that_was_killed(
    key: tuple[bytes, bytes, str], short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import sys, os, signal, tempfile; from packaging_tool.signing import gpg; tempfile.tempdir = sys.argv[1]\n"
        "with gpg.from_file(sys.stdin.buffer.read(), 0, 'correct horse'): os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, short], input=key[0], cwd=ROOT)
    assert killed.returncode == -9
    (home,) = short.iterdir()
    os.utime(home, (0, 0))
    monkeypatch.setattr("tempfile.tempdir", str(short))
    with gpg.from_file(key[0], TIME, "correct horse") as working:
        (left,) = short.iterdir()
        with gpg.from_file(key[0], TIME, "correct horse"):
            assert left in short.iterdir()
            working.detached(b"still there")


@pytest.mark.parametrize("socketdir", ["", "mount -t tmpfs none /run"], ids=["as-it-is", "without-run-user"])
@pytest.mark.parametrize("name", [b"long" * 25, "50%41 of:ö".encode(), b"\xff"], ids=["long", "odd", "not-utf8"])
def test_an_odd_name_of_the_temporary_directory_is_no_obstacle(
    name: bytes, socketdir: str, key: tuple[bytes, bytes, str], short: Path
) -> None:
    """The agent's sockets are below /run/user; where that is not there, as in many containers, in the keyring."""
    place = os.fsencode(short) + b"/" + name
    Path(os.fsdecode(place)).mkdir()
    code = (
        "import sys; from packaging_tool.signing import gpg\n"
        "with gpg.from_file(sys.stdin.buffer.read(), 0, 'correct horse') as signer:\n"
        "    print(signer.fingerprint, len(signer.detached(b'')) > 70)"
    )
    argv: list[str] = [sys.executable, "-c", code]
    if socketdir:
        argv = ["unshare", "--mount", "sh", "-ec", f'{socketdir}; exec "$@"', "sh", *argv]
    done = subprocess.run(argv, input=key[0], capture_output=True, cwd=ROOT, env={**os.environb, b"TMPDIR": place})
    if b"unshare" in done.stderr:
        pytest.skip("this machine lets nobody mount")
    assert done.stdout.decode().split() == [key[2], "True"], done.stderr


def test_no_process_shows_the_passphrase(
    key: tuple[bytes, bytes, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrapper around the real gpg notes its arguments and its environment."""
    log = tmp_path / "log"
    wrapper = tmp_path / "gpg"
    wrapper.write_text(f'#!/bin/sh\n{{ echo "$@"; env; }} >>{log}\nexec /usr/bin/gpg "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with gpg.from_file(key[0], TIME, "correct horse") as signer:
        signer.detached(DATA)
    assert "--detach-sign" in log.read_text()
    assert "correct horse" not in log.read_text()


def test_a_key_in_the_users_own_keyring_signs_by_fingerprint(
    key: tuple[bytes, bytes, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    # What the user likes elsewhere does not shape the packages.
    (home / "gpg-agent.conf").write_text(gpg.AGENT)
    (home / "gpg.conf").write_text("comment hello\nthrow-keyids\npersonal-digest-preferences SHA1\n")
    monkeypatch.setenv("GNUPGHOME", str(home))
    subprocess.run(["gpg", "--batch", "--import"], input=key[0], check=True, capture_output=True)
    try:
        signer = gpg.GpgSigner(None, key[2], TIME, "correct horse")
        (tmp_path / "data").write_bytes(DATA)
        (tmp_path / "signature").write_bytes(signer.detached(DATA))
        assert gpgv(keyring(signer, tmp_path), tmp_path / "signature", tmp_path / "data")[0] == 0
        assert b"hello" not in signer.armored(DATA)
        with pytest.raises(SigningError, match="no secret key"):
            gpg.GpgSigner(None, "F" * 40, TIME, None)
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=True)


def test_a_signature_made_in_the_second_of_its_own_time_is_the_same(tmp_path: Path) -> None:
    """gpg lets the clock run where it is told to stop it at the present second."""
    secret, _, _ = gpg.generate("Test <test@example.org>", "ed25519", None)
    with gpg.from_file(secret, 0, None) as signer:
        first = signer.detached(b"text")
        time.sleep(1.1)
        assert signer.detached(b"text") == first


def test_a_signature_has_the_time_that_was_asked_for_also_at_the_turn_of_a_second(
    key: tuple[bytes, bytes, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """gpg's clock is the kernel's coarse one: just after the second, it still shows the one before."""
    slept: list[float] = []
    clock = iter([TIME + 0.5, TIME + 1.001, TIME + 1.02, TIME + 1.06])
    with gpg.from_file(key[0], TIME, "correct horse") as signer:
        monkeypatch.setattr("packaging_tool.signing.gpg.time.time", lambda: next(clock))
        monkeypatch.setattr("packaging_tool.signing.gpg.time.sleep", slept.append)
        signer.armored(b"data")
    assert len(slept) == 3


def test_a_signature_at_another_time_is_refused(key: tuple[bytes, bytes, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with gpg.from_file(key[0], TIME, "correct horse") as signer:
        real = gpg._gpg

        def late(home: Path | None, passphrase: str | None, arguments: Sequence[str], **named: Any) -> bytes:
            return real(home, passphrase, [a.replace(f"{TIME}!", f"{TIME + 1}!") for a in arguments], **named)

        monkeypatch.setattr(gpg, "_gpg", late)
        with pytest.raises(SigningError, match="signed at another time"):
            signer.armored(b"data")


def test_a_key_of_tomorrow_is_told_with_the_clock_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    with gpg._private_home() as home:
        made = ["--faked-system-time", str(int(time.time()) + 90_000), "--quick-generate-key", "T <t@example.org>"]
        gpg._gpg(home, "", [*made, "ed25519", "cert,sign", "never"])
        secret = gpg._gpg(home, "", ["--armor", "--export-secret-keys"])
    with pytest.raises(SigningError) as caught, gpg.from_file(secret, TIME, None):
        pass
    assert "set the clock" in caught.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts")
def test_a_full_directory_for_temporary_files_is_told(
    key: tuple[bytes, bytes, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tempfile.mkdtemp(prefix="full-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], check=True)
    try:
        with suppress(OSError):
            (Path(place) / "fill").write_bytes(bytes(44 << 10))
        monkeypatch.setattr(tempfile, "tempdir", place)
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        with pytest.raises((SigningError, OSError)) as caught, gpg.from_file(key[0], TIME, "correct horse"):
            pass
        said = f"{caught.value} {getattr(caught.value, 'hint', '')}"
        assert "is full" in said or "No space left" in said
    finally:
        subprocess.run(["umount", place], check=True)
        Path(place).rmdir()
