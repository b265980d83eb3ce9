"""What `mkpkgs check` leaves open, and what a trial in a clean root settles."""

from __future__ import annotations

from packaging_tool.authors.core import Core
from packaging_tool.authors.load import Loaded
from packaging_tool.authors.verdict import Verdict, tried
from packaging_tool.drivers.base import Unchecked
from packaging_tool.project.model import CoreSpec

SPEC = CoreSpec(
    name="chime", version="1.0", summary="Rings", license="MIT", homepage="https://chime.example.org", maintainer="Jo"
)
CORE = Core(
    abi="0" * 64,
    accepts=(),
    architecture="amd64",
    kit=False,
    paths=(),
    spec=SPEC,
    options=None,
    plugins={},
    files={},
)


def test_a_library_was_there_where_the_plugin_was_installed() -> None:
    libraries = Unchecked("libcrypt.so.1", ("debian13", "el9"))
    macro = Unchecked("macro CHIME_ABI: it was not built here")
    verdict = Verdict(CORE, ("fine",), (), unchecked={"fine": (libraries, macro)})
    assert [str(row) for row in verdict.unchecked["fine"]] == [
        "not checked for debian13, el9: libcrypt.so.1",
        "not checked: macro CHIME_ABI: it was not built here",
    ]
    some = tried(verdict, Loaded(("debian13",), (), ("in a clean el9: only roots of Debian can be made",)))
    assert [str(row) for row in some.unchecked["fine"]] == [
        "not checked for el9: libcrypt.so.1",
        "not checked: macro CHIME_ABI: it was not built here",
    ]
    assert tried(verdict, Loaded(("debian13", "el9"), (), ())).unchecked["fine"] == (macro,)
