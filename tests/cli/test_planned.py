"""The tree of packages to come."""

from __future__ import annotations

from packaging_tool.cli import planned
from packaging_tool.drivers.base import NO_ABI
from packaging_tool.package.model import Capability, Relations
from tests.formats import samples

FILES = [samples.file(f"/usr/lib/tiny/kit/object/{number:03}", "x") for number in range(planned.CROWDED + 1)]
KIT = samples.plugin("tiny-plugin-kit", [samples.directory("/usr/lib/tiny/kit"), *FILES])


def test_a_crowded_directory_is_one_line() -> None:
    lines = list(planned.tree([KIT]))
    (line,) = (line for line in lines if "/usr/lib/tiny/kit" in line)
    assert line.endswith(f"/usr/lib/tiny/kit/ and {len(FILES)} files below it (-v shows them)")


def test_all_of_it_is_shown_on_demand() -> None:
    text = "\n".join(planned.tree([KIT], whole=True))
    assert all(entry.path in text for entry in KIT.entries)


def test_an_abi_that_only_the_build_knows_is_a_question_mark() -> None:
    provides = ((Capability("tiny-abi", NO_ABI),),)
    core = samples.plugin(relations={name: Relations(provides=provides) for name in ("deb", "rpm")})
    lines = [line.strip("│├└─ ") for line in planned.tree([core])]
    assert [line for line in lines if "abi" in line] == ["provides: tiny-abi-?", "provides: tiny-abi(?)"]
