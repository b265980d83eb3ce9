"""Builder files of OpenTelemetry: what becomes core, what plugins, and what has no equivalent."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from packaging_tool.errors import InputError, ProjectError
from packaging_tool.golang import ocb

HEAD = """\
dist: {name: otelcol, version: 0.165.0}
receivers:
  - gomod: go.opentelemetry.io/collector/receiver/otlpreceiver v0.165.0
"""
CONTRIB = "github.com/open-telemetry/opentelemetry-collector-contrib"


def read(tmp_path: Path, text: str) -> ocb.Config:
    file = tmp_path / "builder.yaml"
    file.write_text(text)
    return ocb.read(file, tmp_path)


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ProjectError) as raised:
        read(tmp_path, text)
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in raised.value.problems]


def project(tmp_path: Path, text: str, core: tuple[str, ...] = ocb.CORE) -> dict[str, str]:
    return ocb.files(read(tmp_path, text), core, "Jo Doe <jo@example.org>")


def test_own_components_are_core_and_contributed_ones_plugins(tmp_path: Path) -> None:
    text = f"{HEAD}processors:\n  - gomod: {CONTRIB}/processor/resourceprocessor v0.164.0\n"
    files = project(tmp_path, text)
    toml = tomllib.loads(files["mkpkgs.toml"])
    assert toml["plugin"] == {
        "resourceprocessor": {
            "summary": "Processor resource",
            "version": "0.164.0",
            "go-link": {
                "module": f"{CONTRIB}/processor/resourceprocessor@v0.164.0",
                "lines": [
                    f'processors.add("{CONTRIB}/processor/resourceprocessor v0.164.0", {{package}}.NewFactory())'
                ],
            },
        }
    }
    assert "resourceprocessor" not in files["server/main.go"]
    assert "otlpreceiver.NewFactory()" in files["server/main.go"]
    # The builder's own defaults.
    assert "\tgo.opentelemetry.io/collector/confmap/provider/yamlprovider v1.71.0\n" in files["server/go.mod"]
    assert "\tgo.opentelemetry.io/collector/otelcol v0.165.0\n" in files["server/go.mod"]


def test_patterns_choose_the_core(tmp_path: Path) -> None:
    text = f"{HEAD}processors:\n  - gomod: {CONTRIB}/processor/resourceprocessor v0.165.0\n"
    files = project(tmp_path, text, ("*/resourceprocessor",))
    assert list(tomllib.loads(files["mkpkgs.toml"])["plugin"]) == ["otlpreceiver"]
    assert f'\tresourceprocessor "{CONTRIB}/processor/resourceprocessor"\n' in files["server/main.go"]
    assert "config.yaml" not in files
    with pytest.raises(InputError, match="no component has such an import path"):
        project(tmp_path, text, ("*/nothing",))


def test_plugins_that_import_others_say_so(tmp_path: Path) -> None:
    text = f"{HEAD}  - gomod: example.com/onereceiver v1.0.0\n  - gomod: example.com/tworeceiver v1.0.0\n"
    made = ocb.files(read(tmp_path, text), ocb.CORE, "Jo <jo@example.org>", {"onereceiver": ("tworeceiver",)})
    plugins = tomllib.loads(made["mkpkgs.toml"])["plugin"]
    assert plugins["onereceiver"]["needs"] == ["tworeceiver"]
    assert "needs" not in plugins["tworeceiver"]


def test_packages_of_one_name_get_different_names(tmp_path: Path) -> None:
    text = f"""{HEAD}
  - gomod: example.com/one/thingreceiver v1.0.0
  - gomod: example.com/two/thingreceiver v1.0.0-rc.1
exporters:
  - {{gomod: go.opentelemetry.io/collector/exporter/debugexporter v0.165.0}}
  - {{gomod: example.com/mine v1.0.0, import: example.com/mine/debugexporter}}
"""
    assert list(tomllib.loads(project(tmp_path, text)["mkpkgs.toml"])["plugin"]) == [
        *("one-thingreceiver", "two-thingreceiver", "debugexporter"),
    ]
    files = project(tmp_path, text, ("*",))
    assert '\tthingreceiver2 "example.com/two/thingreceiver"\n' in files["server/main.go"]
    assert '\tdebugexporter2 "example.com/mine/debugexporter"\n' in files["server/main.go"]
    done = subprocess.run(["gofmt", "-d"], input=files["server/main.go"], capture_output=True, text=True, check=True)
    assert done.stdout == ""


def test_local_component_is_a_local_module(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/go.mod").write_text("module example.com/mine\n")
    text = f"{HEAD}  - {{gomod: example.com/mine v0.0.0, path: ./mine}}\n"
    assert 'go-link.module = "./mine"\n' in project(tmp_path, text)["mkpkgs.toml"]
    # In the core, as go.mod says it, which `go build` there reads too.
    inside = project(tmp_path, text, ("*",))
    assert "replace example.com/mine => ../mine\n" in inside["server/go.mod"]
    assert "go-link.module" not in inside["mkpkgs.toml"].replace('[core.go-link]\nmodule = "./server"', "")
    (tmp_path / "mine/go.mod").write_text("module example.com/other\n")
    assert problems(tmp_path, text) == [
        "builder.yaml:4: receivers[1].path: ./mine/go.mod is of another module than example.com/mine"
    ]


def test_folders_of_providers_and_of_libraries_are_in_the_core(tmp_path: Path) -> None:
    """As in files of Dynatrace, Netcracker and the collector's own contrib distribution."""
    for name in ("eec", "thing", "obi", "build/near"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "go.mod").write_text(f"module example.com/{name.rpartition('/')[2]}\n")
    text = f"""\
{HEAD.replace("version: 0.165.0", "version: 0.165.0, output_path: ./build")}
  - gomod: example.com/thing v0.0.0
  - {{gomod: example.com/named v1.0.0, name: ebpf-profiler, import: example.com/named/collector}}
providers:
  - gomod: go.opentelemetry.io/collector/confmap/provider/yamlprovider v1.71.0
  - {{gomod: example.com/eec v0.0.0, path: ./eec}}
replaces:
  - example.com/thing => ../thing
  - example.com/obi => ./obi
  - example.com/near => ./near
  - google.golang.org/genproto => google.golang.org/genproto v0.0.0-20250101000000-abcdefabcdef
  - example.com/named => example.com/named v1.1.0
excludes:
  - example.com/bad v1.0.0
"""
    files = project(tmp_path, text)
    toml = tomllib.loads(files["mkpkgs.toml"])
    assert toml["plugin"]["thing"]["go-link"]["module"] == "./thing"
    assert toml["plugin"]["ebpf-profiler"]["go-link"]["module"] == "example.com/named@v1.1.0"
    assert toml["core"]["go-link"]["module"] == "./server"
    assert [line for line in files["server/go.mod"].splitlines() if line.startswith(("replace", "exclude"))] == [
        "replace example.com/obi => ../obi",
        "replace example.com/near => ../build/near",
        "replace google.golang.org/genproto => google.golang.org/genproto v0.0.0-20250101000000-abcdefabcdef",
        "replace example.com/eec => ../eec",
        "exclude example.com/bad v1.0.0",
    ]
    (tmp_path / "server").mkdir()
    (tmp_path / "server/go.mod").write_text(files["server/go.mod"])
    subprocess.run(["go", "mod", "edit", "-json"], cwd=tmp_path / "server", check=True, capture_output=True)


def test_all_that_is_wrong_or_has_no_equivalent_is_told_with_its_line(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """\
dist:
  name: otelcol
  cgo_enabled: true
  debug_compilation: yes
  colour: red
receivers:
  - gomod: go.opentelemetry.io/collector/receiver/otlpreceiver v0.165.0
  - gomod: example.com/thing
  - import: example.com/thing
processors: none
replaces:
  - example.com/a => example.com/b v1.0.0
excludes: [x]
recievers: []
""",
    )
    whole = "\n".join(found)
    assert [problem.split(": ")[0].split(":")[1] for problem in found] == [
        "3",
        "4",
        "5",
        "8",
        "9",
        "10",
        "12",
        "13",
        "14",
    ]
    for said in (
        "dist.cgo_enabled: programs linked on the target are pure Go; take it out",
        "dist.debug_compilation: packages have no debug data; take it out",
        "dist.colour: is no key that is known here; known: module, name, go",
        "receivers[1].gomod: 'example.com/thing' is no module with a version; write module/path v1.2.3",
        "receivers[2]: has no gomod; write gomod: module/path v1.2.3",
        "processors: must be a list",
        "replaces[0]: a fork has no equivalent",
        "fetch example.com/b v1.0.0 into a folder and write example.com/a => ./folder",
        "excludes[0]: 'x' is no module with a version",
        "recievers: is no key that is known here; did you mean 'receivers'?",
    ):
        assert said in whole


def test_lines_of_go_mod_have_versions_and_comments(tmp_path: Path) -> None:
    """The builder writes them into go.mod as they are, where go takes what stands behind `//` for a comment."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/go.mod").write_text("module example.com/lib\n")
    rows = (
        "example.com/a => example.com/a v1.2.3 // until a fix is out",
        "example.com/lib   v1.0.0 =>\t./lib // ours",
    )
    config = read(
        tmp_path,
        "dist: {name: mine}\nreceivers:\n"
        "  - gomod: go.opentelemetry.io/collector/receiver/otlpreceiver v0.165.0 // the stable one\n"
        f"replaces: {json.dumps(rows)}\nexcludes: ['example.com/b v1.0.0 // broken']\n",
    )
    assert config.replaces == (("example.com/a", "example.com/a v1.2.3"), ("example.com/lib", "./lib"))
    assert config.excludes == ("example.com/b v1.0.0",)
    assert [component.version for component in config.components] == ["v0.165.0"]
    # go reads these lines, too.
    (tmp_path / "go.mod").write_text("module x\n\n" + "".join(f"replace {row}\n" for row in rows))
    subprocess.run(["go", "mod", "edit", "-json"], cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            "example.com/a v1.0.0 => example.com/a v1.2.3 // why",
            "alone has no equivalent; write example.com/a => example.com/a v1.2.3",
        ),
        ("example.com/a => example.com/a main", "'main' is no version; write example.com/a => example.com/a v1.2.3"),
        (
            "example.com/a v1.0.0 => example.com/b v1.2.3 // why",
            "must be the same module; fetch example.com/b v1.2.3 into a folder",
        ),
        ("example.com/a // => ./b", "is no replacement; write module/path => ./folder"),
        ("example.com/a => ./b c d", "is no replacement"),
    ],
)
def test_a_replacement_without_equivalent_says_what_to_write(tmp_path: Path, row: str, said: str) -> None:
    text = "dist: {name: mine}\nreceivers: [{gomod: go.opentelemetry.io/collector/receiver/otlpreceiver v0.165.0}]\n"
    (found,) = problems(tmp_path, f"{text}replaces: ['{row}']\n")
    assert said in found


def test_version_of_the_collector_must_be_known(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "dist: {name: mine}\nreceivers: [{gomod: example.com/thing v1.0.0}]\n")
    assert "the version of the collector is not known" in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("receivers: [", "builder.yaml:1: not YAML: "),
        ("a: 1\na: 2\n", "builder.yaml:2: a: stands here twice; keep one"),
        ("- 1\n", "must be a mapping"),
        ("", "dist.name: is missing"),
        ("? [a]\n: 1\n", "is no key that is known here"),
        ("[" * 3000, "not YAML: "),
    ],
)
def test_bytes_that_are_none_of_it_are_refused(tmp_path: Path, text: str, said: str) -> None:
    assert any(said in problem for problem in problems(tmp_path, text))


def test_command_writes_nothing_over(tmp_path: Path) -> None:
    (tmp_path / "builder.yaml").write_text(HEAD)
    (tmp_path / "mkpkgs.toml").write_text("mine\n")
    done = subprocess.run(
        [sys.executable, "-m", "packaging_tool", "import", "builder.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parent.parent.parent), "HOME": str(tmp_path)},
    )
    assert done.returncode == 2
    assert "mkpkgs.toml: would be written over" in done.stderr
    assert (tmp_path / "mkpkgs.toml").read_text() == "mine\n"
    assert not (tmp_path / "server").exists()
