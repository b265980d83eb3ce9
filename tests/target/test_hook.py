"""What apt and dnf 5 are told when they ask: a plugin must not leave unasked while the core is replaced."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from packaging_tool.target import hooks
from packaging_tool.target.runtime import lifecycle
from tests.target.machine import Key, Machine, add_programs, spec

GO_ON, STOP = 0, 10
CACHE = "/var/cache/apt/archives"
NOTHING = "- - none"
NEW_CORE = f"fake 1.0-1 amd64 none < 2.0-1 amd64 none {CACHE}/fake_2.0-1_amd64.deb"
CONFIGURED = "fake 1.0-1 amd64 none < 2.0-1 amd64 none **CONFIGURE**"
NO_GIT = f"fake-plugin-git 1.0-1 all none > {NOTHING} **REMOVE**"


def transaction(*lines: str, command: str = "apt-get dist-upgrade", version: int = 3) -> str:
    """What apt writes to a hook (apt.conf(5), DPkg::Pre-Install-Pkgs)."""
    settings = ["APT=1", "Dir=/", f"CommandLine::AsString={command.replace(' ', '%20')}", "DPkg::Pre-Install-Pkgs::=x"]
    return "\n".join([f"VERSION {version}", *settings, "", *lines]) + "\n"


def ask(
    machine: Machine, asked: str, command: str = "hook", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Call the hook as a package manager does. stdout and stderr come apart."""
    env = {**os.environ, **(environment or {})}
    return subprocess.run(
        machine.command(command), input=asked, capture_output=True, text=True, check=False, env=env, timeout=60
    )


def program(machine: Machine, name: str, text: str) -> None:
    """Have a script in the place of a program."""
    place = machine.root / "usr/bin" / name
    place.unlink(missing_ok=True)
    place.write_text(f"#!/bin/sh\n{text}\n")
    place.chmod(0o755)


def archives(machine: Machine, **fields: Mapping[str, str]) -> None:
    """What dpkg-deb says of files of packages, by their names."""
    cases = "".join(
        f"*/{name}[._]*) printf '%s\\n' "
        + " ".join(f"'{key}: {value}'" for key, value in {"Package": name, "Version": "3.0-1", **more}.items())
        + " ;;\n"
        for name, more in fields.items()
    )
    program(machine, "dpkg-deb", f"case $2 in\n{cases}esac")


@pytest.fixture
def with_git(served: Path, key: Key) -> Machine:
    """A machine that serves with the plugin git. Hooks change nothing, so it is the same one for all tests."""
    return Machine(served, key, ["dash"], installed=True)


def test_apt_is_stopped_and_told_what_there_is_to_choose(any_machine: Machine) -> None:
    any_machine.install("git")
    any_machine.install("cors")
    no_cors = NO_GIT.replace("git", "cors")
    done = ask(any_machine, transaction(NO_GIT, no_cors, NEW_CORE, CONFIGURED))
    assert done.returncode == STOP
    assert done.stdout == ""
    assert done.stderr == (
        "fake-plugins: stopped before any change: replacing fake 1.0-1 by 2.0-1 would remove installed plugins: "
        "fake-plugin-cors fake-plugin-git\n"
        "fake-plugins:   keep them and wait: apt-get upgrade\n"
        "fake-plugins:   go on without them: apt-get remove fake-plugin-cors fake-plugin-git; then the same again\n"
    )


def test_a_downgrade_of_the_core_is_no_different(with_git: Machine) -> None:
    older = NEW_CORE.replace("<", ">").replace("2.0", "0.9")
    assert ask(with_git, transaction(NO_GIT, older)).returncode == STOP


def test_the_older_protocol_says_enough(with_git: Machine) -> None:
    lines = (f"fake 1.0-1 < 2.0-1 {CACHE}/fake_2.0-1_amd64.deb", "fake-plugin-git 1.0-1 > - **REMOVE**")
    assert ask(with_git, transaction(*lines, version=2)).returncode == STOP


def test_a_file_name_may_have_spaces(with_git: Machine) -> None:
    spaced = NEW_CORE.replace(CACHE, "/root/my packages")
    assert ask(with_git, transaction(NO_GIT, spaced)).returncode == STOP


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([NO_GIT], id="a plugin is removed and the core stays"),
        pytest.param([NO_GIT, NEW_CORE.replace("2.0-1", "1.0-1").replace("<", "=")], id="the same core comes again"),
        pytest.param([NO_GIT, NEW_CORE.replace("1.0-1 amd64 none <", f"{NOTHING} <")], id="the core is new here"),
        pytest.param([NO_GIT, CONFIGURED], id="the core is only configured"),
        pytest.param([NEW_CORE, NO_GIT.replace("1.0-1 all none", NOTHING)], id="a removed plugin is purged"),
        pytest.param([NEW_CORE, NO_GIT.replace("plugin-git", "plugin-kit")], id="the kit is no plugin"),
        pytest.param([NEW_CORE, NO_GIT.replace("plugin-git", "plugins")], id="another package of a similar name"),
        pytest.param([NEW_CORE, NO_GIT.replace("plugin-git", "plugin-docs")], id="a package without a plugin in it"),
        pytest.param(
            [NO_GIT, NEW_CORE, f"fake-plugin-git 1.0-1 all none < 2.0-1 all none {CACHE}/git.deb"],
            id="the plugin comes back in the same go",
        ),
        pytest.param(["fakeroot 1 amd64 none < 2 amd64 none /x.deb", NO_GIT], id="another package is upgraded"),
    ],
)
def test_apt_goes_on_without_a_word(with_git: Machine, lines: Sequence[str]) -> None:
    done = ask(with_git, transaction(*lines))
    assert (done.returncode, done.stdout, done.stderr) == (GO_ON, "", "")


GONE = f"fake 1.0-1 amd64 none > {NOTHING} **REMOVE**"
# Another package comes, as in an upgrade to the next release.
COMES = f"python3 3.11 amd64 none < 3.13 amd64 none {CACHE}/python3.deb"


@pytest.mark.parametrize(
    ("command", "stops"),
    [
        ("apt-get dist-upgrade", True),
        ("apt full-upgrade", True),
        ("apt-get install ./fake2.deb", True),
        ("apt-get install fakes- fake2", True),
        ("apt-get remove python3", True),
        ("apt-get remove fakes fake2", True),
        ("apt-get -y purge fake2 fake-plugin-git", True),
        ("apt-get install fake- fake2", False),
        ("apt-get install ?exact-name(fake)- fake2", False),
        ("apt-get -y remove fake", False),
        ("apt purge fake:amd64 python3", False),
        ("apt-get remove fak*", False),
        ("apt-get remove ~nfake", False),
        ("apt autoremove", False),
        ("apt-get --purge autopurge", False),
        ("apt-get dselect-upgrade", False),
        ("apt history-undo 3", False),
    ],
)
def test_a_core_that_goes_with_its_plugins_must_be_named(with_git: Machine, command: str, stops: bool) -> None:
    done = ask(with_git, transaction(NO_GIT, GONE, COMES, command=command))
    assert done.returncode == (STOP if stops else GO_ON), done.stderr
    first = (
        "fake-plugins: stopped before any change: fake 1.0-1 would be removed, which nobody asked for, and with it "
        "fake-plugin-git\n"
    )
    assert done.stderr.startswith(first) == stops
    assert ("go on without them: apt-get remove fake fake-plugin-git; then the same again" in done.stderr) == stops
    # No upgrade helps where something is named that the core needs.
    removes = bool({"remove", "purge"} & set(command.split()))
    assert ("keep them: remove nothing that fake needs\n" in done.stderr) == (stops and removes)
    assert ("keep them and wait: apt-get upgrade\n" in done.stderr) == (stops and not removes)


def test_a_core_without_plugins_goes_where_people_remove_what_it_needs(with_git: Machine) -> None:
    for command, stops in (("apt-get dist-upgrade", True), ("apt-get remove python3", False)):
        done = ask(with_git, transaction(GONE, COMES, command=command))
        assert done.returncode == (STOP if stops else GO_ON)
        assert ("fake 1.0-1 would be removed, which nobody asked for\n" in done.stderr) == stops


def test_programs_that_tell_no_command_may_remove_and_not_lose(with_git: Machine) -> None:
    """aptitude, graphical ones, and the upgrade to the next release of Ubuntu."""
    for lines, stops in (((NO_GIT, GONE), False), ((NO_GIT, GONE, COMES), True)):
        asked = re.sub("CommandLine.*\n", "", transaction(*lines))
        assert ask(with_git, asked).returncode == (STOP if stops else GO_ON)


@pytest.mark.parametrize("way", ["both", "core", "plugin", "neither"])
def test_a_core_of_another_name_may_take_the_place_with_its_plugins(serving: Machine, way: str) -> None:
    """Whose packages say so; `core`: no plugin comes for the one that goes."""
    says = {"fake2": "fake", "fake2-plugin-git": "other, fake-plugin-git (<< 3)"}
    chosen = {"both": list(says), "core": ["fake2"], "plugin": ["fake2-plugin-git"], "neither": []}[way]
    archives(serving, **{name: {"Replaces": says[name]} if name in chosen else {} for name in says})
    comes = [f"{name} {NOTHING} < 3.0-1 all none {CACHE}/{name}.deb" for name in says]
    done = ask(serving, transaction(NO_GIT, GONE, *comes, command="apt-get install fake2"))
    assert done.returncode == (GO_ON if way == "both" else STOP), done.stderr
    if way == "core":
        assert "go on without them: apt-get remove fake-plugin-git; then" in done.stderr
    if way == "plugin":
        assert "in its place" not in done.stderr


@pytest.mark.parametrize("field", ["Replaces", "Conflicts"])
def test_of_a_core_of_another_name_the_one_command_is_told_that_takes_it_with_its_plugins(
    serving: Machine, field: str
) -> None:
    serving.install("cors")
    archives(serving, fake2={field: "other, fake (<< 3)"}, more={})
    program(serving, "apt-cache", 'case $4 in fake2-plugin-git) echo "Package: $4" ;; esac')
    no_cors = NO_GIT.replace("git", "cors")
    comes = [f"{name} {NOTHING} < 3.0-1 all none {CACHE}/{name}.deb" for name in ("more", "fake2")]
    lines = (NO_GIT, no_cors, GONE, *comes)
    done = ask(serving, transaction(*lines, command="apt-get dist-upgrade"))
    assert done.returncode == STOP
    (command,) = re.findall(
        "take fake2 in its place, with its plugins \\(none for fake-plugin-cors\\): (.*)", done.stderr
    )
    assert command == "apt-get install fake2 fake2-plugin-git fake- fake-plugin-cors- fake-plugin-git-"
    assert ask(serving, transaction(*lines, command=command)).returncode == GO_ON


def test_no_command_is_told_with_a_name_that_is_none(serving: Machine) -> None:
    archives(serving, fake2={"Package": "x$(id)", "Replaces": "fake"})
    comes = f"fake2 {NOTHING} < 3.0-1 all none {CACHE}/fake2.deb"
    done = ask(serving, transaction(NO_GIT, GONE, comes, command="apt-get dist-upgrade"))
    assert (done.returncode, "$(id)" in done.stderr) == (STOP, False), done.stderr


def test_a_downgrade_over_a_renaming_is_told_with_the_names_and_versions_of_then(serving: Machine) -> None:
    """Waiting helps nobody: no newer build comes for an older core."""
    add_programs(serving.root, ["dpkg"])
    serving.install("forge")
    serving.remove("git")
    (serving.share / "former").write_text("git forge\n")
    older, newer = "ab" * 32, "cd" * 32
    archives(serving, fake={"Version": "0.9-1", "Provides": f"fake-abi-{older}"})
    program(
        serving,
        "apt-cache",
        "[ $3 != fake-plugin-git ] || printf 'Package: %s\\nVersion: %s\\nDepends: fake-abi-%s, libc6\\n\\n' "
        f"$3 1.0-1 {newer} $3 0.7-2 {older} $3 0.6-1 {older}",
    )
    core = NEW_CORE.replace("<", ">").replace("2.0", "0.9")
    lines = (NO_GIT.replace("git", "forge"), core)
    done = ask(serving, transaction(*lines, command="apt-get install fake=0.9-1"))
    assert done.returncode == STOP
    assert "wait" not in done.stderr
    assert "keep them: stay with fake 1.0-1\n" in done.stderr
    (command,) = re.findall("go back with what there is for fake 0.9-1: (.*)", done.stderr)
    assert command == "apt-get install --allow-downgrades fake=0.9-1 fake-plugin-git=0.7-2 fake-plugin-forge-"
    assert ask(serving, transaction(*lines, command=command)).returncode == GO_ON


def test_a_pin_is_told_since_waiting_does_not_help(serving: Machine) -> None:
    """Of the new name of a plugin that leaves, too, which the installed core does not know."""
    (serving.root / "etc/apt").mkdir(exist_ok=True)
    pins = serving.root / "etc/apt/preferences"
    pins.write_text("Package: fake-plugin-forge\nPin: release *\nPin-Priority: -1\n")
    done = ask(serving, transaction(NO_GIT, NEW_CORE))
    assert "fake-plugins:   fake-plugin-forge is pinned by /etc/apt/preferences: take it out there" in done.stderr


def test_a_plugin_that_the_command_names_is_not_lost_unasked(with_git: Machine) -> None:
    lines = (NO_GIT, NEW_CORE)
    asked = transaction(*lines, command="apt-get install fake fake-plugin-git-")
    assert ask(with_git, asked).returncode == GO_ON
    ours = transaction(*lines, command="apt-get install fake ?exact-name(fake-plugin-git)-")
    assert ask(with_git, ours).returncode == GO_ON
    for command in (
        "apt-get install fake fake-plugin-gi- fake-plugin-git",
        "apt-get install fake ?exact-name(fake-plugin-gi)- ?exact-name(fake-plugin-git)",
    ):
        assert ask(with_git, transaction(*lines, command=command)).returncode == STOP
    # There is a package that is called so, and it comes.
    named = f"fake-plugin-git- {NOTHING} < 1.0-1 all none {CACHE}/fake-plugin-git-_1.0-1_all.deb"
    asked = transaction(*lines, named, command="apt-get install fake fake-plugin-git-")
    assert ask(with_git, asked).returncode == STOP


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param("", id="nothing"),
        pytest.param(f"{CACHE}/fake_2.0-1_amd64.deb\n", id="the first protocol, which names files only"),
        pytest.param(transaction(NO_GIT, NEW_CORE).replace("VERSION 3", "VERSION 4"), id="a protocol of the future"),
        pytest.param(transaction(NO_GIT, NEW_CORE).partition("\n\n")[0], id="cut off"),
    ],
)
def test_what_cannot_be_read_stops_nothing_and_is_told(with_git: Machine, asked: str) -> None:
    done = ask(with_git, asked)
    assert done.returncode == GO_ON
    assert "cannot read what apt is about to do" in done.stderr


@pytest.mark.parametrize("missing", ["awk", "sed", "grep", "sort", "id"])
def test_a_broken_machine_stops_nothing(serving: Machine, missing: str) -> None:
    (serving.root / "usr/bin" / missing).unlink(missing_ok=True)
    assert ask(serving, transaction(NEW_CORE)).returncode != STOP


def test_a_full_disk_does_not_hide_a_loss(serving: Machine) -> None:
    """The hook needs no temporary file."""
    (serving.root / "usr/bin/mktemp").unlink()
    assert ask(serving, transaction(NO_GIT, NEW_CORE)).returncode == STOP


def test_the_variable_decides(serving: Machine) -> None:
    asked = transaction(NO_GIT, NEW_CORE)
    done = ask(serving, asked, environment={"FAKE_PLUGINS_REMOVAL": "allow"})
    assert done.returncode == GO_ON
    assert "removes installed plugins, as it is allowed: fake-plugin-git" in done.stdout
    (serving.root / "etc/fake/plugins.conf").write_text("removal = allow\n")
    assert ask(serving, asked, environment={"FAKE_PLUGINS_REMOVAL": "refuse"}).returncode == STOP
    done = ask(serving, asked, environment={"FAKE_PLUGINS_REMOVAL": "yes"})
    assert done.returncode == GO_ON
    assert "FAKE_PLUGINS_REMOVAL must be refuse or allow, not yes" in done.stderr


SETTINGS: Mapping[str, tuple[int, str]] = {
    "": (STOP, ""),
    "# removal = allow\n": (STOP, ""),
    "removal = allow\n": (GO_ON, ""),
    "\t removal=allow   # since June": (GO_ON, ""),
    "removal = refuse\nrestart = /opt/do-it\n": (STOP, ""),
    "removal = Allow\n": (STOP, "1: removal must be refuse or allow, not Allow"),
    "removal = allow\r\n": (STOP, "1: removal must be refuse or allow, not allow?"),
    "removal = allow now\n": (STOP, "1: removal must be refuse or allow, not allow now"),
    "\nremovals = allow\n": (STOP, "2: there is no setting removals"),
    "removal allow\n": (STOP, "1: is not: key = value"),
    "= allow\n": (STOP, "1: there is no setting "),
    "removal =\n": (STOP, "1: removal must be refuse or allow, not "),
    "removal = allow\nremoval = refuse\n": (STOP, "2: removal is set a second time, which counts"),
    "restart = sometimes\nremoval = allow\n": (
        GO_ON,
        "1: restart must be auto, reload, defer or the path of a command, not sometimes",
    ),
    "units = a@*.service  b\\x2dc.service [xy].service # mine\n": (STOP, ""),
    "units = --all a.service\n": (STOP, "1: units must be names of services, parted by blanks, not --all a.service"),
    "units = nginx\n": (STOP, "1: units must be names of services, parted by blanks, not nginx"),
    "restart = ./do-it\n": (STOP, "1: restart must be auto, reload, defer or the path of a command, not ./do-it"),
}


def test_settings_are_read_strictly(any_machine: Machine) -> None:
    any_machine.install("git")
    for text, (status, fault) in SETTINGS.items():
        (any_machine.root / "etc/fake/plugins.conf").write_bytes(text.encode())
        done = ask(any_machine, transaction(NO_GIT, NEW_CORE))
        assert done.returncode == status, text
        warnings = re.findall("fake-plugins: /etc/fake/plugins.conf line (.*)\n", done.stderr)
        assert warnings == [fault] * bool(fault), text


def test_settings_that_others_can_write_do_not_count(serving: Machine) -> None:
    settings = serving.root / "etc/fake/plugins.conf"
    settings.write_text("removal = allow\n")
    settings.chmod(0o664)
    asked = transaction(NO_GIT, NEW_CORE)
    assert ask(serving, asked).returncode == STOP
    settings.chmod(0o644)
    assert ask(serving, asked).returncode == GO_ON
    settings.parent.chmod(0o777)
    done = ask(serving, asked)
    assert done.returncode == STOP
    assert "plugins.conf is not used: others than root can write there" in done.stderr


@pytest.mark.parametrize("core", ["fake", "g++.srv-2"])
def test_apt_reads_the_file_of_the_hook(tmp_path: Path, core: str) -> None:
    """apt's own parser, which also finds options of hooks by the first word of their commands."""
    place = replace(lifecycle(spec()), core=core, tool=f"/usr/bin/{core}-plugins")
    (entry,) = (entry for entry in hooks.entries(place) if entry.path.startswith("/etc/apt"))
    assert entry.content is not None
    assert (entry.type, entry.only) == ("config", "deb")
    # apt passes over names with other characters, and takes a dot for the beginning of an ending.
    assert re.fullmatch("/etc/apt/apt.conf.d/50[a-z0-9_-]+", entry.path)
    (tmp_path / "hook").write_bytes(entry.content.read())
    option = f"DPkg::Tools::Options::tool=/usr/bin/{core}-plugins::Version"
    shell = ["apt-config", "-c", str(tmp_path / "hook"), "shell", "SAID", option]
    assert subprocess.run(shell, capture_output=True, text=True, check=True).stdout == "SAID='3'\n"


@pytest.mark.parametrize(("core", "name"), [("fake", "FAKE"), ("g++.srv-2", "G___SRV_2")])
def test_the_name_of_the_variable(core: str, name: str) -> None:
    assert hooks.values(replace(lifecycle(spec()), core=core))["removal_variable"] == f"{name}_PLUGINS_REMOVAL"


def reply(*packages: tuple[str, str, str, str]) -> str:
    """What dnf 5 answers: name, action, direction, version of each package."""
    rows = [dict(zip(("name", "action", "direction", "evr"), package, strict=True)) for package in packages]
    answer = {"op": "reply", "requested_op": "get", "return": {"trans_packages": rows}, "status": "OK"}
    return json.dumps(answer) + "\n"


OLD, NEW = ("fake", "O", "OUT", "1.0-1"), ("fake", "U", "IN", "2.0-1")
ERASED = ("fake-plugin-git", "E", "OUT", "1.0-1")


def requests(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    """What the hook wrote to dnf, which must be JSON, one object a line."""
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_dnf_is_stopped_and_told_what_there_is_to_choose(any_machine: Machine) -> None:
    any_machine.install("git")
    question, answer = requests(ask(any_machine, reply(OLD, ERASED, NEW), "hook-dnf"))
    assert (question["op"], question["domain"]) == ("get", "trans_packages")
    assert answer == {
        "op": "stop",
        "args": {
            "message": "fake-plugins: stopped before any change: replacing fake 1.0-1 by 2.0-1 would remove installed "
            "plugins: fake-plugin-git\n"
            "fake-plugins:   keep them and wait: dnf upgrade --nobest\n"
            "fake-plugins:   go on without them: dnf remove fake-plugin-git; then the same again"
        },
    }


@pytest.mark.parametrize(
    "packages",
    [
        pytest.param([ERASED], id="a plugin is removed and the core stays"),
        pytest.param([ERASED, ("fake", "E", "OUT", "1.0-1")], id="the core is removed too"),
        pytest.param([ERASED, OLD, ("fake", "R", "IN", "1.0-1")], id="the same core comes again"),
        pytest.param([OLD, NEW, ("fake-plugin-git", "O", "OUT", "1.0-1")], id="the core obsoletes the plugin"),
        pytest.param([("fake2", "I", "IN", "1"), ("fake", "O", "OUT", "1.0-1")], id="another core, and no plugin goes"),
        pytest.param([OLD, NEW, ("fake-plugin-docs", "E", "OUT", "1.0-1")], id="a package without a plugin in it"),
    ],
)
def test_dnf_goes_on(with_git: Machine, packages: Sequence[tuple[str, str, str, str]]) -> None:
    assert [request["op"] for request in requests(ask(with_git, reply(*packages), "hook-dnf"))] == ["get"]


def test_dnf_is_stopped_where_a_core_of_another_name_takes_the_place_without_its_plugins(with_git: Machine) -> None:
    comes = ("fake2", "I", "IN", "2.0-1")
    _, answer = requests(ask(with_git, reply(("fake", "O", "OUT", "1.0-1"), ERASED, comes), "hook-dnf"))
    assert "fake 1.0-1 would be removed, which nobody asked for, and with it fake-plugin-git" in str(answer)


def test_rpm_is_asked_about_no_words_that_are_no_version(with_git: Machine) -> None:
    """It would run what stands in a macro or in Lua."""
    program(with_git, "rpm", 'echo "$*" >>/asked; echo 1')
    (with_git.root / "asked").touch()
    for version in ("2'..os.execute('id')..'", "2%(id)"):
        requests(ask(with_git, reply(OLD, ERASED, ("fake", "U", "IN", version)), "hook-dnf"))
    assert "id" not in (with_git.root / "asked").read_text()
    requests(ask(with_git, reply(OLD, ERASED, NEW), "hook-dnf"))
    assert "vercmp" in (with_git.root / "asked").read_text()


def test_dnf_goes_on_where_it_is_allowed(with_git: Machine) -> None:
    done = ask(with_git, reply(OLD, ERASED, NEW), "hook-dnf", {"FAKE_PLUGINS_REMOVAL": "allow"})
    assert [request["op"] for request in requests(done)] == ["get"]
    assert "as it is allowed: fake-plugin-git" in done.stderr


@pytest.mark.parametrize("answer", ["", "\n", '{"op": "reply", "status": "ERROR", "message": "Bad key"}\n'])
def test_an_answer_of_dnf_that_cannot_be_read_stops_nothing(with_git: Machine, answer: str) -> None:
    done = ask(with_git, answer, "hook-dnf")
    assert [request["op"] for request in requests(done)] == ["get"]
    assert "cannot read what dnf is about to do" in done.stderr
