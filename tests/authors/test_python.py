"""Wheels for somebody else's server; the judges are pip, Python and dpkg-deb."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from packaging_tool.wheels import fit
from tests.authors.world import author, edit, said
from tests.drivers.test_python import wheel
from tests.workspace import Workspace

SAMPLE = Path(__file__).parent.parent / "samples/shelf"
TABLE = """
[plugin.{name}]
summary = "An author's plugin"
version = "2.0"
{more}
[plugin.{name}.python]
requires = ["{requires}"]
{own}
"""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in place of an index, for maintainer and author."""
    place = tmp_path_factory.mktemp("index")
    for version in ("1.0", "2.0"):
        wheel(place, "paper", version)
        wheel(place, "dye", version)
    wheel(place, "glue", requires=("paper>=2",))
    wheel(place, "yarn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(place))
        yield place


@pytest.fixture(scope="module")
def shelf(index: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The published server, which has paper 1.0, and its plugin atlas, which brings dye 1.0."""
    core = Workspace.create(SAMPLE, tmp_path_factory.mktemp("shelf"))
    edit(core, "server/pyproject.toml", "[project.scripts]", 'dependencies = ["paper<2"]\n\n[project.scripts]')
    edit(core, "atlas/pyproject.toml", '["shelf"]', '["shelf", "dye<2"]')
    core.mkpkgs()
    return core


@pytest.fixture(scope="module")
def acme(shelf: Workspace, index: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, str]:
    """The author's project with plugins of many kinds, and what `mkpkgs check` said."""
    place = tmp_path_factory.mktemp("acme")
    root = Workspace.at(place).root
    root.mkdir(parents=True)
    made = {
        "fine": wheel(root, "fine", requires=("shelf", "paper>=1", "yarn"), files=pointing("fine", "fine:NAME")),
        "garbled": wheel(root, "garbled", files={"garbled-1.0.dist-info/entry_points.txt": "garbled = garbled:NAME\n"}),
        "hollow": wheel(root, "hollow", files=pointing("hollow", "hollow_plugin.main [extra]")),
        "modern": wheel(root, "modern", python=">=3.12"),
        "machine": wheel(root, "machine", tag="cp312-cp312-manylinux_2_17_x86_64"),
        "climbing": wheel(root, "climbing", requires=("paper>=2",)),
        "deep": wheel(root, "deep", requires=("glue",)),
        "rival": wheel(root, "rival", requires=("dye==2.0",)),
        "clashing": wheel(root, "clashing", requires=("dye==2.0",)),
        "needy": wheel(root, "needy", requires=("dye",)),
        "hiding": wheel(root, "hiding", files={"paper.py": "NAME = 'false'\n"}),
        "lost": wheel(root, "lost", requires=("nowhere",)),
        "lean": wheel(root, "lean", requires=("dye==2.0",)),
    }
    more = {"clashing": 'clashes = ["atlas"]', "needy": 'needs = ["atlas"]'}
    own = {"lean": 'without = ["dye"]'}
    rows = [
        TABLE.format(name=name, more=more.get(name, ""), own=own.get(name, ""), requires=f"./{path.name}")
        for name, path in made.items()
    ]
    rows.append(TABLE.format(name="old", more="", own='api = "0"', requires="yarn"))
    rows.append(TABLE.format(name="nothing", more="", own="", requires="paper"))
    project = author(place, "shelf", shelf.dist, "python", "".join(rows))
    done = project.mkpkgs("check", "-q", check=False)
    assert done.returncode == 1, done.stdout
    return project, done.stdout


def pointing(name: str, target: str) -> dict[str, str]:
    """A module, an entry point of the server, and one of a program, which no plugin brings."""
    points = f"[shelf.books]\n{name} = {target}\n\n[console_scripts]\n{name} = nowhere:main\n"
    return {f"{name}.py": f"NAME = {name!r}\n", f"{name}-1.0.dist-info/entry_points.txt": points}


def test_a_plugin_that_fits_brings_what_the_core_lacks(acme: tuple[Workspace, str], tmp_path: Path) -> None:
    project = acme[0].copy(tmp_path / "copy")
    text = (project.root / "mkpkgs.toml").read_text()
    tables = [table for table in text.split("\n[plugin.") if re.match(r"fine|clashing|needy", table)]
    (project.root / "mkpkgs.toml").write_text("\n[plugin.".join([text.partition("\n[plugin.")[0], *tables]))
    project.mkpkgs()
    made = {re.split("[_]", path.name)[0].rpartition("-")[2]: path for path in project.dist.rglob("*.deb")}
    assert said_of("rpm", *project.dist.rglob("*.rpm")) == {"noarch"}
    assert said_of("deb", *made.values()) == {"all"}
    assert set(made) == {"fine", "clashing", "needy"}
    subprocess.run(["dpkg-deb", "-x", made["fine"], tmp_path], check=True)
    place = tmp_path / "usr/lib/shelf/plugins/fine"
    assert {path.name for path in place.glob("*.py")} == {"fine.py", "yarn.py"}
    told = "import fine, importlib.metadata as m; print(fine.NAME, m.version('fine'))"
    done = subprocess.run([sys.executable, "-c", told], cwd=place, capture_output=True, text=True, check=True)
    assert done.stdout == "fine 1.0\n"
    needy = subprocess.run(["dpkg-deb", "-c", made["needy"]], capture_output=True, text=True, check=True).stdout
    assert "needy.py" in needy
    assert "dye.py" not in needy


def said_of(form: str, *packages: Path) -> set[str]:
    """Architectures in the words of dpkg or rpm."""
    command = ["dpkg-deb", "-f"] if form == "deb" else ["rpm", "-qp", "--nosignature", "--qf", "%{ARCH}\n"]
    what = ["Architecture"] if form == "deb" else []
    done = [subprocess.run([*command, one, *what], capture_output=True, text=True, check=True) for one in packages]
    return {one.stdout.strip() for one in done}


def test_a_compiled_wheel_is_packaged_for_each_machine_of_the_core(index: Path, tmp_path: Path) -> None:
    core = Workspace.create(SAMPLE, tmp_path / "shelf")
    edit(core, "mkpkgs.toml", '["all"]', '["amd64", "arm64"]')
    edit(core, "mkpkgs.toml", '"3.9+"', '"3.11"')
    (core.root / "mkpkgs.toml").write_text((core.root / "mkpkgs.toml").read_text().partition("[plugin.")[0])
    core.mkpkgs()
    machines = {"x86_64": "amd64", "aarch64": "arm64"}
    for machine in machines:
        wheel(index, "ink", tag=f"cp311-cp311-manylinux_2_17_{machine}", files={"ink.so": machine})
    tables = "".join(TABLE.format(name=name, more="", own="", requires=name) for name in ("ink", "yarn"))
    project = author(tmp_path / "acme", "shelf", core.dist, "python", tables)
    project.mkpkgs()
    for name in ("ink", "yarn"):
        for machine, architecture in machines.items():
            (deb,) = project.dist.rglob(f"shelf-plugin-{name}_*_{architecture}.deb")
            (rpm,) = project.dist.rglob(f"shelf-plugin-{name}-*.{machine}.rpm")
            assert (said_of("deb", deb), said_of("rpm", rpm)) == ({architecture}, {machine})
            subprocess.run(["dpkg-deb", "-x", deb, tmp_path / architecture], check=True)
    for machine, architecture in machines.items():
        plugins = tmp_path / architecture / "usr/lib/shelf/plugins"
        assert (plugins / "ink/ink.so").read_text() == machine
        assert "yarn" in (plugins / "yarn/yarn.py").read_text()


@pytest.mark.parametrize(
    ("plugin", "lines"),
    [
        ("fine", ["fits"]),
        ("clashing", ["fits"]),
        ("needy", ["fits"]),
        # As rival, less what it would bring.
        ("lean", ["fits"]),
        (
            "modern",
            [
                "modern requires Python >=3.12, and the core runs on 3.9, 3.11",
                "repair: lower requires-python of modern, or leave this core out by `versions` in [plugin-of]",
            ],
        ),
        (
            "machine",
            [
                (
                    "machine-1.0-cp312-cp312-manylinux_2_17_x86_64.whl is for cp312-cp312-manylinux_2_17_x86_64, "
                    "and the core takes wheels of every machine alone: py3-none-any"
                ),
                "repair: build it for that, or without compiled code",
            ],
        ),
        (
            "climbing",
            [
                "the core has paper 1.0: climbing needs climbing 1.0 needs paper>=2",
                "repair: let climbing 1.0 take paper 1.0",
            ],
        ),
        (
            "deep",
            [
                "the core has paper 1.0: deep needs deep 1.0 needs glue 1.0 needs paper>=2",
                "repair: use another glue 1.0, that takes paper 1.0",
            ],
        ),
        (
            "rival",
            [
                "brings dye 2.0, and plugin atlas brings dye 1.0: they cannot be in one server",
                'repair: require dye==1.0, or write clashes = ["atlas"]',
            ],
        ),
        (
            "garbled",
            [
                (
                    "garbled-1.0-py3-none-any.whl has an entry_points.txt that nobody can read: "
                    "File contains no section headers."
                )
            ],
        ),
        (
            "hollow",
            [
                (
                    "the entry point hollow (shelf.books) of hollow names the module hollow_plugin.main, "
                    "which is in no wheel"
                ),
                "repair: put hollow_plugin.main into the wheel, or name one that is there",
            ],
        ),
        (
            "hiding",
            [
                "paper of hiding 1.0 is in paper 1.0 of the core, too, and one of them would hide the other",
                "repair: give the module another name, or require paper in place of it",
            ],
        ),
        ("nothing", ["shelf has all of it already", f"repair: {fit.NOTHING}"]),
        (
            "old",
            [
                "it uses the interface 0, and the core has 1",
                "repair: use 1, or leave this core out by `versions` in [plugin-of]",
            ],
        ),
    ],
)
def test_check_names_what_does_not_fit_and_the_repair(
    acme: tuple[Workspace, str], plugin: str, lines: list[str]
) -> None:
    assert said(acme, plugin) == lines


def test_a_distribution_that_nobody_has_is_told(acme: tuple[Workspace, str]) -> None:
    assert re.match(r"lost needs nowhere, and \S+ has no wheel of it for the targets", said(acme, "lost")[0])


def test_abi_diff_names_distributions_that_changed(shelf: Workspace, tmp_path: Path) -> None:
    newer = shelf.copy(tmp_path / "newer")
    edit(newer, "server/pyproject.toml", '"paper<2"', '"paper", "yarn"')
    newer.replace("mkpkgs.toml", version="1.1")
    newer.mkpkgs()
    same = shelf.mkpkgs("abi", "diff", str(shelf.dist), str(newer.dist))
    assert same.stdout.splitlines()[1:] == [
        "  the same ABI: no plugin needs a new build",
        "  what the ABI does not say: paper: 1.0 became 2.0",
        "  what the ABI does not say: yarn 1.0 is new",
    ]
    before = tmp_path / "before"
    shutil.copytree(newer.dist, before)
    edit(newer, "server/pyproject.toml", '"paper", "yarn"', '"paper<2"')
    newer.replace("mkpkgs.toml", version="1.2", api="2")
    newer.mkpkgs()
    other = shelf.mkpkgs("abi", "diff", str(before), str(newer.dist), check=False)
    assert other.stdout.splitlines()[1:] == [
        "  api: 1 became 2",
        "  yarn 1.0 went away",
        "  paper: 2.0 became 1.0",
        "  another ABI: every plugin must be rebuilt: atlas, novel",
    ]


def test_what_was_published_and_damaged_is_refused(shelf: Workspace, tmp_path: Path) -> None:
    """An author's `at` may be any folder; without an index nothing is signed."""
    place = tmp_path / "dev/shelf"
    shutil.copytree(shelf.dist / "dev/shelf", place)
    for name in ("index.toml", "index.toml.sig", "key.pub"):
        (place / name).unlink()
    (site,) = place.glob("*/files/site.toml")
    before = site.read_bytes()
    site.write_bytes(before.replace(b'version = "1.0"', b'version = "../1.0"'))
    description = site.parent.parent / "core.toml"
    (old, new) = (
        subprocess.run(["sha256sum"], input=data, capture_output=True).stdout.split()[0]
        for data in (before, site.read_bytes())
    )
    description.write_bytes(description.read_bytes().replace(old, new))
    project = author(
        tmp_path / "author", "shelf", tmp_path, "python", TABLE.format(name="x", more="", own="", requires="yarn")
    )
    done = project.mkpkgs("check", check=False)
    assert done.returncode == 2
    assert "/files/site.toml is damaged: dist.dye.version: '../1.0' is no version" in done.stdout
