"""What a signer must give."""

from __future__ import annotations

from typing import Protocol


class Signer(Protocol):
    """Signs bytes with one OpenPGP key. Methods may be called from several threads.

    All raise SigningError if the key cannot be used.
    """

    fingerprint: str
    key_kind: str

    def detached(self, data: bytes) -> bytes:
        """A binary detached OpenPGP v4 signature packet over data, as rpm's header tags want it (RFC 4880, 5.2.3)."""
        ...

    def armored(self, data: bytes) -> bytes:
        """The same in ASCII armor, for `Release.gpg` and `repomd.xml.asc`."""
        ...

    def clear(self, text: bytes) -> bytes:
        """A clear-signed text, for `InRelease` (RFC 4880, 7)."""
        ...

    def public_key(self) -> bytes:
        """The armored public key."""
        ...
