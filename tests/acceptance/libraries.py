"""Machines with dnf for programs that are not static."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests import roots
from tests.systems import Dnf, System


class LibrariesDnf(Dnf):
    """dnf on a system where rpm's database knows the C library."""

    base_name = "debian12-dnf-libraries"


def provide_libraries(system: System, dist: Path) -> None:
    """Debian's libraries are there, but no rpm says so."""
    asked: set[str] = set()
    for path in dist.rglob("*.rpm"):
        done = subprocess.run(
            ["rpm", "-qp", "--nosignature", "--requires", path], capture_output=True, text=True, check=True
        )
        asked |= {line for line in done.stdout.splitlines() if re.match(r"lib\S+\.so", line)}
    assert "libc.so.6(GLIBC_2.34)(64bit)" in asked
    stub = roots.stub_rpm(system.root.with_name("stub"), "libraries", sorted(asked))
    system.put(stub, "/root/libraries.rpm")
    system.run("rpm", "-i", "--nosignature", "/root/libraries.rpm")
