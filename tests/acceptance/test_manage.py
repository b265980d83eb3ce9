"""What administrators do with the target tool on real systems: install, remove, sync, freeze, disable, ask, repair."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.machine import Done, Machine, lines
from tests.systems import System
from tests.workspace import Workspace, newest, raise_tiny

pytestmark = pytest.mark.acceptance

MORNING, EVENING, NIGHT = "hello: Good morning", "bye: Good evening", "moon: Good night"
NOTHING, REFUSED, WOULD = 0, 1, 3


def answer(system: Machine) -> list[str]:
    """The plugins' lines of what the server says."""
    said = system.sh("curl -s --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:8080/")
    return lines(said)[1:]


def tool(system: Machine, *arguments: str) -> Done:
    return system.run("greet-plugins", *arguments, check=False)


def asked(system: Machine, *arguments: str) -> Any:
    """The answer of a question as programs get it."""
    return json.loads(tool(system, *arguments, "--json").stdout)


def good(system: Machine, *arguments: str) -> Done:
    done = tool(system, *arguments)
    assert done.returncode == 0, done.stdout
    return done


def autoremove(system: System) -> None:
    """Remove all that nothing needs and nobody named."""
    system.sh({"deb": "apt-get -qy autoremove", "rpm": "dnf -y autoremove"}[system.suffix])


def brought(system: System) -> set[str]:
    """All packages of the machine that came as a dependency."""
    asks = {"deb": "apt-mark showauto", "rpm": "dnf -qC repoquery --installed --qf '%{name} %{reason}'"}
    said = system.sh(asks[system.suffix]).splitlines()
    return {row.split()[0] for row in said if system.suffix == "deb" or row.lower().endswith("dependency")}


def begin(system: System, *plugins: str) -> None:
    """Install core and plugins, and have the server running."""
    system.install("greet", *system.plugin(*plugins))
    if not system.is_active():
        system.enable()
    answer(system)


def without_builds(project: Workspace, *names: str) -> None:
    """Publish version 2.0 with another ABI in a new repository that lacks plugins; the old one would not take it."""
    raise_tiny(project, "2.0", "2")
    text = (project.root / "mkpkgs.toml").read_text()
    for name in names:
        text = re.sub(rf"\[plugin\.{name}\]\n(.+\n)+", "", text)
    (project.root / "mkpkgs.toml").write_text(text)
    shutil.rmtree(project.dist)
    shutil.rmtree(project.root / ".mkpkgs", ignore_errors=True)
    project.mkpkgs()


def test_plugins_come_and_go_by_their_names(system: System) -> None:
    begin(system)
    rehearsed = tool(system, "install", "moon", "--dry-run")
    assert (rehearsed.returncode, answer(system)) == (WOULD, []), rehearsed.stdout
    assert "would install moon" in rehearsed.stdout
    before = system.starts()
    good(system, "install", "moon", "hello", "--yes")
    assert answer(system) == [MORNING, EVENING, NIGHT]
    assert system.starts() == before + 1
    again = good(system, "install", "moon", "--yes")
    assert "moon is installed already" in again.stdout
    assert tool(system, "install", "moon", "--dry-run").returncode == NOTHING
    needed = tool(system, "remove", "bye", "--yes")
    assert needed.returncode == REFUSED
    assert "moon needs bye, so bye cannot be removed without it: greet-plugins remove bye moon" in needed.stdout
    good(system, "remove", "bye", "moon", "--yes")
    assert answer(system) == [MORNING]
    assert set(system.installed()) == {"greet", "greet-plugin-hello"}
    assert system.starts() == before + 2


def test_the_core_stays_though_only_a_plugin_was_asked_for(system: System) -> None:
    """dnf would remove what only that plugin needed."""
    system.install(*system.plugin("hello"))
    good(system, "remove", "hello", "--yes")
    autoremove(system)
    assert set(system.installed()) == {"greet"}


def test_what_was_named_outlives_what_brought_it(system: System) -> None:
    """unattended-upgrades removes by default what nothing needs any more, and with it a plugin without a word."""
    begin(system, "moon")
    others = brought(system)
    good(system, "install", "hello", "--yes")
    assert brought(system) == others, "nothing else is marked"
    rehearsed = tool(system, "install", "bye", "--dry-run")
    assert rehearsed.returncode == WOULD
    assert "would keep greet-plugin-bye, which came as a dependency" in rehearsed.stdout
    good(system, "install", "bye", "--yes")
    assert tool(system, "install", "bye", "--dry-run").returncode == NOTHING
    system.remove("greet-plugin-moon")
    autoremove(system)
    assert set(system.installed()) == {"greet", "greet-plugin-bye", "greet-plugin-hello"}
    assert brought(system) == others - {"greet-plugin-bye"}
    good(system, "remove", "bye", "hello", "--yes")
    system.install("greet-plugin-moon")
    system.write("/root/plugins", "moon\nbye\n")
    good(system, "sync", "/root/plugins", "--yes")
    assert tool(system, "sync", "/root/plugins", "--dry-run").returncode == NOTHING
    system.write("/root/plugins", "bye\n")
    good(system, "sync", "/root/plugins", "--yes")
    autoremove(system)
    assert set(system.installed()) == {"greet", "greet-plugin-bye"}
    system.install("greet-plugin-moon")
    assert answer(system) == [EVENING, NIGHT]


def test_an_unknown_name_is_answered_with_those_that_there_are(system: System) -> None:
    begin(system)
    done = tool(system, "install", "hello", "evening", "--yes")
    assert done.returncode == REFUSED
    assert "there is no plugin evening; available are: bye, hello, moon" in done.stdout
    assert set(system.installed()) == {"greet"}


def test_without_a_yes_nothing_is_changed_where_nobody_can_be_asked(system: System) -> None:
    """apt asks only where more comes than what was asked for."""
    begin(system)
    assert tool(system, "install", "moon").returncode == REFUSED
    assert set(system.installed()) == {"greet"}


def test_sync_makes_the_installed_plugins_those_of_a_file(system: System) -> None:
    begin(system, "hello")
    before = system.starts()
    system.write("/root/plugins", "# for the web\nmoon   # the night\ngreet-plugin-bye # disabled-not\n")
    rehearsed = tool(system, "sync", "/root/plugins", "--dry-run")
    assert rehearsed.returncode == WOULD, rehearsed.stdout
    assert lines(rehearsed.stdout)[-2:] == [
        "greet-plugins: would install bye, moon",
        "greet-plugins: would remove hello",
    ]
    assert set(system.installed()) == {"greet", "greet-plugin-hello"}
    good(system, "sync", "/root/plugins", "--yes")
    assert answer(system) == [EVENING, NIGHT]
    assert system.starts() == before + 1, "one transaction"
    assert tool(system, "sync", "/root/plugins", "--dry-run").returncode == NOTHING
    assert good(system, "sync", "/root/plugins", "--yes").stdout == ""
    assert system.starts() == before + 1


# Answers the question of `sync` in a terminal. $1: what is typed. $2: what another shell does meanwhile. $3: a signal
# that the terminal is killed with.
QUESTION = """
at_question() {
    rm -f /tmp/keys /tmp/said
    mkfifo /tmp/keys
    # The shell has what it runs beside itself ignore Ctrl-C.
    env --default-signal=INT,HUP script -qefc "greet-plugins sync /root/plugins" /tmp/said </tmp/keys >/dev/null 2>&1 &
    terminal=$!
    exec 3>/tmp/keys
    tries=0
    until grep -q '/[nN]\\]' /tmp/said 2>/dev/null || [ "$tries" -ge 300 ]; do sleep 0.2; tries=$((tries + 1)); done
    eval "$2"
    if [ -n "${3-}" ]; then kill -s "$3" "$terminal"; else printf "$1" >&3; fi
    exec 3>&-
    wait "$terminal" || echo "ended with $?"
    while grep -qszx sync /proc/[0-9]*/cmdline; do sleep 0.2; done
    cat /tmp/said
}
"""


def test_sync_changes_what_is_disabled_with_its_transaction_and_not_before(system: System) -> None:
    begin(system, "bye", "moon")
    good(system, "disable", "moon")
    system.write("/root/plugins", "hello  # disabled\nbye\n")
    listed = "cat /etc/greet/plugins.d/disabled 2>/dev/null || :"
    before = system.starts()
    for typed, killed in (("\\003", ""), ("n\\n", ""), ("", "KILL"), ("", "HUP")):
        said = system.sh(f"{QUESTION} at_question '{typed}' : {killed}", timeout=120)
        assert system.sh(listed) == "moon\n", said
    # What another shell changes meanwhile stays, whatever the answer is.
    said = system.sh(f"{QUESTION} at_question 'n\\n' 'greet-plugins enable moon'", timeout=120)
    assert (system.sh(listed), answer(system), system.starts()) == ("", [EVENING, NIGHT], before + 1), said
    said = system.sh(f"{QUESTION} at_question 'y\\n' :", timeout=120)
    assert (system.sh(listed), answer(system), system.starts()) == ("hello\n", [EVENING], before + 2), said
    assert set(system.installed()) == {"greet", *system.plugin("bye", "hello")}


def test_sync_keeps_what_a_listed_plugin_needs(system: System) -> None:
    begin(system)
    system.write("/root/plugins", "moon\n")
    good(system, "sync", "/root/plugins", "--yes")
    assert answer(system) == [EVENING, NIGHT]
    assert tool(system, "sync", "/root/plugins", "--dry-run").returncode == NOTHING


def test_freeze_writes_what_sync_reads(
    machine: Callable[[Workspace, str], System], greet: Workspace, system: System
) -> None:
    begin(system, "hello", "moon")
    good(system, "disable", "hello")
    frozen = good(system, "freeze").stdout
    assert lines(frozen)[1:] == ["bye", "hello  # disabled", "moon"]
    other = machine(greet, "greet")
    begin(other)
    other.write("/root/plugins", frozen)
    good(other, "sync", "/root/plugins", "--yes")
    assert good(other, "freeze").stdout == frozen
    assert answer(other) == answer(system) == [EVENING, NIGHT]


def test_disabled_plugins_stay_so_over_reinstallation_and_upgrade_until_purge(
    machine: Callable[[Workspace, str], System], greet: Workspace, tmp_path: Path
) -> None:
    project = greet.copy(tmp_path / "copy")
    system = machine(project, "greet")
    begin(system, "hello", "bye")
    good(system, "disable", "hello")
    assert answer(system) == [EVENING]
    assert asked(system, "status")["disabled"] == ["hello"]
    good(system, "remove", "hello", "--yes")
    good(system, "install", "hello", "--yes")
    assert answer(system) == [EVENING]
    raise_tiny(project, "2.0", "2")
    project.mkpkgs()
    system.upgrade()
    assert system.installed()["greet-plugin-hello"] == "2.0-1"
    assert answer(system) == [EVENING]
    assert system.verify() == ""
    good(system, "enable", "hello")
    assert answer(system) == [MORNING, EVENING]
    good(system, "disable", "hello")
    system.purge()
    assert not system.path("/etc/greet").exists()


def test_a_core_that_is_held_gets_plugins_that_were_built_for_it(
    machine: Callable[[Workspace, str], System], greet: Workspace, tmp_path: Path
) -> None:
    project = greet.copy(tmp_path / "copy")
    raise_tiny(project, "2.0", "2")
    project.mkpkgs()
    system = machine(greet, "greet")
    begin(system, "hello")
    system.use(project.dist)
    reading = {"deb": "apt-get -q update", "rpm": "dnf -y makecache"}[system.suffix]
    system.sh(reading)
    rehearsed = tool(system, "install", "moon", "--dry-run")
    assert rehearsed.returncode == WOULD
    assert sorted(lines(rehearsed.stdout)) == [
        "greet-plugins: would also install greet-plugin-bye 2.0-1",
        "greet-plugins: would also upgrade greet to 2.0-1",
        "greet-plugins: would also upgrade greet-plugin-hello to 2.0-1",
        "greet-plugins: would install moon",
    ]
    if system.suffix == "deb":
        system.run("apt-mark", "hold", "greet")
    else:
        (repository,) = system.path("/etc/yum.repos.d").glob("*.repo")
        repository.write_text(f"{repository.read_text()}excludepkgs=greet-2*\n")
        system.sh("rm -rf /var/cache/dnf")
        # As in an image that was emptied.
        rehearsed = tool(system, "install", "moon", "--dry-run")
        assert rehearsed.returncode == WOULD
        assert "dnf has not read its repositories yet, so that it cannot say what it would do" in rehearsed.stdout
        system.sh(reading)
    rehearsed = tool(system, "install", "moon", "--dry-run")
    assert rehearsed.returncode == WOULD
    assert "would also install greet-plugin-bye 1.0-1" in rehearsed.stdout
    assert "upgrade" not in rehearsed.stdout
    good(system, "install", "moon", "--yes")
    assert set(system.installed().values()) == {"1.0-1"}
    assert answer(system) == [MORNING, EVENING, NIGHT]
    if system.suffix == "rpm":
        good(system, "remove", "hello", "--yes")
        system.sh("echo 'exclude=greet*' >>/etc/dnf/dnf.conf")
        for how in ("--yes", "--dry-run"):
            for command, name in (("remove", "moon"), ("install", "hello")):
                refused = tool(system, command, name, how)
                assert refused.returncode == REFUSED, refused.stdout
                excluded = f"greet-plugin-{name} is excluded by /etc/dnf/dnf.conf"
                assert f"greet-plugins: {excluded}" in refused.stdout, refused.stdout


def test_what_waits_for_the_build_of_another_plugin_is_told(
    machine: Callable[[Workspace, str], System], greet: Workspace, tmp_path: Path
) -> None:
    project = greet.copy(tmp_path / "copy")
    system = machine(project, "greet")
    begin(system, "hello", "moon")
    assert "held back" not in good(system, "list").stdout
    without_builds(project, "moon", "bye")
    system.use()
    # Its refusal is what is explained.
    if system.suffix == "deb":
        system.upgrade()
    else:
        system.run("dnf", "-y", "upgrade", "--nobest")
    why = "there is no build yet for greet 2.0-1 of bye, moon"
    told = good(system, "list")
    assert f"greet 2.0-1 is held back: {why}" in told.stdout
    answered = asked(system, "list")
    assert (answered["version"], answered["available"], answered["held"]) == ("1.0-1", "2.0-1", why)
    plugins = {plugin["name"]: plugin for plugin in answered["plugins"]}
    assert (plugins["hello"]["version"], plugins["hello"]["available"]) == ("1.0-1", "2.0-1")
    assert plugins["hello"]["held"] == f"it is built for greet 2.0-1, which waits: {why}"
    assert plugins["moon"]["held"] is None
    explained = good(system, "why", "hello")
    abi = system.path("/usr/share/greet/abi").read_text()[:16]
    assert f"greet 1.0-1 has {abi}, greet 2.0-1 has " in explained.stdout
    assert f"it is built for greet 2.0-1, which waits: {why}" in explained.stdout
    # apt would take the others along to get it.
    good(system, "remove", "hello", "--yes")
    refused = tool(system, "install", "hello", "--yes")
    assert refused.returncode == REFUSED
    assert answer(system) == [EVENING, NIGHT]


def test_a_newer_core_that_nothing_keeps_back_is_told(
    machine: Callable[[Workspace, str], System], greet: Workspace, tmp_path: Path
) -> None:
    project = greet.copy(tmp_path / "copy")
    system = machine(project, "greet")
    begin(system, "hello")
    raise_tiny(project, "2.0", "2")
    project.mkpkgs()
    system.use()
    if system.suffix == "deb":
        system.run("apt-get", "-q", "update")
    else:
        system.run("dnf", "-q", "makecache")
    (hello,) = asked(system, "list")["plugins"]
    assert (hello["available"], hello["held"]) == ("2.0-1", "it comes with greet 2.0-1")
    names = {plugin["name"]: plugin["state"] for plugin in asked(system, "list", "--available")["plugins"]}
    assert names == {"bye": "available", "hello": "serving", "moon": "available"}


def test_a_visitor_may_ask(system: System) -> None:
    begin(system, "hello")
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    listed = system.run(*nobody, "greet-plugins", "list", "--available", check=False)
    assert listed.returncode == 0
    assert [line.split()[:3] for line in lines(listed.stdout)] == [
        ["bye", "1.0-1", "available"],
        ["hello", "1.0-1", "unchecked"],
        ["moon", "1.0-1", "available"],
    ]
    status = system.run(*nobody, "greet-plugins", "status", check=False)
    assert status.returncode == REFUSED
    assert "cannot be read by this user" in status.stdout
    for command in (("disable", "hello"), ("install", "bye"), ("apply",)):
        assert system.run(*nobody, "greet-plugins", *command, check=False).returncode == REFUSED


def test_questions_are_answered_while_the_server_is_down(system: System) -> None:
    begin(system, "hello")
    system.run("systemctl", "stop", "greet")
    assert asked(system, "status")["unit_state"] == "inactive"
    for command in (("list",), ("status",), ("verify",), ("why", "hello"), ("freeze",)):
        good(system, *command)


def test_doctor_repairs_what_was_broken_and_says_what_only_people_can(system: System) -> None:
    begin(system, "hello", "bye")
    assert good(system, "doctor").stdout == "greet-plugins: all is well\n"
    system.sh(
        """
        chmod 0777 /usr/lib/greet/plugins
        chown nobody /usr/lib/greet/plugins/hello /usr/lib/greet/plugins/hello/greeting
        mkdir /usr/lib/greet/bin/.apply.new
        printf 'bye\\nvanished\\n' >/etc/greet/plugins.d/disabled
        systemctl mask greet-apply.service
        """
    )
    for program in ("status", "verify"):
        assert tool(system, program).returncode == REFUSED
    rehearsed = tool(system, "doctor", "--dry-run")
    assert rehearsed.returncode == REFUSED
    assert system.path("/usr/lib/greet/bin/.apply.new").exists()
    repaired = tool(system, "doctor")
    assert repaired.returncode == REFUSED, "the mask is a person's"
    assert "repair: systemctl unmask greet-apply.service" in repaired.stdout
    assert repaired.stdout.count("repaired: ") >= 5, repaired.stdout
    assert asked(system, "status")["good"] is True
    assert answer(system) == [MORNING], "bye is disabled indeed"
    assert system.sh("cat /etc/greet/plugins.d/disabled") == "bye\n"
    system.run("systemctl", "unmask", "greet-apply.service")
    assert good(system, "doctor").stdout == "greet-plugins: all is well\n"
    system.run("systemctl", "disable", "greet")
    warned = tool(system, "doctor")
    assert (warned.returncode, "systemctl enable greet" in warned.stdout) == (REFUSED, True)


def test_doctor_names_the_package_that_ends_a_mismatch(
    machine: Callable[[Workspace, str], System], greet: Workspace, tmp_path: Path
) -> None:
    project = greet.copy(tmp_path / "copy")
    system = machine(project, "greet")
    begin(system, "hello", "bye")
    raise_tiny(project, "2.0", "2")
    project.mkpkgs()
    system.force(newest(project.dist, "greet-plugin-hello", system.suffix), check=False)
    assert answer(system) == [MORNING, EVENING], "the old set serves on"
    said = tool(system, "doctor").stdout
    assert "plugin hello: it was built for another greet" in said
    if system.suffix == "deb":
        # To apt the installed version is the newest one.
        assert "repair: there is no build for this greet: greet-plugins disable hello, or upgrade both" in said
        system.run("apt-get", "-q", "update")
        command = "apt-get install"
    else:
        assert "repair: dnf install greet-plugin-hello-1.0-1" in said
        system.run("dnf", "-q", "makecache")
        command = "dnf install"
    said = tool(system, "doctor").stdout
    assert f"repair: {command} greet; its version 2.0-1 is the one that hello was built for" in said
    system.install("greet", *system.plugin("hello", "bye"))
    assert good(system, "doctor").stdout.endswith("all is well\n")


@pytest.mark.parametrize(
    "who", [(), ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")], ids=["root", "visitor"]
)
def test_bash_offers_names_that_could_be_installed(system: System, who: tuple[str, ...]) -> None:
    begin(system, "hello")
    offered = {}
    for command in ("install", "remove", "why"):
        script = f"""
            source /usr/share/bash-completion/completions/greet-plugins
            COMP_WORDS=(greet-plugins {command} '') COMP_CWORD=2
            _greet_plugins greet-plugins ''
            echo "${{COMPREPLY[@]}}"
        """
        offered[command] = set(system.run(*who, "bash", "-c", script).stdout.split())
    assert offered == {"install": {"bye", "moon"}, "remove": {"hello"}, "why": {"bye", "hello", "moon"}}


def test_sync_fills_an_image_where_no_systemd_runs(kind: type[System], greet: Workspace, tmp_path: Path) -> None:
    with kind(greet.dist, tmp_path / "image", "greet", boot=False) as image:
        image.use()
        image.install("greet")
        image.write("/root/plugins", "hello\nmoon\n")
        good(image, "sync", "/root/plugins", "--yes")
        assert set(image.installed()) == {"greet", *image.plugin("bye", "hello", "moon")}
        assert asked(image, "status")["good"] is True
        assert tool(image, "sync", "/root/plugins", "--dry-run").returncode == NOTHING


def test_a_full_tmp_and_a_link_in_our_place_end_no_question(system: System, tmp_path: Path) -> None:
    begin(system, "hello")
    system.sh("mount -t tmpfs -o size=64k none /tmp; head -c 65536 /dev/zero >/tmp/full || :")
    for question in ("status", "list", "verify", "doctor", "freeze"):
        good(system, question)
    system.sh("umount /tmp; mkdir -m 0755 /srv/theirs; mv /usr/lib/greet/plugins /srv/plugins")
    system.sh("ln -s /srv/theirs /usr/lib/greet/plugins")
    told = tool(system, "doctor")
    assert told.returncode == REFUSED
    assert "/usr/lib/greet/plugins is a symbolic link" in told.stdout
    assert "repaired" not in told.stdout
    assert system.sh("stat -c '%a %G' /srv/theirs") == "755 root\n"
    system.sh("rm /usr/lib/greet/plugins; mv /srv/plugins /usr/lib/greet/plugins")
    # However often a plugin goes and comes again within the minute, only what may come back is kept.
    for word in ("disable", "enable") * 3:
        good(system, word, "hello")
    assert len(lines(system.sh("ls /usr/lib/greet/bin/sets"))) <= 2
    assert answer(system) == [MORNING]
    assert tool(system, "status").returncode == NOTHING
