"""Signatures by gpg's agent, over its socket: a program gpg for each of hundreds of packages takes eight times as long.

gpg makes the first signature of a run. What that says of itself (key, time, algorithms) stands in all others too, so
nothing of OpenPGP is decided here: new are only the hash of the data, and what the agent makes of it. They are the
bytes that gpg would write. Signature packets: RFC 4880, 5.2.3; the protocol: "Using gpg-agent" in GnuPG's manual, and
libassuan's.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
from pathlib import Path
from typing import NamedTuple

from packaging_tool.errors import SigningError

# RFC 4880, 9.4.
HASHES = {8: "sha256", 9: "sha384", 10: "sha512"}
TAG = 2
ISSUER_FINGERPRINT = 33
# A value in the agent's answer, an S-expression: `(7:sig-val(3:rsa(1:s512:…)))` or `…(5:eddsa(1:r32:…)(1:s32:…))…`.
VALUE = re.compile(rb"\(1:[rs](\d+):")
ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")
# A line of data may not have these as they are; a passphrase has no line end.
RESERVED = re.compile(rb"[%\r]")


class Form(NamedTuple):
    """What all signatures of a key at a time have in common.

    hashed: from the version to the end of the hashed subpackets. unhashed: the other subpackets, with their length.
    fingerprint: of the key or subkey. hash: name of the algorithm.
    """

    hashed: bytes
    unhashed: bytes
    fingerprint: str
    hash: str


def form_of(packet: bytes) -> Form | None:
    """The form of a version 4 signature; None if it is another one, or does not say what is needed here."""
    body = _body(packet)
    if len(body) < 8 or body[0] != 4 or body[3] not in HASHES:
        return None
    middle = 6 + int.from_bytes(body[4:6], "big")
    end = middle + 2 + int.from_bytes(body[middle : middle + 2], "big")
    # gpg writes it as first subpacket: its length, its type, version 4 of the key, 20 bytes (RFC 9580, 5.2.3.35).
    fingerprint = body[9:29]
    if body[6:9] != bytes((22, ISSUER_FINGERPRINT, 4)) or len(body) < end + 2:
        return None
    return Form(body[:middle], body[middle:end], fingerprint.hex().upper(), HASHES[body[3]])


def _body(packet: bytes) -> bytes:
    """The body of a packet with a header as gpg writes it, in the old format (RFC 4880, 4.2.1); else nothing."""
    if not packet or packet[0] not in (0x80 | TAG << 2, 0x81 | TAG << 2):
        return b""
    start = 2 + (packet[0] & 1)
    size = int.from_bytes(packet[1:start], "big")
    return packet[start:] if len(packet) == start + size else b""


class Agent:
    """Signs with one key, in any forked process; two threads need to take turns.

    place: the agent's socket. grip: of the key (`--with-keygrip`). All methods raise SigningError.
    """

    def __init__(self, place: Path, grip: str, form: Form, passphrase: str) -> None:
        self._place = place
        self._grip = grip
        self._form = form
        self._passphrase = passphrase
        self._connection: _Connection | None = None
        self._process = 0

    def sign(self, data: bytes) -> bytes:
        """A signature packet over data."""
        form = self._form
        digest = hashlib.new(form.hash, data + form.hashed + b"\x04\xff" + len(form.hashed).to_bytes(4, "big")).digest()
        try:
            answer = self._ask(digest)
        except (OSError, EOFError) as broken:
            raise SigningError(f"gpg's agent went away: {broken}") from broken
        body = form.hashed + form.unhashed + digest[:2] + b"".join(map(_number, _values(answer)))
        length = 1 if len(body) < 256 else 2
        return bytes((0x80 | TAG << 2 | length - 1,)) + len(body).to_bytes(length, "big") + body

    def _ask(self, digest: bytes) -> bytes:
        if self._connection is None or self._process != os.getpid():
            # A forked process has a copy, but two cannot use one connection.
            connection = _Connection(self._place, self._passphrase)
            connection.ask("OPTION pinentry-mode=loopback")
            connection.ask(f"SIGKEY {self._grip}")
            self._connection, self._process = connection, os.getpid()
        self._connection.ask(f"SETHASH --hash={self._form.hash} {digest.hex().upper()}")
        return self._connection.ask("PKSIGN")


class _Connection:
    """Commands to the agent and its answers, line by line."""

    def __init__(self, place: Path, passphrase: str) -> None:
        self._passphrase = passphrase
        with socket.socket(socket.AF_UNIX) as connected:
            connected.connect(str(place))
            self._lines = connected.makefile("rwb")
        self._answer("it")

    def ask(self, command: str) -> bytes:
        """The data of the answer. Raises SigningError if the agent says no, EOFError, OSError."""
        self._say(command.encode())
        return self._answer(command.partition(" ")[0])

    def _say(self, line: bytes) -> None:
        self._lines.write(line + b"\n")
        self._lines.flush()

    def _answer(self, command: str) -> bytes:
        data = b""
        while line := self._lines.readline():
            word, _, rest = line.rstrip(b"\n").partition(b" ")
            if word == b"OK":
                return data
            if word == b"ERR":
                raise SigningError(f"gpg's agent refuses {command}: {rest.decode(errors='replace')}")
            if word == b"D":
                data += ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), rest)
            if word == b"INQUIRE":
                if rest.startswith(b"PASSPHRASE"):
                    self._say(b"D " + RESERVED.sub(lambda found: b"%%%02X" % ord(found[0]), self._passphrase.encode()))
                self._say(b"END")
        raise EOFError("it closed the connection")


def _values(answer: bytes) -> list[bytes]:
    found, at = [], 0
    while value := VALUE.search(answer, at):
        at = value.end() + int(value[1])
        found.append(answer[value.end() : at])
    if not found:
        raise SigningError("gpg's agent gave no signature")
    return found


def _number(value: bytes) -> bytes:
    """A multiprecision integer (RFC 4880, 3.2)."""
    value = value.lstrip(b"\0")
    bits = 8 * len(value) - 8 + value[0].bit_length() if value else 0
    return bits.to_bytes(2, "big") + value
