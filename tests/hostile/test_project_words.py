"""Hostile words in each text key of a project file: refused in words that name file, line and key, or harmless.

The keys are those of the model, so a new one is covered by itself. What is accepted is planned, and all texts that came
of it are given to the programs that read them.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import tomllib
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from packaging_tool import plan, registry, toml
from packaging_tool.cli.text import printable
from packaging_tool.drivers import files
from packaging_tool.errors import MkpkgsError, ProjectError
from packaging_tool.listener import Silent
from packaging_tool.package.model import Package
from packaging_tool.package.templates import render
from packaging_tool.project import model, schema
from packaging_tool.project.loader import load
from packaging_tool.project.model import Project
from packaging_tool.signing import signify
from tests.hostile.words import words

SAMPLE = Path(__file__).parent.parent / "samples/tiny"
KEY = signify.generate("ed25519")
TRUST = plan.Trust(keys={"a.pub": KEY.public.render("test")}, sign=lambda text: KEY.sign(text, "verify with key.pub"))
CHANGE = {"version": "1.0-1", "date": "2026-11-20", "changes": ["New"]}
# Where the tables of each class stand in the sample, and what must be there for them to be read.
TABLES: Sequence[tuple[type, tuple[Any, ...]]] = (
    (model.CoreSpec, ("core",)),
    (model.ServiceSpec, ("core", "service")),
    (model.FileSpec, ("core", "file", 0)),
    (model.ChangeSpec, ("core", "changelog", 0)),
    (model.RelationSet, ("core", "deb")),
    (model.RelationSet, ("core", "rpm")),
    (model.PluginSpec, ("plugin", "hello")),
    (model.RepositorySpec, ("repository",)),
    (files.CoreOptions, ("core", "files")),
    (files.PluginOptions, ("plugin", "hello", "files")),
)
# What a terminal, or a line of text, takes for more than a character. A tab is white space.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\u2028]")


def keys() -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Each key that takes a text, a list or a table of texts, as path, and what makes a value of a word."""
    for cls, path in TABLES:
        for key in schema.keys(cls).values():
            hint = schema.optional(key.hint)
            if key.field == "name" and cls is model.PluginSpec:
                continue
            if hint is str or typing.get_origin(hint) is typing.Literal:
                yield (*path, key.name), lambda word: word
            elif typing.get_origin(hint) is tuple and typing.get_args(hint)[0] is str:
                yield (*path, key.name), lambda word: [word]
            elif (
                typing.get_origin(hint) is not tuple and not dataclasses.is_dataclass(hint) and hint not in (int, bool)
            ):
                yield (*path, key.name), lambda word: {"LimitNOFILE": word}
                yield (*path, key.name), lambda word: {word: "1"}


def project_file(path: tuple[Any, ...], value: Any) -> str:
    raw = tomllib.loads((SAMPLE / "mkpkgs.toml").read_text())
    raw["core"]["changelog"] = [dict(CHANGE)]
    place: Any = raw
    for part in path[:-1]:
        place = place[part] if isinstance(part, int) else place.setdefault(part, {})
    place[path[-1]] = value
    return toml.dumps(raw)


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
                assert not CONTROL.search(entry.path + entry.target), who
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
    texts.add("sources", render("repos/sources.j2", spec=project.repository, core=project.name, url=url), who)
    texts.add("summary", project.core.summary + project.core.homepage, who)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Texts, Path]:
    """All texts that came of accepted words. What is refused is looked at here."""
    root = tmp_path_factory.mktemp("words") / "project"
    shutil.copytree(SAMPLE, root, ignore=shutil.ignore_patterns(".mkpkgs", "dist"))
    mark, found, accepted = root.parent / "mark", Texts(), 0
    for path, make in keys():
        for name, word in words(mark):
            who = f"{'.'.join(map(str, path))} = {name}"
            (root / "mkpkgs.toml").write_text(project_file(path, make(word)))
            try:
                project = load(root / "mkpkgs.toml")
                gather(project, found, who)
                accepted += 1
            except MkpkgsError as error:
                assert error.exit_code == 2, (who, error)
                assert isinstance(error, ProjectError), (who, error)
                for problem in error.problems:
                    assert problem.line or problem.key, (who, problem)
                    assert len(problem.what) <= 700, who
                    # As the command line prints it.
                    assert not CONTROL.search(printable(str(problem)).replace("\n", "")), (who, problem.what[:200])
    assert accepted > 100
    return found, mark


SCRIPTS = ("deb-", "rpm-", "tool", "page")


def test_scripts_and_shown_commands_are_read_by_a_shell_and_run_nothing_else(
    texts: tuple[Texts, Path], tmp_path: Path
) -> None:
    found, mark = texts
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    programs = "rm systemctl deb-systemd-helper deb-systemd-invoke curl install apt dnf find getent useradd groupadd"
    for name in programs.split(" "):
        (stubs / name).write_text("#!/bin/sh\nexit 0\n")
        (stubs / name).chmod(0o755)
    for kind in [kind for kind in found.found if kind.startswith(SCRIPTS)]:
        for number, (text, who) in enumerate(found.of(kind).items()):
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
            assert not CONTROL.search(text), who
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
