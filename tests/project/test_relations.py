"""Relations: one neutral text, read once, spelled by each format."""

from __future__ import annotations

import pytest
from debian.deb822 import PkgRelation

from packaging_tool.package.model import Relation
from packaging_tool.project.model import PluginSpec, RelationSet
from packaging_tool.project.relations import of, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("openssl", (Relation("openssl"),)),
        ("openssl >= 3.0", (Relation("openssl", ">=", "3.0"),)),
        ("  openssl>=3.0 ", (Relation("openssl", ">=", "3.0"),)),
        ("a < 2:1.0~rc1-1", (Relation("a", "<", "2:1.0~rc1-1"),)),
        ("mailx | s-nail = 14", (Relation("mailx"), Relation("s-nail", "=", "14"))),
        ("perl(Socket)", (Relation("perl(Socket)"),)),
    ],
)
def test_relations_are_read(text: str, expected: tuple[Relation, ...]) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "names no package"),
        ("a |", "names no package"),
        ("openssl (>= 3.0)", "parentheses"),
        ("a, b", "comma"),
        ("a >>", "not `name`"),
        ("a >> 1", "write '>'"),
        ("a == 1", "write '='"),
        ("a >= 1 2", "not `name`"),
        ("a >= x", "not a version"),
        ("a >= 1_0", "not a version"),
        ("-a", "not a package name"),
        ("a\nDepends: evil", "not `name`"),
        ("a >= 1\nPre-Depends: evil", "not `name`"),
        ("$(id)", "not a package name"),
    ],
)
def test_others_are_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse(text)
    assert reason in str(caught.value)


def test_an_empty_list_of_one_format_takes_away_what_is_said_for_both() -> None:
    both = PluginSpec(name="x", summary="x", depends=("ca-certificates",), suggests=("a",))
    assert of(both, RelationSet(depends=()), "depends") == ()
    assert of(both, RelationSet(depends=("b",)), "depends") == ("b",)
    assert of(both, RelationSet(depends=()), "suggests") == ("a",)
    assert of(both, None, "depends") == ("ca-certificates",)


@pytest.mark.parametrize("text", ["a", "a >= 1.0", "a | b = 2", "x < 1:2-3", "y > 1", "z <= 1"])
def test_python_debian_reads_the_same_from_debians_spelling(text: str) -> None:
    spelled = " | ".join(
        f"{one.name} ({ {'<': '<<', '>': '>>'}.get(one.operator, one.operator) } {one.version})"
        if one.operator
        else one.name
        for one in parse(text)
        if isinstance(one, Relation)
    )
    (theirs,) = PkgRelation.parse_relations(spelled)
    ours = [(one.name, (one.operator, one.version)) for one in parse(text) if isinstance(one, Relation)]
    back = {"<<": "<", ">>": ">"}
    assert [
        (
            one["name"],
            (back.get(one["version"][0], one["version"][0]), one["version"][1]) if one["version"] else ("", ""),
        )
        for one in theirs
    ] == ours
