"""What a user sees of each command, run as a user runs it."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Mkpkgs, environment

DEB = "dist/apt/pool/main/g/greet/greet_1.0-1_all.deb"


def test_alone_it_does_everything_and_the_second_run_nothing(mkpkgs: Mkpkgs, project: Path) -> None:
    first = mkpkgs()
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("dist: 10 packages written in ")
    assert "build greet 1.0 for all\n" in first.stderr
    assert (project / DEB).is_file()
    assert (project / "dist/apt/dists/stable/InRelease").is_file()
    second = mkpkgs()
    assert second.returncode == 0
    assert second.stdout.startswith("nothing to do: dist is up to date (10 packages, ")


def test_one_changed_plugin_is_one_package(mkpkgs: Mkpkgs, project: Path) -> None:
    assert mkpkgs().returncode == 0
    (project / "plugins/hello/greeting").write_text("changed\n")
    again = mkpkgs()
    assert again.stdout.startswith("dist: 2 packages written, 8 unchanged in ")
    assert "raise the release" in again.stderr
    file = project / "mkpkgs.toml"
    file.write_text(file.read_text().replace("order = 10", 'order = 10\nrelease = "2"'))
    assert mkpkgs().stdout.startswith("dist: 2 packages written, 8 unchanged in ")


def test_build_takes_names_of_plugins(mkpkgs: Mkpkgs, project: Path) -> None:
    done = mkpkgs("build", "bye", "moon", "-v")
    assert done.returncode == 0, done.stderr
    built = sorted(path.name for path in (project / "dist").rglob("*.deb"))
    assert built == ["greet-plugin-bye_1.0-1_all.deb", "greet-plugin-moon_1.0-1_all.deb"]
    assert all(name in done.stdout for name in built)
    assert len(list((project / "dist").rglob("*.rpm"))) == 2


def test_an_unknown_plugin_is_wrong_input(mkpkgs: Mkpkgs, project: Path) -> None:
    done = mkpkgs("build", "nothing")
    assert done.returncode == 2
    assert "no plugin 'nothing'" in done.stderr
    assert "hint: it has bye, hello, moon" in done.stderr
    assert "build greet" not in done.stdout + done.stderr
    assert "the project has none; leave out --abi" in mkpkgs("--abi", "3").stderr
    assert not (project / "dist").exists()


def test_repo_indexes_what_build_made(mkpkgs: Mkpkgs, project: Path) -> None:
    assert mkpkgs("build").returncode == 0
    assert not (project / "dist/apt/dists").exists()
    done = mkpkgs("repo")
    assert done.returncode == 0, done.stderr
    assert "Package: greet-plugin-moon\n" in next((project / "dist").rglob("Packages")).read_text()


def test_lock_writes_the_lock_and_says_whether_it_changed(mkpkgs: Mkpkgs, project: Path) -> None:
    assert mkpkgs("lock").stdout == "mkpkgs.lock: written\n"
    assert (project / "mkpkgs.lock").is_file()
    assert mkpkgs("lock").stdout == "mkpkgs.lock: nothing changed\n"


@pytest.mark.parametrize("place", ["before", "after"])
def test_options_may_stand_before_and_after_the_command(mkpkgs: Mkpkgs, tmp_path: Path, place: str) -> None:
    options = ["-f", str(tmp_path / "project/mkpkgs.toml"), "-o", str(tmp_path / "out"), "-q"]
    done = mkpkgs(*((*options, "build") if place == "before" else ("build", *options)), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")
    assert len(list((tmp_path / "out").rglob("*.deb"))) == 5
    assert len(list((tmp_path / "out").rglob("*.rpm"))) == 5


def test_the_output_lies_beside_the_project_file_by_default(mkpkgs: Mkpkgs, tmp_path: Path, project: Path) -> None:
    assert mkpkgs("-f", "project/mkpkgs.toml", cwd=tmp_path).returncode == 0
    assert (project / DEB).is_file()


def test_an_architecture_that_the_project_has_not_is_wrong_input(mkpkgs: Mkpkgs) -> None:
    done = mkpkgs("--arch", "arm64")
    assert done.returncode == 2
    assert "architecture 'arm64' is not one of the project's: all" in done.stderr


def test_plan_shows_files_relations_and_scripts_without_building(mkpkgs: Mkpkgs, project: Path) -> None:
    done = mkpkgs("plan")
    assert done.returncode == 0, done.stderr
    assert "greet 1.0-1 all (core)\n" in done.stdout
    assert "│   ├── lrwxrwxrwx root:root          - /usr/bin/greet -> ../lib/greet/bin/greet\n" in done.stdout
    assert "drwxr-x--- root:greet         - /usr/lib/greet/plugins/\n" in done.stdout
    assert "triggers: interest-noawait /usr/lib/greet/plugins\n" in done.stdout
    assert "greet-plugin-bye (= 1.0-1)" in done.stdout
    assert not (project / "dist").exists()


def test_plan_shows_what_is_then_built(mkpkgs: Mkpkgs, project: Path) -> None:
    """The files of the plan are the files of the package, as dpkg-deb lists them."""
    planned = json.loads(mkpkgs("plan", "--json").stdout)
    assert mkpkgs("build").returncode == 0
    for package in planned["packages"]:
        if "deb" not in package["formats"]:
            continue
        path = project / "dist/apt/pool/main/g/greet" / package["formats"]["deb"]["file"]
        listing = subprocess.run(["dpkg-deb", "--contents", path], capture_output=True, text=True, check=True).stdout
        built = {line.split()[5].removeprefix(".").rstrip("/"): line.split()[0] for line in listing.splitlines()}
        for entry in package["files"]:
            if entry["type"] == "ghost" or entry["format"] == "rpm":
                assert entry["path"] not in built
                continue
            bits = int(entry["mode"], 8)
            shown = "".join(c if bits >> (8 - at) & 1 else "-" for at, c in enumerate("rwxrwxrwx"))
            assert built[entry["path"]][1:] == shown, entry["path"]
        made = {name for name, mode in built.items() if not mode.startswith("d")}
        added = made - {entry["path"] for entry in package["files"]}
        assert all(name.startswith(("/usr/share/doc/", "/usr/share/lintian/overrides/")) for name in added), added


def test_the_plan_as_json_has_the_documented_keys(mkpkgs: Mkpkgs) -> None:
    done = mkpkgs("plan", "--json")
    plan = json.loads(done.stdout)
    assert plan["mkpkgs-plan"] == 1
    assert [package["name"] for package in plan["packages"]] == [
        "greet",
        "greet-plugin-hello",
        "greet-plugin-bye",
        "greet-plugin-moon",
        "greet-plugin-dev",
        "greet-plugin-devel",
    ]
    page = (Path(__file__).parent.parent.parent / "docs/reference.md").read_text().partition("mkpkgs plan --json")[2]
    for package in plan["packages"]:
        for key in (*package, *package["files"][0], *next(iter(package["formats"].values()))):
            assert f"`{key}`" in page
    assert done.stdout == mkpkgs("plan", "--json").stdout


def test_inspect_shows_what_dpkg_knows(mkpkgs: Mkpkgs, project: Path) -> None:
    assert mkpkgs("build").returncode == 0
    page = mkpkgs("inspect", DEB).stdout
    for field in ("Package", "Version", "Architecture", "Maintainer", "Depends", "Provides", "Homepage"):
        value = subprocess.run(
            ["dpkg-deb", "--field", project / DEB, field], capture_output=True, text=True, check=True
        ).stdout.strip()
        assert f"  {field:14}  {value}\n" in page
    assert "/usr/bin/greet -> ../lib/greet/bin/greet" in page
    assert "\npostinst\n  #!/bin/sh\n" in page
    assert "\ntriggers\n  interest-noawait /usr/lib/greet/plugins\n" in page


def test_inspect_reads_packages_that_others_made(mkpkgs: Mkpkgs, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/evil").write_text("x")
    control = (
        "Package: evil\nVersion: 1\nArchitecture: all\nMaintainer: x <x@y.z>\nDescription: \x1b[2Jclears the screen\n"
    )
    (tree / "DEBIAN/control").write_text(control)
    subprocess.run(["dpkg-deb", "--build", tree, tmp_path / "evil.deb"], check=True, capture_output=True)
    page = mkpkgs("inspect", str(tmp_path / "evil.deb")).stdout
    assert "Package" in page
    assert "/usr/bin/evil" in page
    assert "\x1b" not in page
    assert "\\x1b[2Jclears the screen" in page


def test_inspect_shows_what_rpm_knows(mkpkgs: Mkpkgs, project: Path) -> None:
    assert mkpkgs("build").returncode == 0
    path = next((project / "dist").rglob("greet-1.0-1.noarch.rpm"))
    page = mkpkgs("inspect", str(path)).stdout

    def rpm(*query: str) -> list[str]:
        done = subprocess.run(["rpm", "-qp", "--nosignature", *query, path], capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    for tag in ("NAME", "VERSION", "RELEASE", "LICENSE", "URL", "SUMMARY"):
        assert rpm("--qf", f"%{{{tag}}}")[0] in page
    for file in rpm("-l"):
        assert file in page
    for line in rpm("--provides"):
        assert line in page
    assert rpm("--scripts")[1] in page


def test_a_plugin_that_does_not_build_is_named_and_the_others_are_published(
    mkpkgs: Mkpkgs, tmp_path: Path, keys: Path
) -> None:
    if shutil.which("go") is None:
        pytest.skip("needs go")
    place = tmp_path / "go-host"
    shutil.copytree(ROOT / "tests/samples/go-host", place, ignore=shutil.ignore_patterns(".mkpkgs", "dist", "*.lock"))
    with (place / "bell/bell.go").open("a") as file:
        file.write('\nvar broken int = "text"\n')
    done = mkpkgs(cwd=place)
    assert done.returncode == 1
    assert "mkpkgs: error: plugin bell does not build in example.com/bell:\n" in done.stderr
    assert 'cannot use "text"' in done.stderr
    # echo imports bell.
    assert done.stderr.endswith("mkpkgs: error: 2 plugins failed: bell, echo; everything else was built\n")
    index = next((place / "dist/apt").rglob("Packages")).read_text()
    assert "Package: host-plugin-shout\n" in index
    assert "Package: host-plugin-bell\n" not in index


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.rpm", b"\xed\xab\xee\xdb", "x.rpm"),
        ("x.deb", b"!<arch>\n", "cannot be read as a .deb"),
        ("x.txt", b"hello\n", "is neither .deb"),
        ("x.deb", None, "no such file"),
    ],
)
def test_inspect_refuses_what_is_no_package(
    mkpkgs: Mkpkgs, tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = mkpkgs("inspect", str(tmp_path / name))
    assert done.returncode == 2
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_key_new_makes_keys_that_only_their_owner_reads(mkpkgs: Mkpkgs, tmp_path: Path) -> None:
    place = tmp_path / "new"
    done = mkpkgs("key", "new", "--keys", str(place))
    assert done.returncode == 0, done.stderr
    assert "They have no passphrase" in done.stdout
    assert {path.name: path.stat().st_mode & 0o777 for path in place.glob("*.key")} == {
        "repository.key": 0o600,
        "manifest.key": 0o600,
    }
    again = mkpkgs("key", "new", "--keys", str(place))
    assert again.returncode == 1
    assert "never overwritten" in again.stderr


def test_key_new_takes_kinds_that_the_oldest_target_reads(mkpkgs: Mkpkgs, project: Path, tmp_path: Path) -> None:
    file = project / "mkpkgs.toml"
    file.write_text(file.read_text().replace('"debian12", "el9"', '"debian11", "el8"'))
    done = mkpkgs("key", "new", "--keys", str(tmp_path / "old"))
    assert done.returncode == 0, done.stderr
    assert "repository  rsa" in done.stdout
    assert "manifest    ecdsa-p256" in done.stdout


def test_key_show_prints_keys_that_gpg_and_signify_read(mkpkgs: Mkpkgs, keys: Path, tmp_path: Path) -> None:
    shown = mkpkgs("key", "show").stdout
    public = mkpkgs("key", "show", "--public").stdout
    armor = public[: public.index("-----END PGP PUBLIC KEY BLOCK-----") + 35]
    gpg = subprocess.run(
        ["gpg", "--homedir", tmp_path, "--show-keys", "--with-colons"], input=armor, capture_output=True, text=True
    )
    fingerprint = next(line.split(":")[9] for line in gpg.stdout.splitlines() if line.startswith("fpr"))
    assert fingerprint in shown
    assert (keys / "manifest.pub").read_text().strip() in public
    assert "PRIVATE" not in public + shown


def test_without_keys_the_next_step_is_named(mkpkgs: Mkpkgs, project: Path, tmp_path: Path) -> None:
    done = mkpkgs("--keys", str(tmp_path / "none"))
    assert done.returncode == 1
    assert "there are no keys for greet" in done.stderr
    assert "hint: run: mkpkgs key new" in done.stderr
    assert not (project / "dist").exists()


def test_version_is_fast() -> None:
    """At most 80 ms. Processor time, since the machine has other work; `make bench` takes the time on the wall."""
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        argv = [sys.executable, "-m", "packaging_tool", "--version"]
        done = subprocess.run(argv, capture_output=True, text=True, env=environment(), check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert done.stdout.startswith("mkpkgs ")
    assert min(times) < 0.08


def test_help_imports_no_command(mkpkgs: Mkpkgs) -> None:
    done = mkpkgs("--help", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert done.returncode == 0
    assert "packaging_tool.cli.root" in done.stderr
    assert "packaging_tool.cli.commands." not in done.stderr
    assert "packaging_tool.build" not in done.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_and_options(mkpkgs: Mkpkgs) -> None:
    def complete(words: str, index: int) -> str:
        env = {"_MKPKGS_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(index)}
        return mkpkgs(env=env).stdout

    assert "plain,plan" in complete("mkpkgs pl", 1)
    assert "plain,--json" in complete("mkpkgs plan --", 2)
    script = mkpkgs(env={"_MKPKGS_COMPLETE": "bash_source"}).stdout
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0
