"""lighttpd from Debian's source with two of its modules: the example, on a real machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import roots
from tests.acceptance.conftest import EXAMPLES
from tests.acceptance.libraries import provide_libraries
from tests.sources import debian_source
from tests.systems import Apt, Dnf, System
from tests.workspace import Workspace

pytestmark = pytest.mark.acceptance

LOADER = "/usr/lib/lighttpd/bin/serving/loader/modules.conf"
PAGE = "http://127.0.0.1:8080/index.shtml"


@pytest.fixture(scope="session")
def lighttpd(shared: Path) -> Path:
    """`older`, and `project/dist` with the next release, in which a header that modules see is another one.

    MKPKGS_TEST_LIGHTTPD names a directory to keep them in from run to run, for those who work on the tests.
    """
    place = Path(os.environ.get("MKPKGS_TEST_LIGHTTPD") or shared / "lighttpd")
    with roots.once(place) as missing:
        if missing:
            example = place / "example"
            shutil.copytree(EXAMPLES / "lighttpd", example)
            shutil.copytree(debian_source("lighttpd"), example / "lighttpd-1.4.69")
            project = Workspace.create(example, place)
            project.mkpkgs()
            shutil.copytree(project.dist, place / "older")
            file = project.root / "mkpkgs.toml"
            file.write_text(file.read_text().replace('version = "1.4.69"', 'version = "1.4.69"\nrelease = "2"', 1))
            with (project.root / "lighttpd-1.4.69/src/plugin.h").open("a") as header:
                header.write("/* The next release. */\n")
            project.mkpkgs()
    return place


@pytest.fixture
def server(kind: type[System], bootable: None, lighttpd: Path, tmp_path: Path) -> Iterator[System]:
    with kind(lighttpd / "older", tmp_path / "machine", "lighttpd") as system:
        if isinstance(system, Dnf):
            provide_libraries(system, system.dist)
        system.use()
        yield system


def ask(system: System, address: str) -> str:
    limits = ("--max-time", "5", "--retry", "10", "--retry-all-errors", "--retry-delay", "1")
    return system.run("curl", "-sS", *limits, address, check=False).stdout


def test_modules_come_answer_are_upgraded_and_go(server: System, lighttpd: Path) -> None:
    server.install("lighttpd")
    if not server.is_active():
        server.enable()
    server.write("/var/lib/lighttpd/index.shtml", 'It is <!--#echo var="SERVER_NAME" -->.\n')
    assert "#echo" in ask(server, PAGE)
    server.install(*server.plugin("status", "ssi"))
    assert server.sh(f"cat {LOADER}") == 'server.modules += ( "mod_ssi", "mod_status" )\n'
    assert server.starts() == 2
    server.write("/etc/lighttpd/conf.d/ours.conf", 'ssi.extension = (".shtml")\nstatus.status-url = "/status"\n')
    server.run("systemctl", "restart", "lighttpd")
    assert ask(server, PAGE) == "It is 127.0.0.1.\n"
    assert "lighttpd/1.4.69" in ask(server, "http://127.0.0.1:8080/status")
    starts = server.starts()

    # Exact lockstep: another header is another ABI.
    abi = server.sh("cat /usr/share/lighttpd/abi")
    server.use(lighttpd / "project/dist")
    server.upgrade()
    assert set(server.installed().values()) == {"1.4.69-2"}
    assert server.sh("cat /usr/share/lighttpd/abi") != abi
    assert server.starts() == starts + 1
    assert ask(server, PAGE) == "It is 127.0.0.1.\n"

    server.remove(*server.plugin("ssi"))
    assert server.sh(f"cat {LOADER}") == 'server.modules += ( "mod_status" )\n'
    assert "#echo" in ask(server, PAGE)
    assert "lighttpd/1.4.69" in ask(server, "http://127.0.0.1:8080/status")
    assert server.run("lighttpd-plugins", "status").returncode == 0
    server.purge()
    assert server.installed() == {}
    assert server.run("test", "-e", "/usr/lib/lighttpd", check=False).returncode == 1


@pytest.mark.parametrize("kind", [Apt])
def test_a_module_that_cannot_be_loaded_stays_out(server: System, lighttpd: Path) -> None:
    server.install("lighttpd", *server.plugin("status"))
    server.write("/etc/lighttpd/conf.d/ours.conf", 'status.status-url = "/status"\n')
    server.run("systemctl", "restart", "lighttpd")
    assert "lighttpd/1.4.69" in ask(server, "http://127.0.0.1:8080/status")
    # The configuration names what nobody has, so no set can be good.
    server.write("/etc/lighttpd/conf.d/wrong.conf", 'server.modules += ("mod_missing")\n')
    said = server.install(*server.plugin("ssi")).stdout
    assert "when the configuration was checked" in said
    assert "mod_missing" in said
    assert "the old set goes on serving: lighttpd with status" in said
    assert "lighttpd/1.4.69" in ask(server, "http://127.0.0.1:8080/status")
