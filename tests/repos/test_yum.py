"""The yum repository. Judges: dnf with a root of its own, createrepo_c, gpg."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from packaging_tool.errors import InputError
from packaging_tool.formats.base import Built
from packaging_tool.formats.rpm import Format
from packaging_tool.project.model import RepositorySpec
from packaging_tool.repos.yum import Repository
from packaging_tool.signing import gpg
from tests.repos.conftest import TIME, package, tree

PLUGINS = ("caddy-plugin-git", "caddy-plugin-cors")
KINDS = ("primary", "filelists", "other")


@dataclass
class Dist:
    """An output directory with a yum repository."""

    root: Path
    signer: gpg.GpgSigner

    @property
    def spec(self) -> RepositorySpec:
        return RepositorySpec(url=f"file://{self.root}", label="Test")

    @property
    def repodata(self) -> Path:
        return self.root / "yum" / "repodata"

    def add(
        self, name: str, *, version: str = "1.0-1", architecture: str = "amd64", text: str = "text", signed: bool = True
    ) -> Built:
        pool = Repository().pool(self.root, "caddy")
        pool.mkdir(parents=True, exist_ok=True)
        return Format().write(package(name, version, architecture, text=text), pool, self.signer if signed else None)

    def pinned(self) -> Built:
        """A plugin that needs one version of another."""
        pool = Repository().pool(self.root, "caddy")
        return Format().write(package("caddy-plugin-x", "2:1.0-1", needs=("caddy-plugin-git",)), pool, self.signer)

    def publish(self, built: Sequence[Built] = (), time: int = TIME) -> None:
        Repository().write(self.root, built, self.spec, "caddy", time, self.signer)
        for name, data in Repository().client_files(self.spec, "caddy", self.signer).items():
            (self.root / name).write_bytes(data)

    def files(self) -> set[str]:
        return {path.name for path in self.repodata.iterdir() if not path.name.startswith("repomd")}


@pytest.fixture
def dist(tmp_path: Path, signer: gpg.GpgSigner) -> Dist:
    return Dist(tmp_path / "dist", signer)


@pytest.fixture
def published(dist: Dist) -> Dist:
    dist.publish([dist.add(name) for name in ("caddy", *PLUGINS)])
    return dist


class Dnf:
    """dnf with a root of its own and the settings of Fedora: the best or nothing, and no repository is skipped."""

    def __init__(self, root: Path, dist: Dist) -> None:
        self.root = root
        for name in ("repos", "log"):
            (root / name).mkdir(parents=True)
        shutil.copy(dist.root / "caddy.repo", root / "repos" / "caddy.repo")

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        settings = {f"{name}dir": str(self.root / name) for name in ("repos", "cache", "log")}
        settings |= {"best": "True", "skip_if_unavailable": "False", "metadata_expire": "0"}
        options = [f"--setopt={name}={value}" for name, value in settings.items()]
        base = ["dnf", "-y", f"--installroot={self.root / 'root'}", "--releasever=1", "--forcearch=x86_64", *options]
        return subprocess.run([*base, *arguments], capture_output=True, text=True)


def createrepo(packages: Path, directory: Path) -> Path:
    """The index that createrepo_c makes of the same files."""
    directory.mkdir()
    command = ["createrepo_c", "-q", "--no-database", "-o", str(directory), str(packages)]
    subprocess.run(command, check=True, capture_output=True)
    return directory / "repodata"


def stanzas(repodata: Path, kind: str) -> list[str]:
    """The packages of one part of an index, in canonical XML."""
    (path,) = repodata.glob(f"*-{kind}.xml.gz")
    top = ET.fromstring(gzip.decompress(path.read_bytes()))  # noqa: S314 # our own file, in a test
    assert top.attrib["packages"] == str(len(top))
    for time in top.iter("{http://linux.duke.edu/metadata/common}time"):
        # createrepo_c takes the time of the file, which is not in the package.
        time.attrib["file"] = "0"
    return sorted(ET.canonicalize(ET.tostring(child, "unicode"), strip_text=True) for child in top)


def test_dnf_installs_with_both_checks_on(published: Dist, tmp_path: Path) -> None:
    dnf = Dnf(tmp_path / "client", published)
    text = (published.root / "caddy.repo").read_text()
    assert "\ngpgcheck=1\n" in text
    assert "\nrepo_gpgcheck=1\n" in text
    done = dnf("install", "caddy-plugin-git")
    assert done.returncode == 0, done.stderr
    for name in ("caddy", "caddy-plugin-git"):
        assert (dnf.root / "root/usr/lib/caddy" / name / "f").read_text() == "text"


def test_dnf_takes_rsa_keys_too(tmp_path: Path) -> None:
    secret, _, _ = gpg.generate("Test <test@example.org>", "rsa4096", None)
    with gpg.from_file(secret, TIME, None) as signer:
        dist = Dist(tmp_path / "dist", signer)
        dist.publish([dist.add("caddy")])
    done = Dnf(tmp_path / "client", dist)("install", "caddy")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_the_index_says_what_createrepo_c_says(published: Dist, tmp_path: Path, kind: str) -> None:
    theirs = createrepo(published.root / "yum", tmp_path / "theirs")
    ours = stanzas(published.repodata, kind)
    assert ours == stanzas(theirs, kind)
    assert len(ours) == 3


def test_repomd_tells_size_and_digest_of_each_file_packed_and_unpacked(published: Dist) -> None:
    space = {"r": "http://linux.duke.edu/metadata/repo"}
    top = ET.parse(published.repodata / "repomd.xml").getroot()  # noqa: S314 # our own file, in a test
    assert top.findtext("r:revision", namespaces=space) == str(TIME)
    found = top.findall("r:data", space)
    assert [data.attrib["type"] for data in found] == list(KINDS)
    for data in found:
        location = data.find("r:location", space)
        assert location is not None
        packed = (published.root / "yum" / location.attrib["href"]).read_bytes()
        for prefix, content in (("", packed), ("open-", gzip.decompress(packed))):
            assert data.findtext(f"r:{prefix}checksum", namespaces=space) == hashlib.sha256(content).hexdigest()
            assert data.findtext(f"r:{prefix}size", namespaces=space) == str(len(content))


def test_dnf_refuses_a_changed_index(published: Dist, tmp_path: Path) -> None:
    repomd = published.repodata / "repomd.xml"
    repomd.write_text(repomd.read_text().replace(f"<revision>{TIME}", f"<revision>{TIME + 1}"))
    done = Dnf(tmp_path / "client", published)("install", "caddy")
    assert done.returncode == 1
    assert "repomd.xml GPG signature verification error: Bad GPG signature" in done.stderr


def test_dnf_refuses_an_index_without_signature(published: Dist, tmp_path: Path) -> None:
    (published.repodata / "repomd.xml.asc").unlink()
    done = Dnf(tmp_path / "client", published)("install", "caddy")
    assert done.returncode == 1
    assert "Couldn't open file" in done.stderr
    assert "repomd.xml.asc" in done.stderr


def test_dnf_refuses_a_package_without_signature(dist: Dist, tmp_path: Path) -> None:
    dist.publish([dist.add("caddy", signed=False)])
    done = Dnf(tmp_path / "client", dist)("install", "caddy")
    assert done.returncode == 1
    assert "is not signed" in done.stdout + done.stderr


def test_dnf_refuses_a_package_that_changed_by_one_byte(published: Dist, tmp_path: Path) -> None:
    (path,) = published.root.rglob("caddy-1.0-1.*.rpm")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    done = Dnf(tmp_path / "client", published)("install", "caddy")
    assert done.returncode == 1
    assert "checksum" in done.stdout + done.stderr
    assert not (tmp_path / "client/root/usr/lib/caddy/caddy/f").exists()


def test_one_repository_serves_several_architectures(dist: Dist, tmp_path: Path) -> None:
    dist.publish([dist.add("caddy", architecture=architecture) for architecture in ("amd64", "arm64")])
    done = Dnf(tmp_path / "client", dist)("install", "caddy")
    assert done.returncode == 0, done.stderr
    assert "x86_64" in done.stdout
    assert "aarch64" not in done.stdout
    assert {item.architecture for item in Repository().published(dist.root)} == {"amd64", "arm64"}


def test_packages_of_earlier_runs_stay_listed_whether_from_the_old_index_or_from_the_file(published: Dist) -> None:
    before = {kind: stanzas(published.repodata, kind) for kind in KINDS}
    new = published.add("caddy", version="1.1-1")
    first = published.files()
    published.publish([new])
    for path in first:
        (published.repodata / path).unlink(missing_ok=True)
    for kind in KINDS:
        assert set(before[kind]) < set(stanzas(published.repodata, kind))
    shutil.rmtree(published.repodata)
    published.publish()
    for kind in KINDS:
        assert set(before[kind]) < set(stanzas(published.repodata, kind))


def test_a_file_that_was_replaced_after_the_index_is_read_again(published: Dist) -> None:
    changed = published.add("caddy-plugin-git", text="other text")
    published.publish()
    (listed,) = (item for item in Repository().published(published.root) if item.name == "caddy-plugin-git")
    assert listed.sha256 == hashlib.sha256(changed.path.read_bytes()).hexdigest()


def test_a_file_that_is_no_package_is_refused_by_name(published: Dist) -> None:
    (Repository().pool(published.root, "caddy") / "bad.rpm").write_bytes(b"no")
    with pytest.raises(InputError, match=r"bad\.rpm"):
        published.publish()


def test_the_generation_before_stays_and_older_ones_go(published: Dist) -> None:
    generations = [published.files()]
    for number in range(1, 3):
        published.publish([published.add("caddy", version=f"1.{number}-1")])
        generations.append(published.files() - generations[-1])
    assert published.files() == generations[1] | generations[2]
    published.publish()
    assert published.files() == generations[1] | generations[2]


def test_the_same_packages_make_the_same_repository(tmp_path: Path, signer: gpg.GpgSigner) -> None:
    trees = []
    for name in ("a", "b"):
        dist = Dist(tmp_path / name / "dist", signer)
        packages = ("caddy", *PLUGINS) if name == "a" else (*reversed(PLUGINS), "caddy")
        dist.publish([dist.add(package) for package in packages])
        dist.publish()
        trees.append(tree(dist.root / "yum"))
    assert trees[0] == trees[1]


def test_a_description_may_hold_the_word_that_stands_for_the_place(dist: Dist) -> None:
    built = dist.add("caddy")
    primary = built.index["primary"].replace("First paragraph", "Put {href} here")
    dist.publish(
        [Built(**{**{n: getattr(built, n) for n in Built.__slots__}, "index": {**built.index, "primary": primary}})]
    )
    (listed,) = Repository().published(dist.root)
    assert (dist.root / listed.file).is_file()
    assert "Put {href} here" in stanzas(dist.repodata, "primary")[0]


def test_published_reads_the_index_and_leaves_out_deleted_files(published: Dist) -> None:
    found = {item.name: item for item in Repository().published(published.root)}
    assert set(found) == {"caddy", *PLUGINS}
    assert f"caddy-abi({'a' * 64})" in found["caddy"].provides
    assert f"caddy-abi({'a' * 64})" in found["caddy-plugin-git"].depends
    assert (found["caddy"].version, found["caddy"].architecture) == ("1.0-1", "amd64")
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
    assert text.endswith("dnf install caddy caddy-plugin-git\nsystemctl enable --now caddy\n")
    assert f"{published.spec.url}/caddy.repo\n" in text
    assert f"gpgkey={published.spec.url}/caddy.asc\n" in (published.root / "caddy.repo").read_text()
