"""Reading Go files up to their last import; gofmt and the compiler judge the rest (test_go_link.py)."""

from __future__ import annotations

import pytest

from packaging_tool.golang.hostmain import HostMain, Import, parse


def test_imports_of_all_spellings_are_found() -> None:
    text = """// import "not/me"
/* import "nor/me" */
package main; import "fmt"

import (
	_ "time/tzdata" // a comment
	m "example.com/m"; . `example.com/dot`
	/* "example.com/old" */
)

var text = "import"
"""
    source = parse(text)
    assert source.imports == (
        Import("", "fmt"),
        Import("_", "time/tzdata"),
        Import("m", "example.com/m"),
        Import(".", "example.com/dot"),
    )
    assert not source.bare
    assert text[source.start : source.end].startswith('import "fmt"')
    assert text[source.end :] == '\n\nvar text = "import"\n'


@pytest.mark.parametrize("text", ['package p\nimport _ "a"\n// end\n', 'package p\n\nimport (\n\t_ "a"\n)\n'])
def test_file_of_imports_only_is_bare(text: str) -> None:
    assert parse(text).bare


def test_file_without_imports_takes_them_after_the_package_clause() -> None:
    source = parse("package main\n\nfunc main() {}\n")
    assert source.imports == ()
    assert source.start == source.end == len("package main")


@pytest.mark.parametrize("text", ["", "func main() {}", "package", 'package p\nimport ("a"', "package p\nimport 5\n"])
def test_what_is_no_go_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse(text)


def test_plugins_come_into_the_imports_and_to_the_marker() -> None:
    main = HostMain("head\n", ")\n\t//mkpkgs:register\n", "tail\n")
    assert main.text() == "head\n)\n\t//mkpkgs:register\ntail\n"
    assert main.text(["a\n", "b\n"], ["x()\n"]) == "head\na\nb\n)\n\t//mkpkgs:register\nx()\ntail\n"
