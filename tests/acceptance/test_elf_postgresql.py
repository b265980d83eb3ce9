"""Debian's own PostgreSQL with an extension of ours: the example, for each major that Debian has."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import EXAMPLES
from tests.sources import debian_files
from tests.systems import Apt
from tests.workspace import Workspace

pytestmark = pytest.mark.acceptance

# Debian's release by major.
RELEASES = {"15": ("bookworm", "debian12-postgresql"), "17": ("trixie", "debian13-postgresql")}


def project(major: str, directory: Path) -> Workspace:
    """The example for a major, with the headers of Debian's package."""
    suite, _ = RELEASES[major]
    headers = debian_files(f"postgresql-server-dev-{major}", suite) / "usr/include/postgresql"
    example = directory / "example"
    shutil.copytree(EXAMPLES / "postgresql", example)
    for name in ("mkpkgs.toml", "pg", "ding/ding.control"):
        text = (example / name).read_text().replace("15", major)
        (example / name).write_text(text.replace("/usr/include/postgresql", str(headers)))
    made = Workspace.create(example, directory)
    made.mkpkgs()
    return made


class Server:
    """A machine with Debian's server of a major, and with our repository."""

    def __init__(self, major: str, made: Workspace, directory: Path) -> None:
        self.major = major
        self.project = made
        kind = type("PostgreSQL", (Apt,), {"base_name": RELEASES[major][1]})
        self.system: Apt = kind(made.dist, directory, f"pg{major}")

    def ask(self, query: str) -> str:
        """What the database answers, or why not."""
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "psql", "-Atc", query]
        return self.system.run(*command, check=False).stdout.strip()

    def restart(self) -> None:
        """As an administrator does it."""
        self.system.run("systemctl", "restart", f"postgresql@{self.major}-main")

    def process(self) -> str:
        return self.system.sh(f"head -n1 /var/lib/postgresql/{self.major}/main/postmaster.pid").strip()


@pytest.fixture(params=sorted(RELEASES))
def server(bootable: None, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    made = Server(request.param, project(request.param, tmp_path / "project"), tmp_path / "machine")
    with made.system as system:
        system.use()
        yield made


def test_an_extension_comes_is_upgraded_and_goes_and_nobody_restarts_the_server(server: Server) -> None:
    system, core = server.system, f"pg{server.major}"
    started = server.process()
    # By the name that Debian would give it.
    system.install(f"postgresql-{server.major}-ding")
    assert set(system.installed()) == {core, f"{core}-plugin-ding"}
    place = f"/usr/lib/{core}/bin/serving/loader/postgresql.conf"
    assert system.sh(f"cat {place}").startswith(
        f"shared_preload_libraries = '/usr/lib/{core}/bin/serving/plugins/ding/"
    )
    server.ask("CREATE EXTENSION ding")
    assert server.ask("SELECT ding()") == "ding"

    system.write(f"/etc/postgresql/{server.major}/main/conf.d/plugins.conf", f"include_if_exists '{place}'\n")
    assert server.process() == started
    server.restart()
    assert server.ask("SELECT ding()") == "ding from the start"

    started = server.process()
    file = server.project.root / "ding/ding.c"
    file.write_text(file.read_text().replace('"ding from', '"dong from'))
    server.project.replace("mkpkgs.toml", version="1.1")
    server.project.mkpkgs()
    system.upgrade()
    assert set(system.installed().values()) == {"1.1-1"}
    assert (server.process(), server.ask("SELECT ding()")) == (started, "ding from the start")
    server.restart()
    assert server.ask("SELECT ding()") == "dong from the start"

    started = server.process()
    system.remove(f"{core}-plugin-ding")
    assert system.sh(f"cat {place}") == "shared_preload_libraries = ''\n"
    assert "ding/ding" in server.ask("SELECT ding()")
    assert (server.process(), server.ask("SELECT 1")) == (started, "1")
    system.purge()
    assert system.installed() == {}
    server.restart()
    assert server.ask("SELECT 1") == "1"


@pytest.mark.parametrize("server", ["15"], indirect=True)
def test_an_extension_that_breaks_the_server_is_never_in_its_way(server: Server, tmp_path: Path) -> None:
    system = server.system
    system.install("pg15-plugin-ding")
    place = "/usr/lib/pg15/bin/serving/loader/postgresql.conf"
    system.write("/etc/postgresql/15/main/conf.d/plugins.conf", f"include_if_exists '{place}'\n")
    file = server.project.root / "ding/ding.c"
    file.write_text(
        file.read_text().replace("from_the_start = process", 'elog(ERROR, "ding broke");\n    from_the_start = process')
    )
    server.project.replace("mkpkgs.toml", version="1.1")
    server.project.mkpkgs()
    system.apt("update")
    said = system.apt("upgrade").stdout
    assert "ding broke" in said
    assert "the old set goes on serving: pg15 with ding 1.0-1" in said
    server.restart()
    server.ask("CREATE EXTENSION ding")
    assert server.ask("SELECT ding()") == "ding from the start"
    # What is built for another major is for another core.
    other = project("17", tmp_path / "other")
    (package,) = other.dist.rglob("pg17-plugin-ding_1.0-1_amd64.deb")
    system.put(package, "/root/other.deb")
    refused = system.apt("install", "/root/other.deb", check=False)
    assert refused.returncode != 0
    assert "pg17-abi-" in refused.stdout
