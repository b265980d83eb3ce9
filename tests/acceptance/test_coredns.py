"""CoreDNS: a plugin's place in the chain is a line of main, and which of two comes first is the order in manifests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import roots
from tests.systems import Apt
from tests.workspace import Workspace

pytestmark = pytest.mark.acceptance

EXAMPLE = Path(__file__).parent.parent.parent / "examples/coredns"
LINES = "/usr/lib/coredns/plugins/blocklist/lines"
# Both plugins know an answer to bad.test, and only one of them is asked.
CHAIN = """
test:53 {
    bind 127.0.0.1
    cache
    template IN A {
        answer "{{ .Name }} 60 IN A 192.0.2.7"
    }
    blocklist /etc/coredns/blocklist
}
"""
PLAIN = """
test:53 {
    bind 127.0.0.1
    hosts {
        192.0.2.1 alive.test
    }
}
"""


@pytest.fixture(scope="module")
def project(shared: Path) -> Workspace:
    """The example, built for apt and dnf."""
    with roots.locked(shared / "coredns.lock"):
        if not (shared / "coredns").exists():
            Workspace.create(EXAMPLE, shared / "coredns-making").quick().mkpkgs()
            (shared / "coredns-making").rename(shared / "coredns")
    return Workspace.at(shared / "coredns")


@pytest.fixture(scope="class")
def debian(bootable: None, project: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apt]:
    place = tmp_path_factory.mktemp("coredns")
    with Apt(project.copy(place / "copy").dist, place / "machine", "coredns") as system:
        system.use()
        system.write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:10\n")
        yield system


def address(system: Apt, name: str) -> str:
    """What the system's own resolver gets for a name, "" for NXDOMAIN. Every configuration here knows alive.test."""
    # Not getent: it asks for no addresses on a machine that has none but of loopback.
    ask = "perl -e '$a = gethostbyname shift or exit 1; print join q(.), unpack q(C4), $a'"
    system.sh(f"for i in $(seq 50); do {ask} alive.test >/dev/null && break; sleep 0.2; done")
    return system.sh(f"{ask} {name} || :")


def configure(system: Apt, text: str) -> None:
    system.write("/etc/coredns/Corefile", text)
    system.run("systemctl", "restart", "coredns")


class TestCoreDNS:
    """One machine; each test begins where the one before ended."""

    def test_core_alone_answers_and_knows_no_plugin(self, debian: Apt) -> None:
        debian.install("coredns")
        configure(debian, PLAIN)
        assert address(debian, "alive.test") == "192.0.2.1"
        assert "blocklist" not in debian.sh("coredns -plugins")

    def test_plugin_with_the_lower_order_is_asked_first(self, debian: Apt) -> None:
        debian.install(*debian.plugin("template", "blocklist"))
        debian.write("/etc/coredns/blocklist", "# names\nbad.test\n")
        configure(debian, CHAIN)
        assert address(debian, "good.test") == "192.0.2.7"
        assert address(debian, "www.bad.test") == ""
        assert debian.run("coredns-plugins", "status").returncode == 0

    def test_order_of_the_manifests_decides_and_not_the_configuration(self, debian: Apt) -> None:
        project = Workspace.at(debian.dist.parent.parent)
        file = project.root / "mkpkgs.toml"
        text = file.read_text().replace('homepage = "', 'release = "2"\nhomepage = "', 1)
        file.write_text(text.replace("order = 10\n", "order = 30\n"))
        project.mkpkgs()
        starts = debian.starts()
        debian.upgrade()
        assert address(debian, "www.bad.test") == "192.0.2.7"
        assert debian.starts() == starts + 1

    def test_changed_line_of_main_is_refused(self, debian: Apt) -> None:
        debian.sh(f"cp -p {LINES} /root/lines; echo 'panic(\"mine\")' >>{LINES}")
        refused = debian.run("coredns-plugins", "apply", check=False)
        assert refused.returncode != 0
        assert "blocklist/lines" in refused.stdout
        assert address(debian, "good.test") == "192.0.2.7"
        debian.sh(f"cp -p /root/lines {LINES}; coredns-plugins apply")

    def test_removal_of_all_leaves_the_core(self, debian: Apt) -> None:
        configure(debian, PLAIN)
        debian.remove("coredns-plugin-kit")
        assert set(debian.installed()) == {"coredns"}
        assert address(debian, "alive.test") == "192.0.2.1"
        assert "blocklist" not in debian.sh("coredns -plugins")


def test_place_that_is_not_there_is_an_error_of_the_build(project: Workspace, tmp_path: Path) -> None:
    own = project.copy(tmp_path / "copy")
    file = own.root / "mkpkgs.toml"
    file.write_text(file.read_text().replace('("blocklist", "cache")', '("blocklist", "nowhere")'))
    done = own.mkpkgs(check=False)
    assert done.returncode == 1
    assert "plugin blocklist: its place is in front of nowhere, which is not there" in done.stdout


def test_plugin_of_the_example_passes_its_own_tests(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE / "blocklist", tmp_path / "blocklist")
    for command in (["go", "vet", "-mod=mod", "."], ["go", "test", "-mod=mod", "-count=1", "."]):
        subprocess.run(command, cwd=tmp_path / "blocklist", env={**os.environ, "CGO_ENABLED": "0"}, check=True)
    assert subprocess.run(["gofmt", "-l", "."], cwd=EXAMPLE, capture_output=True, text=True, check=True).stdout == ""
