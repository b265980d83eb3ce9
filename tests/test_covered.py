"""What lies in an output directory is published only if it is ours: with gpg, apt and dnf as judges."""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workspace import Workspace

TINY = Path(__file__).parent / "samples/tiny"
REFUSED = "has files that were not built here, and that no index lists which your keys signed:\n"


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace.create(TINY, tmp_path_factory.mktemp("mine"))
    made.mkpkgs()
    return made


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The same project, published by somebody else."""
    made = Workspace.create(TINY, tmp_path_factory.mktemp("theirs"))
    made.mkpkgs()
    return made


def clone(project: Workspace, keys: Workspace, directory: Path) -> Workspace:
    """A checkout with its dist/, on a machine that never built it."""
    made = Workspace.at(directory)
    shutil.copytree(project.root, made.root, ignore=shutil.ignore_patterns(".mkpkgs"))
    shutil.copytree(keys.keys, made.keys)
    return made


def tree(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def refused(project: Workspace, *names: str, arguments: tuple[str, ...] = ()) -> None:
    before = tree(project.dist)
    done = project.mkpkgs("-q", *arguments, check=False)
    assert done.returncode == 1, done.stdout
    assert REFUSED in done.stdout
    for name in names:
        assert f"/{name}\n" in done.stdout
    assert "or name a directory by -o that no checkout brought" in done.stdout
    assert f"keep its predecessor's public key as NAME.asc in {project.keys}" in done.stdout
    assert tree(project.dist) == before


def test_a_fork_with_a_dist_of_its_author_is_not_signed(mine: Workspace, theirs: Workspace, tmp_path: Path) -> None:
    fork = clone(theirs, mine, tmp_path)
    # Of a plugin that the project does not have, so that no build writes over it.
    (old,) = fork.dist.rglob("greet-plugin-bye_*.deb")
    shutil.copy(old, old.with_name("greet-plugin-evil_1.0-1_all.deb"))
    refused(fork, "stable/Release", "repodata/repomd.xml", "greet-plugin-evil_1.0-1_all.deb")
    refused(fork, "stable/Release", "repodata/repomd.xml", arguments=("repo",))
    # Where only packages are built, nothing is signed; what lies there is none the better for it.
    fork.mkpkgs("build")
    refused(fork, "stable/Release", "greet-plugin-evil_1.0-1_all.deb", arguments=("repo",))
    other = tmp_path / "other"
    fork.mkpkgs("-o", str(other))
    assert not [*other.rglob("*evil*")]
    fork.mkpkgs("--adopt")
    assert b"greet-plugin-evil" in next(fork.dist.rglob("Packages")).read_bytes()
    assert fork.mkpkgs().returncode == 0


def test_packages_of_a_family_that_the_project_does_not_make_are_looked_at_too(
    mine: Workspace, theirs: Workspace, tmp_path: Path
) -> None:
    fork = clone(theirs, mine, tmp_path)
    text = (fork.root / "mkpkgs.toml").read_text()
    (fork.root / "mkpkgs.toml").write_text(re.sub(r"(?m)^\[core\.rpm\]\n(.+\n)*", "", text.replace(', "el9"]', "]")))
    shutil.rmtree(fork.dist / "apt")
    refused(fork, "repodata/repomd.xml")


def test_another_machine_of_mine_goes_on(mine: Workspace, tmp_path: Path) -> None:
    other = clone(mine, mine, tmp_path)
    other.mkpkgs()
    other.mkpkgs("repo")
    release = next(other.dist.rglob("Release"))
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    subprocess.run([*gpg, "--import", other.keys / "repository.asc"], check=True)
    for data, signature in ((release, "Release.gpg"), (next(other.dist.rglob("repomd.xml")), "repomd.xml.asc")):
        subprocess.run([*gpg, "--verify", data.with_name(signature), data], check=True, capture_output=True)
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
    assert clients(other, tmp_path / "clients") == {"greet", "greet-plugin-bye", "greet-plugin-hello"}


def clients(project: Workspace, place: Path) -> set[str]:
    """Names that apt and dnf both offer, with all their checks on."""
    for name in ("lists/partial", "cache/archives/partial", "sources", "dnf-log"):
        (place / name).mkdir(parents=True)
    (place / "status").touch()
    key, url = project.dist / "greet.asc", project.dist.as_uri()
    (place / "sources/greet.list").write_text(f"deb [signed-by={key}] {url}/apt stable main\n")
    options = {
        "Dir::State::lists": place / "lists",
        "Dir::State::status": place / "status",
        "Dir::Cache": place / "cache",
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": place / "sources",
        "Dir::Etc::main": "/dev/null",
        "Dir::Etc::parts": "/dev/null",
        "APT::Sandbox::User": "root",
        "APT::Update::Error-Mode": "any",
    }
    apt = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    subprocess.run(["apt-get", *apt, "update"], check=True, capture_output=True)
    shown = subprocess.run(["apt-cache", *apt, "pkgnames"], check=True, capture_output=True, text=True).stdout
    (place / "yum").mkdir()
    text = (project.dist / "greet.repo").read_text()
    (place / "yum/greet.repo").write_text(re.sub(r"http://127\.0\.0\.1:8000", url, text))
    places = [f"--setopt={name}dir={place}/dnf-{name}" for name in ("cache", "log")]
    dnf = ["dnf", "-y", "-q", f"--installroot={place / 'root'}", "--releasever=1", *places]
    dnf += [f"--setopt=reposdir={place / 'yum'}", "repoquery", "--qf", "%{name}\\n"]
    found = subprocess.run(dnf, check=True, capture_output=True, text=True).stdout
    return set(shown.split()) & set(found.split()) & {"greet", "greet-plugin-bye", "greet-plugin-hello"}


def changed_package(project: Workspace) -> str:
    """A package that the signed index lists, with other bytes and the same size and time."""
    (path, *_) = sorted(project.dist.rglob("*-plugin-*.rpm"))
    shutil.copy(path, kept := path.with_name("kept"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    shutil.copystat(kept, path)
    kept.unlink()
    # No build writes over it: it is of an older version.
    return path.name


def added_deb(project: Workspace) -> str:
    (path, *_) = sorted(project.dist.rglob("*.deb"))
    shutil.copy(path, path.with_name("other_9_all.deb"))
    return "other_9_all.deb"


def added_rpm(project: Workspace) -> str:
    (path, *_) = sorted(project.dist.rglob("*.rpm"))
    (place := path.parent / "below").mkdir()
    shutil.copy(path, place / "other-9-1.noarch.rpm")
    return "below/other-9-1.noarch.rpm"


def changed_packages(project: Workspace) -> str:
    """What `Release` names, with another relation."""
    path = next(project.dist.rglob("Packages"))
    path.write_text(path.read_text().replace("Depends: ", "Depends: evil, ", 1))
    return "Packages"


def another_packages(project: Workspace) -> str:
    """An index that `Release` does not name."""
    path = next(project.dist.rglob("Packages"))
    shutil.copytree(path.parent, path.parent.with_name("binary-mips"))
    return "binary-mips/Packages"


def another_suite(project: Workspace) -> str:
    path = next(project.dist.rglob("Release"))
    shutil.copytree(path.parent, path.parent.with_name("evil"))
    release = path.parent.with_name("evil") / "Release"
    release.write_text(release.read_text().replace("Label: ", "Label: evil "))
    return "evil/Release"


def changed_primary(project: Workspace) -> str:
    (path,) = project.dist.rglob("*-primary.xml.gz")
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"<summary>", b"<summary>evil ")))
    return path.name


def changed_repomd(project: Workspace) -> str:
    """All parts of the index are somebody's, and fit together."""
    (path,) = project.dist.rglob("*-primary.xml.gz")
    data = gzip.decompress(path.read_bytes()).replace(b"<summary>", b"<summary>evil ")
    packed = gzip.compress(data)
    name = f"{hashlib.sha256(packed).hexdigest()}-primary.xml.gz"
    path.with_name(name).write_bytes(packed)
    repomd = path.with_name("repomd.xml")
    repomd.write_text(repomd.read_text().replace(path.name[:64], name[:64]))
    path.unlink()
    return "repomd.xml"


def unsigned(project: Workspace) -> str:
    next(project.dist.rglob("Release.gpg")).unlink()
    return "Release"


def changed_description(project: Workspace) -> str:
    (path, *_) = project.dist.glob("dev/*/*/core.toml")
    path.write_text(path.read_text().replace("summary = ", 'vendor = "evil"\nsummary = ', 1))
    return "core.toml"


CHANGES = (
    changed_package,
    added_deb,
    added_rpm,
    changed_packages,
    another_packages,
    another_suite,
    changed_primary,
    changed_repomd,
    unsigned,
    changed_description,
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_somebody_changed_in_my_dist_is_named(
    mine: Workspace, tmp_path: Path, change: Callable[[Workspace], str]
) -> None:
    other = clone(mine, mine, tmp_path)
    name = change(other)
    refused(other, name, arguments=("repo",))


def test_the_same_on_the_machine_that_built_it(mine: Workspace, tmp_path: Path) -> None:
    here = mine.copy(tmp_path)
    name = added_deb(here)
    refused(here, name)
    next(here.dist.rglob(name)).unlink()
    here.mkpkgs()


def test_an_index_that_is_removed_is_written_anew(mine: Workspace, tmp_path: Path) -> None:
    here = mine.copy(tmp_path)
    shutil.rmtree(here.dist / "apt/dists")
    shutil.rmtree(here.dist / "yum/repodata")
    here.mkpkgs()


def test_a_new_repository_key_takes_over_what_the_old_one_signed(mine: Workspace, tmp_path: Path) -> None:
    here, other = mine.copy(tmp_path / "here"), clone(mine, mine, tmp_path / "other")
    (tmp_path / "next").mkdir()
    after = Workspace.at(tmp_path / "next")
    shutil.copytree(TINY, after.root)
    after.mkpkgs("key", "new")
    for project in (here, other):
        for name in ("repository.key", "repository.asc"):
            (project.keys / name).rename(project.keys / f"old-{name}")
            shutil.copy(after.keys / name, project.keys / name)
        (project.keys / "old-repository.key").unlink()
    # On the machine that built all, and elsewhere: only where the old public key says that the new one follows it.
    kept = (here.keys / "old-repository.asc").rename(tmp_path / "kept")
    other_kept = (other.keys / "old-repository.asc").rename(tmp_path / "other-kept")
    before = tree(here.dist)
    done = here.mkpkgs(check=False)
    assert done.returncode == 1
    key = subprocess.run(["gpg", "--show-keys", "--with-colons", kept], check=True, capture_output=True, text=True)
    (fingerprint, *_) = re.findall(r"(?m)^fpr:+([0-9A-F]{40}):", key.stdout)
    assert f"until now the key {fingerprint} signed this repository in dist, and yours is" in done.stdout
    assert "copy dist/greet.asc into the directory of your keys" in done.stdout
    assert tree(here.dist) == before
    shutil.copy(here.dist / "greet.asc", here.keys / "old-repository.asc")
    here.mkpkgs()
    refused(other, "Release")
    shutil.copy(other_kept, other.keys / "old-repository.asc")
    other.mkpkgs()


def test_a_second_project_does_not_sign_the_repository_of_the_first(mine: Workspace, tmp_path: Path) -> None:
    here = mine.copy(tmp_path)
    text = (here.root / "mkpkgs.toml").read_text()
    (here.root / "hail.toml").write_text(text.replace('name = "greet"', 'name = "hail"', 1))
    before = tree(here.dist)
    theirs = here.under(MKPKGS_KEYS=str(tmp_path / "of-hail"))
    theirs.mkpkgs("key", "new", "-f", "hail.toml")
    done = theirs.mkpkgs("-f", "hail.toml", check=False)
    assert done.returncode == 1
    assert "signed the repository of greet, another project, in dist, and yours is" in done.stdout
    assert "give this project an output directory of its own: -o dist-hail" in done.stdout
    assert tree(here.dist) == before
    theirs.mkpkgs("-f", "hail.toml", "-o", "dist-hail")
    # With the same keys both may be served from one place, and nobody has to accept another name of it.
    here.mkpkgs("-f", "hail.toml")
    assert {"greet.asc", "hail.asc"} <= {path.name for path in here.dist.iterdir()}
    assert "Label: greet\n" in next(here.dist.rglob("Release")).read_text()


def test_each_command_needs_the_key_that_it_uses(mine: Workspace, tmp_path: Path) -> None:
    made = Workspace.at(tmp_path)
    shutil.copytree(TINY, made.root)
    shutil.copytree(mine.keys, made.keys)
    both = {name: (mine.keys / name).read_bytes() for name in ("repository.key", "manifest.key")}
    text = (made.root / "mkpkgs.toml").read_text()
    debs = re.sub(r"(?m)^\[core\.rpm\]\n(.+\n)*", "", text.replace(', "el9"]', "]"))
    (made.root / "mkpkgs.toml").write_text(debs)
    (made.keys / "repository.key").unlink()
    made.mkpkgs("build")
    assert "there is no repository.key in" in (said := made.mkpkgs("repo", check=False).stdout)
    assert "key new" not in said
    (made.keys / "repository.key").write_bytes(both["repository.key"])
    (made.keys / "repository.key").chmod(0o600)
    (made.keys / "manifest.key").unlink()
    made.mkpkgs("key", "show")
    # It signs the list for authors, once.
    assert "manifest.key" in made.mkpkgs("repo", check=False).stdout
    (made.keys / "manifest.key").write_bytes(both["manifest.key"])
    (made.keys / "manifest.key").chmod(0o600)
    made.mkpkgs("repo")
    (made.keys / "manifest.key").unlink()
    made.mkpkgs("repo")
    assert "there is no manifest.key in" in (said := made.mkpkgs("build", check=False).stdout)
    assert "key new" not in said


def test_where_a_repository_is_no_new_keys_are_proposed(mine: Workspace, tmp_path: Path) -> None:
    here = mine.copy(tmp_path)
    elsewhere = here.under(MKPKGS_KEYS=str(tmp_path / "none"))
    for command in ((), ("build",), ("repo",), ("key", "show")):
        done = elsewhere.mkpkgs(*command, check=False)
        assert done.returncode == 1
        assert "key new" not in done.stdout, done.stdout
        assert "name the directory of the keys that signed" in done.stdout


def test_packages_of_build_are_published_by_repo(mine: Workspace, tmp_path: Path) -> None:
    made = Workspace.at(tmp_path)
    shutil.copytree(TINY, made.root)
    shutil.copytree(mine.keys, made.keys)
    made.mkpkgs("build")
    assert not [*made.dist.rglob("Release")]
    made.mkpkgs("repo")
    assert {path.name for path in made.dist.rglob("*.deb")} == {path.name for path in mine.dist.rglob("*.deb")}
