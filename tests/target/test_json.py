"""Answers for programs: valid JSON with the documented keys, whatever the machine looks like."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from tests.target.machine import Machine

PLUGIN = {
    *("name", "state", "version", "serving", "verified", "disabled", "optional", "order", "needs", "needed_by"),
    *("available", "held", "reason", "repair"),
}
KEYS = {
    "list": {"format", "core", "version", "available", "held", "plugins"},
    "status": {
        *("format", "core", "version", "good", "set", "serving", "left_out", "ended", "revoked", "disabled"),
        *("unit", "unit_state", "watched_until", "problems"),
    },
    "verify": {"format", "core", "version", "abi", "good", "plugins", "problems"},
}


def asked(machine: Machine, *arguments: str, status: int = 0, user: str = "root") -> Any:
    """The answer, judged by Python's parser and, where there is one, by jq."""
    done = subprocess.run(
        machine.command(*arguments, "--json", user=user), capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (status, ""), done.stdout
    if shutil.which("jq"):
        subprocess.run(["jq", "--exit-status", ".format == 1"], input=done.stdout, text=True, check=True)
    return json.loads(done.stdout)


def test_every_answer_has_the_documented_keys(any_machine: Machine) -> None:
    any_machine.install("git", order=10)
    any_machine.install("cors", version="1.2-1", needs=["git"], optional=True)
    any_machine.tool("apply")
    for command, keys in KEYS.items():
        answer = asked(any_machine, command)
        assert set(answer) == keys
        assert (answer["format"], answer["core"], answer["version"]) == (1, "fake", "1.0-1")
    git = {
        "name": "git",
        "state": "serving",
        "version": "1.0-1",
        "serving": "1.0-1",
        "verified": True,
        "disabled": False,
        "optional": False,
        "order": 10,
        "needs": [],
        "needed_by": ["cors"],
        "available": None,
        "held": None,
        "reason": None,
        "repair": None,
    }
    plugins = asked(any_machine, "list")["plugins"]
    assert [plugin["name"] for plugin in plugins] == ["cors", "git"]
    assert plugins[1] == git
    assert (plugins[0]["needs"], plugins[0]["optional"]) == (["git"], True)
    assert asked(any_machine, "why", "git")["plugin"] == git
    status = asked(any_machine, "status")
    assert status["good"] is True
    assert len(status["set"]) == 64
    assert status["serving"] == [{"name": "cors", "version": "1.2-1"}, {"name": "git", "version": "1.0-1"}]
    assert (status["unit"], status["unit_state"]) == ("fake.service", None), "no systemd runs here"
    assert asked(any_machine, "verify")["problems"] == []


def test_a_machine_without_plugins(any_machine: Machine) -> None:
    assert asked(any_machine, "list")["plugins"] == []
    assert asked(any_machine, "verify")["good"] is True
    status = asked(any_machine, "status", status=1)
    assert (status["good"], status["set"], status["serving"]) == (False, None, [])
    assert status["problems"][0]["reason"] == "apply has not made a working program yet"
    assert status["problems"][0]["repair"] == "fake-plugins apply"


def test_refusals_come_with_reason_and_repair(any_machine: Machine) -> None:
    any_machine.install("git")
    any_machine.install("cors")
    any_machine.tool("apply")
    (any_machine.plugins / "git/code").write_text("changed")
    verified = asked(any_machine, "verify", status=1)
    assert verified["good"] is False
    assert {plugin["name"]: plugin["verified"] for plugin in verified["plugins"]} == {"cors": True, "git": False}
    git = verified["plugins"][1]
    assert git["reason"].endswith("/plugins/git/code is not what its manifest says: it was changed")
    assert git["repair"] == "apt-get install --reinstall fake-plugin-git"
    status = asked(any_machine, "status", status=1)
    assert status["problems"][0] == {"plugin": "git", "reason": git["reason"], "repair": git["repair"]}
    assert asked(any_machine, "list")["plugins"][1]["state"] == "refused"
    assert asked(any_machine, "why", "git", status=1)["plugin"]["reason"] == git["reason"]


def test_what_is_wrong_with_everything_belongs_to_no_plugin(any_machine: Machine) -> None:
    any_machine.install("git")
    (any_machine.plugins / "stray").write_text("")
    (problem,) = asked(any_machine, "verify", status=1)["problems"]
    assert problem["plugin"] is None
    assert "stray" in problem["reason"]


@pytest.mark.parametrize("text", ['a "quoted" word', "back\\slash \\n \\", "tab\there", "\x1b[2Jgone\x07", "naïve ☃"])
def test_texts_of_any_kind_are_escaped(any_machine: Machine, text: str) -> None:
    """What a plugin prints when it is tried gets into the reason of a failure."""
    any_machine.failed_set.write_text(f"mkpkgs-failed-set 1\nset -\nreason it said: {text}\n")
    problems = asked(any_machine, "status", status=1)["problems"]
    reason = next(problem["reason"] for problem in problems if "it said" in problem["reason"])
    assert reason.isascii()
    assert reason.isprintable()
    if text.isascii() and text.isprintable():
        assert reason == f"the last apply failed: it said: {text}"


def test_a_visitor_gets_answers_too(machine: Machine) -> None:
    machine.install("git")
    machine.tool("apply")
    (git,) = asked(machine, "list", user="visitor")["plugins"]
    assert (git["state"], git["verified"], git["serving"]) == ("unchecked", None, "1.0-1")
    assert asked(machine, "status", user="visitor", status=1)["good"] is False
    assert asked(machine, "verify", user="visitor", status=1)["good"] is False


def test_the_same_machine_gives_the_same_answer(machine: Machine) -> None:
    for name in ("git", "cors", "auth"):
        machine.install(name)
    machine.tool("apply")
    for command in ("list", "status", "verify"):
        assert machine.tool(command, "--json").stdout == machine.tool(command, "--json").stdout
