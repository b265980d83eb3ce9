"""Plugins that ended or have another name: what the core's package says of them, and what the tool makes of it."""

from __future__ import annotations

from tests.target.machine import Machine
from tests.target.test_manage import disabled_file, says

ENDED = "fake-plugins: the plugin git ended: fake 1.0-1 has it no more; to have read this: fake-plugins remove git\n"


def former(machine: Machine, *rows: str) -> None:
    """What the core's package brings with a newer version."""
    (machine.share / "former").write_text("".join(f"{row}\n" for row in rows))


def test_a_plugin_that_is_still_there_under_its_old_name_stays_disabled(any_machine: Machine) -> None:
    """A newer core with the same ABI takes the old package, too, and nobody has to upgrade it."""
    any_machine.install("git")
    any_machine.install("cors")
    says(any_machine, "disable", "git")
    former(any_machine, "git forge")
    says(any_machine, "apply")
    assert (any_machine.serves(), disabled_file(any_machine)) == (["core", "plugin cors"], "git\n")
    any_machine.remove("git")
    any_machine.install("forge")
    # Whoever may not write the list, or is cut off before that, does not put the plugin in.
    assert "disabled: forge" in says(any_machine, "status")
    assert says(any_machine, "apply").startswith("fake-plugins: git is called forge now, and stays disabled\n")
    assert (any_machine.serves(), disabled_file(any_machine)) == (["core", "plugin cors"], "forge\n")
    says(any_machine, "enable", "git")
    assert (any_machine.serves(), disabled_file(any_machine)) == (["core", "plugin cors", "plugin forge"], "")


def test_the_end_of_a_plugin_is_told_until_somebody_has_taken_note(any_machine: Machine) -> None:
    any_machine.install("git")
    any_machine.install("cors")
    says(any_machine, "apply")
    former(any_machine, "git")
    any_machine.remove("git")
    assert says(any_machine, "apply", "--quiet").endswith(ENDED)
    # The next cores, which may know nothing of it, tell it too, and so does every set.
    former(any_machine)
    any_machine.install("auth")
    assert ENDED in says(any_machine, "apply")
    assert says(any_machine, "apply") == f"fake-plugins: nothing to do: fake with auth 1.0-1, cors 1.0-1\n{ENDED}"
    assert says(any_machine, "apply", "--quiet") == ""
    assert ENDED in says(any_machine, "status")
    assert "would tell no more" in says(any_machine, "remove", "git", "--dry-run", status=3)
    assert ENDED in says(any_machine, "status")
    said = says(any_machine, "remove", "git")
    assert "noted: git" in said
    assert "ended" not in says(any_machine, "status")
    assert any_machine.leftovers() == []


def test_a_plugin_that_did_not_serve_or_comes_back_is_missed_by_nobody(machine: Machine) -> None:
    machine.install("git")
    machine.install("cors")
    says(machine, "disable", "git")
    former(machine, "git", "cors")
    machine.remove("git")
    assert "git ended" not in says(machine, "apply")
    machine.remove("cors")
    assert "the plugin cors ended" in says(machine, "apply")
    machine.install("cors")
    assert "ended" not in says(machine, "apply")


def test_who_served_and_leaves_though_nobody_said_so_is_told(any_machine: Machine) -> None:
    any_machine.install("git")
    any_machine.install("cors")
    says(any_machine, "apply")
    # After a downgrade and an upgrade, the list of the administrator has the new name.
    former(any_machine, "git forge")
    any_machine.remove("git")
    any_machine.install("forge")
    (any_machine.root / "etc/fake/plugins.d/disabled").write_text("forge\n")
    # Another maker's package of the same name, which the package manager took for an upgrade.
    any_machine.remove("cors")
    any_machine.record("fake-plugin-cors", "9.0-1")
    said = says(any_machine, "apply")
    assert "git, which served, is called forge now, and that is disabled: fake-plugins enable forge\n" in said
    assert (
        "cors served, but the package fake-plugin-cors that is installed now brings no plugin: fake-plugins why cors\n"
        in said
    )
    assert any_machine.serves() == ["core"]
    # Who is removed or disabled by its name is missed by nobody.
    says(any_machine, "enable", "forge")
    for act in (lambda: says(any_machine, "disable", "forge"), lambda: any_machine.remove("forge")):
        act()
        assert "served" not in says(any_machine, "apply")
