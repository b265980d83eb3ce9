"""Hostile words in each text key of a project file: refused in words that name file, line and key, or harmless.

The keys are those of the model, so a new one is covered by itself. What is accepted is planned, and all texts that came
of it are given to the programs that read them.
"""

from __future__ import annotations

import configparser
import gzip
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from debian.deb822 import Deb822

from packaging_tool import plan, registry, toml
from packaging_tool.drivers import files
from packaging_tool.errors import MkpkgsError
from packaging_tool.listener import Silent
from packaging_tool.package.model import Package
from packaging_tool.package.templates import render
from packaging_tool.project import model
from packaging_tool.project.model import Project
from packaging_tool.signing import signify
from tests.hostile import control, judges
from tests.hostile.projects import Bench, Path_, Taken, keys, look
from tests.workspace import Workspace

SAMPLE = Path(__file__).parent.parent / "samples/tiny"
KEY = signify.generate("ed25519")
TRUST = plan.Trust(keys={"a.pub": KEY.public.render("test")}, sign=lambda text: KEY.sign(text, "verify with key.pub"))
CHANGE = {"version": "1.0-1", "date": "2026-11-20", "changes": ["New"]}
FIELDS = {"Package", "Source", "Version", "Architecture", "Maintainer", "Installed-Size", "Section", "Priority"} | {
    *(
        "Homepage",
        "Description",
        "Depends",
        "Recommends",
        "Suggests",
        "Conflicts",
        "Breaks",
        "Replaces",
        "Provides",
        "Multi-Arch",
    ),
}
# Where the tables of each class stand in the sample.
TABLES: Sequence[tuple[type, Path_]] = (
    (model.CoreSpec, ("core",)),
    (model.FileSpec, ("core", "file", 0)),
    (model.ChangeSpec, ("core", "changelog", 0)),
    (model.PluginSpec, ("plugin", "hello")),
    (model.RepositorySpec, ("repository",)),
    (files.CoreOptions, ("core", "files")),
    (files.PluginOptions, ("plugin", "hello", "files")),
)


@dataclass
class Texts:
    """Different texts that came of accepted words, by what reads them, with the key and word of the first."""

    found: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, kind: str, text: str, who: str) -> None:
        self.found.setdefault(kind, {}).setdefault(text, who)

    def of(self, kind: str) -> Mapping[str, str]:
        return self.found.get(kind, {})


def planned(project: Project) -> tuple[Package, ...]:
    driver = files.Driver()
    outcome = driver.outline(project, driver.lock(project, None, project.root, Silent()), "all", project.root)
    return plan.packages(project, outcome, "all", driver.target(project), TRUST, 1_790_000_000)


def gather(project: Project, texts: Texts, who: str) -> None:
    """What a project comes to."""
    driver = files.Driver()
    lock = driver.lock(project, None, project.root, Silent())
    assert toml.loads(lock.text)["files"]["format"] == project.core_options.format, who
    for package in planned(project):
        for name in registry.names("formats"):
            for script, text in registry.load("formats", name).Format().scripts(package).items():
                kind = script.split()[0].lstrip("%")
                texts.add("trigger" if kind == "triggers" else f"{name}-{kind}", text, who)
        for entry in package.entries:
            if not entry.path.startswith("/usr/share/doc/") and package.kind == "core":
                assert not control(entry.path + entry.target), who
            text = (
                entry.content.read() if entry.content is not None and isinstance(entry.content.source, bytes) else b""
            )
            kinds = {".service": "unit", "-plugins": "tool", "bin/arrange": "tool"}
            kind = next((kind for end, kind in kinds.items() if entry.path.endswith(end)), "")
            kind = {"sysusers.d": "sysusers", "tmpfiles.d": "tmpfiles"}.get(entry.path.split("/")[-2], kind)
            if kind and text and not entry.path.startswith(("/etc/apt", "/usr/share/bash-completion")):
                texts.add(kind, text.decode(), who)
    for name in registry.names("repos"):
        repository = registry.load("repos", name).Repository()
        texts.add("page", repository.instructions(project.repository, project.name, [project.core.name], "x"), who)
    url = project.repository.url.rstrip("/")
    texts.add(
        "sources",
        render("repos/sources.j2", spec=project.repository, core=project.name, file="x.sources", url=url),
        who,
    )
    texts.add("summary", project.core.summary + project.core.homepage, who)


@pytest.fixture(scope="module")
def words_of_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, Texts, list[Taken]]:
    """All texts that came of accepted words, and the words. What is refused is looked at here."""
    bench = Bench(SAMPLE, tmp_path_factory.mktemp("words"))
    bench.raw["core"]["changelog"] = [dict(CHANGE)]
    found, accepted = Texts(), list[Taken]()
    places = [key for cls, path in TABLES for key in keys(cls, path, ("name",) if cls is model.PluginSpec else ())]
    for taken, project in bench.tried(places):
        if project is not None:
            try:
                gather(project, found, str(taken))
                accepted.append(taken)
            except MkpkgsError as error:
                look(error, str(taken))
    assert len(accepted) > 100
    return bench, found, accepted


@pytest.fixture(scope="module")
def texts(words_of_files: tuple[Bench, Texts, list[Taken]]) -> tuple[Texts, Path]:
    bench, found, _ = words_of_files
    return found, bench.mark


SCRIPTS = ("deb-", "rpm-", "tool", "page")


def test_scripts_and_shown_commands_are_read_by_a_shell_and_run_nothing_else(
    texts: tuple[Texts, Path], tmp_path: Path, share: slice
) -> None:
    found, mark = texts
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    programs = "rm systemctl deb-systemd-helper deb-systemd-invoke curl install apt dnf find getent useradd groupadd"
    for name in programs.split(" "):
        (stubs / name).write_text("#!/bin/sh\nexit 0\n")
        (stubs / name).chmod(0o755)
    for kind in [kind for kind in found.found if kind.startswith(SCRIPTS)]:
        for number, (text, who) in enumerate([*found.of(kind).items()][share]):
            script = tmp_path / f"{kind}-{number}"
            script.write_text(text)
            done = subprocess.run(["sh", "-n", script], capture_output=True, text=True)
            assert done.returncode == 0, (kind, who, done.stderr)
            if kind in ("deb-postrm", "deb-prerm", "rpm-preun", "rpm-pre", "page"):
                argument = {"deb-postrm": "purge", "deb-prerm": "remove"}.get(kind, "0")
                subprocess.run(["/bin/sh", script, argument], env={"PATH": str(stubs)}, capture_output=True)
            assert not mark.exists(), (kind, who)


@pytest.mark.skipif(not shutil.which("systemd-sysusers"), reason="no systemd here")
def test_systemd_reads_users_and_files(texts: tuple[Texts, Path], tmp_path: Path) -> None:
    found, mark = texts
    for kind, program in (("sysusers", "systemd-sysusers"), ("tmpfiles", "systemd-tmpfiles")):
        for number, (text, who) in enumerate(found.of(kind).items()):
            root = tmp_path / f"{kind}-{number}"
            (root / "etc").mkdir(parents=True)
            path = root / "greet.conf"
            # The owners of files are not this machine's.
            owners = "\n".join(re.sub(r"(\d{4}) \S+ \S+ -$", r"\1 - - -", line) for line in text.splitlines())
            path.write_text(f"{text if kind == 'sysusers' else owners}\n")
            more = [] if kind == "sysusers" else ["--create"]
            done = subprocess.run([program, f"--root={root}", *more, path], capture_output=True, text=True)
            assert done.returncode == 0, (who, text, done.stderr)
            assert "specifier" not in done.stderr, (who, text, done.stderr)
    assert found.of("sysusers")
    assert not mark.exists()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_reads_units(texts: tuple[Texts, Path], tmp_path: Path) -> None:
    found, mark = texts
    units = {}
    for number, (text, who) in enumerate(found.of("unit").items()):
        # What lines of [Service] say is systemd's to judge, and who writes them reads systemd's words.
        if who.startswith("core.service.unit"):
            assert not control(text), who
            continue
        path = tmp_path / f"greet{number}.service"
        path.write_text(re.sub(r"(?m)^(Exec\w+=)/usr/bin/\S+", r"\1/bin/true", re.sub(r"man:\S+ ?", "", text)))
        units[path.name] = who
    done = subprocess.run(
        ["systemd-analyze", "verify", *sorted(str(tmp_path / name) for name in units)], capture_output=True, text=True
    )
    told = [
        line for line in done.stderr.splitlines() if re.search(r"specifier|quot|Failed|ignoring|unbalanced", line, re.I)
    ]
    told = [line for line in told if "greet" in line and "memory" not in line.lower()]
    assert not told, [(line, units.get(Path(line.partition(":")[0]).name, "")) for line in told[:5]]
    assert not mark.exists()


def test_the_page_and_the_source_file_hold_what_they_are_given(texts: tuple[Texts, Path]) -> None:
    found, _ = texts
    for text, who in found.of("sources").items():
        rows = [line.partition(": ") for line in text.splitlines() if not line.startswith("#")]
        assert [name for name, _, _ in rows] == ["Types", "URIs", "Suites", "Components", "Signed-By"], who
        assert len(rows[1][2].split()) == 1, who
    for text, who in found.of("summary").items():
        parser = _Tags()
        parser.feed(render_escaped(text))
        seen = parser.seen
        assert seen == ["p"], who
        assert json.loads(json.dumps(text)) == text


class _Tags(HTMLParser):
    """Names of the elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)


def render_escaped(text: str) -> str:
    """A text as the page's template writes it."""
    from jinja2 import Environment

    return Environment(autoescape=False).from_string("<p>{{ text | e }}</p>").render(text=text)  # noqa: S701 - `e` escapes


@dataclass
class Round:
    """Packages of a project with one word for each key, and the files in them."""

    project: Project
    inside: Sequence[Taken]
    debs: tuple[Path, ...]
    rpms: tuple[Path, ...]


@pytest.fixture(scope="module")
def rounds(
    words_of_files: tuple[Bench, Texts, list[Taken]], tmp_path_factory: pytest.TempPathFactory
) -> Sequence[Round]:
    """Packages, in which each word that is taken for a key is once."""
    bench, _, taken = words_of_files
    place, made = tmp_path_factory.mktemp("packages"), list[Round]()
    for number, (project, _, inside) in enumerate(bench.rounds(taken)):
        directory = place / str(number)
        directory.mkdir()
        files: dict[str, list[Path]] = {"deb": [], "rpm": []}
        # The other plugins have no words of their own.
        wanted = [package for package in planned(project) if package.name.endswith((project.core.name, "-hello"))]
        for package in wanted:
            for kind in package.relations:
                files[kind].append(registry.load("formats", kind).Format().write(package, directory, None).path)
        made.append(Round(project, inside, tuple(files["deb"]), tuple(files["rpm"])))
    return made


def test_dpkg_reads_what_words_came_to(rounds: Sequence[Round], tmp_path: Path) -> None:
    scripts: dict[str, str] = {}
    pages: dict[bytes, Path] = {}
    for number, each in enumerate(rounds):
        found = judges.control(each.debs, tmp_path / str(number))
        core = each.project.core
        for name, fields in found.items():
            who = (name, each.inside)
            assert set(fields) <= FIELDS, who
            assert fields["Maintainer"] == core.maintainer, who
            place = tmp_path / str(number) / name
            judges.documents(place)
            pages |= {path.read_bytes(): path for path in place.rglob("*.8.gz")}
            for script in ("preinst", "postinst", "prerm", "postrm"):
                if (place / "DEBIAN" / script).is_file():
                    scripts.setdefault((place / "DEBIAN" / script).read_text(), f"{script}-{number}")
        fields = next(fields for fields in found.values() if fields["Package"] == core.name)
        assert fields["Version"].endswith(f"{core.version}-{core.release}")
        assert fields["Description"].splitlines()[0] == " ".join(core.summary.split()), each.inside
        assert fields["Homepage"] == core.homepage
        assert (fields["Section"], fields["Priority"]) == (core.section, core.priority)
        judges.unpacks(each.debs, tmp_path / f"root{number}")
    judges.shell({name: text for text, name in scripts.items()}, tmp_path / "scripts", check=True)
    judges.manual(pages.values())


def test_rpm_reads_what_words_came_to(rounds: Sequence[Round], tmp_path: Path) -> None:
    found = iter(judges.tags([path for each in rounds for path in each.rpms]))
    scripts: dict[str, str] = {}
    for number, each in enumerate(rounds):
        core = each.project.core
        for tags in [next(found) for _ in each.rpms]:
            assert tags["PACKAGER"] == core.maintainer, each.inside
            assert not control("".join(tags.values()).replace("\n", "")), each.inside
            for script in judges.SCRIPTS:
                if tags[script] != "(none)":
                    scripts.setdefault(tags[script] + "\n", f"{script}-{number}")
            if tags["NAME"] == core.name:
                assert tags["SUMMARY"] == core.summary
                assert tags["URL"] == core.homepage
                assert tags["VENDOR"] == (core.vendor or core.maintainer.partition(" <")[0])
                assert (tags["LICENSE"], tags["GROUP"]) == (core.license, core.group)
                assert tags["CHANGELOG"].split() == " ".join(f"- {text}" for text in core.changelog[0].changes).split()
    judges.shell({name: text for text, name in scripts.items()}, tmp_path / "scripts", check=True)


@pytest.fixture(scope="module")
def published(
    words_of_files: tuple[Bench, Texts, list[Taken]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workspace, dict[str, str]]:
    """A published project with a plugin for each summary that is taken, and these; its label says nearly all of it."""
    bench, _, taken = words_of_files
    summaries = [one.word for one in taken if str(one.key) == "plugin.hello.summary"]
    raw = bench.copy()
    for number, word in enumerate(summaries):
        raw["plugin"][f"word{number}"] = {"summary": word, "files": {"source": "plugins/hello"}}
    raw["core"] |= {"summary": "<b>&amp;\"'</b>", "vendor": "<i>'$HOME`x`"}
    raw["repository"] |= {
        "label": "<script>alert('%(x)s $x')</script>",
        "origin": "<i>'$HOME`x`",
        "url": "https://h.example/a~b@c+d=e%41",
    }
    made = Workspace.at(tmp_path_factory.mktemp("published"))
    shutil.copytree(bench.root, made.root)
    (made.root / "mkpkgs.toml").write_text(toml.dumps(raw))
    made.mkpkgs("key", "new")
    made.mkpkgs()
    return made, {f"greet-plugin-word{number}": word for number, word in enumerate(summaries)}


def test_readers_of_repositories_read_what_words_came_to(published: tuple[Workspace, dict[str, str]]) -> None:
    made, summaries = published
    settings = configparser.ConfigParser(interpolation=None)
    settings.read_string((made.dist / "greet.repo").read_text())
    assert settings.sections() == ["greet"]
    assert dict(settings["greet"]) == {
        "name": "<script>alert('%(x)s $x')</script>",
        "baseurl": "https://h.example/a~b@c+d=e%41/yum",
        "enabled": "1",
        "gpgcheck": "1",
        "repo_gpgcheck": "1",
        "gpgkey": settings["greet"]["gpgkey"],
        "module_hotfixes": "1",
    }
    (source,) = Deb822.iter_paragraphs((made.dist / "greet.sources").read_text())
    assert source["URIs"] == "https://h.example/a~b@c+d=e%41/apt"
    assert set(source) == {"Types", "URIs", "Suites", "Components", "Signed-By"}
    release = Deb822((made.dist / "apt/dists/stable/Release").read_text())
    assert (release["Label"], release["Origin"]) == ("<script>alert('%(x)s $x')</script>", "<i>'$HOME`x`")
    listed = {
        fields["Package"]: fields["Description"].splitlines()[0]
        for index in made.dist.glob("apt/dists/*/*/binary-amd64/Packages")
        for fields in Deb822.iter_paragraphs(index.read_text())
    }
    shown = {name: " ".join(word.split()) for name, word in summaries.items()}
    assert {name: listed[name] for name in summaries} == shown
    (primary,) = (made.dist / "yum/repodata").glob("*-primary.xml.gz")
    space = "{http://linux.duke.edu/metadata/common}"
    found = {
        row.findtext(f"{space}name"): row.findtext(f"{space}summary")
        for row in ElementTree.fromstring(gzip.decompress(primary.read_bytes()))  # noqa: S314 - our own
    }
    assert {name: found[name] for name in summaries} == summaries


def test_the_page_has_no_element_or_link_of_a_word(published: tuple[Workspace, dict[str, str]], tmp_path: Path) -> None:
    made, summaries = published
    page = judges.Page((made.dist / "index.html").read_text())
    plain = Workspace.at(tmp_path)
    shutil.copytree(made.root, plain.root, ignore=shutil.ignore_patterns("dist", ".mkpkgs"))
    shutil.copytree(made.keys, plain.keys)
    raw = tomllib.loads((plain.root / "mkpkgs.toml").read_text())
    for plugin in raw["plugin"].values():
        plugin["summary"] = "word"
    raw["core"] |= {"summary": "word", "vendor": "word"}
    raw["repository"] |= {"label": "word", "url": "https://h.example"}
    (plain.root / "mkpkgs.toml").write_text(toml.dumps(raw))
    plain.mkpkgs()
    other = judges.Page((plain.dist / "index.html").read_text())
    assert page.elements == other.elements
    assert page.links == other.links
    for word in (*summaries.values(), "<script>alert('%(x)s $x')</script>", "<b>&amp;\"'</b>"):
        assert word in page.text
    said = json.loads(made.mkpkgs("plan", "--json").stdout)
    assert {row["name"]: row["summary"] for row in said["packages"] if row["name"] in summaries} == summaries


STRONG = {"backslash", "command", "comment", "double-quote", "html", "jinja", "leading-dash", "long", "rpm-macro"}
AUTHOR = {
    "plugin-of": {
        "name": "acme",
        "core": "greet",
        "driver": "files",
        "license": "MIT",
        "homepage": "https://acme.example",
        "maintainer": "Ann <ann@acme.example>",
    },
    "plugin": {"dusk": {"summary": "Greets at dusk", "version": "2.0", "files": {"source": "dusk"}}},
    "repository": {"url": "https://acme.example"},
}


def test_words_of_authors_come_to_their_packages(published: tuple[Workspace, dict[str, str]], tmp_path: Path) -> None:
    made, _ = published
    author = Workspace.at(tmp_path)
    (author.root / "dusk").mkdir(parents=True)
    (author.root / "dusk/greeting").write_text("format 1\ngood evening\n")
    (author.root / "mkpkgs.toml").write_text(toml.dumps(AUTHOR))
    bench = Bench(author.root, tmp_path / "words")
    bench.raw["plugin-of"] |= {"at": str(made.dist), "changelog": [dict(CHANGE)]}
    tables = ((model.PluginOfSpec, ("plugin-of",)), (model.ChangeSpec, ("plugin-of", "changelog", 0)))
    places = [key for cls, path in tables for key in keys(cls, path)]
    # An address elsewhere is not there; all of a plugin's own keys are those of a maintainer's.
    elsewhere = ("plugin-of.at", "plugin-of.beside")
    tried = [one for one, project in bench.tried(places) if project and str(one.key) not in elsewhere]
    # What else is taken goes the way of a maintainer's words.
    found = [one for one in tried if one.name in STRONG]
    author = Workspace(bench.root, made.keys)
    seen = set[str]()
    for project, _, inside in bench.rounds(found):
        spec = project.plugin_of
        assert spec is not None
        seen |= {str(one) for one in inside}
        done = author.mkpkgs("build", check=False)
        assert "Traceback" not in done.stdout
        if done.returncode:
            # No such core, or not for this machine.
            assert {str(one.key) for one in inside} & {"plugin-of.core", "plugin-of.versions", "plugin-of.abis"}, inside
            continue
        assert done.returncode == 0, (inside, done.stdout)
        debs = sorted(author.dist.rglob("*.deb"))
        fields = judges.control(debs, tmp_path / str(len(seen)))
        assert {row["Maintainer"] for row in fields.values()} == {spec.maintainer}
        assert {row["Homepage"] for row in fields.values()} == {spec.homepage}
        for place in (tmp_path / str(len(seen))).iterdir():
            judges.documents(place)
        (row,) = judges.tags(sorted(author.dist.rglob("*.rpm")))
        assert (row["VENDOR"], row["LICENSE"]) == (spec.vendor or spec.maintainer.partition(" <")[0], spec.license)
        shutil.rmtree(author.dist)
    assert len(seen) == len(found)
    assert not bench.mark.exists()
