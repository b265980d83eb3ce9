"""Publishing is all or nothing: what apt and dnf could not follow is refused before anything goes out."""

from __future__ import annotations

import html.parser
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from packaging_tool import publish
from packaging_tool.errors import PublishError
from packaging_tool.formats.deb import Format
from packaging_tool.project.model import CoreSpec, PluginSpec, Project, RepositorySpec
from packaging_tool.repos.apt import Repository
from packaging_tool.repos.base import Published
from packaging_tool.signing import gpg
from tests.counting import counted
from tests.repos.conftest import TIME, package

OLD, NEW = "a" * 64, "b" * 64
# name, version, architecture, ABIs that it provides (core), or the one that it depends on (plugin)
Listed = tuple[str, str, str, str]
BEFORE: tuple[Listed, ...] = (
    ("caddy", "1.0-1", "amd64", OLD),
    ("caddy-plugin-git", "1.0-1", "amd64", OLD),
    ("caddy-plugin-cors", "1.0-1", "amd64", OLD),
)


@pytest.fixture(scope="session")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Iterable[gpg.GpgSigner]:
    secret, _, _ = gpg.generate("Test <test@example.org>", "ed25519", None)
    with gpg.from_file(secret, TIME, None) as signer:
        yield signer


class Shop:
    """A project with its published repository and the next one."""

    def __init__(self, root: Path, signer: gpg.GpgSigner) -> None:
        self.root = root
        self.signer = signer

    def project(self, version: str = "2.0", retired: tuple[str, ...] = ()) -> Project:
        return Project(
            root=self.root,
            file=self.root / "mkpkgs.toml",
            core=CoreSpec(
                name="caddy",
                version=version,
                summary="Web server <fast> & safe",
                license="MIT",
                homepage="https://example.org/",
                maintainer="Test <test@example.org>",
            ),
            plugins=(PluginSpec(name="git", summary="Keeps & checks out"), PluginSpec(name="cors", summary="Headers")),
            repository=RepositorySpec(retired=retired, url="https://packages.example.org/caddy/"),
        )

    def write(self, name: str, listed: Iterable[Listed], text: str = "text") -> Path:
        directory = self.root / name
        pool = Repository().pool(directory, "caddy")
        pool.mkdir(parents=True, exist_ok=True)
        built = [Format().write(package(n, v, a, abi, text), pool, None) for n, v, a, abi in listed]
        Repository().write(directory, built, RepositorySpec(), "caddy", TIME, self.signer)
        return directory

    def check(self, after: Iterable[Listed], version: str = "2.0", retired: tuple[str, ...] = ()) -> None:
        self.publish(self.write("after", (*BEFORE, *after)), version, retired)

    def publish(self, after: Path, version: str, retired: tuple[str, ...] = ()) -> Sequence[str]:
        """What is told where this follows what was before."""
        listed = [publish.listed([Repository()], directory) for directory in (self.root / "before", after)]
        return publish.check(self.project(version, retired), *listed)


@pytest.fixture
def shop(tmp_path: Path, signer: gpg.GpgSigner) -> Shop:
    shop = Shop(tmp_path, signer)
    shop.write("before", BEFORE)
    return shop


def test_a_new_abi_goes_out_when_all_plugins_follow(shop: Shop) -> None:
    names = ("caddy", "caddy-plugin-git", "caddy-plugin-cors")
    shop.check([(name, "2.0-1", "amd64", NEW) for name in names])


def test_a_new_abi_without_one_plugin_is_refused_and_names_the_two_ways_out(shop: Shop) -> None:
    with pytest.raises(PublishError) as caught:
        shop.check([("caddy", "2.0-1", "amd64", NEW), ("caddy-plugin-git", "2.0-1", "amd64", NEW)])
    assert caught.value.message == (
        "nothing was published:\n  apt: caddy-plugin-cors (amd64) has no package for the ABI of caddy 2.0-1"
    )
    assert (
        caught.value.hint
        == "build the plugins for this core, or name them in `repository.retired` or `repository.renamed`"
    )
    assert caught.value.exit_code == 1


def test_a_plugin_that_is_retired_by_name_may_stay_behind(shop: Shop) -> None:
    shop.check(
        [("caddy", "2.0-1", "amd64", NEW), ("caddy-plugin-git", "2.0-1", "amd64", NEW)],
        retired=("cors",),
    )


def test_a_new_core_with_the_old_abi_needs_no_new_plugins(shop: Shop) -> None:
    shop.check([("caddy", "2.0-1", "amd64", OLD)])


def test_plugins_of_an_abi_that_the_new_core_accepts_need_no_build(shop: Shop) -> None:
    shop.check([("caddy", "2.0-1", "amd64", f"{NEW} {OLD}"), ("caddy-plugin-git", "2.0-1", "amd64", NEW)])


def test_a_core_that_accepts_other_abis_leaves_a_plugin_behind(shop: Shop) -> None:
    with pytest.raises(PublishError, match=r"caddy-plugin-git \(amd64\) has no package for the ABI of caddy 2.0-1"):
        shop.check([("caddy", "2.0-1", "amd64", f"{NEW} {'c' * 64}"), ("caddy-plugin-cors", "2.0-1", "amd64", NEW)])


def test_a_new_plugin_needs_only_the_core_of_now(shop: Shop) -> None:
    shop.check([("caddy-plugin-new", "1.0-1", "amd64", OLD)], version="1.0")
    with pytest.raises(PublishError, match=r"caddy-plugin-newer \(amd64\) has no package for the ABI"):
        shop.check([("caddy-plugin-newer", "1.0-1", "amd64", NEW)], version="1.0")


def test_each_architecture_counts(shop: Shop) -> None:
    names = ("caddy", "caddy-plugin-git", "caddy-plugin-cors")
    shop.write("before", [(name, "1.0-1", architecture, OLD) for name in names for architecture in ("amd64", "arm64")])
    every = [(name, "2.0-1", architecture, NEW) for name in names for architecture in ("amd64", "arm64")]
    with pytest.raises(PublishError, match=r"caddy-plugin-cors \(arm64\)"):
        shop.check(every[:-1])
    shop.check(every)


def test_a_core_that_loses_an_architecture_is_refused(shop: Shop) -> None:
    shop.write("before", [("caddy", "1.0-1", "arm64", OLD)])
    with pytest.raises(PublishError, match=r"caddy 2\.0-1 has no package for arm64"):
        shop.check([("caddy", "2.0-1", "amd64", OLD)])


def test_an_architecture_ends_when_its_packages_are_deleted(shop: Shop) -> None:
    before = shop.write("before", [("caddy", "1.0-1", "arm64", OLD)])
    for path in before.rglob("*_arm64.deb"):
        path.unlink()
    shop.check([("caddy", "2.0-1", "amd64", OLD)])


def test_other_bytes_under_the_same_version_are_told(shop: Shop) -> None:
    after = shop.write("after", BEFORE[:2])
    shop.write("after", BEFORE[2:], text="other")
    (told,) = shop.publish(after, "1.0")
    assert "caddy-plugin-cors" in told
    assert "raise the release" in told


def test_the_same_again_is_no_problem(shop: Shop) -> None:
    shop.check([], version="1.0")


def test_a_core_that_goes_back_is_refused(shop: Shop) -> None:
    with pytest.raises(PublishError, match=r"caddy 1\.0-1 is published already and is newer than 0\.9-1"):
        shop.check([("caddy", "0.9-1", "amd64", OLD)], version="0.9")


def test_a_plugin_package_that_an_older_one_hides_is_refused(shop: Shop) -> None:
    """apt looks only at the newest version of a package, and that one is for the old ABI."""
    with pytest.raises(PublishError, match=r"caddy-plugin-git 1\.0-1 \(amd64\) is newer than the package for 2\.0"):
        shop.check(
            [
                ("caddy", "2.0-1", "amd64", NEW),
                ("caddy-plugin-git", "0.5-1", "amd64", NEW),
                ("caddy-plugin-cors", "2.0-1", "amd64", NEW),
            ]
        )


def test_a_plugin_that_stays_with_the_old_version_of_another_is_refused(shop: Shop) -> None:
    """apt would remove it to upgrade the other one."""
    pool = Repository().pool(shop.root / "before", "caddy")
    Format().write(package("caddy-plugin-x", abi=OLD, needs=("caddy-plugin-git", "libfoo")), pool, None)
    shutil.copytree(shop.write("before", BEFORE), shop.root / "after")
    news: tuple[Listed, ...] = (("caddy", "2.0-1", "amd64", OLD), ("caddy-plugin-git", "2.0-1", "amd64", OLD))
    with pytest.raises(PublishError, match=r"caddy-plugin-x \(amd64\) needs caddy-plugin-git 1\.0-1, which 2\.0-1 rep"):
        shop.check(news)
    shop.check(news, retired=("x",))


def test_a_plugin_with_a_version_of_its_own_cannot_be_retired_without_it(shop: Shop) -> None:
    """Its old package would be newer than the empty one, so apt would never take that."""
    shop.write("before", [*BEFORE, ("caddy-plugin-l4", "3.0+1.0-1", "amd64", OLD)])
    shutil.copytree(shop.root / "before", shop.root / "after")
    news = [(name, "2.0-1", "amd64", NEW) for name in ("caddy", "caddy-plugin-git", "caddy-plugin-cors")]
    with pytest.raises(PublishError, match=r"l4 3\.0\+1\.0-1 \(amd64\) is newer than the empty package"):
        shop.check([*news, ("caddy-plugin-l4", "2.0-1", "amd64", NEW)], retired=("l4",))
    next((shop.root / "after").rglob("caddy-plugin-l4_2.0-1_amd64.deb")).unlink()
    shop.check([*news, ("caddy-plugin-l4", "3.0+2.0-1", "amd64", NEW)], retired=("l4 3.0",))


def test_plugins_without_their_core_are_refused(shop: Shop) -> None:
    with pytest.raises(PublishError, match=r"there is no package caddy 1\.0-1"):
        after = shop.write("other", BEFORE[1:])
        shutil.rmtree(shop.root / "before")
        shop.publish(after, "1.0")


def test_all_problems_are_told_at_once(shop: Shop) -> None:
    with pytest.raises(PublishError) as caught:
        shop.check([("caddy", "2.0-1", "amd64", NEW)])
    assert caught.value.message.count("has no package for the ABI") == 2


class Page(html.parser.HTMLParser):
    """Collects what a page loads, its ids and links; complains about tags that do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.loads += [str(found[name]) for name in ("src", "srcset", "background") if name in found]
        if tag in ("link", "script", "iframe", "img"):
            self.loads.append(tag)
        if tag == "a":
            self.links.append(str(found["href"]))
        if found.get("id"):
            self.ids.add(str(found["id"]))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_tells_what_to_paste_what_there_is_and_whom_to_trust(shop: Shop, signer: gpg.GpgSigner) -> None:
    (shop.root / "mkpkgs.lock").write_text("lock = 1\n")
    kinds = [Repository()]
    files = publish.site(shop.project("1.0"), publish.listed(kinds, shop.root / "before"), kinds, signer)
    assert set(files) == {"caddy.asc", "caddy.lock", "caddy.sources", "index.html"}
    page = Page(files["index.html"].decode())
    assert page.loads == []
    assert all(link[1:] in page.ids or link in files or link.startswith("https://example.org") for link in page.links)
    assert "Web server <fast> & safe" in page.text
    assert "Keeps & checks out" in page.text
    assert "apt install caddy caddy-plugin-git caddy-plugin-cors\n" in page.text
    assert "https://packages.example.org/caddy/caddy.sources" in page.text
    assert signer.fingerprint in page.text.replace(" ", "")


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        ("1.0-1", "1.0-2"),
        ("1.9-1", "1.10-1"),
        ("1.0~rc1-1", "1.0-1"),
        ("1.0~rc1-1", "1.0~rc2-1"),
        ("1.0~~-1", "1.0~-1"),
        ("2.11.9-1", "1:1.0-1"),
        ("1.0-1", "1.0+2.11.9-1"),
        ("1.0+2.11.8-1", "1.0+2.11.9-1"),
        ("1.0+2.9-1", "1.0+2.10-1"),
        ("1.0-1", "1.0a-1"),
        ("1.0a-1", "1.0+a-1"),
        ("1.0-1~bpo12", "1.0-1"),
    ],
)
def test_versions_are_in_the_order_of_dpkg(smaller: str, larger: str) -> None:
    from packaging_tool.package import versions

    assert subprocess.run(["dpkg", "--compare-versions", smaller, "lt", larger]).returncode == 0
    assert versions.key(smaller) < versions.key(larger)
    assert versions.key(smaller) == versions.key(smaller)


def test_the_checks_cost_in_proportion_to_the_number_of_plugins(shop: Shop) -> None:
    """Each plugin was compared with all others once: 15 s of 26 for ten thousand of which one changed."""

    def cost(count: int) -> int:
        names = [f"p{number}" for number in range(count)]
        project = shop.project()
        project = replace(project, plugins=tuple(PluginSpec(name=name, summary="Serves") for name in names))
        core = Published("caddy", "2.0-1", "amd64", (f"caddy-abi-{NEW}",), (), (), "c", "0" * 64)
        plugin = Published("", "2.0-1", "amd64", (), (f"caddy-abi-{NEW}",), (), "p", "0" * 64)
        listed = [core, *(plugin._replace(name=f"caddy-plugin-{name}", file=name) for name in names)]

        def work() -> None:
            assert publish.check(project, {"apt": listed}, {"apt": listed}) == ()
            publish.site(project, {"apt": listed}, [Repository()], shop.signer)

        return counted(work)

    cost(10)
    assert cost(800) < 5 * cost(200)
