"""Wheels as servers and plugins: what is chosen, what is unpacked, and how they start."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from packaging_tool.drivers import python
from packaging_tool.drivers.base import Lock, Outcome
from packaging_tool.drivers.python import Driver
from packaging_tool.errors import BuildError, ProjectError
from packaging_tool.listener import Silent
from packaging_tool.package.model import Relation
from packaging_tool.project.loader import load
from packaging_tool.wheels import asked, closure, fit, pip
from packaging_tool.wheels.pip import Platform
from packaging_tool.wheels.wheel import Wheel

SAMPLE = Path(__file__).parent.parent / "samples/shelf"


class Bench:
    """A copy of the sample to change and build, and a folder with wheels in place of an index."""

    def __init__(self, root: Path) -> None:
        self.root = root / "shelf"
        shutil.copytree(SAMPLE, self.root)
        self.file = self.root / "mkpkgs.toml"
        self.index = root / "index"
        self.index.mkdir()

    def change(self, old: str, new: str, file: str = "mkpkgs.toml") -> None:
        path = self.root / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    def lock(self, previous: Lock | None = None) -> Lock:
        return Driver().lock(load(self.file), previous, self.root / ".mkpkgs", Silent())

    def build(self, architecture: str = "all") -> Outcome:
        return Driver().build(load(self.file), self.lock(), architecture, self.root / ".mkpkgs", Silent())[0]

    def problems(self) -> str:
        with pytest.raises(ProjectError) as caught:
            load(self.file)
        return str(caught.value)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What building the sample leaves: its projects take a second each."""
    made = Bench(tmp_path_factory.mktemp("built"))
    made.build()
    return made.root / ".mkpkgs"


@pytest.fixture
def bench(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(tmp_path)
    shutil.copytree(built, made.root / ".mkpkgs")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(made.index))
    return made


def wheel(
    place: Path,
    name: str,
    version: str = "1.0",
    *,
    tag: str = "py3-none-any",
    python: str = "",
    requires: tuple[str, ...] = (),
    extras: tuple[str, ...] = (),
    files: Mapping[str, str] | None = None,
) -> Path:
    """A wheel as an index has it."""
    path = place / f"{name}-{version}-{tag}.whl"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Python: {python}\n" if python else ""
    metadata += "".join(f"Provides-Extra: {text}\n" for text in extras)
    with zipfile.ZipFile(path, "w") as file:
        for member, text in (files or {f"{name}.py": f"NAME = {name!r}\n"}).items():
            file.writestr(member, text)
        file.writestr(
            f"{name}-{version}.dist-info/METADATA", metadata + "".join(f"Requires-Dist: {text}\n" for text in requires)
        )
        file.writestr(f"{name}-{version}.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        file.writestr(f"{name}-{version}.dist-info/RECORD", "")
    return path


def names(outcome: Outcome, plugin: str = "") -> set[str]:
    """Files below the site directory of the core or of a plugin."""
    payload = outcome.plugins[plugin] if plugin else outcome.core
    root = f"/usr/lib/shelf/plugins/{plugin}/" if plugin else "/usr/lib/shelf/bin/site/"
    return {entry.path.removeprefix(root) for entry in payload.entries if entry.path.startswith(root)}


def test_a_plugin_has_what_the_core_lacks(bench: Bench) -> None:
    wheel(bench.index, "paper")
    wheel(bench.index, "ink", requires=("paper",))
    wheel(bench.index, "glue")
    bench.change("[project.scripts]", 'dependencies = ["paper"]\n\n[project.scripts]', "server/pyproject.toml")
    bench.change('["shelf"]', '["shelf", "ink>=1", "glue; python_version < \'3\'"]', "atlas/pyproject.toml")
    outcome = bench.build()
    assert {"shelf/__init__.py", "paper.py"} <= names(outcome)
    assert {"shelf_atlas.py", "ink.py", "shelf_atlas-1.0.dist-info/entry_points.txt"} <= names(outcome, "atlas")
    assert not {"paper.py", "glue.py", "shelf/__init__.py"} & names(outcome, "atlas")
    assert [module.path for module in outcome.plugins["atlas"].modules] == ["ink", "shelf-atlas"]
    assert (outcome.core.own, outcome.plugins["atlas"].own) == ("shelf", "shelf-atlas")
    # The project's own wheels are under its license, where they say none; others are not.
    assert {(one.path, one.license) for one in outcome.plugins["atlas"].modules} == {
        ("ink", ""),
        ("shelf-atlas", "Apache-2.0"),
    }


def test_a_plugin_leaves_out_what_it_names_and_one_without_anything_of_its_own_is_refused(bench: Bench) -> None:
    wheel(bench.index, "paper")
    wheel(bench.index, "ink", requires=("paper",))
    bench.change('["./atlas"]', '["./atlas", "ink"]\npython.without = ["paper"]')
    bench.change('["./novel"]', '["./server"]')
    outcome = bench.build()
    assert [module.path for module in outcome.plugins["atlas"].modules] == ["ink", "shelf-atlas"]
    assert [(failure.plugin, failure.message) for failure in outcome.failures] == [
        ("novel", "shelf has all of it already")
    ]
    assert list(outcome.plugins) == ["atlas"]


def test_the_lock_names_every_wheel_of_the_index_by_its_hash(bench: Bench) -> None:
    path = wheel(bench.index, "ink")
    bench.change('["./atlas"]', '["./atlas", "ink==1.0"]')
    lock = bench.lock()
    (row,) = tomllib.loads(lock.text)["python"]["wheel"]
    shown = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout
    assert (row["name"], row["version"], row["file"]) == ("ink", "1.0", path.name)
    assert row["sha256"] == shown.split()[0]
    wheel(bench.index, "ink", "1.1")
    assert bench.lock(lock) == lock
    # One that is no table says nothing.
    assert bench.lock(Lock('python = "3"\n')) == bench.lock()
    # Another file of that name is not taken.
    wheel(bench.index, "ink", files={"ink.py": "import os\n"})
    project = load(bench.file)
    with pytest.raises(
        BuildError, match=r"ink-1\.0-py3-none-any\.whl has the sum [0-9a-f]+ now, and [0-9a-f]+ in mkpkgs\.lock"
    ):
        Driver().build(project, lock, "all", bench.root / "elsewhere", Silent())


def test_a_version_that_nobody_has_is_told(bench: Bench) -> None:
    bench.change('["./atlas"]', '["./atlas", "ink==9"]')
    with pytest.raises(BuildError, match=r"^plugin atlas wants ink==9, and \S+ has no wheel of it"):
        bench.lock()


def test_compiled_wheels_are_for_one_python_and_one_processor(bench: Bench) -> None:
    tag = "cp311-cp311-manylinux_2_17_{}"
    for machine in ("x86_64", "aarch64"):
        wheel(bench.index, "ink", tag=tag.format(machine), files={"ink.so": machine})
    wheel(bench.index, "ink", "2.0", tag="cp311-cp311-manylinux_2_40_x86_64")
    wheel(bench.index, "ink", "3.0", tag="cp312-cp312-manylinux_2_17_x86_64")
    bench.change('["all"]', '["amd64", "arm64"]')
    bench.change('"3.9+"', '"3.11"')
    bench.change('["./server"]', '["./server", "ink"]')
    locked = tomllib.loads(bench.lock().text)["python"]["wheel"]
    assert [(row["architecture"], row["version"]) for row in locked] == [("amd64", "1.0"), ("arm64", "1.0")]
    outcome = bench.build("arm64")
    (found,) = (entry for entry in outcome.core.entries if entry.path.endswith("/ink.so"))
    assert found.content is not None
    assert found.content.read() == b"aarch64"
    below = (Relation("python3", "<", "3.12"),)
    assert outcome.core.depends["deb"] == ((Relation("python3", ">=", "3.11"),), below)
    assert outcome.core.depends["rpm"] == ((Relation("python(abi)", "=", "3.11"),),)
    program = next(entry for entry in outcome.core.entries if entry.path.endswith("/shelf-core"))
    assert program.content is not None
    assert program.content.read().startswith(b"#!/usr/bin/python3.11 -IS\n")


TAGS = {
    "own": "cp311-cp311-manylinux_2_17_x86_64",
    "stable": "cp38-abi3-manylinux2014_x86_64",
    "pure": "py2.py3-none-any",
    "program": "py3-none-manylinux_2_36_x86_64",
    "newer": "cp312-cp312-manylinux_2_17_x86_64",
    "stabler": "cp312-abi3-manylinux_2_17_x86_64",
    "glibc": "cp311-cp311-manylinux_2_39_x86_64",
    "anywhere": "cp311-cp311-linux_x86_64",
    "arm": "cp311-cp311-manylinux_2_17_aarch64",
}


@pytest.mark.parametrize("platform", [Platform("3.11", "amd64", "2.36"), Platform("3.9+", "all", "2.34")])
def test_a_wheel_of_an_author_is_taken_if_pip_would_take_it(bench: Bench, platform: Platform) -> None:
    made = {name: Wheel(wheel(bench.index, name, tag=tag)) for name, tag in TAGS.items()}
    for name in TAGS:
        wheel(bench.index, name, "0.1")
    taken = {pin.name for pin in pip.resolve(list(TAGS), platform) if pin.version == "1.0"}
    assert taken == {name for name, one in made.items() if not list(fit.wheel(one, platform, [platform.version]))}
    assert taken >= {"pure"}


def test_the_abi_is_python_and_the_version_of_the_interface(bench: Bench) -> None:
    first = bench.build().abi
    bench.change("the atlas", "the big atlas", "atlas/shelf_atlas.py")
    bench.change('= "1.0", "1"', '= "1.1", "1"', "server/shelf/__init__.py")
    bench.change('version = "1.0"', 'version = "1.1"')
    assert bench.build().abi == first
    bench.change('api = "1"', 'api = "2"\naccepts = ["1"]')
    bench.change('requires = ["./novel"]', 'requires = ["./novel"]\npython.api = "1"')
    outcome = bench.build()
    assert (outcome.abi != first, outcome.accepts, outcome.plugins["novel"].abi) == (True, (first,), first)
    bench.change('"3.9+"', '"3.11"')
    assert bench.build().accepts != (first,)


def test_markers_are_judged_for_the_target_and_not_for_this_python(tmp_path: Path) -> None:
    """pip judges them by itself, so what it left out is told."""
    made = Wheel(wheel(tmp_path, "ink", requires=("water; python_version < '3.9'", "oil; extra == 'thick'")))
    platform = Platform("3.11", "amd64", "2.36")
    assert closure.find(["ink"], {"ink": made}, platform, ()) == ["ink"]
    with pytest.raises(BuildError, match="ink needs water"):
        closure.find(["ink"], {"ink": made}, Platform("3.8", "amd64", "2.36"), ())
    with pytest.raises(BuildError, match="ink needs oil"):
        closure.find(["ink[thick]"], {"ink": made}, platform, ())
    assert closure.find(["ink[thick]"], {"ink": made}, platform, ("Oil",)) == ["ink"]


@pytest.mark.parametrize("name", ["../../etc/cron.d/x", "/etc/passwd", "a//b", "x\n.py", "x\x1b.py"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    made = Wheel(wheel(tmp_path, "ink", files={name: "x"}))
    with pytest.raises(BuildError) as caught:
        made.unpack(tmp_path / "out")
    assert (
        caught.value.message == f"the wheel {made.path.name}: no file of server or plugins can have the name {name!r}"
    )
    # Whether it is the server's own wheel, a wheel does not know.
    assert caught.value.hint.startswith("rename it where ink is made, or leave it out of the wheel; if another wheel")
    assert not (tmp_path / "etc").exists()


def test_names_with_blanks_and_signs_are_unpacked(tmp_path: Path) -> None:
    """As setuptools has them, and devpi: `script (dev).tmpl`, `+searchdoc`, `a=b`."""
    names = ["setuptools/script (dev).tmpl", "ink/a=b.txt", "ink/+searchdoc/@x", "ink/caf\u00e9", "-rf"]
    made = Wheel(wheel(tmp_path, "ink", files={name: f"text of {name}" for name in names}))
    assert set(names) <= set(made.unpack(tmp_path / "out"))
    assert [(tmp_path / "out" / name).read_text() for name in names] == [f"text of {name}" for name in names]


def test_scripts_and_files_for_other_places_are_left_out(tmp_path: Path) -> None:
    files = {f"ink-1.0.data/{kind}/ink.{kind}": "x" for kind in ("purelib", "platlib", "scripts", "data", "headers")}
    made = Wheel(wheel(tmp_path, "ink", files=files))
    assert [name for name in made.unpack(tmp_path / "out") if "dist-info" not in name] == ["ink.platlib", "ink.purelib"]


def test_what_is_no_wheel_is_told(tmp_path: Path) -> None:
    (tmp_path / "ink.whl").write_text("text")
    with pytest.raises(BuildError, match=r"ink\.whl is no wheel"):
        _ = Wheel(tmp_path / "ink.whl").metadata


def test_a_project_is_built_again_when_a_file_of_it_changes(bench: Bench) -> None:
    cache = bench.root / ".mkpkgs/local"
    first = pip.build(bench.root / "atlas", cache, bench.root, isolated=False)
    assert pip.build(bench.root / "atlas", cache, bench.root, isolated=False) == first
    bench.change("the atlas", "the map", "atlas/shelf_atlas.py")
    second = pip.build(bench.root / "atlas", cache, bench.root, isolated=False)
    assert second != first
    assert not list((bench.root / "atlas").glob("*.egg-info")), "the folder is left as it was"


def test_a_project_that_is_another_when_it_is_built_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python, "_is_built_from", lambda wheel, project, text: text != "./atlas")
    with pytest.raises(BuildError, match=r"^plugin\.atlas\.python\.requires: '\./atlas' changed while it was built"):
        bench.build()


def test_bad_settings_are_told_with_what_to_write(bench: Bench) -> None:
    bench.change('"3.9+"', '"3"')
    bench.change('"shelf:main"', '"shelf.main"')
    bench.change(
        '["./atlas"]',
        '["./nothing", "ink @ https://example.org/ink.whl", "-r x", "ink-1.0-py3-none-any.whl", "ink=1", '
        '"ink; python < 3"]',
    )
    bench.change('["./novel"]', "[]")
    said = bench.problems()
    for reason in (
        r"""mkpkgs.toml:\d+: core.python.python: '3' is no version; write for example "3.11", or "3.9\+\"""",
        r"mkpkgs.toml:\d+: core.python.main: 'shelf.main' is no entry point; write for example",
        r"mkpkgs.toml:\d+: plugin.atlas.python.requires: there is no Python project in ./nothing",
        r"mkpkgs.toml:\d+: plugin.atlas.python.requires: 'ink @ https://example.org/ink.whl' is an address",
        r"""python.requires: 'ink-1.0-py3-none-any.whl' is the name of a file; write './ink-1.0-py3-none-any.whl'""",
        r"python.requires: 'ink=1' is no requirement; write 'ink==1'",
        r"python.requires: 'ink; python < 3' is no requirement: .*; write `name==version`",
        r"mkpkgs.toml:\d+: plugin.atlas.python.requires: '-r x' is no requirement",
        r"mkpkgs.toml:\d+: plugin.novel.python.requires: is empty",
    ):
        assert re.search(reason, said), said


def test_what_the_server_or_a_plugin_is_has_no_marker(bench: Bench) -> None:
    bench.change('["./atlas"]', """["ink==1; python_version < '3'", "novel; extra == 'x'"]""")
    said = bench.problems()
    assert "is the first, which is the server or the plugin itself, on every target; write 'ink==1'" in said
    assert "asks for an extra, and a project has none; take that out of the marker" in said


def test_targets_without_that_python_are_told(bench: Bench) -> None:
    bench.change('["debian12", "el9"]', '["debian12", "debian13", "el9"]')
    bench.change('"3.9+"', '"3.11"')
    assert "core.python.python: debian13 has Python 3.13, not 3.11; take debian13 out" in bench.problems()
    bench.change('"3.11"', '"3.11+"')
    assert "el9 has Python 3.9 or 3.11 or 3.12, not 3.11 or newer" in bench.problems()


def test_root_compiles_plugins_and_imports_none(bench: Bench, tmp_path: Path) -> None:
    """The arrange step runs as root: whatever a plugin does when it is imported, it does not do there."""
    serving = tmp_path / "usr/lib/shelf/bin/serving"
    mark = tmp_path / "imported"
    evil = f"open({str(mark)!r}, 'w')\n"
    for file in ("plugins/atlas/shelf_atlas.py", "plugins/atlas/sitecustomize.py", "plugins/atlas/compileall.py"):
        (serving / file).parent.mkdir(parents=True, exist_ok=True)
        (serving / file).write_text(evil)
    (serving / "plugins/atlas/evil.pth").write_text(f"import os; {evil}")
    (serving / "plugins/atlas/broken.py").write_text("def (\n")
    (serving / "loader").mkdir()
    site = tmp_path / "usr/lib/shelf/bin/site"
    (site / "shelf").mkdir(parents=True)
    (site / "shelf/__init__.py").write_text(evil)
    script = Driver().target(load(bench.file)).arrange
    script = script.replace("/usr/lib/shelf", f"{tmp_path}/usr/lib/shelf").replace("/usr/bin/python3", sys.executable)
    for _ in range(2):
        subprocess.run(
            ["sh", "-s", serving, "atlas"], input=script, text=True, check=True, cwd=serving / "plugins/atlas"
        )
        compiled = {path.name.partition(".")[0]: path for path in serving.rglob("__pycache__/*.pyc")}
        assert set(compiled) == {"shelf_atlas", "sitecustomize", "compileall", "__init__"}
        # PEP 552: the flags say that the source is not looked at, so the same source gives the same bytes at any time.
        assert all(path.read_bytes()[4:8] == b"\1\0\0\0" for path in compiled.values())
        shutil.rmtree(serving / "loader/site")
    assert not mark.exists()
    assert (serving / "loader/path").read_text() == "loader/site\nplugins/atlas\n"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "shlef:main",
            r"no wheel of the server has the module 'shlef'; did you mean 'shelf:main'\?",
        ),
        ("shelf:mian", r"the module 'shelf' has no 'mian'; did you mean 'shelf:main'\?"),
        ("shelf:Zebra.run", r"the module 'shelf' has no 'Zebra'; did you mean 'shelf:main'\?"),
        ("late:main", r"no wheel of the server has the module 'late'; did you mean 'shelf:main'\?"),
    ],
)
def test_an_entry_point_that_no_wheel_has_is_told_with_those_that_are_there(bench: Bench, said: str, told: str) -> None:
    bench.change('"shelf:main"', f'"{said}"')
    with pytest.raises(ProjectError, match=r"mkpkgs\.toml:15: core\.python\.main: " + told):
        bench.build()


@pytest.mark.parametrize(
    "source",
    [
        "from shelf.late import *\n",
        "def __getattr__(name):\n    return print\n",
        "globals()['start'] = print\n",
        "if True:\n    import os.path as start\n",
        "try:\n    from x import start\nexcept ImportError:\n    pass\n",
        "class start:\n    pass\n",
        "start: object = print\n",
        "def make():\n    global start\n    start = print\n",
        "this is = the Python of another time\n",
    ],
)
def test_an_entry_point_is_taken_where_it_may_be_there(tmp_path: Path, source: str) -> None:
    """Nothing is imported to see it, so what cannot be seen is left to the machine that tries."""
    made = Wheel(wheel(tmp_path, "ink", files={"ink/shop.py": source}))
    files = {made.name: made.unpack(tmp_path / "out")}
    for main in ("ink.shop:start", "ink.shop:start.now", "http.server:main"):
        assert not list(asked.main(main, [made], files, lambda name: tmp_path / "out"))


def test_a_compiled_module_and_the_scripts_of_others_are_known(tmp_path: Path) -> None:
    points = "[console_scripts]\nInk = ink.Shop:start [thick]\n[shelf.plugins]\nink = ink\n"
    files = {"ink.cpython-311-x86_64-linux-gnu.so": "", "ink-1.0.dist-info/entry_points.txt": points}
    made = Wheel(wheel(tmp_path, "ink", files=files))
    known = {made.name: made.unpack(tmp_path / "out")}
    assert not list(asked.main("ink:start", [made], known, lambda name: tmp_path / "out"))
    assert made.scripts == {"Ink": "ink.Shop:start"}
    ((_, what, instead),) = asked.main("inc:start", [made], known, lambda name: tmp_path / "out")
    assert (what, instead) == ("no wheel of the server has the module 'inc'", "did you mean 'ink.Shop:start'?")


def refused(bench: Bench) -> list[str]:
    """What the build says of the project file, from the number of the line on."""
    with pytest.raises(ProjectError) as caught:
        bench.build()
    return [str(problem).partition("toml:")[2] for problem in caught.value.problems]


def test_names_that_nothing_requires_are_told_where_they_are_left_out(bench: Bench) -> None:
    wheel(bench.index, "paper", requires=("Pulp.Mill; python_version < '3'", "lint; extra == 'dev'"))
    wheel(bench.index, "pulp-mill")
    wheel(bench.index, "ink", requires=("paper",))
    bench.change('["./server"]', '["./server", "ink"]\nwithout = ["papre", "pulp_mill", "lint"]')
    bench.change('["./atlas"]', '["./atlas"]\npython.without = ["nothing"]')
    assert refused(bench) == [
        "15: core.python.without: nothing here requires 'papre'; did you mean 'paper'?",
        "28: plugin.atlas.python.without: nothing that the plugin has requires 'nothing'; take it out",
    ]
    bench.change('["papre", "pulp_mill", "lint"]', '["Paper"]')
    bench.change('["./atlas"]\npython.without = ["nothing"]', '["./atlas", "ink"]\npython.without = ["paper"]')
    assert "paper.py" not in names(bench.build())


def test_extras_that_a_wheel_has_not_are_told(bench: Bench) -> None:
    """pip only warns, and takes the wheel without."""
    wheel(bench.index, "ink", extras=("thick-paint", "thin"))
    wheel(bench.index, "glue")
    wheel(bench.index, "book", requires=("ink[nothing]",))
    bench.change('["./server"]', '["./server", "ink[thik_paint]"]')
    bench.change('["./atlas"]', '["./atlas", "glue[strong]>=1", "ink[Thick_Paint]", "book"]')
    assert refused(bench) == [
        "14: core.python.requires: ink 1.0 has no extra 'thik_paint'; did you mean 'thick-paint'?",
        "26: plugin.atlas.python.requires: glue 1.0 has no extra 'strong'; it has none: write 'glue>=1'",
    ]


@pytest.mark.parametrize(
    ("core", "atlas", "novel", "said"),
    [
        ("paper==1", "paper == 2", "", {"the core wants paper==1", "plugin atlas wants paper==2"}),
        ("", "ink", "glue", {"ink 1.0 of plugin atlas needs paper==1", "glue 1.0 of plugin novel needs paper==2"}),
        (
            *("ink", "book", "ink"),
            {"ink 1.0 of the core and plugin novel needs paper==1", "glue 1.0 of plugin atlas needs paper==2"},
        ),
        (
            *("./ink-1.0-py3-none-any.whl", "paper>=2", ""),
            {"ink 1.0 of the core needs paper==1", "plugin atlas wants paper>=2"},
        ),
    ],
)
def test_requirements_that_do_not_go_together_are_told_with_those_who_have_them(
    bench: Bench, core: str, atlas: str, novel: str, said: set[str]
) -> None:
    for version in ("1", "2"):
        wheel(bench.index, "paper", version)
    for place in (bench.index, bench.root):
        wheel(place, "ink", requires=("paper==1",))
    wheel(bench.index, "glue", requires=("paper==2",))
    wheel(bench.index, "book", requires=("glue",))
    for folder, text in (("server", core), ("atlas", atlas), ("novel", novel)):
        if text:
            bench.change(f'["./{folder}"]', f'["./{folder}", "{text}"]')
    with pytest.raises(BuildError) as caught:
        bench.lock()
    assert {*caught.value.message.removeprefix("these do not go together: ").split("; ")} == said
