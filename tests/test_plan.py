"""The plan: which packages a project comes to, and what stands in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from debian.copyright import Copyright

from packaging_tool import plan
from packaging_tool.drivers.base import Payload
from packaging_tool.drivers.files import Driver
from packaging_tool.errors import InputError, ProjectError
from packaging_tool.listener import Silent
from packaging_tool.package import clashes, texts
from packaging_tool.package.content import Content
from packaging_tool.package.model import Capability, Entry, Module, Package, Relation, Relations
from packaging_tool.project.loader import load
from packaging_tool.project.model import Project
from packaging_tool.signing import signify

SAMPLE = Path(__file__).parent / "samples" / "tiny"
KEY = signify.generate("ed25519")
TRUST = plan.Trust(
    keys={"manifest.pub": KEY.public.render("test")}, sign=lambda text: KEY.sign(text, "verify with key.pub")
)
Planned = dict[str, Package]


@pytest.fixture
def planned(tmp_path: Path) -> Callable[..., Planned]:
    """Plan the sample after some lines of its project file were replaced."""

    def make(*changes: tuple[str, str]) -> Planned:
        root = tmp_path / "tiny"
        shutil.copytree(SAMPLE, root, dirs_exist_ok=True)
        file = root / "mkpkgs.toml"
        text = file.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        file.write_text(text)
        return {package.name: package for package in packages(load(file))}

    return make


def packages(project: Project) -> tuple[Package, ...]:
    driver = Driver()
    outcome = driver.outline(project, driver.lock(project, None, project.root, Silent()), "all", project.root)
    return plan.packages(project, outcome, "all", driver.target(project), TRUST, 1_790_000_000)


def content(package: Package, path: str) -> bytes:
    (entry,) = (entry for entry in package.entries if entry.path == path)
    assert entry.content is not None
    return entry.content.read()


def test_there_is_one_core_and_one_package_per_plugin(planned: Callable[..., Planned]) -> None:
    found = planned()
    assert {name: package.kind for name, package in found.items()} == {
        "greet": "core",
        "greet-plugin-hello": "plugin",
        "greet-plugin-bye": "plugin",
        "greet-plugin-moon": "plugin",
        "greet-plugin-dev": "authors",
        "greet-plugin-devel": "authors",
    }
    assert {package.source for package in found.values()} == {"greet"}
    assert [name for name, package in found.items() if package.lifecycle] == ["greet"]


def test_core_and_plugins_are_in_lockstep_by_the_abi(planned: Callable[..., Planned]) -> None:
    found = planned()
    for family in ("deb", "rpm"):
        provided, _ = (items for items in found["greet"].relations[family].provides)
        assert isinstance(provided[0], Capability)
        assert provided[0].name == "greet-abi"
        assert content(found["greet"], "/usr/share/greet/abi").decode() == f"{provided[0].value}\n"
        assert provided in found["greet-plugin-hello"].relations[family].depends


def test_a_core_provides_every_abi_that_it_takes_and_a_plugin_asks_for_its_own(planned: Callable[..., Planned]) -> None:
    now, before = planned()["greet"], planned(('format = "1"', 'format = "0"'))["greet"]
    own, older = (core.relations["deb"].provides[0] for core in (now, before))
    found = planned(('format = "1"', 'format = "1"\naccepts = ["0"]'), ('plugins/moon"', 'plugins/moon", format = "0"'))
    assert found["greet"].relations["deb"].provides == found["greet"].relations["rpm"].provides
    assert found["greet"].relations["deb"].provides[:-1] == (own, older)
    assert found["greet-plugin-moon"].relations["rpm"].depends[0] == older
    assert found["greet-plugin-bye"].relations["rpm"].depends[0] == own
    lines = content(found["greet"], "/usr/share/greet/abi").decode().splitlines()
    assert lines == [alternatives[0].value for alternatives in (own, older) if isinstance(alternatives[0], Capability)]
    assert f"abi {lines[1]}\n" in content(found["greet-plugin-moon"], "/usr/share/greet/plugins/moon.manifest").decode()


def test_a_plugin_that_needs_another_wants_the_very_version(planned: Callable[..., Planned]) -> None:
    depends = planned()["greet-plugin-moon"].relations["deb"].depends
    assert (Relation("greet-plugin-bye", "=", "1.0-1"),) in depends


def test_an_epoch_is_in_every_version(planned: Callable[..., Planned]) -> None:
    found = planned(('version = "1.0"', 'version = "1.0"\nepoch = 2'), ("order = 10", 'order = 10\nversion = "0.3"'))
    assert {str(package.version) for package in found.values()} == {"2:1.0-1", "2:0.3+1.0-1"}
    for family in ("deb", "rpm"):
        depends = found["greet-plugin-moon"].relations[family].depends
        assert (Relation("greet-plugin-bye", "=", "2:1.0-1"),) in depends
    manifest = content(found["greet-plugin-hello"], "/usr/share/greet/plugins/hello.manifest").decode()
    assert "\npackage greet-plugin-hello 2:0.3+1.0-1\n" in manifest


def test_the_manifest_names_every_file_and_signify_accepts_it(planned: Callable[..., Planned], tmp_path: Path) -> None:
    found = planned()
    (tmp_path / "key.pub").write_bytes(TRUST.keys["manifest.pub"])
    for name in ("hello", "bye", "moon"):
        package = found[f"greet-plugin-{name}"]
        manifest = content(package, f"/usr/share/greet/plugins/{name}.manifest")
        (tmp_path / "m").write_bytes(manifest)
        (tmp_path / "m.sig").write_bytes(content(package, f"/usr/share/greet/plugins/{name}.manifest.sig"))
        subprocess.run(["signify-openbsd", "-V", "-q", "-p", "key.pub", "-m", "m"], cwd=tmp_path, check=True)
        payload = [e.path for e in package.entries if e.content and "/plugins/" in e.path and "/share/" not in e.path]
        named = [line.split("  ")[1] for line in manifest.decode().splitlines() if line.startswith("file ")]
        assert payload == [f"/usr/lib/greet/plugins/{name}/{path}" for path in named]


def test_a_plugin_with_a_version_of_its_own_names_the_core_behind_it(planned: Callable[..., Planned]) -> None:
    """Built for another core it is another package, so apt and dnf must see another version."""
    found = planned(("order = 10", 'order = 10\nversion = "0.3"'))
    assert str(found["greet-plugin-hello"].version) == "0.3+1.0-1"


def test_core_and_plugins_list_the_plugins_directory_closed_to_others(planned: Callable[..., Planned]) -> None:
    for package in planned().values():
        if package.kind == "authors":
            continue
        (entry,) = (entry for entry in package.entries if entry.path == "/usr/lib/greet/plugins")
        assert (entry.type, entry.mode, entry.owner, entry.group) == ("directory", 0o750, "root", "greet")


def test_who_makes_the_packages_holds_no_copyright(planned: Callable[..., Planned], tmp_path: Path) -> None:
    """What the project says comes first, then what the sources of core and plugin say themselves."""
    silent = ('copyright = "2026 The mkpkgs authors"\n', "")
    found = planned(silent)
    assert {package.copyright for package in found.values()} == {""}
    assert b"Copyright: not stated in the sources\n" in texts.copyright_file(found["greet"])
    project, driver = load(tmp_path / "tiny/mkpkgs.toml"), Driver()
    outcome = driver.outline(project, driver.lock(project, None, project.root, Silent()), "all", project.root)
    server = Module("server", "1.0", "Apache-2.0", ("2026 Ada", "2025 Bob"), "")
    bell = Module("bell", "1.0", "MIT", ("2024 Cy",), "")
    outcome = replace(
        outcome,
        core=replace(outcome.core, modules=(bell, server), own="server"),
        plugins={**outcome.plugins, "bye": replace(outcome.plugins["bye"], modules=(bell,), own="bell")},
    )
    made = plan.packages(project, outcome, "all", driver.target(project), TRUST, 1_790_000_000)
    said = {package.name: (package.license, package.copyright) for package in made}
    assert said["greet"] == ("Apache-2.0", "2026 Ada\n2025 Bob")
    assert said["greet-plugin-bye"] == ("MIT", "2024 Cy")
    assert said["greet-plugin-hello"] == said["greet"]
    file = Copyright(texts.copyright_file(made[0]).decode().splitlines(), strict=True)
    assert str(next(iter(file.all_files_paragraphs())).copyright) == "2026 Ada\n 2025 Bob"


def test_the_plugins_directory_can_lie_elsewhere(planned: Callable[..., Planned]) -> None:
    found = planned(('program = "greet"', 'program = "greet"\nplugins-directory = "/usr/lib/greet/modules"'))
    assert content(found["greet-plugin-hello"], "/usr/lib/greet/modules/hello/greeting")
    assert found["greet"].lifecycle is not None
    assert found["greet"].lifecycle.watched == "/usr/lib/greet/modules"
    assert b"PLUGINS=/usr/lib/greet/modules\n" in content(found["greet"], "/usr/bin/greet-plugins")


def test_a_retired_plugin_is_an_empty_deb_and_obsolete_in_rpm(planned: Callable[..., Planned]) -> None:
    found = planned(("[repository]", '[repository]\nretired = ["old"]'))
    empty = found["greet-plugin-old"]
    assert (empty.kind, empty.entries, list(empty.relations)) == ("retired", (), ["deb"])
    assert (Relation("greet-plugin-old", "<", "1.0-1"),) in found["greet"].relations["rpm"].replaces
    assert found["greet"].relations["deb"].replaces == ()


def test_a_retired_plugin_with_a_version_of_its_own_ends_behind_it(planned: Callable[..., Planned]) -> None:
    found = planned(("[repository]", '[repository]\nretired = ["old 3.2"]'))
    assert str(found["greet-plugin-old"].version) == "3.2+1.0-1"
    assert (Relation("greet-plugin-old", "<", "3.2+1.0-1"),) in found["greet"].relations["rpm"].replaces


RENAMED = '[repository]\nrenamed = {{ {} = "hello" }}'


def test_a_renamed_plugin_is_followed_by_an_empty_deb_and_by_obsoletes_in_rpm(planned: Callable[..., Planned]) -> None:
    found = planned(("[repository]", RENAMED.format("old")))
    empty, hello = found["greet-plugin-old"], found["greet-plugin-hello"]
    assert (empty.kind, empty.section, empty.entries, list(empty.relations)) == ("retired", "oldlibs", (), ["deb"])
    assert (Relation("greet-plugin-hello"),) in empty.relations["deb"].depends
    before, same = (Relation("greet-plugin-old", "<", "1.0-1"),), (Relation("greet-plugin-old", "=", "1.0-1"),)
    assert (hello.relations["deb"].replaces, hello.relations["deb"].provides) == ((before,), ())
    assert (hello.relations["rpm"].replaces, hello.relations["rpm"].provides) == ((before,), (same,))
    assert all(found[name].relations["rpm"].replaces == () for name in ("greet", "greet-plugin-bye"))
    assert content(found["greet"], "/usr/share/greet/former") == b"old hello\n"


def test_a_renamed_plugin_ends_with_the_version_that_it_would_have(planned: Callable[..., Planned]) -> None:
    """As the new one, if nothing else is said."""
    own = ("order = 10", 'order = 10\nversion = "0.3"\nrelease = "2"')
    for name, version in (("old", "0.3+1.0-2"), ('"old 5.1"', "5.1+1.0-1")):
        found = planned(own, ("[repository]", RENAMED.format(name)))
        assert str(found["greet-plugin-old"].version) == version
        (replaced,) = found["greet-plugin-hello"].relations["rpm"].replaces
        assert replaced == (Relation("greet-plugin-old", "<", version),)


def test_relations_of_one_format_replace_those_for_both(planned: Callable[..., Planned]) -> None:
    change = ("order = 10", 'order = 10\ndepends = ["git"]\nrpm.depends = ["git-core"]')
    depends = {f: r.depends for f, r in planned(change)["greet-plugin-hello"].relations.items()}
    assert (Relation("git"),) in depends["deb"]
    assert (Relation("git-core"),) in depends["rpm"]
    assert (Relation("git"),) not in depends["rpm"]
    change = ("order = 10", 'order = 10\ndepends = ["git"]\nrpm.depends = []')
    depends = {f: r.depends for f, r in planned(change)["greet-plugin-hello"].relations.items()}
    assert ((Relation("git"),) in depends["deb"], (Relation("git"),) in depends["rpm"]) == (True, False)


def test_configuration_that_runs_can_be_run(planned: Callable[..., Planned], tmp_path: Path) -> None:
    """As a job in /etc/cron.daily."""
    change = ('path = "/etc/greet/"', 'path = "/etc/cron.daily/"')
    for mode, packed in ((0o644, 0o644), (0o755, 0o755)):
        planned(change)
        (tmp_path / "tiny/greet.conf").chmod(mode)
        project = load(tmp_path / "tiny/mkpkgs.toml")
        (core,) = (package for package in packages(project) if package.name == "greet")
        (job,) = (entry for entry in core.entries if entry.path == "/etc/cron.daily/greet.conf")
        assert (job.type, job.mode) == ("config", packed)


def test_what_not_everybody_may_read_gets_no_mode_by_itself(planned: Callable[..., Planned], tmp_path: Path) -> None:
    planned()
    (tmp_path / "tiny/greet.conf").chmod(0o600)
    with pytest.raises(ProjectError, match=r"core.file\[0\].mode: is missing: not everybody can read greet.conf"):
        load(tmp_path / "tiny/mkpkgs.toml")
    # A checkout under umask 077 says nothing.
    (tmp_path / "tiny/mkpkgs.toml").chmod(0o600)
    load(tmp_path / "tiny/mkpkgs.toml")


def test_versions_sort_as_the_core_does() -> None:
    core = load(SAMPLE / "mkpkgs.toml").core
    texts = [str(plan.plugin_version(replace(core, version=version), "2.0")) for version in ("1.9", "1.10")]
    assert subprocess.run(["dpkg", "--compare-versions", texts[0], "lt", texts[1]]).returncode == 0


def test_two_packages_with_one_file_are_refused_unless_they_clash_anyway(planned: Callable[..., Planned]) -> None:
    extra = Entry(path="/usr/share/greetings", content=Content(b"hello"))
    found = planned(("[plugin.bye]", '[plugin.bye]\nclashes = ["hello"]'))
    hello, bye, moon = (
        replace(found[f"greet-plugin-{name}"], entries=(*found[f"greet-plugin-{name}"].entries, extra))
        for name in ("hello", "bye", "moon")
    )
    clashes.apart([hello, bye])
    with pytest.raises(InputError, match="/usr/share/greetings is in greet-plugin-hello and in greet-plugin-moon"):
        clashes.apart([hello, moon])
    # Equal files have equal debug information, at a path that nobody chooses.
    clashes.apart([replace(hello, kind="debug"), replace(moon, kind="debug")])


WEB = """
[[core.file]]
path = "/usr/share/greet/www"
type = "directory"
mode = "0750"
group = "greet"

[[plugin.hello.file]]
source = "greet.conf"
path = "/usr/share/greet/www/deep/hello.html"

[[plugin.hello.file]]
source = "greet.conf"
path = "/usr/share/applications/hello.desktop"

[[plugin.hello.file]]
path = "/var/lib/greet/hello"
type = "directory"
"""


def test_directories_that_are_named_after_the_core_are_listed_alike_by_each_package_below(
    planned: Callable[..., Planned], tmp_path: Path
) -> None:
    """rpm takes away only what is listed, and installs no two packages that see one directory differently."""
    planned()
    project = tmp_path / "tiny/mkpkgs.toml"
    project.write_text(project.read_text() + WEB)
    found = {package.name: package for package in packages(load(project))}
    listed = {
        entry.path: (entry.mode, entry.group)
        for entry in found["greet-plugin-hello"].entries
        if entry.type == "directory" and not entry.path.startswith("/usr/lib/")
    }
    # The home is systemd's.
    assert listed == {
        "/usr/share/greet": (0o755, "root"),
        "/usr/share/greet/www": (0o750, "greet"),
        "/usr/share/greet/www/deep": (0o755, "root"),
        "/var/lib/greet/hello": (0o755, "root"),
    }


@pytest.mark.parametrize("name", ["a\u200db", "a\u00a0b", "\udcff", "a\nb"])
def test_a_pattern_that_finds_a_name_which_nobody_can_read_is_refused(
    name: str, planned: Callable[..., Planned], tmp_path: Path
) -> None:
    (tmp_path / "tiny/www").mkdir(parents=True)
    (tmp_path / "tiny/www" / name).touch()
    with pytest.raises(ProjectError, match=r"core.file\[0\].source: 'www/\*' finds ") as caught:
        planned(
            ('source = "greet.conf"\npath = "/etc/greet/"\ntype = "config"', 'source = "www/*"\npath = "/usr/share/x/"')
        )
    assert ascii(name) in str(caught.value)


@pytest.mark.parametrize("name", ["new\nline", "a\tb", "a\x7f", "b/next\u0085line", os.fsdecode(b"caf\xe9")])
def test_names_that_no_manifest_can_have_are_refused_by_the_plan(tmp_path: Path, name: str) -> None:
    root = tmp_path / "tiny"
    shutil.copytree(SAMPLE, root)
    file = root / "plugins/hello" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("x\n")
    done = subprocess.run(
        [sys.executable, "-m", "packaging_tool", "plan"], cwd=root, stderr=subprocess.PIPE, check=False
    )
    said = done.stderr.decode()
    assert (done.returncode, "Traceback" in said) == (2, False), said
    assert f"plugin hello: no file of a plugin can have the name {name!r} ({f'plugins/hello/{name}'!r})" in said
    assert "rename it, or leave it out of the plugin: names of files are UTF-8 without control" in said


def test_a_plugin_whose_names_need_the_second_format_asks_for_a_core_that_reads_it(
    planned: Callable[..., Planned], tmp_path: Path
) -> None:
    """An older core would refuse it: apt and dnf leave it aside then. What needs no second format stays as it is."""
    planned()
    (tmp_path / "tiny/plugins/bye/icon @2x.png").touch()
    found = planned()
    second = (Capability("greet-manifest", "2"),)
    for family in ("deb", "rpm"):
        assert second in found["greet"].relations[family].provides
        asking = {
            name for name, package in found.items() if second in package.relations.get(family, Relations()).depends
        }
        assert asking == {"greet-plugin-bye"}
    manifests = (
        content(found[f"greet-plugin-{name}"], f"/usr/share/greet/plugins/{name}.manifest") for name in ("hello", "bye")
    )
    assert [data.partition(b"\n")[0] for data in manifests] == [b"mkpkgs-manifest 1", b"mkpkgs-manifest 2"]


def test_a_manifest_that_no_target_reads_is_told_before_anything_is_packed(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE, tmp_path / "tiny")
    project, driver = load(tmp_path / "tiny/mkpkgs.toml"), Driver()
    outcome = driver.outline(project, driver.lock(project, None, project.root, Silent()), "all", project.root)
    place, empty = f"{project.plugins_directory}/hello", Content(b"")
    many = tuple(Entry(path=f"{place}/{'x' * 214}/{number:05}", content=empty) for number in range(62_000))

    def made(trust: plan.Trust, *entries: Entry) -> tuple[Package, ...]:
        changed = replace(outcome, plugins={**outcome.plugins, "hello": Payload(entries)})
        return plan.packages(project, changed, "all", driver.target(project), trust, 1_790_000_000)

    for trust in (TRUST, replace(TRUST, sign=None)):
        with pytest.raises(InputError, match=r"plugin hello has 62000 files, .* 17 MB; a target reads 16 MB") as caught:
            made(trust, *many)
        assert caught.value.hint.startswith("put many files into one, as an archive")
        assert made(trust, *many[:100])
    with pytest.raises(InputError, match="plugin hello has no file, so it would take away the one that is installed"):
        made(TRUST)
    # Before a build nobody knows them.
    assert made(replace(TRUST, sign=None))


def test_a_pattern_has_no_names_before_the_build_and_what_is_in_no_manifest_may_have_any(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE, tmp_path / "tiny")
    project, driver = load(tmp_path / "tiny/mkpkgs.toml"), Driver()
    outcome = driver.outline(project, driver.lock(project, None, project.root, Silent()), "all", project.root)
    own = outcome.plugins["hello"]
    place = f"{project.plugins_directory}/hello"
    more = [Entry(path=f"{place}/*.so"), Entry(path=f"{place}/a b", type="symlink", target="greeting")]
    more.append(Entry(path="/usr/share/greet/a b", content=Content(b"")))

    def made(*entries: Entry) -> tuple[Package, ...]:
        plugins = {**outcome.plugins, "hello": replace(own, entries=(*own.entries, *entries))}
        changed = replace(outcome, plugins=plugins)
        return plan.packages(project, changed, "all", driver.target(project), TRUST, 1_790_000_000)

    assert made(*more)
    with pytest.raises(InputError, match=r"the name 'c\\nd', nor 1 more"):
        made(Entry(path=f"{place}/c\nd", content=Content(b"")), Entry(path=f"{place}/c\td"))
