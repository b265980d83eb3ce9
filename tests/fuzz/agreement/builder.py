"""What mkpkgs reads: it signs what it has read in this way."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from packaging_tool.errors import InputError, SigningError
from packaging_tool.golang import lists
from packaging_tool.package import manifest
from packaging_tool.signing import signify
from tests.drivers.test_go_lists import GOOD as LISTS
from tests.fuzz.agreement.answer import REFUSED, listed, taken
from tests.fuzz.agreement.machines import BELL, CORE, Laid
from tests.signing.test_vectors import LONGEST, read_revoked, verdict

KINDS = {name: short.decode() for name, short in signify.ALGORITHMS.items()}


def read(laid: Sequence[Laid]) -> list[str]:
    """What is read of each input."""
    return [answer(item) for item in laid]


def answer(item: Laid) -> str:
    """What is read of one input."""
    reads = {
        "manifest": read_manifest,
        "key": _key,
        "signature": _signature,
        "revoked": _revoked,
        "case": _case,
    }
    try:
        return reads.get(item.input.format, _list)(item)
    except (InputError, SigningError):
        return REFUSED


def read_manifest(item: Laid) -> str:
    """A manifest, as of the file that it lies in."""
    kit = item.name == "kit"
    place = item.machine / "share" / ("kit.manifest" if kit else f"plugins/{item.name}.manifest")
    found = manifest.parse(place.read_bytes())
    is_ours = (found.plugin or "kit") == item.name and kit == (found.plugin is None)
    if not is_ours or found.core != CORE or found.package != f"{CORE}-plugin-{item.name}":
        return REFUSED
    return taken(
        {
            "core": found.core,
            "abi": found.abi,
            "plugin": found.plugin or "",
            "package": found.package,
            "version": found.version,
            "order": None if kit else found.order,
            "optional": found.optional,
            "needs": found.needs,
            "files": [[file.path, file.sha256] for file in found.files],
        }
    )


def _key(item: Laid) -> str:
    found = signify.parse_public(item.input.files[""])
    over = found.expires.isoformat() if found.expires and found.expired() else "-"
    return taken({"kind": KINDS[found.kind], "id": found.id.hex(), "point": found.point.hex(), "over": over})


def _signature(item: Laid) -> str:
    data = item.input.files[""]
    kind, key_id = signify.signer_of(data)
    return taken({"kind": KINDS[kind], "id": key_id.hex(), "value": base64.b64decode(data.split(b"\n")[1])[10:].hex()})


def _revoked(item: Laid) -> str:
    if len(item.input.data) > LONGEST:
        return REFUSED
    ids, wrong = read_revoked(item.machine / "share/keys/revoked")
    return taken([sorted(key.hex() for key in ids), wrong[:10], len(wrong)])


def _case(item: Laid) -> str:
    # The tests' own folder of a case has all files in one place.
    folder = item.machine / "case"
    folder.mkdir(exist_ok=True)
    for name, data in item.input.files.items():
        (folder / name).write_bytes(data)
    return verdict(folder)


def _list(item: Laid) -> str:
    said = lists.fault(BELL, item.input.format, item.input.files[""], set(LISTS))
    return listed(item.input.data, f"plugin {BELL}: {item.input.format} {said}" if said else "")
