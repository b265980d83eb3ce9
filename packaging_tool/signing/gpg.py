"""OpenPGP signatures by the program gpg: of rpm headers, `Release` and `repomd.xml`.

The key lies in a file, and then works in a private keyring that lives as long as the signer; or it is in the user's
own keyring or on a smartcard, named by its fingerprint. Hundreds of rpm headers are signed by the private keyring's
agent (`agent.py`). A passphrase goes through a pipe or the agent's socket, never onto a command line.
Signatures carry a given time and use deterministic algorithms (EdDSA, or RSA with PKCS #1 v1.5 padding), so the same
data gives the same bytes.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from threading import Lock

from packaging_tool.errors import CommandError, SigningError
from packaging_tool.run import run
from packaging_tool.signing.agent import Agent, form_of

KINDS = {"ed25519": "ed25519", "rsa4096": "rsa4096"}
# gpg's numbers for public key algorithms (RFC 4880, 9.1, and RFC 9580): 1 RSA, 17 DSA, 19 ECDSA, 22 EdDSA.
ALGORITHMS = {"1": "rsa", "17": "dsa", "19": "ecdsa", "22": "ed25519"}
PREFIX = "mkpkgs-gpg-"
# One that is not locked yet, and has no key.
BEGUN = ".mkpkgs-gpg-"
# Bytes that a keyring and its agent's files need, and some more.
ROOM = 8 << 20
# The private keyring lives for minutes in a directory of our own, and its agent would count to 100 ms for each of
# hundreds of signatures.
AGENT = "s2k-count 65536\nallow-loopback-pinentry\n"
# gpg's agent computes one signature at a time; a second one lets a program start meanwhile, more gain nothing. Each
# takes a part of the agent's locked memory, and eight with RSA and a passphrase exhaust it.
AT_ONCE = 2
# Seconds by which the kernel's coarse clock may be behind, and some more.
TICK = 0.05


class _Turn:
    """Lets one thread in at a time, of AT_ONCE processes: the one that made it, and those forked from it."""

    def __init__(self) -> None:
        self._lock = Lock()
        # Locks of fcntl(2) belong to a process, also where the open file came from its parent.
        with tempfile.TemporaryFile() as file:
            self._file = os.dup(file.fileno())

    def __enter__(self) -> None:
        self._lock.acquire()
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, os.getpid() % AT_ONCE)

    def __exit__(self, *_: object) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, os.getpid() % AT_ONCE)
        self._lock.release()

    def __del__(self) -> None:
        os.close(self._file)


class GpgSigner:
    """A signer over one key. Methods may be called from several threads and forked processes, and wait for each other.

    home: the keyring's directory, None for the user's own. selector: fingerprint of the key. time: of signatures,
    seconds since 1970; where the key is younger, its creation is taken, since no verifier accepts a signature that is
    older than its key. What is said of kind, creation and end is that of the key that signs: a subkey, if there is one.
    Raises SigningError if there is no such secret key, or none that signs.
    """

    def __init__(self, home: Path | None, selector: str, time: int, passphrase: str | None, name: str = "") -> None:
        self._home = home
        self._name = name or f"the key {selector}"
        self._passphrase = passphrase
        self._turn = _Turn()
        self._agent: Agent | None = None
        listing = _gpg(home, None, ["--with-colons", "--list-secret-keys", selector], check=False).decode()
        keys = _listed(listing)
        if not keys:
            raise SigningError(f"gpg has no secret key {selector}", hint="`gpg --list-secret-keys` shows those it has")
        signing = _signing(keys, self._name)
        self.fingerprint = keys[0].fingerprint
        self.key_kind = signing.kind
        self.expires = signing.expires
        self._signs = signing.fingerprint
        self._time = max(time, keys[0].created, signing.created)

    def detached(self, data: bytes) -> bytes:
        """A binary detached signature packet (RFC 4880, 5.2.3)."""
        if self._agent is None:
            return self._sign(data, "--detach-sign")
        with self._turn:
            return self._agent.sign(data)

    def hasten(self) -> None:
        """Sign once by gpg, and all else that is detached by its agent: for private keyrings, where nobody is asked."""
        form = form_of(self.detached(b""))
        listing = self._gpg("--with-colons", "--with-keygrip", "--list-secret-keys", self.fingerprint).decode()
        rows = [line.split(":") for line in listing.splitlines()]
        grips = {key[9]: grip[9] for key, grip in pairwise(rows) if (key[0], grip[0]) == ("fpr", "grp")}
        if self._home is not None and form is not None and form.fingerprint in grips:
            place = run(["gpgconf", "--homedir", self._home, "--list-dirs", "agent-socket"]).stdout.removesuffix(b"\n")
            self._agent = Agent(Path(os.fsdecode(place)), grips[form.fingerprint], form, self._passphrase or "")

    def armored(self, data: bytes) -> bytes:
        """A detached signature in ASCII armor."""
        return self._sign(data, "--armor", "--detach-sign")

    def clear(self, text: bytes) -> bytes:
        """A clear-signed text (RFC 4880, 7)."""
        return self._sign(text, "--clear-sign")

    def public_key(self) -> bytes:
        """The armored public key, without other people's signatures on it."""
        return self._gpg("--armor", "--export-options", "export-minimal", "--export", self.fingerprint)

    def secret_key(self) -> bytes:
        """The armored secret key, as locked as it is in the keyring."""
        return self._gpg("--armor", "--export-secret-keys", self.fingerprint)

    def _sign(self, data: bytes, *options: str) -> bytes:
        # gpg does not stop a clock that it is told to set to the present second: the signature could get the next one.
        # Its clock is the kernel's coarse one, which is up to a tick behind ours (10 ms at most).
        while 0 <= time.time() - self._time < 1 + TICK:
            time.sleep(0.02)
        moment = ["--faked-system-time", f"{self._time}!"]
        arguments = ["--digest-algo", "SHA512", *moment, "--local-user", f"{self._signs}!", *options]
        with tempfile.TemporaryFile() as said:
            with self._turn:
                signature = self._gpg(
                    "--status-fd", str(said.fileno()), *arguments, stdin=data, pass_fds=[said.fileno()]
                )
            said.seek(0)
            # doc/DETAILS of gpg: type, two algorithms, class, time.
            made = re.findall(rb"^\[GNUPG:\] SIG_CREATED \S+ \S+ \S+ \S+ (\d+)", said.read(), re.MULTILINE)
        if made != [b"%d" % self._time]:
            raise SigningError(
                f"gpg signed at another time than {self._time}", hint="is the clock being set? run again"
            )
        return signature

    def _gpg(self, *arguments: str, stdin: bytes = b"", pass_fds: Sequence[int] = ()) -> bytes:
        return _gpg(self._home, self._passphrase, arguments, stdin=stdin, name=self._name, pass_fds=pass_fds)


@contextmanager
def from_file(secret: bytes, time: int, passphrase: str | None, name: str = "key") -> Iterator[GpgSigner]:
    """A signer over an armored secret key, in a private keyring that is gone afterwards.

    name: of the key, for messages. Raises SigningError if it is no secret key or the passphrase is wrong.
    """
    with _private_home() as home:
        status = _gpg(home, passphrase, ["--status-fd", "1", "--import"], stdin=secret, name=name).decode()
        imported = re.findall(r"^\[GNUPG:\] IMPORT_OK (\d+) ([0-9A-F]{40})", status, re.MULTILINE)
        # doc/DETAILS of gpg: bit 16 says that there is a secret key; the same key comes once without it.
        secret_keys = [fingerprint for flags, fingerprint in imported if int(flags) & 16]
        if len(set(secret_keys)) != 1:
            raise SigningError(f"{name}: it must hold one OpenPGP secret key, it has {len(set(secret_keys))}")
        signer = GpgSigner(home, secret_keys[0], time, passphrase, name)
        # A wrong passphrase is found out now, and not after an hour of building.
        signer.hasten()
        yield signer


@contextmanager
def verifier(keys: Iterable[bytes]) -> Iterator[Callable[[bytes, bytes], bool]]:
    """What says of data and a detached signature whether it is by one of these public keys, whenever it was made.

    Raises SigningError for what is no key.
    """
    with _private_home() as home:
        for key in keys:
            _gpg(home, None, ["--import"], stdin=key, name="a public key beside the repository key")

        def verify(data: bytes, signature: bytes) -> bool:
            (place := home / "signature").write_bytes(signature)
            asked = ["--status-fd", "1", "--ignore-time-conflict", "--ignore-valid-from", "--verify", str(place), "-"]
            told = _gpg(home, None, asked, stdin=data, check=False)
            # doc/DETAILS of gpg: by a key of this keyring, and right.
            return re.search(rb"^\[GNUPG:\] VALIDSIG ", told, re.MULTILINE) is not None

        yield verify


def generate(uid: str, kind: str, passphrase: str | None) -> tuple[bytes, bytes, str]:
    """Make a new key that certifies and signs and does not expire: armored secret key, armored public key, fingerprint.

    uid: `Name <address>`. Raises SigningError.
    """
    if kind not in KINDS:
        raise SigningError(f"unknown kind of OpenPGP key: {kind!r}", hint=f"use one of {', '.join(KINDS)}")
    try:
        return _made(uid, kind, passphrase)
    except SigningError as failed:
        if "Corrupted protection" not in failed.message:
            raise
        # Of some two thousand keys with a passphrase, gpg's agent could not read one that it had just written. Nobody
        # has seen this key yet, so another one is as good.
        return _made(uid, kind, passphrase)


def _made(uid: str, kind: str, passphrase: str | None) -> tuple[bytes, bytes, str]:
    with _private_home() as home:
        _gpg(home, passphrase or "", ["--quick-generate-key", uid, KINDS[kind], "cert,sign", "never"], name="new key")
        signer = GpgSigner(home, f"={uid}", 0, passphrase or "")
        return signer.secret_key(), signer.public_key(), signer.fingerprint


def describe(public: bytes) -> tuple[str, str, str]:
    """Kind of the key that signs, fingerprint of the primary one, and the last day of signatures, ISO 8601, or "".

    Raises SigningError if it is no armored public key.
    """
    with _private_home() as home:
        listing = _gpg(home, None, ["--with-colons", "--show-keys"], stdin=public, name="the public key").decode()
    keys = _listed(listing)
    if not keys:
        raise SigningError("not an OpenPGP public key")
    able = [key for key in keys if key.signs] or keys[:1]
    used = next((key for key in reversed(able) if key.lasts()), able[-1])
    return used.kind, keys[0].fingerprint, _day(used.expires) if used.expires else ""


@dataclass(frozen=True, slots=True)
class _Listed:
    """A primary key or a subkey. created, expires: seconds since 1970, expires 0 for never. signs: whether it may."""

    kind: str
    created: int
    expires: int
    fingerprint: str
    signs: bool

    def lasts(self) -> bool:
        """Whether what it signs is accepted today."""
        return not self.expires or self.expires > time.time()


def _day(moment: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(moment))


def _listed(listing: str) -> list[_Listed]:
    """The first key of `--with-colons` output and its subkeys, the primary one first, subkeys by age."""
    rows = [line.split(":") for line in listing.splitlines()]
    found: list[_Listed] = []
    # doc/DETAILS of gpg: 1 type, 2 validity, 3 bits, 4 algorithm, 6 creation, 7 end, 10 fingerprint in an fpr row, 12
    # what the key may do itself in small letters, 15 `#` for a secret key that is not there.
    for key, following in pairwise(rows):
        if key[0] not in ("sec", "ssb", "pub", "sub") or following[0] != "fpr":
            continue
        if found and key[0] in ("sec", "pub"):
            break
        kind, end = ALGORITHMS.get(key[3], "unknown"), int(key[6] or 0)
        if found and found[0].expires:
            end = min(end or found[0].expires, found[0].expires)
        signs = "s" in key[11] and key[1] not in ("r", "d", "i") and key[14:15] != ["#"]
        kind = f"rsa{key[2]}" if kind == "rsa" else kind
        found.append(_Listed(kind, int(key[5]), end, following[9], signs))
    return [*found[:1], *sorted(found[1:], key=lambda key: key.created)]


def _signing(keys: Sequence[_Listed], name: str) -> _Listed:
    """The one that gpg would sign with, and apt and dnf would accept: the youngest subkey, else the primary key."""
    able = [key for key in keys if key.signs]
    if not able:
        raise SigningError(f"{name} has no key that may sign", hint="gpg --quick-add-key FINGERPRINT rsa4096 sign")
    if (found := next((key for key in reversed(able) if key.lasts()), None)) is not None:
        return found
    raise SigningError(
        f"{name} expired on {_day(able[-1].expires)}: every apt and dnf would refuse what it signs",
        hint="give it more time (gpg --quick-set-expire FINGERPRINT 2y), export it anew into the directory of keys, "
        "and let people fetch the public key again",
    )


@contextmanager
def _private_home() -> Iterator[Path]:
    places = list(_places()) or [Path("/tmp")]  # noqa: S108 - mkdtemp makes a directory there
    for place in places:
        _sweep(place)
    made = Path(tempfile.mkdtemp(prefix=BEGUN, dir=places[0]))
    # Only this process has the lock, and a kill releases it; programs that it starts do not get the descriptor.
    with (made / "busy").open("w") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)
        # From its first moment under this name on it is locked, so who sweeps need not wait.
        home = made.rename(made.with_name(made.name.replace(BEGUN, PREFIX, 1)))
        try:
            (home / "gpg-agent.conf").write_text(AGENT)
            yield home
        finally:
            _remove(home)


def _places() -> Iterator[Path]:
    """Where a private keyring may lie, the best first: in memory, if the system has such a place for this user."""
    # Where there is no /run/user, its agent's sockets lie in it: the longest name is S.gpg-agent.browser, 108 bytes are
    # all there are (unix(7)), and the agent takes no colon.
    for text in (os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"):  # noqa: S108 # mkdtemp: private
        if text.startswith("/") and len(os.fsencode(text)) < 64 and ":" not in text:
            with suppress(OSError):
                found, left = Path(text).stat(), os.statvfs(text)
                ours = text != os.environ.get("XDG_RUNTIME_DIR") or (
                    found.st_uid == os.geteuid() and not found.st_mode & 0o077 and left.f_bavail * left.f_frsize > ROOM
                )
                if ours and os.access(text, os.W_OK):
                    yield Path(text)


def _sweep(place: Path) -> None:
    """Remove the keyrings of runs that were killed."""
    for home in (*place.glob(f"{PREFIX}*"), *place.glob(f"{BEGUN}*")):
        with suppress(OSError):
            found = home.lstat()
            # A new one may not have its lock yet.
            begun = home.name.startswith(BEGUN) and time.time() - found.st_mtime < 60
            if found.st_uid != os.geteuid() or begun:
                continue
            with (home / "busy").open() as busy:
                fcntl.flock(busy, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(home)


def _remove(home: Path) -> None:
    for step in (("--kill", "all"), ("--remove-socketdir",)):
        run(["gpgconf", "--homedir", home, *step], check=False)
    shutil.rmtree(home, ignore_errors=True)


def _gpg(
    home: Path | None,
    passphrase: str | None,
    arguments: Sequence[str],
    *,
    stdin: bytes = b"",
    check: bool = True,
    name: str = "the key",
    pass_fds: Sequence[int] = (),
) -> bytes:
    """Run gpg. passphrase: None leaves it to the agent, which may ask on the terminal (the user's own keyring only)."""
    own = ["--homedir", str(home), "--no-permission-warning"] if home is not None else []
    base = [
        "gpg",
        *own,
        "--no-options",
        "--batch",
        "--no-tty",
        "--quiet",
        "--yes",
        "--no-auto-key-locate",
        "--no-auto-check-trustdb",
    ]
    environment = {**os.environ, "LC_ALL": "C"}
    if passphrase is None and home is not None:
        passphrase = ""
    try:
        if passphrase is None:
            return run([*base, *arguments], env=environment, stdin=stdin, pass_fds=pass_fds, check=check).stdout
        reading, writing = os.pipe()
        try:
            # A pipe holds 4096 bytes at least and a passphrase is shorter (secrets.passphrase), so this does not block.
            os.write(writing, passphrase.encode() + b"\n")
            os.close(writing)
            secret = ["--pinentry-mode", "loopback", "--passphrase-fd", str(reading)]
            argv = [*base, *secret, *arguments]
            return run(argv, env=environment, stdin=stdin, pass_fds=[reading, *pass_fds], check=check).stdout
        finally:
            os.close(reading)
    except CommandError as failed:
        if failed.returncode == 127:
            raise
        if "Bad passphrase" in failed.output or "No passphrase given" in failed.output:
            raise SigningError(
                f"{name} is locked, and the passphrase does not fit",
                hint="give it in MKPKGS_PASSPHRASE or MKPKGS_PASSPHRASE_FILE",
            ) from None
        told = failed.output or failed.message
        raise SigningError(f"gpg cannot use {name}: {told}", hint=_why(home, told)) from None


def _why(home: Path | None, told: str) -> str:
    """What gpg's words may mean: where it can write nothing, it speaks of keys and agents that are missing."""
    if home is not None and home.is_dir() and os.statvfs(home).f_bavail == 0:
        return f"the file system of {home.parent} is full; TMPDIR names another place"
    if "in the future" in told:
        return "the key was made later than this machine's clock says: set the clock"
    return ""
