"""Programs as plugins: prebuilt or by a command, for one protocol or several."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import deque
from pathlib import Path

import pytest

from packaging_tool.drivers.base import Outcome
from packaging_tool.drivers.exec import Driver
from packaging_tool.errors import BuildError, PackageError, ProjectError
from packaging_tool.listener import Silent
from packaging_tool.package.model import Relation
from packaging_tool.project.loader import load

SAMPLE = Path(__file__).parent.parent / "samples/desk"


class Bench:
    """A copy of the sample to change and build."""

    def __init__(self, root: Path) -> None:
        self.root = root / "desk"
        shutil.copytree(SAMPLE, self.root)
        self.file = self.root / "mkpkgs.toml"

    def change(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new, 1))

    def build(self, architecture: str = "all") -> Outcome:
        project = load(self.file)
        driver, workdir = Driver(), self.root / ".mkpkgs"
        workdir.mkdir(exist_ok=True)
        lock = driver.lock(project, None, workdir, Silent())
        return driver.build(project, lock, architecture, workdir, Silent())[0]

    def problems(self) -> str:
        with pytest.raises(ProjectError) as caught:
            load(self.file)
        return str(caught.value)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def modes(outcome: Outcome, plugin: str) -> dict[str, int]:
    return {Path(entry.path).name: entry.mode for entry in outcome.plugins[plugin].entries}


def compiled(place: Path, code: str = "int main(void) { return 0; }", *options: str) -> Path:
    subprocess.run(["gcc", *options, "-x", "c", "-", "-o", place], input=code, text=True, check=True)
    return place


def test_programs_can_be_executed_and_what_lies_beside_them_not(bench: Bench) -> None:
    outcome = bench.build()
    assert modes(outcome, "clock") == {"desk-clock": 0o755, "zone": 0o644}
    assert [entry.path for entry in outcome.plugins["echo"].entries] == ["/usr/lib/desk/plugins/echo/desk-echo"]


def test_a_plugin_asks_for_the_protocol_that_it_speaks(bench: Bench) -> None:
    outcome = bench.build()
    (older,) = outcome.accepts
    assert outcome.plugins["clock"].abi == older
    assert outcome.plugins["echo"].abi == outcome.abi != older
    bench.change('accepts = ["1"]', 'accepts = ["0"]')
    assert 'plugin.clock.exec.protocol: the core does not speak \'1\'; write one of "2", "0"' in bench.problems()
    bench.change('protocol = "2"\naccepts = ["0"]', 'protocol = "1"')
    assert bench.build().abi == older, "a version is the same ABI whether it is the newest or not"


def test_a_command_builds_server_and_plugins(bench: Bench) -> None:
    bench.change('program = "desk"\n', "")
    command = '["sh", "-c", "cp $NAME {output}/desk && chmod +x {output}/desk"]'
    environment = '{ NAME = "desk.{architecture}" }'
    bench.change('protocol = "2"', f'protocol = "2"\nbuild = {command}\nenvironment = {environment}\nsource = "server"')
    bench.change('{ files = "plugins/echo" }', '{ source = "plugins/echo", build = ["cp", "desk-echo", "{output}"] }')
    assert f"core.exec.source: there is no {bench.root}/server".replace(f"{bench.root}/", "") in bench.problems()
    (bench.root / "server").mkdir()
    shutil.move(bench.root / "desk", bench.root / "server/desk.all")
    for _ in range(2):
        outcome = bench.build()
        (program,) = outcome.core.entries
        assert program.content is not None
        assert program.content.sha256
        assert (program.path, program.mode) == ("/usr/lib/desk/bin/desk-core", 0o755)
        assert modes(outcome, "echo") == {"desk-echo": 0o755}
    assert not list((bench.root / ".mkpkgs").rglob(".*"))


def test_a_command_finds_what_the_servers_left_in_its_home_and_no_other_plugins(bench: Bench) -> None:
    """Modules that were fetched and packages that were compiled once."""
    leave = "cp $(ls desk plugins/echo/desk-echo 2>/dev/null) {output}; ls ~ >{output}/seen; touch ~/$1"
    bench.change('program = "desk"\n', "")
    bench.change('protocol = "2"', f'protocol = "2"\nbuild = ["sh", "-c", "{leave}", "sh", "servers"]')
    for name in ("echo", "count"):
        bench.change(f'{{ files = "plugins/{name}" }}', f'{{ build = ["sh", "-c", "{leave}", "sh", "{name}s"] }}')
    for seen in ("servers\n", "{name}s\nservers\n"):
        outcome = bench.build()
        for name in ("echo", "count"):
            (found,) = (e.content for e in outcome.plugins[name].entries if e.path.endswith("seen"))
            assert found is not None
            assert found.read().decode() == seen.format(name=name)


def test_a_command_that_fails_is_that_plugins_failure_with_its_words(bench: Bench) -> None:
    words = "echo no such thing >&2; exit 3"
    bench.change('{ files = "plugins/echo" }', f'{{ build = ["sh", "-c", "{words}"] }}')
    outcome = bench.build()
    assert [str(failure) for failure in outcome.failures] == ["plugin echo does not build:\n  no such thing"]
    assert set(outcome.plugins) == {"count", "clock"}


def test_a_server_that_its_command_does_not_leave_is_told(bench: Bench) -> None:
    bench.change('program = "desk"\n', "")
    bench.change('protocol = "2"', 'protocol = "2"\nbuild = ["true"]')
    with pytest.raises(BuildError, match=r"core\.exec\.build left no program desk"):
        bench.build()


def test_what_no_target_could_run_is_a_failure(bench: Bench) -> None:
    (bench.root / "plugins/echo/desk-echo").chmod(0o644)
    (bench.root / "plugins/count/desk-count").write_text("text\n")
    compiled(bench.root / "plugins/clock/desk-clock", "int main(void) { return 0; }", "-static")
    found = bench.build().failures
    failures = {failure.plugin: failure.message for failure in found}
    assert failures["echo"] == "there is no program among its files"
    assert "repair: chmod +x the program" in "".join(str(failure) for failure in found)
    assert "desk-count is executable, but neither an ELF program nor a script with #!" in failures["count"]
    assert failures["clock"] == "plugin clock: desk-clock is a program for amd64, not for all"


def test_a_program_asks_for_the_c_library_that_it_needs(bench: Bench) -> None:
    bench.change('architectures = ["all"]', 'architectures = ["amd64"]')
    program = compiled(bench.root / "plugins/echo/desk-echo", '#include <stdio.h>\nint main(void) { return puts(""); }')
    outcome = bench.build("amd64")
    ((relation,),) = outcome.plugins["echo"].depends["deb"]
    shown = subprocess.run(["readelf", "-V", program], capture_output=True, text=True, check=True).stdout
    newest = max(re.findall(r"GLIBC_([\d.]+)", shown), key=lambda text: [int(part) for part in text.split(".")])
    assert relation == Relation("libc6", ">=", newest)
    assert not outcome.plugins["count"].depends


def test_bad_settings_are_told_with_what_to_write(bench: Bench) -> None:
    bench.change('{ files = "plugins/echo" }', '{ files = "plugins/none" }')
    bench.change('{ files = "plugins/count" }', '{ files = "plugins/count", build = ["true"] }')
    bench.change('{ files = "plugins/clock", protocol = "1" }', "{}")
    bench.change('program = "desk"', 'program = "nothing"')
    bench.change('protocol = "2"', 'protocol = "2"\nreload = true')
    said = bench.problems()
    for reason in (
        r"mkpkgs.toml:\d+: core.exec.reload: the service has no reload; write the arguments in core.service.reload",
        r"mkpkgs.toml:\d+: core.program: there is no nothing; build the server first",
        r"mkpkgs.toml:\d+: plugin.echo.exec.files: there is no plugins/none; name what is there",
        r"mkpkgs.toml:\d+: plugin.count.exec.files: both files and build are there",
        r"mkpkgs.toml:\d+: plugin.clock.exec.files: files is missing; name a program, a folder, or a command in build",
    ):
        assert re.search(reason, said), said


@pytest.mark.parametrize(("first", "builder"), [("echo", "count"), ("count", "echo")])
def test_what_a_command_puts_in_the_place_of_another_part_gets_into_no_package(
    first: str, builder: str, bench: Bench, tmp_path: Path
) -> None:
    """It could lead to what commands cannot read: a key of who builds. The parts are collected one after the other."""
    (tmp_path / "secret").write_text("#!/bin/sh\n# a key\n")
    (tmp_path / "secret").chmod(0o755)
    folder = bench.root / f"plugins/{builder}"
    for name, file in ((f"desk-{first}", f"plugins/{first}/desk-{first}"), ("desk", "desk")):
        shutil.copyfile(bench.root / file, folder / name)
        (folder / name).chmod(0o755)
    bench.change('program = "desk"', f'program = "plugins/{builder}/desk"')
    bench.change(f'{{ files = "plugins/{first}" }}', f'{{ files = "plugins/{builder}/desk-{first}" }}')
    swap = f"for name in desk desk-{first}; do rm $name; ln -s {tmp_path}/secret $name; done"
    script = f"cp desk-{builder} $MKPKGS_OUTPUT; {swap}"
    bench.change(
        f'{{ files = "plugins/{builder}" }}',
        f'{{ source = "plugins/{builder}", build = ["sh", "-ec", "{script}"] }}',
    )
    outcome = bench.build()
    assert (folder / "desk").is_symlink()
    refused = {failure.plugin: failure.message for failure in outcome.failures}
    collected = [*outcome.core.entries, *(outcome.plugins[first].entries if first not in refused else ())]
    assert all("leads out of the project" in message for message in refused.values())
    assert len(collected) == 2 - len(refused)
    for entry in collected:
        assert entry.content is not None
        with pytest.raises(PackageError, match="changed while it was packaged"):
            deque(entry.content.verified(), maxlen=0)


def test_a_command_cannot_change_the_project_by_another_name_of_it(bench: Bench) -> None:
    script = "echo hello > mark || :; cp plugins/count/desk-count $MKPKGS_OUTPUT"
    bench.change('{ files = "plugins/count" }', f'{{ source = "plugins/..", build = ["sh", "-ec", "{script}"] }}')
    assert not bench.build().failures
    assert not (bench.root / "mark").exists()


def test_a_link_that_a_command_leaves_is_refused(bench: Bench) -> None:
    bench.change('{ files = "plugins/echo" }', '{ build = ["ln", "-s", "/etc/passwd", "{output}/passwd"] }')
    assert "passwd is not a regular file" in bench.build().failures[0].message


def test_folders_without_end_are_that_plugins_failure_and_gone_with_the_next_run(bench: Bench) -> None:
    script = "cp desk-echo {output}; cd {output}; i=0; while [ $i -lt 1500 ]; do mkdir d; cd d; i=$((i + 1)); done"
    bench.change('{ files = "plugins/echo" }', f'{{ source = "plugins/echo", build = ["sh", "-ec", "{script}"] }}')
    outcome = bench.build()
    (failure,) = outcome.failures
    assert failure.plugin == "echo"
    assert "has folders that lie 100 deep" in failure.message
    assert modes(outcome, "count")
    bench.change(script, "cp desk-echo {output}")
    assert not bench.build().failures


@pytest.mark.parametrize("name", ["a b", "$(touch mark)", "it's;touch mark", "{architecture}"])
def test_a_folder_of_any_name_is_one_word_for_commands(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    bench = Bench(tmp_path / name)
    bench.change('{ files = "plugins/echo" }', '{ source = "plugins/echo", build = ["cp", "desk-echo", "{output}"] }')
    script = 'cp desk-count \\"$MKPKGS_OUTPUT\\"'
    bench.change('{ files = "plugins/count" }', f'{{ source = "plugins/count", build = ["sh", "-ec", "{script}"] }}')
    bench.change('{ files = "plugins/clock"', '{ source = "plugins/clock", build = ["sh", "-c", "cp desk* {output}"]')
    outcome = bench.build()
    assert modes(outcome, "echo") == {"desk-echo": 0o755}
    assert modes(outcome, "count") == {"desk-count": 0o755}
    (failure,) = outcome.failures
    assert failure.plugin == "clock"
    assert failure.message.startswith("{output} in the script of a shell is ")
    assert failure.repair == 'write "$MKPKGS_OUTPUT" in its place, with the quotes'
    assert not list(tmp_path.rglob("mark"))


def test_a_server_that_is_a_link_is_refused(bench: Bench) -> None:
    """It could lead to any file of who builds."""
    bench.change('program = "desk"\n', "")
    bench.change('protocol = "2"', 'protocol = "2"\nbuild = ["ln", "-s", "/etc/passwd", "{output}/desk"]')
    with pytest.raises(BuildError, match="is not a regular file"):
        bench.build()
