"""A machine with dnf for programs that are not static."""

from __future__ import annotations

from tests.systems import Dnf


class LibrariesDnf(Dnf):
    """dnf on a system where rpm's database knows the C library."""

    base_name = "debian12-dnf-libraries"
