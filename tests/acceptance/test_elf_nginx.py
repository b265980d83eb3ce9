"""nginx from Debian's source with two dynamic modules, one of another source: the example, on a real machine.

The tests of a class are the life of one machine, in order.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import roots
from tests.acceptance.conftest import EXAMPLES
from tests.acceptance.libraries import provide_libraries
from tests.authors.world import author
from tests.sources import debian_source
from tests.systems import Apt, Dnf, System
from tests.workspace import Workspace, newest

pytestmark = pytest.mark.acceptance

ECHO, STREAM = "said by echo", "said by stream"
LOADER = "/usr/lib/nginx/bin/serving/loader/modules.conf"
HELLO = Path(__file__).parent.parent / "samples/nginx-hello"
HELLO_TABLES = """
[plugin.hello]
summary = "Answers with one text"
version = "1.0"

[plugin.hello.elf]
source = "hello"
build = [
  ["env", "-C", "{core}", "./configure", "{configure}", "--add-dynamic-module={source}"],
  ["make", "-C", "{core}", "-f", "objs/Makefile", "objs/ngx_http_hello_module.so"],
]
objects = ["{core}/objs/ngx_http_hello_module.so"]

[repository]
url = "http://127.0.0.1:8000"
"""
# A module that ends the server as soon as it is opened where nginx is configured: not where it is built.
BROKEN = """
#include <unistd.h>
#include <stdlib.h>
static void __attribute__((constructor)) broken(void) { if (access("/etc/nginx/nginx.conf", F_OK) == 0) abort(); }
"""


@dataclass(frozen=True)
class Repositories:
    """What was published, one after the other.

    older: release 1. newer: release 2, with an option that changes what modules see. broken: the same, and a newer
    plugin that cannot be loaded.
    """

    older: Path
    newer: Path
    broken: Path


@pytest.fixture(scope="session")
def nginx(shared: Path) -> Repositories:
    """MKPKGS_TEST_NGINX names a directory to keep it in from run to run, for those who work on the tests."""
    place = Path(os.environ.get("MKPKGS_TEST_NGINX") or shared / "nginx")
    found = Repositories(place / "older", place / "newer", place / "project/dist")
    with roots.once(place) as missing:
        if missing:
            example = place / "example"
            shutil.copytree(EXAMPLES / "nginx", example)
            shutil.copytree(debian_source("nginx"), example / "nginx-1.22.1")
            shutil.copytree(debian_source("libnginx-mod-http-echo"), example / "libnginx-mod-http-echo-0.63")
            project = Workspace.create(example, place)
            project.mkpkgs()
            shutil.copytree(project.dist, found.older)
            change(project, 'version = "1.22.1"', 'version = "1.22.1"\nrelease = "2"')
            option = '  "--with-stream=dynamic",'
            # What the first is compiled and packed for, lintian has judged then.
            change(project, option, f'{option}\n  "--with-http_realip_module",\n  "--with-cc-opt=-O0",')
            project.quick().mkpkgs()
            shutil.copytree(project.dist, found.newer)
            change(project, 'version = "0.63"', 'version = "0.64"')
            source = project.root / "libnginx-mod-http-echo-0.63/src/ngx_http_echo_module.c"
            with source.open("a") as file:
                file.write(BROKEN)
            project.mkpkgs()
    return found


@pytest.fixture(scope="session")
def acme(nginx: Repositories, shared: Path) -> Workspace:
    """A module of somebody who has what is published of the older nginx and nothing else of it."""
    place = shared / "acme-nginx"
    with roots.once(place) as missing:
        if missing:
            shutil.copytree(HELLO, Workspace.at(place).root / "hello")
            project = author(place, "nginx", nginx.older, "elf", HELLO_TABLES)
            project.mkpkgs()
    return Workspace.at(place)


def change(project: Workspace, old: str, new: str) -> None:
    file = project.root / "mkpkgs.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


@pytest.fixture(scope="class")
def server(
    request: pytest.FixtureRequest, bootable: None, nginx: Repositories, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """One machine for a class, at first with the older repository and no package of it."""
    kind: type[System] = request.cls.kind
    with kind(nginx.older, tmp_path_factory.mktemp("nginx") / "machine", "nginx") as system:
        if isinstance(system, Dnf):
            provide_libraries(system, nginx.older)
        system.use()
        yield system


def serve_another(system: System, dist: Path) -> None:
    """Another author's repository at the same address, which apt would take for an attack."""
    system.sh("rm -rf /var/lib/apt/lists/*")
    system.use(dist)


def configure(system: System, *, echo: bool = True, stream: bool = True) -> None:
    """Use the modules in the configuration, or not."""
    system.write("/etc/nginx/conf.d/echo.server", f'location /echo {{ echo "{ECHO}"; }}\n' if echo else "")
    served = f'stream {{ server {{ listen 9000; return "{STREAM}"; }} }}\n' if stream else ""
    system.write("/etc/nginx/conf.d/stream.main", served)
    system.run("systemctl", "reload", "nginx")


def ask(system: System, address: str = "http://127.0.0.1:8080/echo") -> str:
    """What the server answers; a reload takes a moment."""
    done = system.sh(
        f"for _ in 1 2 3 4 5 6 7 8 9 10; do curl -sS --fail --max-time 5 {address} </dev/null && exit; sleep 0.3; done",
        check=False,
    )
    return done.strip().splitlines()[-1] if done.strip() else ""


def ask_stream(system: System) -> str:
    return ask(system, "telnet://127.0.0.1:9000")


def order(system: System) -> list[str]:
    """The modules that the server is told to load, in order."""
    return re.findall(r"load_module \S+/(\S+)\.so;", system.sh(f"cat {LOADER}"))


def process(system: System) -> str:
    return system.sh("systemctl show -p MainPID --value nginx").strip()


def test_lintian_has_nothing_to_say(nginx: Repositories) -> None:
    packages = sorted(nginx.older.rglob("*.deb"))
    assert len(packages) == 7
    said = subprocess.run(["lintian", "--fail-on", "error,warning", *packages], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout


def test_modules_add_less_than_a_second_to_their_compile(nginx: Repositories, tmp_path: Path) -> None:
    """Of processor time, in a run that finds everything compiled: with modules, less the same without."""
    whole = packaging(nginx, tmp_path / "whole", modules=True)
    assert whole - packaging(nginx, tmp_path / "core", modules=False) < 1


def packaging(nginx: Repositories, place: Path, *, modules: bool) -> float:
    project = Workspace(nginx.broken.parent, nginx.broken.parent.parent / "keys").copy(place)
    shutil.rmtree(project.dist)
    # Made of what was compiled; that itself stays.
    shutil.rmtree(project.root / ".mkpkgs/elf/split")
    (project.root / ".mkpkgs/state.json").unlink()
    if not modules:
        file = project.root / "mkpkgs.toml"
        file.write_text(file.read_text().partition("[plugin.")[0])
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    project.mkpkgs()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert len(list(project.dist.rglob("*.deb"))) == (7 if modules else 3)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class Life:
    """From the first installation to the last removal."""

    kind: type[System]

    def test_modules_come_by_a_reload_in_their_order_and_answer(self, server: System) -> None:
        server.install("nginx")
        if not server.is_active():
            server.enable()
        assert "Welcome to nginx" in server.sh("curl -sS --retry 5 --retry-connrefused http://127.0.0.1:8080/")
        first = process(server)
        server.install(*server.plugin("echo"))
        server.install(*server.plugin("stream"))
        assert order(server) == ["ngx_stream_module", "ngx_http_echo_module"]
        configure(server)
        assert ask(server) == ECHO
        assert ask_stream(server) == STREAM
        # The process that listens was there all the time.
        assert process(server) == first
        assert server.starts() == 1
        assert server.run("nginx-plugins", "status").returncode == 0

    def test_a_module_of_another_author_is_installed_beside_them_and_answers(
        self, server: System, nginx: Repositories, acme: Workspace
    ) -> None:
        server.put(acme.dist / "acme-nginx.pub", "/etc/nginx/keys.d/acme-nginx.pub")
        serve_another(server, acme.dist)
        server.install("nginx-plugin-hello")
        assert order(server) == ["ngx_stream_module", "ngx_http_echo_module", "ngx_http_hello_module"]
        server.write("/etc/nginx/conf.d/hello.server", 'location /hello { hello "said by another author"; }\n')
        server.run("systemctl", "reload", "nginx")
        assert ask(server, "http://127.0.0.1:8080/hello") == "said by another author"
        assert (ask(server), ask_stream(server)) == (ECHO, STREAM)
        # So that the core can be upgraded: this author has no build for the next one.
        server.path("/etc/nginx/conf.d/hello.server").unlink()
        server.run("systemctl", "reload", "nginx")
        server.remove("nginx-plugin-hello")
        server.path("/etc/nginx/keys.d/acme-nginx.pub").unlink()
        assert order(server) == ["ngx_stream_module", "ngx_http_echo_module"]
        serve_another(server, nginx.older)

    def test_core_and_modules_are_upgraded_in_lockstep(self, server: System, nginx: Repositories) -> None:
        # What nginx itself says of a module from before, which the next test needs.
        server.sh("cp /usr/lib/nginx/plugins/echo/ngx_http_echo_module.so /root/old.so")
        server.use(nginx.newer)
        server.upgrade()
        assert set(server.installed().values()) == {"1.22.1-2", "0.63+1.22.1-2"}
        assert "realip" in server.sh("nginx -V")
        assert (ask(server), ask_stream(server)) == (ECHO, STREAM)
        assert server.starts() == 2

    def test_a_module_for_another_abi_is_refused_as_nginx_itself_would(
        self, server: System, nginx: Repositories
    ) -> None:
        server.write("/root/old.conf", "load_module /root/old.so;\nevents {\n}\n")
        assert "is not binary compatible" in server.run("nginx", "-t", "-c", "/root/old.conf", check=False).stdout
        before = process(server)
        server.remove(*server.plugin("echo")) if server.suffix == "rpm" else None
        said = server.force(newest(nginx.older, "nginx-plugin-echo", server.suffix)).stdout
        assert "ABI" in said, said
        assert server.run("nginx-plugins", "status", check=False).returncode != 0
        assert (ask(server), process(server)) == (ECHO, before)
        server.install(*server.plugin("echo"))
        assert server.run("nginx-plugins", "status").returncode == 0
        assert (ask(server), process(server)) == (ECHO, before)

    def test_tampered_modules_never_come_into_the_server(self, server: System) -> None:
        before = process(server)
        server.sh("cd /usr/lib/nginx/plugins/echo && cp -p *.so /root/good.so && printf x >>ngx_http_echo_module.so")
        refused = server.run("nginx-plugins", "apply", check=False)
        assert refused.returncode != 0
        assert "ngx_http_echo_module.so" in refused.stdout
        assert ask(server) == ECHO
        server.sh("cp -p /root/good.so /usr/lib/nginx/plugins/echo/ngx_http_echo_module.so; nginx-plugins apply")
        # Nor if somebody changes what the server reads: apply makes it anew.
        server.sh(f"echo 'load_module /tmp/evil.so;' >>{LOADER}")
        assert server.run("nginx-plugins", "status", check=False).returncode != 0
        server.sh("nginx-plugins apply")
        assert order(server) == ["ngx_stream_module", "ngx_http_echo_module"]
        assert (ask(server), process(server)) == (ECHO, before)

    def test_a_module_that_breaks_the_server_stays_out(self, server: System, nginx: Repositories) -> None:
        before = process(server)
        server.use(nginx.broken)
        said = server.upgrade().stdout
        assert server.installed()["nginx-plugin-echo"] == "0.64+1.22.1-2"
        assert "when the configuration was checked" in said
        assert "the old set goes on serving: nginx with stream 1.22.1-2, echo 0.63+1.22.1-2" in said
        assert (ask(server), ask_stream(server), process(server)) == (ECHO, STREAM, before)
        # Also after a crash.
        server.sh(f"kill -9 {before}; sleep 2")
        assert (ask(server), ask_stream(server)) == (ECHO, STREAM)

    def test_a_module_that_is_in_use_does_not_leave_and_then_it_does(self, server: System) -> None:
        configure(server, echo=False)
        assert server.remove(*server.plugin("echo")).returncode == 0
        assert order(server) == ["ngx_stream_module"]
        said = server.remove(*server.plugin("stream")).stdout
        assert 'unknown directive "stream"' in said
        assert ask_stream(server) == STREAM
        configure(server, echo=False, stream=False)
        server.run("nginx-plugins", "apply")
        assert order(server) == []
        assert "Welcome to nginx" in server.sh("curl -sS http://127.0.0.1:8080/")

    def test_debug_information_is_no_plugin(self, server: System) -> None:
        end = "-dbgsym" if server.suffix == "deb" else "-debuginfo"
        server.install("nginx-plugin-stream", f"nginx-plugin-stream{end}")
        listed = server.run("nginx-plugins", "list").stdout
        assert "stream" in listed
        assert end not in listed
        assert server.run("nginx-plugins", "status").returncode == 0
        build_id = server.sh("cd /usr/lib/debug/.build-id && echo */*.debug").strip()
        assert re.fullmatch(r"[0-9a-f]{2}/[0-9a-f]{38}\.debug", build_id)

    def test_removal_leaves_nothing(self, server: System) -> None:
        server.purge()
        server.sh("rm -rf /etc/nginx/conf.d; rmdir --ignore-fail-on-non-empty /etc/nginx 2>/dev/null || :")
        assert server.installed() == {}
        # The service's own data stays, and the repository was not the package's.
        kept = re.compile("/var/lib/nginx|/etc/(apt|yum.repos.d|pki)/")
        left = [path for path in server.files() if "/nginx" in path and not kept.match(path)]
        assert left == []


class TestApt(Life):
    kind = Apt


class TestDnf(Life):
    kind = Dnf
