"""The order in which the dynamic loader reads names, on shared objects of C; judges: readelf and the loader itself."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from packaging_tool.golang import order

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="shared objects of C need gcc")

COUNT = 300
# Data that refers to data by name, in another order than that of the names; one name is the end of another.
DATA = "".join(f"int value_{n} = {n}; int other_value_{n} = {n};\n" for n in range(COUNT))
TABLE = "".join(f"&value_{n * 7 % COUNT}, &other_value_{n * 11 % COUNT},\n" for n in range(COUNT))
CODE = f"""{DATA}
int *table[] = {{
{TABLE}}};
int sum(void) {{
    int all = 0;
    for (int n = 0; n < {2 * COUNT}; n++) all += *table[n];
    return all;
}}
"""


def built(path: Path, *options: str, compiler: str = "gcc", code: str = CODE) -> Path:
    argv: list[str | Path] = [compiler, "-shared", "-fPIC", *options, "-o", path, "-x", "c", "-"]
    subprocess.run(argv, input=code, text=True, check=True)
    return path


def read(path: Path, *options: str) -> list[str]:
    done = subprocess.run(["readelf", "-W", *options, path], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def looked_up(path: Path) -> list[str]:
    """The names that relocations ask for, one after the other."""
    return [found[1] for line in read(path, "-r") if (found := re.search(r" (other_value_\d+|value_\d+)\b", line))]


def symbols(path: Path) -> list[str]:
    return [line.split()[7] for line in read(path, "--dyn-syms") if re.search(r"value_\d+$", line)]


@pytest.mark.parametrize(
    ("compiler", "options"),
    [
        ("gcc", ["-Wl,-soname,libvalues.so.1", "-Wl,-rpath,/nowhere", "-Wl,--no-as-needed", "-lm"]),
        ("gcc", ["-m32", "-nostdlib"]),
        ("aarch64-linux-gnu-gcc", []),
    ],
    ids=["amd64", "i386", "arm64"],
)
def test_names_are_asked_for_in_the_order_of_the_symbols(tmp_path: Path, compiler: str, options: list[str]) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not there")
    old = built(tmp_path / "old.so", *options, compiler=compiler)
    new = shutil.copyfile(old, tmp_path / "new.so")
    order.arrange(new)
    assert looked_up(old) != symbols(old)
    assert looked_up(new) == symbols(new) == symbols(old)
    # Nothing else is different.
    assert sorted(read(new, "-r")) == sorted(read(old, "-r"))
    for what in (["--dyn-syms"], ["-d"], ["-V"], ["-S"], ["-l"]):
        assert read(new, *what) == read(old, *what)


def test_names_lie_in_the_order_of_the_symbols(tmp_path: Path) -> None:
    path = built(tmp_path / "values.so")
    order.arrange(path)
    found = [line.split()[-1] for line in read(path, "-p", ".dynstr") if re.search(r"other_value_\d+$", line)]
    # `value_1` is the end of `other_value_1`.
    assert found == list(dict.fromkeys(f"other_{name.removeprefix('other_')}" for name in symbols(path)))


def test_loader_takes_the_file(tmp_path: Path) -> None:
    path = built(tmp_path / "values.so", "-Wl,--no-as-needed", "-lm")
    order.arrange(path)
    assert ctypes.CDLL(str(path)).sum() == COUNT * (COUNT - 1)


def test_code_that_the_loader_calls_finds_its_data_in_place(tmp_path: Path) -> None:
    choice = "".join(
        f"""
static int yes_{n}(void) {{ return sum(); }}
static int no_{n}(void) {{ return -1; }}
static void *choose_{n}(void) {{ for (int n = 0; n < {2 * COUNT}; n++) if (!table[n]) return no_{n}; return yes_{n}; }}
int chosen_{n}(void) __attribute__((ifunc("choose_{n}")));
int (*choice_{n})(void) = chosen_{n};
"""
        for n in range(9)
    )
    # Where the table is hidden, the code reads it without asking the loader for its place.
    code = CODE.replace("int *table[]", '__attribute__((visibility("hidden"))) int *table[]') + choice
    path = built(tmp_path / "values.so", "-Wl,-z,now", code=code)
    order.arrange(path)
    library = ctypes.CDLL(str(path))
    assert [library[f"chosen_{n}"]() for n in range(9)] == [COUNT * (COUNT - 1)] * 9
    choices = [ctypes.CFUNCTYPE(ctypes.c_int).in_dll(library, f"choice_{n}") for n in range(9)]
    assert [chosen() for chosen in choices] == [COUNT * (COUNT - 1)] * 9


def test_same_file_comes_out_of_a_second_time(tmp_path: Path) -> None:
    path = built(tmp_path / "values.so")
    order.arrange(path)
    once = path.read_bytes()
    order.arrange(path)
    assert path.read_bytes() == once


def test_names_of_a_file_with_versions_of_its_own_stay(tmp_path: Path) -> None:
    (tmp_path / "map").write_text("VALUES_1 { global: *; };\n")
    old = built(tmp_path / "old.so", f"-Wl,--version-script={tmp_path}/map")
    new = shutil.copyfile(old, tmp_path / "new.so")
    order.arrange(new)
    assert read(new, "-p", ".dynstr") == read(old, "-p", ".dynstr")
    assert looked_up(new) != looked_up(old)
    assert ctypes.CDLL(str(new)).sum() == COUNT * (COUNT - 1)
