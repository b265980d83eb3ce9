"""What the sh tool of the target reads, under the shells and awks of the systems that packages are made for."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from packaging_tool.package import templates
from packaging_tool.target import runtime
from tests.fuzz.agreement.answer import REFUSED, listed, taken
from tests.fuzz.agreement.machines import BELL, CORE, Laid
from tests.target.machine import ABI, LINKED, PATH, spec

# As Debian has them, and as EL and Fedora have them; then the other awk that a Debian can have, where it is installed.
SHELLS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "dash and mawk": (("dash",), "mawk"),
    "bash and gawk": (("bash", "--posix"), "gawk"),
    "dash and original-awk": (("dash",), "original-awk"),
}
AWK = Path(templates.__file__).parent.parent / "templates"
# What the tool says for each reason to refuse a signature.
REASONS = {
    " which expired on ": "expired",
    " by the unknown key ": "unknown",
    " the signature of its manifest does not fit": "mismatch",
}


def available() -> list[str]:
    """The shells and awks that are here. The tool trusts what is root's only, so that it has to be root."""
    if os.geteuid() != 0:
        return []
    return [name for name, (shell, awk) in SHELLS.items() if _found(shell[0]) and _found(awk)]


def _found(program: str) -> str | None:
    return shutil.which(program, path=f"{PATH}:{os.environ.get('AWKS', '')}")


class Target:
    """The tool under one shell with one awk. changes: of its text and that of lists.awk, for tests."""

    def __init__(self, name: str, place: Path, changes: Mapping[str, str] | None = None) -> None:
        shell, awk = SHELLS[name]
        self.place = place
        self.shell = shell
        self.script = place / "read-machines"
        self.lists = place / "lists.awk"
        tool, lists = _tool(), (AWK / "go-link/lists.awk").read_text()
        for old, new in (changes or {}).items():
            assert old in tool + lists, old
            tool, lists = tool.replace(old, new), lists.replace(old, new)
        rest = Path(__file__).with_name("target.sh").read_text()
        self.script.write_text(f"{tool}\nAWK={_found(awk)}\nLISTS={self.lists}\n{rest}")
        self.lists.write_text(lists)

    def read(self, laid: Sequence[Laid]) -> list[str]:
        """What is read of each input."""
        machines = sorted({item.machine for item in laid})
        for machine in machines:
            shutil.rmtree(machine / "w", ignore_errors=True)
            (machine / "ended").unlink(missing_ok=True)
        subprocess.run([*self.shell, self.script, *machines], check=True, env={"PATH": PATH}, umask=0o022)
        found = {machine: _Read(machine) for machine in machines}
        return [found[item.machine].answer(item) for item in laid]


def _tool() -> str:
    """The installed script as far as it only defines."""
    entries = runtime.core_entries(spec(), LINKED, (ABI,), {})
    (entry,) = (entry for entry in entries if entry.path == f"/usr/bin/{CORE}-plugins")
    assert entry.content is not None
    head, last, _ = entry.content.read().decode().partition('\nif [ "$(id -u)" -eq 0 ]; then ROOT=yes; fi\n')
    assert last
    return head


class _Read:
    """What the tool left of one machine."""

    def __init__(self, machine: Path) -> None:
        self.machine = machine
        self.refused = [tuple(row.split("\t")) for row in self.lines("refused")]
        self.rows = {row.split("\t")[0]: row.split("\t")[1:] for row in self.lines("rows")}
        self.signatures = {row.split("\t")[0]: row.split("\t")[1:] for row in self.lines("sigrows")}
        self.keys = self._keys()

    def lines(self, name: str) -> list[str]:
        path = self.machine / "w" / name
        return path.read_bytes().decode(errors="surrogateescape").split("\n")[:-1] if path.exists() else []

    def _keys(self) -> dict[str, list[str]]:
        """Rows of keys by name. awk read the last file of the list first, and printed nothing of bad ones."""
        bad = {reason.split(" ")[0] for name, reason, *_ in self.refused if name == "*"}
        good = [file for file in reversed(self.lines("keyfiles")) if file.endswith(".pub") and file not in bad]
        rows = [row.split("\t") for row in self.lines("keyrows")]
        assert len(good) == len(rows) or not rows, (good, rows)
        return {Path(file).stem: row for file, row in zip(good, rows, strict=False)}

    def answer(self, item: Laid) -> str:
        if (self.machine / "ended").exists():
            return f"ended: {(self.machine / 'errors').read_text(errors='replace')[-200:]}"
        reads: Mapping[str, Callable[[Laid], str]] = {
            "manifest": self.manifest,
            "key": self.key,
            "signature": self.signature,
            "revoked": self.revoked,
            "case": self.case,
            "trust": lambda _: self.lines("trust")[0],
            "disabled": lambda _: taken(sorted(self.lines("disabled"))),
            "abi": lambda _: taken(self.lines("abis")) if (self.machine / "w/abis").exists() else REFUSED,
            "settings": lambda _: taken(self.lines("settings")),
            "index": lambda _: taken(rows) if (rows := self.lines("relations")) else REFUSED,
            "wishes": lambda _: taken(self.lines("wishes")) if (self.machine / "w/wishes").exists() else REFUSED,
        }
        return reads.get(item.input.format, self.list)(item)

    def reasons(self, name: str, what: str) -> list[str]:
        """Why a file is refused. what: its path below share/."""
        path = re.escape(f"{self.machine}/share/{what}")
        return [reason for who, reason, *_ in self.refused if who == name and re.match(rf"{path}( |: |$)", reason)]

    def manifest(self, item: Laid) -> str:
        where = f"{'kit' if item.name == 'kit' else f'plugins/{item.name}'}.manifest"
        refused, row = self.reasons(item.name, where), self.rows.get(item.name)
        if bool(refused) == (row is not None):
            return f"both refused and taken, or neither: {refused} {row}"
        # judge.awk: a manifest for another core is refused.
        if row is None or row[0] != CORE:
            return REFUSED
        core, abi, package, version, order, optional, needs = row
        kit = item.name == "kit"
        base = f"{self.machine}/lib/{'kit' if kit else f'plugins/{item.name}'}/"
        files = [line.split("\t") for line in self.lines("files")]
        return taken(
            {
                "core": core,
                "abi": abi,
                "plugin": "" if kit else item.name,
                "package": package,
                "version": version,
                "order": None if kit else int(order),
                "optional": optional == "yes",
                "needs": [] if needs == "-" else needs.split(","),
                "files": [[path.removeprefix(base), sha] for name, sha, path in files if name == item.name],
            }
        )

    def key(self, item: Laid) -> str:
        row = self.keys.get(item.name)
        if row is None:
            return REFUSED
        key_id, kind, file, over, _ = row
        der = base64.b64decode("".join(Path(file).read_text().split("\n")[1:-2]))
        return taken({"kind": kind, "id": key_id, "point": der[-32 if kind == "Ed" else -65 :].hex(), "over": over})

    def signature(self, item: Laid) -> str:
        row, refused = self.signatures.get(item.name), self.reasons(item.name, f"plugins/{item.name}.manifest.sig")
        if bool(refused) == (row is not None):
            return f"both refused and taken, or neither: {refused} {row}"
        if row is None:
            return REFUSED
        kind, key_id, octets = row
        value = bytes(int(octet, 8) for octet in octets.split("\\")[1:])
        return taken({"kind": kind, "id": key_id, "value": value.hex()})

    def revoked(self, item: Laid) -> str:
        told = " ".join(row.split("\t")[1] for row in self.lines("complaints"))
        if "is larger than" in told:
            return REFUSED
        wrong = [int(number) for number in re.findall(r"line (\d+) is not", told)]
        more = re.search(r"has (\d+) more lines", told)
        return taken([sorted(set(self.lines("revoked"))), wrong, len(wrong) + int(more[1] if more else 0)])

    def case(self, item: Laid) -> str:
        if any(name == "*" for name, *_ in self.refused):
            return "key"
        if self.reasons(BELL, f"plugins/{BELL}.manifest.sig"):
            return "signature"
        if any(row.startswith(f"{BELL}\t") for row in self.lines("withdrawn")):
            return "revoked"
        if BELL in self.lines("signed"):
            return "good"
        said = " ".join(f" {reason}" for name, reason, *_ in self.refused if name == BELL)
        return next((word for text, word in REASONS.items() if text in said), f"no verdict: {said}")

    def list(self, item: Laid) -> str:
        said = (self.machine / "lists" / item.name / "fault").read_bytes().decode("latin-1").removesuffix("\n")
        return listed(item.input.data, said)
