"""Ways to tamper with what is signed and by whom: other manifests, other keys, other records of the package manager."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator

from packaging_tool.signing import signify
from tests.target.installed import (
    KEYS,
    MEMBERS,
    PAYLOADS,
    SHARE,
    Installed,
    home,
    manifest_path,
    manifest_text,
    signature_path,
    title,
)
from tests.target.tamper import Act, Generator, of_manifest
from tests.vectors import make

SHA = "0" * 64


def signed(made: Installed, name: str, text: str) -> None:
    """Write a manifest and sign it with the key that is trusted: whoever does so has the key."""
    made.machine.write_manifest(name, text)


def signed_by(made: Installed, name: str, text: bytes, key: signify.SecretKey, key_id: bytes = b"") -> None:
    """Write a manifest that somebody else signs, maybe under another key's id."""
    made.write(manifest_path(name), text)
    signature = make.blob(key.sign(text, "x"))
    made.write(signature_path(name), make.text(signature[:2] + (key_id or signature[2:10]) + signature[10:]))


def replays(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """Well signed manifests and files of other versions than the installed one, and other versions on record."""

    def brought_back(name: str, version: str, *, files: bool) -> Act:
        def act(made: Installed) -> str:
            signed(made, name, manifest_text(name, version=version))
            if files:
                path = next(path for path in PAYLOADS if path.startswith(f"{home(name)}/"))
                made.write(path, b"echo old\n")
            return f"{title(name)}: its manifest is of version {re.escape(version)}, on record is 1.0-1: a replay"

        return act

    def recorded(name: str, version: str) -> Act:
        def act(made: Installed) -> str:
            made.machine.record(f"fake-plugin-{name}", version)
            return f"{title(name)}: its manifest is of version 1.0-1, on record is {re.escape(version)}: a replay"

        return act

    versions = ("0.9-1", "1.0-0", "1.0-2", "1:1.0-1", "0:1.0-1", "1.0-1.1", "1.0~rc1-1", "1.0+1-1", "2.0-1", "01.0-1")
    for name in MEMBERS:
        for version in versions:
            yield f"{name} {version}", brought_back(name, version, files=chance.random() < 0.5)
        for version in ("1.0-2", "1.1-1", "1:1.0-1", "0.9-1", "1.0-1+b1"):
            yield f"{name} on record as {version}", recorded(name, version)


def other_servers(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """Well signed manifests for another ABI or core."""

    def act(name: str, reason: str, **facts: str) -> Act:
        def give(made: Installed) -> str:
            signed(made, name, manifest_text(name, **facts))
            return f"{title(name)}: {reason}"

        return give

    for name in MEMBERS:
        for _ in range(6):
            abi = chance.randbytes(32).hex()
            yield f"{name} for the ABI {abi}", act(name, rf"it was built for another fake \(ABI {abi}, ", abi=abi)
        for core in ("nginx", "fak", "fakes", "fake-plugin", "fake.", "other+1"):
            reason = rf"its manifest is for the core {re.escape(core)}, not for fake"
            yield f"{name} for the core {core}", act(name, reason, core=core)


def records(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """Plugins that the package manager does not have, or not whole."""

    def act(name: str, status: str) -> Act:
        def give(made: Installed) -> str:
            made.machine.forget(f"fake-plugin-{name}")
            if status:
                made.machine.record(f"fake-plugin-{name}", "1.0-1", status)
            what = "half-installed" if "half-installed" in status else "not on record: its files came from elsewhere"
            return f"{title(name)}: the package fake-plugin-{name} is {what}"

        return give

    for name in MEMBERS:
        yield f"{name} unknown", act(name, "")
        for status in ("deinstall ok config-files", "install reinstreq half-installed", "install ok half-installed"):
            yield f"{name} {status}", act(name, status)
        yield f"{name} not installed", act(name, "purge ok not-installed")


def malformed(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """Manifests with a slip in them, signed by the trusted key itself: paths that lead out, odd bytes, odd lines."""

    def act(name: str, text: str) -> Act:
        def give(made: Installed) -> str:
            signed(made, name, text)
            return reason

        reason = of_manifest(name, text.encode("latin-1"))
        # Signed as it is, only what no reader takes is a reason.
        assert "line" in reason or "is empty" in reason, text
        return give

    paths = (
        *("../x", "../../x", "../../../../etc/passwd", "/etc/passwd", "//x", "/", "a/../b", "a/..", "..", ".", "./a"),
        *("a/.", "a/./b", "a//b", "a/", "-", "-rf", "--check", "", " ", "a b", "a\\b", "..\\x", "a\tb", "a;b", "$(id)"),
        *("`id`", "*", "a?", "~", "~root", "a\0b", "a\x1b[2J", "\xe4", "\xc3\xa4", "\xe2\x80\xae", "%2e%2e/x", "a:b"),
    )
    own = [line for line in manifest_text("git").splitlines() if line.startswith("file ")]
    for name in ("git", "kit"):
        for path in paths:
            yield f"{name} names {path!r}", act(name, manifest_text(name, files=[f"file {SHA}  {path}"]))
    odd = ("\0", "\x01", "\r", "\t", "\x7f", "\x80", "\xff", "\xa0", "\xef\xbb\xbf", "\n")
    for name in MEMBERS:
        lines = manifest_text(name).splitlines(keepends=True)
        for byte in odd:
            at = chance.randrange(5)
            line = lines[at][:-1] + byte + "\n"
            yield f"{name} {byte!r} in line {at + 1}", act(name, "".join([*lines[:at], line, *lines[at + 1 :]]))
        for at in range(5):
            yield f"{name} without line {at + 1}", act(name, "".join([*lines[:at], *lines[at + 1 :]]))
            yield f"{name} line {at + 1} twice", act(name, "".join([*lines[: at + 1], *lines[at:]]))
            yield (
                f"{name} line {at + 1} as capitals",
                act(name, "".join([*lines[:at], lines[at].upper(), *lines[at + 1 :]])),
            )
    yield "files out of order", act("git", manifest_text("git", files=own[::-1]))
    yield "a file twice", act("git", manifest_text("git", files=[own[0], *own]))
    yield "a needless word", act("git", manifest_text("git", files=[*own, "exec /bin/sh"]))


def foreign_keys(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """Manifests that somebody else signed, as they are or with evil in them; under their own id or a forged one."""

    def act(name: str, text: bytes, key: signify.SecretKey, *, forged: bool) -> Act:
        def give(made: Installed) -> str:
            signed_by(made, name, text, key, made.trusted.id if forged else b"")
            if forged and key.kind == made.trusted.kind:
                return f"{title(name)}: the signature of its manifest does not fit"
            known = made.trusted.id if forged else key.public.id
            return f"{title(name)}: its manifest is signed by the unknown key {known.hex()}"

        return give

    for name in MEMBERS:
        texts = {
            "as it is": manifest_text(name),
            "for a newer version": manifest_text(name, version="9.9-1"),
            "naming nothing": manifest_text(name, files=[]),
            "naming a file more": manifest_text(name, files=[f"file {SHA}  evil"]),
        }
        for what, text in texts.items():
            for kind in (make.ed, make.p256):
                for forged in (False, True):
                    stranger = f"stranger {chance.randrange(1000)}"
                    label = f"{name} {what} by the {kind.__name__} key of {stranger}{', forged id' if forged else ''}"
                    yield label, act(name, text.encode(), kind(stranger), forged=forged)


def exchanged_manifests(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """Manifests and signatures of each other."""

    def act(source: str, target: str, *paths: Callable[[str], str]) -> Act:
        def give(made: Installed) -> str:
            for path in paths:
                made.write(path(target), made.read(path(source)))
            if manifest_path in paths:
                return f"{title(target)}: {re.escape(manifest_path(target))} line 4: names something else than {target}"
            return f"{title(target)}: the signature of its manifest does not fit: the manifest was changed"

        return give

    for source in MEMBERS:
        for target in MEMBERS:
            if source != target:
                yield f"{source}'s manifest for {target}", act(source, target, manifest_path)
                yield f"{source}'s signature for {target}", act(source, target, signature_path)
                yield (
                    f"{source}'s manifest and signature for {target}",
                    act(source, target, manifest_path, signature_path),
                )


def changed_trust(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """The trusted key malformed or exchanged for another, and one that no package brought.

    What is well made (one that has ended) changes what serves, or does not: test_revocation.py. So do lists of revoked
    keys, whatever is wrong with them: test_revoked_lists.py.
    """
    stray = "is no file of the package fake: it belongs to no package"

    def write(path: str, data: bytes, reason: str) -> Act:
        return lambda made: reason if made.write(path, data) is not None else ""

    def comment(text: str, reason: str) -> Act:
        def act(made: Installed) -> str:
            made.write(KEYS[0], b"untrusted comment: %s\n%s" % (text.encode(), made.read(KEYS[0]).split(b"\n", 1)[1]))
            return reason

        return act

    path = f"{SHARE}/keys/zz.pub"
    yield f"{path} from nowhere", write(path, make.key_file(make.ed("stray")), f"{re.escape(path)} {stray}")
    for slip in ("2099-02-29", "2099-13-01", "2099-1-1", "never", "", "2099-01-01 ", "2099-01-01, really", "20990101"):
        reason = f"{re.escape(KEYS[0])} line 1 does not end in: , expires YYYY-MM-DD"
        yield f"expires {slip!r}", comment(f"key, expires {slip}", reason)
    for number in range(8):
        other = make.ed(f"other {number}") if number % 2 else make.p256(f"other {number}")
        yield f"other key {number}", write(KEYS[0], make.key_file(other), "is signed by the unknown key")
        forged = make.blob(make.key_file(other))
        yield f"other key {number} as ours", _other_key_as_ours(forged)


def _other_key_as_ours(value: bytes) -> Act:
    def act(made: Installed) -> str:
        made.write(KEYS[0], make.text(value[:2] + made.trusted.id + value[10:]))
        return "the signature of its manifest does not fit" if value[:2] == b"Ed" else "is signed by the unknown key"

    return act


GENERATORS: tuple[Generator, ...] = (
    replays,
    other_servers,
    records,
    malformed,
    foreign_keys,
    exchanged_manifests,
    changed_trust,
)
