"""What keeps a newer version back is told as it is: no build yet, on hold, pinned, or a package of somebody else."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.target.conftest import SHELLS, machine_of
from tests.target.machine import ABI, Key, Machine
from tests.target.market import BEGIN, PROGRAMS, has, market_of, sell, stanza
from tests.target.test_manage import says

NEXT = "cd" * 32


@pytest.fixture(scope="session")
def shop(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if missing := [program for program in PROGRAMS if not has(program)]:
        pytest.skip(f"{missing[0]} is not installed")
    root = tmp_path_factory.mktemp("shop") / "root"
    market_of(base, root)
    return root


@pytest.fixture(params=SHELLS)
def customer(shop: Path, key: Key, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine that serves with cors and git, of a repository that has all for the next ABI, too."""
    machine = machine_of(shop, key, tmp_path, SHELLS[request.param])
    machine.install("git")
    machine.install("cors")
    says(machine, "apply")
    status = machine.root / "var/lib/dpkg/status"
    for name in ("", "-plugin-git", "-plugin-cors"):
        relation = f"Depends: fake-abi-{ABI}" if name else f"Provides: fake-abi-{ABI}"
        status.write_text(status.read_text().replace(f"Package: fake{name}\n", f"Package: fake{name}\n{relation}\n"))
    (machine.root / "var/lib/dpkg/available").touch()
    yield machine
    shutil.rmtree(machine.root)


def offer(machine: Machine, *names: str, preferences: str = "", **core: bytes) -> None:
    """Sell the core and these plugins in version 2.0, or the core as it is said. preferences: apt's."""
    fields = core or {"Provides": b"fake-abi-" + NEXT.encode()}
    index = stanza(b"fake", **fields)
    for name in names:
        index += stanza(f"fake-plugin-{name}".encode(), Depends=b"fake-abi-" + NEXT.encode())
    sell(machine, index)
    (machine.root / "etc/apt/preferences").write_text(preferences)


def held(machine: Machine) -> str | None:
    """Why the core's newer version does not come."""
    answer = json.loads(machine.tool("list", "--json").stdout)
    assert answer["available"] == "2.0-1"
    reason = answer["held"]
    assert reason is None or isinstance(reason, str)
    return reason


def test_a_plugin_without_a_build_is_told_from_one_that_is_pinned_or_on_hold(customer: Machine) -> None:
    offer(customer, "git", "cors")
    assert held(customer) is None
    offer(customer, "cors")
    assert held(customer) == "there is no build yet for fake 2.0-1 of git"
    assert "holds back   fake 2.0-1, for which it has no build yet" in says(customer, "why", "git")
    pin = "Package: fake-plugin-git\nPin: version 1.0-1\nPin-Priority: 1001\n"
    offer(customer, "git", "cors", preferences=pin)
    pinned = "is pinned by /etc/apt/preferences: take it out there, see apt-cache policy fake-plugin-git"
    assert held(customer) == f"git {pinned}"
    assert f"it {pinned}" in says(customer, "list")
    why = says(customer, "why", "git")
    assert f"held back    it {pinned}" in why
    assert "no build" not in why
    offer(customer, "git", preferences=pin)
    assert held(customer) == f"there is no build yet for fake 2.0-1 of cors; git {pinned}"
    status = customer.root / "var/lib/dpkg/status"
    on_hold = "\nStatus: hold ok installed"
    head, found, tail = status.read_text().partition("Package: fake-plugin-git\n")
    status.write_text(head + found + tail.replace("\nStatus: install ok installed", on_hold, 1))
    offer(customer, "git", "cors")
    assert held(customer) == "git is on hold: apt-mark unhold fake-plugin-git"


def test_a_package_of_another_maker_is_no_core_that_plugins_wait_for(customer: Machine) -> None:
    """Upstream's or the distribution's own package of the same name, which knows no ABI and never will."""
    offer(customer, Provides=b"httpd")
    assert held(customer) == "it is of another maker, and takes no plugins of this one"
    said = says(customer, "list")
    assert said.endswith("fake 2.0-1 is held back: it is of another maker, and takes no plugins of this one\n")
    assert "holds back" not in says(customer, "why", "git")
    offer(customer, "cors")
    index = customer.root / "var/lib/apt/lists/_market_._Packages"
    index.write_bytes(index.read_bytes() + stanza(b"fake-plugin-git", b"7.0-1", Depends=b"python3"))
    assert "is of another maker: it was built for no fake with plugins" in says(customer, "why", "git")


def test_a_pin_of_the_new_name_of_a_plugin_is_what_keeps_the_core(customer: Machine) -> None:
    """The empty package of the old name would come, and needs the one that is pinned."""
    abi = b"fake-abi-" + NEXT.encode()
    index = stanza(b"fake", Provides=abi) + stanza(b"fake-plugin-cors", Depends=abi)
    index += stanza(b"fake-plugin-forge", Depends=abi)
    index += stanza(b"fake-plugin-git", Depends=abi + b", fake-plugin-forge", Description=b"transitional package")
    sell(customer, index)
    (customer.root / "etc/apt/preferences").unlink()
    assert held(customer) is None
    pins = customer.root / "etc/apt/preferences.d"
    (pins / "own").write_text("Package: nginx fake-plugin-for*\nPin: release *\nPin-Priority: -1\n")
    # apt does not read it, and the other names no package of ours.
    (pins / "own.bak").write_text("Package: fake-plugin-forge\nPin: release *\nPin-Priority: -1\n")
    (pins / "all.pref").write_text("Package: *\nPin: release a=none\nPin-Priority: 100\n")
    kept = "is pinned by /etc/apt/preferences.d/own: take it out there, see apt-cache policy fake-plugin-forge"
    assert held(customer) == f"forge, which git needs then, {kept}"
    assert f"it is built for fake 2.0-1, which waits: forge, which git needs then, {kept}\n" in says(
        customer, "why", "git"
    )
    assert f"held back    it {kept}\n" in says(customer, "why", "forge", status=1)
    # Who asks for it by name is told the same, and not that there is no such plugin.
    assert says(customer, "install", "forge", status=1).endswith(f"plugin forge {kept}\n")
    (customer.root / "wishes").write_text("git\ncors\nforge\n")
    assert says(customer, "sync", "/wishes", status=1).endswith(f"plugin forge {kept}\n")
    assert "there is no plugin anvil" in says(customer, "install", "anvil", status=1)
    (pins / "own").unlink()
    assert held(customer) is None


def test_a_core_that_is_pinned_is_told_where_plugins_have_builds_for_a_newer_one(customer: Machine) -> None:
    offer(customer, "git", "cors", preferences="Package: fake\nPin: version 2.0-1\nPin-Priority: -1\n")
    kept = "is pinned by /etc/apt/preferences: take it out there, see apt-cache policy fake"
    assert held(customer) == f"it {kept}"
    said = says(customer, "list")
    assert f"it is built for fake 2.0-1, which {kept}\n" in said
    assert said.endswith(f"fake 2.0-1 is held back: it {kept}\n")
    why = says(customer, "why", "git")
    assert f"held back    it is built for fake 2.0-1, which {kept}\n" in why
    # An older core is none to wait for.
    abi = b"fake-abi-" + NEXT.encode()
    sell(customer, stanza(b"fake", b"0.5-1", Provides=abi) + stanza(b"fake-plugin-more", b"0.5-1", Depends=abi))
    (customer.root / "etc/apt/preferences").unlink()
    assert "is built for another fake" in says(customer, "list", "--available")


def test_sync_says_one_thing_of_a_disabled_plugin_that_leaves(customer: Machine) -> None:
    offer(customer, "git", "cors")
    says(customer, "disable", "git")
    disabled = customer.root / "etc/fake/plugins.d/disabled"
    disabled.write_text(f"{disabled.read_text()}gone\n")
    (customer.root / "wishes").write_text("cors\n")
    said = says(customer, "sync", "/wishes", "--dry-run", status=3)
    assert "would remove git\n" in said
    assert f"would take gone out of /{disabled.relative_to(customer.root)}\n" in said
    assert "enable" not in said


def test_what_dnf_excludes_is_told_with_the_file_that_says_so(serving: Machine) -> None:
    """As if it were not there dnf neither installs nor removes it."""
    tool = (serving.root / "usr/bin/fake-plugins").read_text().partition(BEGIN)[0]
    script = f"{tool}\nMANAGER=dnf W=/tmp\ntell_excluded 'git cors'\n"
    (serving.root / "told").write_text(script)
    for place, text in (
        ("etc/dnf/dnf.conf", "[main]\nexclude=fake*\n"),
        ("etc/dnf/libdnf5.conf.d/own.conf", "[main]\nexcludepkgs=nginx, fake-plugin-git\n"),
    ):
        (serving.root / place).parent.mkdir(parents=True, exist_ok=True)
        (serving.root / place).write_text(text)
    done = subprocess.run(["chroot", serving.root, "dash", "/told"], capture_output=True, text=True, check=False)
    both = "/etc/dnf/dnf.conf, /etc/dnf/libdnf5.conf.d/own.conf"
    assert done.stderr == (
        "fake-plugins: fake-plugin-cors is excluded by /etc/dnf/dnf.conf: take it out there\n"
        f"fake-plugins: fake-plugin-git is excluded by {both}: take it out there\n"
    )
