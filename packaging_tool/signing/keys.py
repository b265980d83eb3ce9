"""The two keys of a project, outside of its tree: one signs repositories and rpms, the other signs manifests.

Two keys, because they end in different hands: whoever gets hold of the machine that publishes must not be able to make
plugins that installed servers trust. In the directory of the keys:

    repository.key   OpenPGP secret key in armor; or the line `gpg:FINGERPRINT` for a key in the user's own gpg keyring
    repository.asc   its public key
    manifest.key     PKCS #8 in PEM, Ed25519 or ECDSA P-256
    manifest.pub     its public key, signify format
    *.asc            more public keys: those that were the repository key before
    *.pub            more keys that the core package is to trust, e.g. the next one before it is used

A machine needs only the secret key that it uses: `mkpkgs build` signs manifests, and .rpm with the repository key;
`mkpkgs repo` signs indexes.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path

from packaging_tool import atomic
from packaging_tool.errors import SigningError
from packaging_tool.signing import gpg, signify
from packaging_tool.signing.secrets import directory_of, passphrase

REPOSITORY, MANIFEST = SECRETS = ("repository.key", "manifest.key")
DEFAULT_KINDS = ("ed25519", "ed25519")
ROTATION = (
    "make the next key in another directory (mkpkgs key new --keys DIR), and keep this .pub file in it until all moved"
)


COPY = (
    "copy it from where the keys were made, or name another directory by --keys or MKPKGS_KEYS; `mkpkgs build` uses "
    "manifest.key, and repository.key where it makes .rpm; `mkpkgs repo` uses repository.key, and manifest.key where "
    "what authors of plugins read in dist/dev has changed"
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A key as `mkpkgs key show` prints it.

    purpose: `repository` or `manifest`. public: text of the public key. expires: its last day, ISO 8601, or "".
    """

    purpose: str
    kind: str
    fingerprint: str
    path: Path
    public: str
    expires: str = ""


class Ring:
    """The keys of a project, unlocked when they are first used. Methods may be called from several threads.

    fingerprint: hash of all public keys, for up-to-date checks. manifest_public_keys: by file name. needs: names of the
    secret keys that are there for sure.
    """

    def __init__(self, directory: Path, time: int, stack: ExitStack, needs: Collection[str] = SECRETS) -> None:
        self.directory = directory
        self._needs = needs
        self.manifest_public_keys: Mapping[str, bytes] = _public_keys(directory)
        identity, public = b"", directory / "repository.asc"
        if (secret := directory / REPOSITORY).exists():
            identity = _read_secret(secret)
        if not identity.startswith(b"gpg:") and (identity or public.exists()):
            identity = _read(public)
        parts = [identity, *(name.encode() + data for name, data in self.manifest_public_keys.items())]
        self.fingerprint = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
        self._time = time
        self._stack = stack
        self._lock = threading.RLock()

    @property
    def kinds(self) -> tuple[str, str]:
        """Kinds of the repository key and of the manifest key, in the words of gpg.KINDS and signify.ALGORITHMS.

        Where no repository key is needed, a kind that every target can check.
        """
        manifest = signify.parse_public(self.manifest_public_keys["manifest.pub"], "manifest.pub")
        return self.signer.key_kind if REPOSITORY in self._needs else "rsa4096", manifest.kind

    @property
    def ends(self) -> int:
        """Until when targets accept what the repository key signs, seconds since 1970; 0 for ever."""
        return self.signer.expires if REPOSITORY in self._needs else 0

    def trusted(self, revoked: Collection[str]) -> dict[str, bytes]:
        """Public keys of manifests by file name, without the revoked ones.

        revoked: key ids, hex. Raises SigningError if the key in use is one.
        """
        found = {}
        for name, text in self.manifest_public_keys.items():
            key_id = signify.parse_public(text, name).id.hex()
            if key_id not in revoked:
                found[name] = text
            elif name == "manifest.pub":
                raise SigningError(f"the manifest key {key_id} is in the project's list of revoked keys", hint=ROTATION)
        return found

    def unlock(self) -> None:
        """Try the keys now, so that a wrong passphrase shows before the long work. Raises SigningError."""
        with self._lock:
            if MANIFEST in self._needs:
                self._manifest_key.sign(b"", "try")
            if REPOSITORY in self._needs:
                self.signer.detached(b"")

    def lock(self) -> None:
        """Forget both keys: gpg's agent ends, the private keyring is removed. Who needs one next unlocks it again."""
        with self._lock:
            self.__dict__.pop("_signer", None)
            self.__dict__.pop("_manifest_key", None)
            self._stack.close()

    @property
    def signer(self) -> gpg.GpgSigner:
        """The repository key. Raises SigningError."""
        with self._lock:
            return self._signer

    @property
    def package_signer(self) -> gpg.GpgSigner | None:
        """The repository key for package files; None leaves them unsigned."""
        return self.signer

    @cached_property
    def _signer(self) -> gpg.GpgSigner:
        path = self.directory / REPOSITORY
        secret = _read_secret(path)
        if not secret.startswith(b"gpg:"):
            return self._stack.enter_context(gpg.from_file(secret, self._time, passphrase(), str(path)))
        selector = secret.decode(errors="replace").strip().removeprefix("gpg:")
        if not re.fullmatch(r"[0-9A-Fa-f]{40}", selector):
            raise SigningError(f"{path}: not `gpg:` and a fingerprint of 40 hex digits")
        return gpg.GpgSigner(None, selector, self._time, passphrase())

    @cached_property
    def _manifest_key(self) -> signify.SecretKey:
        path = self.directory / MANIFEST
        secret = passphrase()
        key = signify.load(_read_secret(path), secret.encode() if secret else None, str(path))
        public = signify.parse_public(self.manifest_public_keys["manifest.pub"], "manifest.pub")
        if public != key.public:
            raise SigningError(f"{path} and manifest.pub beside it are not a pair")
        if public.expired():
            raise SigningError(
                f"{path} expired on {public.expires}: every target would refuse what it signs", hint=ROTATION
            )
        return key

    @contextmanager
    def verifying(self) -> Iterator[Callable[[bytes, bytes], bool]]:
        """What says whether a detached signature over data is by the repository key, or by one that was it before, of
        which the public key lies beside it as `*.asc`. Raises SigningError."""
        public = [self.signer.public_key(), *map(_read, sorted(self.directory.glob("*.asc")))]
        with gpg.verifier(public) as verify:
            yield verify

    @property
    def fingerprints(self) -> set[str]:
        """Of the repository key, and of those that were it before. Raises SigningError."""
        public = [self.signer.public_key(), *map(_read, sorted(self.directory.glob("*.asc")))]
        return {gpg.describe(text)[1] for text in dict.fromkeys(public)}

    def signed_manifest(self, data: bytes, signature: bytes) -> bool:
        """Whether a signature is by one of the keys of manifests."""
        for name, text in self.manifest_public_keys.items():
            with suppress(SigningError):
                signify.parse_public(text, name).verify(data, signature)
                return True
        return False

    def sign_manifest(self, manifest: bytes) -> bytes:
        """The signature file over a manifest. Raises SigningError."""
        with self._lock:
            key = self._manifest_key
        return key.sign(manifest, "verify with manifest.pub")

    def sign_anew(self, data: bytes, signature: bytes) -> bytes:
        """The same, where the manifest key has not signed this data yet. Raises SigningError."""
        with suppress(SigningError):
            signify.parse_public(self.manifest_public_keys["manifest.pub"], "manifest.pub").verify(data, signature)
            return signature
        return self.sign_manifest(data)


class _Spared(Ring):
    """The ring of a build machine that has no keys: it leaves packages unsigned, and knows no trusted key."""

    def __init__(self, core: str) -> None:
        self._core = core
        self.manifest_public_keys = {}
        self.fingerprint = ""

    @property
    def kinds(self) -> tuple[str, str]:
        """Those that every target can check: there is nothing to check."""
        return "rsa4096", "ecdsa-p256"

    @property
    def ends(self) -> int:
        """It has no end."""
        return 0

    @property
    def signer(self) -> gpg.GpgSigner:
        """There is none. Raises SigningError."""
        raise SigningError(f"there are no keys for {self._core}", hint="run: mkpkgs key new")

    @property
    def package_signer(self) -> None:
        """None: packages are left unsigned."""

    def unlock(self) -> None:
        """Nothing is locked."""

    def lock(self) -> None:
        """Nothing is unlocked."""


def new(
    core: str,
    uid: str,
    *,
    directory: Path | None = None,
    kinds: tuple[str, str] = DEFAULT_KINDS,
    outside: Path | None = None,
    expires: date | None = None,
) -> tuple[Shown, ...]:
    """Make both keys, locked with `passphrase()` if there is one.

    uid: `Name <address>` of the repository key. kinds: of repository key (gpg.KINDS) and manifest key
    (signify.ALGORITHMS). outside: the project's tree, in which keys must not lie. expires: last day, in UTC, on which
    targets accept what the manifest key signed. Raises SigningError where there are keys already; nothing is left
    behind then.
    """
    place = directory_of(core, directory).absolute()
    if outside is not None and place.resolve().is_relative_to(outside.resolve()):
        raise SigningError(
            f"{place} is inside of the project: keys there end up in version control",
            hint="leave MKPKGS_KEYS unset, or name a directory elsewhere",
        )
    if place.exists() and any(place.iterdir()):
        raise SigningError(f"{place} is not empty; keys are never overwritten", hint="run: mkpkgs key show")
    secret = passphrase()
    manifest = signify.generate(kinds[1])
    manifest_public = replace(manifest.public, expires=expires)
    if manifest_public.expired():
        raise SigningError(f"a key cannot expire in the past: {expires}")
    repository, public, _ = gpg.generate(uid, kinds[0], secret)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkdtemp gives 0700; the rename fails if somebody else was faster.
    with tempfile.TemporaryDirectory(prefix=".new-", dir=place.parent) as made:
        beside = Path(made) / "keys"
        beside.mkdir(mode=0o700)
        atomic.write(beside / "repository.key", repository, mode=0o600)
        atomic.write(beside / "repository.asc", public)
        atomic.write(beside / "manifest.key", manifest.pem(secret.encode() if secret else None), mode=0o600)
        atomic.write(beside / "manifest.pub", manifest_public.render(f"{core} manifest key"))
        try:
            beside.rename(place)
        except OSError as failed:
            raise SigningError(f"cannot make {place}: {failed.strerror}") from None
    atomic.sync_directory(place.parent)
    return show(core, directory)


@contextmanager
def load(
    core: str,
    time: int,
    directory: Path | None = None,
    *,
    spared: bool = False,
    needs: Collection[str] = SECRETS,
    published: Path | None = None,
) -> Iterator[Ring]:
    """The keys of a core; time: of OpenPGP signatures, seconds since 1970. spared: it can be done without keys.

    needs: names of the secret keys that must be there. published: the repository that other ones signed before.
    Raises SigningError if keys are missing, or others could read or change them.
    """
    place = directory_of(core, directory)
    if spared and not place.exists():
        yield _Spared(core)
        return
    _check(core, place, needs, published)
    with ExitStack() as stack:
        yield Ring(place, time, stack, needs)


def signed(output: Path) -> Path | None:
    """The output directory, if there is a repository in it that somebody signed."""
    return output if any(output.glob("*.asc")) else None


def show(core: str, directory: Path | None = None, published: Path | None = None) -> tuple[Shown, ...]:
    """Repository key, manifest key, then further trusted manifest keys. Needs no passphrase. Raises SigningError.

    published: as for `load`.
    """
    place = directory_of(core, directory)
    _check(core, place, published=published)
    if (place / REPOSITORY).exists() and _read_secret(place / REPOSITORY).startswith(b"gpg:"):
        with load(core, 0, directory) as ring:
            public = ring.signer.public_key()
    else:
        public = _read(place / "repository.asc")
    kind, fingerprint, end = gpg.describe(public)
    shown = [Shown("repository", kind, fingerprint, place / REPOSITORY, public.decode(), end)]
    for name, text in _public_keys(place).items():
        key = signify.parse_public(text, name)
        path = place / (MANIFEST if name == "manifest.pub" else name)
        expires = key.expires.isoformat() if key.expires else ""
        shown.append(Shown("manifest", key.kind, key.id.hex(), path, text.decode(errors="replace"), expires))
    return tuple(shown)


def _check(core: str, place: Path, needs: Collection[str] = (), published: Path | None = None) -> None:
    hint = (
        f"run: mkpkgs key new   (if {core} was published before: set MKPKGS_KEYS to the directory of its keys instead,"
        " since other ones would cut off all who have it)"
    )
    if published is not None:
        hint = (
            f"name the directory of the keys that signed {published} by --keys or MKPKGS_KEYS, or copy it from the "
            "machine that has them: other keys would cut off all who installed from there"
        )
    if place.exists() and not place.is_dir():
        raise SigningError(f"{place} is not a directory of keys", hint=hint)
    if not place.is_dir():
        raise SigningError(f"there are no keys for {core}: {place} does not exist", hint=hint)
    for name in (*needs, "manifest.pub"):
        if not (place / name).exists():
            raise SigningError(
                f"there is no {name} in {place}",
                hint=COPY,
            )
    if stat.S_IMODE(place.stat().st_mode) & 0o022:
        raise SigningError(f"others can change the keys in {place}", hint=f"run: chmod 700 {place}")


def _read_secret(path: Path) -> bytes:
    try:
        found = path.stat()
    except FileNotFoundError:
        raise SigningError(f"there is no {path.name} in {path.parent}", hint=COPY) from None
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise SigningError(f"others can read {path}", hint=f"run: chmod 600 {path}; or make new keys")
    if found.st_uid not in (0, os.geteuid()):
        raise SigningError(f"{path} belongs to another user")
    return _read(path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as failed:
        raise SigningError(f"cannot read {path}: {failed.strerror}") from None


def _public_keys(place: Path) -> dict[str, bytes]:
    """All `*.pub` files, `manifest.pub` first; each is checked."""
    paths = sorted(place.glob("*.pub"), key=lambda path: (path.name != "manifest.pub", path.name))
    found = {path.name: _read(path) for path in paths}
    for name, text in found.items():
        signify.parse_public(text, str(place / name))
    return found
