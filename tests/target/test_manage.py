"""What people change with the target tool: disabled plugins, wanted sets, repairs; and what it says to wrong words."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.target.conftest import SHELLS, _copy, machine_of
from tests.target.machine import ABI, Key, Machine

BOTH = ["core", "plugin cors", "plugin git"]


def says(machine: Machine, *arguments: str, status: int = 0, user: str = "root") -> str:
    done = machine.tool(*arguments, user=user)
    assert done.returncode == status, done.stdout
    return done.stdout


@pytest.fixture(scope="session", params=SHELLS)
def of_two(request: pytest.FixtureRequest, base: Path, key: Key, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Made once; tests take copies."""
    directory = tmp_path_factory.mktemp("two")
    machine = machine_of(base, key, directory, SHELLS[request.param])
    machine.install("git")
    machine.install("cors")
    says(machine, "apply")
    return machine


@pytest.fixture
def two(of_two: Machine, tmp_path: Path) -> Iterator[Machine]:
    """A machine that serves with cors and git: with dash and mawk, and with bash and gawk."""
    _copy(of_two.root, tmp_path / "root")
    yield Machine(tmp_path / "root", of_two.key, of_two.shell, installed=True)
    shutil.rmtree(tmp_path / "root")


@pytest.fixture
def pair(machine: Machine) -> Machine:
    """A machine that serves with cors, which needs git."""
    machine.install("git")
    machine.install("cors", needs=["git"])
    says(machine, "apply")
    return machine


def disabled_file(machine: Machine) -> str:
    path = machine.root / "etc/fake/plugins.d/disabled"
    return path.read_text() if path.exists() else ""


# --- enable, disable --------------------------------------------------------------------------------------------------


def test_a_disabled_plugin_is_installed_and_verified_but_not_in_the_server(two: Machine) -> None:
    says(two, "disable", "git")
    assert two.serves() == ["core", "plugin cors"]
    assert [line.split() for line in says(two, "list").splitlines()] == [
        ["cors", "1.0-1", "serving"],
        ["git", "1.0-1", "disabled"],
    ]
    assert "disabled: git" in says(two, "status")
    assert "all plugins are verified: cors, git" in says(two, "verify")
    assert "you disabled it: fake-plugins enable git" in says(two, "why", "git", status=1)
    says(two, "enable", "git")
    assert two.serves() == BOTH
    assert disabled_file(two) == ""
    assert two.leftovers() == []


def test_two_people_at_once_lose_no_word_of_each_other(two: Machine) -> None:
    for _ in range(3):
        both = [subprocess.Popen(two.command("disable", name), stdout=subprocess.DEVNULL) for name in ("git", "cors")]
        assert [one.wait(60) for one in both] == [0, 0]
        assert disabled_file(two) == "cors\ngit\n"
        assert two.serves() == ["core"]
        says(two, "enable", "git", "cors")


def test_what_cannot_be_verified_matters_no_more_once_it_is_disabled(two: Machine) -> None:
    """The way out for an administrator whose plugin broke: the others go on, and the answer of verify stays honest."""
    (two.plugins / "git/code").write_text("changed")
    says(two, "apply", status=1)
    says(two, "disable", "git")
    assert two.serves() == ["core", "plugin cors"]
    says(two, "status")
    assert "git/code is not what its manifest says" in says(two, "verify", status=1)


def test_a_plugin_stays_disabled_while_it_is_away(two: Machine) -> None:
    says(two, "disable", "git")
    two.remove("git")
    says(two, "apply")
    two.install("git", version="2.0-1")
    says(two, "apply")
    assert two.serves() == ["core", "plugin cors"]


def test_a_needed_plugin_cannot_be_disabled_alone(pair: Machine) -> None:
    said = says(pair, "disable", "git", status=1)
    assert said == "fake-plugins: cors needs git, so git cannot be disabled without it: fake-plugins disable git cors\n"
    assert pair.serves() == BOTH
    says(pair, "disable", "git", "cors")
    assert pair.serves() == ["core"]
    assert "cors needs git, which is disabled: fake-plugins enable git cors" in says(pair, "enable", "cors", status=1)
    says(pair, "enable", "git", "cors")
    assert pair.serves() == BOTH


def test_a_plugin_whose_need_somebody_disabled_by_hand_is_refused(pair: Machine) -> None:
    """The server must not run with half of what belongs together."""
    (pair.root / "etc/fake/plugins.d/disabled").write_text("# mine\n  git\t# old\n\n")
    said = says(pair, "apply", status=1)
    assert "plugin cors: it needs the plugin git, which is disabled" in said
    assert "repair: fake-plugins enable git" in said
    assert pair.serves() == BOTH


def test_all_plugins_can_be_disabled(two: Machine) -> None:
    says(two, "disable", "git", "cors")
    assert two.program.stat().st_ino == two.core.stat().st_ino
    assert disabled_file(two) == "cors\ngit\n"


def test_disabling_again_changes_nothing(two: Machine) -> None:
    says(two, "disable", "git")
    before = two.program.stat().st_ino
    assert "nothing to disable: git" in says(two, "disable", "git")
    assert says(two, "disable", "git", "--dry-run") == "fake-plugins: nothing to do\n"
    assert two.program.stat().st_ino == before


@pytest.mark.parametrize("mode", [0o666, 0o664])
def test_a_list_of_disabled_plugins_that_others_can_write_to_is_refused(machine: Machine, mode: int) -> None:
    """Else they could turn an authentication off."""
    machine.install("auth")
    says(machine, "apply")
    path = machine.root / "etc/fake/plugins.d/disabled"
    path.write_text("auth\n")
    path.chmod(mode)
    said = says(machine, "apply", status=1)
    assert "/etc/fake/plugins.d/disabled can be written by others than root" in said
    assert machine.serves() == ["core", "plugin auth"]


def test_a_line_that_names_no_plugin_is_refused(machine: Machine) -> None:
    machine.install("git")
    says(machine, "apply")
    (machine.root / "etc/fake/plugins.d/disabled").write_text("git cors\n")
    for command in (("apply",), ("disable", "git"), ("enable", "git"), ("doctor",)):
        said = says(machine, *command, status=1)
        assert "/etc/fake/plugins.d/disabled names 'git cors', which no plugin can be" in said
    assert machine.serves() == ["core", "plugin git"]


def test_status_names_what_is_left_out(machine: Machine) -> None:
    machine.install("git")
    machine.install("cors", optional=True)
    (machine.plugins / "cors/code").write_text("changed")
    says(machine, "apply")
    assert "left out, as they are optional: cors" in says(machine, "status", status=1)


# --- dry runs ---------------------------------------------------------------------------------------------------------


def test_a_dry_run_tells_what_would_happen_and_changes_nothing(two: Machine) -> None:
    two.install("auth", order=1)
    before = sorted(os.walk(two.root / "usr/lib/fake"))
    assert says(two, "apply", "--dry-run", status=3) == (
        "fake-plugins: would make fake with auth 1.0-1, cors 1.0-1, git 1.0-1: what is installed is not what serves\n"
    )
    assert says(two, "disable", "git", "--dry-run", status=3) == "fake-plugins: would disable git\n"
    assert sorted(os.walk(two.root / "usr/lib/fake")) == before
    assert two.serves() == BOTH
    says(two, "apply")
    assert says(two, "apply", "--dry-run") == "fake-plugins: nothing to do\n"


def test_a_dry_run_of_a_set_that_cannot_be_verified_says_so(two: Machine) -> None:
    (two.plugins / "git/code").write_text("changed")
    said = says(two, "apply", "--dry-run", status=1)
    assert "git/code is not what its manifest says" in said
    assert "apply would change nothing: fake with cors 1.0-1, git 1.0-1" in said


# --- why --------------------------------------------------------------------------------------------------------------


def test_why_tells_all_about_a_plugin(pair: Machine) -> None:
    said = says(pair, "why", "cors")
    for fact in (
        "cors: serving: it is verified and in the server",
        "fake-plugin-cors 1.0-1",
        "order 50, 1 file",
        f"{ABI[:16]}, that of fake is {ABI[:16]}",
        "manifest, signature and files",
        "git (serving)",
    ):
        assert fact in said
    assert "cors (serving)" in says(pair, "why", "git").partition("needed by")[2]


def test_why_tells_the_reason_and_the_repair(two: Machine) -> None:
    two.install("git", abi="cd" * 32)
    said = says(two, "why", "git", status=1)
    assert said.startswith("git: refused: it cannot be used\n")
    assert "it was built for another fake" in said
    assert "repair: apt-get install fake fake-plugin-git" in said


def test_why_takes_the_name_of_the_package_too(two: Machine) -> None:
    assert says(two, "why", "fake-plugin-git") == says(two, "why", "git")


def test_an_unknown_plugin_is_answered_with_the_known_ones(two: Machine) -> None:
    for command in ("why", "disable", "enable"):
        said = says(two, command, "got", status=1)
        assert "there is no plugin got" in said
        assert "cors, git" in said


# --- freeze, sync -----------------------------------------------------------------------------------------------------


def test_freeze_is_what_sync_takes_for_done(two: Machine) -> None:
    says(two, "disable", "git")
    frozen = says(two, "freeze", user="visitor")
    assert frozen == "# Plugins of fake, for: fake-plugins sync FILE\ncors\ngit  # disabled\n"
    (two.root / "plugins").write_text(frozen)
    before = two.program.stat().st_ino
    assert says(two, "sync", "/plugins") == ""
    assert says(two, "sync", "/plugins", "--dry-run") == "fake-plugins: nothing to do\n"
    assert two.program.stat().st_ino == before


def test_sync_reads_standard_input(two: Machine) -> None:
    for wanted, status in (("git\ncors\n", 0), ("git\ncors # disabled\n", 3), ("", 2)):
        done = subprocess.run(two.command("sync", "-", "--dry-run"), input=wanted, capture_output=True, text=True)
        assert done.returncode == status, done.stdout + done.stderr


def test_sync_enables_and_disables(two: Machine) -> None:
    (two.root / "plugins").write_text("git # disabled\ncors # not disabled\n")
    assert says(two, "sync", "/plugins", "--dry-run", status=3) == "fake-plugins: would disable git\n"
    says(two, "sync", "/plugins")
    assert two.serves() == ["core", "plugin cors"]
    (two.root / "plugins").write_text("git\ncors\n")
    assert says(two, "sync", "/plugins", "--dry-run", status=3) == "fake-plugins: would enable git\n"
    says(two, "sync", "/plugins")
    assert two.serves() == BOTH


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("git\n\ngit cors\n", "line 3: no plugin can have the name: git cors"),
        ("Git\n", "line 1: no plugin can have the name: Git"),
        ("# first\n../git\n", "line 2: no plugin can have the name: ../git"),
        ("git=1.0\n", "line 1: no plugin can have the name: git=1.0"),
        ("kit\n", "line 1: no plugin can have the name: kit"),
        ("--yes\n", "line 1: no plugin can have the name: --yes"),
        ("git\ncors\nfake-plugin-git\n", "line 3: git stands in line 1 already"),
        ("g\x1bit\n", "line 1: no plugin can have the name: g?it"),
        ("git\0\n", "line 1: no plugin can have the name: git"),
        ("", "is empty; a comment line in it says that no plugin is wanted"),
    ],
)
def test_a_bad_file_is_refused_as_a_whole(two: Machine, text: str, reason: str) -> None:
    (two.root / "plugins").write_text(text)
    said = says(two, "sync", "/plugins", status=2)
    assert f"fake-plugins: /plugins {reason}" in said
    assert two.serves() == BOTH


def test_a_file_that_disables_what_it_needs_is_refused(pair: Machine) -> None:
    (pair.root / "plugins").write_text("cors\ngit # disabled\n")
    assert "/plugins: cors needs git, which is disabled there" in says(pair, "sync", "/plugins", status=2)


def test_a_missing_file_is_told(two: Machine) -> None:
    assert "cannot read /nowhere" in says(two, "sync", "/nowhere", status=2)


def test_names_of_files_may_begin_with_anything(two: Machine) -> None:
    (two.root / "-plugins list").write_text("cors\ngit\n")
    assert says(two, "sync", "--dry-run", "--", "-plugins list") == "fake-plugins: nothing to do\n"


def test_nothing_is_installed_that_the_package_manager_does_not_know(two: Machine) -> None:
    (two.root / "plugins").write_text("cors\ngit\nauth\n")
    for command in (("sync", "/plugins"), ("install", "auth")):
        said = says(two, *command, status=1)
        assert "there is no plugin auth; available are: none" in said
    assert says(two, "install", "git") == "fake-plugins: git is installed already\n"
    assert says(two, "remove", "auth") == "fake-plugins: auth is not installed\n"


def test_a_needed_plugin_is_not_removed_alone(pair: Machine) -> None:
    said = says(pair, "remove", "git", status=1)
    assert "cors needs git, so git cannot be removed without it: fake-plugins remove git cors" in said


# --- doctor -----------------------------------------------------------------------------------------------------------


def healed(machine: Machine, finding: str, repair: str) -> None:
    """Doctor tells with --dry-run and changes nothing, then repairs, then finds nothing."""
    told = says(machine, "doctor", "--dry-run", status=1)
    assert f"fake-plugins: {finding}\nfake-plugins:   repair: {repair}" in told
    assert says(machine, "doctor", "--dry-run", status=1) == told, "it changed nothing"
    assert f"fake-plugins: {finding}\nfake-plugins:   repaired: {repair}" in says(machine, "doctor")
    assert says(machine, "doctor") == "fake-plugins: all is well\n"
    says(machine, "status")


def test_doctor_closes_the_plugins_directory(two: Machine) -> None:
    two.plugins.chmod(0o2750)
    healed(
        two,
        "/usr/lib/fake/plugins is root:fake with mode 2750, not root:fake with mode 750",
        "chown root:fake /usr/lib/fake/plugins; chmod 0750 /usr/lib/fake/plugins",
    )
    shutil.chown(two.plugins, group=0)
    healed(
        two,
        "/usr/lib/fake/plugins is root:root with mode 750, not root:fake with mode 750",
        "chown root:fake /usr/lib/fake/plugins; chmod 0750 /usr/lib/fake/plugins",
    )


def test_doctor_takes_files_back(two: Machine) -> None:
    path = "/usr/lib/fake/plugins/git/code"
    os.chown(two.root / path[1:], 991, 991)
    healed(two, f"{path} does not belong to root", f"chown root {path}; chmod go-w,a-st {path}")
    (two.root / path[1:]).chmod(0o4666)
    healed(two, f"{path} can be written by others than root", f"chown root {path}; chmod go-w,a-st {path}")


def test_doctor_does_not_touch_directories_of_others(machine: Machine) -> None:
    (machine.root / "usr").chmod(0o777)
    says(machine, "apply", status=1)
    said = says(machine, "doctor", status=1)
    assert "/usr can be written by others than root\nfake-plugins:   repair: chown root /usr; chmod go-w /usr\n" in said
    assert (machine.root / "usr").stat().st_mode & 0o777 == 0o777


def test_doctor_clears_what_a_killed_apply_left(two: Machine) -> None:
    (two.bin / ".apply.new/m").mkdir(parents=True)
    healed(
        two,
        "/usr/lib/fake/bin/.apply.new is left from an apply that was cut off",
        "rm -rf /usr/lib/fake/bin/.apply.new",
    )
    (two.bin / "sets/0123456789abcdef").mkdir()
    healed(
        two,
        "/usr/lib/fake/bin/sets/0123456789abcdef is a set that nothing uses",
        "rm -rf /usr/lib/fake/bin/sets/0123456789abcdef",
    )


def test_doctor_clears_the_mark_of_a_set_that_is_no_more(two: Machine) -> None:
    two.failed_set.write_text("mkpkgs-failed-set 1\nset -\nreason it was bad\nreason   repair: wait\n")
    healed(two, "the last apply failed: it was bad", "fake-plugins apply")
    assert not two.failed_set.exists()


def test_doctor_makes_a_missing_program(two: Machine) -> None:
    shutil.rmtree(two.bin / "sets")
    (two.bin / "serving").unlink()
    healed(two, "apply has not made a working program yet", "fake-plugins apply")
    assert two.serves() == BOTH


def test_doctor_forgets_disabled_plugins_that_are_gone(two: Machine) -> None:
    says(two, "disable", "git")
    with (two.root / "etc/fake/plugins.d/disabled").open("a") as file:
        file.write("auth\n")
    healed(two, "auth is disabled, but not installed", "take it out of /etc/fake/plugins.d/disabled")
    assert disabled_file(two) == "git\n"


def test_doctor_says_what_only_people_can_do(two: Machine) -> None:
    two.install("git", abi="cd" * 32)
    (two.plugins / "cors/code").write_text("changed")
    said = says(two, "doctor", status=1)
    assert "plugin git: it was built for another fake" in said
    assert "repair: there is no build for this fake: fake-plugins disable git, or upgrade both" in said
    assert "plugin cors: /usr/lib/fake/plugins/cors/code is not what its manifest says" in said
    assert "repair: apt-get install --reinstall fake-plugin-cors" in said
    assert (two.plugins / "cors/code").read_text() == "changed"


def test_doctor_tells_a_package_that_is_half_installed(two: Machine) -> None:
    two.record("fake-plugin-git", "1.0-1", status="install ok half-configured")
    assert "the package fake-plugin-git is half-configured" in says(two, "doctor", status=1)


def test_doctor_does_nothing_for_a_visitor(two: Machine) -> None:
    (two.bin / ".apply.new").mkdir()
    said = says(two, "doctor", status=1, user="visitor")
    assert "repair: rm -rf /usr/lib/fake/bin/.apply.new" in said
    assert (two.bin / ".apply.new").exists()


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["frob"], "there is no command frob"),
        (["fr\x1bob"], "there is no command fr?ob"),
        (["list", "--frob"], "there is no option --frob"),
        (["list", "--yes"], "list takes no --yes"),
        (["apply", "--json"], "apply takes no --json"),
        (["status", "git"], "status takes no names"),
        (["why"], "why takes one name"),
        (["why", "git", "cors"], "why takes one name"),
        (["sync"], "sync takes one file"),
        (["disable"], "disable takes names of plugins"),
        (["install", "--yes"], "install takes names of plugins"),
        (["enable", "../git"], "no plugin can have the name '../git'"),
        (["install", "git", ""], "no plugin can have the name ''"),
        (["remove", "kit"], "no plugin can have the name 'kit'"),
        (["install", "git;reboot"], "no plugin can have the name 'git;reboot'"),
        (["apply", "--after", "x"], "--after takes the number of a process"),
        (["apply", "--after"], "--after takes the number of a process"),
    ],
)
def test_wrong_words_get_one_line_and_status_2(machine: Machine, arguments: list[str], reason: str) -> None:
    assert says(machine, *arguments, status=2) == f"fake-plugins: {reason} (see fake-plugins --help)\n"


def test_help_names_every_command(machine: Machine) -> None:
    text = says(machine, "--help")
    assert text == says(machine, "install", "--help") == says(machine, "-h")
    commands = (
        *("list", "status", "verify", "why", "freeze", "apply", "disable", "enable", "install", "remove", "sync"),
        "doctor",
    )
    for command in commands:
        assert f"\n  {command} " in text
    assert max(map(len, text.splitlines())) <= 100


def test_only_root_changes_anything(two: Machine) -> None:
    (two.root / "plugins").write_text("git\n")
    for command in (("disable", "git"), ("enable", "git"), ("install", "x"), ("remove", "git"), ("sync", "/plugins")):
        assert f"{command[0]} must be called by root" in says(two, *command, status=1, user="visitor")
