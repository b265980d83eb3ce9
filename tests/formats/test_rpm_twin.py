"""The header that we write is the one that rpmbuild writes for the same package, but for what is listed here."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from packaging_tool.formats.rpm import Format
from packaging_tool.package.model import Alternatives, Package, Relations
from tests.formats import samples
from tests.formats.rpms import build, core, needs, output, plugin

pytestmark = needs("rpm", "rpmbuild")

# Tags that differ, and why that is right.
EXPECTED = {
    "Rpmversion": "which rpm can read it, not which one wrote it",
    "Platform": "the words of another builder",
    "Optflags": "we run no C compiler, so there are no flags to tell",
    "Filedependsx": "rpmbuild's generators note which file asked for what; ours are said by the project",
    "Filedependsn": "as Filedependsx",
    "Dependsdict": "as Filedependsx",
    "Classdict": "file(1) says more of programs and compressed files; the first words stand there, too",
    "Fileclass": "as Classdict",
    "Payloaddigest": "zstd is told the size of the data beforehand and so makes other bytes",
    "Sigsize": "as Payloaddigest; and rpmbuild reserves 4 KiB for a later signature",
    "Sigmd5": "rpm since 4.14 has better digests, and MD5 over all is dear",
    "Payloaddigestalt": "nobody checks it; the archives are compared below",
    "Sha1header": "of a header that differs",
    "Sha256header": "of a header that differs",
}
ATTRIBUTES = {"config": "%config(noreplace)", "doc": "%doc", "directory": "%dir", "ghost": "%ghost"}


def spec(package: Package) -> str:
    """A spec file for this package whose files lie in the build root already."""
    words = Format()
    relations = package.relations["rpm"]
    life = package.lifecycle
    lines = [
        f"Name: {package.name}",
        f"Version: {package.version.upstream}",
        f"Release: {package.version.release}",
        *([f"Epoch: {package.version.epoch}"] if package.version.epoch else []),
        f"Summary: {package.summary}",
        f"License: {package.license}",
        f"Group: {package.group}",
        f"URL: {package.homepage}",
        f"Vendor: {package.vendor}",
        f"Packager: {package.maintainer}",
        *_relations(words, relations),
        *(
            [f"Provides: user({life.try_user})", f"Provides: user({life.user})", f"Provides: group({life.group})"]
            if life
            else []
        ),
        *(["Requires(pre): shadow-utils", "Requires(preun): coreutils"] if life else []),
        *(["Requires(post,preun,postun): systemd"] if life else []),
        "%description",
        package.description,
    ]
    for head, text in words.scripts(package).items():
        lines += [head, text.replace("%", "%%")]
    lines.append("%files")
    for path, attribute, mode, group in _files(package):
        lines.append(f'%attr({mode:o},root,{group}) {attribute} "{path}"')
    lines.append("%changelog")
    for change in package.changelog:
        day = datetime.fromtimestamp(change.time, UTC).strftime("%a %b %d %Y")
        lines += [f"* {day} {change.author} - {change.version}", *(f"- {text}" for text in change.changes), ""]
    return "\n".join(lines) + "\n"


def _relations(words: Format, relations: Relations) -> Iterator[str]:
    kinds: tuple[tuple[str, tuple[Alternatives, ...]], ...] = (
        ("Requires", relations.depends),
        ("Recommends", relations.recommends),
        ("Suggests", relations.suggests),
        ("Conflicts", relations.conflicts),
        ("Obsoletes", relations.replaces),
        ("Provides", relations.provides),
    )
    for field, items in kinds:
        yield from (f"{field}: {words.spell(item)}" for item in items)


def _files(package: Package) -> Iterator[tuple[str, str, int, str]]:
    for entry in package.entries:
        suffix = ".gz" if entry.path.startswith("/usr/share/man/") else ""
        yield entry.path + suffix, ATTRIBUTES.get(entry.type, ""), entry.mode, entry.group
    licenses = f"/usr/share/licenses/{package.name}"
    yield licenses, "%dir", 0o755, "root"
    yield f"{licenses}/copyright", "%license", 0o644, "root"


def rpmbuild(package: Package, ours: Path, directory: Path) -> Path:
    """The same package made by rpmbuild; the files come from our own archive."""
    root = directory / "buildroot"
    root.mkdir()
    output("sh", "-c", 'rpm2cpio "$1" | cpio -id --quiet', "sh", str(ours), cwd=root)
    for entry in package.entries:
        if entry.type == "ghost":
            (root / entry.path[1:]).touch()
    for path in [root, *root.rglob("*")]:
        os.utime(path, (package.time, package.time), follow_symlinks=False)
    (directory / "twin.spec").write_text(spec(package))
    macros = {
        "_topdir": str(directory / "top"),
        "_binary_payload": "w3.zstdio",
        "_buildhost": "reproducible",
        "use_source_date_epoch_as_buildtime": "1",
        "source_date_epoch_from_changelog": "0",
        "__os_install_post": "%{nil}",
        "debug_package": "%{nil}",
        "_build_id_links": "none",
        "__find_requires": "%{nil}",
        "__find_provides": "%{nil}",
        "_use_internal_dependency_generator": "0",
        "__spec_install_pre": "%{nil}",
        "optflags": "-O2",
    }
    defines = [word for name, value in macros.items() for word in ("--define", f"{name} {value}")]
    target = ["--target", {"amd64": "x86_64", "all": "noarch"}[package.architecture]]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(package.time), "LC_ALL": "C.UTF-8"}
    argv = ["rpmbuild", "-bb", "--quiet", *defines, *target, "--buildroot", str(root), str(directory / "twin.spec")]
    output(*argv, env=environment)
    (made,) = (directory / "top/RPMS").rglob("*.rpm")
    return made


def _classes(tags: dict[str, list[str]]) -> list[str]:
    return [tags["Classdict"][int(number)] for number in tags["Fileclass"]]


def header(path: Path) -> dict[str, list[str]]:
    """All tags as rpm itself shows them."""
    shown = output("rpm", "-qp", "--xml", path)
    return {tag.attrib["name"]: [item.text or "" for item in tag] for tag in ElementTree.fromstring(shown)}  # noqa: S314 # from our own file


PLUGIN = plugin(source="tiny-plugin-git")


@pytest.mark.parametrize(
    "package", [core(), PLUGIN, replace(PLUGIN, architecture="all")], ids=["core", "plugin", "noarch"]
)
def test_every_tag_is_as_rpmbuild_writes_it(package: Package, tmp_path: Path) -> None:
    ours = build(package, tmp_path).path
    theirs = rpmbuild(package, ours, tmp_path)
    assert ours.name == theirs.name
    we, they = header(ours), header(theirs)
    different = {tag: (we.get(tag), they.get(tag)) for tag in we.keys() | they.keys() if we.get(tag) != they.get(tag)}
    assert {tag: pair for tag, pair in different.items() if tag not in EXPECTED} == {}
    for name, own, other in zip(we["Basenames"], _classes(we), _classes(they), strict=True):
        # rpmbuild also looks into compressed files, and at what stands for a ghost in the build root.
        assert own.split(",")[0] in other, name


def test_the_unpacked_archive_is_the_one_of_rpmbuild(tmp_path: Path) -> None:
    """So nothing that reads rpm's archives can stumble over ours."""
    ours = build(core(), tmp_path).path
    theirs = rpmbuild(core(), ours, tmp_path)
    archives = [subprocess.run(["rpm2cpio", path], check=True, capture_output=True).stdout for path in (ours, theirs)]
    assert archives[0] == archives[1]
    assert header(ours)["Archivesize"] == header(theirs)["Archivesize"]


def test_the_files_that_the_twin_is_made_of_are_all_there() -> None:
    """The comparison is worth something only with each kind of entry in it."""
    entries = core().entries
    assert {entry.type for entry in entries} >= {"file", "config", "directory", "symlink", "ghost"}
    assert any(entry.mode & stat.S_IXUSR for entry in entries)
    assert any(entry.group != "root" for entry in entries)
    assert samples.LIFECYCLE.unit
