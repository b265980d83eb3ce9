"""NAME.so.pieces: hashes of the pieces of a shared object, so that a server verifies it on all processors.

It is a file of the plugin's payload, so the signed manifest has its hash; with the size in it, no other shared object
has the same. Lines, each ended by a newline:

    mkpkgs-pieces 1
    size NUMBER          bytes of the shared object
    SHA256               of each piece of 4 MiB, the last one shorter; lower-case hex

The server writes this text anew from what it reads, and compares its hash with the manifest's.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

# Small enough that processors finish at nearly the same time, large enough that a plugin has few.
SIZE = 4 << 20


def beside(path: Path) -> Path:
    """The file of a shared object."""
    return path.with_name(f"{path.name}.pieces")


def write(path: Path) -> None:
    """Write the file of a shared object."""
    lines = ["mkpkgs-pieces 1", f"size {path.stat().st_size}"]
    with path.open("rb") as file:
        while piece := file.read(SIZE):
            lines.append(hashlib.sha256(piece).hexdigest())
    beside(path).write_text("".join(f"{line}\n" for line in lines))
