"""What docs/security.md promises, row by row, and the tests that hold it.

A key: the first cell of a row of a table, or the number of a step. `test_places.py` compares them with the page: no
sentence comes into it without a test, and none stays here that the page has dropped.
"""

from __future__ import annotations

from collections.abc import Mapping

ACCEPTANCE, TARGET = "tests/acceptance", "tests/target"
HOSTILE = f"{TARGET}/test_hostile.py"
KEYS, LINKS, REVOCATION = f"{TARGET}/test_keys.py", f"{TARGET}/test_links.py", f"{TARGET}/test_revocation.py"
CONFINED, ROOM = f"{ACCEPTANCE}/test_confined.py", f"{ACCEPTANCE}/test_room.py"
CONFINE, WEB, WHEEL = "tests/test_confine.py", "tests/authors/test_web.py", "tests/wheels/test_wheel.py"
PROJECT, PUBLISHED = "tests/hostile/test_project_words.py", "tests/hostile/test_published_words.py"

# Rows that only say what somebody can do: that needs no guard.
OPEN = ("both keys, or the maintainer's build machine", "root")

STEPS: Mapping[str, tuple[str, ...]] = {
    "1": (f"{TARGET}/test_refusals.py::test_tampering_is_refused_with_its_own_reason",),
    "2": (
        f"{ACCEPTANCE}/test_tamper_races.py::test_a_writer_that_races_never_gets_in",
        f"{TARGET}/test_seal.py::test_what_was_written_meanwhile_is_not_used",
        f"{TARGET}/test_seal.py::test_where_nothing_tells_of_the_file_system_a_copy_is_used",
    ),
    "3": (f"{TARGET}/test_refusals.py::test_tampering_is_refused_with_its_own_reason",),
    "4": (
        f"{TARGET}/test_confine.py::test_a_step_has_the_rights_of_the_user_that_tries",
        f"{TARGET}/test_confine.py::test_what_is_no_plain_file_of_a_step_is_no_program",
        f"{TARGET}/test_confine.py::test_a_step_cannot_change_what_was_verified",
        "tests/drivers/test_go_lists.py::test_other_lists_are_refused_before_a_tool_reads_them",
    ),
    "5": (
        f"{CONFINED}::test_a_booted_machine",
        f"{TARGET}/test_confine.py::test_a_silent_try_is_compared_with_the_core_alone",
        f"{ACCEPTANCE}/test_broken_sets.py::test_what_is_tried_has_the_services_sandbox_and_leaves_nothing",
    ),
    "6": (f"{ACCEPTANCE}/test_broken_sets.py::test_an_auth_plugin_that_breaks_on_upgrade_lets_nobody_in",),
}

ROWS: Mapping[str, tuple[str, ...]] = {
    # Who can do what on a server.
    "the network, a mirror": (
        f"{ACCEPTANCE}/test_refusals.py::test_a_package_changed_by_one_byte_is_refused",
        f"{ACCEPTANCE}/test_refusals.py::test_a_repository_signed_by_somebody_else_is_refused",
    ),
    "the index of any configured repository, also one pinned away": (
        f"{HOSTILE}::test_an_index_says_what_it_likes",
        f"{HOSTILE}::test_names_that_are_options_of_apt_reach_it_as_nothing",
    ),
    "the repository's OpenPGP key": (
        f"{ACCEPTANCE}/test_refusals.py::test_a_plugin_signed_by_somebody_else_is_refused",
    ),
    "the manifest key": (f"{ACCEPTANCE}/test_refusals.py::test_a_repository_signed_by_somebody_else_is_refused",),
    "a key in `/etc/C/keys.d`": (f"{KEYS}::test_only_a_key_of_the_core_vouches_for_a_kit",),
    "a package of another vendor (`dpkg -i`, a third repository)": (
        f"{KEYS}::test_a_package_cannot_bring_a_key_of_the_core",
        f"{KEYS}::test_a_package_cannot_bring_a_key_of_the_administrator",
        f"{ACCEPTANCE}/test_trust.py::test_a_package_cannot_bring_the_key_of_its_own_plugin",
    ),
    "a plugin with a good signature": (f"{CONFINED}::test_a_booted_machine", f"{CONFINED}::test_a_container"),
    "the service's user": (
        f"{TARGET}/test_confine.py::test_a_step_cannot_change_what_was_verified",
        f"{ACCEPTANCE}/test_broken_sets.py::test_what_is_tried_has_the_services_sandbox_and_leaves_nothing",
    ),
    "a local user": (
        f"{TARGET}/test_confine.py::test_no_local_user_reads_a_program_with_plugins_or_why_it_failed",
        f"{LINKS}::test_doctor_follows_no_link_that_comes_in_between",
        f"{LINKS}::test_nothing_is_removed_or_written_where_others_can_turn_the_way",
    ),
    # Where packages are built.
    "the sources of a plugin or core that you build, a wheel, a Go module": (
        f"{CONFINE}::test_a_build_command_reaches_nothing",
        f"{CONFINE}::test_another_user_than_root_gets_the_same",
        f"{CONFINE}::test_the_program_of_a_trial_has_no_terminal",
    ),
    "the lock or the published files of a core that you build for (`[plugin-of]`)": (
        f"{PUBLISHED}::test_a_lock_names_no_program_and_no_option_to_go",
        f"{PUBLISHED}::test_a_published_module_is_named_by_its_content",
        f"{PUBLISHED}::test_directories_of_a_published_core_follow_the_rules_of_a_project_file",
    ),
    "a mirror or the network between you and a core": (
        f"{WEB}::test_http_takes_a_key_that_is_known_before",
        f"{WEB}::test_a_server_that_drips_is_left",
        f"{WEB}::test_words_of_a_server_are_no_more_than_words",
    ),
    "a package that you look at (`mkpkgs inspect`)": (
        "tests/hostile/test_packages.py::test_words_in_packages_are_shown_as_text",
        "tests/hostile/test_packages.py::test_a_bomb_in_a_deb_ends_early_and_says_so",
    ),
    "the code of a server or a plugin that `mkpkgs check --load` tries": (
        f"{ROOM}::test_its_root_is_nobody_outside",
        f"{ROOM}::test_it_changes_and_reads_nothing_of_the_kernel_and_of_processes_outside",
        f"{ROOM}::test_it_sees_no_file_no_word_and_no_process_of_the_caller",
        f"{ROOM}::test_it_reaches_no_server_of_the_machine",
    ),
    "a file in your checkout (a pull request)": (
        "tests/project/test_outside.py::test_sources_that_lead_out_are_refused",
        "tests/test_cache.py::test_a_changed_object_in_a_committed_cache_is_not_packaged",
        f"{PUBLISHED}::test_a_lock_names_no_program_and_no_option_to_go",
    ),
    # What was tried.
    "names and versions in an index that are options, commands, escapes or 64 kB long; also at TAB": (
        f"{HOSTILE}::test_an_index_says_what_it_likes",
        f"{TARGET}/test_completion.py::test_names_of_files_and_packages_are_words",
    ),
    "a plugin whose try types into the terminal, leaves a daemon, keeps stdout open, opens sockets, /run/lock": (
        f"{CONFINED}::test_a_booted_machine",
        f"{TARGET}/test_confine.py::test_nothing_that_a_try_began_goes_on_and_nothing_else_ends",
    ),
    "a plugin that ends every process that it can, when it serves and when it is tried": (
        f"{CONFINED}::test_a_booted_machine",
        f"{CONFINED}::test_a_container",
    ),
    "lists of a Go plugin that name files of root's for the compiler": (
        "tests/drivers/test_go_lists.py::test_hostile_words_in_lists_are_refused",
    ),
    "a revoked key, a key that ended, a kit by an author's key, a key in a foreign package, `Replaces`, diversions": (
        f"{ACCEPTANCE}/test_revocation.py::test_no_update_waits_for_a_revoked_key_and_nothing_goes_back_to_it",
        f"{REVOCATION}::test_the_end_of_a_key_takes_nothing_out_and_lets_nothing_in",
        f"{KEYS}::test_a_package_cannot_replace_what_decides_about_trust",
        f"{KEYS}::test_a_diverted_file_is_not_the_cores",
    ),
    "bad lines, links, pipes, NULs, wrong owners, 64 kB in a list of revoked keys": (
        f"{TARGET}/test_revoked_lists.py::test_good_lines_act_beside_bad_ones_and_each_bad_one_is_told",
        f"{TARGET}/test_revoked_lists.py::test_a_list_that_turns_bad_brings_nothing_back",
        f"{ACCEPTANCE}/test_revocation.py::test_what_is_wrong_with_a_list_stops_no_good_line_and_brings_nothing_back",
    ),
    "links and hard links that change while `doctor`, apply or a purge walk": (
        f"{LINKS}::test_doctor_follows_no_link_that_comes_in_between",
        f"{LINKS}::test_doctor_does_not_touch_what_a_second_hard_link_leads_to",
        f"{LINKS}::test_no_script_removes_through_a_link",
    ),
    "keys, settings, programs and sets that a local user wrote while a place was open to all, before `doctor`": (
        f"{TARGET}/test_vouch.py::test_a_key_that_a_local_user_put_into_an_open_directory_is_never_trusted",
        f"{TARGET}/test_vouch.py::test_what_another_could_write_below_etc_is_for_a_person_to_judge",
        f"{TARGET}/test_vouch.py::test_doctor_does_not_write_on_what_another_wrote",
        f"{TARGET}/test_vouch.py::test_what_the_core_brought_is_taken_back_only_as_it_was_brought",
        f"{TARGET}/test_vouch.py::test_a_key_of_no_package_that_another_wrote_is_removed_by_a_person",
        f"{TARGET}/test_vouch.py::test_a_record_that_others_can_write_vouches_for_nothing",
        f"{TARGET}/test_vouch.py::test_a_set_that_another_could_write_is_made_anew",
        f"{TARGET}/test_vouch.py::test_a_plugin_is_taken_back_since_its_hashes_are_verified",
        f"{TARGET}/test_vouch.py::test_a_key_that_root_put_there_goes_on_counting",
    ),
    "a forged line in the journal against the roll-back": (
        f"{ACCEPTANCE}/test_boot.py::test_only_systemd_says_that_the_service_was_stopped",
    ),
    "environment of the caller: APT_CONFIG, DPKG_ADMINDIR, TMPDIR, OPENSSL_CONF and more": (
        f"{HOSTILE}::test_the_environment_changes_no_answer",
        f"{HOSTILE}::test_what_apt_and_tools_read_is_not_chosen_by_the_caller",
    ),
    "more than 2,000 changed files, manifests, signatures and owners, half of them under dash and half under bash": (
        f"{TARGET}/test_tamper.py::test_all_mutations_differ_and_are_the_same_each_time",
        f"{ACCEPTANCE}/test_tamper_dash.py::test_no_mutation_is_used_and_each_has_its_own_reason",
        f"{ACCEPTANCE}/test_tamper_bash.py::test_no_mutation_is_used_and_each_has_its_own_reason",
    ),
    "keys, agent, /proc, home, network, terminal, other folders: out of build commands, compilers, trial runs": (
        f"{CONFINE}::test_a_build_command_reaches_nothing",
    ),
    "GOFLAGS, LD_PRELOAD, linker flags, paths and tags in a published or committed lock": (
        f"{PUBLISHED}::test_a_lock_names_no_program_and_no_option_to_go",
        f"{PUBLISHED}::test_folders_and_keys_of_a_lock_are_what_they_are_called",
    ),
    "shell characters, specifiers, macros, line breaks, HTML and roff in every text of a project file": (
        f"{PROJECT}::test_scripts_and_shown_commands_are_read_by_a_shell_and_run_nothing_else",
        f"{PROJECT}::test_systemd_reads_units",
    ),
    "a wheel of an index that requires sources by http, a file or a repository; a `pip` or `json.py` in the checkout": (
        "tests/wheels/test_caller.py::test_what_a_wheel_requires_by_address_does_not_run",
    ),
    "a fork with a `dist/` of its author; packages, indexes, suites and descriptions that were changed or added": (
        "tests/test_covered.py::test_a_fork_with_a_dist_of_its_author_is_not_signed",
        "tests/test_covered.py::test_what_somebody_changed_in_my_dist_is_named",
    ),
    "a finished tree in a checkout that would take the place of `dist/`; an archive of sources with a device": (
        "tests/test_kills.py::test_a_tree_that_a_checkout_brings_takes_nobodys_place",
        "tests/drivers/test_elf.py::test_a_tarball_with_a_device_is_refused",
    ),
    "hostile words in every key of a project file, of all drivers and of authors": (
        "tests/hostile/test_driver_words.py::test_words_in_the_tables_of_a_driver",
        "tests/hostile/test_project_words.py::test_dpkg_reads_what_words_came_to",
        "tests/hostile/test_project_words.py::test_rpm_reads_what_words_came_to",
        "tests/hostile/test_project_words.py::test_the_page_has_no_element_or_link_of_a_word",
        "tests/hostile/test_project_words.py::test_words_of_authors_come_to_their_packages",
    ),
    "the same nearly right manifest, key, signature or list for Python, sh with mawk and gawk, and Go": (
        "tests/test_readers_agree.py::test_nearly_right_files_are_read_alike",
        "tests/test_readers_agree.py::test_vectors_are_read_alike",
    ),
    "code in the clean root: terminal, kernel settings, network, setuid files, mounts, keyring, links, no end": (
        f"{ROOM}::test_it_types_nothing_into_the_terminal_of_the_caller",
        f"{ROOM}::test_all_is_fetched_before_foreign_code_runs_and_that_has_no_network",
    ),
    "wheels, packages and web answers that lie about their size, never end or are damaged": (
        f"{WHEEL}::test_a_damaged_wheel_is_refused_in_one_sentence",
        f"{WHEEL}::test_what_is_too_large_as_a_whole_is_not_unpacked",
        f"{WEB}::test_an_answer_that_is_too_large_is_not_read_to_its_end",
    ),
    "`kill -9` at random moments of a run that publishes": (
        "tests/test_kills.py::test_killed_at_any_time_the_published_directory_fits_together",
        "tests/test_kills.py::test_also_where_two_names_cannot_be_exchanged",
    ),
}
