"""A fixed set on the small installed machine, for whoever tampers with it: three plugins, a kit, two trusted keys."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from packaging_tool.signing import signify
from tests.target.machine import ABI, Key, Machine

PLUGINS, KIT, SHARE = "/usr/lib/fake/plugins", "/usr/lib/fake/kit", "/usr/share/fake"
NOISE = "".join(hashlib.sha256(b"%d" % number).hexdigest() for number in range(6))
PAYLOADS = {
    f"{PLUGINS}/auth/code": "echo plugin auth\n",
    f"{PLUGINS}/auth/rules/deny": "everybody\nelse\n",
    f"{PLUGINS}/cors/code": "echo plugin cors\n",
    f"{PLUGINS}/git/code": "echo plugin git\n",
    f"{PLUGINS}/git/data": NOISE,
    f"{PLUGINS}/git/lib/helper": "helper() { :; }\n",
    f"{KIT}/link": "#!/bin/sh\n: links\n",
    f"{KIT}/pkg/core.a": f"!<arch>\n{NOISE[:200]}\n",
}
MEMBERS = ("auth", "cors", "git", "kit")
KEYS = (f"{SHARE}/keys/fake.pub", f"{SHARE}/keys/next.pub")
PARENTS = ("/", "/usr", "/usr/lib", "/usr/share")


def home(name: str) -> str:
    """Where the payload of a plugin or of the kit lies."""
    return KIT if name == "kit" else f"{PLUGINS}/{name}"


def manifest_path(name: str) -> str:
    return f"{SHARE}/kit.manifest" if name == "kit" else f"{SHARE}/plugins/{name}.manifest"


def signature_path(name: str) -> str:
    return f"{manifest_path(name)}.sig"


def title(name: str) -> str:
    """How the tool begins a reason."""
    return "kit" if name == "kit" else f"plugin {name}"


def manifest_text(
    name: str, *, version: str = "1.0-1", abi: str = ABI, core: str = "fake", files: Sequence[str] | None = None
) -> str:
    """The manifest of a member of the set. files: lines in place of the right ones."""
    own = {path.removeprefix(f"{home(name)}/"): text for path, text in PAYLOADS.items() if path.startswith(home(name))}
    right = [f"file {hashlib.sha256(own[path].encode()).hexdigest()}  {path}" for path in sorted(own)]
    lines = [
        *("mkpkgs-manifest 1", f"core {core}", f"abi {abi}"),
        "kit" if name == "kit" else f"plugin {name}",
        f"package fake-plugin-{name} {version}",
        *([] if name == "kit" else ["order 50"]),
        *(right if files is None else files),
    ]
    return "".join(f"{line}\n" for line in lines)


class Installed:
    """The machine with the set on it. Paths are those that the machine sees."""

    def __init__(self, machine: Machine, next_key: Key) -> None:
        self.machine = machine
        self.trusted = signify.parse_public(machine.key.public)
        machine.trust("next.pub", next_key.public)
        for path, text in PAYLOADS.items():
            self.at(path).parent.mkdir(parents=True, exist_ok=True)
            self.at(path).write_text(text)
        for name in MEMBERS:
            machine.write_manifest(name, manifest_text(name))
            machine.record(f"fake-plugin-{name}", "1.0-1")
            own = [self.at(path) for path in PAYLOADS if path.startswith(home(name))]
            machine.list_files(
                f"fake-plugin-{name}", [self.at(manifest_path(name)), self.at(signature_path(name)), *own]
            )

    def at(self, path: str) -> Path:
        """Where a path of the machine is for us."""
        return self.machine.root / path.lstrip("/")

    def real(self, path: str) -> str:
        """The path without the link to the serving set in it."""
        return path.replace("/serving/", f"/{self.at('/usr/lib/fake/bin/serving').readlink()}/")

    def read(self, path: str) -> bytes:
        return self.at(path).read_bytes()

    def write(self, path: str, data: bytes) -> bytes:
        """Write in place: owner and mode stay."""
        self.at(path).write_bytes(data)
        return data

    def flip(self, path: str, at: int, bit: int, *, after: bytes = b"") -> bytes:
        """Change one bit, counted from behind the first `after`; gives the new content."""
        data = bytearray(self.read(path))
        data[data.index(after) + len(after) + at] ^= 1 << bit
        return self.write(path, bytes(data))

    def serves(self) -> tuple[str, bytes]:
        """The set that serves and its program."""
        return str((self.machine.bin / "serving").readlink()), self.machine.program.read_bytes()
