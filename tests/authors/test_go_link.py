"""Go plugins for somebody else's core; the judges are the go command and the maintainer's own kit."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from packaging_tool import edits
from packaging_tool.golang.localmodule import LocalModule, publish
from tests.authors.world import author, programs
from tests.workspace import Workspace, newest

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="no go here")

SAMPLE = Path(__file__).parent.parent / "samples/go-host"
# Plugins of the author: text of the module file's requirements, imports, what the plugin says of itself.
MODULES: Mapping[str, tuple[str, str, str]] = {
    "wave": ("example.com/bell v1.2.3", "example.com/bell", "bell.Ring(3)"),
    "pusher": ("example.com/lib v1.1.0", "example.com/lib", "lib.Version"),
    "deep": ("example.com/mid v1.0.0", "example.com/mid", "mid.Version"),
    "rival": ("example.com/tool v1.1.0", "example.com/tool", "tool.Version"),
    "quiet": ("example.com/bell v1.2.3", "example.com/bell", "bell.Ring(1)"),
}
# Libraries on a proxy of modules: versions, and what the last one requires.
LIBRARIES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "lib": (("v1.0.0", "v1.1.0"), ""),
    "tool": (("v1.0.0", "v1.1.0"), ""),
    "mid": (("v1.0.0",), "require example.com/lib v1.1.0\n"),
    "spare": (("v1.0.0", "v1.1.0"), ""),
}
PLUGIN = """
[plugin.{name}]
summary = "An author's plugin"
version = "2.0"
{more}go-link.module = "./{name}"
"""


def write_libraries(place: Path) -> None:
    for name, (versions, requires) in LIBRARIES.items():
        for version in versions:
            folder = place / "sources" / name / version
            folder.mkdir(parents=True)
            (folder / "go.mod").write_text(f"module example.com/{name}\n\ngo 1.21\n\n{requires}")
            uses = 'import _ "example.com/lib"\n\n' if requires else ""
            (folder / f"{name}.go").write_text(f'package {name}\n\n{uses}const Version = "{version}"\n')
            publish(LocalModule(folder, f"example.com/{name}", version, ("go.mod", f"{name}.go")), place / "proxy")


def write_plugin(root: Path, name: str, requires: str, imports: str, says: str, go: str = "1.21") -> None:
    folder = root / name
    folder.mkdir(parents=True)
    rows = f"\t{requires}\n\texample.com/host v0.1.0\n"
    (folder / "go.mod").write_text(f"module example.org/{name}\n\ngo {go}\n\nrequire (\n{rows})\n")
    (folder / f"{name}.go").write_text(
        f'package {name}\n\nimport (\n\t"{imports}"\n\t"example.com/host/registry"\n)\n\n'
        f'func init() {{ registry.Add("{name} " + {says}) }}\n'
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with a proxy of modules that the go command uses, and the published server `host`."""
    place = tmp_path_factory.mktemp("authors")
    write_libraries(place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOPROXY", (place / "proxy").as_uri())
        patch.setenv("GONOSUMDB", "example.com/*")
        patch.setenv("GOMODCACHE", str(place / "modules"))
        patch.setenv("GOFLAGS", "-modcacherw")
        core = Workspace.create(SAMPLE, place / "core")
        for module, name in (("server", "lib"), ("bell", "tool")):
            with (core.root / module / "go.mod").open("a") as file:
                file.write(f"\nrequire example.com/{name} v1.0.0\n")
        registry = core.root / "server/registry/registry.go"
        registry.write_text(registry.read_text().replace('import "sort"', 'import "sort"\nimport _ "example.com/lib"'))
        bell = core.root / "bell/bell.go"
        bell.write_text(bell.read_text().replace('_ "embed"', '_ "embed"\n\t_ "example.com/tool"'))
        core.mkpkgs()
        yield place


@pytest.fixture(scope="module")
def built(place: Path) -> tuple[Workspace, str]:
    """The author's project with all plugins, and what mkpkgs said."""
    root = Workspace.at(place / "author").root
    for name, (requires, imports, says) in MODULES.items():
        write_plugin(root, name, requires, imports, says)
    tables = "".join(PLUGIN.format(name=name, more='needs = ["bell"]\n' if name == "wave" else "") for name in MODULES)
    made = author(place / "author", "host", Workspace.at(place / "core").dist, "go-link", tables)
    done = made.mkpkgs(check=False)
    assert done.returncode == 1
    return made, done.stdout


def unpack(packages: list[Path], target: Path) -> Path:
    for package in packages:
        subprocess.run(["dpkg-deb", "-x", package, target], check=True)
    return target / "usr/lib/host"


def test_a_plugin_that_fits_links_with_the_maintainers_kit(place: Path, built: tuple[Workspace, str]) -> None:
    project, _ = built
    core = Workspace.at(place / "core").dist
    names = ("host", "host-plugin-kit", "host-plugin-bell")
    debs = [newest(core, name, "deb") for name in names] + [newest(project.dist, "host-plugin-wave", "deb")]
    base = unpack(debs, place / "root")
    env = {"PATH": "/usr/bin:/bin", "KIT": str(base / "kit"), "PLUGINS": str(base / "plugins")}
    subprocess.run(["sh", base / "assemble", base / "program", "bell", "wave"], env=env, check=True)
    said = subprocess.run([base / "program"], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == ["bell ding", "greet", "wave dingdingding"]


def test_the_package_has_the_plugins_own_archives_and_no_core(built: tuple[Workspace, str]) -> None:
    project, _ = built
    (deb,) = project.dist.rglob("*.deb")
    listing = subprocess.run(["dpkg-deb", "-c", deb], capture_output=True, text=True, check=True).stdout
    objects = [line.rpartition("/")[2] for line in listing.splitlines() if line.endswith(".object")]
    assert objects == ["wave.object"]
    fields = subprocess.run(["dpkg-deb", "-f", deb, "Depends"], capture_output=True, text=True, check=True).stdout
    assert "host-plugin-bell (= 1.2.3+0.1.0-1)" in fields


def test_a_module_that_would_rise_is_told_with_the_way_and_the_repair(built: tuple[Workspace, str]) -> None:
    said = built[1]
    assert "plugin pusher does not build:" in said
    assert "it would raise example.com/lib of the core from v1.0.0 to v1.1.0: example.org/pusher@v0.0.1-0.h" in said
    assert "repair: write example.com/lib v1.0.0 in go.mod of example.org/pusher; or ask for a core" in said
    assert " needs example.com/mid@v1.0.0 needs example.com/lib@v1.1.0\n" in said
    assert "repair: use a version of example.com/mid that needs example.com/lib v1.0.0 or less; or ask" in said


def test_two_plugins_with_a_package_at_two_versions_are_told_before_anything_is_built(
    built: tuple[Workspace, str],
) -> None:
    said = built[1]
    there = "is of example.com/tool v1.1.0 here, and of v1.0.0 in plugin bell: they cannot be in one server"
    assert there in said
    assert 'repair: use example.com/tool v1.0.0, or write clashes = ["bell"]' in said


def test_a_plugin_of_the_maintainer_that_comes_along_must_be_named(built: tuple[Workspace, str]) -> None:
    assert "is plugin bell: example.org/quiet imports example.com/bell" in built[1]
    assert 'repair: write needs = ["bell"]' in built[1]


@pytest.mark.parametrize(
    ("requires", "imports", "says", "go", "told"),
    [
        ("example.com/lib v1.0.0", "example.com/lib", "lib.Version", "1.999", "requires go >= 1.999"),
        ("example.com/lib v1.9.0", "example.com/lib", "lib.Version", "1.21", "example.com/lib@v1.9.0"),
        ("example.com/lib v1.0.0", "example.com/lib/none", "none.Version", "1.21", "example.com/lib/none"),
        ("example.com/lib v1.0.0", "example.com/lib", "lib.Missing", "1.21", "undefined: lib.Missing"),
    ],
    ids=["newer-go", "no-version", "no-package", "compile-error"],
)
def test_each_fault_names_plugin_and_cause(
    place: Path, tmp_path: Path, requires: str, imports: str, says: str, go: str, told: str
) -> None:
    write_plugin(Workspace.at(tmp_path).root, "faulty", requires, imports, says, go)
    made = author(tmp_path, "host", Workspace.at(place / "core").dist, "go-link", PLUGIN.format(name="faulty", more=""))
    done = made.mkpkgs(check=False)
    assert done.returncode == 1
    assert "plugin faulty does not build" in done.stdout
    assert told in done.stdout
    assert "for host 0.1.0-1 (amd64)" in done.stdout


def test_a_module_that_another_author_has_in_another_version_is_told_before_anything_is_compiled(
    place: Path, tmp_path: Path
) -> None:
    core = Workspace.at(place / "core").dist
    made = {}
    for name, version in (("one", "v1.0.0"), ("two", "v1.1.0")):
        directory = tmp_path / name
        write_plugin(Workspace.at(directory).root, name, f"example.com/spare {version}", "example.com/spare", '""')
        source = Workspace.at(directory).root / name / f"{name}.go"
        source.write_text(source.read_text().replace('"example.com/spare"', '_ "example.com/spare"'))
        if name == "two":
            # What is compiled would not end well.
            source.write_text(source.read_text() + "\nvar _ = undefined\n")
        made[name] = author(directory, "host", core, "go-link", PLUGIN.format(name=name, more=""))
    made["one"].mkpkgs()
    file = made["two"].root / "mkpkgs.toml"
    text = file.read_text().replace("acme-host", "bravo-host")
    file.write_text(text.replace('core = "host"', f'core = "host"\nbeside = ["{made["one"].dist}"]'))
    done = made["two"].mkpkgs("check", "-q", check=False)
    assert done.returncode == 1
    assert "undefined" not in done.stdout
    assert "brings example.com/spare v1.1.0, and plugin one of acme-host brings v1.0.0" in done.stdout
    assert 'repair: use example.com/spare v1.0.0, or write clashes = ["one"]' in done.stdout


def test_without_mmdebstrap_the_server_is_started_in_a_private_directory_and_that_is_said(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plugin(Workspace.at(tmp_path).root, "dies", "example.com/bell v1.2.3", "example.com/bell", "bell.Ring(1)")
    source = Workspace.at(tmp_path).root / "dies/dies.go"
    source.write_text(source.read_text().replace("{ registry.Add", '{ panic("at once"); registry.Add'))
    table = PLUGIN.format(name="dies", more='needs = ["bell"]\n')
    made = author(tmp_path, "host", Workspace.at(place / "core").dist, "go-link", table)
    monkeypatch.setenv("PATH", programs(tmp_path / "bin", without="mmdebstrap"))
    assert made.mkpkgs("check", "-q").stdout == "host 0.1.0-1 (amd64)\n  dies: fits\n"
    done = made.mkpkgs("check", "-q", "--load", check=False)
    assert done.returncode == 1
    assert "panic: at once" in done.stdout
    source.write_text(source.read_text().replace('panic("at once"); ', ""))
    assert made.mkpkgs("check", "-q", "--load").stdout.splitlines()[1:] == [
        "  dies: fits, and host works with it in a private directory",
        "  not shown: in a clean debian12: mmdebstrap is not here; install mmdebstrap",
    ]


def sums(project: Workspace) -> dict[str, str]:
    lock = (project.root / "mkpkgs.lock").read_text()
    return dict(re.findall(r'(?m)^"(example\S+ \S+)" = "(h1:\S+)"$', lock.partition("[plugin-of.sums]")[2]))


def test_the_sums_of_an_authors_modules_are_locked_and_another_one_is_refused(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plugin(Workspace.at(tmp_path).root, "one", "example.com/spare v1.0.0", "example.com/spare", "spare.Version")
    made = author(tmp_path, "host", Workspace.at(place / "core").dist, "go-link", PLUGIN.format(name="one", more=""))
    made.mkpkgs()
    # Of what the plugin adds from elsewhere; its own folder may change, and the core's sums stand in the core's lock.
    locked = sums(made)
    assert set(locked) == {"example.com/spare v1.0.0", "example.com/spare v1.0.0/go.mod"}
    modules = made.root / ".mkpkgs/go-link/modules"
    go_sum = next(modules.glob("cache/download/example.com/spare/@v/v1.0.0.ziphash")).read_text()
    assert locked["example.com/spare v1.0.0"] == go_sum
    assert made.mkpkgs().stdout.startswith("nothing to do")
    # Another machine, and a proxy that gives something else under the same version.
    shutil.copytree(place / "proxy", tmp_path / "proxy")
    changed = tmp_path / "spare"
    shutil.copytree(place / "sources/spare/v1.0.0", changed)
    (changed / "spare.go").write_text("package spare\n\nconst Version = `mine`\n")
    for old in (tmp_path / "proxy/example.com/spare/@v").glob("v1.0.0.*"):
        old.unlink()
    publish(LocalModule(changed, "example.com/spare", "v1.0.0", ("go.mod", "spare.go")), tmp_path / "proxy")
    monkeypatch.setenv("GOPROXY", (tmp_path / "proxy").as_uri())
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    for arguments in (("check",), ("lock",), ()):
        shutil.rmtree(made.root / ".mkpkgs")
        done = made.mkpkgs("-q", *arguments, check=False)
        if arguments == ("lock",):
            # It looks for new cores and keeps the sums.
            assert sums(made) == locked
            continue
        assert done.returncode == 2
        assert re.search(r"example.com/spare v1.0.0 has the sum h1:\S+ now, and (h1:\S+) in mkpkgs.lock", done.stdout)
        assert locked["example.com/spare v1.0.0"] in done.stdout
        assert "delete its line in mkpkgs.lock" in done.stdout


def changed(place: Path, directory: Path, file: str, change: Callable[[str], str]) -> Path:
    """What was published of the server, in a directory that nobody signed, with one file changed and its hash."""
    (source,) = [path.parent for path in Workspace.at(place / "core").dist.glob("dev/host/*/core.toml")]
    copy = directory / "given" / source.name
    shutil.copytree(source, copy)
    before = (copy / file).read_text()
    after = change(before)
    assert after != before
    (copy / file).write_text(after)
    old, new = (hashlib.sha256(text.encode()).hexdigest() for text in (before, after))
    description = (copy / "core.toml").read_text()
    assert file == "core.toml" or old in description
    (copy / "core.toml").write_text(description.replace(old, new))
    return copy.parent


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (r'^go = "go[^"]*"', 'go = "go1.999.0"', "the core is built with Go 1.999.0, which is not here"),
        (
            r'^"example.com/host/registry" = "[0-9a-f]+"',
            f'"example.com/host/registry" = "{"0" * 64}"',
            "packages of the core come out with other content here: example.com/host/registry",
        ),
    ],
    ids=["go", "content"],
)
def test_a_core_that_this_machine_makes_otherwise_is_told(
    place: Path, tmp_path: Path, old: str, new: str, told: str
) -> None:
    copy = changed(place, tmp_path, "files/lock.toml", lambda text: re.sub(old, new, text, count=1, flags=re.MULTILINE))
    write_plugin(Workspace.at(tmp_path).root, "wave", "example.com/bell v1.2.3", "example.com/bell", "bell.Ring(3)")
    table = PLUGIN.format(name="wave", more='needs = ["bell"]\n')
    done = author(tmp_path, "host", copy, "go-link", table).mkpkgs("check", "-q", check=False)
    assert done.returncode == 1
    assert told in done.stdout
    assert "    repair: " in done.stdout


def inserted(after: str, line: str) -> Callable[[str], str]:
    return lambda text: text.replace(f"\n{after}\n", f"\n{after}\n{line}\n", 1)


def swapped(pattern: str, line: str) -> Callable[[str], str]:
    return lambda text: re.sub(pattern, lambda _: line, text, count=1, flags=re.MULTILINE)


RUNS = "-toolexec=/bin/sh -c 'touch {mark}' sh"
CHANGES = {
    "variable": ("files/lock.toml", "[go-link.settings]", f'"GOFLAGS" = "{RUNS}"', "go-link.settings: GOFLAGS = "),
    "compiler": ("files/lock.toml", "[go-link.settings]", '"CC" = "{mark}"', "go-link.settings: CC = "),
    "proxy": ("files/lock.toml", "[go-link.settings]", '"GOPROXY" = "file:///x"', "go-link.settings: GOPROXY = "),
    "value": ("files/lock.toml", r"^.GOAMD64. = .*", '"GOAMD64" = "v1 -x"', "go-link.settings: GOAMD64 = 'v1 -x'"),
    "linker": ("files/lock.toml", r"^link-flags = .*", 'link-flags = ["-extld={mark}"]', "go-link.link-flags: "),
    "flag": ("files/lock.toml", r"^compile-flags = .*", f'compile-flags = ["{RUNS}"]', "go-link.compile-flags: "),
    "go": ("files/lock.toml", r"^go = .*", 'go = "../../evil"', "go-link.go = '../../evil'"),
    "abi": ("files/lock.toml", r"^abi = .*", 'abi = "$(touch {mark})"', "go-link.built: "),
    "no table": ("files/lock.toml", r"^\[go-link.main\]", "[go-link.niam]", "it has no 'main'"),
    "import": ("files/plugins.toml", r"^imports = .*", f'imports = ["{RUNS}"]', ".imports: "),
    "module": ("files/plugins.toml", r"^local = .*", 'local = ["rsc.io/quote"]', "local: rsc.io/quote@"),
    "tag": ("core.toml", "[core.go-link]", 'tags = ["-x"]', "core.go-link.tags"),
    "name": ("core.toml", r"^name = .*", 'name = "caddy"', "is of caddy, not of host"),
    "directory": ("core.toml", r"^\[core\]", '[core]\nconfig-directory = "/etc/$HOST"', "core.config-directory"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_published_core_that_was_changed_runs_nothing_and_is_told_by_file_and_key(
    place: Path, tmp_path: Path, kind: str
) -> None:
    file, where, line, told = CHANGES[kind]
    mark, old = tmp_path / "ran", where
    line = line.format(mark=mark)
    copy = changed(place, tmp_path, file, inserted(old, line) if old.startswith("[") else swapped(old, line))
    write_plugin(Workspace.at(tmp_path).root, "wave", "example.com/bell v1.2.3", "example.com/bell", "bell.Ring(3)")
    made = author(tmp_path, "host", copy, "go-link", PLUGIN.format(name="wave", more='needs = ["bell"]\n'))
    for arguments in (("check",), ()):
        done = made.mkpkgs("-q", *arguments, check=False)
        assert done.returncode == 2, done.stdout
        assert told in done.stdout
        if kind != "name":
            assert re.search(rf"error: \S*{re.escape(file)}( of host| is damaged)?: ", done.stdout), done.stdout
        assert "newer mkpkgs" not in done.stdout
        assert "maintainer" in done.stdout
        assert not mark.exists()
    assert not made.dist.exists()


def test_a_lock_that_somebody_changed_runs_nothing_and_is_told(place: Path, tmp_path: Path) -> None:
    made = Workspace.at(place / "core").copy(tmp_path)
    lock, mark = made.root / "mkpkgs.lock", tmp_path / "ran"
    # As an older mkpkgs wrote it, so that nothing but what it says is wrong with it.
    good = lock.read_text().partition(edits.BEGIN)[0]
    for name in ("variable", "linker", "flag", "go"):
        _, where, line, told = CHANGES[name]
        line = line.format(mark=mark)
        lock.write_text((inserted(where, line) if where.startswith("[") else swapped(where, line))(good))
        done = made.mkpkgs("-q", check=False)
        assert done.returncode == 2, done.stdout
        assert f"mkpkgs.lock: {told}" in done.stdout
        assert "take it back from version control" in done.stdout
        assert not mark.exists()
    assert made.mkpkgs("-q", "lock").returncode == 0


def test_another_authors_modules_do_not_come_into_the_users_cache(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does what somebody changed there, unpacked, come into a plugin."""
    own = tmp_path / "modules"
    monkeypatch.setenv("GOMODCACHE", str(own))
    folder = tmp_path / "used"
    folder.mkdir()
    (folder / "go.mod").write_text("module used\n\ngo 1.21\n")
    subprocess.run(["go", "mod", "download", "example.com/spare@v1.0.0"], cwd=folder, check=True)
    (unpacked,) = own.glob("example.com/spare@v1.0.0/spare.go")
    unpacked.chmod(0o644)
    unpacked.write_text('package spare\n\nconst Version = "changed"\n\nvar _ = broken\n')
    before = sorted(str(path.relative_to(own)) for path in own.rglob("*"))
    write_plugin(Workspace.at(tmp_path).root, "one", "example.com/spare v1.0.0", "example.com/spare", "spare.Version")
    made = author(tmp_path, "host", Workspace.at(place / "core").dist, "go-link", PLUGIN.format(name="one", more=""))
    made.mkpkgs()
    assert before == sorted(str(path.relative_to(own)) for path in own.rglob("*"))
    # What a build leaves can be removed as it is.
    assert (made.root / ".mkpkgs/go-link/modules/example.com/spare@v1.0.0").stat().st_mode & 0o200
