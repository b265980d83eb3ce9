"""mkpkgs' own packaging: debian/ and rpm/ build from a clean tree, and what they install works."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from packaging_tool import __version__

pytestmark = pytest.mark.acceptance

ROOT = Path(__file__).parent.parent.parent
# As a build daemon has it: no virtual environment, no settings of the user.
CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
# The interpreter's own packages and the program itself; nothing of the tree that was built from.
INSTALLED = """
set -eu
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" none "$1/root"
mount --bind /proc "$1/root/proc"
mount --bind /dev "$1/root/dev"
cp "$2" "$1/root/tmp/"
exec chroot "$1/root" /bin/sh -euc "$3"
"""
SAMPLE = """
cd /tmp/tiny
export HOME=/tmp MKPKGS_KEYS=/tmp/keys
mkpkgs key new
mkpkgs
ls dist/apt/pool/main/g/greet
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release's tree: the files that git knows, as they are now."""
    place = tmp_path_factory.mktemp("source") / f"mkpkgs-{__version__}"
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout.split(b"\0")
    for name in (os.fsdecode(name) for name in names if name):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    return place


def run(*argv: str | Path, cwd: Path) -> str:
    done = subprocess.run(argv, cwd=cwd, env=CLEAN, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def installed(package: Path, command: str, tmp_path: Path) -> str:
    """Install a package over the machine's own files, in a copy that goes away, and use it there."""
    shutil.copytree(ROOT / "tests/samples/tiny", tmp_path / "tiny")
    script = f"cp -r {tmp_path}/tiny /tmp/tiny\n{command}\ncommand -v mkpkgs\n{SAMPLE}"
    (tmp_path / "mnt").mkdir()
    return run("unshare", "--mount", "sh", "-c", INSTALLED, "sh", tmp_path / "mnt", package, script, cwd=tmp_path)


def test_the_deb_builds_is_clean_and_works(tree: Path, tmp_path: Path) -> None:
    run("dpkg-buildpackage", "--unsigned-source", "--unsigned-changes", "--build=binary", cwd=tree)
    (package,) = tree.parent.glob("*.deb")
    assert "E:" not in (told := run("lintian", "--fail-on=error,warning", package, cwd=tmp_path)), told
    said = installed(package, f"dpkg -i /tmp/{package.name}", tmp_path)
    assert f"greet-plugin-moon_{1.0}-1_all.deb" in said


def test_the_rpm_builds_and_works(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "SOURCES").mkdir()
    with tarfile.open(tmp_path / f"SOURCES/mkpkgs-{__version__}.tar.gz", "w:gz") as archive:
        archive.add(tree, tree.name)
    # Debian's packages are not in rpm's database, so rpm cannot know that they are there.
    run("rpmbuild", "--nodeps", "-bb", "--define", f"_topdir {tmp_path}", tree / "rpm/mkpkgs.spec", cwd=tmp_path)
    (package,) = tmp_path.glob("RPMS/noarch/*.rpm")
    said = installed(package, f"rpm -i --nodeps /tmp/{package.name}", tmp_path)
    assert f"greet-plugin-moon_{1.0}-1_all.deb" in said
