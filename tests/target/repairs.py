"""Follows what the target tool calls a repair, to the letter."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

TEMPLATES = Path(__file__).parents[2] / "packaging_tool/templates/target"


@dataclass(frozen=True, slots=True)
class Row:
    """A fault, what the tool says of it, and what a person makes of the repair.

    fault: shell that brings the fault. says: a regular expression for the reason. places: where the message is made,
    as "FILE: WORDS" for the lines of the template FILE with these words. person: shell in the place of words of the
    repair that leave something to a person. asks: the command that tells it. family: "" for all. after: shell that
    must hold when the repair was followed, beside `status`.
    """

    fault: str | Mapping[str, str] | Callable[..., object]
    says: str
    places: tuple[str, ...]
    person: Mapping[str, str] = field(default_factory=dict)
    asks: str = "apply"
    family: str = ""
    after: str = ""


def repair_of(said: str, reason: str) -> str:
    """The repair that follows a reason, which is a regular expression. Fails if there is none."""
    found = re.search(f"^[a-z-]+: .*{reason}.*\n[a-z-]+:   repair: (.*)$", said, re.MULTILINE)
    assert found, said
    return found[1]


def letter(repair: str, person: Mapping[str, str]) -> str:
    """The repair as shell."""
    for words, shell in person.items():
        assert words in repair, repair
        repair = repair.replace(words, shell)
    return re.sub("[;,] then ", "; ", repair)


# What makes a line of a template one that tells a person what to do: a command, or words for what only a person can do.
_COMMAND = re.compile(
    r"""REINSTALL|INSTALL|\$TOOL\ [a-z]|TOOL\ "\ [a-z]
    |(?:by_hand|reinstall|in_its_place|own_copy|without_files|way_to)\b
    |systemctl\ (?:unmask|enable|restart|edit|stop|daemon-reload)|chown\ root|chmod\ [ga0]|usermod
    |userdel|"rm\ -|sysusers\ \$CORE|dpkg\ --
    |journalctl\ -u|setcap|rpm\ -e|remove\ (?:it|the\ package|this)|take\ it\ out|call\ it""",
    re.VERBOSE,
)
_TELLS = re.compile(
    r"""\b(?:refuse|fail|fail_in_unit|report|remains|mend|problem|complain|step_of_driver)\b\ ?[("$']|\brepair\ ?=
    |repair:\ [a-z]|\\t(?:put|dpkg\ --|rpm\ -e|remove|systemctl|chown|%s|"\ \(|"\ REINSTALL)|DONE="
    |(?:^|;\ |then\ |\{\ )(?:echo|return)\ .*(?:systemctl|INSTALL|rm\ -)""",
    re.VERBOSE,
)


def places() -> list[str]:
    """All lines of templates from which a repair can come, as "FILE: LINE", with what is continued in one."""
    found = []
    for path in sorted([*TEMPLATES.glob("*.sh"), *TEMPLATES.glob("*.awk")]):
        for line in re.sub(r"\\\n\s*", "", path.read_text()).splitlines():
            text = line.strip()
            if text.startswith(("#", "function ")) or re.search(" -v [A-Z]", text):
                continue
            if _COMMAND.search(text) and _TELLS.search(text):
                found.append(f"{path.name}: {text}")
    return found


# Who follows a repair where it was tested before there was a table of them.
FOLLOWED: Mapping[str, tuple[str, ...]] = {
    "target/test_file_names.py::test_the_repair_of_a_diversion_is_words_of_a_shell": (
        "diversions.sh: remove the diversion",
    ),
    "target/test_diversions.py::test_apply_says_that_nothing_is_in_the_place_of_the_core": (
        "diversions.sh: is not there, so no set can be tried",
    ),
    "target/test_failures.py::test_a_full_disk_keeps_the_old_program": (
        "apply.sh: make room, then $TOOL apply",
        "messages.sh: make room",
        "messages.sh: what was said before",
    ),
    "target/test_failures.py::test_an_apply_that_is_interrupted_says_that_it_was": ("messages.sh: was interrupted",),
    "target/test_failures.py::test_a_read_only_usr_is_told_and_the_way_out": ("apply.sh: remount it writable",),
    "target/test_doctor.py::test_a_directory_that_a_hardening_script_shut_is_told_and_opened": (
        "apply.sh: can be entered by root alone",
        "doctor.sh: can be entered by root alone",
        "questions.sh: can be entered by root alone",
    ),
    "target/test_apply.py::test_a_driver_writes_what_its_server_reads_beside_the_plugins": (
        "apply.sh: arranging the plugins",
    ),
    "target/test_confine.py::test_what_a_step_leaves_beside_plain_files_is_refused": (
        "apply.sh: more than plain files",
        "apply.sh: $doing failed: $(last_line",
    ),
    "target/test_doctor.py::test_doctor_takes_back_what_is_the_cores": ('apply.sh: $TOOL doctor" ;;',),
    "target/test_vouch.py::test_what_the_core_brought_is_taken_back_only_as_it_was_brought": (
        "doctor.sh: reinstall) printf",
    ),
    "target/test_doctor.py::test_doctor_tells_what_is_the_machines": (
        "doctor.sh: *) printf",
        "doctor.sh: chown root %s",
    ),
    "target/test_doctor.py::test_doctor_tells_a_link_on_the_way_to_nothing": ("doctor.sh: is neither a file nor",),
    "target/test_manage.py::test_doctor_closes_the_plugins_directory": ("doctor.sh: chown root:$GROUP",),
    "target/test_manage.py::test_doctor_clears_what_a_killed_apply_left": (
        "doctor.sh: rm -rf $path",
        "doctor.sh: rm -f $LOCK",
    ),
    "target/test_manage.py::test_doctor_forgets_disabled_plugins_that_are_gone": ("doctor.sh: is disabled, but not",),
    "target/test_manage.py::test_doctor_makes_a_missing_program": (
        "doctor.sh: apply_apart",
        "questions.sh: why=$(current",
    ),
    "acceptance/test_manage.py::test_doctor_names_the_package_that_ends_a_mismatch": ("doctor.awk: repair = ",),
    "acceptance/test_manage.py::test_doctor_repairs_what_was_broken_and_says_what_only_people_can": (
        "doctor.sh: the user $user does not exist",
        "doctor.sh: not in all groups",
        "doctor.sh: systemctl unmask $STEM-apply",
    ),
    "target/test_distribution.py::test_what_the_record_does_not_vouch_for_is_refused": ("origin.awk: REINSTALL",),
    "target/test_apply.py::test_a_visitor_sees_versions_and_is_told_what_he_cannot_check": (
        "questions.sh: call it as root",
        "verify.sh: call it as root",
    ),
    "target/test_revoked_lists.py::test_a_user_who_cannot_read_a_list_is_told": ("revoked.sh: call it as root",),
    "target/test_revoked_lists.py::test_what_is_wrong_with_one_list_does_not_stop_the_other": (
        "survey.awk: complain($3",
        "survey.awk: return index(path",
        'revoked.sh: complain "$2"',
        "revoked.sh: repair the disk",
    ),
    "target/test_revocation.py::test_the_repair_works_to_the_letter": ('withdraw.awk: TOOL " disable',),
    "target/test_revocation.py::test_where_the_server_does_not_run_without_it_that_is_said": (
        "revoked.sh: repair what is said above",
        "questions.sh: what serves has $distrusted",
    ),
    "acceptance/test_manage.py::test_a_full_tmp_and_a_link_in_our_place_end_no_question": (
        "questions.sh: free some space",
    ),
    "acceptance/test_restart.py::test_a_set_that_dies_as_a_service_is_put_back_by_every_policy": (
        "restart.sh: remove or downgrade the plugin",
    ),
    "acceptance/test_packed.py::test_files_beside_the_plugins_keep_no_server_from_starting": (
        'diversions.sh: echo "rm -f /usr/bin/$CORE',
    ),
    "acceptance/test_other_units.py::test_a_set_stays_as_long_as_somebody_has_it": ("questions.sh: runs an older set",),
    "acceptance/test_changed_units.py::test_a_changed_unit_is_told_by_its_file_and_no_plugin_is_blamed": (
        "units.sh: is masked",
        "units.sh: takes no unit",
        "units.sh: and must have",
        "units.sh: take that out",
        "units.sh: REINSTALL $CORE; systemctl",
        'units.sh: fail "${trouble',
        "units.sh: more.conf",
    ),
    "acceptance/test_service_settings.py::test_what_the_service_sees_is_what_try_and_check_see": (
        "try.sh: repair what these files name",
    ),
    "acceptance/test_refusing_containers.py::test_what_a_container_refuses_is_told_and_no_plugin_is_blamed": (
        "container.sh: systemctl edit",
    ),
    "target/test_confine.py::test_of_each_program_it_is_asked_once_whether_it_says_something": (
        "try.sh: without a word",
    ),
}
# What nobody can bring about here, or what tells to do nothing.
UNFOLLOWED: Mapping[str, str] = {
    "apply.sh: what was said before this line tells why": "a step stopped without a reason: a fault of the tool itself",
    "compare.awk: cannot be read": "root reads everything, but for a broken disk; the repair is that of a changed file",
    "trust.sh: as in FIPS mode": "the plugin's maker must sign it anew",
    "confine.sh: end all processes": "a process that kill -9 does not end hangs in the kernel",
    "judge.awk: its manifest is not signed": "each manifest without a good signature was refused before",
    "questions.sh: runs an older program": "only a linked server shows it; the repair is that of a restart that waits",
    "questions.sh: wait, or $TOOL apply": "it waits by itself",
    'verify.sh: then echo "$REINSTALL $CORE"': "all files of the core are gone; then each plugin says so of its own",
    "try.sh: cannot copy $CONFIG": "configuration of more than a gigabyte, or on a disk that hangs",
}
