"""Servers out of wheels: Datasette and its plugins, and what an old set keeps while a new one is refused."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import roots
from tests.acceptance.libraries import LibrariesDnf
from tests.acceptance.test_every_driver import Sample, answer, change
from tests.authors.world import author
from tests.systems import Apt, System
from tests.workspace import Workspace

pytestmark = pytest.mark.acceptance

EXAMPLE = Path(__file__).parent.parent.parent / "examples/datasette"
HELLO_TABLES = """
[plugin.hello]
summary = "Says hello"
version = "1.0"
python.requires = ["./hello"]

[repository]
url = "http://127.0.0.1:8000"
"""
ODD_NAMES = ("__init__.py", "script (dev).tmpl", "a=b (c).py", "@caf\u00e9.txt")
PLUGINS = ("block-robots", "pretty-json", "who")
BIN = "/usr/lib/datasette/bin"


class Python(Apt):
    """Debian 12 with its Python."""

    base_name = "debian12-python"


@pytest.fixture(scope="session")
def example(shared: Path) -> Workspace:
    """The example, built."""
    with roots.locked(shared / "datasette.lock"):
        if not (shared / "datasette/done").exists():
            shutil.rmtree(shared / "datasette", ignore_errors=True)
            Workspace.create(EXAMPLE, shared / "datasette").quick().mkpkgs()
            (shared / "datasette/done").touch()
    return Workspace.at(shared / "datasette")


@pytest.fixture(scope="class")
def debian(bootable: None, example: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Python]:
    with Python(example.dist, tmp_path_factory.mktemp("datasette") / "machine", "datasette") as system:
        system.use()
        yield system


def ask(system: System, path: str) -> str:
    retry = ("--retry", "30", "--retry-connrefused", "--retry-delay", "1")
    return system.run("curl", "-s", *retry, f"http://127.0.0.1:8001{path}").stdout


class TestDatasette:
    """One machine; each test goes on where the last one ended."""

    def test_the_server_alone(self, debian: Python) -> None:
        debian.install("datasette")
        assert "<title>Our data: data</title>" in ask(debian, "/")
        assert ask(debian, "/-/plugins.json") == "[]"
        assert debian.run("datasette", "--version").stdout == "datasette, version 0.65.5\n"

    def test_plugins_are_found_by_their_entry_points(self, debian: Python) -> None:
        debian.install(*debian.plugin(*PLUGINS))
        assert ask(debian, "/-/who") == "datasette"
        assert ask(debian, "/robots.txt") == "User-agent: *\nDisallow: /"
        found = ask(debian, "/-/plugins.json")
        assert all(f'"datasette-{name}"' in found for name in PLUGINS)
        assert debian.starts() == 2
        assert debian.run("datasette-plugins", "status").returncode == 0

    def test_a_plugin_of_another_author_is_installed_beside_them_and_answers(
        self, debian: Python, example: Workspace, tmp_path: Path
    ) -> None:
        # As the example's own, by another name.
        source = Workspace.at(tmp_path).root / "hello"
        source.mkdir(parents=True)
        for name in ("pyproject.toml", "datasette_who.py"):
            text = (EXAMPLE / "who" / name).read_text()
            (source / name.replace("who", "hello")).write_text(text.replace("who", "hello"))
        # As setuptools has them within its own wheel.
        with (source / "pyproject.toml").open("a") as settings:
            settings.write('packages = ["hello_data"]\n[tool.setuptools.package-data]\nhello_data = ["*"]\n')
        (source / "hello_data").mkdir()
        for name in ODD_NAMES:
            (source / "hello_data" / name).write_text("# data\n")
        project = author(tmp_path, "datasette", example.dist, "python", HELLO_TABLES)
        project.mkpkgs()
        debian.put(project.dist / "acme-datasette.pub", "/etc/datasette/keys.d/acme-datasette.pub")
        debian.sh("rm -rf /var/lib/apt/lists/*")
        debian.use(project.dist)
        debian.install(*debian.plugin("hello"))
        assert ask(debian, "/-/hello") == "datasette"
        assert ask(debian, "/-/who") == "datasette"
        found = debian.path(f"{BIN}/serving/plugins/hello/hello_data").rglob("*.*")
        assert {path.name for path in found} == {*ODD_NAMES, "__init__.cpython-311.pyc", "a=b (c).cpython-311.pyc"}
        assert debian.run("datasette-plugins", "status").returncode == 0
        debian.remove(*debian.plugin("hello"))
        debian.sh("rm -rf /var/lib/apt/lists/*")
        debian.use(example.dist)

    def test_byte_code_is_there_before_the_first_start(self, debian: Python) -> None:
        """The service cannot write it, and the modules of the server come from the set, not from what is installed."""
        compiled = debian.sh(f"find {BIN}/serving/ -name '*.pyc' | wc -l").strip()
        assert int(compiled) > 400
        assert debian.sh(f"find {BIN}/site -name '*.pyc'") == ""
        shown = "print(datasette_who.__cached__, datasette.__file__, sys.flags.isolated); sys.exit()"
        edit = f"s/^from datasette.*/import datasette_who, datasette; {shown}/"
        program = debian.sh(f"sed '{edit}' {BIN}/datasette-core >/root/where; python3 -IS /root/where")
        place = debian.run("readlink", "-f", f"{BIN}/serving").stdout.strip()
        cached, module, isolated = program.split()
        assert cached == f"{place}/plugins/who/__pycache__/datasette_who.cpython-311.pyc"
        assert module == f"{place}/loader/site/datasette/__init__.py"
        assert isolated == "1"

    def test_a_plugin_that_cannot_be_imported_never_serves(
        self, debian: Python, example: Workspace, tmp_path: Path
    ) -> None:
        project = example.copy(tmp_path / "broken")
        file = project.root / "who/datasette_who.py"
        file.write_text(f"import nothing_of_this_name\n{file.read_text()}")
        manifest = project.root / "mkpkgs.toml"
        manifest.write_text(manifest.read_text().replace("[plugin.who]\n", '[plugin.who]\nrelease = "2"\n'))
        project.mkpkgs()
        debian.use(project.dist)
        done = debian.upgrade()
        assert "ModuleNotFoundError: No module named 'nothing_of_this_name'" in done.stdout
        assert "the old set goes on serving" in done.stdout
        assert ask(debian, "/-/who") == "datasette"

    def test_removal_leaves_nothing(self, debian: Python) -> None:
        debian.remove(*debian.plugin("who"))
        assert "datasette-who" not in ask(debian, "/-/plugins.json")
        debian.purge()
        assert debian.sh("ls -d /usr/lib/datasette /usr/share/datasette /etc/datasette 2>/dev/null || :") == ""


def test_dnf_and_rpm_carry_it_too(bootable: None, example: Workspace, tmp_path: Path) -> None:
    with LibrariesDnf(example.dist, tmp_path / "machine", "datasette") as system:
        system.use()
        system.install("datasette", *system.plugin(*PLUGINS))
        system.enable()
        assert ask(system, "/-/who") == "datasette"
        assert all(f'"datasette-{name}"' in ask(system, "/-/plugins.json") for name in PLUGINS)
        system.remove(*system.plugin("who"))
        assert "datasette-who" not in ask(system, "/-/plugins.json")
        assert '"datasette-pretty-json"' in ask(system, "/-/plugins.json")
        system.purge()
        assert system.sh("ls -d /usr/lib/datasette /usr/share/datasette /etc/datasette 2>/dev/null || :") == ""


def test_the_old_set_keeps_its_own_wheels(bootable: None, shared: Path, tmp_path: Path) -> None:
    """The new core is installed and refused: what the old one imports from now on must be its own."""
    sample = Sample.build("python", shared)
    project = sample.state("next").copy(tmp_path / "next")
    change(project, {"file": "atlas/shelf_atlas.py", "old": 'API = "2"', "new": 'raise RuntimeError("no map")'})
    project.replace("mkpkgs.toml", version="2.0.1")
    project.mkpkgs()
    with Python(sample.state("first").dist, tmp_path / "machine", "shelf") as system:
        system.use()
        system.install("shelf", *system.plugin("atlas"))
        assert answer(system) == ("1.0", ["atlas"])
        system.use(project.dist)
        assert "RuntimeError: no map" in system.upgrade().stdout
        assert system.installed()["shelf"] == "2.0.1-1"
        assert system.sh("cat /usr/lib/shelf/bin/site/shelf/late.py") == 'TEXT = b"late 2.0\\n"\n'
        assert system.run("curl", "-s", "http://127.0.0.1:8080/late").stdout == "late 1.0\n"
        system.sh("systemctl restart shelf")
        assert answer(system) == ("1.0", ["atlas"])
