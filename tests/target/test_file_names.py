"""Files of plugins may have any name that is UTF-8 without control characters, whatever shell and awk make of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.target.machine import Machine

NAMES = (
    *(
        "$(id)",
        "`id`",
        "a;id",
        "it's",
        'q"uote',
        "back\\slash",
        "a\\",
        "\\n",
        "*",
        "?",
        "[slug].html",
        "~",
        "#a",
        "a=b,c",
    ),
    *(
        "-",
        "-rf",
        "--help",
        "@scope/icon@2x.png",
        " leading",
        "trailing ",
        " ",
        "a  b",
        "deep /a b/ c",
        "%n%s",
        "&",
        "|",
    ),
    *(
        "caf\u00e9",
        "cafe\u0301",
        "日本.txt",
        "\u202etxt.exe",
        "a\u00a0b",
        "\U0001f468\u200d\U0001f469",
        "script (dev).tmpl",
    ),
)
ODD = {f"web/{name}": f"text of {name}\n" for name in NAMES} | dict.fromkeys(NAMES, "at the top\n")


def install(machine: Machine, name: str = "odd") -> None:
    machine.install(name, files={"code": f"echo plugin {name}\n", **ODD})


def found_in(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_plugin_with_hostile_names_serves(any_machine: Machine) -> None:
    machine = any_machine
    install(machine)
    machine.install("git")
    for question in ("apply", "status", "verify", "doctor", "list"):
        done = machine.tool(question)
        assert (done.returncode, "repair" in done.stdout) == (0, False), done.stdout
    assert machine.serves() == ["core", "plugin git", "plugin odd"]
    assert machine.leftovers() == []


def test_servers_that_open_files_get_all_of_them(plain_machine: Machine) -> None:
    machine = plain_machine
    install(machine)
    assert machine.tool("apply").returncode == 0
    assert found_in(machine.bin / "serving/plugins/odd") == {"code": "echo plugin odd\n", **ODD}
    assert machine.tool("status").returncode == 0
    (machine.bin / "serving/plugins/odd/web/trailing ").write_text("changed\n")
    done = machine.tool("status")
    assert (done.returncode, "is not what apply made" in done.stdout) == (1, True), done.stdout
    assert machine.tool("apply").returncode == 0
    assert machine.tool("status").returncode == 0


def test_what_the_arrange_step_adds_may_have_such_names_too(arranged_machine: Machine) -> None:
    machine = arranged_machine
    with (machine.root / "usr/lib/fake/arrange").open("a") as file:
        file.write('echo compiled >"$set/plugins/odd/web/script (dev).pyc"\n')
    install(machine)
    done = machine.tool("apply")
    assert done.returncode == 0, done.stdout
    made = found_in(machine.bin / "serving/plugins/odd")
    assert made == {"code": "echo plugin odd\n", **ODD, "web/script (dev).pyc": "compiled\n"}


def test_a_kit_may_have_such_names_too(machine: Machine) -> None:
    install(machine)
    machine.install_kit({"pkg/--help": "object\n", "pkg/$(id)": "object\n", "pkg/a b": "object\n"})
    assert machine.tool("apply").returncode == 0
    assert machine.serves() == ["core", "plugin odd"]


@pytest.mark.parametrize("name", ["$(id)", "it's", "a\\", "*", "--help", "trailing ", "cafe\u0301", "%n%s"])
def test_a_file_that_was_changed_taken_away_or_added_is_named(machine: Machine, name: str) -> None:
    install(machine)
    path = machine.plugins / "odd/web" / name
    shown = re.sub(rb"[^ -~]", b"?", f"/usr/lib/fake/plugins/odd/web/{name}".encode()).decode()
    text = path.read_text()
    for change, reason in (
        (lambda: path.write_text("changed\n"), "is not what its manifest says: it was changed"),
        (path.unlink, "is missing"),
    ):
        change()
        done = machine.tool("verify")
        assert (done.returncode, f"plugin odd: {shown} {reason}\n" in done.stdout) == (1, True), done.stdout
        path.write_text(text)
    beside = path.with_name(f"{path.name} too")
    beside.write_text(text)
    done = machine.tool("status", "--json")
    (problem,) = json.loads(done.stdout)["problems"]
    assert problem["reason"] == f"{shown} too is not in its manifest"
    beside.unlink()
    assert machine.tool("verify").returncode == 0


def test_what_apply_refused_is_told_once(any_machine: Machine) -> None:
    machine = any_machine
    install(machine)
    machine.install("git")
    assert machine.tool("apply").returncode == 0
    (machine.plugins / "odd/web/cafe\u0301").write_text("changed\n")
    assert machine.tool("apply").returncode == 1
    assert machine.failed_set.read_bytes().isascii()
    (problem,) = json.loads(machine.tool("status", "--json").stdout)["problems"]
    assert problem["reason"] == "/usr/lib/fake/plugins/odd/web/cafe?? is not what its manifest says: it was changed"


def test_a_repair_that_is_pasted_runs_nothing_else(machine: Machine) -> None:
    install(machine)
    os.chown(machine.plugins / "odd/web/it's", 990, 990)
    (machine.plugins / "odd/web/$(id)").chmod(0o666)
    for _ in range(3):
        done = machine.tool("verify")
        repairs = re.findall(r"repair: (.*)", done.stdout)
        for repair in repairs:
            place = "-R /usr/lib/fake/plugins/odd/web"
            assert re.fullmatch(f"(chown root {place}; )?chmod go-w,a-st {place}; then fake-plugins apply", repair)
            by_hand = repair.removesuffix("; then fake-plugins apply")
            subprocess.run(["chroot", machine.root, "/bin/sh", "-c", by_hand], check=True)
    assert machine.tool("verify").returncode == 0


def test_the_repair_of_a_diversion_is_words_of_a_shell(serving: Machine, share: slice) -> None:
    install(serving)
    assert serving.tool("apply").returncode == 0
    for name in NAMES[share]:
        path = f"/usr/lib/fake/plugins/odd/web/{name}"
        there: list[str | Path] = ["chroot", serving.root]
        subprocess.run(
            [*there, "dpkg-divert", "--local", "--rename", "--divert", "/var/away", path],
            check=True,
            capture_output=True,
        )
        (repair,) = set(re.findall(r"repair: (.*)", serving.tool("apply").stdout))
        if not name.isascii():
            assert repair.startswith("remove the diversion of this file, which dpkg-divert --list shows; then ")
            repair = "dpkg-divert --rename --remove '" + path + "'; fake-plugins apply"
        subprocess.run([*there, "/bin/sh", "-euc", repair], check=True, capture_output=True)
        assert serving.tool("status").returncode == 0, repair


def test_doctor_takes_back_what_belongs_to_others(machine: Machine) -> None:
    install(machine)
    for name in NAMES:
        os.chown(machine.plugins / "odd/web" / name, 990, 990)
        (machine.plugins / "odd/web" / name).chmod(0o666)
    done = machine.tool("doctor")
    assert done.returncode == 0, done.stdout
    assert machine.tool("verify").returncode == 0


def test_the_record_of_dpkg_vouches_for_such_names(machine: Machine) -> None:
    (machine.share / "trust").write_text("distribution\n")
    machine.list_core()
    install(machine)
    assert machine.tool("apply").returncode == 0
    assert machine.serves() == ["core", "plugin odd"]


def test_the_servers_own_wheels_may_have_such_names(machine: Machine) -> None:
    """The driver python has them there, and what they are is the package manager's business."""
    install(machine)
    for name in NAMES:
        path = machine.bin / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert machine.tool("apply").returncode == 0
    assert machine.tool("verify").returncode == 0


def test_names_that_are_more_than_a_line_are_refused(machine: Machine) -> None:
    install(machine)
    for name in ("a\nb", "a\tb", "a\x1b[2Jb", "a\x7f"):
        path = machine.plugins / "odd/web" / name
        path.write_text("x\n")
        done = machine.tool("verify")
        assert done.returncode == 1
        assert "a name in /usr/lib/fake/plugins/odd/web has characters that no name there can have\n" in done.stdout
        path.unlink()


def test_capabilities_of_such_a_file_are_told(machine: Machine) -> None:
    install(machine)
    value = b"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    os.setxattr(machine.plugins / "odd/web/script (dev).tmpl", "security.capability", value)
    done = machine.tool("verify")
    assert "plugin odd: /usr/lib/fake/plugins/odd/web/script (dev).tmpl has capabilities\n" in done.stdout
    assert "  repair: apt-get install --reinstall fake-plugin-odd\n" in done.stdout
