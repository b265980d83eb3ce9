"""Debian's own PostgreSQL with an extension of ours: the example, for two majors that serve side by side."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import roots
from tests.acceptance.conftest import EXAMPLES
from tests.authors.world import author
from tests.sources import debian_files
from tests.systems import Apt
from tests.workspace import Workspace, newest

pytestmark = pytest.mark.acceptance

# Debian's release by major.
RELEASES = {"15": "bookworm", "17": "trixie"}


@pytest.fixture(scope="module")
def visible(shared: Path) -> Iterator[None]:
    """Compilers of a build see these headers and libraries, which lie in no directory of the system."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MKPKGS_SHOW", f"{shared / 'postgresql'}:{roots.cache_directory()}")
        yield


@pytest.fixture(scope="module")
def example(shared: Path, visible: None) -> Workspace:
    """The example, built, with the headers of Debian's packages."""
    place = shared / "postgresql"
    with roots.once(place) as missing:
        if missing:
            for folder in ("include", "lib"):
                (place / folder).mkdir(parents=True)
            for major, suite in RELEASES.items():
                headers = debian_files(f"postgresql-server-dev-{major}", suite) / "usr/include/postgresql"
                (place / "include" / major).symlink_to(headers / major)
                server = debian_files(f"postgresql-{major}", suite) / "usr/lib/postgresql"
                (place / "lib" / major).symlink_to(server / major)
            shutil.copytree(EXAMPLES / "postgresql", place / "example")
            file = place / "example/mkpkgs.toml"
            text = re.sub("/usr/(include|lib)/postgresql", rf"{place}/\1", file.read_text())
            file.write_text(text)
            Workspace.create(place / "example", place).mkpkgs()
    return Workspace.at(place)


# The same function under another name, of somebody who has what is published and nothing else of it.
DONG = """
[plugin.dong]
summary = "Function that says dong in PostgreSQL {abi}"
version = "2.0"
provides = ["postgresql-{abi}-dong"]

[plugin.dong.elf]
source = "dong"
build = [
  ["gcc", "{flags}", "-IHEADERS/{abi}/server", "-o", "dong.so", "dong.c"],
  ["sed", "-i", "s/@ABI@/{abi}/g", "dong.control"],
]
objects = ["dong.so"]
files = [
  { source = "dong.control", path = "/usr/share/postgresql/{abi}/extension/" },
  { source = "dong--1.0.sql", path = "/usr/share/postgresql/{abi}/extension/" },
]
"""


@pytest.fixture(scope="module")
def acme(example: Workspace, shared: Path) -> Workspace:
    """The project of another author, for both majors out of one file."""
    place = shared / "acme-postgresql"
    with roots.once(place) as missing:
        if missing:
            source = Workspace.at(place).root / "dong"
            source.mkdir(parents=True)
            for path in (EXAMPLES / "postgresql/ding").iterdir():
                text = path.read_text().replace("ding", "dong").replace("DING", "DONG")
                (source / path.name.replace("ding", "dong")).write_text(text)
            table = DONG.replace("HEADERS", str(shared / "postgresql/include"))
            author(place, "pg{abi}", example.dist, "elf", table, ("15", "17")).mkpkgs()
    return Workspace.at(place)


def test_an_author_is_told_symbols_that_a_major_has_not(acme: Workspace, tmp_path: Path) -> None:
    project = acme.copy(tmp_path / "acme")
    assert project.mkpkgs("check", "-q").stdout.splitlines() == [
        "pg15 1.0-1 (amd64)",
        "  dong: fits",
        "pg17 1.0-1 (amd64)",
        "  dong: fits",
    ]
    # It came with PostgreSQL 16; for 15 somebody only thinks that it is there.
    file = project.root / "dong/dong.c"
    call = "#if PG_MAJORVERSION_NUM < 16\nextern bool InputFunctionCallSafe();\n#endif\n"
    text = file.read_text().replace("static bool from", f"{call}static bool from")
    taken = "    void *volatile found = (void *) InputFunctionCallSafe;\n    from_the_start = found != NULL && process"
    file.write_text(text.replace("    from_the_start = process", taken))
    done = project.mkpkgs("check", "-q", check=False)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "pg15 1.0-1 (amd64)",
        "  dong: dong.so needs InputFunctionCallSafe, which neither pg15 nor any library of it offers",
        "    repair: did you mean InputFunctionCall?",
        "pg17 1.0-1 (amd64)",
        "  dong: fits",
    ]


class Debian12(Apt):
    """Debian 12 with the one PostgreSQL that it has."""

    base_name = "debian12-postgresql"


class Debian13(Apt):
    """Debian 13 as an upgrade leaves it: with its own PostgreSQL and that of Debian 12."""

    base_name = "debian13-postgresql"


class Server:
    """One of the database servers of a machine, which are Debian's and not ours."""

    def __init__(self, system: Apt, major: str) -> None:
        self.system = system
        self.major = major
        self.loader = f"/usr/lib/pg{major}/bin/serving/loader/postgresql.conf"

    def ask(self, query: str) -> str:
        """What the database answers, or why not."""
        psql = ["psql", "--cluster", f"{self.major}/main", "-Atc", query]
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        return self.system.run(*user, *psql, check=False).stdout.strip()

    def include(self) -> None:
        """What the administrator writes once, so that plugins are there from the start."""
        self.system.write(
            f"/etc/postgresql/{self.major}/main/conf.d/plugins.conf", f"include_if_exists '{self.loader}'\n"
        )

    def restart(self) -> None:
        """As an administrator does it."""
        self.system.run("systemctl", "restart", f"postgresql@{self.major}-main")

    def process(self) -> str:
        return self.system.sh(f"head -n1 /var/lib/postgresql/{self.major}/main/postmaster.pid").strip()


def versions(system: Apt) -> dict[str, str]:
    """Version by name of the packages of both cores that are installed."""
    shown = system.sh("dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\\n' 'pg1[57]*' 2>/dev/null || :")
    return dict(re.findall(r"(?m)^installed (\S+) (\S+)$", shown))


@pytest.fixture
def both(bootable: None, example: Workspace, tmp_path: Path) -> Iterator[tuple[Server, Server, Workspace]]:
    """Debian 13 with both majors, and the project that its repository is made of."""
    made = example.copy(tmp_path / "project")
    with Debian13(made.dist, tmp_path / "machine", "pg15") as system:
        system.use()
        # Debian makes a database for one major by itself.
        system.run("pg_createcluster", "15", "main", "--start")
        yield Server(system, "15"), Server(system, "17"), made


def test_two_majors_serve_their_own_build_of_an_extension_and_change_apart(
    both: tuple[Server, Server, Workspace], acme: Workspace
) -> None:
    old, new, project = both
    system = old.system
    started = old.process(), new.process()
    # By the names that Debian would give them; there is no file that both have.
    system.install("postgresql-15-ding", "postgresql-17-ding")
    assert set(versions(system)) == {"pg15", "pg15-plugin-ding", "pg17", "pg17-plugin-ding"}
    assert system.run("dpkg", "-V", *versions(system), check=False).stdout == ""
    for server in (old, new):
        core = f"pg{server.major}"
        loaded = f"shared_preload_libraries = '/usr/lib/{core}/bin/serving/plugins/ding/"
        assert system.sh(f"cat {server.loader}").startswith(loaded)
        server.ask("CREATE EXTENSION ding")
        assert server.ask("SELECT ding()") == f"ding of {server.major}"
        server.include()
    # Another author's extension comes and goes beside it.
    for server in (old, new):
        core = f"pg{server.major}"
        system.put(acme.dist / "acme-pg.pub", f"/etc/{core}/keys.d/acme-pg.pub")
        system.force(newest(acme.dist, f"{core}-plugin-dong", "deb"))
        server.ask("CREATE EXTENSION dong")
        assert server.ask("SELECT dong()") == f"dong of {server.major}"
        server.ask("DROP EXTENSION dong")
    system.remove("pg15-plugin-dong", "pg17-plugin-dong")
    # Nothing was restarted, and each restart is of one of them.
    assert (old.process(), new.process()) == started
    old.restart()
    assert old.ask("SELECT ding()") == "ding of 15 from the start"
    assert (new.process(), new.ask("SELECT ding()")) == (started[1], "ding of 17")
    new.restart()
    assert new.ask("SELECT ding()") == "ding of 17 from the start"

    # The administrator upgrades the newer one alone.
    started = old.process(), new.process()
    file = project.root / "ding/ding.c"
    file.write_text(file.read_text().replace('"ding of', '"dong of'))
    project.replace("mkpkgs.toml", version="1.1")
    project.mkpkgs()
    system.apt("update", "--error-on=any")
    system.apt("install", "--only-upgrade", "pg17")
    newer = {"pg17": "1.1-1", "pg17-plugin-ding": "1.1-1"}
    assert versions(system) == {"pg15": "1.0-1", "pg15-plugin-ding": "1.0-1"} | newer
    assert (old.process(), new.process()) == started
    assert new.ask("SELECT ding()") == "ding of 17 from the start"
    old.restart()
    new.restart()
    assert old.ask("SELECT ding()") == "ding of 15 from the start"
    assert new.ask("SELECT ding()") == "dong of 17 from the start"

    # And takes the older one's extension away, then all that is ours of it.
    started = old.process(), new.process()
    system.remove("pg15-plugin-ding")
    assert system.sh(f"cat {old.loader}") == "shared_preload_libraries = ''\n"
    assert "ding/ding" in old.ask("SELECT ding()")
    system.apt("purge", "pg15*")
    assert versions(system) == newer
    assert (old.process(), new.process()) == started
    assert system.run("pg17-plugins", "status").returncode == 0
    old.restart()
    new.restart()
    assert old.ask("SELECT 1") == "1"
    assert new.ask("SELECT ding()") == "dong of 17 from the start"
    assert [path for path in system.files() if "pg15" in path] == []


def test_an_extension_that_breaks_the_server_is_never_in_its_way(
    bootable: None, example: Workspace, tmp_path: Path
) -> None:
    project = example.copy(tmp_path / "project")
    with Debian12(project.dist, tmp_path / "machine", "pg15") as system:
        system.use()
        server = Server(system, "15")
        system.install("pg15-plugin-ding")
        server.include()
        file = project.root / "ding/ding.c"
        broken = 'elog(ERROR, "ding broke");\n    from_the_start = process'
        file.write_text(file.read_text().replace("from_the_start = process", broken))
        project.replace("mkpkgs.toml", version="1.1")
        project.mkpkgs("--abi", "15")
        system.apt("update")
        said = system.apt("upgrade").stdout
        assert "ding broke" in said
        assert "the old set goes on serving: pg15 with ding 1.0-1" in said
        server.restart()
        server.ask("CREATE EXTENSION ding")
        assert server.ask("SELECT ding()") == "ding of 15 from the start"
        # What is built for a major is for machines that have it.
        refused = system.apt("install", "pg17-plugin-ding", check=False)
        assert refused.returncode != 0
        assert "postgresql-17" in refused.stdout
