"""The structure of the code holds: small modules and functions, and imports that run one way."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tiers import SLOWEST

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "packaging_tool"
MODULES = sorted(PACKAGE.rglob("*.py"))

# A layer may import from its own row and the rows below it. `registry` names no member, so anybody may use it.
LAYERS = (
    {"__main__", "cli"},
    {"build"},
    {"cores"},
    {"covered", "former", "plan", "publish", "staging", "state", "lock", "edits", "writing", "authors"},
    {"formats", "drivers", "repos", "target"},
    {"golang", "signing", "wheels"},
    {"elf"},
    {"project"},
    {"package"},
    {"targets"},
    {"clock"},
    {
        "registry",
        "errors",
        "run",
        "cache",
        "closed",
        "confine",
        "logins",
        "listener",
        "atomic",
        "templates",
        "toml",
        "workers",
        "commands",
        "__init__",
    },
)
# The loader asks a driver for the types of its settings, through the registry and drivers/base.
EXCEPTIONS = {("project", "drivers.base")}


def rank(name: str) -> int:
    top = name.split(".")[0]
    return next(row for row, layer in enumerate(LAYERS) if top in layer)


def imports(path: Path) -> Iterator[str]:
    """Modules below packaging_tool that a file imports, as `package.model`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("packaging_tool"):
            base = node.module.removeprefix("packaging_tool").lstrip(".")
            yield from ([base] if base else [alias.name for alias in node.names if alias.name != "__version__"])


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_and_functions_are_small(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            assert node.end_lineno - node.lineno <= 60, f"{node.name} is too long"


def test_templates_are_small() -> None:
    templates = [path for path in (PACKAGE / "templates").rglob("*") if path.is_file() and "licenses" not in path.parts]
    assert [str(path) for path in templates if path.read_text().count("\n") > 500] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    own = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for name in imports(path):
        allowed = rank(own) <= rank(name) or (own.split(".")[0], name) in EXCEPTIONS
        assert allowed, f"{own} reaches back to {name}"


@pytest.mark.parametrize("folder", ["formats", "drivers", "repos"])
def test_members_import_no_other_member(folder: str) -> None:
    members = [path for path in (PACKAGE / folder).glob("[a-z]*.py") if path.stem != "base"]
    for path in members:
        others = {f"{folder}.{other.stem}" for other in members if other != path}
        assert not others & set(imports(path))


def test_only_run_starts_programs() -> None:
    starting = {
        str(path.relative_to(PACKAGE))
        for path in MODULES
        if re.search(r"\b(subprocess|os\.(system|popen|exec\w*|spawn\w*))\b", path.read_text())
    }
    # It becomes a program in a room, by itself.
    assert starting == {"run.py", "authors/cell.py"}


def test_the_core_names_no_member() -> None:
    """A new format, driver or repository kind must not need a change elsewhere."""
    for name in ("build.py", "cores.py", "state.py", "lock.py"):
        text = (PACKAGE / name).read_text()
        assert not re.search(r"\"(deb|rpm|apt|yum|go-link)\"", text), name


def test_a_build_imports_what_every_build_needs_and_no_more() -> None:
    """Each of these takes from 2 to 50 ms, and most runs do without."""
    heavy = {"cryptography", "difflib", "elftools", "email", "http", "jinja2", "ssl", "urllib.request", "xml", "yaml"}
    heavy |= {"concurrent.futures", "ctypes", "json", "tempfile", "zstandard"}
    heavy |= {f"packaging_tool.{name}" for name in ("authors.work", "plan", "publish", "signing.keys", "writing")}
    code = "import sys, packaging_tool.build; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert heavy.isdisjoint(done.stdout.split())


SILENCED = re.compile(r"#.*?(noqa: [A-Z0-9, ]+|type: ignore\[[a-z-]+(, ?[a-z-]+)*\]|shellcheck disable=[A-Z0-9,]+)(.*)")


def test_what_a_checker_is_not_to_say_has_its_reason_beside_it() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("packaging_tool", "tests")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in (".py", ".sh", ".j2")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (found := SILENCED.search(line)) and not re.search(r"\w{2}", found[3])
    ]
    assert bare == []


def test_the_slowest_files_of_tests_are_there() -> None:
    for name in SLOWEST:
        assert (ROOT / f"tests/{name}.py").is_file(), name
