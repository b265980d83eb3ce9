"""What keeps a newer version back is told as it is: no build yet, on hold, pinned, or a package of somebody else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.target.conftest import SHELLS, machine_of
from tests.target.machine import ABI, Key, Machine
from tests.target.market import PROGRAMS, has, market_of, sell, stanza
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
    assert held(customer) == "git is pinned: apt-cache policy fake-plugin-git"
    assert "it is pinned: apt-cache policy fake-plugin-git" in says(customer, "list")
    why = says(customer, "why", "git")
    assert "held back    it is pinned: apt-cache policy fake-plugin-git" in why
    assert "no build" not in why
    offer(customer, "git", preferences=pin)
    assert held(customer) == (
        "there is no build yet for fake 2.0-1 of cors; git is pinned: apt-cache policy fake-plugin-git"
    )
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
