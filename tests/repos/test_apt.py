"""The apt repository. Judges: apt itself with a configuration of its own, apt-ftparchive, gpgv."""

from __future__ import annotations

import email.utils
import functools
import hashlib
import http.server
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from debian.deb822 import Deb822, Packages, Release

from packaging_tool.errors import InputError
from packaging_tool.formats.base import Built
from packaging_tool.formats.deb import Format
from packaging_tool.project.model import RepositorySpec
from packaging_tool.repos.apt import Repository
from packaging_tool.signing import gpg
from tests.repos.conftest import TIME, package, tree

DIRECTORIES = (
    *(f"etc/apt/{name}" for name in ("apt.conf.d", "keyrings", "preferences.d", "sources.list.d")),
    *("var/lib/dpkg", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "tmp"),
)
CHECKED = ("-o", "Acquire::Check-Date=true")
PLUGINS = ("caddy-plugin-git", "caddy-plugin-cors")


@dataclass
class Dist:
    """An output directory with an apt repository."""

    root: Path
    signer: gpg.GpgSigner

    @property
    def spec(self) -> RepositorySpec:
        return RepositorySpec(url=f"file:{self.root}", origin="Test Origin", label="Test", suite="stable")

    def add(self, name: str, *, version: str = "1.0-1", architecture: str = "amd64", text: str = "text") -> Built:
        pool = Repository().pool(self.root, "caddy")
        pool.mkdir(parents=True, exist_ok=True)
        return Format().write(package(name, version, architecture, text=text), pool, None)

    def pinned(self) -> Built:
        """A plugin that needs one version of another."""
        pool = Repository().pool(self.root, "caddy")
        return Format().write(package("caddy-plugin-x", "2:1.0-1", needs=("caddy-plugin-git",)), pool, self.signer)

    def publish(self, built: Sequence[Built] = (), time: int = TIME) -> None:
        Repository().write(self.root, built, self.spec, "caddy", time, self.signer)
        for name, data in Repository().client_files(self.spec, "caddy", self.signer).items():
            (self.root / name).write_bytes(data)

    def index(self, architecture: str = "amd64") -> list[Packages]:
        path = self.root / "apt/dists/stable/main" / f"binary-{architecture}" / "Packages"
        with path.open() as file:
            return list(Packages.iter_paragraphs(file, use_apt_pkg=False))


@pytest.fixture
def dist(tmp_path: Path, signer: gpg.GpgSigner) -> Dist:
    return Dist(tmp_path / "dist", signer)


class Apt:
    """apt with a root of its own, which installs nothing."""

    def __init__(self, root: Path, dist: Dist, architecture: str = "amd64") -> None:
        self.root = root
        for name in DIRECTORIES:
            (root / name).mkdir(parents=True)
        (root / "var/lib/dpkg/status").touch()
        sources = (dist.root / "caddy.sources").read_text().replace("/etc/apt/", f"{root}/etc/apt/")
        (root / "etc/apt/sources.list.d/caddy.sources").write_text(sources)
        shutil.copy(dist.root / "caddy.asc", root / "etc/apt/keyrings/caddy.asc")
        (root / "apt.conf").write_text(
            f'Dir "{root}/"; Dir::State::status "{root}/var/lib/dpkg/status"; APT::Sandbox::User "root";\n'
            f'APT::Architecture "{architecture}"; APT::Architectures {{ "{architecture}"; }};\n'
            'APT::Update::Error-Mode "any";\n'
        )

    def __call__(self, *arguments: str, program: str = "apt-get") -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "APT_CONFIG": str(self.root / "apt.conf"), "LC_ALL": "C"}
        return subprocess.run(
            [program, *arguments], cwd=self.root / "tmp", env=environment, capture_output=True, text=True
        )

    def candidate(self, name: str) -> str:
        environment = {**os.environ, "APT_CONFIG": str(self.root / "apt.conf"), "LC_ALL": "C"}
        shown = subprocess.run(["apt-cache", "policy", name], env=environment, capture_output=True, text=True).stdout
        return shown.partition("Candidate: ")[2].partition("\n")[0]


@contextmanager
def serve(directory: Path) -> Iterator[str]:
    """The address at which a web server has the directory."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def published(dist: Dist) -> Dist:
    dist.publish([dist.add(name) for name in ("caddy", *PLUGINS)])
    return dist


def test_apt_updates_resolves_and_downloads(published: Dist, tmp_path: Path) -> None:
    apt = Apt(tmp_path / "client", published)
    updated = apt("update")
    assert updated.returncode == 0, updated.stderr
    assert updated.stderr == ""
    planned = apt("-s", "install", "caddy-plugin-git")
    assert "Inst caddy (1.0-1 Test:stable [amd64])" in planned.stdout
    assert "Inst caddy-plugin-git" in planned.stdout
    assert apt("download", "caddy-plugin-git").returncode == 0
    assert [path.name for path in (apt.root / "tmp").glob("*.deb")] == ["caddy-plugin-git_1.0-1_amd64.deb"]


def test_apt_fetches_indexes_by_hash(published: Dist, tmp_path: Path) -> None:
    for name in ("Packages", "Packages.gz"):
        (published.root / "apt/dists/stable/main/binary-amd64" / name).unlink()
    apt = Apt(tmp_path / "client", published)
    assert apt("update").returncode == 0
    assert apt.candidate("caddy") == "1.0-1"


def test_the_index_says_what_apt_ftparchive_says(published: Dist) -> None:
    other = subprocess.run(
        ["apt-ftparchive", "--md5=no", "--sha1=no", "--sha512=no", "packages", "pool"],
        cwd=published.root / "apt",
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = {p["Filename"]: dict(p) for p in Deb822.iter_paragraphs(other.stdout)}
    ours = {p["Filename"]: dict(p) for p in published.index()}
    for fields in theirs.values():
        for weak in ("MD5sum", "SHA1", "SHA512"):
            fields.pop(weak, None)
    assert ours == theirs
    assert len(ours) == 3


def test_release_tells_origin_label_suite_and_files(published: Dist) -> None:
    suite = published.root / "apt/dists/stable"
    release = Release((suite / "Release").read_text())
    told = {name: release[name] for name in ("Origin", "Label", "Suite", "Codename", "Architectures", "Components")}
    assert told == {
        "Origin": "Test Origin",
        "Label": "Test",
        "Suite": "stable",
        "Codename": "stable",
        "Architectures": "amd64",
        "Components": "main",
    }
    assert release["Date"] == "Tue, 14 Nov 2023 22:13:20 UTC"
    for row in release["SHA256"]:
        data = (suite / row["name"]).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), str(len(data))) == (row["sha256"], row["size"])


def test_gpgv_accepts_both_signatures(published: Dist, tmp_path: Path) -> None:
    ring = tmp_path / "ring.gpg"
    subprocess.run(["gpg", "--dearmor", "-o", ring, published.root / "caddy.asc"], check=True)
    suite = published.root / "apt/dists/stable"
    for files in ([suite / "InRelease"], [suite / "Release.gpg", suite / "Release"]):
        assert subprocess.run(["gpgv", "--keyring", ring, *files], capture_output=True).returncode == 0
    clear = subprocess.run(["gpgv", "--keyring", ring, "-o", "-", suite / "InRelease"], capture_output=True, check=True)
    assert clear.stdout == (suite / "Release").read_bytes()


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("apt/dists/stable/InRelease", "BADSIG"), ("apt/dists/stable/main/binary-amd64/by-hash", "Hash Sum mismatch")],
)
def test_apt_refuses_a_changed_index(published: Dist, tmp_path: Path, name: str, complaint: str) -> None:
    changed = published.root / name
    for path in [changed] if changed.is_file() else (path for path in changed.rglob("*") if path.is_file()):
        data = bytearray(path.read_bytes())
        data[len(data) // 3 if changed.is_file() else -1] ^= 1
        path.write_bytes(data)
    done = Apt(tmp_path / "client", published)("update")
    assert done.returncode == 100
    assert complaint in done.stderr


def test_apt_refuses_a_repository_without_signature(published: Dist, tmp_path: Path) -> None:
    for name in ("InRelease", "Release.gpg"):
        (published.root / "apt/dists/stable" / name).unlink()
    done = Apt(tmp_path / "client", published)("update")
    assert done.returncode == 100
    assert "is not signed" in done.stderr


def test_each_architecture_has_an_index_and_all_is_in_each(dist: Dist, tmp_path: Path) -> None:
    dist.publish(
        [
            dist.add("caddy"),
            dist.add("caddy", architecture="arm64"),
            dist.add("caddy-plugin-git", architecture="all"),
        ]
    )
    for architecture in ("amd64", "arm64"):
        apt = Apt(tmp_path / architecture, dist, architecture)
        updated = apt("update")
        assert (updated.returncode, updated.stderr) == (0, "")
        assert f"Inst caddy (1.0-1 Test:stable [{architecture}])" in apt("-s", "install", "caddy-plugin-git").stdout


@pytest.mark.parametrize("architecture", ["amd64", "arm64", "riscv64"])
def test_a_repository_of_all_packages_only_serves_every_architecture(
    dist: Dist, tmp_path: Path, architecture: str
) -> None:
    dist.publish([dist.add("caddy", architecture="all")])
    apt = Apt(tmp_path / "client", dist, architecture)
    updated = apt("-q=0", "update", program="apt")
    assert updated.returncode == 0
    # apt prints notices, apt-get does not; -q=0 because it sees no terminal.
    assert "N: " not in updated.stdout + updated.stderr
    assert apt.candidate("caddy") == "1.0-1"


def test_packages_of_earlier_runs_stay_listed_whether_from_the_old_index_or_from_the_file(published: Dist) -> None:
    before = published.index()
    published.publish([published.add("caddy", version="1.1-1")])
    assert [p for p in published.index() if p["Version"] == "1.0-1"] == before
    for index in published.root.glob("apt/dists/stable/main/binary-amd64/Packages*"):
        index.unlink()
    published.publish()
    assert [p for p in published.index() if p["Version"] == "1.0-1"] == before


def test_a_package_that_dpkg_deb_made_is_listed(dist: Dist, tmp_path: Path) -> None:
    control = tmp_path / "x" / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    control.write_text(
        "Package: other\nVersion: 2:1\nArchitecture: amd64\nMaintainer: A <a@b.c>\nDescription: s\n long\n"
    )
    pool = Repository().pool(dist.root, "caddy")
    pool.mkdir(parents=True)
    for method in ("gzip", "xz", "zstd"):
        built = ["dpkg-deb", "-Z", method, "--root-owner-group", "-b", tmp_path / "x", pool / "other_1_amd64.deb"]
        subprocess.run([*built[:1], f"-Z{method}", *built[3:]], check=True, capture_output=True)
        shutil.rmtree(dist.root / "apt" / "dists", ignore_errors=True)
        dist.publish()
        assert [(p["Package"], p["Version"]) for p in dist.index()] == [("other", "2:1")]


def test_a_file_that_was_replaced_after_the_index_is_read_again(published: Dist) -> None:
    published.add("caddy-plugin-git", text="other text")
    published.publish()
    (pool,) = published.root.rglob("caddy-plugin-git_*.deb")
    (listed,) = (p for p in published.index() if p["Package"] == "caddy-plugin-git")
    assert listed["SHA256"] == hashlib.sha256(pool.read_bytes()).hexdigest()


def test_a_file_that_is_no_package_is_refused_by_name(published: Dist) -> None:
    (Repository().pool(published.root, "caddy") / "bad.deb").write_bytes(b"no")
    with pytest.raises(InputError, match=r"bad\.deb"):
        published.publish()


def test_the_generation_before_stays_by_hash_and_older_ones_go(published: Dist) -> None:
    by_hash = published.root / "apt/dists/stable/main/binary-amd64/by-hash/SHA256"
    generations = [{path.name for path in by_hash.iterdir()}]
    for number in range(1, 3):
        published.publish([published.add("caddy", version=f"1.{number}-1")])
        generations.append({path.name for path in by_hash.iterdir()} - generations[-1])
    assert {path.name for path in by_hash.iterdir()} == generations[1] | generations[2]
    published.publish()
    assert {path.name for path in by_hash.iterdir()} == generations[1] | generations[2]


def test_the_same_packages_make_the_same_repository(tmp_path: Path, signer: gpg.GpgSigner) -> None:
    trees = []
    for name in ("a", "b"):
        dist = Dist(tmp_path / name / "dist", signer)
        packages = ("caddy", *PLUGINS) if name == "a" else (*reversed(PLUGINS), "caddy")
        built = [dist.add(package) for package in packages]
        dist.publish(built)
        dist.publish()
        trees.append(tree(dist.root / "apt"))
    assert trees[0] == trees[1]


def test_date_never_goes_back_because_apt_would_keep_the_old_index_silently(published: Dist, tmp_path: Path) -> None:
    apt = Apt(tmp_path / "client", published)
    apt("update")
    published.publish([published.add("caddy", version="1.1-1")], time=TIME - 86400)
    updated = apt("update")
    assert updated.returncode == 0, updated.stderr
    assert apt.candidate("caddy") == "1.1-1"


def test_a_date_ahead_of_the_clock_is_never_published_and_one_that_was_is_put_right(dist: Dist, tmp_path: Path) -> None:
    """apt checks dates unless its configuration says otherwise, as that of this machine may."""
    ahead = int(time.time()) + 364 * 86400
    dist.publish([dist.add("caddy")], time=ahead)
    apt = Apt(tmp_path / "root", dist)
    assert apt("update", *CHECKED).returncode == 0
    release = dist.root / "apt/dists/stable/Release"
    wrong = email.utils.formatdate(ahead).replace("-0000", "UTC")
    text = re.sub("^Date: .*$", f"Date: {wrong}", release.read_text(), flags=re.M).encode()
    release.write_bytes(text)
    release.with_name("InRelease").write_bytes(dist.signer.clear(text))
    refused = apt("update", *CHECKED)
    assert refused.returncode != 0
    assert "is not valid yet" in refused.stderr
    dist.publish([dist.add("caddy")])
    assert Apt(tmp_path / "other", dist)("update", *CHECKED).returncode == 0
    assert Repository().dated(dist.root) <= time.time()


def test_apt_sees_what_is_published_within_the_same_second(published: Dist, tmp_path: Path) -> None:
    with serve(published.root) as url:
        sources = published.root / "caddy.sources"
        sources.write_text(sources.read_text().replace(f"file:{published.root}", url))
        apt = Apt(tmp_path / "client", published)
        for number in range(1, 4):
            published.publish([published.add("caddy", version=f"1.{number}-1")])
            updated = apt("update")
            assert updated.returncode == 0, updated.stderr
            assert apt.candidate("caddy") == f"1.{number}-1"


def test_published_reads_the_indexes_and_leaves_out_deleted_files(published: Dist) -> None:
    found = {item.name: item for item in Repository().published(published.root)}
    assert set(found) == {"caddy", *PLUGINS}
    assert found["caddy"].provides == ("caddy-abi-" + "a" * 64,)
    assert found["caddy-plugin-git"].depends == ("caddy-abi-" + "a" * 64,)
    file = published.root / found["caddy"].file
    assert found["caddy"].sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    file.unlink()
    assert {item.name for item in Repository().published(published.root)} == set(PLUGINS)


def test_published_tells_exact_versions_that_a_package_needs(published: Dist) -> None:
    published.publish([published.pinned()])
    (found,) = (item for item in Repository().published(published.root) if item.name == "caddy-plugin-x")
    assert found.pins == (("caddy-plugin-git", "2:1.0-1"),)
    assert found.version == "2:1.0-1"


def test_nothing_is_published_where_there_is_no_repository(tmp_path: Path) -> None:
    assert Repository().published(tmp_path) == ()


def test_the_instructions_are_good_shell_that_names_the_files(published: Dist) -> None:
    text = Repository().instructions(published.spec, "caddy", ["caddy", "caddy-plugin-git"], "caddy")
    assert subprocess.run(["dash", "-n"], input=text.encode()).returncode == 0
    assert text.endswith("apt install caddy caddy-plugin-git\n")
    for name in Repository().client_files(published.spec, "caddy", published.signer):
        assert f"{published.spec.url}/{name}\n" in text
