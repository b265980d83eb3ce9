"""Lists in a plugin's payload: what the target looks at before compile and link read them, and so does the build."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from packaging_tool.golang import lists
from packaging_tool.package.templates import render
from tests.hostile.words import BYTES, WORDS, raw
from tests.target.machine import AWKS

GOOD = {
    "imports": '\t_ "example.com/bell"\n\tplugin_bell "example.com/bell/v2"\n',
    "lines": '\tplugin_bell.Register("http://example.org/\\n")\n',
    "modules": "dep\texample.com/bell\tv1.0.0\th1:aGFzaA==\ndep\ta\tv1\\n=>\tb\tv2\th1:x\n",
    "compile.cfg": "packagefile example.com/bell=plugins/bell/export/example.com/bell.export\n",
    "link.cfg": "packagefile example.com/bell=plugins/bell/object/example.com/bell.object\n",
    "export/example.com/bell.export": "x",
    "object/example.com/bell.object": "x",
}

# What the maker of a plugin could write into its lists: list, text that is added, what is said.
LISTS = {
    "a secret to be read aloud": (
        "compile.cfg",
        "packagefile example.com/x=/etc/shadow\n",
        "is not below plugins/bell/export/",
    ),
    "a device": ("link.cfg", "packagefile example.com/x=/dev/watchdog\n", "is not below plugins/bell/object/"),
    "a way up": (
        "compile.cfg",
        "packagefile example.com/x=plugins/bell/export/../../../../etc/shadow\n",
        "is not below plugins/bell/export/",
    ),
    "a file of another plugin": (
        "link.cfg",
        "packagefile x=plugins/echo/object/x\n",
        "is not below plugins/bell/object/",
    ),
    "a file of the kit": ("link.cfg", "packagefile x=kit/object/fmt.object\n", "is not below plugins/bell/object/"),
    "a file that is not there": ("link.cfg", "packagefile x=plugins/bell/object/x\n", "names a file that is not there"),
    "a package with a way up": (
        "link.cfg",
        "packagefile a/../x=plugins/bell/object/x\n",
        "a path that leads elsewhere",
    ),
    "a vertical tab": ("link.cfg", "packagefile \vfmt=plugins/bell/object/x\n", "has a byte that is not printable"),
    "a no-break space": ("link.cfg", "packagefile fmt=\u00a0/etc/shadow\n", "has a byte that is not printable"),
    "a second blank": ("link.cfg", "packagefile  fmt=plugins/bell/object/x\n", "is not: packagefile PATH=FILE"),
    "another word": ("link.cfg", 'modinfo "x"\n', "is not: packagefile PATH=FILE"),
    "a map of imports": ("compile.cfg", "importmap fmt=os\n", "is not: packagefile PATH=FILE"),
    "a blank line": ("compile.cfg", "\n", "is not: packagefile PATH=FILE"),
    "no final newline": (
        "compile.cfg",
        "packagefile x=plugins/bell/export/example.com/bell.export",
        "does not end with a newline",
    ),
    "a NUL byte": ("modules", "dep\0\n", " "),
    "a quote": ("modules", 'dep\tx\tv1"\n', "is no record of a module"),
    "an import with a call": ("imports", '\t_ "x"; func init() {}\n', 'is not: NAME "PATH"'),
    "an import of a file": ("imports", '\t_ "/etc/shadow\\x00"\n', 'is not: NAME "PATH"'),
    "an order to the compiler": ("lines", "//go:embed /etc/shadow\n", "has a comment that the compiler obeys"),
    "a line of another file": ("lines", "//line /etc/shadow:1\n", "has a comment that the compiler obeys"),
    "an escape": ("lines", "\tprintln(1) // \x1b[2J\n", "has a byte that is not printable"),
}


def assemble(base: Path, awk: str) -> str:
    """What the assemble step says last. The kit of the sample has nothing, so a good plugin fails later."""
    programs = base / "bin"
    programs.mkdir()
    (programs / "awk").symlink_to(shutil.which(awk) or awk)
    (base / "assemble").write_text(render("go-link/assemble.sh.j2", core="host", plugins=f"{base}/plugins"))
    (base / "kit").mkdir()
    (base / "kit/link.cfg").touch()
    env = {"KIT": f"{base}/kit", "PLUGINS": f"{base}/plugins", "TMPDIR": str(base), "PATH": f"{programs}:/usr/bin:/bin"}
    argv: list[str | Path] = ["dash", base / "assemble", base / "program", "bell"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


def lay_down(base: Path, kind: str = "imports", more: bytes = b"") -> tuple[bytes, set[str]]:
    """The payload with more at the end of a list; gives that list and the names of all files."""
    for name, text in GOOD.items():
        place = base / "plugins/bell" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode() + (more if name == kind else b""))
    return (base / "plugins/bell" / kind).read_bytes(), set(GOOD)


@pytest.mark.parametrize("awk", AWKS)
def test_lists_of_the_build_are_taken(tmp_path: Path, awk: str) -> None:
    for kind in ("imports", "lines", "modules", "compile.cfg", "link.cfg"):
        data, files = lay_down(tmp_path, kind)
        assert lists.fault("bell", kind, data, files) == ""
    assert assemble(tmp_path, awk) == f"assemble: {tmp_path}/kit/env cannot be read"


@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize("what", LISTS)
def test_other_lists_are_refused_before_a_tool_reads_them(tmp_path: Path, what: str, awk: str) -> None:
    """Go's compile says the first line of a file that is no archive, and what it says is shown to everybody."""
    kind, text, said = LISTS[what]
    data, files = lay_down(tmp_path, kind, text.encode())
    reason = assemble(tmp_path, awk)
    assert reason.startswith(f"assemble: plugin bell: {kind} ") and said in reason, reason
    assert reason.endswith(": reinstall or rebuild this plugin") and reason.isprintable()
    fault = lists.fault("bell", kind, data, files)
    assert fault and (kind == "modules" or f"plugin bell: {kind} {fault}:" in reason)


@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize("name", [*WORDS, *BYTES])
def test_hostile_words_in_lists_are_refused(tmp_path: Path, name: str, awk: str) -> None:
    """In `lines` a word may be Go: what it does there is the compiler's to say, and the plugin's code serves anyway."""
    mark = tmp_path / "mark"
    text = dict(raw(mark))[name]
    for kind in ("imports", "modules", "compile.cfg", "link.cfg"):
        base = tmp_path / kind
        data, files = lay_down(base, kind, text + b"\n")
        reason = assemble(base, awk)
        assert reason.startswith("assemble: ") and reason.isprintable()
        fault = lists.fault("bell", kind, data, files)
        assert (f"assemble: plugin bell: {kind} " in reason) == bool(fault)
        assert fault or kind == "modules"
        assert not mark.exists()
